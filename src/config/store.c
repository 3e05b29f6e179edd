/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the configuration (store.h): nothing here knows what is in them. */
#include "config/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"

#define NAME    64
#define RUNNING "running"
#define JSON    "running.json"
#define PENDING "pending"

/* --- whole files ---------------------------------------------------------------------------------
 */

static int read_all(int fd, char **text)
{
    struct stat st;
    size_t at = 0;
    char *v;

    if (fstat(fd, &st) != 0)
        return HD_ESYS;
    if ((uint64_t)st.st_size > HD_STORE_FILE_MAX)
        return HD_ELIMIT;
    v = malloc((size_t)st.st_size + 1);
    if (!v)
        return HD_ENOMEM;
    while (at < (size_t)st.st_size) {
        ssize_t n = read(fd, v + at, (size_t)st.st_size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    v[at] = '\0';
    *text = v;
    return 0;
}

int hd_store_read(int dir, const char *name, char **text)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    int error;

    *text = NULL;
    if (fd < 0)
        return errno == ENOENT ? HD_ENOENT : HD_ESYS;
    error = read_all(fd, text);
    close(fd);
    return error;
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR)
            return HD_ESYS;
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* Writes, and is sure that it is on the disk. */
static int put(int dir, const char *name, int flags, const char *text, size_t len)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    int error;

    if (fd < 0)
        return HD_ESYS;
    error = write_all(fd, text, len);
    if (error == 0 && fsync(fd) != 0)
        error = HD_ESYS;
    if (close(fd) != 0)
        error = HD_ESYS;
    return error;
}

static int sync_folder(int dir)
{
    return fsync(dir) == 0 ? 0 : HD_ESYS;
}

int hd_store_write(int dir, const char *name, const char *text, size_t len)
{
    char temporary[NAME + 8];
    int error;

    snprintf(temporary, sizeof temporary, ".%s.new", name);
    error = put(dir, temporary, O_TRUNC, text, len);
    if (error == 0 && renameat(dir, temporary, dir, name) != 0)
        error = HD_ESYS;
    if (error == 0)
        error = sync_folder(dir);
    else
        unlinkat(dir, temporary, 0);
    return error;
}

int hd_store_append(int dir, const char *name, const char *text)
{
    struct stat before = {.st_size = 0};
    bool there = fstatat(dir, name, &before, AT_SYMLINK_NOFOLLOW) == 0;
    int error = put(dir, name, O_APPEND, text, strlen(text));

    if (error != 0) { /* no part of it stays */
        int saved = errno, fd = there ? openat(dir, name, O_WRONLY | O_CLOEXEC) : -1;
        if (!there)
            unlinkat(dir, name, 0);
        else if (fd >= 0)
            (void)!ftruncate(fd, before.st_size);
        if (fd >= 0)
            close(fd);
        errno = saved;
    }
    return error == 0 ? sync_folder(dir) : error;
}

int hd_store_remove(int dir, const char *name)
{
    if (unlinkat(dir, name, 0) != 0)
        return errno == ENOENT ? 0 : HD_ESYS;
    return sync_folder(dir);
}

/* --- revisions -----------------------------------------------------------------------------------
 */

static bool read_name(const char *name, struct hd_revision *r)
{
    int end = 0;

    memset(r, 0, sizeof *r);
    if (sscanf(name, "r%6" SCNu32 "-%15[a-z]%n", &r->number, r->how, &end) != 2 || end == 0)
        return false;
    r->lines = strcmp(name + end, ".lines") == 0;
    return r->lines || strcmp(name + end, ".json") == 0;
}

static char *write_name(const struct hd_revision *r, char *buf)
{
    snprintf(buf, NAME, "r%06" PRIu32 "-%s.%s", r->number, r->how, r->lines ? "lines" : "json");
    return buf;
}

/* Of two forms of one, JSON. */
static int newest_first(const void *a, const void *b)
{
    const struct hd_revision *x = a, *y = b;

    if (x->number != y->number)
        return x->number < y->number ? 1 : -1;
    return (int)x->lines - (int)y->lines;
}

static size_t drop_twins(struct hd_revision *v, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && v[kept - 1].number == v[i].number)
            v[kept - 1].twice = true;
        else
            v[kept++] = v[i];
    }
    return kept;
}

/*
 * Lines on top of another revision: a first line says of which, and has a digest of that and of all
 * behind it, so that a file of which the disk lost a part is noticed and not taken for less.
 */
#define LINES_HEAD "lines on %06" PRIu32 " %s\n"
#define DIGEST     16

static void lines_digest(uint32_t base, const char *lines, char *hex)
{
    uint8_t digest[DIGEST];
    crypto_generichash_state s;
    char number[16];

    snprintf(number, sizeof number, "%06" PRIu32 "\n", base);
    crypto_generichash_init(&s, NULL, 0, sizeof digest);
    crypto_generichash_update(&s, (const uint8_t *)number, strlen(number));
    crypto_generichash_update(&s, (const uint8_t *)lines, strlen(lines));
    crypto_generichash_final(&s, digest, sizeof digest);
    sodium_bin2hex(hex, 2 * DIGEST + 1, digest, sizeof digest);
}

static char *lines_text(uint32_t base, const char *lines)
{
    char hex[2 * DIGEST + 1], *text;

    lines_digest(base, lines, hex);
    return asprintf(&text, LINES_HEAD "%s", base, hex, lines) < 0 ? NULL : text;
}

int hd_store_lines_open(const char *text, uint32_t *base, const char **lines)
{
    char hex[2 * DIGEST + 1], want[2 * DIGEST + 1];
    int end = 0;

    if (sscanf(text, "lines on %6" SCNu32 " %32[0-9a-f]%n", base, hex, &end) != 2 || end == 0 ||
        text[end] != '\n')
        return HD_EMALFORMED;
    *lines = text + end + 1;
    lines_digest(*base, *lines, want);
    return strcmp(hex, want) == 0 ? 0 : HD_EMALFORMED;
}

size_t hd_store_revisions(int dir, struct hd_revision *v, size_t max)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *e;
    struct stat st;
    size_t n = 0;

    if (!d) {
        if (copy >= 0)
            close(copy);
        return 0;
    }
    while (n < max && (e = readdir(d)) != NULL) {
        if (!read_name(e->d_name, &v[n]))
            continue;
        v[n].unix_s = fstatat(dir, e->d_name, &st, 0) == 0 ? st.st_mtim.tv_sec : 0;
        n++;
    }
    closedir(d);
    qsort(v, n, sizeof *v, newest_first);
    return drop_twins(v, n);
}

bool hd_store_is_rollback(const struct hd_revision *r, uint32_t running)
{
    return r->number < running && strcmp(r->how, "returned") != 0;
}

int hd_store_revision_read(int dir, const struct hd_revision *r, char **text)
{
    char name[NAME];

    return hd_store_read(dir, write_name(r, name), text);
}

size_t hd_store_revision_size(int dir, const struct hd_revision *r)
{
    char name[NAME];
    struct stat st;

    return fstatat(dir, write_name(r, name), &st, 0) == 0 ? (size_t)st.st_size : 0;
}

int hd_store_revision_find(int dir, uint32_t number, struct hd_revision *r)
{
    struct hd_revision v[HD_STORE_REVISIONS];
    size_t n = hd_store_revisions(dir, v, HD_STORE_REVISIONS);

    for (size_t i = 0; i < n; i++) {
        if (v[i].number == number) {
            *r = v[i];
            return 0;
        }
    }
    return HD_ENOENT;
}

int hd_store_revision_add(int dir, const char *how, uint32_t base, const char *text,
                          struct hd_revision *made)
{
    struct hd_revision v[HD_STORE_REVISIONS];
    size_t n = hd_store_revisions(dir, v, HD_STORE_REVISIONS);
    char name[NAME], *whole = NULL;
    int error;

    memset(made, 0, sizeof *made);
    made->number = n > 0 ? v[0].number + 1 : 1;
    made->lines = base > 0;
    snprintf(made->how, sizeof made->how, "%s", how);
    write_name(made, name);
    if (base == 0)
        return hd_store_write(dir, name, text, strlen(text));
    whole = lines_text(base, text);
    error = whole ? hd_store_write(dir, name, whole, strlen(whole)) : HD_ENOMEM;
    free(whole);
    return error;
}

int hd_store_revision_remove(int dir, const struct hd_revision *r)
{
    char name[NAME];

    return hd_store_remove(dir, write_name(r, name));
}

int hd_store_revision_rename(int dir, const struct hd_revision *r, const char *how)
{
    struct hd_revision to = *r;
    char from_name[NAME], to_name[NAME];

    snprintf(to.how, sizeof to.how, "%s", how);
    if (renameat(dir, write_name(r, from_name), dir, write_name(&to, to_name)) != 0)
        return HD_ESYS;
    return sync_folder(dir);
}

static int read_link(int dir, const char *link, struct hd_revision *r)
{
    char name[NAME];
    ssize_t n = readlinkat(dir, link, name, sizeof name - 1);

    if (n < 0)
        return errno == ENOENT ? HD_ENOENT : HD_ESYS;
    name[n] = '\0';
    return read_name(name, r) ? 0 : HD_EMALFORMED;
}

/* A folder that nobody has written to since there are revisions of lines has the one link. */
int hd_store_running(int dir, struct hd_revision *r)
{
    int error = read_link(dir, RUNNING, r);

    return error == HD_ENOENT ? read_link(dir, JSON, r) : error;
}

static int set_link(int dir, const char *link, const struct hd_revision *r)
{
    char name[NAME];

    unlinkat(dir, ".running.new", 0);
    if (symlinkat(write_name(r, name), dir, ".running.new") != 0 ||
        renameat(dir, ".running.new", dir, link) != 0)
        return HD_ESYS;
    return 0;
}

/* The link that counts comes first, and goes last: without it the other one would. */
int hd_store_run(int dir, const struct hd_revision *r)
{
    int error;

    if (!r) {
        error = hd_store_remove(dir, JSON);
        return error == 0 ? hd_store_remove(dir, RUNNING) : error;
    }
    error = set_link(dir, RUNNING, r);
    if (error == 0 && !r->lines)
        error = set_link(dir, JSON, r);
    return error == 0 ? sync_folder(dir) : error;
}

int hd_store_revision_settle(int dir, struct hd_revision *r, const char *json)
{
    struct hd_revision lines = *r, is;
    struct timespec times[2] = {{.tv_sec = r->unix_s}, {.tv_sec = r->unix_s}};
    char name[NAME];
    int error;

    r->lines = r->twice = false;
    lines.lines = true;
    error = hd_store_write(dir, write_name(r, name), json, strlen(json));
    if (error != 0)
        return error;
    if (r->unix_s > 0)
        (void)!utimensat(dir, name, times, 0); /* it is as old as what it was */
    if (hd_store_running(dir, &is) == 0 && is.number == r->number)
        error = hd_store_run(dir, r);
    return error == 0 ? hd_store_revision_remove(dir, &lines) : error;
}

/* --- what is kept --------------------------------------------------------------------------------
 */

/* Marks on what a revision stands, down to one that is JSON. */
static void keep_bases(int dir, const struct hd_revision *v, size_t n, size_t i, bool *keep)
{
    while (v[i].lines) {
        const char *lines;
        char *text = NULL;
        uint32_t base;
        bool good = hd_store_revision_read(dir, &v[i], &text) == 0 &&
                    hd_store_lines_open(text, &base, &lines) == 0 && base < v[i].number;
        free(text);
        size_t at = i;
        while (good && at < n && v[at].number != base)
            at++;
        if (!good || at == n)
            return;
        i = at;
        keep[i] = true;
    }
}

void hd_store_prune(int dir, uint32_t running)
{
    struct hd_revision v[HD_STORE_REVISIONS];
    bool keep[HD_STORE_REVISIONS] = {false};
    size_t n = hd_store_revisions(dir, v, HD_STORE_REVISIONS), kept = 0;

    for (size_t i = 0; i < n; i++) {
        bool never_ran = v[i].number > running && strcmp(v[i].how, "returned") != 0;
        bool is = v[i].number == running;
        bool one_of = is || (!never_ran && kept < HD_STORE_ROLLBACKS);
        kept += one_of && !is;
        keep[i] = keep[i] || one_of;
        if (one_of)
            keep_bases(dir, v, n, i, keep);
    }
    for (size_t i = 0; i < n; i++) {
        if (!keep[i])
            (void)!hd_store_revision_remove(dir, &v[i]); /* tried again next time */
    }
}

/* --- what waits for a confirmation ---------------------------------------------------------------
 */

int hd_store_pending(int dir, struct hd_unconfirmed *p)
{
    char *text;
    int error = hd_store_read(dir, PENDING, &text);

    memset(p, 0, sizeof *p);
    if (error != 0)
        return error;
    if (sscanf(text, "back-to %" SCNu32 " seconds %" SCNu32 " restarts %" SCNu32, &p->back_to,
               &p->seconds, &p->restarts) != 3)
        error = HD_EMALFORMED;
    free(text);
    return error;
}

int hd_store_pending_write(int dir, const struct hd_unconfirmed *p)
{
    char text[96];

    if (!p)
        return hd_store_remove(dir, PENDING);
    snprintf(text, sizeof text, "back-to %" PRIu32 " seconds %" PRIu32 " restarts %" PRIu32 "\n",
             p->back_to, p->seconds, p->restarts);
    return hd_store_write(dir, PENDING, text, strlen(text));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulation in a file. All of it lies in regions at fixed addresses (image.h) and points to
 * nothing outside but the scenario, the hooks and the threads, so a file is a header and the used
 * parts of the regions, and going on is reading them back to where they were.
 *
 * That holds for one and the same program only: the layout of every struct is part of the file. The
 * header carries a number over the program's own file, and another over the scenario; a state of
 * another build or network is refused. A file gets its name when it is complete and on the disk:
 * whoever is killed while saving leaves the file before it as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "sim/engine.h"

#define MAGIC       0x6d69732d656c6464ULL
#define VERSION     1
#define PIECE_BYTES ((size_t)256 << 20) /* of one write */
#define PATH_BYTES  4096

struct head {
    uint64_t magic, version;
    uint64_t program;  /* over the file of the program that wrote it */
    uint64_t scenario; /* over the network and its schedule */
    uint64_t sim_at;   /* address of the simulation's own struct */
    uint32_t slot, parts;
    uint64_t bytes[HD_SIM_PARTS_MAX];
    uint64_t extra_bytes;
    uint64_t sum; /* over all of the above */
};

static uint64_t sum_of(const struct head *h)
{
    return hd_hash64(VERSION, h, offsetof(struct head, sum));
}

/* 0 when the program's file cannot be read: then nothing can be saved. */
static uint64_t hash_program(void)
{
    uint8_t block[65536];
    uint64_t hash = VERSION;
    ssize_t got;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    while ((got = read(fd, block, sizeof block)) > 0)
        hash = hd_hash64(hash, block, (uint32_t)got);
    (void)close(fd);
    return got < 0 ? 0 : HD_MAX(hash, (uint64_t)1);
}

static uint64_t hash_scenario(const struct hd_scenario *sc)
{
    uint64_t hash = hd_scenario_hash(sc);
    for (uint32_t i = 0; i < sc->event_count; i++) {
        const struct hd_scenario_event *e = &sc->events[i];
        hash = hd_mix64(hash ^ (uint64_t)e->at_ns);
        hash = hd_mix64(hash ^ ((uint64_t)e->node << 32 | e->link));
        hash = hd_mix64(hash ^ ((uint64_t)e->action << 32 | e->fields));
    }
    for (uint32_t i = 0; i < sc->probe_count; i++) {
        const struct hd_scenario_probe *p = &sc->probes[i];
        hash = hd_mix64(hash ^ ((uint64_t)p->from << 32 | p->to));
        hash = hd_mix64(hash ^ (uint64_t)p->interval_ns);
    }
    return hash;
}

/* --- files ---------------------------------------------------------------------------------------
 */

static bool write_all(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    while (len > 0) {
        ssize_t done = write(fd, at, HD_MIN(len, PIECE_BYTES));
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        len -= (size_t)done;
    }
    return true;
}

static bool read_all(int fd, void *bytes, size_t len)
{
    uint8_t *at = bytes;
    while (len > 0) {
        ssize_t done = read(fd, at, HD_MIN(len, PIECE_BYTES));
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        len -= (size_t)done;
    }
    return true;
}

static int refuse(char *err, size_t errlen, int error, const char *dir, const char *why)
{
    snprintf(err, errlen, "%s: %s", dir, why);
    return error;
}

static int refuse_errno(char *err, size_t errlen, const char *dir, const char *what)
{
    snprintf(err, errlen, "%s: %s: %s", dir, what, strerror(errno));
    return HD_ESYS;
}

/* --- saving --------------------------------------------------------------------------------------
 */

static bool write_state(int fd, const struct hd_sim *s, const void *extra, size_t len)
{
    struct head h;
    memset(&h, 0, sizeof h); /* the sum covers what lies between members */
    h.magic = MAGIC;
    h.version = VERSION;
    h.program = hash_program();
    h.scenario = hash_scenario(s->sc);
    h.sim_at = (uint64_t)(uintptr_t)s;
    h.slot = s->image.slot;
    h.parts = s->image.parts;
    h.extra_bytes = len;
    for (unsigned i = 0; i < h.parts; i++)
        h.bytes[i] = hd_sim_image_used(&s->image, i);
    h.sum = sum_of(&h);
    if (h.program == 0 || !write_all(fd, &h, sizeof h) || !write_all(fd, extra, len))
        return false;
    for (unsigned i = 0; i < h.parts; i++) {
        if (!write_all(fd, hd_sim_image_at(h.slot, i), h.bytes[i]))
            return false;
    }
    return fsync(fd) == 0;
}

static void sync_folder(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

int hd_sim_save(const struct hd_sim *s, const char *dir, const void *extra, size_t len, char *err,
                size_t errlen)
{
    char path[PATH_BYTES], fresh[PATH_BYTES];
    if (s->o.own_regions)
        return refuse(err, errlen, HD_EUNSUPPORTED, dir, "routers in mappings of their own");
    if (s->group != NULL)
        return refuse(err, errlen, HD_EUNSUPPORTED, dir, "a simulation of several processes");
    if (snprintf(path, sizeof path, "%s/state", dir) >= PATH_BYTES - 8)
        return refuse(err, errlen, HD_EINVAL, dir, "the name is too long");
    (void)snprintf(fresh, sizeof fresh, "%.*s.new", PATH_BYTES - 8, path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return refuse_errno(err, errlen, dir, "cannot make a file there");
    bool written = write_state(fd, s, extra, len);
    int error = written ? 0 : refuse_errno(err, errlen, dir, "cannot write the state");
    if (close(fd) != 0 && error == 0)
        error = refuse_errno(err, errlen, dir, "cannot write the state");
    if (error == 0 && rename(fresh, path) != 0)
        error = refuse_errno(err, errlen, dir, "cannot name the state");
    if (error != 0)
        (void)unlink(fresh);
    else
        sync_folder(dir);
    return error;
}

/* --- going on ------------------------------------------------------------------------------------
 */

static int judge(const struct head *h, const struct stat *st, const struct hd_scenario *sc,
                 size_t extra, const char *dir, char *err, size_t errlen)
{
    uint64_t bytes = sizeof *h + h->extra_bytes;
    if (h->magic != MAGIC)
        return refuse(err, errlen, HD_EMALFORMED, dir, "this is no state of a simulation");
    if (h->version != VERSION || h->program != hash_program())
        return refuse(err, errlen, HD_EUNSUPPORTED, dir,
                      "another build of the program wrote this state: only the same one can go on");
    if (h->sum != sum_of(h) || h->parts > HD_SIM_PARTS_MAX || h->extra_bytes != extra)
        return refuse(err, errlen, HD_EMALFORMED, dir, "the state is damaged");
    for (unsigned i = 0; i < h->parts; i++)
        bytes += h->bytes[i];
    if (bytes != (uint64_t)st->st_size)
        return refuse(err, errlen, HD_EMALFORMED, dir, "the state is not complete");
    if (h->scenario != hash_scenario(sc))
        return refuse(err, errlen, HD_EINVAL, dir, "the state is of another network or schedule");
    return 0;
}

/* Pointers that lead out of the image. */
static struct hd_sim *reconnect(const struct head *h, const struct hd_scenario *sc,
                                const struct hd_sim_options *o)
{
    struct hd_sim *s = (struct hd_sim *)(uintptr_t)h->sim_at; // NOLINT: the image is in place
    s->sc = sc;
    s->o.config = o->config;
    s->o.config_user = o->config_user;
    s->o.hooks = o->hooks;
    s->o.log_level = o->log_level;
    s->crew = NULL;
    windows_crew(s);
    return s;
}

static int read_state(int fd, struct hd_sim **s, const char *dir, const struct hd_scenario *sc,
                      const struct hd_sim_options *o, void *extra, size_t len, char *err,
                      size_t errlen)
{
    struct head h;
    struct stat st;
    struct hd_sim_image image;
    if (fstat(fd, &st) != 0 || !read_all(fd, &h, sizeof h))
        return refuse(err, errlen, HD_EMALFORMED, dir, "this is no state of a simulation");
    int error = judge(&h, &st, sc, len, dir, err, errlen);
    if (error != 0)
        return error;
    if (hd_sim_image_make_at(&image, h.slot, h.parts) != 0)
        return refuse(err, errlen, HD_EEXIST, dir, "its place in memory is taken");
    bool read = read_all(fd, extra, len);
    for (unsigned i = 0; i < h.parts && read; i++)
        read = read_all(fd, hd_sim_image_at(h.slot, i), h.bytes[i]);
    if (!read) {
        hd_sim_image_free(&image);
        return refuse(err, errlen, HD_ESYS, dir, "the state cannot be read");
    }
    *s = reconnect(&h, sc, o);
    return 0;
}

int hd_sim_resume(struct hd_sim **s, const char *dir, const struct hd_scenario *sc,
                  const struct hd_sim_options *o, void *extra, size_t len, char *err, size_t errlen)
{
    char path[PATH_BYTES];
    *s = NULL;
    if (snprintf(path, sizeof path, "%s/state", dir) >= PATH_BYTES)
        return refuse(err, errlen, HD_EINVAL, dir, "the name is too long");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return refuse_errno(err, errlen, dir, "cannot open its state");
    int error = read_state(fd, s, dir, sc, o, extra, len, err, errlen);
    (void)close(fd);
    return error;
}

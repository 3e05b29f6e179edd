/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Death at every step: whatever touches the disk or the channel is a step (calls of the C library,
 * wrapped by the linker), and for each step of each story a process runs the story and dies there.
 * Then what manage would ask for is asked of a fresh process, which dies at one of its steps, too,
 * and once more of one that lives. The test is the router meanwhile. In the end disk and router
 * say the same, and it is what was before or what was to be, whole; after an unconfirmed change,
 * what was before.
 */
#include "support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/session.h"
#include "core/sample/sample.h"
#include "router/router.h"

#define DIED   77
#define STEPS  64      /* more than any story has */
#define OUTPUT "shown" /* what a process that lived found in force */
#define OTHERS                                                                                     \
    "set /sample/object=3\nset /sample/object=4\nset /sample/object=5\nset /sample/object=6\n"     \
    "set /sample/object=7\nset /sample/object=8\nset /sample/object=9\n" /* a change is a delta */
#define OLD "set /sample/hello-interval 500\nset /sample/object=1/weight 2\n" OTHERS
#define FURTHER                                                                                    \
    "set /sample/hello-interval 500\nset /sample/object=1/weight 9\n"                              \
    "set /sample/object=2/weight 10\n" OTHERS
#define WEIGHTS                                                                                    \
    "set /sample/hello-interval 500\nset /sample/object=1/weight 7\n"                              \
    "set /sample/object=2/weight 8\n" OTHERS
#define NEW                                                                                        \
    "set /sample/hello-interval 500\nset /sample/object=1/weight 3\nset /sample/object=2\n" OTHERS

static unsigned steps_left; /* 0: nobody dies */

static void step(void)
{
    if (steps_left > 0 && --steps_left == 0)
        _exit(DIED);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    step();
    return 0; /* what was written is read by the same kernel: the disk's pace is not the matter */
}
ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    step();
    if (steps_left == 1) /* the next one is the last: it leaves half of what it should write */
        (void)!__real_write(fd, bytes, len / 2);
    step();
    return __real_write(fd, bytes, len);
}
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    step();
    return __real_renameat(from_dir, from, to_dir, to);
}
int __real_symlinkat(const char *target, int dir, const char *name);
int __wrap_symlinkat(const char *target, int dir, const char *name);
int __wrap_symlinkat(const char *target, int dir, const char *name)
{
    step();
    return __real_symlinkat(target, dir, name);
}
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags)
{
    step();
    return __real_unlinkat(dir, name, flags);
}
ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
    step();
    return __real_sendmsg(fd, m, flags);
}

/* --- the router ----------------------------------------------------------------------------------
 */

struct part {
    bool named, run, delta;
    size_t len;
    uint64_t base, digest;
    _Alignas(8) uint8_t bytes[4096];
};

struct played {
    struct part has[HD_CORE_COUNT], coming[HD_CORE_COUNT];
};

static struct played router;
static unsigned deltas; /* that it took */
static uint8_t buffer[HD_CHANNEL_MAX];

static void take_part(const struct hd_message *m)
{
    const struct hd_msg_config_part *p = m->body;
    struct part *to = p->core < HD_CORE_COUNT ? &router.coming[p->core] : NULL;

    if (!to)
        return;
    assert_true(p->offset + m->tail_len <= sizeof to->bytes);
    to->named = true;
    to->run = p->how != HD_CONFIG_STOP;
    to->delta = p->how == HD_CONFIG_DELTA;
    to->base = p->base;
    to->digest = p->becomes;
    to->len = p->total;
    if (m->tail_len > 0)
        memcpy(to->bytes + p->offset, m->tail, m->tail_len);
}

/* As the router does (daemon/router_delta.c): what does not stand on what is there is stale. */
static bool is_stale(unsigned core)
{
    const struct part *has = &router.has[core], *p = &router.coming[core];
    const struct hd_config *c = hd_config_of((uint8_t)core);
    struct hd_config_delta d;

    assert_int_equal(hd_config_delta_read(p->bytes, p->len, &d), 0);
    return !has->run || has->digest != p->base ||
           !hd_config_delta_suits(c, has->bytes, has->len, &d);
}

static void take_delta(unsigned core)
{
    struct part *has = &router.has[core];
    const struct hd_config *c = hd_config_of((uint8_t)core);
    struct hd_config_delta d;

    assert_int_equal(hd_config_delta_read(router.coming[core].bytes, router.coming[core].len, &d),
                     0);
    has->len = hd_config_delta_apply(c, has->bytes, has->len, &d);
    has->digest = router.coming[core].digest;
    assert_int_equal(hd_config_digest(c, has->bytes), has->digest);
    deltas++;
}

static void take_end(int fd, const struct hd_msg_config_end *e)
{
    struct hd_msg_config_done done = {.id = e->id};

    for (unsigned i = 0; i < HD_CORE_COUNT; i++) {
        if (router.coming[i].named && router.coming[i].delta && is_stale(i)) {
            done.stale = 1;
            done.error = HD_EMALFORMED;
        }
    }
    for (unsigned i = 0; i < HD_CORE_COUNT && done.error == 0; i++) {
        if (router.coming[i].named && router.coming[i].delta)
            take_delta(i);
        else if (router.coming[i].named)
            router.has[i] = router.coming[i];
    }
    (void)!hd_channel_send_wait(fd, HD_MSG_CONFIG_DONE, &done, NULL, 0, 1000);
}

/* Answers a process until it ends. */
static void play(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct hd_message m;
    int got;

    memset(router.coming, 0, sizeof router.coming);
    while ((got = hd_channel_receive(fd, buffer, sizeof buffer, &m)) != HD_ENOENT) {
        if (got == 0 && poll(&p, 1, 20000) == 0)
            fail_msg("a process hangs");
        if (got != 1)
            continue;
        if (m.type == HD_MSG_CONFIG_BEGIN)
            memset(router.coming, 0, sizeof router.coming);
        else if (m.type == HD_MSG_CONFIG_PART)
            take_part(&m);
        else if (m.type == HD_MSG_CONFIG_END)
            take_end(fd, m.body);
        hd_message_close(&m);
    }
}

/* --- processes -----------------------------------------------------------------------------------
 */

static struct hd_session fresh; /* as heddle-config begins */
static char folder[] = "/tmp/config-steps.XXXXXX";

typedef void (*story)(struct hd_session *s);

/* Runs it in a process that dies at this step (0: lives); whether it died. */
static bool run(story tell, unsigned at)
{
    int ends[2], status;
    pid_t pid;

    assert_int_equal(hd_channel_pair(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        fresh.channel = ends[1];
        steps_left = at;
        tell(&fresh);
        _exit(0);
    }
    close(ends[1]);
    play(ends[0]);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != DIED))
        fail_msg("a story ended with %x", status);
    return WEXITSTATUS(status) == DIED;
}

static void must(int error, const struct hd_fault *f)
{
    if (error != 0) {
        fprintf(stderr, "%s: %s\n", f->path, f->message);
        _exit(1);
    }
}

static void set_lines(struct hd_session *s, const char *lines)
{
    struct lyd_node *t = NULL;
    struct hd_fault f;

    must(hd_tree_lines(&s->schema, &t, lines, &f), &f);
    must(hd_session_replace(s, t, &f), &f);
}

static void apply(struct hd_session *s, uint32_t confirm_s)
{
    struct hd_applied a;
    struct hd_fault f;

    must(hd_session_candidate(s, &f), &f);
    must(hd_apply(s, &s->candidate, "apply", confirm_s, &a, &f), &f);
    must(hd_session_discard(s, &f), &f);
}

static void begin(struct hd_session *s)
{
    set_lines(s, OLD);
    apply(s, 0);
}

static void edit_new(struct hd_session *s)
{
    set_lines(s, NEW);
}

static void edit_further(struct hd_session *s)
{
    struct hd_fault f;

    must(hd_session_line(s, "set /sample/object=1/weight 3", &f), &f);
    must(hd_session_line(s, "set /sample/object=2", &f), &f);
}

static void apply_now(struct hd_session *s)
{
    apply(s, 0);
}

static void apply_unconfirmed(struct hd_session *s)
{
    apply(s, 60);
}

static void confirm(struct hd_session *s)
{
    struct hd_fault f;

    must(hd_apply_confirm(s, &f), &f);
}

static void take_back(struct hd_session *s)
{
    struct hd_fault f;
    int error = hd_apply_return(s, &f);

    if (error != 0 && strcmp(f.code, "nothing") != 0)
        must(error, &f);
}

static void rollback(struct hd_session *s)
{
    struct hd_revision v[HD_STORE_REVISIONS];
    size_t n = hd_store_revisions(s->dir, v, HD_STORE_REVISIONS);
    struct lyd_node *t = NULL;
    struct hd_applied a;
    struct hd_fault f;
    char *text = NULL;

    must(n < 2, &f);
    must(hd_store_revision_read(s->dir, &v[n - 1], &text), &f);
    must(hd_tree_read(&s->schema, text, &t, &f), &f);
    must(hd_apply(s, &t, "rollback", 0, &a, &f), &f);
}

static void settle(struct hd_session *s)
{
    struct hd_fault f;

    must(hd_session_running(s, &f), &f);
    if (hd_session_rest(s) != 0 && !hd_revision_settled(s))
        _exit(1);
}

/* What manage asks for after a death (manage/config.c, mend). */
static void mend(struct hd_session *s)
{
    struct hd_fault f;

    must(hd_apply_boot(s, &f), &f);
    must(hd_apply_push(s, &f), &f);
}

static void mend_unconfirmed(struct hd_session *s)
{
    take_back(s);
    mend(s);
}

static void show(struct hd_session *s)
{
    struct hd_text t = {0};
    struct hd_fault f;

    must(hd_session_running(s, &f), &f);
    hd_tree_print_lines(&s->schema, s->running, &t);
    must(hd_store_write(s->dir, OUTPUT, t.v, t.len), &f);
    must(hd_session_candidate(s, &f), &f); /* whatever was left of it can be read */
}

/* --- checks --------------------------------------------------------------------------------------
 */

static void clear_folder(void)
{
    DIR *d = opendir(folder);
    struct dirent *e;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void)!__real_unlinkat(fresh.dir, e->d_name, 0);
    }
    closedir(d);
    memset(&router, 0, sizeof router);
}

static bool router_has(const char *lines)
{
    struct hd_image i;
    struct lyd_node *t = NULL;
    struct hd_fault f;
    bool same = true;

    assert_int_equal(hd_tree_lines(&fresh.schema, &t, lines, &f), 0);
    assert_int_equal(hd_tree_check(&fresh.schema, &t, &f), 0);
    assert_int_equal(hd_image_make(&fresh.schema, t, &i, &f), 0);
    for (size_t k = 0; hd_config_at(k); k++) {
        const struct part *p = &router.has[hd_config_at(k)->core];
        const struct hd_image_part *want = &i.part[k];
        same = same && p->run == want->present &&
               (!p->run || (p->len == want->len && memcmp(p->bytes, want->bytes, p->len) == 0));
    }
    hd_image_free(&i);
    lyd_free_all(t);
    return same;
}

/* In whatever order the entries of a list stand. */
static bool same_lines(const char *a, const char *b)
{
    struct hd_text was = {0}, is = {0}, diff = {0};
    bool same;

    hd_text_printf(&was, "%s", a);
    hd_text_printf(&is, "%s", b);
    assert_int_equal(hd_lines_diff(&was, &is, &diff), 0);
    same = diff.len == 0;
    hd_text_free(&was);
    hd_text_free(&is);
    hd_text_free(&diff);
    return same;
}

/* Which of the two is in force, on the disk and in the router; -1: neither, or not the same. */
static int in_force(const char *before, const char *after)
{
    char *text = NULL;
    int found = -1;

    assert_false(run(show, 0));
    assert_int_equal(hd_store_read(fresh.dir, OUTPUT, &text), 0);
    if (same_lines(text, before) && router_has(before))
        found = 0;
    else if (same_lines(text, after) && router_has(after))
        found = 1;
    if (found < 0)
        print_message("on the disk:\n%s", text);
    free(text);
    return found;
}

struct tale {
    const char *name;
    story prepare[3];
    story tell, repair;
    const char *before, *after;
    bool returns;    /* a death means that it was not confirmed */
    unsigned stride; /* only each so-manieth step; 0: all */
    bool lines;      /* every configuration is large: revisions are lines where they can be */
};

/* In which it dies at this step, and the repair at that one; whether it got that far. */
static bool die_at(const struct tale *t, unsigned at, unsigned repair_at)
{
    bool died;
    int found;

    clear_folder();
    fresh.whole_below = t->lines ? 0 : SIZE_MAX;
    assert_false(run(begin, 0));
    assert_false(run(mend, 0)); /* the router knows all of it */
    for (size_t i = 0; i < HD_ARRAY_LEN(t->prepare) && t->prepare[i]; i++)
        assert_false(run(t->prepare[i], 0));
    died = run(t->tell, at);
    if (died && repair_at > 0)
        (void)!run(t->repair, repair_at);
    if (died)
        assert_false(run(t->repair, 0));
    found = in_force(t->before, t->after);
    if (found < 0 || (died && t->returns && found != 0) || (!died && found != 1))
        fail_msg("%s, death at step %u, of the repair at %u: %d is in force", t->name, at,
                 repair_at, found);
    return died;
}

static void each_step(const struct tale *t)
{
    unsigned at = 1;

    while (at < STEPS && die_at(t, at, 0)) {
        if (at % 3 == 0) /* and the repair somewhere */
            die_at(t, at, 1 + at % 7);
        at += t->stride > 0 ? t->stride : 1;
    }
    print_message("%s: %u steps, %u deltas up to here\n", t->name, at - 1, deltas);
    assert_true(deltas > 0);
    assert_in_range(at, 4, STEPS - 1);
}

static void an_apply(void **state)
{
    static const struct tale t = {.name = "apply",
                                  .prepare = {edit_new},
                                  .tell = apply_now,
                                  .repair = mend,
                                  .before = OLD,
                                  .after = NEW};

    each_step(&t);
}

static void an_unconfirmed_apply(void **state)
{
    static const struct tale t = {.name = "apply --confirm",
                                  .prepare = {edit_new},
                                  .tell = apply_unconfirmed,
                                  .repair = mend_unconfirmed,
                                  .before = OLD,
                                  .after = NEW,
                                  .returns = true};

    each_step(&t);
}

static void a_confirmation(void **state)
{
    static const struct tale t = {.name = "confirm",
                                  .prepare = {edit_new, apply_unconfirmed},
                                  .tell = confirm,
                                  .repair = mend,
                                  .before = OLD,
                                  .after = NEW};

    for (unsigned at = 1; die_at(&t, at, 0); at++)
        die_at(&t, at, at);
}

static void a_return(void **state)
{
    static const struct tale t = {.name = "return",
                                  .prepare = {edit_new, apply_unconfirmed},
                                  .tell = take_back,
                                  .repair = mend_unconfirmed,
                                  .before = NEW,
                                  .after = OLD};

    each_step(&t);
    /* whoever dies in it: it ends as what was before the change */
    die_at(&t, 3, 0);
    assert_int_equal(in_force(NEW, OLD), 1);
}

static void a_rollback(void **state)
{
    static const struct tale t = {.name = "rollback",
                                  .prepare = {edit_new, apply_now},
                                  .tell = rollback,
                                  .repair = mend,
                                  .before = NEW,
                                  .after = OLD};

    each_step(&t);
}

/* --- revisions that are lines --------------------------------------------------------------------
 */

static unsigned revisions_of_lines(void)
{
    struct hd_revision v[HD_STORE_REVISIONS];
    size_t n = hd_store_revisions(fresh.dir, v, HD_STORE_REVISIONS);
    unsigned lines = 0;

    for (size_t i = 0; i < n; i++)
        lines += v[i].lines;
    return lines;
}

static void edit_weight(struct hd_session *s)
{
    struct hd_fault f;

    must(hd_session_line(s, "set /sample/object=1/weight 7", &f), &f);
    must(hd_session_line(s, "set /sample/object=2/weight 8", &f), &f);
}

static void edit_more(struct hd_session *s)
{
    struct hd_fault f;

    must(hd_session_line(s, "set /sample/object=1/weight 9", &f), &f);
    must(hd_session_line(s, "set /sample/object=2/weight 10", &f), &f);
}

static void apply_weight(struct hd_session *s)
{
    edit_weight(s);
    apply(s, 0);
}

static void apply_more(struct hd_session *s)
{
    edit_more(s);
    apply(s, 0);
}

static void applies_of_lines(void **state)
{
    static const struct tale tales[] = {
        {.name = "lines",
         .prepare = {edit_further},
         .tell = apply_now,
         .repair = mend,
         .before = OLD,
         .after = NEW,
         .lines = true},
        {.name = "lines --confirm",
         .prepare = {edit_further},
         .tell = apply_unconfirmed,
         .repair = mend_unconfirmed,
         .before = OLD,
         .after = NEW,
         .returns = true,
         .lines = true},
        {.name = "lines, return",
         .prepare = {edit_further, apply_unconfirmed},
         .tell = take_back,
         .repair = mend_unconfirmed,
         .before = NEW,
         .after = OLD,
         .lines = true,
         .stride = 3},
        {.name = "lines on lines, rollback",
         .prepare = {edit_further, apply_now, apply_weight},
         .tell = rollback,
         .repair = mend,
         .before = WEIGHTS,
         .after = OLD,
         .lines = true,
         .stride = 3},
        {.name = "lines on lines",
         .prepare = {edit_further, apply_now, apply_weight},
         .tell = apply_more,
         .repair = mend,
         .before = WEIGHTS,
         .after = FURTHER,
         .lines = true,
         .stride = 3},
    };

    for (size_t i = 0; i < HD_ARRAY_LEN(tales); i++) {
        each_step(&tales[i]);
        assert_true(revisions_of_lines() > 0);
    }
}

/* A death while lines become JSON leaves the one or the other, and the next rest goes on. */
static void settling(void **state)
{
    static const struct tale t = {.name = "settling",
                                  .prepare = {edit_further, apply_now, apply_weight},
                                  .tell = settle,
                                  .repair = settle,
                                  .before = OLD,
                                  .after = WEIGHTS,
                                  .lines = true};
    struct hd_revision r;

    for (unsigned at = 1; at < STEPS; at++) {
        bool died = die_at(&t, at, 1 + at % 5);
        assert_int_equal(hd_store_running(fresh.dir, &r), 0);
        assert_false(r.lines);
        assert_int_equal(revisions_of_lines(), 1); /* of the one before */
        assert_false(run(rollback, 0));
        assert_int_equal(in_force(OLD, OLD), 0);
        if (!died)
            return;
    }
    fail();
}

/* What the disk lost of a file is not less of a configuration, it is none. */
static void torn_lines(void **state)
{
    char name[] = "r000002-apply.lines", *text = NULL;
    struct lyd_node *t = NULL;
    struct hd_revision r;
    struct hd_fault f;

    clear_folder();
    fresh.whole_below = 0;
    assert_false(run(begin, 0));
    assert_false(run(edit_further, 0));
    assert_false(run(apply_now, 0));
    assert_int_equal(hd_store_running(fresh.dir, &r), 0);
    assert_true(r.lines);
    assert_int_equal(hd_revision_read(&fresh, &r, &t, &f), 0);
    lyd_free_all(t);
    assert_int_equal(hd_store_read(fresh.dir, name, &text), 0);
    for (size_t len = strlen(text); len-- > 0;) {
        assert_int_equal(hd_store_write(fresh.dir, name, text, len), 0);
        assert_int_equal(hd_revision_read(&fresh, &r, &t, &f), HD_EINVAL);
        assert_null(t);
        assert_string_equal(f.code, "damaged");
    }
    free(text);
}

static void churn(struct hd_session *s)
{
    char line[80];
    struct hd_fault f;

    for (unsigned i = 0; i < 70; i++) {
        snprintf(line, sizeof line, "set /sample/object=3/weight %u", 100 + i);
        must(hd_session_line(s, line, &f), &f);
        apply(s, 0);
    }
}

/* However many changes: 50 can be gone back to, and nothing is kept but what they stand on. */
static void fifty_stay(void **state)
{
    struct hd_revision v[HD_STORE_REVISIONS], is;
    unsigned back = 0;

    clear_folder();
    fresh.whole_below = 0;
    assert_false(run(begin, 0));
    assert_false(run(churn, 0));
    size_t n = hd_store_revisions(fresh.dir, v, HD_STORE_REVISIONS);
    assert_in_range(n, HD_STORE_ROLLBACKS + 1, HD_STORE_ROLLBACKS + 17);
    assert_true(revisions_of_lines() > 40);
    assert_int_equal(hd_store_running(fresh.dir, &is), 0);
    for (size_t i = 0; i < n; i++) {
        struct lyd_node *t = NULL;
        struct hd_fault f;
        char want[80];
        back += hd_store_is_rollback(&v[i], is.number);
        must(hd_revision_read(&fresh, &v[i], &t, &f), &f);
        if (v[i].number > 1) {
            struct hd_text text = {0};
            hd_tree_print_lines(&fresh.schema, t, &text);
            snprintf(want, sizeof want, "object=3/weight %u\n", 98 + v[i].number);
            assert_non_null(strstr(text.v, want));
            hd_text_free(&text);
        }
        lyd_free_all(t);
    }
    assert_true(back >= HD_STORE_ROLLBACKS);
}

/* Edits change nothing that is in force; what is left of them is a beginning of them. */
static void edits(void **state)
{
    static const struct tale t = {
        .name = "edits", .tell = edit_further, .repair = mend, .before = OLD, .after = OLD};

    for (unsigned at = 1; at < STEPS; at++) {
        clear_folder();
        assert_false(run(begin, 0));
        assert_false(run(mend, 0));
        if (!run(t.tell, at))
            return;
        assert_false(run(t.repair, 0));
        assert_int_equal(in_force(OLD, OLD), 0);
    }
    fail();
}

static int open_all(void **state)
{
    struct hd_fault f;

    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        return -1;
    return hd_session_open(&fresh, open(folder, O_RDONLY | O_DIRECTORY), -1, "", &f);
}

static int close_all(void **state)
{
    clear_folder();
    rmdir(folder);
    hd_session_close(&fresh);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_apply),         cmocka_unit_test(an_unconfirmed_apply),
        cmocka_unit_test(a_confirmation),   cmocka_unit_test(a_return),
        cmocka_unit_test(a_rollback),       cmocka_unit_test(edits),
        cmocka_unit_test(applies_of_lines), cmocka_unit_test(settling),
        cmocka_unit_test(torn_lines),       cmocka_unit_test(fifty_stay),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket as its clients see it: pages, commands, events, and everything done wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "daemon/channel.h"
#include "lib/base.h"
#include "manage/internal.h"

static struct bench bench;

/* By how much the clock of the bench's processes is ahead: patience is half a minute. */
static int64_t *ahead_s;

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    int error = __real_clock_gettime(clock, t);

    if (ahead_s)
        t->tv_sec += __atomic_load_n(ahead_s, __ATOMIC_RELAXED);
    return error;
}

static void pass_seconds(int64_t n)
{
    __atomic_fetch_add(ahead_s, n, __ATOMIC_RELAXED);
}

struct line {
    int fd;
    char *buf;
    size_t at, len, cap;
};

static struct line dial(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 20};
    struct line l = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .cap = 4096};

    l.buf = malloc(l.cap);
    strcpy(a.sun_path, bench.path);
    assert_int_equal(connect(l.fd, (struct sockaddr *)&a, sizeof a), 0);
    setsockopt(l.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return l;
}

static void hang_up(struct line *l)
{
    close(l->fd);
    free(l->buf);
}

static void say(const struct line *l, const char *text)
{
    assert_int_equal(send(l->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* More bytes behind what is there already: false when the connection is over. */
static bool fill(struct line *l)
{
    ssize_t n;

    memmove(l->buf, l->buf + l->at, l->len - l->at);
    l->len -= l->at;
    l->at = 0;
    if (l->len == l->cap) {
        l->cap = l->cap * 2;
        l->buf = realloc(l->buf, l->cap);
    }
    n = recv(l->fd, l->buf + l->len, l->cap - l->len, 0);
    l->len += n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* The next answer, NULL when the connection is over. */
static json_t *hear(struct line *l)
{
    json_error_t e;
    json_t *o;
    char *end;
    size_t n;

    while ((end = memchr(l->buf + l->at, '\n', l->len - l->at)) == NULL) {
        if (!fill(l))
            return NULL;
    }
    n = (size_t)(end - l->buf) - l->at;
    o = json_loadb(l->buf + l->at, n, JSON_REJECT_DUPLICATES, &e);
    if (!o)
        fail_msg("%s in %.*s", e.text, (int)n, l->buf + l->at);
    l->at += n + 1;
    return o;
}

static const char *text(const json_t *o, const char *key)
{
    const char *t = json_string_value(json_object_get(o, key));

    return t ? t : "(none)";
}

/* One request, one answer with this error code. */
static void expect_error(struct line *l, const char *request, const char *code, const char *path)
{
    json_t *o, *e;

    say(l, request);
    o = hear(l);
    assert_non_null(o);
    e = json_object_get(o, "error");
    if (!e)
        fail_msg("no error for %s", request);
    assert_string_equal(text(e, "code"), code);
    if (path)
        assert_string_equal(text(e, "path"), path);
    assert_true(strlen(text(e, "message")) > 5);
    json_decref(o);
}

static int start(void **state)
{
    (void)state;
    ahead_s =
        mmap(NULL, sizeof *ahead_s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ahead_s == MAP_FAILED)
        return -1;
    bench_start(&bench);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bench_stop(&bench);
    munmap(ahead_s, sizeof *ahead_s);
    return 0;
}

static size_t walk(struct line *l, const char *request, size_t *pages, json_t **columns)
{
    char line[256];
    size_t n = 0;

    snprintf(line, sizeof line, "{\"command\":%s}\n", request);
    *pages = 0;
    for (;;) {
        json_t *page, *rows, *first;
        say(l, line);
        page = hear(l);
        assert_non_null(page);
        rows = json_object_get(page, "rows");
        assert_true(json_is_array(rows));
        first = json_array_get(rows, 0);
        if (first && json_is_object(first)) {
            char id[HD_ID_TEXT];
            snprintf(id, sizeof id, "101100000000000000000000%04zx", n);
            assert_string_equal(text(first, "id"), id);
        }
        if (*pages == 0 && columns)
            *columns = json_incref(json_object_get(page, "columns"));
        else if (*pages > 0)
            assert_null(json_object_get(page, "columns"));
        n += json_array_size(rows);
        (*pages)++;
        if (!json_is_true(json_object_get(page, "more"))) {
            assert_null(json_object_get(page, "cursor"));
            json_decref(page);
            return n;
        }
        snprintf(line, sizeof line, "{\"command\":%s,\"cursor\":\"%s\"}\n", request,
                 text(page, "cursor"));
        json_decref(page);
    }
}

static void lists_come_in_pages(void **state)
{
    struct line l = dial();
    json_t *columns = NULL;
    size_t pages;

    (void)state;
    assert_int_equal(walk(&l, "\"contacts\",\"max\":50", &pages, NULL), BENCH_CONTACTS);
    assert_int_equal(pages, 20);
    assert_int_equal(walk(&l, "\"contacts\",\"format\":\"text\"", &pages, &columns),
                     BENCH_CONTACTS);
    assert_string_equal(text(json_array_get(columns, 0), "heading"), "ID");
    assert_true(json_is_false(json_object_get(json_array_get(columns, 0), "right")));
    json_decref(columns);
    assert_int_equal(walk(&l, "\"adjacencies\"", &pages, NULL), 0);
    assert_int_equal(pages, 1);
    /* Two sources, one list: 2 counters of KIRA, 1 of the driver. */
    assert_int_equal(walk(&l, "\"counters\",\"format\":\"text\"", &pages, NULL), 3);
    hang_up(&l);
}

static void cursors_are_ours_alone(void **state)
{
    struct line l = dial();
    json_t *page;
    char line[128];

    (void)state;
    expect_error(&l, "{\"command\":\"contacts\",\"cursor\":\"0\"}\n", "cursor", "cursor");
    say(&l, "{\"command\":\"contacts\"}\n");
    page = hear(&l);
    expect_error(&l, "{\"command\":\"contacts\",\"cursor\":\"999\"}\n", "cursor", "cursor");
    snprintf(line, sizeof line, "{\"command\":\"contacts\",\"cursor\":\"%s\"}\n",
             text(page, "cursor"));
    json_decref(page);
    say(&l, line);
    page = hear(&l);
    assert_non_null(json_object_get(page, "rows"));
    json_decref(page);
    expect_error(&l, line, "cursor", "cursor"); /* used up */
    hang_up(&l);
}

static void status_is_composed(void **state)
{
    struct line l = dial();
    json_t *o, *s, *left, *foreign;

    (void)state;
    say(&l, "{\"command\":\"status\"}\n");
    o = hear(&l);
    s = json_array_get(json_object_get(o, "rows"), 0);
    assert_string_equal(text(s, "state"), "joined");
    assert_string_equal(text(s, "node-id"), "1011000000000000000000000001");
    assert_string_equal(text(s, "address"), "fc00:1011::1");
    assert_true(json_is_true(json_object_get(s, "open")));
    assert_int_equal(json_integer_value(json_object_get(s, "neighbours")), 2);
    assert_int_equal(json_integer_value(json_object_get(s, "contacts")), BENCH_CONTACTS);
    assert_string_equal(text(json_object_get(s, "daemon"), "backend"), "ebpf");
    assert_int_equal(json_array_size(json_object_get(s, "processes")), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(s, "interfaces"), 0)),
                        "eth1");
    left = json_array_get(json_object_get(s, "left-out"), 0);
    assert_string_equal(text(left, "name"), "eth0");
    assert_string_equal(text(left, "why"), "carries the default route");
    assert_string_equal(text(left, "include-with"), "--interface eth0");
    assert_int_equal(json_array_size(json_object_get(s, "foreign")), 2);
    foreign = json_array_get(json_object_get(s, "foreign"), 0);
    assert_string_equal(text(foreign, "kind"), "address");
    assert_string_equal(text(foreign, "prefix"), "fc00:5::1/64");
    assert_string_equal(text(foreign, "interface"), "eth0");
    json_decref(o);
    hang_up(&l);
}

static void metrics_are_whole(void **state)
{
    struct line l = dial();
    const char *t;
    json_t *o;

    (void)state;
    say(&l, "{\"command\":\"metrics\"}\n");
    o = hear(&l);
    t = text(o, "text");
    assert_non_null(strstr(t, "\nheddle_kira_contacts 1000\n"));
    assert_non_null(strstr(t, "\nheddle_kira_counters_rx_hello_total 7\n"));
    assert_non_null(strstr(t, "\nheddle_daemon_counters_policed_total 3\n"));
    assert_non_null(strstr(t, "heddle_daemon_sockets_received_total{name=\"udp 19219\"} 5\n"));
    assert_string_equal(t + strlen(t) - 6, "# EOF\n");
    json_decref(o);
    hang_up(&l);
}

static void bad_rows_end_in_errors(void **state)
{
    struct line l = dial();

    (void)state;
    expect_error(&l, "{\"command\":\"forwarding\"}\n", "internal", NULL);
    expect_error(&l, "{\"command\":\"labels\"}\n", "internal", NULL);
    expect_error(&l, "{\"command\":\"ping\",\"args\":{\"node\":\"0bad\"}}\n", "internal", NULL);
    expect_error(&l,
                 "{\"command\":\"show\",\"args\":{\"core\":\"sample\",\"list\":\"neighbours\"}}\n",
                 "not-running", NULL);
    hang_up(&l);
}

static void commands_stream_replies(void **state)
{
    struct line l = dial();
    bool more = true;
    size_t n = 0;

    (void)state;
    say(&l, "{\"command\":\"ping\",\"args\":{\"node\":\"fc00:12ab:3\",\"count\":5}}\n");
    while (more) {
        json_t *page = hear(&l), *row;
        row = json_array_get(json_object_get(page, "rows"), 0);
        assert_int_equal(json_integer_value(json_object_get(row, "number")), ++n);
        assert_int_equal(json_integer_value(json_object_get(row, "hops")), 5); /* nibbles */
        more = json_is_true(json_object_get(page, "more"));
        json_decref(page);
    }
    assert_int_equal(n, 5);
    expect_error(&l, "{\"command\":\"ping\",\"args\":{\"node\":\"ee\"}}\n", "unknown-node",
                 "args/node");
    expect_error(&l, "{\"command\":\"path\",\"args\":{\"node\":\"dd\"}}\n", "ambiguous",
                 "args/node");
    expect_error(&l, "{\"command\":\"ping\"}\n", "missing", "args/node");
    expect_error(&l, "{\"command\":\"ping\",\"args\":{\"node\":\"xyz\"}}\n", "invalid",
                 "args/node");
    expect_error(&l, "{\"command\":\"ping\",\"args\":{\"node\":\"2001:db8::1\"}}\n", "invalid",
                 "args/node");
    expect_error(&l, "{\"command\":\"ping\",\"args\":{\"node\":\"12\",\"count\":0}}\n", "invalid",
                 "args/count");
    expect_error(&l, "{\"command\":\"ping\",\"args\":{\"node\":\"12\",\"count\":1.5}}\n", "invalid",
                 "args/count");
    hang_up(&l);
}

static void garbage_is_answered(void **state)
{
    static const char *const malformed[] = {"x\n",
                                            "{\n",
                                            "[]\n",
                                            "\"a\"\n",
                                            "{\"command\":\"status\",\"command\":\"down\"}\n",
                                            "{\"command\":\"a\\u0000b\"}\n",
                                            "\xff\xfe\n",
                                            "{} {}\n"};
    struct line l = dial();
    char deep[4001];

    (void)state;
    for (size_t i = 0; i < HD_ARRAY_LEN(malformed); i++)
        expect_error(&l, malformed[i], "malformed", NULL);
    memset(deep, '[', sizeof deep - 2);
    deep[sizeof deep - 2] = '\n';
    deep[sizeof deep - 1] = '\0';
    expect_error(&l, deep, "malformed", NULL);
    expect_error(&l, "{}\n", "unknown-command", "command");
    expect_error(&l, "{\"command\":7}\n", "unknown-command", "command");
    expect_error(&l, "{\"command\":\"contacts\",\"max\":0}\n", "invalid", NULL);
    say(&l, "\n\n{\"command\":\"help\"}\n"); /* empty lines are nothing */
    json_t *o = hear(&l);
    assert_true(json_array_size(json_object_get(o, "rows")) > 15);
    json_decref(o);
    hang_up(&l);
}

static void oversized_lines_end_the_connection(void **state)
{
    struct line l = dial();
    char *big = malloc(70000);
    json_t *o;

    (void)state;
    memset(big, ' ', 70000);
    (void)!send(l.fd, big, 70000, MSG_NOSIGNAL);
    o = hear(&l);
    assert_string_equal(text(json_object_get(o, "error"), "code"), "line-too-long");
    json_decref(o);
    assert_null(hear(&l));
    hang_up(&l);
    /* A line of exactly the most that is allowed works. */
    l = dial();
    memcpy(big + 65536 - 19, "{\"command\":\"help\"}\n", 19);
    assert_int_equal(send(l.fd, big, 65536, MSG_NOSIGNAL), 65536);
    o = hear(&l);
    assert_non_null(json_object_get(o, "rows"));
    json_decref(o);
    free(big);
    hang_up(&l);
}

static void requests_may_be_pipelined_and_half_closed(void **state)
{
    struct line l = dial();

    (void)state;
    say(&l,
        "{\"command\":\"neighbours\"}\n{\"command\":\"nonsense\"}\n{\"command\":\"contacts\"}\n");
    shutdown(l.fd, SHUT_WR);
    json_t *a = hear(&l), *b = hear(&l), *c = hear(&l);
    assert_int_equal(json_array_size(json_object_get(a, "rows")), 1);
    assert_non_null(json_object_get(b, "error"));
    assert_int_equal(json_array_size(json_object_get(c, "rows")), 60);
    json_decref(a);
    json_decref(b);
    json_decref(c);
    assert_null(hear(&l));
    hang_up(&l);
}

static int64_t event_node(struct line *l)
{
    json_t *o = hear(l), *row;
    int64_t node;

    if (!o)
        return -1;
    row = json_object_get(json_object_get(o, "event"), "row");
    node = row ? json_integer_value(json_object_get(row, "node")) : -2;
    json_decref(o);
    return node;
}

/* A client that goes away has its command cancelled, which the bench tells as an event. */
static void raise_event(void)
{
    struct line asker = dial();

    say(&asker, "{\"command\":\"ping\",\"args\":{\"node\":\"cc\"}}\n");
    usleep(100000);
    hang_up(&asker);
}

static void events_reach_monitors(void **state)
{
    struct line l = dial();

    (void)state;
    say(&l, "{\"command\":\"monitor\"}\n");
    assert_int_equal(event_node(&l), -2); /* subscribed */
    assert_int_equal(event_node(&l), 1);
    raise_event();
    assert_int_equal(event_node(&l), 4711);
    hang_up(&l);
}

/* That nothing was to be said for long is not that nothing was taken. */
static void quiet_monitors_stay(void **state)
{
    struct line l = dial();

    (void)state;
    say(&l, "{\"command\":\"monitor\"}\n");
    assert_int_equal(event_node(&l), -2);
    assert_int_equal(event_node(&l), 1);
    for (int i = 0; i < 2; i++) {
        pass_seconds(40);
        raise_event();
        assert_int_equal(event_node(&l), 4711);
    }
    hang_up(&l);
}

/* Fills the connection with answers until it takes no more requests. */
static void ask_without_reading(struct line *l)
{
    static const char request[] = "{\"command\":\"contacts\"}\n";

    while (send(l->fd, request, sizeof request - 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        continue;
    usleep(200000);
}

/* With the second answer the turn that gave the first one is over. */
static void let_it_look(void)
{
    struct line l = dial();

    for (int i = 0; i < 2; i++) {
        say(&l, "{\"command\":\"help\"}\n");
        json_decref(hear(&l));
    }
    hang_up(&l);
}

static bool is_cut(const struct line *l)
{
    struct pollfd p = {.fd = l->fd};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}

/* Who leaves an answer lying for so long is cut, but not before. */
static void stuck_clients_are_cut(void **state)
{
    struct line l = dial();

    (void)state;
    ask_without_reading(&l);
    pass_seconds(20);
    let_it_look();
    assert_false(is_cut(&l));
    pass_seconds(20);
    let_it_look();
    assert_true(is_cut(&l));
    hang_up(&l);
}

static void slow_readers_are_cut(void **state)
{
    struct line slow = dial(), good = dial(), asker = dial();
    int64_t next = 0;

    (void)state;
    say(&slow, "{\"command\":\"monitor\"}\n");
    assert_int_equal(event_node(&slow), -2);
    assert_int_equal(event_node(&slow), 1);
    say(&good, "{\"command\":\"monitor\"}\n");
    assert_int_equal(event_node(&good), -2);
    say(&asker, "{\"command\":\"path\",\"args\":{\"node\":\"ff\"}}\n");
    while (next < 20000) {
        int64_t node = event_node(&good);
        if (node != next)
            fail_msg("event %lld instead of %lld", (long long)node, (long long)next);
        next++;
    }
    /* The slow one gets what was written before it was cut, then the end. */
    next = 0;
    while (event_node(&slow) >= 0)
        next++;
    assert_in_range(next, 1, 19999);
    hang_up(&slow);
    hang_up(&good);
    hang_up(&asker);
}

static void connections_are_limited(void **state)
{
    struct line l[HD_MANAGE_CLIENTS_MAX + 1];

    (void)state;
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++) {
        l[i] = dial();
        say(&l[i], "{\"command\":\"help\"}\n");
        json_decref(hear(&l[i]));
    }
    l[HD_MANAGE_CLIENTS_MAX] = dial();
    json_t *o = hear(&l[HD_MANAGE_CLIENTS_MAX]);
    assert_string_equal(text(json_object_get(o, "error"), "code"), "limit");
    json_decref(o);
    for (size_t i = 0; i <= HD_MANAGE_CLIENTS_MAX; i++)
        hang_up(&l[i]);
}

static void only_root_changes(void **state)
{
    struct line l = dial();
    int status = -1;
    pid_t pid;

    (void)state;
    if (geteuid() != 0)
        skip();
    say(&l, "{\"command\":\"restart\"}\n");
    json_decref(hear(&l));
    assert_int_equal(bench_control(&bench), HD_CONTROL_RESTART);
    say(&l, "{\"command\":\"down\"}\n");
    hang_up(&l); /* without waiting for the answer */
    assert_int_equal(bench_control(&bench), HD_CONTROL_DOWN);
    chmod(bench.path, 0666);
    pid = fork();
    if (pid == 0) {
        if (setuid(65534) != 0)
            _exit(9);
        l = dial();
        say(&l, "{\"command\":\"down\"}\n{\"command\":\"neighbours\"}\n");
        json_t *a = hear(&l), *b = hear(&l);
        bool refused = strcmp(text(json_object_get(a, "error"), "code"), "permission") == 0;
        bool shown = json_object_get(b, "rows") != NULL;
        json_decref(a);
        json_decref(b);
        _exit(refused && shown ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(bench_control(&bench), 0);
}

static void router_may_come_and_go(void **state)
{
    struct line l = dial(), silent = dial(), m = dial();
    json_t *o;

    (void)state;
    say(&m, "{\"command\":\"monitor\"}\n");
    assert_int_equal(event_node(&m), -2);
    assert_int_equal(event_node(&m), 1);
    say(&silent, "{\"command\":\"vicinity\"}\n");
    usleep(100000);
    bench_router_kill(&bench);
    /* Asked while there is no router: answered by the next one; monitors stay subscribed. */
    say(&l, "{\"command\":\"neighbours\"}\n");
    usleep(100000);
    bench_router_start(&bench);
    o = hear(&l);
    assert_int_equal(json_array_size(json_object_get(o, "rows")), 1);
    json_decref(o);
    assert_int_equal(event_node(&m), 1);
    /* Asked again of the new router, which does not answer either. */
    o = hear(&silent);
    assert_string_equal(text(json_object_get(o, "error"), "code"), "timeout");
    json_decref(o);
    hang_up(&l);
    hang_up(&silent);
    hang_up(&m);
}

static void nodes_are_understood(void **state)
{
    static const struct {
        const char *text, *id;
        int nibbles; /* -1: refused */
    } cases[] = {
        {"12ab", "12ab000000000000000000000000", 4},
        {"fc00:12ab", "12ab000000000000000000000000", 4},
        {"fc00:12ab:", "12ab000000000000000000000000", 4},
        {"fc00:12ab:3", "12ab300000000000000000000000", 5},
        {"fc00:12ab:3:", "12ab000300000000000000000000", 8},
        {"fc00:1:22", "0001220000000000000000000000", 6},
        {"FC00:12AB::1", "12ab000000000000000000000001", 28},
        {"101112131415161718191a1b1c1d", "101112131415161718191a1b1c1d", 28},
        {"101112131415161718191a1b1c1d1", NULL, -1},
        {"", NULL, -1},
        {"fc00:", NULL, -1},
        {"fc01:12", NULL, -1},
        {"fc00:12345", NULL, -1},
        {"fc00:1:2:3:4:5:6:7:8", NULL, -1},
        {"fc00:12::x", NULL, -1},
        {"2001:db8::1", NULL, -1},
        {"host", NULL, -1},
    };

    (void)state;
    for (size_t i = 0; i < HD_ARRAY_LEN(cases); i++) {
        struct hd_kira_command c = {0};
        char why[128], id[HD_ID_TEXT];
        int error = hd_node_parse(cases[i].text, 0xfc00, &c, why);
        if (cases[i].nibbles < 0) {
            if (error != HD_EMALFORMED || why[0] == '\0')
                fail_msg("accepted: %s", cases[i].text);
            continue;
        }
        if (error != 0)
            fail_msg("%s: %s", cases[i].text, why);
        assert_string_equal(hd_id_format(&c.id, id), cases[i].id);
        assert_int_equal(c.nibbles, cases[i].nibbles);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_understood),
        cmocka_unit_test(lists_come_in_pages),
        cmocka_unit_test(cursors_are_ours_alone),
        cmocka_unit_test(status_is_composed),
        cmocka_unit_test(metrics_are_whole),
        cmocka_unit_test(bad_rows_end_in_errors),
        cmocka_unit_test(commands_stream_replies),
        cmocka_unit_test(garbage_is_answered),
        cmocka_unit_test(oversized_lines_end_the_connection),
        cmocka_unit_test(requests_may_be_pipelined_and_half_closed),
        cmocka_unit_test(events_reach_monitors),
        cmocka_unit_test(quiet_monitors_stay),
        cmocka_unit_test(stuck_clients_are_cut),
        cmocka_unit_test(slow_readers_are_cut),
        cmocka_unit_test(connections_are_limited),
        cmocka_unit_test(only_root_changes),
        cmocka_unit_test(router_may_come_and_go),
    };

    return cmocka_run_group_tests(tests, start, stop);
}

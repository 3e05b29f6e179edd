/* SPDX-License-Identifier: Apache-2.0 */
/* The played keeper and router of bench.h. */
#include "bench.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/kira/kira.h"
#include "core/sample/sample.h"
#include "daemon/channel.h"
#include "daemon/driver_rows.h"
#include "lib/base.h"
#include "manage/manage.h"
#include "router/router.h"

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static struct hd_id id_of(uint32_t n)
{
    struct hd_id id = {{0x10, 0x11}};

    id.b[12] = (uint8_t)(n >> 8);
    id.b[13] = (uint8_t)n;
    return id;
}

static void send_rsp(int fd, const struct hd_msg_rows_req *q, const void *rows, uint32_t count,
                     uint32_t row_size, struct hd_row_cursor cursor)
{
    struct hd_msg_rows_rsp r = {
        .request = q->request, .row_count = count, .row_size = row_size, .cursor = cursor};

    MUST(hd_channel_send_wait(fd, HD_MSG_ROWS_RSP, &r, rows, (size_t)count * row_size, 5000) == 0);
}

static void all_rows(int fd, const struct hd_msg_rows_req *q, const void *rows, uint32_t count,
                     uint32_t row_size)
{
    if (q->row_size != row_size) {
        struct hd_msg_rows_rsp r = {.request = q->request, .error = HD_EINVAL};
        MUST(hd_channel_send(fd, HD_MSG_ROWS_RSP, &r, NULL, 0) == 0);
        return;
    }
    send_rsp(fd, q, rows, count, row_size, (struct hd_row_cursor){.end = true});
}

static void contacts(int fd, const struct hd_msg_rows_req *q)
{
    struct hd_kira_row_contact rows[60];
    struct hd_row_cursor cursor = q->cursor;
    uint32_t n = 0;

    memset(rows, 0, sizeof rows);
    while (n < HD_MIN(q->max, (uint32_t)HD_ARRAY_LEN(rows)) && cursor.a < BENCH_CONTACTS) {
        rows[n].id = id_of((uint32_t)cursor.a++);
        rows[n].address = hd_id_to_ip6(&rows[n].id, 0xfc00);
        rows[n].state = HD_KIRA_CONTACT_VALID;
        rows[n].path_len = 2;
        n++;
    }
    cursor.end = cursor.a == BENCH_CONTACTS;
    send_rsp(fd, q, rows, n, sizeof rows[0], cursor);
}

static void kira_rows(int fd, const struct hd_msg_rows_req *q)
{
    struct hd_kira_row_status s = {.id = id_of(1),
                                   .state = HD_KIRA_JOINED,
                                   .open = 1,
                                   .neighbours = 2,
                                   .contacts = BENCH_CONTACTS,
                                   .since_start_ns = HD_SEC(90)};
    struct hd_channel_counter c[2] = {{"rx.hello", 7}, {"drop.bad-length", 0}};
    struct hd_kira_row_neighbour n = {.id = id_of(2), .ifname = "eth\xff", .best = 1};

    s.address = hd_id_to_ip6(&s.id, 0xfc00);
    switch (q->list) {
    case HD_KIRA_LIST_STATUS:
        all_rows(fd, q, &s, 1, sizeof s);
        break;
    case HD_KIRA_LIST_CONTACTS:
        contacts(fd, q);
        break;
    case HD_KIRA_LIST_NEIGHBOURS:
        all_rows(fd, q, &n, 1, sizeof n);
        break;
    case HD_KIRA_LIST_COUNTERS:
        all_rows(fd, q, c, 2, sizeof c[0]);
        break;
    case HD_KIRA_LIST_INTERFACES:
        all_rows(fd, q, NULL, 0, sizeof(struct hd_kira_row_interface));
        break;
    default: /* vicinity: silence */
        break;
    }
}

static void driver_rows(int fd, const struct hd_msg_rows_req *q)
{
    struct hd_row_driver d = {.backend = "ebpf",
                              .core = "kira",
                              .features = "transit tc",
                              .node_prefix = 0xfc00,
                              .foreign = 5};
    struct hd_row_process p[2] = {{"keeper", HD_PROCESS_READY, 10, 0, 0, 0},
                                  {"router", HD_PROCESS_READY, (uint32_t)getpid(), 2, 0, 9}};
    struct hd_channel_counter c[1] = {{"policed", 3}};
    struct hd_row_socket s = {.name = "udp 19219", .number = 19219, .received = 5};
    struct hd_in_interface i[2] = {
        {.ifindex = 2, .name = "eth0", .why_not = HD_IF_DEFAULT_ROUTE, .mtu = 1500},
        {.ifindex = 3, .name = "eth1", .usable = true, .up = true, .mtu = 1500}};
    struct hd_row_foreign f[2] = {{HD_FOREIGN_ADDRESS, "eth0", "fc00:5::1/64"},
                                  {HD_FOREIGN_ROUTE, "", "fcaa:5::/32"}};

    switch (q->list) {
    case HD_DRIVER_LIST_STATUS:
        all_rows(fd, q, &d, 1, sizeof d);
        break;
    case HD_DRIVER_LIST_PROCESSES:
        all_rows(fd, q, p, 2, sizeof p[0]);
        break;
    case HD_DRIVER_LIST_COUNTERS:
        all_rows(fd, q, c, 1, sizeof c[0]);
        break;
    case HD_DRIVER_LIST_INTERFACES:
        all_rows(fd, q, i, 2, sizeof i[0]);
        break;
    case HD_DRIVER_LIST_FOREIGN:
        all_rows(fd, q, f, 2, sizeof f[0]);
        break;
    default:
        all_rows(fd, q, &s, 1, sizeof s);
    }
}

static void rows(int fd, const struct hd_msg_rows_req *q)
{
    struct hd_msg_rows_rsp r = {.request = q->request, .error = HD_ENOENT};
    uint8_t bytes[200] = {0};

    if (q->core == HD_CORE_KIRA) {
        kira_rows(fd, q);
    } else if (q->core == HD_CORE_DRIVER) {
        driver_rows(fd, q);
    } else if (q->core == HD_CORE_MODEL && q->list == HD_LIST_LABELS) {
        r.error = 0;
        r.row_count = 1000000;
        r.row_size = q->row_size;
        MUST(hd_channel_send(fd, HD_MSG_ROWS_RSP, &r, bytes, sizeof bytes) == 0);
    } else if (q->core == HD_CORE_MODEL && q->list == HD_LIST_ROUTES) {
        send_rsp(fd, q, bytes, 2, q->row_size - 8, (struct hd_row_cursor){.end = true});
    } else if (q->core == HD_CORE_MODEL) {
        all_rows(fd, q, NULL, 0, q->row_size);
    } else {
        MUST(hd_channel_send(fd, HD_MSG_ROWS_RSP, &r, NULL, 0) == 0);
    }
}

static void reply(int fd, const struct hd_msg_command *q, int error, const void *bytes,
                  uint32_t count, uint32_t row_size, bool last)
{
    struct hd_msg_reply r = {.command = q->id,
                             .core = q->core,
                             .list =
                                 q->verb == HD_KIRA_PING ? HD_KIRA_LIST_PING : HD_KIRA_LIST_PATH,
                             .flags = last ? HD_REPLY_LAST : 0,
                             .error = error,
                             .row_count = count,
                             .row_size = row_size};

    MUST(hd_channel_send_wait(fd, HD_MSG_REPLY, &r, bytes, count ? row_size : 0, 5000) == 0);
}

static void ping(int fd, const struct hd_msg_command *q, const struct hd_kira_command *c)
{
    for (uint32_t i = 1; i <= c->count; i++) {
        struct hd_kira_row_ping p = {
            .id = c->id, .number = i, .answered = i != 2, .hops = 3, .rtt_ns = i != 2 ? 213456 : 0};
        /* nibbles tell the test what was understood */
        p.hops = c->nibbles;
        reply(fd, q, 0, &p, 1, sizeof p, i == c->count);
    }
}

static void flood(int fd)
{
    struct hd_sample_row_event e = {0};
    struct hd_msg_event m = {HD_CORE_SAMPLE, HD_SAMPLE_LIST_EVENT, sizeof e};

    for (uint32_t i = 0; i < 20000; i++) {
        e.node = i;
        /* A burst now and then, not faster than an honest reader on a busy machine. */
        if (i % 100 == 0)
            usleep(2000);
        MUST(hd_channel_send_wait(fd, HD_MSG_EVENT, &m, &e, sizeof e, 5000) == 0);
    }
}

static void event(int fd, uint32_t node)
{
    struct hd_sample_row_event e = {.node = node, .up = 1};
    struct hd_msg_event m = {HD_CORE_SAMPLE, HD_SAMPLE_LIST_EVENT, sizeof e};

    MUST(hd_channel_send(fd, HD_MSG_EVENT, &m, &e, sizeof e) == 0);
}

static void path(int fd, const struct hd_msg_command *q, const struct hd_kira_command *c)
{
    struct hd_kira_row_hop h = {.number = 1, .id = id_of(5), .answered = 1, .rtt_ns = HD_MS(1)};

    h.first = h.overlay = 1;
    reply(fd, q, 0, &h, 1, sizeof h, false);
    h = (struct hd_kira_row_hop){.number = 1, .id = c->id, .answered = 1, .rtt_ns = HD_MS(2)};
    reply(fd, q, 0, &h, 1, sizeof h, false);
    reply(fd, q, 0, NULL, 0, 0, true);
}

static void command(int fd, const struct hd_msg_command *q, const struct hd_message *m)
{
    const struct hd_kira_command *c = m->tail;

    if (q->cancel) {
        event(fd, 4711);
        return;
    }
    MUST(m->tail_len == sizeof *c && q->core == HD_CORE_KIRA);
    if (c->id.b[0] == 0xee)
        reply(fd, q, HD_ENOENT, NULL, 0, 0, true);
    else if (c->id.b[0] == 0xdd)
        reply(fd, q, HD_EEXIST, NULL, 0, 0, true);
    else if (c->id.b[0] == 0xff)
        flood(fd);
    else if (c->id.b[0] == 0x0b)
        reply(fd, q, 0, c, 7, 10, true);
    else if (c->id.b[0] == 0xcc)
        return;
    else if (q->verb == HD_KIRA_PING)
        ping(fd, q, c);
    else
        path(fd, q, c);
}

static void serve(int fd)
{
    _Alignas(8) static uint8_t buf[HD_CHANNEL_MAX];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct hd_message m;

    MUST(hd_channel_hello(fd, HD_ROLE_ROUTER) == 0);
    for (;;) {
        int got;
        poll(&p, 1, -1);
        got = hd_channel_receive(fd, buf, sizeof buf, &m);
        if (got == HD_ENOENT)
            _exit(0);
        if (got <= 0)
            continue;
        if (m.type == HD_MSG_ROWS_REQ)
            rows(fd, m.body);
        else if (m.type == HD_MSG_COMMAND)
            command(fd, m.body, &m);
        else if (m.type == HD_MSG_SUBSCRIBE && ((const struct hd_msg_subscribe *)m.body)->on)
            event(fd, 1);
    }
}

void bench_router_start(struct bench *b)
{
    struct hd_msg_peer peer = {.role = HD_ROLE_ROUTER};
    int ends[2];

    MUST(hd_channel_pair(ends) == 0);
    b->router = fork();
    if (b->router == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[1]);
        close(b->keeper);
        serve(ends[0]);
    }
    close(ends[0]);
    MUST(hd_channel_send_fds(b->keeper, HD_MSG_PEER, &peer, NULL, 0, &ends[1], 1) == 0);
    close(ends[1]);
}

void bench_router_kill(struct bench *b)
{
    kill(b->router, SIGKILL);
    waitpid(b->router, NULL, 0);
    b->router = 0;
}

uint32_t bench_control(struct bench *b)
{
    _Alignas(8) static uint8_t buf[HD_CHANNEL_MAX];
    struct pollfd p = {.fd = b->keeper, .events = POLLIN};
    struct hd_message m;

    while (poll(&p, 1, 1000) > 0) {
        if (hd_channel_receive(b->keeper, buf, sizeof buf, &m) <= 0)
            return 0;
        if (m.type == HD_MSG_CONTROL)
            return ((const struct hd_msg_control *)m.body)->action;
    }
    return 0;
}

void bench_start(struct bench *b)
{
    int ends[2], listen_fd;

    memset(b, 0, sizeof *b);
    strcpy(b->dir, "/tmp/heddle-cli-test.XXXXXX");
    MUST(mkdtemp(b->dir));
    MUST(chmod(b->dir, 0755) == 0);
    snprintf(b->path, sizeof b->path, "%s/control.sock", b->dir);
    listen_fd = hd_manage_listen(b->path);
    MUST(listen_fd >= 0);
    MUST(hd_channel_pair(ends) == 0);
    b->manage = fork();
    if (b->manage == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        _exit(hd_manage_main(ends[1], listen_fd, NULL));
    }
    close(ends[1]);
    close(listen_fd);
    b->keeper = ends[0];
    MUST(hd_channel_hello(b->keeper, HD_ROLE_KEEPER) == 0);
    bench_router_start(b);
}

void bench_stop(struct bench *b)
{
    struct hd_msg_stop stop = {0};
    int status = -1;

    MUST(hd_channel_send(b->keeper, HD_MSG_STOP, &stop, NULL, 0) == 0);
    MUST(waitpid(b->manage, &status, 0) == b->manage);
    MUST(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (b->router)
        bench_router_kill(b);
    close(b->keeper);
    unlink(b->path);
    rmdir(b->dir);
}

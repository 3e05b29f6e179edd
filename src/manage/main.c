/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of the manage role: the channel to the keeper, the channel to the router (which comes
 * and goes with it), the listening socket and its clients, all by poll(2): there are at most 35
 * descriptors. When the router goes, requests that had not begun wait for the next one; the others
 * end with an error that says so.
 */
#include "manage/internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/driver_rows.h"
#include "lib/base.h"

#define DEFAULT_NODE_PREFIX 0xfc00
#define DRAIN_MAX           64 /* records per turn: clients shall not wait for a flood of events */
#define WRITE_PATIENCE_MS   30000 /* who takes nothing of what waits for so long is cut */

static int64_t monotonic_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the router ------------------------------------------------------------ */

static void router_lost(struct hd_manage *m)
{
    if (m->router_fd < 0)
        return;
    close(m->router_fd);
    m->router_fd = -1;
    m->router_known = false;
    m->subscribed = false;
    hd_config_router_silent(m);
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++) {
        struct hd_client *c = &m->clients[i];
        bool fresh = !c->walk.produced && c->gather.count == 0 && !c->gather.found;
        if (c->fd < 0 || !c->busy || !c->asked || c->config_args)
            continue;
        if (fresh)
            c->asked = false;
        else
            hd_client_error(c, "router-restarted", NULL,
                            "the router process was restarted meanwhile");
    }
}

static void router_found(struct hd_manage *m, struct hd_message *msg)
{
    router_lost(m);
    m->router_fd = msg->fds[0];
    msg->fds[0] = -1;
    if (hd_channel_hello(m->router_fd, HD_ROLE_MANAGE) != 0)
        router_lost(m);
}

/* The fabric's prefix, which tells an address of a node from others. */
static void ask_prefix(struct hd_manage *m)
{
    struct hd_msg_rows_req r = {.core = HD_CORE_DRIVER,
                                .list = HD_DRIVER_LIST_STATUS,
                                .max = 1,
                                .row_size = sizeof(struct hd_row_driver)};

    /* Without it the default prefix stands. */
    (void)!hd_channel_send(m->router_fd, HD_MSG_ROWS_REQ, &r, NULL, 0);
}

static void router_message(struct hd_manage *m, const struct hd_message *msg)
{
    if (!m->router_known) {
        m->router_known = hd_channel_hello_check(msg) == 0;
        if (!m->router_known) {
            router_lost(m);
            return;
        }
        ask_prefix(m);
        hd_request_subscribe(m);
        hd_config_router_found(m);
        return;
    }
    switch (msg->type) {
    case HD_MSG_ROWS_RSP:
        hd_answer_rows(m, msg->body, msg->tail, msg->tail_len);
        break;
    case HD_MSG_REPLY:
        hd_answer_reply(m, msg->body, msg->tail, msg->tail_len);
        break;
    case HD_MSG_CONFIG_DONE:
        hd_config_done(m, msg->body);
        break;
    case HD_MSG_EVENT:
        hd_answer_event(m, msg->body, msg->tail, msg->tail_len);
        break;
    default:
        break;
    }
}

static void serve_router(struct hd_manage *m)
{
    struct hd_message msg;

    for (int i = 0; i < DRAIN_MAX && m->router_fd >= 0; i++) {
        int got = hd_channel_receive(m->router_fd, m->buf, HD_CHANNEL_MAX, &msg);
        if (got == 0)
            return;
        if (got == HD_ENOENT) {
            router_lost(m);
            return;
        }
        if (got < 0)
            continue;
        router_message(m, &msg);
        hd_message_close(&msg);
    }
}

/* --- the keeper ------------------------------------------------------------ */

static void keeper_message(struct hd_manage *m, struct hd_message *msg)
{
    const struct hd_msg_peer *peer = msg->body;

    if (msg->type == HD_MSG_HELLO) {
        m->keeper_known = hd_channel_hello_check(msg) == 0;
        m->stopping = !m->keeper_known;
    } else if (msg->type == HD_MSG_STOP) {
        m->stopping = true;
    } else if (msg->type == HD_MSG_PEER && m->keeper_known && peer->role == HD_ROLE_ROUTER) {
        router_found(m, msg);
    }
}

static void serve_keeper(struct hd_manage *m)
{
    struct hd_message msg;
    int got;

    while ((got = hd_channel_receive(m->keeper_fd, m->buf, HD_CHANNEL_MAX, &msg)) != 0) {
        if (got == HD_ENOENT) {
            m->stopping = true;
            return;
        }
        if (got < 0)
            continue;
        keeper_message(m, &msg);
        hd_message_close(&msg);
    }
    if (m->keeper_known && !m->ready)
        m->ready = hd_channel_send(m->keeper_fd, HD_MSG_READY, NULL, NULL, 0) == 0;
}

/* --- clients --------------------------------------------------------------- */

/* Root is never kept out by readers that hold all places. */
static struct hd_client *make_room(struct hd_manage *m, bool root)
{
    struct hd_client *idle = NULL;

    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++) {
        struct hd_client *c = &m->clients[i];
        if (c->fd < 0)
            return c;
        if (!c->root && (!idle || c->since_ms < idle->since_ms))
            idle = c;
    }
    if (!root || !idle)
        return NULL;
    hd_client_close(m, idle);
    return idle;
}

static void accept_client(struct hd_manage *m)
{
    static const char busy[] =
        "{\"error\":{\"code\":\"limit\",\"message\":\"too many connections\"}}\n";
    int fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct hd_client new, *c;

    if (fd < 0)
        return;
    hd_client_open(&new, fd, m->now_ms);
    c = make_room(m, new.root);
    if (c) {
        *c = new;
        return;
    }
    (void)!send(fd, busy, sizeof busy - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(fd);
}

static void serve_lines(struct hd_manage *m, struct hd_client *c)
{
    char *line;
    size_t len;

    /* The next request waits until the answer to the last one is gone: back-pressure. */
    while (!c->busy && !c->closing && c->out_len == c->out_at &&
           (line = hd_client_line(c, &len)) != NULL) {
        c->since_ms = m->now_ms;
        if (len > 0)
            hd_request_line(m, c, line, len);
        hd_client_line_done(c, len);
        if (!hd_client_write(c))
            c->closing = true;
    }
}

static void serve_client(struct hd_manage *m, struct hd_client *c, short events)
{
    size_t before = c->out_len - c->out_at;
    bool alive = hd_client_write(c);

    /* Lines that wait come before the end of the connection that may stand behind them. */
    if (alive)
        serve_lines(m, c);
    if (alive && (events & (POLLIN | POLLHUP | POLLERR)) && !c->busy && c->out_len == c->out_at)
        alive = hd_client_read(c);
    if (alive)
        serve_lines(m, c);
    if (alive)
        alive = hd_client_write(c);
    if (c->out_len - c->out_at < before)
        c->since_ms = m->now_ms;
    if (c->out_len > c->out_at && c->stuck_ms == 0)
        c->stuck_ms = m->now_ms;
    if (!alive || (c->closing && c->out_len == c->out_at))
        hd_client_close(m, c);
}

/* It has had a chance since, and took nothing: how long it was silent before counts for nothing. */
static bool is_stuck(const struct hd_manage *m, const struct hd_client *c)
{
    return c->out_len > c->out_at && m->now_ms - c->stuck_ms > WRITE_PATIENCE_MS;
}

/* Requests that wait for the router, and those that have waited enough. */
static void tend_clients(struct hd_manage *m)
{
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++) {
        struct hd_client *c = &m->clients[i];
        if (c->fd < 0)
            continue;
        if (c->busy && !c->asked)
            hd_request_send(m, c);
        if (c->busy && m->now_ms >= c->deadline_ms) {
            hd_request_cancel(m, c);
            hd_client_error(c, "timeout", NULL,
                            m->router_fd < 0 && !c->config_args ? "the router process is away"
                                                                : "no answer in time");
        }
        serve_client(m, c, 0);
        if (c->fd >= 0 && is_stuck(m, c))
            hd_client_close(m, c);
    }
}

/* --- the loop -------------------------------------------------------------- */

enum { SLOT_KEEPER, SLOT_ROUTER, SLOT_LISTEN, SLOT_CONFIG, SLOT_CLIENTS };

static short client_events(const struct hd_client *c)
{
    short events = 0;

    /*
     * While a request is open only the end of the connection matters, which needs no flag. A client
     * that closed its sending half alone still waits for its answer.
     */
    if (!c->closing && !c->busy && c->out_len == c->out_at)
        events = POLLIN;
    if (c->out_len > c->out_at)
        events |= POLLOUT;
    return events;
}

static int wait_ms(const struct hd_manage *m)
{
    int64_t next = m->now_ms + 60000;
    bool unsent = false;

    next = HD_MIN(next, hd_config_deadline_ms(m));
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++) {
        const struct hd_client *c = &m->clients[i];
        if (c->fd < 0)
            continue;
        if (c->busy)
            next = HD_MIN(next, c->deadline_ms);
        if (c->out_len > c->out_at)
            next = HD_MIN(next, c->stuck_ms + WRITE_PATIENCE_MS + 1);
        unsent |= c->busy && !c->asked && m->router_known && !c->config_args;
    }
    if (unsent)
        next = HD_MIN(next, m->now_ms + 20);
    return next <= m->now_ms ? 0 : (int)(next - m->now_ms);
}

static void turn(struct hd_manage *m)
{
    struct pollfd p[SLOT_CLIENTS + HD_MANAGE_CLIENTS_MAX];

    p[SLOT_KEEPER] = (struct pollfd){.fd = m->keeper_fd, .events = POLLIN};
    p[SLOT_ROUTER] = (struct pollfd){.fd = m->router_fd, .events = POLLIN};
    p[SLOT_LISTEN] = (struct pollfd){.fd = m->listen_fd, .events = POLLIN};
    p[SLOT_CONFIG] = (struct pollfd){.fd = hd_config_poll_fd(m), .events = POLLIN};
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++)
        p[SLOT_CLIENTS + i] =
            (struct pollfd){.fd = m->clients[i].fd, .events = client_events(&m->clients[i])};
    if (poll(p, HD_ARRAY_LEN(p), wait_ms(m)) < 0 && errno != EINTR)
        m->stopping = true;
    m->now_ms = monotonic_ms();
    if (p[SLOT_KEEPER].revents)
        serve_keeper(m);
    if (p[SLOT_ROUTER].revents)
        serve_router(m);
    if (p[SLOT_CONFIG].revents)
        hd_config_serve(m);
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++) {
        short events = p[SLOT_CLIENTS + i].revents;
        if (m->clients[i].fd < 0 || events == 0)
            continue;
        if (events & (POLLHUP | POLLERR) && !(events & POLLIN))
            hd_client_close(m, &m->clients[i]);
        else
            serve_client(m, &m->clients[i], events);
    }
    if (p[SLOT_LISTEN].revents & POLLIN)
        accept_client(m);
    hd_config_tend(m);
    tend_clients(m);
}

int hd_manage_main(int keeper_fd, int listen_fd, const struct hd_manage_files *files)
{
    struct hd_manage m = {.keeper_fd = keeper_fd,
                          .listen_fd = listen_fd,
                          .router_fd = -1,
                          .node_prefix = DEFAULT_NODE_PREFIX};

    m.buf = malloc(HD_CHANNEL_MAX);
    if (!m.buf)
        return EXIT_FAILURE;
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++)
        m.clients[i].fd = -1;
    m.now_ms = monotonic_ms();
    hd_config_init(&m, files ? files->config_dir : -1, files ? files->config_program : -1);
    m.stopping = hd_channel_hello(keeper_fd, HD_ROLE_MANAGE) != 0;
    while (!m.stopping)
        turn(&m);
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX; i++) {
        if (m.clients[i].fd >= 0)
            hd_client_close(&m, &m.clients[i]);
    }
    hd_config_end(&m);
    router_lost(&m);
    free(m.buf);
    return EXIT_SUCCESS;
}

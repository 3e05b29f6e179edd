/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channel to manage: it asks for rows and gives commands on behalf of people; the router
 * answers and never waits for it. An event for which there is no room is counted and dropped. When
 * manage dies the commands it left open are cancelled.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/kira/kira.h"
#include "daemon/router.h"
#include "daemon/row_sizes.h"
#include "lib/base.h"

#define RECORDS_PER_TURN 4 /* people can wait, neighbours cannot */

static int tell(struct hd_router_role *r, enum hd_message_type type, const void *body,
                const void *tail, size_t len)
{
    return r->manage.fd >= 0 ? hd_channel_send(r->manage.fd, type, body, tail, len) : HD_ENOENT;
}

/* --- rows ----------------------------------------------------------------------------------------
 */

/* Static texts of this process mean nothing in another: the name itself travels. */
static uint32_t counter_rows(struct hd_router_role *r, const struct hd_msg_rows_req *q,
                             struct hd_row_cursor *cursor, uint32_t max)
{
    struct hd_kira_row_counter part[16];
    struct hd_channel_counter *out = r->rows;
    uint32_t n = 0;
    while (n < max && !cursor->end) {
        uint32_t want = HD_MIN(max - n, (uint32_t)HD_ARRAY_LEN(part));
        uint32_t got = hd_router_rows(r->driver.router, (uint8_t)q->core, q->list, cursor, part,
                                      want, hd_clock_now());
        for (uint32_t i = 0; i < got; i++, n++) {
            memset(&out[n], 0, sizeof out[n]);
            strncpy(out[n].name, part[i].name, sizeof out[n].name - 1);
            out[n].value = part[i].value;
        }
        if (got == 0) {
            break;
        }
    }
    return n;
}

static uint32_t fill_rows(struct hd_router_role *r, const struct hd_msg_rows_req *q,
                          struct hd_row_cursor *cursor, uint32_t max)
{
    if (q->core == HD_CORE_DRIVER) {
        return hd_router_driver_rows(r, q->list, cursor, r->rows, max);
    }
    if (q->core == HD_CORE_KIRA && q->list == HD_KIRA_LIST_COUNTERS) {
        return counter_rows(r, q, cursor, max);
    }
    return hd_router_rows(r->driver.router, (uint8_t)q->core, q->list, cursor, r->rows, max,
                          HD_MAX(hd_clock_now(), r->driver.now));
}

static bool runs(struct hd_router_role *r, uint16_t core)
{
    return core == HD_CORE_DRIVER ||
           (r->started && (core == HD_CORE_MODEL ||
                           hd_router_core_state(r->driver.router, (uint8_t)core) != NULL));
}

static void on_rows_req(struct hd_router_role *r, const struct hd_msg_rows_req *q)
{
    uint32_t size = hd_row_size(q->core, q->list);
    struct hd_msg_rows_rsp a = {.request = q->request, .row_size = size, .cursor = q->cursor};
    if (size == 0 || !runs(r, q->core)) {
        a.error = HD_ENOENT;
    } else if (q->row_size != size) {
        a.error = HD_EINVAL;
    } else {
        uint32_t max = HD_MIN(q->max, (uint32_t)(HD_CHANNEL_TAIL_MAX / size));
        a.row_count = fill_rows(r, q, &a.cursor, max);
    }
    if (a.error < 0) {
        a.cursor.end = true;
    }
    int error = tell(r, HD_MSG_ROWS_RSP, &a, r->rows, (size_t)a.row_count * size);
    if (error < 0 && error != HD_ENOENT) {
        hd_log_line(&r->log, HD_LOG_WARNING, "manage-not-answered", "error=%s",
                    hd_error_name(error));
    }
}

/* --- commands ------------------------------------------------------------------------------------
 */

static struct hd_router_command *find_command(struct hd_router_role *r, uint16_t core, uint32_t id)
{
    for (unsigned i = 0; i < HD_ROUTER_COMMANDS_MAX; i++) {
        struct hd_router_command *c = &r->commands[i];
        if (c->open && c->core == core && c->id == id) {
            return c;
        }
    }
    return NULL;
}

static bool remember_command(struct hd_router_role *r, uint16_t core, uint32_t id)
{
    for (unsigned i = 0; i < HD_ROUTER_COMMANDS_MAX; i++) {
        if (!r->commands[i].open) {
            r->commands[i] = (struct hd_router_command){.id = id, .core = core, .open = true};
            return true;
        }
    }
    return false;
}

static void refuse_command(struct hd_router_role *r, const struct hd_msg_command *c, int error)
{
    struct hd_msg_reply a = {
        .command = c->id, .core = c->core, .flags = HD_REPLY_LAST, .error = error};
    (void)!tell(r, HD_MSG_REPLY, &a, NULL, 0);
}

static void cancel(struct hd_router_role *r, struct hd_router_command *c)
{
    struct hd_input in = {.type = HD_IN_COMMAND,
                          .core = (uint8_t)c->core,
                          .u.command = {.id = c->id, .cancel = true}};
    c->open = false;
    hd_driver_input(&r->driver, &in);
}

static void on_command(struct hd_router_role *r, const struct hd_message *m)
{
    const struct hd_msg_command *c = m->body;
    struct hd_router_command *known = find_command(r, c->core, c->id);
    if (c->cancel != 0) {
        if (known != NULL) {
            cancel(r, known);
        }
        return;
    }
    if (!runs(r, c->core) || c->core == HD_CORE_MODEL || c->core == HD_CORE_DRIVER) {
        refuse_command(r, c, HD_ENOENT);
    } else if (known != NULL || m->tail_len > UINT16_MAX) {
        refuse_command(r, c, HD_EINVAL);
    } else if (!remember_command(r, c->core, c->id)) {
        refuse_command(r, c, HD_ELIMIT);
    } else {
        struct hd_input in = {
            .type = HD_IN_COMMAND,
            .core = (uint8_t)c->core,
            .u.command = {
                .id = c->id, .verb = c->verb, .len = (uint16_t)m->tail_len, .args = m->tail}};
        hd_driver_input(&r->driver, &in);
    }
}

void hd_router_manage_reply(struct hd_router_role *r, uint16_t core, const struct hd_fx_reply *f,
                            const void *rows)
{
    struct hd_router_command *c = find_command(r, core, f->command);
    struct hd_msg_reply a = {.command = f->command,
                             .core = core,
                             .list = f->list,
                             .flags = f->flags,
                             .error = f->error,
                             .row_count = f->rows,
                             .row_size = f->rows > 0 ? f->len / f->rows : 0};
    if (c == NULL) {
        return; /* cancelled */
    }
    if ((f->flags & HD_REPLY_LAST) != 0) {
        c->open = false;
    }
    if (tell(r, HD_MSG_REPLY, &a, rows, f->len) == HD_EAGAIN) {
        r->events_lost++;
    }
}

void hd_router_manage_event(struct hd_router_role *r, uint16_t core, uint16_t list, const void *row,
                            uint32_t len)
{
    struct hd_msg_event e = {.core = core, .list = list, .row_size = len};
    if (r->subscribed && tell(r, HD_MSG_EVENT, &e, row, len) == HD_EAGAIN) {
        r->events_lost++;
    }
}

void hd_router_manage_config_done(struct hd_router_role *r, const struct hd_msg_config_done *d)
{
    (void)!tell(r, HD_MSG_CONFIG_DONE, d, NULL, 0); /* without an answer it is asked again */
}

/* --- the channel ---------------------------------------------------------------------------------
 */

static void drop_manage(struct hd_router_role *r)
{
    int fd = r->manage.fd;
    if (fd < 0) {
        return;
    }
    hd_loop_del(&r->loop, &r->manage);
    close(fd);
    r->subscribed = false;
    hd_router_config_forget(r);
    for (unsigned i = 0; i < HD_ROUTER_COMMANDS_MAX; i++) {
        if (r->commands[i].open) {
            cancel(r, &r->commands[i]);
        }
    }
}

static void on_message(struct hd_router_role *r, struct hd_message *m)
{
    switch ((enum hd_message_type)m->type) {
    case HD_MSG_HELLO:
        if (hd_channel_hello_check(m) < 0) {
            hd_log_line(&r->log, HD_LOG_ERROR, "other-build", "peer=manage");
            drop_manage(r);
        }
        break;
    case HD_MSG_ROWS_REQ:
        on_rows_req(r, m->body);
        break;
    case HD_MSG_COMMAND:
        on_command(r, m);
        break;
    case HD_MSG_CONFIG_BEGIN:
        hd_router_config_begin(r, m->body);
        break;
    case HD_MSG_CONFIG_PART:
        hd_router_config_part(r, m);
        break;
    case HD_MSG_CONFIG_END:
        hd_router_config_end(r, m->body);
        break;
    case HD_MSG_SUBSCRIBE:
        r->subscribed = ((const struct hd_msg_subscribe *)m->body)->on != 0;
        break;
    default:
        hd_log_line(&r->log, HD_LOG_ERROR, "unexpected-record", "peer=manage type=%u", m->type);
        break;
    }
    hd_message_close(m);
}

static void on_channel(void *user, uint32_t events)
{
    struct hd_router_role *r = user;
    struct hd_message m;
    for (unsigned i = 0; i < RECORDS_PER_TURN && r->manage.fd >= 0; i++) {
        int got = hd_channel_receive(r->manage.fd, r->buffer, HD_CHANNEL_MAX, &m);
        if (got == 1) {
            on_message(r, &m);
        } else if (got == HD_ENOENT) {
            drop_manage(r);
        } else {
            return;
        }
    }
}

void hd_router_manage_connect(struct hd_router_role *r, int fd)
{
    drop_manage(r);
    r->manage = (struct hd_loop_source){fd, r, on_channel};
    if (hd_loop_add(&r->loop, &r->manage) < 0 || hd_channel_hello(fd, HD_ROLE_ROUTER) < 0) {
        hd_log_line(&r->log, HD_LOG_ERROR, "no-channel", "peer=manage");
    }
}

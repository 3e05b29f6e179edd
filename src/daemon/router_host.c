/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the driver asks of the world outside its process. Requests go to system; those that must not
 * get lost with it (ports, MTUs, values to be saved) are kept until it answers, and repeated to its
 * successor.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/router.h"
#include "lib/base.h"

#define WAIT_MS 20 /* for room in the channel; then the request waits for the next system */

static struct hd_router_role *role(void *user)
{
    return user;
}

static void ask(struct hd_router_role *r, enum hd_message_type type, const void *body,
                const void *tail, size_t len)
{
    if (r->system.fd < 0) {
        return; /* repeated when there is a system again */
    }
    int error = hd_channel_send_wait(r->system.fd, type, body, tail, len, WAIT_MS);
    if (error < 0 && error != HD_ENOENT) {
        hd_log_line(&r->log, HD_LOG_WARNING, "system-not-asked", "record=%d error=%s", (int)type,
                    hd_error_name(error));
    }
}

/* --- ports ---------------------------------------------------------------------------------------
 */

void hd_router_offer(struct hd_router_role *r, struct hd_message *m)
{
    if (r->started) {
        return; /* the sockets that we have serve */
    }
    if (r->offers == NULL) {
        r->offers = calloc(HD_DRIVER_PORTS_MAX, sizeof *r->offers);
        for (unsigned i = 0; r->offers != NULL && i < HD_DRIVER_PORTS_MAX; i++) {
            r->offers[i].fd = -1;
        }
    }
    for (unsigned i = 0; r->offers != NULL && i < HD_DRIVER_PORTS_MAX; i++) {
        struct hd_router_offer *o = &r->offers[i];
        if (o->fd < 0) {
            *o = (struct hd_router_offer){.port = *(const struct hd_msg_port *)m->body,
                                          .fd = m->fds[0],
                                          .witness = m->nfds > 1 ? m->fds[1] : -1};
            m->nfds = 0;
            return;
        }
    }
}

static void close_offer(struct hd_router_offer *o)
{
    close(o->fd);
    if (o->witness >= 0) {
        close(o->witness);
    }
    o->fd = -1;
}

void hd_router_offers_forget(struct hd_router_role *r)
{
    for (unsigned i = 0; r->offers != NULL && i < HD_DRIVER_PORTS_MAX; i++) {
        if (r->offers[i].fd >= 0) {
            if (r->started) {
                ask(r, HD_MSG_CLOSE_PORT, &r->offers[i].port, NULL, 0);
            }
            close_offer(&r->offers[i]);
        }
    }
    free(r->offers);
    r->offers = NULL;
}

/* So a core that was killed and comes back misses nothing, and speaks at once. */
static void take_offer(struct hd_router_role *r, uint16_t core, const struct hd_fx_port *p)
{
    for (unsigned i = 0; r->offers != NULL && i < HD_DRIVER_PORTS_MAX; i++) {
        struct hd_router_offer *o = &r->offers[i];
        const struct hd_fx_port *was = &o->port.port;
        if (o->fd < 0 || o->port.core != core || was->port != p->port) {
            continue;
        }
        if (was->kind != p->kind || was->number != p->number || was->ifindex != p->ifindex) {
            close_offer(o);
            return;
        }
        if (hd_driver_port_opened(&r->driver, core, p->port, o->fd, o->witness) < 0) {
            hd_log_line(&r->log, HD_LOG_ERROR, "port-refused", "core=%u port=%u", core, p->port);
        }
        o->fd = -1;
        return;
    }
}

static void open_port(void *user, uint16_t core, const struct hd_fx_port *p)
{
    struct hd_msg_port m = {.core = core, .port = *p};
    take_offer(role(user), core, p);
    ask(role(user), HD_MSG_OPEN_PORT, &m, NULL, 0);
}

static void close_port(void *user, uint16_t core, const struct hd_fx_port *p)
{
    struct hd_msg_port m = {.core = core, .port = *p};
    ask(role(user), HD_MSG_CLOSE_PORT, &m, NULL, 0);
}

static void virt(void *user, const struct hd_virtual_change *c)
{
    hd_router_virtual_want(role(user), c);
}

static void route_mtu(void *user, const struct hd_ip6 *prefix, uint32_t len, uint32_t mtu)
{
    struct hd_msg_route_mtu m = {.prefix = *prefix, .len = len, .mtu = mtu};
    ask(role(user), HD_MSG_ROUTE_MTU, &m, NULL, 0);
}

/* --- saving --------------------------------------------------------------------------------------
 */

static struct hd_router_save *save_place(struct hd_router_role *r, uint16_t core, uint16_t key)
{
    struct hd_router_save *free_one = NULL;
    for (unsigned i = 0; i < HD_ROUTER_SAVES_MAX; i++) {
        struct hd_router_save *s = &r->saves[i];
        if (s->bytes != NULL && s->value.core == core && s->value.key == key) {
            return s;
        }
        if (s->bytes == NULL && free_one == NULL) {
            free_one = s;
        }
    }
    return free_one;
}

static void save(void *user, uint16_t core, uint16_t key, const void *bytes, uint32_t len)
{
    struct hd_router_role *r = user;
    struct hd_msg_value v = {.core = core, .key = key};
    struct hd_router_save *s = save_place(r, core, key);
    void *copy = s != NULL ? realloc(s->bytes, HD_MAX(len, 1u)) : NULL;
    if (copy != NULL) {
        memcpy(copy, bytes, len);
        *s = (struct hd_router_save){.value = v, .len = len, .bytes = copy};
    }
    ask(r, HD_MSG_SAVE, &v, bytes, len);
}

void hd_router_host_saved(struct hd_router_role *r, const struct hd_msg_value *v)
{
    for (unsigned i = 0; i < HD_ROUTER_SAVES_MAX; i++) {
        struct hd_router_save *s = &r->saves[i];
        if (s->bytes != NULL && s->value.core == v->core && s->value.key == v->key) {
            free(s->bytes);
            s->bytes = NULL;
        }
    }
    struct hd_input in = {
        .type = HD_IN_SAVED, .core = (uint8_t)v->core, .u.saved = {.key = v->key}};
    if (r->started) {
        hd_driver_input(&r->driver, &in);
    }
}

void hd_router_host_repeat(struct hd_router_role *r)
{
    hd_router_virtuals_drop(r); /* all are said again */
    hd_driver_repeat_requests(&r->driver);
    for (unsigned i = 0; i < HD_ROUTER_SAVES_MAX; i++) {
        const struct hd_router_save *s = &r->saves[i];
        if (s->bytes != NULL) {
            ask(r, HD_MSG_SAVE, &s->value, s->bytes, s->len);
        }
    }
}

/* --- manage --------------------------------------------------------------------------------------
 */

static void event(void *user, uint16_t core, uint16_t list, const void *row, uint32_t len)
{
    hd_router_manage_event(user, core, list, row, len);
}

static void reply(void *user, uint16_t core, const struct hd_fx_reply *f, const void *rows)
{
    hd_router_manage_reply(user, core, f, rows);
}

const struct hd_driver_host hd_router_host = {
    .open_port = open_port,
    .close_port = close_port,
    .save = save,
    .event = event,
    .reply = reply,
    .route_mtu = route_mtu,
    .virt = virt,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system role's channel to the router. A new channel begins with everything that the router
 * could need; one that runs already keeps what it has and repeats its requests. Requests are
 * checked here: what they ask for must be ours.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/kira/kira.h"
#include "daemon/state_files.h"
#include "daemon/system.h"
#include "lib/base.h"
#include "linux/icmp.h"
#include "router/router.h"

#define TELL_WAIT_MS 1000 /* for room in the channel, while a router starts */
#define KEY_HANDLE   1

void hd_system_router_missed(struct hd_system *s, enum hd_message_type type, int error)
{
    if (error == HD_ENOENT) {
        return; /* the keeper brings another channel, which begins with everything */
    }
    hd_log_line(&s->log, HD_LOG_ERROR, "router-not-told", "record=%d error=%s", (int)type,
                hd_error_name(error));
    if (error == HD_EAGAIN) {
        s->untold = true;
        s->reconcile_at = hd_time_min(s->reconcile_at, hd_clock_now() + HD_SYSTEM_LOOK_EVERY);
    }
}

/*
 * A router that has missed one record is told no further one: after the next look it is told
 * everything, and compares. So nobody waits for it again and again meanwhile.
 */
static void tell(struct hd_system *s, enum hd_message_type type, const void *body, const void *tail,
                 size_t len)
{
    if (s->router_source.fd < 0 || s->untold) {
        return;
    }
    int error = hd_channel_send_wait(s->router_source.fd, type, body, tail, len, TELL_WAIT_MS);
    if (error < 0) {
        hd_system_router_missed(s, type, error);
    }
}

/* --- beginning -----------------------------------------------------------------------------------
 */

static void tell_begin(struct hd_system *s)
{
    struct hd_msg_begin b = {.core = s->options.core,
                             .adopted = s->adopted,
                             .node_prefix = s->node_prefix,
                             .label_prefix = s->label_prefix,
                             .key = s->closed ? KEY_HANDLE : 0,
                             .backend = (uint8_t)s->handles.backend,
                             .id = s->id,
                             .own_address = s->own_address};
    (void)!getrandom(&b.seed, sizeof b.seed, 0);
    snprintf(b.state_dir, sizeof b.state_dir, "%s", s->options.state_dir);
    tell(s, HD_MSG_BEGIN, &b, NULL, 0);
    if (s->closed) {
        struct hd_msg_key k = {.handle = KEY_HANDLE};
        memcpy(k.bytes, s->link.b, sizeof k.bytes);
        tell(s, HD_MSG_KEY, &k, NULL, 0);
        explicit_bzero(&k, sizeof k);
    }
}

static void tell_saved(struct hd_system *s)
{
    const char *core = hd_core_ops(s->options.core)->name;
    uint8_t *value = malloc(HD_SAVE_MAX);
    for (uint16_t key = 1; value != NULL && key <= HD_STATE_KEYS_MAX; key++) {
        int len = hd_state_load(HD_CHANNEL_STATE_FD, core, key, value, HD_SAVE_MAX);
        if (len >= 0) {
            struct hd_msg_value v = {.core = s->options.core, .key = key};
            tell(s, HD_MSG_SAVED, &v, value, (size_t)len);
        }
    }
    free(value);
}

static void tell_forwarding(struct hd_system *s)
{
    struct hd_msg_forwarding f = {.handles = s->handles};
    if (s->fwd != NULL) {
        hd_fwd_setup_handles(s->fwd, &s->handles);
        f.handles = s->handles;
    }
    int fd = s->router_source.fd;
    int error =
        hd_channel_send_fds(fd, HD_MSG_FORWARDING, &f, NULL, 0, s->handles.fds, s->handles.count);
    if (error < 0) {
        hd_system_router_missed(s, HD_MSG_FORWARDING, error);
    }
    error = s->icmp >= 0 ? hd_channel_send_fds(fd, HD_MSG_ICMP, NULL, NULL, 0, &s->icmp, 1) : 0;
    if (error < 0) {
        hd_system_router_missed(s, HD_MSG_ICMP, error);
    }
}

void hd_system_router_tell_interface(struct hd_system *s, const struct hd_in_interface *i)
{
    struct hd_msg_interface m = {.interface = *i};
    tell(s, HD_MSG_INTERFACE, &m, NULL, 0);
}

void hd_system_router_tell_address(struct hd_system *s, const struct hd_in_address *a)
{
    struct hd_msg_address m = {.address = *a};
    tell(s, HD_MSG_ADDRESS, &m, NULL, 0);
}

void hd_system_router_tell_virtual(struct hd_system *s, enum hd_message_type type,
                                   const struct hd_msg_virtual *m)
{
    tell(s, type, m, NULL, 0);
}

void hd_system_router_tell_foreign(struct hd_system *s)
{
    struct hd_msg_foreign m = {.count = s->foreign_count};
    uint32_t n = HD_MIN(s->foreign_count, (uint32_t)HD_FOREIGN_MAX);
    tell(s, HD_MSG_FOREIGN, &m, s->foreign, n * sizeof s->foreign[0]);
}

/* --- requests ------------------------------------------------------------------------------------
 */

static void on_save(struct hd_system *s, const struct hd_message *m)
{
    const struct hd_msg_value *v = m->body;
    const struct hd_core_ops *ops = hd_core_ops((uint8_t)v->core);
    bool identity = v->core == HD_CORE_KIRA && v->key == HD_KIRA_SAVED_IDENTITY;
    if (ops == NULL || v->key == 0 || v->key > HD_STATE_KEYS_MAX ||
        (identity && m->tail_len != sizeof s->id)) {
        hd_log_line(&s->log, HD_LOG_ERROR, "save-refused", "core=%u key=%u", v->core, v->key);
        return;
    }
    if (hd_state_save(HD_CHANNEL_STATE_FD, ops->name, v->key, m->tail, m->tail_len, identity) < 0) {
        hd_log_line(&s->log, HD_LOG_ERROR, "not-saved", "core=%s key=%u error=\"%s\"", ops->name,
                    v->key, strerror(errno));
        return;
    }
    struct hd_msg_value done = {.core = v->core, .key = v->key};
    tell(s, HD_MSG_SAVE_DONE, &done, NULL, 0);
    if (identity && memcmp(m->tail, &s->id, sizeof s->id) != 0) {
        hd_system_begin_anew(s, false, "new-identity");
    }
}

static void on_route_mtu(struct hd_system *s, const struct hd_msg_route_mtu *r)
{
    uint32_t kira0 = s->handles.kira0_ifindex;
    if (kira0 == 0 || r->prefix.b[0] != s->node_prefix >> 8 ||
        r->prefix.b[1] != (s->node_prefix & 0xff) || r->len <= 16 || r->len > 128 ||
        (r->mtu != 0 && r->mtu < HD_INNER_MTU)) {
        hd_log_line(&s->log, HD_LOG_ERROR, "route-refused", "len=%u mtu=%u", r->len, r->mtu);
        return;
    }
    int error;
    if (r->mtu == 0) {
        error = hd_rtnl_route_del(&s->rtnl, &r->prefix, (uint8_t)r->len, kira0);
        s->mtu_routes -= error == 0 && s->mtu_routes > 0;
    } else if (s->mtu_routes < HD_SYSTEM_MTU_ROUTES_MAX) {
        error = hd_rtnl_route_set(&s->rtnl, &r->prefix, (uint8_t)r->len, kira0, r->mtu);
        s->mtu_routes += error == 0;
    } else {
        error = HD_ELIMIT;
    }
    if (error < 0 && error != HD_ENOENT) {
        hd_log_line(&s->log, HD_LOG_WARNING, "mtu-route-not-set", "mtu=%u error=%s", r->mtu,
                    hd_error_name(error));
    }
}

static void on_message(struct hd_system *s, struct hd_message *m)
{
    const struct hd_msg_port *p = m->body;
    switch ((enum hd_message_type)m->type) {
    case HD_MSG_HELLO:
        if (hd_channel_hello_check(m) < 0) {
            hd_log_line(&s->log, HD_LOG_ERROR, "other-build", "peer=router");
            s->stop = s->keep = true;
        }
        break;
    case HD_MSG_OPEN_PORT:
        hd_system_port_open(s, p);
        break;
    case HD_MSG_CLOSE_PORT:
        hd_system_port_close(s, p);
        break;
    case HD_MSG_SAVE:
        on_save(s, m);
        break;
    case HD_MSG_VIRTUAL:
        hd_system_virtual(s, m->body);
        break;
    case HD_MSG_ROUTE_MTU:
        on_route_mtu(s, m->body);
        break;
    default:
        hd_log_line(&s->log, HD_LOG_ERROR, "unexpected-record", "type=%u", m->type);
        break;
    }
    hd_message_close(m);
}

static void on_channel(void *user, uint32_t events)
{
    struct hd_system *s = user;
    struct hd_message m;
    for (unsigned i = 0; i < 64 && s->router_source.fd >= 0; i++) {
        int got = hd_channel_receive(s->router_source.fd, s->buffer, HD_CHANNEL_MAX, &m);
        if (got == 1) {
            on_message(s, &m);
        } else if (got == 0) {
            return;
        } else if (got == HD_ENOENT) {
            int fd = s->router_source.fd;
            hd_loop_del(&s->loop, &s->router_source);
            close(fd); /* the keeper will bring another */
            return;
        }
    }
}

static void tell_all(struct hd_system *s)
{
    s->untold = false;
    tell_begin(s);
    tell_saved(s);
    tell_forwarding(s);
    for (uint32_t i = 0; i < s->interfaces.len; i++) {
        hd_system_router_tell_interface(s, &s->interfaces.v[i].told);
    }
    for (uint32_t i = 0; i < s->addresses.len; i++) {
        hd_system_router_tell_address(s, &s->addresses.v[i].a);
    }
    hd_system_ports_tell(s);
    hd_system_virtuals_tell(s);
    hd_system_router_tell_foreign(s);
    tell(s, HD_MSG_SYNCED, NULL, NULL, 0);
}

void hd_system_router_tell_missed(struct hd_system *s)
{
    if (s->untold && s->router_source.fd >= 0) {
        tell_all(s);
    }
}

void hd_system_router_connect(struct hd_system *s, int fd)
{
    int old = s->router_source.fd;
    if (old >= 0) {
        hd_loop_del(&s->loop, &s->router_source);
        close(old);
    }
    s->router_source = (struct hd_loop_source){fd, s, on_channel};
    if (hd_loop_add(&s->loop, &s->router_source) < 0 || hd_channel_hello(fd, HD_ROLE_SYSTEM) < 0) {
        hd_log_line(&s->log, HD_LOG_ERROR, "no-channel", "peer=router");
    }
    hd_system_flush_mtu_routes(s);
    tell_all(s);
    /* Whoever comes after this router finds the data plane as this one leaves it. */
    s->adopted = true;
}

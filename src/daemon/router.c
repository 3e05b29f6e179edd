/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router role: start, loop, and the channels to keeper and system (router.h).
 *
 * Everything that system tells at the begin of a channel is collected until SYNCED; then the driver
 * is made, the data plane adopted, the core started, and the interfaces given to it. When a later
 * system tells the same things again, interfaces are compared and the rest is only checked: if the
 * node or its data plane is another one now, this process has no future, and its successor begins
 * with the new facts.
 */
#include "daemon/router.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/kira/kira.h"
#include "core/sample/sample.h"
#include "daemon/privileges.h"
#include "lib/base.h"

#define PRIORITY    2
#define OFFERS_LAST HD_SEC(10) /* by then a configuration has said what runs */
#define PORT_RETRY  HD_SEC(1)

static void leave(struct hd_router_role *r, const char *cause)
{
    hd_log_line(&r->log, HD_LOG_NOTICE, cause, "next=restart");
    r->stop = r->keep = true;
    r->exit_status = 3;
}

/* --- interfaces ----------------------------------------------------------------------------------
 */

/* The first hello goes out with the first interface: not before there is a socket for it. */
static void begin_interfaces(struct hd_router_role *r)
{
    if (!r->started || r->interfaces_told || !hd_driver_ports_open(&r->driver, r->begin.core)) {
        return;
    }
    r->interfaces_told = true;
    hd_router_tell_interfaces(r);
    hd_log_line(&r->log, HD_LOG_INFO, "started", "resumed=%d interfaces=%u realtime=%d", r->resumed,
                r->interface_count, hd_privileges_is_realtime());
    (void)!hd_channel_send(HD_CHANNEL_KEEPER_FD, HD_MSG_READY, NULL, NULL, 0);
}

static void on_foreign(struct hd_router_role *r, const struct hd_message *m)
{
    memset(r->foreign, 0, sizeof r->foreign);
    if (m->tail_len > 0) {
        memcpy(r->foreign, m->tail, HD_MIN(m->tail_len, sizeof r->foreign));
    }
    r->foreign_count = ((const struct hd_msg_foreign *)m->body)->count;
}

/* --- start ---------------------------------------------------------------------------------------
 */

/* A table that was damaged is refused: the core then begins like after a power failure. */
static bool adopted_something(struct hd_router_role *r)
{
    const struct hd_model *m = hd_router_model(r->driver.router);
    for (int kind = HD_OBJ_ADJ; kind <= HD_OBJ_ROUTE; kind++)
        if (hd_model_next(m, (enum hd_object_kind)kind, 0) != 0)
            return true;
    return false;
}

static int start_core(struct hd_router_role *r)
{
    struct hd_kira_config kira;
    struct hd_sample_config sample;
    struct hd_start s = {.saved = r->saved,
                         .saved_count = r->saved_count,
                         .resumed = r->resumed,
                         .key = r->begin.key};
    if (r->begin.core == HD_CORE_KIRA) {
        hd_router_kira_config(r, NULL, &kira);
        s.config = &kira;
        s.config_len = sizeof kira;
    } else if (r->begin.core == HD_CORE_SAMPLE) {
        const uint8_t *b = &r->begin.own_address.b[12];
        hd_sample_config_default(&sample);
        sample.node = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        s.config = &sample;
        s.config_len = sizeof sample;
    }
    return hd_driver_start(&r->driver, r->begin.core, &s);
}

static int start_driver(struct hd_router_role *r)
{
    struct hd_driver_host host = hd_router_host;
    host.user = r;
    struct hd_driver_options o = {.loop = &r->loop,
                                  .log = &r->log,
                                  .host = &host,
                                  .core = r->begin.core,
                                  .seed = r->begin.seed,
                                  .own_address = r->begin.own_address,
                                  .label_prefix = r->begin.label_prefix,
                                  .recording = r->recording,
                                  .recording_bytes = r->options.recording_bytes};
    int error = hd_driver_init(&r->driver, &o);
    if (error < 0) {
        return error;
    }
    r->driver.keys = r->keys;
    error = hd_driver_forwarding(&r->driver, &r->handles, r->begin.adopted != 0);
    if (error == 0 && r->sender >= 0) {
        error = hd_driver_sender(&r->driver, r->sender, HD_CORE_BFD, true);
        r->sender = -1;
    }
    if (error == 0 && r->icmp >= 0) {
        error = hd_driver_icmp(&r->driver, r->icmp);
    }
    if (error == 0) {
        hd_router_virtuals_adopt(r);
        r->resumed = r->begin.adopted && adopted_something(r);
        error = start_core(r);
    }
    return error;
}

static void forget_saved(struct hd_router_role *r)
{
    for (uint32_t i = 0; i < r->saved_count; i++) {
        free((void *)(uintptr_t)r->saved[i].bytes);
    }
    r->saved_count = 0;
}

static void on_synced(struct hd_router_role *r)
{
    if (!r->begun) {
        return;
    }
    if (r->started) {
        hd_router_links_sweep(r);
        hd_router_host_repeat(r);
        return;
    }
    int error = start_driver(r);
    if (error < 0) {
        hd_log_line(&r->log, HD_LOG_ERROR, "not-started", "error=%s", hd_error_name(error));
        r->stop = r->keep = true;
        r->exit_status = 1;
        return;
    }
    forget_saved(r);
    r->started = true;
    r->started_at = hd_clock_now();
    r->offers_until = r->started_at + OFFERS_LAST;
    hd_router_recall(r);
    begin_interfaces(r);
}

/* --- records of system ---------------------------------------------------------------------------
 */

static void on_begin(struct hd_router_role *r, const struct hd_msg_begin *b)
{
    if (r->started && (!hd_id_equal(&b->id, &r->begin.id) || b->key != r->begin.key ||
                       b->core != r->begin.core)) {
        leave(r, "node-changed");
        return;
    }
    hd_router_links_begin(r);
    if (!r->started) {
        forget_saved(r);
        hd_router_offers_forget(r);
        r->found_count = 0;
        r->begin = *b;
        r->begin.state_dir[sizeof r->begin.state_dir - 1] = '\0';
        r->begun = true;
    }
}

static void on_saved(struct hd_router_role *r, const struct hd_message *m)
{
    const struct hd_msg_value *v = m->body;
    uint8_t *copy;
    if (r->started || r->saved_count == HD_ROUTER_SAVES_MAX ||
        (copy = malloc(HD_MAX(m->tail_len, 1u))) == NULL) {
        return;
    }
    memcpy(copy, m->tail, m->tail_len);
    r->saved[r->saved_count++] =
        (struct hd_saved_value){.key = v->key, .len = m->tail_len, .bytes = copy};
}

static void on_forwarding(struct hd_router_role *r, struct hd_message *m)
{
    struct hd_fwd_handles h = ((const struct hd_msg_forwarding *)m->body)->handles;
    h.features[sizeof h.features - 1] = '\0';
    if (r->started) {
        if (h.backend != r->handles.backend || h.kira0_ifindex != r->handles.kira0_ifindex ||
            h.node_prefix != r->handles.node_prefix || h.label_prefix != r->handles.label_prefix) {
            leave(r, "data-plane-changed");
        }
        memcpy(r->handles.features, h.features, sizeof h.features);
        return; /* the same kernel objects: the descriptors that we have serve */
    }
    if (h.count != m->nfds || h.count > HD_FWD_FDS_MAX) {
        leave(r, "data-plane-incomplete");
        return;
    }
    for (uint32_t i = 0; i < r->handles.count; i++) {
        close(r->handles.fds[i]); /* of a system that died while it told us */
    }
    r->handles = h;
    memcpy(r->handles.fds, m->fds, sizeof r->handles.fds);
    m->nfds = 0;
}

static void on_icmp(struct hd_router_role *r, struct hd_message *m)
{
    if (r->started) {
        return;
    }
    if (r->icmp >= 0) {
        close(r->icmp);
    }
    r->icmp = m->fds[0];
    m->nfds = 0;
}

static void on_key(struct hd_router_role *r, const struct hd_msg_key *m)
{
    struct hd_key k;
    memcpy(k.b, m->bytes, sizeof k.b);
    if (!r->started && hd_keyring_set(&r->keys, m->handle, &k) < 0) {
        leave(r, "key-refused");
    }
    hd_key_wipe(&k);
}

static void on_port(struct hd_router_role *r, struct hd_message *m)
{
    const struct hd_msg_port_opened *p = m->body;
    if (p->error < 0 || m->nfds == 0 || !r->started) {
        /* Without its port the core is deaf. If it is the one that heddled is for: better to try
         * again, more and more rarely. */
        hd_log_line(&r->log, HD_LOG_ERROR, "port-not-open", "core=%u port=%u error=%s", p->core,
                    p->port, hd_error_name(p->error));
        if (r->started && p->core != r->begin.core) {
            r->ports_retry_at = hd_clock_now() + PORT_RETRY;
        } else {
            leave(r, "no-port");
        }
        return;
    }
    int witness = m->nfds > 1 ? m->fds[1] : -1;
    m->nfds = 0;
    if (hd_driver_port_opened(&r->driver, p->core, p->port, m->fds[0], witness) < 0) {
        leave(r, "port-refused");
    }
    begin_interfaces(r);
}

static void on_system_message(struct hd_router_role *r, struct hd_message *m)
{
    switch ((enum hd_message_type)m->type) {
    case HD_MSG_HELLO:
        if (hd_channel_hello_check(m) < 0) {
            leave(r, "other-build");
        }
        break;
    case HD_MSG_BEGIN:
        on_begin(r, m->body);
        break;
    case HD_MSG_KEY:
        on_key(r, m->body);
        explicit_bzero((void *)(uintptr_t)m->body, sizeof(struct hd_msg_key));
        break;
    case HD_MSG_SAVED:
        on_saved(r, m);
        break;
    case HD_MSG_FORWARDING:
        on_forwarding(r, m);
        break;
    case HD_MSG_ICMP:
        on_icmp(r, m);
        break;
    case HD_MSG_INTERFACE:
        hd_router_on_interface(r, &((const struct hd_msg_interface *)m->body)->interface);
        break;
    case HD_MSG_ADDRESS:
        hd_router_on_address(r, &((const struct hd_msg_address *)m->body)->address);
        break;
    case HD_MSG_KEPT_PORT:
        hd_router_offer(r, m);
        break;
    case HD_MSG_FOUND:
        hd_router_virtual_found(r, m->body);
        break;
    case HD_MSG_VIRTUAL_DONE:
        hd_router_virtual_done(r, m->body);
        break;
    case HD_MSG_FOREIGN:
        on_foreign(r, m);
        break;
    case HD_MSG_SYNCED:
        on_synced(r);
        break;
    case HD_MSG_PORT:
        on_port(r, m);
        break;
    case HD_MSG_SAVE_DONE:
        hd_router_host_saved(r, m->body);
        break;
    default:
        hd_log_line(&r->log, HD_LOG_ERROR, "unexpected-record", "peer=system type=%u", m->type);
        break;
    }
    hd_message_close(m);
}

static void on_system(void *user, uint32_t events)
{
    struct hd_router_role *r = user;
    struct hd_message m;
    while (r->system.fd >= 0 && !r->stop) {
        int got = hd_channel_receive(r->system.fd, r->buffer, HD_CHANNEL_MAX, &m);
        if (got == 1) {
            on_system_message(r, &m);
        } else if (got == HD_ENOENT) {
            int fd = r->system.fd;
            hd_loop_del(&r->loop, &r->system);
            close(fd); /* we go on; the keeper will bring another */
        } else if (got == 0) {
            return;
        }
    }
}

static void connect_system(struct hd_router_role *r, int fd)
{
    int old = r->system.fd;
    if (old >= 0) {
        hd_loop_del(&r->loop, &r->system);
        close(old);
    }
    r->system = (struct hd_loop_source){fd, r, on_system};
    if (hd_loop_add(&r->loop, &r->system) < 0 || hd_channel_hello(fd, HD_ROLE_ROUTER) < 0) {
        hd_log_line(&r->log, HD_LOG_ERROR, "no-channel", "peer=system");
    }
}

/* --- records of the keeper -----------------------------------------------------------------------
 */

static void on_peer(struct hd_router_role *r, struct hd_message *m)
{
    uint32_t peer = ((const struct hd_msg_peer *)m->body)->role;
    int fd = m->fds[0];
    m->nfds = 0;
    if (peer == HD_ROLE_SYSTEM) {
        connect_system(r, fd);
    } else if (peer == HD_ROLE_MANAGE) {
        hd_router_manage_connect(r, fd);
    } else {
        close(fd);
    }
}

static void on_keeper_message(struct hd_router_role *r, struct hd_message *m)
{
    switch ((enum hd_message_type)m->type) {
    case HD_MSG_HELLO:
        if (hd_channel_hello_check(m) < 0) {
            leave(r, "other-build");
        }
        break;
    case HD_MSG_PEER:
        on_peer(r, m);
        break;
    case HD_MSG_STOP:
        r->stop = true;
        r->keep = ((const struct hd_msg_stop *)m->body)->keep != 0;
        break;
    case HD_MSG_SENDER:
        if (r->sender < 0) {
            r->sender = m->fds[0];
            m->nfds = 0;
        }
        break;
    case HD_MSG_RECALL:
        hd_router_recall_map(r, m->fds[0]);
        break;
    case HD_MSG_PROCESSES:
        memset(r->processes, 0, sizeof r->processes);
        memcpy(r->processes, m->tail, HD_MIN(m->tail_len, sizeof r->processes));
        r->processes_at = hd_clock_now();
        break;
    default:
        break;
    }
    hd_message_close(m);
}

static void on_keeper(void *user, uint32_t events)
{
    struct hd_router_role *r = user;
    struct hd_message m;
    int got;
    while ((got = hd_channel_receive(HD_CHANNEL_KEEPER_FD, r->buffer, HD_CHANNEL_MAX, &m)) == 1) {
        on_keeper_message(r, &m);
    }
    if (got == HD_ENOENT) {
        _exit(0); /* all go when the keeper goes; forwarding stays */
    }
}

/* --- main ----------------------------------------------------------------------------------------
 */

static int give_up_privileges(struct hd_router_role *r)
{
    char words[sizeof r->sandbox - 16] = "";
    (void)hd_privileges_realtime(PRIORITY); /* `status` tells whether it was allowed */
    if (hd_keys_init() < 0 || hd_privileges_drop_all(words, sizeof words) < 0) {
        return HD_ESYS;
    }
    /* The first line of the log makes the C library read what it needs for the time. */
    hd_log_line(&r->log, HD_LOG_DEBUG, "begin", "pid=%d", (int)getpid());
    if (hd_privileges_filter_router() < 0) {
        return HD_ESYS;
    }
    snprintf(r->sandbox, sizeof r->sandbox, "seccomp, %s", words);
    return 0;
}

/* The router runs as well without it. */
static void map_recording(struct hd_router_role *r)
{
    size_t bytes = r->options.recording_bytes;
    void *at = bytes > 0 ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                                HD_CHANNEL_RECORDING_FD, 0)
                         : MAP_FAILED;
    if (at != MAP_FAILED) {
        r->recording = at;
        close(HD_CHANNEL_RECORDING_FD);
    }
}

static int init(struct hd_router_role *r, const struct hd_options *o)
{
    r->options = *o;
    r->icmp = r->sender = r->system.fd = r->manage.fd = -1;
    r->offers_until = r->ports_retry_at = HD_NEVER;
    map_recording(r);
    r->buffer = malloc(HD_CHANNEL_MAX);
    r->rows = malloc(HD_CHANNEL_TAIL_MAX);
    signal(SIGPIPE, SIG_IGN);
    hd_keyring_init(&r->keys);
    hd_log_init(&r->log, "router", o->log_level);
    if (r->buffer == NULL || r->rows == NULL || hd_loop_init(&r->loop) < 0 ||
        hd_channel_hello(HD_CHANNEL_KEEPER_FD, HD_ROLE_ROUTER) < 0) {
        return HD_ESYS;
    }
    r->keeper = (struct hd_loop_source){HD_CHANNEL_KEEPER_FD, r, on_keeper};
    return hd_loop_add(&r->loop, &r->keeper);
}

static hd_time next_deadline(const struct hd_router_role *r)
{
    hd_time at = hd_time_min(r->offers_until, r->ports_retry_at);
    return hd_time_min(hd_time_min(at, hd_router_virtuals_deadline(r)),
                       hd_driver_deadline(&r->driver));
}

/* What the driver's host has to do by time. */
static void serve_host(struct hd_router_role *r)
{
    hd_time now = r->driver.now;
    hd_router_virtuals_flush(r);
    if (r->offers_until <= now) {
        hd_router_offers_forget(r);
        r->offers_until = HD_NEVER;
    }
    if (r->ports_retry_at <= now) {
        r->ports_retry_at = HD_NEVER;
        hd_driver_repeat_ports(&r->driver);
    }
}

int hd_router_role_main(const struct hd_options *o)
{
    struct hd_router_role *r = calloc(1, sizeof *r);
    if (r == NULL || init(r, o) < 0) {
        return 1;
    }
    if (give_up_privileges(r) < 0) {
        static const char sentence[] = "the router process cannot give up its privileges";
        (void)!hd_channel_send(HD_CHANNEL_KEEPER_FD, HD_MSG_FATAL, NULL, sentence,
                               sizeof sentence - 1);
        return 1;
    }
    while (!r->stop) {
        hd_loop_wait(&r->loop, r->started ? next_deadline(r) : HD_NEVER);
        hd_privileges_realtime_again();
        if (r->started && !r->stop) {
            hd_driver_turn(&r->driver);
            serve_host(r);
        }
    }
    if (r->started && !r->keep) {
        hd_driver_stop(&r->driver);
        hd_router_virtuals_last(r);
    }
    return r->exit_status;
}

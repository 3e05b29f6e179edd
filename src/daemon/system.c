/* SPDX-License-Identifier: Apache-2.0 */
/* The system role: start, loop, and the channel to the keeper (system.h). */
#include "daemon/system.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/sample/sample.h"
#include "daemon/privileges.h"
#include "daemon/state_files.h"
#include "lib/base.h"
#include "lib/code_points.h"
#include "linux/icmp.h"
#include "router/router.h"

#define FORWARDING_NAME "forwarding" /* of the deposit; then back-end and kira0's ifindex */
#define PRIORITY        2

int hd_system_refuse(struct hd_system *s, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->sentence, sizeof s->sentence, format, args);
    va_end(args);
    return error;
}

void hd_system_begin_anew(struct hd_system *s, bool keep, const char *cause)
{
    hd_log_line(&s->log, HD_LOG_WARNING, cause, "next=repair");
    s->stop = true;
    s->keep = keep;
    s->exit_status = 3;
}

/* --- the keeper ----------------------------------------------------------------------------------
 */

static void forget_kept(struct hd_system *s)
{
    for (uint32_t i = 0; i < s->kept.count; i++) {
        close(s->kept.fds[i]);
    }
    s->kept.count = 0;
}

static void adopt_deposit(struct hd_system *s, struct hd_message *m)
{
    const struct hd_msg_name *name = m->body;
    unsigned backend, kira0;
    if (sscanf(name->name, FORWARDING_NAME "-%u-%u", &backend, &kira0) != 2) {
        hd_system_ports_adopt(s, m);
        return;
    }
    forget_kept(s);
    s->kept_name = *name;
    s->kept.backend = backend;
    s->kept.kira0_ifindex = kira0;
    s->kept.count = m->nfds;
    memcpy(s->kept.fds, m->fds, sizeof s->kept.fds);
    m->nfds = 0;
}

/* The descriptor of the new channel when it was a PEER, else -1. */
static int on_keeper_message(struct hd_system *s, struct hd_message *m)
{
    int peer = -1;
    if (m->type == HD_MSG_HELLO && hd_channel_hello_check(m) < 0) {
        s->stop = s->keep = true;
    } else if (m->type == HD_MSG_PEER) {
        peer = m->fds[0];
        m->nfds = 0;
    } else if (m->type == HD_MSG_DEPOSITED) {
        adopt_deposit(s, m);
    } else if (m->type == HD_MSG_STOP) {
        s->stop = true;
        s->keep = ((const struct hd_msg_stop *)m->body)->keep != 0;
    }
    hd_message_close(m);
    return peer;
}

static void on_keeper(void *user, uint32_t events)
{
    struct hd_system *s = user;
    struct hd_message m;
    int got;
    while ((got = hd_channel_receive(HD_CHANNEL_KEEPER_FD, s->buffer, HD_CHANNEL_MAX, &m)) == 1) {
        int peer = on_keeper_message(s, &m);
        if (peer >= 0) {
            hd_system_router_connect(s, peer);
        }
    }
    if (got == HD_ENOENT) {
        _exit(0); /* without the keeper nothing is orderly: forwarding stays as it is */
    }
}

/* What the keeper says before we begin: deposits, then the channel to the router, which is
 * returned. */
static int wait_for_peer(struct hd_system *s)
{
    struct pollfd p = {.fd = HD_CHANNEL_KEEPER_FD, .events = POLLIN};
    struct hd_message m;
    while (!s->stop) {
        int got = hd_channel_receive(HD_CHANNEL_KEEPER_FD, s->buffer, HD_CHANNEL_MAX, &m);
        if (got == HD_ENOENT) {
            _exit(0);
        }
        int peer = got == 1 ? on_keeper_message(s, &m) : -1;
        if (peer >= 0) {
            return peer;
        }
        if (got == 0) {
            poll(&p, 1, -1);
        }
    }
    return HD_ENOENT;
}

static void deposit_forwarding(struct hd_system *s)
{
    struct hd_msg_name name = {{0}};
    snprintf(name.name, sizeof name.name, FORWARDING_NAME "-%u-%u", s->handles.backend,
             s->handles.kira0_ifindex);
    /* That of a data plane which is no more must not be taken for this one later. */
    if (s->kept_name.name[0] != '\0' && strcmp(s->kept_name.name, name.name) != 0) {
        (void)!hd_channel_send(HD_CHANNEL_KEEPER_FD, HD_MSG_DEPOSIT, &s->kept_name, NULL, 0);
    }
    forget_kept(s);
    /* Programs keep eBPF's maps and pins name them; a TUN would be gone without a holder. */
    if (s->handles.backend == HD_FWD_TUN &&
        hd_channel_send_fds(HD_CHANNEL_KEEPER_FD, HD_MSG_DEPOSIT, &name, NULL, 0, s->handles.fds,
                            s->handles.count) < 0) {
        hd_log_line(&s->log, HD_LOG_WARNING, "not-deposited", "name=%s", name.name);
    }
}

/* --- beginning -----------------------------------------------------------------------------------
 */

static int read_fabric(struct hd_system *s)
{
    char path[HD_PATH_BYTES], why[HD_KEYS_WHY_SIZE] = "";
    struct hd_key fabric;
    if (s->options.open || access(hd_options_state_path(&s->options, "open", path), F_OK) == 0) {
        return 0;
    }
    int error = hd_keys_init();
    if (error == 0) {
        error = hd_key_load(hd_options_state_path(&s->options, "fabric.key", path), &fabric, why);
    }
    if (error < 0) {
        return hd_system_refuse(s, error, "%s", why);
    }
    hd_key_link(&fabric, &s->link);
    hd_key_wipe(&fabric);
    s->closed = true;
    return 0;
}

/* The sample core's numbers are short: the end of the identifier serves. */
static uint32_t sample_number(const struct hd_id *id)
{
    uint32_t n = 0;
    for (unsigned i = HD_ID_BYTES - 4; i < HD_ID_BYTES; i++) {
        n = n << 8 | id->b[i];
    }
    return n != 0 ? n : 1;
}

static void name_node(struct hd_system *s)
{
    const struct hd_settings *c = &s->settings;
    s->node_prefix = c->node_prefix != 0 ? c->node_prefix : HD_KIRA_NODE_PREFIX;
    s->label_prefix = c->label_prefix != 0 ? c->label_prefix : HD_KIRA_LABEL_PREFIX;
    s->own_address = hd_id_to_ip6(&s->id, s->node_prefix);
    if (s->options.core == HD_CORE_SAMPLE) {
        s->own_address = hd_sample_address(sample_number(&s->id));
        s->node_prefix = (uint16_t)(s->own_address.b[0] << 8 | s->own_address.b[1]);
    }
}

static bool kept_fits(const struct hd_system *s)
{
    return s->kept.count > 0 && s->kept.kira0_ifindex == s->interfaces.kira0;
}

static int try_backend(struct hd_system *s, enum hd_fwd_backend backend, char *why)
{
    char pins[HD_PATH_BYTES];
    struct hd_fwd_setup_options o = {.backend = backend,
                                     .own_address = s->own_address,
                                     .own_id = s->id,
                                     .node_prefix = s->node_prefix,
                                     .label_prefix = s->label_prefix,
                                     .pin_dir = hd_options_run_path(&s->options, "bpf", pins),
                                     .adopt = s->adopted,
                                     .kept = kept_fits(s) ? &s->kept : NULL};
    return hd_fwd_setup_open(&s->fwd, &o, why);
}

static int set_up_forwarding(struct hd_system *s)
{
    char first[HD_SYSTEM_SENTENCE] = "", second[HD_SYSTEM_SENTENCE] = "";
    enum hd_backend_choice choice = s->options.backend;
    int error = HD_EUNSUPPORTED;
    if (choice == HD_BACKEND_NONE) {
        return 0;
    }
    if (choice != HD_BACKEND_TUN) {
        error = try_backend(s, HD_FWD_EBPF, first);
    }
    if (error < 0 && choice != HD_BACKEND_EBPF) {
        if (choice == HD_BACKEND_AUTO) {
            hd_log_line(&s->log, HD_LOG_NOTICE, "no-ebpf", "why=\"%s\"", first);
        }
        error = try_backend(s, HD_FWD_TUN, second);
    }
    if (error < 0) {
        return hd_system_refuse(s, error, "no data plane: %.200s%s%.200s", first,
                                first[0] != '\0' && second[0] != '\0' ? "; " : "", second);
    }
    hd_fwd_setup_handles(s->fwd, &s->handles);
    deposit_forwarding(s);
    s->icmp = hd_icmp_open(s->label_prefix);
    if (s->icmp < 0) {
        hd_log_line(&s->log, HD_LOG_WARNING, "no-icmp-socket", "effect=no-path-mtu");
    }
    return 0;
}

/* What was configured counts where the command line says nothing. */
static void take_settings(struct hd_system *s)
{
    struct hd_settings *c = &s->settings;
    hd_settings_read(c, HD_CHANNEL_STATE_FD);
    s->options.open |= c->open;
    for (unsigned i = 0; s->options.glob_count == 0 && i < c->glob_count; i++) {
        s->options.globs[i] = c->globs[i];
    }
    if (s->options.glob_count == 0) {
        s->options.glob_count = c->glob_count;
    }
}

static int begin(struct hd_system *s)
{
    take_settings(s);
    int error = hd_state_identity(HD_CHANNEL_STATE_FD, &s->id);
    if (error < 0) {
        return hd_system_refuse(s, error, "cannot read or write the identity in %s/state",
                                s->options.state_dir);
    }
    if (!hd_id_is_zero(&s->settings.id)) {
        s->id = s->settings.id;
    }
    error = read_fabric(s);
    if (error < 0) {
        return error;
    }
    name_node(s);
    error = hd_system_kernel_open(s);
    if (error < 0) {
        return error;
    }
    s->adopted = hd_system_kira0_is_ours(s);
    error = set_up_forwarding(s);
    if (error == 0) {
        error = hd_system_kernel_begin(s);
    }
    return error;
}

static int init(struct hd_system *s, const struct hd_options *o)
{
    s->options = *o;
    s->icmp = s->router_source.fd = -1;
    s->buffer = malloc(HD_CHANNEL_MAX);
    signal(SIGPIPE, SIG_IGN);
    hd_log_init(&s->log, "system", o->log_level);
    if (s->buffer == NULL || hd_loop_init(&s->loop) < 0 ||
        hd_channel_hello(HD_CHANNEL_KEEPER_FD, HD_ROLE_SYSTEM) < 0) {
        return HD_ESYS;
    }
    s->keeper_source = (struct hd_loop_source){HD_CHANNEL_KEEPER_FD, s, on_keeper};
    return 0;
}

static int fail(struct hd_system *s)
{
    if (s->fwd != NULL) {
        hd_fwd_setup_close(s->fwd, s->adopted);
    }
    (void)!hd_channel_send_wait(HD_CHANNEL_KEEPER_FD, HD_MSG_FATAL, NULL, s->sentence,
                                strlen(s->sentence), 100);
    return 1;
}

static int leave(struct hd_system *s)
{
    if (!s->keep && s->exit_status == 0) { /* not: a data plane that is made anew */
        hd_system_virtuals_end(s);
    }
    if (s->fwd != NULL) {
        if (!s->keep) {
            hd_system_flush_mtu_routes(s);
        }
        hd_fwd_setup_close(s->fwd, s->keep);
    }
    return s->exit_status;
}

int hd_system_main(const struct hd_options *o)
{
    struct hd_system *s = calloc(1, sizeof *s);
    if (s == NULL || init(s, o) < 0) {
        return 1;
    }
    int peer = wait_for_peer(s);
    if (peer < 0) {
        return 0;
    }
    if (begin(s) < 0) {
        return fail(s);
    }
    bool realtime = hd_privileges_realtime(PRIORITY);
    if (hd_privileges_keep_network() < 0) {
        (void)hd_system_refuse(s, HD_ESYS, "cannot give up privileges");
        return fail(s);
    }
    hd_log_line(&s->log, HD_LOG_INFO, "set-up", "backend=%u adopted=%d realtime=%d features=\"%s\"",
                s->handles.backend, s->adopted, realtime, s->handles.features);
    if (hd_loop_add(&s->loop, &s->keeper_source) < 0 ||
        hd_channel_send(HD_CHANNEL_KEEPER_FD, HD_MSG_READY, NULL, NULL, 0) < 0) {
        return 1;
    }
    hd_system_router_connect(s, peer);
    while (!s->stop) {
        hd_system_virtuals_settle(s);
        hd_loop_wait(&s->loop, s->reconcile_at);
        hd_privileges_realtime_again();
        if (!s->stop && hd_clock_now() >= s->reconcile_at) {
            hd_system_reconcile(s);
        }
    }
    return leave(s);
}

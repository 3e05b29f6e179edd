/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router's side of a change of configuration (config/apply.c is the other): parts are collected
 * in memory that is given back afterwards; at the end each core that runs is asked whether it would
 * take its part; only when all would, cores are started, configured and stopped. So a change is all
 * or nothing. What can still fail then is memory: the answer says that it stopped halfway, and the
 * other side sends the old parts again.
 *
 * A core runs when it is configured, beside the one that heddled was started with, which always
 * runs.
 */
#include <stdlib.h>
#include <string.h>

#include "bind/config.h"
#include "core/kira/kira.h"
#include "daemon/router.h"
#include "lib/base.h"
#include "linux/driver_internal.h"

static void forget(struct hd_router_config *c)
{
    for (unsigned i = 0; i < HD_CORE_COUNT; i++) {
        free(c->part[i].bytes);
    }
    if (c->secrets.bytes != NULL) {
        explicit_bzero(c->secrets.bytes, c->secrets.total);
    }
    free(c->secrets.bytes);
    memset(c, 0, sizeof *c);
}

void hd_router_config_forget(struct hd_router_role *r)
{
    forget(&r->config);
}

/* --- collecting ----------------------------------------------------------------------------------
 */

void hd_router_config_begin(struct hd_router_role *r, const struct hd_msg_config_begin *b)
{
    forget(&r->config);
    r->config.open = true;
    r->config.id = b->id;
    r->config.error = b->layout == hd_config_layout() ? 0 : HD_EUNSUPPORTED;
}

static int take_part(struct hd_router_config_part *p, const struct hd_msg_config_part *m,
                     const void *tail, uint32_t len)
{
    bool run = m->how != HD_CONFIG_STOP, delta = m->how == HD_CONFIG_DELTA;
    if (m->total > HD_CONFIG_BYTES_MAX || m->offset != p->have || len > m->total - m->offset ||
        (p->named && (p->total != m->total || p->run != run || p->delta != delta))) {
        return HD_EMALFORMED;
    }
    if (!p->named && m->total > 0) {
        p->bytes = malloc(m->total);
        if (p->bytes == NULL) {
            return HD_ENOMEM;
        }
    }
    p->named = true;
    p->run = run;
    p->delta = delta;
    p->base = m->base;
    p->becomes = m->becomes;
    p->total = m->total;
    if (len > 0) {
        memcpy(p->bytes + p->have, tail, len);
    }
    p->have += len;
    return 0;
}

void hd_router_config_part(struct hd_router_role *r, const struct hd_message *m)
{
    const struct hd_msg_config_part *p = m->body;
    if (!r->config.open || p->id != r->config.id || r->config.error != 0) {
        return;
    }
    if (p->core == HD_CONFIG_SECRETS) {
        r->config.error = take_part(&r->config.secrets, p, m->tail, m->tail_len);
        return;
    }
    if (p->core >= HD_CORE_COUNT || hd_config_of((uint8_t)p->core) == NULL) {
        r->config.error = HD_EMALFORMED;
        return;
    }
    r->config.error = take_part(&r->config.part[p->core], p, m->tail, m->tail_len);
    r->config.refuser = p->core;
}

/* --- what a core is given ------------------------------------------------------------------------
 */

/* What heddle-kira says, with what the node itself is; NULL: nothing was configured. */
void hd_router_kira_config(const struct hd_router_role *r, const struct hd_kira_settings *s,
                           struct hd_kira_config *k)
{
    hd_kira_config_default(k);
    k->id = r->begin.id;
    k->node_prefix = r->begin.node_prefix;
    k->label_prefix = r->begin.label_prefix;
    k->require_key = r->begin.key != 0;
    k->slow_echo = r->begin.backend != HD_FWD_EBPF; /* answered in user space there */
    if (s != NULL) {
        k->bucket_size = s->bucket_size;
        k->shallow_bucket_size = s->shallow_bucket_size;
    }
}

struct given {
    const void *bytes;
    uint32_t len;
    struct hd_kira_config kira;
};

static void give(const struct hd_router_role *r, unsigned core, struct given *g)
{
    const struct hd_router_config_part *p = &r->config.part[core];
    g->bytes = p->bytes;
    g->len = p->total;
    if (core == HD_CORE_KIRA) {
        hd_router_kira_config(r, (const void *)p->bytes, &g->kira);
        g->bytes = &g->kira;
        g->len = sizeof g->kira;
    }
}

static bool runs(const struct hd_router_role *r, unsigned core)
{
    return hd_router_core_state(r->driver.router, (uint8_t)core) != NULL;
}

/* KIRA's settings are there also where another core runs in its place. What a core has is no news.
 */
static bool concerned(const struct hd_router_role *r, unsigned core)
{
    const struct hd_router_config_part *p = &r->config.part[core];
    bool same = !r->config.recalled && p->run == runs(r, core) && hd_router_recall_same(r, core);
    return p->named && !same && (core != HD_CORE_KIRA || runs(r, core));
}

/* --- asking --------------------------------------------------------------------------------------
 */

static int check_part(struct hd_router_role *r, unsigned core)
{
    const struct hd_router_config_part *p = &r->config.part[core];
    struct given g;
    if (!p->run) {
        return core == r->begin.core ? HD_EINVAL : 0;
    }
    if (p->delta) {
        return hd_router_check_change(r->driver.router, (uint8_t)core, &p->edit, r->driver.now);
    }
    const struct hd_config *c = hd_config_of((uint8_t)core);
    if (p->have != p->total || (c != NULL && !hd_config_well_formed(c, p->bytes, p->total))) {
        return HD_EMALFORMED;
    }
    if (!runs(r, core)) {
        return 0; /* its start will say */
    }
    give(r, core, &g);
    return hd_router_check(r->driver.router, (uint8_t)core, g.bytes, g.len, r->driver.now);
}

static bool secrets_fit(const struct hd_router_config_part *p)
{
    return p->have == p->total && p->total % sizeof(struct hd_config_secret) == 0 &&
           p->total / sizeof(struct hd_config_secret) <= HD_CONFIG_SECRETS_MAX;
}

static int check_all(struct hd_router_role *r)
{
    if (!secrets_fit(&r->config.secrets)) {
        return HD_EMALFORMED;
    }
    for (unsigned i = 0; i < HD_CORE_COUNT; i++) {
        int error = r->config.part[i].delta ? hd_router_delta_ready(r, i) : 0;
        if (error == 0 && concerned(r, i)) {
            error = check_part(r, i);
        }
        if (error != 0) {
            r->config.refuser = (uint16_t)i;
            return error;
        }
    }
    return 0;
}

/* --- doing ---------------------------------------------------------------------------------------
 */

/* Any input makes the driver's clock and the router's answer new; all cores may hear the time. */
static void refresh(struct hd_router_role *r)
{
    struct hd_input in = {
        .type = HD_IN_WALL_CLOCK,
        .u.wall_clock = {.unix_ns = hd_clock_now() + r->driver.ahead, .error_ns = HD_SEC(1)}};
    hd_driver_input(&r->driver, &in);
}

static int configure_core(struct hd_router_role *r, unsigned core)
{
    const struct hd_router_config_part *p = &r->config.part[core];
    struct hd_driver *d = &r->driver;
    struct given g;
    int error;
    if (p->delta) {
        error = hd_driver_call_change(d, (uint8_t)core, p->bytes, p->total);
    } else {
        give(r, core, &g);
        error = hd_driver_call_configure(d, (uint8_t)core, g.bytes, g.len);
    }
    hd_driver_realise(d);
    return error;
}

static int start_core(struct hd_router_role *r, unsigned core)
{
    struct hd_router_core c = {.core = (uint8_t)core, .start = {.key = r->begin.key}};
    struct given g;
    give(r, core, &g);
    c.start.config = g.bytes;
    c.start.config_len = g.len;
    int error = hd_driver_call_start(&r->driver, &c);
    if (error == 0) {
        hd_driver_realise(&r->driver);
        r->config.started = true;
    }
    return error;
}

static int change_core(struct hd_router_role *r, unsigned core)
{
    if (!runs(r, core)) {
        return start_core(r, core);
    }
    return configure_core(r, core);
}

static void stop_core(struct hd_router_role *r, unsigned core)
{
    hd_driver_call_stop_core(&r->driver, (uint8_t)core);
    hd_driver_realise(&r->driver);
}

/*
 * Secrets are with the sender before a core names them, and until none does: `last` takes away
 * those that are not named any more. Where there is no sender, nothing is signed either.
 */
static int take_secrets(struct hd_router_role *r, bool last)
{
    const struct hd_router_config_part *p = &r->config.secrets;
    uint32_t count = p->total / (uint32_t)sizeof(struct hd_config_secret), old = r->secret_count;
    const struct hd_config_secret *s = (const void *)p->bytes;
    uint32_t handles[HD_CONFIG_SECRETS_MAX];
    if (!p->named) {
        return 0;
    }
    for (uint32_t i = 0; i < count && !last; i++) {
        int error = hd_driver_secret(&r->driver, s[i].handle, s[i].bytes,
                                     HD_MIN(s[i].len, (uint8_t)sizeof s[i].bytes));
        if (error != 0 && error != HD_ENOENT) {
            return error;
        }
    }
    memcpy(handles, r->secrets, sizeof handles);
    for (uint32_t i = 0; i < old && last; i++) {
        bool named = false;
        for (uint32_t k = 0; k < count; k++) {
            named = named || s[k].handle == handles[i];
        }
        if (!named) {
            (void)!hd_driver_secret(&r->driver, handles[i], NULL, 0);
        }
    }
    for (uint32_t i = 0; i < count && last; i++) {
        r->secrets[i] = s[i].handle;
    }
    r->secret_count = last ? count : old;
    return 0;
}

/* Cores that were started know no interface yet. */
static void tell_started(struct hd_router_role *r)
{
    if (r->config.started && r->interfaces_told) {
        hd_router_tell_interfaces(r);
        r->config.started = false;
    }
}

/* Starts come first: they are what is most likely to fail, and leave nothing behind. */
static int do_all(struct hd_router_role *r, bool *half)
{
    int kept = take_secrets(r, false);
    if (kept != 0) {
        return kept;
    }
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < HD_CORE_COUNT; i++) {
            if (!concerned(r, i) || !r->config.part[i].run || runs(r, i) != (pass == 1)) {
                continue;
            }
            if (pass == 1 && r->config.part[i].fresh) {
                continue; /* started just now */
            }
            int error = change_core(r, i);
            if (error != 0) {
                r->config.refuser = (uint16_t)i;
                return error;
            }
            r->config.part[i].fresh = true;
            *half = true;
        }
        tell_started(r); /* before others ask something of them */
    }
    for (unsigned i = 0; i < HD_CORE_COUNT; i++) {
        if (concerned(r, i) && !r->config.part[i].run && runs(r, i)) {
            stop_core(r, i);
        }
    }
    *half = false;
    return take_secrets(r, true);
}

/* --- the end -------------------------------------------------------------------------------------
 */

static int apply(struct hd_router_role *r, bool *half)
{
    refresh(r);
    int error = check_all(r);
    if (error == 0) {
        error = do_all(r, half);
        refresh(r);
    }
    tell_started(r);
    return error;
}

static int copy_part(struct hd_router_role *r, unsigned core)
{
    struct hd_router_config_part *p = &r->config.part[core];
    const struct hd_config *c = hd_config_of((uint8_t)core);
    struct hd_recalled is;
    if (c == NULL || !hd_router_recall_part(r, core, &is)) {
        return 0;
    }
    if (!hd_config_well_formed(c, is.bytes, is.len) || hd_config_digest(c, is.bytes) != is.digest) {
        return HD_EMALFORMED;
    }
    p->bytes = malloc(HD_MAX(is.len, 1u));
    if (p->bytes == NULL) {
        return HD_ENOMEM;
    }
    memcpy(p->bytes, is.bytes, is.len);
    p->named = p->run = true;
    p->total = p->have = is.len;
    p->becomes = is.digest;
    r->config.open = true;
    return 0;
}

void hd_router_recall(struct hd_router_role *r)
{
    bool half = false;
    int error = 0;
    forget(&r->config);
    for (unsigned i = 0; i < HD_CORE_COUNT && error == 0; i++) {
        error = copy_part(r, i);
    }
    if (r->config.open && error == 0) {
        r->config.recalled = true;
        error = apply(r, &half);
        hd_log_line(&r->log, error == 0 ? HD_LOG_INFO : HD_LOG_WARNING, "configuration-recalled",
                    "error=%s", hd_error_name(error));
    }
    if (error != 0) {
        hd_router_recall_forget(r); /* it will come from heddle-config */
    }
    forget(&r->config);
}

void hd_router_config_end(struct hd_router_role *r, const struct hd_msg_config_end *e)
{
    struct hd_router_config *c = &r->config;
    struct hd_msg_config_done done = {.id = e->id};
    bool half = false;
    int error = c->error;
    if (!c->open || c->id != e->id) {
        error = HD_EMALFORMED;
    }
    if (!r->started) {
        error = HD_EAGAIN; /* asked again until the core runs */
    }
    error = error == 0 ? apply(r, &half) : error;
    hd_driver_give_back(&r->driver); /* a change may free or build up much */
    if (error == 0) {
        hd_router_remember(r);
    } else if (half) {
        hd_router_recall_forget(r);
    }
    done.error = error;
    done.core = c->refuser;
    done.half = half;
    done.stale = c->stale;
    if (c->stale) { /* no fault of anybody's: the whole comes next */
        hd_log_line(&r->log, HD_LOG_INFO, "configuration-whole-wanted", "core=%u", done.core);
    } else {
        hd_log_line(&r->log, error == 0 ? HD_LOG_INFO : HD_LOG_WARNING,
                    error == 0 ? "configured" : "configuration-refused", "core=%u error=%s",
                    done.core, hd_error_name(error));
    }
    forget(c);
    hd_router_manage_config_done(r, &done);
}

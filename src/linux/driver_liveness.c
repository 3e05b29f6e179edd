/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signs of life in the linux driver (model/liveness.h): periodics go into the table of the sender
 * (sender.h), single packets into its queue, and packets that arrive are checked with the secrets
 * that the table holds. Watches need nothing from us: the router sees every packet with its time.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/bfd_auth.h"
#include "linux/driver_internal.h"
#include "linux/sender.h"
#include "model/liveness.h"

#define ALIVE_EVERY HD_MS(250) /* leases are seconds */
#define COUNT_EVERY HD_SEC(1)
#define SWEEP_AFTER HD_SEC(30) /* by then a configuration has said what runs */

struct hd_driver_sender {
    struct hd_sender_table *table;
    hd_time alive_at, counted_at;
    hd_time sweep_at; /* HD_NEVER: nothing is left from a predecessor */
    uint8_t owner;
    struct {
        uint64_t sent, failed;
    } seen[HD_SENDER_SLOTS];
};

static void adopt(struct hd_driver *d, uint8_t owner)
{
    struct hd_sender_table *t = d->sender->table;

    for (uint32_t i = 1; i < HD_SENDER_SLOTS; i++) {
        struct hd_periodic_value v;
        if (!hd_sender_read(t, i, &v)) {
            continue;
        }
        if (hd_model_adopt_periodic(hd_router_model(d->router), owner, i, &v) < 0) {
            hd_sender_del(t, i);
        }
    }
}

static void forget_all(struct hd_sender_table *t)
{
    for (uint32_t i = 1; i < HD_SENDER_SLOTS; i++) {
        if (t->slots[i].used) {
            hd_sender_del(t, i);
        }
    }
}

int hd_driver_sender(struct hd_driver *d, int fd, uint8_t owner, bool keep)
{
    struct hd_sender_table *t = hd_sender_table_map(fd);

    close(fd);
    if (t == NULL) {
        return HD_EINVAL;
    }
    d->sender = calloc(1, sizeof *d->sender);
    if (d->sender == NULL) {
        hd_sender_table_unmap(t);
        return HD_ENOMEM;
    }
    d->sender->table = t;
    /* A bell that never rang: no slot was ever written, and reading them would only make pages of
     * memory. */
    bool spoken = atomic_load(&t->bell) != 0;
    for (uint32_t i = 1; spoken && i < HD_SENDER_SLOTS; i++) {
        d->sender->seen[i].sent = atomic_load(&t->slots[i].sent);
        d->sender->seen[i].failed = atomic_load(&t->slots[i].failed);
    }
    hd_sender_alive(t, hd_clock_now());
    d->sender->owner = owner;
    d->sender->sweep_at = HD_NEVER;
    if (keep) {
        d->sender->sweep_at = hd_clock_now() + SWEEP_AFTER;
        if (spoken) {
            adopt(d, owner);
        }
    } else if (spoken) {
        forget_all(t);
    }
    return 0;
}

int hd_driver_secret(struct hd_driver *d, uint32_t handle, const void *secret, uint32_t len)
{
    return d->sender != NULL ? hd_sender_key_set(d->sender->table, handle, secret, len) : HD_ENOENT;
}

void hd_driver_sender_free(struct hd_driver *d)
{
    if (d->sender == NULL) {
        return;
    }
    hd_sender_table_unmap(d->sender->table);
    free(d->sender);
    d->sender = NULL;
}

void hd_driver_apply_periodics(struct hd_driver *d)
{
    struct hd_model *m = hd_router_model(d->router);
    struct hd_periodic_change c;

    while (hd_driver_periodic_pull(d, &c)) {
        if (d->sender == NULL) {
            hd_driver_periodic_done(d, c.index, HD_EUNSUPPORTED);
        } else if (c.del) {
            hd_sender_del(d->sender->table, c.index);
        } else {
            hd_sender_set(d->sender->table, c.index, &hd_model_periodic(m, c.index)->v);
        }
    }
}

void hd_driver_send_once(struct hd_driver *d, const struct hd_fx_send_once *o, const void *bytes)
{
    if (d->sender == NULL || hd_sender_once(d->sender->table, o->periodic, bytes, o->len) < 0) {
        d->stats.sends_refused++;
    }
}

static void count_periodics(struct hd_driver *d)
{
    struct hd_model *m = hd_router_model(d->router);

    for (uint32_t i = 0; (i = hd_model_periodic_next(m, i)) != 0;) {
        const struct hd_sender_slot *s = &d->sender->table->slots[i];
        uint64_t sent = atomic_load(&s->sent), failed = atomic_load(&s->failed);
        hd_driver_periodic_count(d, i, sent - d->sender->seen[i].sent,
                                 failed - d->sender->seen[i].failed);
        d->sender->seen[i].sent = sent;
        d->sender->seen[i].failed = failed;
    }
}

hd_time hd_driver_sender_deadline(const struct hd_driver *d)
{
    if (d->sender == NULL || hd_model_periodic_next(hd_router_model(d->router), 0) == 0) {
        return HD_NEVER;
    }
    return hd_time_min(d->sender->alive_at + ALIVE_EVERY, d->sender->counted_at + COUNT_EVERY);
}

/* The core that could claim what is left is not there any more. */
static void sweep(struct hd_driver *d)
{
    d->sender->sweep_at = HD_NEVER;
    if (hd_router_core_state(d->router, d->sender->owner) != NULL) {
        return;
    }
    hd_driver_periodic_sweep(d);
    hd_driver_apply_periodics(d);
}

void hd_driver_sender_turn(struct hd_driver *d)
{
    if (d->sender == NULL) {
        return;
    }
    if (d->now >= d->sender->alive_at + ALIVE_EVERY) {
        d->sender->alive_at = d->now;
        hd_sender_alive(d->sender->table, d->now);
    }
    if (d->now >= d->sender->sweep_at) {
        sweep(d);
    }
    if (d->now >= d->sender->counted_at + COUNT_EVERY) {
        d->sender->counted_at = d->now;
        count_periodics(d);
    }
}

/* The handle of the secret that this packet's watch asks for, if it fits; else 0. */
uint32_t hd_driver_check_auth(const struct hd_driver *d, const struct hd_in_datagram *g)
{
    const struct hd_model *m = hd_router_model(d->router);
    const struct hd_watch *w = hd_model_watch(m, hd_model_watch_find(m, g));

    if (w == NULL || w->v.auth.type == HD_AUTH_NONE || d->sender == NULL) {
        return 0;
    }
    const struct hd_sender_key *k = hd_sender_key_find(d->sender->table, w->v.auth.key);
    bool right = k != NULL && k->len <= HD_SENDER_SECRET &&
                 hd_bfd_auth_verify(g->bytes, g->len, &w->v.auth, k->secret, k->len);
    return right ? w->v.auth.key : 0;
}

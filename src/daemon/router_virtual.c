/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual interfaces between the driver and system: what the model wants goes out as records, how
 * it ended comes back. There may be a thousand at once, more than the channel takes; the rest waits
 * here, in order, and goes when there is room. What system had not answered when it died is wanted
 * still, and said to its successor with everything else.
 *
 * What a predecessor left in the kernel is told before the start, and adopted; a later system tells
 * what it found, too, and what is not wanted any more goes.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/router.h"
#include "lib/base.h"

#define RETRY   HD_MS(1)
#define LAST_MS 200 /* for the last words */

/* --- going out -----------------------------------------------------------------------------------
 */

static int put(struct hd_router_role *r, const struct hd_msg_virtual *m)
{
    int error =
        r->system.fd >= 0 ? hd_channel_send(r->system.fd, HD_MSG_VIRTUAL, m, NULL, 0) : HD_ENOENT;
    return error == HD_ENOENT ? 0 : error; /* the next system is told all */
}

static void wait_for_room(struct hd_router_role *r, const struct hd_msg_virtual *m)
{
    if (r->outbox_count == r->outbox_cap) {
        uint32_t cap = r->outbox_cap == 0 ? 64 : r->outbox_cap * 2;
        struct hd_msg_virtual *v = reallocarray(r->outbox, cap, sizeof *v);
        if (v == NULL) {
            hd_log_line(&r->log, HD_LOG_ERROR, "no-memory", "for=virtual");
            return;
        }
        r->outbox = v;
        r->outbox_cap = cap;
    }
    r->outbox[r->outbox_count++] = *m;
}

void hd_router_virtual_want(struct hd_router_role *r, const struct hd_virtual_change *c)
{
    struct hd_msg_virtual m = {.index = c->index, .owner = c->owner, .del = c->del, .value = c->v};
    if (r->outbox_count > 0 || put(r, &m) < 0) {
        wait_for_room(r, &m);
    }
}

void hd_router_virtuals_flush(struct hd_router_role *r)
{
    uint32_t n = 0;
    while (n < r->outbox_count && put(r, &r->outbox[n]) == 0) {
        n++;
    }
    r->outbox_count -= n;
    if (n > 0) {
        memmove(r->outbox, r->outbox + n, r->outbox_count * sizeof r->outbox[0]);
    }
}

hd_time hd_router_virtuals_deadline(const struct hd_router_role *r)
{
    return r->outbox_count > 0 ? r->driver.now + RETRY : HD_NEVER;
}

void hd_router_virtuals_last(struct hd_router_role *r)
{
    for (uint32_t i = 0; i < r->outbox_count && r->system.fd >= 0; i++) {
        if (hd_channel_send_wait(r->system.fd, HD_MSG_VIRTUAL, &r->outbox[i], NULL, 0, LAST_MS) <
            0) {
            return;
        }
    }
}

void hd_router_virtuals_drop(struct hd_router_role *r)
{
    r->outbox_count = 0;
}

/* --- coming back ---------------------------------------------------------------------------------
 */

void hd_router_virtual_done(struct hd_router_role *r, const struct hd_msg_virtual *m)
{
    if (r->started) {
        hd_driver_virtual_told(&r->driver, m->index, &m->value, m->error);
    }
}

static bool well_formed(const struct hd_virtual_value *v)
{
    return (v->family == 4 || v->family == 6) && v->count <= HD_VIRTUAL_ADDRESSES_MAX;
}

void hd_router_virtual_found(struct hd_router_role *r, const struct hd_msg_virtual *m)
{
    if (!well_formed(&m->value)) {
        return;
    }
    if (r->started) {
        struct hd_virtual_change gone = {.owner = m->owner, .del = true, .v = m->value};
        if (!hd_driver_virtual_wanted(&r->driver, m->owner, &m->value)) {
            hd_router_virtual_want(r, &gone);
        }
        return;
    }
    struct hd_msg_virtual *v = reallocarray(r->found, r->found_count + 1u, sizeof *v);
    if (v == NULL) {
        hd_log_line(&r->log, HD_LOG_ERROR, "no-memory", "for=virtual");
        return;
    }
    r->found = v;
    r->found[r->found_count++] = *m;
}

void hd_router_virtuals_adopt(struct hd_router_role *r)
{
    for (uint32_t i = 0; i < r->found_count; i++) {
        int error = hd_driver_virtual_adopt(&r->driver, r->found[i].owner, &r->found[i].value);
        if (error < 0) {
            hd_log_line(&r->log, HD_LOG_ERROR, "virtual-not-adopted", "number=%u error=%s",
                        r->found[i].value.number, hd_error_name(error));
        }
    }
    free(r->found);
    r->found = NULL;
    r->found_count = 0;
}

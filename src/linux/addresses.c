/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of this machine (addresses.h). A table that is walked: machines have few. */
#include "linux/addresses.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base.h"

#define FIRST 16

void hd_addresses_init(struct hd_addresses *t, void *user,
                       void (*changed)(void *user, const struct hd_in_address *a))
{
    *t = (struct hd_addresses){.user = user, .changed = changed};
}

/* The same address may be on several interfaces, and with several prefixes on one: the last one
 * told counts. */
static struct hd_address_entry *find(struct hd_addresses *t, const struct hd_address_facts *f)
{
    for (uint32_t i = 0; i < t->len; i++) {
        const struct hd_in_address *a = &t->v[i].a;
        if (a->ifindex == f->ifindex && hd_ip6_equal(&a->address, &f->address)) {
            return &t->v[i];
        }
    }
    return NULL;
}

static struct hd_address_entry *add(struct hd_addresses *t)
{
    if (t->len == t->cap) {
        uint32_t cap = HD_MAX(2 * t->cap, (uint32_t)FIRST);
        struct hd_address_entry *v =
            cap <= HD_ADDRESSES_MAX ? reallocarray(t->v, cap, sizeof *v) : NULL;
        if (v == NULL) {
            return NULL; /* the next dump tries again */
        }
        t->v = v;
        t->cap = cap;
    }
    struct hd_address_entry *e = &t->v[t->len++];
    memset(e, 0, sizeof *e);
    return e;
}

static void remove_at(struct hd_addresses *t, uint32_t i)
{
    struct hd_in_address gone = t->v[i].a;

    gone.gone = true;
    t->v[i] = t->v[--t->len];
    t->changed(t->user, &gone);
}

void hd_addresses_take(struct hd_addresses *t, const struct hd_address_facts *f)
{
    struct hd_address_entry *e = find(t, f);

    if (f->gone || f->tentative) {
        if (e != NULL) {
            remove_at(t, (uint32_t)(e - t->v));
        }
        return;
    }
    bool known = e != NULL && e->a.len == f->len && e->a.secondary == f->secondary;
    e = e != NULL ? e : add(t);
    if (e == NULL) {
        return;
    }
    e->a = (struct hd_in_address){
        .ifindex = f->ifindex, .address = f->address, .len = f->len, .secondary = f->secondary};
    e->seen = true;
    if (!known) {
        t->changed(t->user, &e->a);
    }
}

void hd_addresses_dump_begin(struct hd_addresses *t)
{
    for (uint32_t i = 0; i < t->len; i++) {
        t->v[i].seen = false;
    }
}

void hd_addresses_dump_end(struct hd_addresses *t)
{
    for (uint32_t i = t->len; i-- > 0;) {
        if (!t->v[i].seen) {
            remove_at(t, i);
        }
    }
}

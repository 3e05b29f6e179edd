/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core's state as rows, for whoever shows it. A walk is resumed by its position; a table that
 * changes between two pages may show a row twice or not at all, never half.
 */
#include "core/kira/state.h"

static void kira_row_status(struct kira_call *x, struct hd_kira_row_status *r)
{
    struct kira *k = x->k;

    r->id = k->id;
    r->address = hd_id_to_ip6(&k->id, k->cfg.node_prefix);
    r->state = k->state;
    r->open = k->key == 0;
    r->id_collision = k->id_collision;
    r->sequence = k->ssn;
    for (uint32_t i = 0; i < k->ulns.len; i++)
        r->neighbours += k->ulns.v[i]->alive;
    r->contacts = k->contacts.len;
    r->vicinity_nodes = k->vicinity.len;
    r->buckets = k->buckets;
    r->labels_explicit = k->labels_explicit;
    r->labels_precomputed = k->labels_two_hop + r->neighbours + 1;
    for (uint32_t i = 0; i < k->interfaces.len; i++)
        r->interfaces_used += k->interfaces.v[i]->usable && k->interfaces.v[i]->up;
    r->since_start_ns = x->c->now - k->started;
    r->last_change_ns = x->c->now - HD_MAX(k->last_route_change, k->started);
}

static void kira_row_interface(struct kira_call *x, uint32_t n, struct hd_kira_row_interface *r)
{
    const struct kira_interface *i = x->k->interfaces.v[n];

    r->ifindex = i->ifindex;
    memcpy(r->name, i->name, sizeof r->name);
    r->used = i->usable && i->up;
    r->up = i->up;
    r->why_not = i->why_not;
    r->mtu = i->mtu;
    r->mac = i->mac;
    r->link_local = i->link_local;
    r->hello_interval_ns = i->hello_interval;
    for (uint32_t u = 0; u < x->k->ulns.len; u++)
        for (uint32_t l = 0; l < x->k->ulns.v[u]->links_len; l++)
            r->neighbours += !x->k->ulns.v[u]->links[l]->dead &&
                             x->k->ulns.v[u]->links[l]->ifindex == i->ifindex;
}

static void kira_row_link(struct kira_call *x, const struct kira_uln *u, const struct kira_link *l,
                          struct hd_kira_row_neighbour *r)
{
    const struct kira_interface *i = kira_interface_find(x->k, l->ifindex);
    const struct kira_vicinity *v = kira_vicinity_find(x->k, u->node);

    r->id = *kira_id(x, u->node);
    r->address = hd_id_to_ip6(&r->id, x->k->cfg.node_prefix);
    r->ifindex = l->ifindex;
    if (i != NULL)
        memcpy(r->ifname, i->name, sizeof r->ifname);
    r->link_local = l->link_local;
    r->mac = l->mac;
    r->state = l->state;
    r->best = kira_uln_best(u) == l;
    r->authenticated = l->authenticated;
    r->watched = kira_link_watched(x, l);
    r->heddle = (u->capabilities & HD_KIRA_CAN_ECHO) != 0;
    r->adj = l->adj;
    r->sequence = v == NULL ? 0 : v->observed;
    r->up_ns = x->c->now - l->up_since;
    r->last_heard_ns = x->c->now - l->last_heard;
    r->rtt_ns = l->rtt;
}

/* Position: neighbour in a, link in b. */
static uint32_t kira_rows_neighbours(struct kira_call *x, struct hd_row_cursor *cursor,
                                     struct hd_kira_row_neighbour *out, uint32_t max)
{
    struct kira *k = x->k;
    uint32_t n = 0;

    while (cursor->a < k->ulns.len && n < max) {
        const struct kira_uln *u = k->ulns.v[cursor->a];
        if (cursor->b >= u->links_len) {
            cursor->a++;
            cursor->b = 0;
            continue;
        }
        const struct kira_link *l = u->links[cursor->b++];
        if (l->dead)
            continue;
        memset(&out[n], 0, sizeof out[n]);
        kira_row_link(x, u, l, &out[n++]);
    }
    cursor->end = cursor->a >= k->ulns.len;
    return n;
}

static void kira_row_contact(struct kira_call *x, uint32_t n, struct hd_kira_row_contact *r)
{
    struct kira *k = x->k;
    const struct kira_contact *p = &k->contacts.v[n];
    hd_node path[HD_KIRA_PATH_MAX];
    uint32_t len = kira_path_read(k, p->active, path);

    r->id = *kira_id(x, p->node);
    r->address = hd_id_to_ip6(&r->id, k->cfg.node_prefix);
    r->bucket = kira_bucket_of(k, p->bits);
    r->state = p->state;
    r->on_demand = (p->flags & KIRA_CONTACT_ON_DEMAND) != 0;
    r->in_use = kira_contact_in_use(x, p);
    r->installed = (p->flags & KIRA_CONTACT_ROUTE) != 0;
    r->set_up = (p->flags & KIRA_CONTACT_SETUP) != 0;
    r->sequence = p->ssn;
    r->last_heard_ns = HD_MS((hd_time)(kira_ms(k, x->c->now) - p->seen_ms));
    r->path_len = (uint16_t)len;
    for (uint32_t i = 0; i < len && i < HD_KIRA_PATH_ROW; i++)
        r->path[i] = *kira_id(x, path[i]);
}

static void kira_row_vicinity(struct kira_call *x, uint32_t n, struct hd_kira_row_vicinity *r)
{
    const struct kira_vicinity *v = x->k->vicinity.v[n];

    r->id = *kira_id(x, v->node);
    r->distance = v->distance;
    r->observed = v->observed;
    r->synchronised = v->synched;
    r->degree = v->degree;
}

/* --- counters -----------------------------------------------------------------------------------
 */

static const char *const kira_rx_names[] = {
    "rx.hello",     "rx.disc-req",  "rx.disc-rsp",  "rx.find-req",  "rx.find-rsp",  "rx.query-req",
    "rx.query-rsp", "rx.update",    "rx.probe-req", "rx.probe-rsp", "rx.error",     "rx.setup-req",
    "rx.teardown",  "rx.store-req", "rx.store-rsp", "rx.fetch-req", "rx.fetch-rsp",
};

static const char *const kira_tx_names[] = {
    "tx.hello",     "tx.disc-req",  "tx.disc-rsp",  "tx.find-req",  "tx.find-rsp",  "tx.query-req",
    "tx.query-rsp", "tx.update",    "tx.probe-req", "tx.probe-rsp", "tx.error",     "tx.setup-req",
    "tx.teardown",  "tx.store-req", "tx.store-rsp", "tx.fetch-req", "tx.fetch-rsp",
};

static const char *const kira_forwarded_names[] = {
    "forwarded.hello",     "forwarded.disc-req",  "forwarded.disc-rsp",  "forwarded.find-req",
    "forwarded.find-rsp",  "forwarded.query-req", "forwarded.query-rsp", "forwarded.update",
    "forwarded.probe-req", "forwarded.probe-rsp", "forwarded.error",     "forwarded.setup-req",
    "forwarded.teardown",  "forwarded.store-req", "forwarded.store-rsp", "forwarded.fetch-req",
    "forwarded.fetch-rsp",
};

static const char *const kira_tx_bytes_names[] = {
    "tx-bytes.hello",     "tx-bytes.disc-req",  "tx-bytes.disc-rsp",  "tx-bytes.find-req",
    "tx-bytes.find-rsp",  "tx-bytes.query-req", "tx-bytes.query-rsp", "tx-bytes.update",
    "tx-bytes.probe-req", "tx-bytes.probe-rsp", "tx-bytes.error",     "tx-bytes.setup-req",
    "tx-bytes.teardown",  "tx-bytes.store-req", "tx-bytes.store-rsp", "tx-bytes.fetch-req",
    "tx-bytes.fetch-rsp",
};

static const char *const kira_drop_names[KIRA_DROPS - KIRA_DROP_DOMAIN] = {
    "drop.domain",       "drop.interface",  "drop.not-link-local", "drop.unauthenticated",
    "drop.replay",       "drop.rate",       "drop.own-id",         "drop.not-for-us",
    "drop.previous-hop", "drop.stranger",   "drop.table-full",     "drop.no-memory",
    "drop.no-request",   "drop.next-hop",   "drop.routed",         "drop.too-long",
    "drop.not-served",   "drop.no-address", "drop.resting",
};

static const char *const kira_wire_drop_names[HD_KIRA_WIRE_ERROR_COUNT] = {
    "drop.none",     "drop.short",        "drop.version",        "drop.type",
    "drop.object",   "drop.source-route", "drop.missing-object", "drop.not-via",
    "drop.contacts", "drop.entry",        "drop.error-data",     "drop.request",
    "drop.data",     "drop.private",      "drop.identity",       "drop.sequence-number",
};

static const char *const kira_count_names[KIRA_COUNTS] = {
    "event.neighbour-up",    "event.neighbour-down",
    "event.link-silent",     "event.link-failed-remote",
    "event.contact-new",     "event.contact-replaced",
    "event.contact-dead",    "event.repair-known",
    "event.repair-search",   "event.search",
    "event.search-failed",   "event.notice-sent",
    "event.notice-received", "event.label-refused",
    "event.path-too-long",   "event.no-memory",
    "event.echo-sent",       "event.echo-reply",
    "event.id-collision",    "event.path-stitched",
    "event.guard-ready",     "event.guard-set-up",
    "event.guard-asked",     "event.guard-lost",
};

_Static_assert(HD_ARRAY_LEN(kira_rx_names) == HD_ARRAY_LEN(kira_tx_names) &&
                   HD_ARRAY_LEN(kira_rx_names) == HD_ARRAY_LEN(kira_forwarded_names) &&
                   HD_ARRAY_LEN(kira_rx_names) == HD_ARRAY_LEN(kira_tx_bytes_names),
               "same types");

static uint64_t kira_tx_bytes(const struct kira *k)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < KIRA_TYPES; i++)
        sum += k->tx_bytes[i];
    return sum;
}

static struct hd_kira_row_counter kira_counter(const struct kira *k, uint64_t i)
{
    const uint64_t types = HD_ARRAY_LEN(kira_rx_names);

    if (i < types)
        return (struct hd_kira_row_counter){kira_rx_names[i], k->rx[i]};
    i -= types;
    if (i < types)
        return (struct hd_kira_row_counter){kira_tx_names[i], k->tx[i]};
    i -= types;
    if (i < types)
        return (struct hd_kira_row_counter){kira_forwarded_names[i], k->forwarded[i]};
    i -= types;
    if (i < types)
        return (struct hd_kira_row_counter){kira_tx_bytes_names[i], k->tx_bytes[i]};
    i -= types;
    if (i < HD_KIRA_WIRE_ERROR_COUNT)
        return (struct hd_kira_row_counter){kira_wire_drop_names[i], k->drops[i]};
    i -= HD_KIRA_WIRE_ERROR_COUNT;
    if (i < KIRA_DROPS - KIRA_DROP_DOMAIN)
        return (struct hd_kira_row_counter){kira_drop_names[i], k->drops[KIRA_DROP_DOMAIN + i]};
    i -= KIRA_DROPS - KIRA_DROP_DOMAIN;
    if (i < KIRA_COUNTS)
        return (struct hd_kira_row_counter){kira_count_names[i], k->counts[i]};
    i -= KIRA_COUNTS;
    if (i == 0)
        return (struct hd_kira_row_counter){"rx.bytes", k->rx_bytes};
    if (i == 1)
        return (struct hd_kira_row_counter){"tx.bytes", kira_tx_bytes(k)};
    if (i == 2)
        return (struct hd_kira_row_counter){"echo.bytes", k->echo_bytes};
    return (struct hd_kira_row_counter){NULL, 0};
}

static uint32_t kira_rows_counters(struct kira_call *x, struct hd_row_cursor *cursor,
                                   struct hd_kira_row_counter *out, uint32_t max)
{
    uint32_t n = 0;

    while (n < max) {
        struct hd_kira_row_counter row = kira_counter(x->k, cursor->a);
        if (row.name == NULL) {
            cursor->end = true;
            break;
        }
        cursor->a++;
        memset(&out[n], 0, sizeof out[n]);
        out[n].name = row.name;
        out[n++].value = row.value;
    }
    return n;
}

/* --- the walk -----------------------------------------------------------------------------------
 */

#define KIRA_WALK(type, table_len, fill)                                                           \
    do {                                                                                           \
        type *rows = out;                                                                          \
        while (cursor->a < (table_len) && n < max) {                                               \
            memset(&rows[n], 0, sizeof rows[n]);                                                   \
            fill(&x, (uint32_t)cursor->a++, &rows[n]);                                             \
            n++;                                                                                   \
        }                                                                                          \
        cursor->end = cursor->a >= (table_len);                                                    \
    } while (0)

uint32_t kira_rows(const void *state, struct hd_ctx *c, uint16_t list, struct hd_row_cursor *cursor,
                   void *out, uint32_t max)
{
    struct kira *k = (struct kira *)(uintptr_t)state; /* read only here */
    struct kira_call x = {k, c};
    uint32_t n = 0;

    if (max == 0)
        return 0;
    switch (list) {
    case HD_KIRA_LIST_STATUS:
        memset(out, 0, sizeof(struct hd_kira_row_status));
        kira_row_status(&x, out);
        cursor->end = true;
        return 1;
    case HD_KIRA_LIST_INTERFACES:
        KIRA_WALK(struct hd_kira_row_interface, k->interfaces.len, kira_row_interface);
        return n;
    case HD_KIRA_LIST_NEIGHBOURS:
        return kira_rows_neighbours(&x, cursor, out, max);
    case HD_KIRA_LIST_CONTACTS:
        KIRA_WALK(struct hd_kira_row_contact, k->contacts.len, kira_row_contact);
        return n;
    case HD_KIRA_LIST_VICINITY:
        KIRA_WALK(struct hd_kira_row_vicinity, k->vicinity.len, kira_row_vicinity);
        return n;
    case HD_KIRA_LIST_COUNTERS:
        return kira_rows_counters(&x, cursor, out, max);
    case HD_KIRA_LIST_MEMORY:
        return kira_memory(&x, cursor, out, max);
    default:
        cursor->end = true;
        return 0;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contacts and buckets (kira.md 4.3, 4.4). Bucket i holds nodes that share exactly i leading bits
 * with the own ID, the last bucket all that share more; only the last one splits. Neighbours stand
 * beside the buckets, and so do contacts on demand: destinations with traffic for which no bucket
 * had room.
 *
 * What is learned from a message that really travelled is validated and used at once; what somebody
 * named is kept apart (state "unprobed", or a proposed path) until a probe has confirmed it. A path
 * that carries data over explicit labels is only replaced when the labels of the new one are
 * confirmed.
 *
 * Of paths the shorter wins; an equally long one changes nothing, which keeps routes still.
 */
#include "core/kira/forwarding.h"
#include "core/kira/state.h"

static uint32_t kira_contact_hash(const void *core, uint32_t i)
{
    return kira_node_hash(((const struct kira *)core)->contacts.v[i].node);
}

struct kira_contact *kira_contact_find(struct kira *k, hd_node node)
{
    uint32_t hash = kira_node_hash(node);
    uint32_t at, i = hd_index_first(&k->contact_index, hash, &at);

    while (i != HD_INDEX_END && k->contacts.v[i].node != node)
        i = hd_index_next(&k->contact_index, hash, &at);
    return i == HD_INDEX_END ? NULL : &k->contacts.v[i];
}

uint16_t kira_bucket_of(const struct kira *k, uint8_t bits)
{
    return (uint16_t)HD_MIN(bits, k->buckets - 1);
}

bool kira_contact_close(const struct kira *k, const struct kira_contact *p)
{
    return kira_bucket_of(k, p->bits) + 2 >= k->buckets;
}

bool kira_contact_in_use(struct kira_call *x, const struct kira_contact *p)
{
    return p->used_s != 0 && kira_seconds_since(x->k, x->c->now, p->used_s) < HD_KIRA_USE_MEMORY;
}

bool kira_contact_carries(struct kira_call *x, const struct kira_contact *p)
{
    return (p->flags & (KIRA_CONTACT_CHOSEN | KIRA_CONTACT_ON_DEMAND)) != 0 ||
           kira_contact_close(x->k, p) || kira_contact_in_use(x, p);
}

void kira_contact_dirty(struct kira_call *x, struct kira_contact *p)
{
    if ((p->flags & KIRA_CONTACT_DIRTY) == 0) {
        p->flags |= KIRA_CONTACT_DIRTY;
        x->k->contacts_dirty++;
    }
    kira_prefix_dirty(x->k, p->bits);
}

/* All host routes are looked at again: one was refused, or found no memory. */
void kira_contacts_dirty_all(struct kira_call *x)
{
    for (uint32_t i = 0; i < x->k->contacts.len; i++)
        kira_contact_dirty(x, &x->k->contacts.v[i]);
}

/* Is the contact's path one of three nodes, and this one of the first two? */
static bool kira_contact_is_over(const struct kira *k, const struct kira_contact *p, hd_node node)
{
    if (p->len != HD_KIRA_NO_SETUP_LEN || p->active == 0)
        return false;
    uint16_t middle = k->trie.v[p->active].parent;
    return k->trie.v[middle].node == node || k->trie.v[k->trie.v[middle].parent].node == node;
}

void kira_contacts_dirty_over(struct kira_call *x, hd_node node)
{
    struct kira *k = x->k;

    for (uint32_t i = 0; i < k->contacts.len; i++)
        if (kira_contact_is_over(k, &k->contacts.v[i], node))
            kira_contact_dirty(x, &k->contacts.v[i]);
}

void kira_prefixes_doubt_over(struct kira_call *x, hd_node node)
{
    struct kira *k = x->k;

    for (uint32_t i = 0; i < k->contacts.len; i++)
        if (kira_contact_is_over(k, &k->contacts.v[i], node))
            kira_prefix_doubt(k, k->contacts.v[i].bits);
}

/* --- buckets ------------------------------------------------------------------------------------
 */

static uint32_t kira_bucket_len(const struct kira *k, uint16_t bucket)
{
    uint32_t len = 0;

    if (bucket + 1 < k->buckets)
        return k->in_bucket[bucket];
    for (unsigned bits = bucket; bits <= HD_ID_BITS; bits++)
        len += k->in_bucket[bits];
    return len;
}

static uint32_t kira_bucket_room(const struct kira *k, uint16_t bucket)
{
    uint32_t cap = bucket + 2 >= k->buckets ? k->cfg.bucket_size : k->cfg.shallow_bucket_size;
    uint32_t len = kira_bucket_len(k, bucket);
    return len < cap ? cap - len : 0;
}

static void kira_buckets_changed(struct kira *k)
{
    kira_prefixes_dirty(k);
    memset(k->bucket_cost, 0, sizeof k->bucket_cost);
}

static void kira_bucket_merge(struct kira *k)
{
    while (k->buckets > 1 && kira_bucket_len(k, (uint16_t)(k->buckets - 1)) +
                                     kira_bucket_len(k, (uint16_t)(k->buckets - 2)) <=
                                 k->cfg.bucket_size / 2u) {
        k->buckets--;
        kira_buckets_changed(k);
    }
}

/*
 * What a contact's place costs: its path's length. What is only named counts a node more, so that
 * it gives way to what has answered, and not to the next name of the same length: a full bucket
 * would pass from name to name for ever.
 */
static uint32_t kira_contact_cost(const struct kira_contact *p)
{
    switch ((enum hd_kira_contact_state)p->state) {
    case HD_KIRA_CONTACT_VALID:
        return p->len;
    case HD_KIRA_CONTACT_UNPROBED:
        return p->len + 1u;
    default:
        return HD_KIRA_PATH_MAX + 2u;
    }
}

/* The first of a bucket's contacts that costs most, if more than `cost`. */
static struct kira_contact *kira_bucket_worst(struct kira *k, uint16_t bucket, uint32_t cost)
{
    struct kira_contact *worst = NULL;
    bool last = bucket + 1 == k->buckets; /* it has all that share as many bits or more */

    for (uint32_t i = 0; i < k->contacts.len; i++) {
        struct kira_contact *p = &k->contacts.v[i];
        if ((last ? p->bits < bucket : p->bits != bucket) ||
            (p->flags & KIRA_CONTACT_ON_DEMAND) != 0 || kira_contact_cost(p) <= cost)
            continue;
        worst = p;
        cost = kira_contact_cost(p);
    }
    return worst;
}

void kira_bucket_dearer(struct kira *k, uint8_t bits)
{
    k->bucket_cost[kira_bucket_of(k, bits)] = 0;
}

/*
 * May a contact of the bucket cost more? What the dearest costs is remembered, since most
 * candidates find none that does; it may have become less since.
 */
static bool kira_bucket_gives_way(struct kira *k, uint16_t bucket, uint32_t cost)
{
    if (k->bucket_cost[bucket] == 0) {
        const struct kira_contact *worst = kira_bucket_worst(k, bucket, 0);
        uint32_t most = worst == NULL ? 0 : kira_contact_cost(worst);
        if (most == 0 || most > UINT8_MAX)
            return most > cost;
        k->bucket_cost[bucket] = (uint8_t)most;
    }
    return k->bucket_cost[bucket] > cost;
}

bool kira_bucket_is_closed(struct kira *k, uint8_t bits, uint32_t cost)
{
    uint16_t bucket = kira_bucket_of(k, bits);

    return bucket + 1 < k->buckets && /* the last one may split */
           kira_bucket_room(k, bucket) == 0 && !kira_bucket_gives_way(k, bucket, cost);
}

/* Makes room for a new contact; false: the bucket keeps what it has. */
static bool kira_bucket_admit(struct kira_call *x, uint8_t bits, uint32_t cost)
{
    struct kira *k = x->k;
    uint16_t bucket = kira_bucket_of(k, bits);

    while (kira_bucket_room(k, bucket) == 0 && bucket + 1 == k->buckets &&
           k->buckets < HD_ID_BITS) {
        k->buckets++;
        kira_buckets_changed(k);
        bucket = kira_bucket_of(k, bits);
    }
    if (kira_bucket_room(k, bucket) > 0)
        return true;
    struct kira_contact *worst =
        kira_bucket_gives_way(k, bucket, cost) ? kira_bucket_worst(k, bucket, cost) : NULL;
    if (worst == NULL) {
        if (k->bucket_cost[bucket] > cost)
            k->bucket_cost[bucket] = 0; /* whoever cost so much is gone */
        return false;
    }
    kira_count(x, KIRA_N_CONTACT_REPLACED);
    if (kira_contact_in_use(x, worst) && worst->state == HD_KIRA_CONTACT_VALID &&
        k->on_demand < HD_KIRA_ON_DEMAND_MAX) {
        worst->flags |= KIRA_CONTACT_ON_DEMAND;
        k->in_bucket[worst->bits]--;
        k->on_demand++;
    } else {
        kira_contact_remove(x, worst);
    }
    return true;
}

/* --- adding and removing ------------------------------------------------------------------------
 */

static struct kira_contact *kira_contact_push(struct kira_call *x, hd_node node, uint8_t bits)
{
    struct kira *k = x->k;
    struct kira_contact fresh = {.node = node, .bits = bits};

    if (k->contacts.len >= HD_KIRA_CONTACTS_MAX)
        return NULL;
    if (hd_vec_reserve(x->c->pool, &k->contacts, k->contacts.len + 1) != 0) {
        kira_no_memory(x);
        return NULL;
    }
    k->contacts.v[k->contacts.len] = fresh;
    if (hd_index_add(&k->contact_index, x->c->pool, k->contacts.len, kira_contact_hash, k) != 0) {
        kira_no_memory(x);
        return NULL;
    }
    return &k->contacts.v[k->contacts.len++];
}

struct kira_contact *kira_contact_add_on_demand(struct kira_call *x, hd_node node)
{
    struct kira *k = x->k;
    struct kira_contact *p;

    if (k->on_demand >= HD_KIRA_ON_DEMAND_MAX || node == k->self || kira_uln_alive(k, node))
        return NULL;
    p = kira_contact_push(x, node, (uint8_t)hd_id_shared_bits(&k->id, kira_id(x, node)));
    if (p == NULL)
        return NULL;
    p->flags = KIRA_CONTACT_ON_DEMAND;
    p->state = HD_KIRA_CONTACT_INVALID;
    p->seen_ms = kira_ms(k, x->c->now);
    k->on_demand++;
    return p;
}

void kira_contact_remove(struct kira_call *x, struct kira_contact *p)
{
    struct kira *k = x->k;
    uint32_t at = (uint32_t)(p - k->contacts.v);
    hd_node node = p->node;
    uint8_t bits = p->bits;

    if ((p->flags & KIRA_CONTACT_ROUTE) != 0 && !kira_uln_alive(k, node))
        kira_route_drop(x, node);
    if ((p->flags & KIRA_CONTACT_DIRTY) != 0)
        k->contacts_dirty--;
    if ((p->flags & KIRA_CONTACT_ON_DEMAND) != 0)
        k->on_demand--;
    else
        k->in_bucket[p->bits]--;
    kira_path_release(k, p->active);
    kira_path_release(k, p->proposed);
    uint32_t last = k->contacts.len - 1;
    hd_index_del(&k->contact_index, x->c->pool, at, kira_contact_hash, k);
    if (at != last)
        hd_index_move(&k->contact_index, kira_node_hash(k->contacts.v[last].node), last, at);
    hd_vec_remove_swap(&k->contacts, at);
    kira_requests_cancel(x, KIRA_REQ_PROBE, node);
    kira_bucket_merge(k);
    kira_prefix_dirty(k, bits);
}

void kira_contacts_shrink(struct kira_call *x)
{
    struct kira *k = x->k;
    uint32_t len = k->contacts.len, want = len + len / 16 + 1;
    size_t item = sizeof *k->contacts.v;

    if (len + len * 3 / 8 + 8 >= k->contacts.cap)
        return;
    void *less = hd_pool_resize(x->c->pool, k->contacts.v, k->contacts.cap * item, want * item);
    if (less == NULL)
        return;
    k->contacts.v = less;
    k->contacts.cap = (uint32_t)(hd_pool_rounded(want * item) / item);
}

void kira_contact_set_active(struct kira_call *x, struct kira_contact *p, uint16_t end, uint8_t len)
{
    uint16_t old = p->active;

    if (end != old) {
        p->mtu = 0; /* another path, perhaps a wider one */
        p->labelled = false;
    }
    p->active = end;
    p->len = len;
    p->flags &= (uint8_t)~KIRA_CONTACT_SETUP;
    kira_bucket_dearer(x->k, p->bits);
    kira_path_release(x->k, old);
    kira_contact_dirty(x, p);
}

static bool kira_set_path(struct kira_call *x, struct kira_contact *p, const hd_node *path,
                          uint32_t len)
{
    uint16_t end = kira_path_insert(x, path, len);

    if (end == 0)
        return false;
    kira_contact_set_active(x, p, end, (uint8_t)len);
    return true;
}

static void kira_set_proposed(struct kira_call *x, struct kira_contact *p, const hd_node *path,
                              uint32_t len, hd_time within)
{
    uint16_t end;

    if (p->proposed != 0 && p->proposed_len <= len)
        return;
    end = kira_path_insert(x, path, len);
    if (end == 0)
        return;
    kira_path_release(x->k, p->proposed);
    p->proposed = end;
    p->proposed_len = (uint8_t)len;
    kira_probe_want(x, p, within);
}

/* --- learning -----------------------------------------------------------------------------------
 */

/* Cuts what leads in circles or past one of the own neighbours. The new length, 0: useless. */
static uint32_t kira_path_simplify(struct kira_call *x, hd_node *path, uint32_t len)
{
    struct kira *k = x->k;

    len = kira_path_clean(k->self, path, len);
    for (uint32_t i = len; i-- > 1;)
        if (kira_uln_alive(k, path[i])) {
            memmove(path, path + i, (len - i) * sizeof path[0]);
            len -= i;
            break;
        }
    if (len == 0 || !kira_uln_alive(k, path[0]))
        return 0;
    if (len > HD_KIRA_PATH_MAX) {
        kira_count(x, KIRA_N_PATH_TOO_LONG);
        return 0;
    }
    return len;
}

/* A message that came over links which were thought broken shows that they work. */
static bool kira_path_check_links(struct kira_call *x, const hd_node *path, uint32_t len,
                                  enum kira_source source)
{
    struct kira *k = x->k;

    if (k->failed.len == 0)
        return true;
    for (uint32_t i = 1; i < len; i++)
        if (kira_link_is_failed(k, path[i - 1], path[i])) {
            if (source == KIRA_NAMED)
                return false;
            kira_link_works(x, path[i - 1], path[i]);
        }
    return true;
}

static void kira_contact_validated(struct kira_call *x, struct kira_contact *p, const hd_node *path,
                                   uint32_t len)
{
    struct kira *k = x->k;
    bool was_valid = p->state == HD_KIRA_CONTACT_VALID;

    p->seen_ms = kira_ms(k, x->c->now);
    if (!was_valid || p->active == 0) {
        if (p->active == 0 || len <= p->len || (p->flags & KIRA_CONTACT_REPAIR) == 0 ||
            p->state == HD_KIRA_CONTACT_SEARCHING || p->state == HD_KIRA_CONTACT_INVALID)
            if (!kira_set_path(x, p, path, len))
                return;
        p->state = HD_KIRA_CONTACT_VALID;
        p->flags &= (uint8_t)~KIRA_CONTACT_REPAIR;
        kira_event(x, HD_KIRA_EV_CONTACT_VALID, p->node, 0, 0, len);
        kira_search_end(x, p->node);
        kira_contact_dirty(x, p);
        return;
    }
    if (len >= p->len)
        return;
    if (kira_contact_carries(x, p) && kira_path_needs_setup(k, path, len))
        kira_set_proposed(x, p, path, len, HD_KIRA_PROBE_SOON);
    else if (kira_set_path(x, p, path, len))
        kira_event(x, HD_KIRA_EV_PATH_CHANGED, p->node, 0, 0, len);
}

static void kira_contact_named(struct kira_call *x, struct kira_contact *p, const hd_node *path,
                               uint32_t len)
{
    switch ((enum hd_kira_contact_state)p->state) {
    case HD_KIRA_CONTACT_VALID:
        if (len < p->len)
            kira_set_proposed(x, p, path, len,
                              kira_contact_carries(x, p) ? HD_KIRA_PROBE_DELAY
                                                         : 8 * HD_KIRA_PROBE_DELAY);
        break;
    case HD_KIRA_CONTACT_UNPROBED:
        if (len < p->len)
            kira_set_path(x, p, path, len);
        break;
    case HD_KIRA_CONTACT_INVALID:
    case HD_KIRA_CONTACT_SEARCHING:
        if (kira_set_path(x, p, path, len)) {
            p->state = HD_KIRA_CONTACT_UNPROBED;
            p->flags |= KIRA_CONTACT_REPAIR;
            kira_probe_send(x, p, false, HD_KIRA_REPAIR_TIMEOUT, 0);
        }
        break;
    }
}

static struct kira_contact *kira_contact_new(struct kira_call *x, hd_node node, const hd_node *path,
                                             uint32_t len, uint32_t age_ms, enum kira_source source)
{
    struct kira *k = x->k;
    uint8_t bits = (uint8_t)hd_id_shared_bits(&k->id, kira_id(x, node));
    uint32_t now_ms = kira_ms(k, x->c->now);
    struct kira_contact *p;

    if (!kira_bucket_admit(x, bits, source == KIRA_VALIDATED ? len : len + 1))
        return NULL;
    uint16_t end = kira_path_insert(x, path, len);
    if (end == 0)
        return NULL;
    if ((p = kira_contact_push(x, node, bits)) == NULL) {
        kira_path_release(k, end);
        return NULL;
    }
    k->in_bucket[bits]++;
    kira_bucket_dearer(k, bits);
    p->active = end;
    p->len = (uint8_t)len;
    p->seen_ms = now_ms - age_ms;
    p->state = source == KIRA_VALIDATED ? HD_KIRA_CONTACT_VALID : HD_KIRA_CONTACT_UNPROBED;
    kira_count(x, KIRA_N_CONTACT_NEW);
    kira_contact_dirty(x, p);
    kira_commands_found(x, node);
    if (kira_contact_close(k, p)) {
        kira_new_close_contact(x, node);
        p = kira_contact_find(k, node);
    }
    if (p != NULL && source == KIRA_NAMED && kira_contact_carries(x, p))
        kira_probe_want(x, p, HD_KIRA_PROBE_DELAY);
    return p;
}

struct kira_contact *kira_contact_learn(struct kira_call *x, const hd_node *given, uint32_t len,
                                        uint32_t ssn, uint32_t age_ms, enum kira_source source)
{
    struct kira *k = x->k;
    hd_node path[HD_KIRA_ROUTE_MAX + HD_KIRA_PATH_MAX];
    struct kira_contact *p;

    if (len == 0 || len > HD_ARRAY_LEN(path) || given[len - 1] == k->self)
        return NULL;
    hd_node node = given[len - 1];
    if (source == KIRA_VALIDATED)
        kira_vicinity_observe(x, node, ssn);
    if (kira_uln_alive(k, node))
        return NULL;
    memcpy(path, given, len * sizeof path[0]);
    if (!kira_path_check_links(x, path, len, source))
        return NULL;
    len = kira_path_simplify(x, path, len);
    if (len < 2 || path[len - 1] != node)
        return NULL;
    p = kira_contact_find(k, node);
    if (p == NULL) {
        if (source == KIRA_NAMED && age_ms != HD_KIRA_AGE_UNKNOWN &&
            age_ms > hd_time_to_ms(HD_KIRA_THIRD_PARTY_AGE))
            return NULL;
        p = kira_contact_new(x, node, path, len, age_ms == HD_KIRA_AGE_UNKNOWN ? 0 : age_ms,
                             source);
        if (p != NULL)
            p->ssn = ssn;
        return p;
    }
    if (kira_ssn_newer(ssn, p->ssn))
        p->ssn = ssn;
    if (source == KIRA_VALIDATED)
        kira_contact_validated(x, p, path, len);
    else
        kira_contact_named(x, p, path, len);
    return kira_contact_find(k, node);
}

/* --- choosing -----------------------------------------------------------------------------------
 */

static bool kira_contact_usable(const struct kira_contact *p)
{
    return p->active != 0 &&
           (p->state == HD_KIRA_CONTACT_VALID || p->state == HD_KIRA_CONTACT_UNPROBED);
}

/* The nodes found so far, the closest first, and the first word of each one's distance. */
struct kira_nearest {
    const struct hd_id *target;
    struct kira_candidate *out;
    uint32_t len, room;
    uint64_t word[HD_KIRA_CLOSEST_MAX];
};

static bool kira_nearer(struct kira_call *x, const struct kira_nearest *f, uint64_t word,
                        hd_node node, uint32_t than)
{
    if (word != f->word[than])
        return word < f->word[than];
    return hd_id_closer(f->target, kira_id(x, node), kira_id(x, f->out[than].node)) < 0;
}

static void kira_nearest_put(struct kira_call *x, struct kira_nearest *f, hd_node node, uint8_t len)
{
    uint64_t word = hd_id_first_word(kira_id(x, node)) ^ hd_id_first_word(f->target);

    if (f->len == f->room && !kira_nearer(x, f, word, node, f->room - 1))
        return;
    uint32_t at = f->len < f->room ? f->len++ : f->room - 1;
    for (; at > 0 && kira_nearer(x, f, word, node, at - 1); at--) {
        f->out[at] = f->out[at - 1];
        f->word[at] = f->word[at - 1];
    }
    f->out[at] = (struct kira_candidate){node, len};
    f->word[at] = word;
}

uint32_t kira_closest(struct kira_call *x, const struct hd_id *target, hd_node except, bool through,
                      struct kira_candidate *out, uint32_t n)
{
    struct kira *k = x->k;
    struct kira_nearest f;

    HD_ASSERT(n > 0 && n <= HD_KIRA_CLOSEST_MAX);
    f.target = target;
    f.out = out;
    f.len = 0;
    f.room = n;
    for (uint32_t i = 0; i < k->ulns.len; i++) {
        const struct kira_uln *u = k->ulns.v[i];
        if (u->alive && u->node != except && !(through && u->end_system))
            kira_nearest_put(x, &f, u->node, 1);
    }
    for (uint32_t i = 0; i < k->contacts.len; i++) {
        const struct kira_contact *p = &k->contacts.v[i];
        if (kira_contact_usable(p) && p->node != except && !(through && p->end_system))
            kira_nearest_put(x, &f, p->node, p->len);
    }
    return f.len;
}

struct kira_choice {
    hd_node node;
    unsigned bits;
    uint32_t len;
    bool valid;
};

static void kira_choice_take(struct kira_call *x, struct kira_choice *best,
                             const struct hd_id *target, hd_node node, uint32_t len, bool valid,
                             bool strict)
{
    const struct hd_id *id = kira_id(x, node);
    bool better;

    if (hd_id_closer(target, id, &x->k->id) >= 0)
        return;
    unsigned bits = hd_id_shared_bits(target, id);
    if (best->node == 0 || valid != best->valid)
        better = best->node == 0 || valid;
    else if (strict)
        better = hd_id_closer(target, id, kira_id(x, best->node)) < 0;
    else if (bits != best->bits)
        better = bits > best->bits;
    else if (len != best->len)
        better = len < best->len;
    else
        better = hd_id_closer(target, id, kira_id(x, best->node)) < 0;
    if (better)
        *best = (struct kira_choice){node, bits, len, valid};
}

/* An end system is a destination and nothing else. */
static bool kira_may_pass(struct kira_call *x, hd_node node, bool end_system,
                          const struct hd_id *target)
{
    return !end_system || hd_id_equal(kira_id(x, node), target);
}

/*
 * Whoever is chosen is strictly closer to the target by XOR, so a chain of choices ends (5.10).
 * Where the prefix can grow, the nearest of those that share most is taken; in the last bucket XOR
 * decides.
 */
hd_node kira_next_hop(struct kira_call *x, const struct hd_id *target, hd_node except)
{
    struct kira *k = x->k;
    struct kira_choice best = {0};
    bool strict = hd_id_shared_bits(&k->id, target) + 1u >= k->buckets;

    for (uint32_t i = 0; i < k->ulns.len; i++)
        if (k->ulns.v[i]->alive && k->ulns.v[i]->node != except &&
            kira_may_pass(x, k->ulns.v[i]->node, k->ulns.v[i]->end_system, target))
            kira_choice_take(x, &best, target, k->ulns.v[i]->node, 1, true, strict);
    for (uint32_t i = 0; i < k->contacts.len; i++) {
        const struct kira_contact *p = &k->contacts.v[i];
        if (kira_contact_usable(p) && p->node != except &&
            kira_may_pass(x, p->node, p->end_system, target))
            kira_choice_take(x, &best, target, p->node, p->len, p->state == HD_KIRA_CONTACT_VALID,
                             strict);
    }
    return best.node;
}

uint32_t kira_path_to(struct kira_call *x, hd_node node, hd_node *out)
{
    struct kira_contact *p;

    if (kira_uln_alive(x->k, node)) {
        out[0] = node;
        return 1;
    }
    p = kira_contact_find(x->k, node);
    return p == NULL || p->active == 0 ? 0 : kira_path_read(x->k, p->active, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identifier table: three parallel arrays by handle, and an index by a keyed hash of the
 * identifiers: who does not know the salt cannot choose some that make its walks long.
 */
#include "model/ids.h"

#include "lib/base.h"
#include "lib/hash.h"

#define IN_USE       0xffffffffu
#define COLLECT_STEP 256u

char *hd_id_format(const struct hd_id *a, char *buf)
{
    static const char digits[] = "0123456789abcdef";

    for (unsigned i = 0; i < HD_ID_BYTES; i++) {
        buf[2 * i] = digits[a->b[i] >> 4];
        buf[2 * i + 1] = digits[a->b[i] & 0xf];
    }
    buf[2 * HD_ID_BYTES] = '\0';
    return buf;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hd_id_parse(const char *text, struct hd_id *a)
{
    struct hd_id id;

    for (unsigned i = 0; i < 2 * HD_ID_BYTES; i++) {
        int digit = hex_digit(text[i]); /* the end of the text is no digit */
        if (digit < 0)
            return HD_EMALFORMED;
        if (i % 2 == 0)
            id.b[i / 2] = (uint8_t)(digit << 4);
        else
            id.b[i / 2] |= (uint8_t)digit;
    }
    if (text[2 * HD_ID_BYTES] != '\0')
        return HD_EMALFORMED;
    *a = id;
    return 0;
}

struct hd_ip6 hd_id_to_ip6(const struct hd_id *a, uint16_t prefix)
{
    struct hd_ip6 ip = {.b = {(uint8_t)(prefix >> 8), (uint8_t)prefix}};

    memcpy(&ip.b[2], a->b, HD_ID_BYTES);
    return ip;
}

bool hd_id_from_ip6(const struct hd_ip6 *a, uint16_t prefix, struct hd_id *id)
{
    if (a->b[0] != prefix >> 8 || a->b[1] != (prefix & 0xff))
        return false;
    memcpy(id->b, &a->b[2], HD_ID_BYTES);
    return true;
}

void hd_ids_init(struct hd_ids *t, struct hd_pool *pool, uint32_t limit, uint64_t salt)
{
    memset(t, 0, sizeof *t);
    t->pool = pool;
    t->limit = limit;
    t->salt = salt;
    t->collect_at = HD_MIN(limit, COLLECT_STEP);
}

static void free_arrays(struct hd_ids *t)
{
    hd_pool_free(t->pool, t->ids, t->cap * sizeof *t->ids);
    hd_pool_free(t->pool, t->next_free, t->cap * sizeof *t->next_free);
    hd_pool_free(t->pool, t->marked, t->cap);
}

void hd_ids_free(struct hd_ids *t)
{
    free_arrays(t);
    hd_index_free(&t->index, t->pool);
    hd_ids_init(t, t->pool, t->limit, t->salt);
}

/* Larger arrays: all three or none. */
static int grow(struct hd_ids *t)
{
    uint64_t most = (uint64_t)t->limit + 1; /* with entry 0 */
    uint32_t cap = (uint32_t)HD_MIN(HD_MAX((uint64_t)t->cap + t->cap / 2, 16u), most);
    struct hd_ids n = {.cap = cap, .pool = t->pool};

    n.ids = hd_pool_alloc(t->pool, cap * sizeof *n.ids);
    n.next_free = hd_pool_alloc(t->pool, cap * sizeof *n.next_free);
    n.marked = hd_pool_alloc(t->pool, cap);
    if (n.ids == NULL || n.next_free == NULL || n.marked == NULL) {
        free_arrays(&n);
        return HD_ENOMEM;
    }
    if (t->cap != 0) {
        memcpy(n.ids, t->ids, t->high * sizeof *n.ids);
        memcpy(n.next_free, t->next_free, t->high * sizeof *n.next_free);
        memcpy(n.marked, t->marked, t->high);
    }
    free_arrays(t);
    t->ids = n.ids;
    t->next_free = n.next_free;
    t->marked = n.marked;
    t->cap = cap;
    if (t->high == 0) { /* entry 0 means "none" */
        t->next_free[0] = IN_USE;
        t->high = 1;
    }
    return 0;
}

static uint32_t hash_of(const struct hd_ids *t, const struct hd_id *id)
{
    return (uint32_t)hd_hash_two(t->salt, hd_id_first_word(id), hd_id_last_word(id));
}

static uint32_t hash_at(const void *table, uint32_t n)
{
    const struct hd_ids *t = table;

    return hash_of(t, &t->ids[n]);
}

hd_node hd_ids_find(const struct hd_ids *t, const struct hd_id *id)
{
    uint32_t hash = hash_of(t, id);
    uint32_t at, n = hd_index_first(&t->index, hash, &at);

    while (n != HD_INDEX_END && !hd_id_equal(&t->ids[n], id))
        n = hd_index_next(&t->index, hash, &at);
    return n == HD_INDEX_END ? 0 : n;
}

hd_node hd_ids_intern(struct hd_ids *t, const struct hd_id *id)
{
    hd_node n = hd_ids_find(t, id);

    if (n != 0)
        return n;
    if (t->shared || t->live >= t->limit)
        return 0;
    if (t->free_head == 0 && t->high == t->cap && grow(t) != 0)
        return 0;
    n = t->free_head != 0 ? t->free_head : t->high;
    t->ids[n] = *id;
    if (hd_index_add(&t->index, t->pool, n, hash_at, t) != 0)
        return 0;
    if (n == t->high)
        t->high++;
    else
        t->free_head = t->next_free[n];
    t->next_free[n] = IN_USE;
    t->marked[n] = 1; /* a collection that runs in slices must not take it */
    t->live++;
    return n;
}

bool hd_ids_wants_collection(const struct hd_ids *t)
{
    return !t->shared && t->live >= t->collect_at;
}

void hd_ids_mark_begin(struct hd_ids *t)
{
    if (t->high != 0)
        memset(t->marked, 0, t->high);
}

void hd_ids_sweep(struct hd_ids *t)
{
    HD_ASSERT(!t->shared);
    for (uint32_t n = 1; n < t->high; n++) {
        if (t->next_free[n] != IN_USE || t->marked[n])
            continue;
        hd_index_del(&t->index, t->pool, n, hash_at, t);
        t->next_free[n] = t->free_head;
        t->free_head = n;
        t->live--;
    }
    /* The next walk is worth it when the table has doubled. */
    t->collect_at = HD_MIN(t->limit, t->live + HD_MAX(t->live, COLLECT_STEP));
}

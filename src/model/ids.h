/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Node identifiers (kira.md 2.1) and the table that gives each a 32-bit handle.
 *
 * A path of ten nodes costs 40 bytes with handles and 140 without, and most state of KIRA is paths.
 * A handle says nothing about order and never leaves the process. Identifiers come from remote
 * nodes, so the table has a limit and is collected: the owner marks every handle that its state
 * holds, then sweeps. Handles obtained inside one call stay valid through that call, since
 * collection happens only in `work`; a handle that is made between mark_begin and sweep counts as
 * marked. The simulator shares one table of all its nodes between routers and threads: it is filled
 * before the start, then `shared` is set, and from there on it is only read (unknown identifiers
 * find no handle).
 */
#ifndef HD_MODEL_IDS_H
#define HD_MODEL_IDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/index.h"
#include "lib/word.h"

#define HD_ID_BYTES 14
#define HD_ID_BITS  112
#define HD_ID_TEXT  29 /* 28 hex digits and the end */

struct hd_id {
    uint8_t b[HD_ID_BYTES];
};

typedef uint32_t hd_node; /* a handle; 0 is "none" */

struct hd_ids {
    struct hd_id *ids;   /* by handle; entry 0 unused */
    uint32_t *next_free; /* by handle; 0xffffffff while in use */
    uint8_t *marked;
    uint32_t cap, high, free_head, live, limit;
    uint32_t collect_at; /* number of handles that makes a collection worth its walk */
    uint64_t salt;
    struct hd_index index;
    struct hd_pool *pool;
    bool shared;
};

static inline int hd_id_compare(const struct hd_id *a, const struct hd_id *b)
{
    return memcmp(a->b, b->b, HD_ID_BYTES);
}

static inline bool hd_id_equal(const struct hd_id *a, const struct hd_id *b)
{
    return ((hd_word_le(a->b) ^ hd_word_le(b->b)) |
            (hd_word_le(a->b + HD_ID_BYTES - 8) ^ hd_word_le(b->b + HD_ID_BYTES - 8))) == 0;
}

/*
 * Two words hold an identifier: its first eight bytes, and its last eight, of which two are among
 * the first. As big-endian numbers they order identifiers as their bytes do.
 */
static inline uint64_t hd_id_first_word(const struct hd_id *a)
{
    return hd_word_be(a->b);
}

static inline uint64_t hd_id_last_word(const struct hd_id *a)
{
    return hd_word_be(a->b + HD_ID_BYTES - 8);
}

static inline bool hd_id_is_zero(const struct hd_id *a)
{
    return (hd_id_first_word(a) | hd_id_last_word(a)) == 0;
}

static inline bool hd_id_is_ones(const struct hd_id *a)
{
    return (hd_id_first_word(a) & hd_id_last_word(a)) == UINT64_MAX;
}

/* Number of leading bits that both share, 0 to 112. */
static inline unsigned hd_id_shared_bits(const struct hd_id *a, const struct hd_id *b)
{
    uint64_t x = hd_id_first_word(a) ^ hd_id_first_word(b);

    if (x != 0)
        return (unsigned)__builtin_clzll(x);
    x = hd_id_last_word(a) ^ hd_id_last_word(b);
    return x == 0 ? HD_ID_BITS : HD_ID_BITS - 64 + (unsigned)__builtin_clzll(x);
}

/* < 0 when a is closer to target by XOR than b, 0 when equal, > 0 otherwise. */
static inline int hd_id_closer(const struct hd_id *target, const struct hd_id *a,
                               const struct hd_id *b)
{
    uint64_t t = hd_id_first_word(target), x = hd_id_first_word(a) ^ t, y = hd_id_first_word(b) ^ t;

    if (x == y) {
        t = hd_id_last_word(target);
        x = hd_id_last_word(a) ^ t;
        y = hd_id_last_word(b) ^ t;
    }
    return x < y ? -1 : x > y;
}

/* 28 hex digits into buf (HD_ID_TEXT bytes); returns buf. */
char *hd_id_format(const struct hd_id *a, char *buf);
/* Exactly 28 hex digits, else HD_EMALFORMED. */
HD_MUST_USE int hd_id_parse(const char *text, struct hd_id *a);

/* IPv6 address of a node: 16-bit network prefix, then the ID (kira.md 2.2). */
struct hd_ip6 hd_id_to_ip6(const struct hd_id *a, uint16_t prefix);
/* The ID inside an address; false when the address lies outside the prefix. */
bool hd_id_from_ip6(const struct hd_ip6 *a, uint16_t prefix, struct hd_id *id);

/* limit: most identifiers kept at once. */
void hd_ids_init(struct hd_ids *t, struct hd_pool *pool, uint32_t limit, uint64_t salt);
void hd_ids_free(struct hd_ids *t);

/* Handle of an identifier, made if needed; 0 when the limit or the pool is exhausted. */
hd_node hd_ids_intern(struct hd_ids *t, const struct hd_id *id);
/* Handle of a known identifier, else 0. */
hd_node hd_ids_find(const struct hd_ids *t, const struct hd_id *id);
/* The identifier of a valid handle. */
static inline const struct hd_id *hd_ids_get(const struct hd_ids *t, hd_node n)
{
    return &t->ids[n];
}

/* True when the table is so full of handles that a collection is worth its walk. */
bool hd_ids_wants_collection(const struct hd_ids *t);
void hd_ids_mark_begin(struct hd_ids *t);
static inline void hd_ids_mark(struct hd_ids *t, hd_node n)
{
    t->marked[n] = 1;
}
/* Frees every handle that was not marked since hd_ids_mark_begin. */
void hd_ids_sweep(struct hd_ids *t);

#endif

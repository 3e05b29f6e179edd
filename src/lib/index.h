/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Index of a table: finds entries by a hash of their key, in four bytes a slot.
 *
 * The entries lie in a table of the caller, which knows their keys; here are only their numbers,
 * plus one, at open addresses. A lookup walks the candidates of a hash, and the caller compares:
 *
 *     for (uint32_t at, i = hd_index_first(x, hash, &at); i != HD_INDEX_END;
 *          i = hd_index_next(x, hash, &at))
 *         if (table[i].key == key) ...
 *
 * The bits of a slot that no number needs hold those of the hash. So nearly all candidates are the
 * right one, and who is not there is missed without a look at the table.
 *
 * Removal moves later candidates back instead of leaving marks, so that the index never degrades;
 * for that, and to grow, it asks for the hash of an entry by a function that each call passes (the
 * struct holds no pointer but its slots). It shrinks when seven eighths are empty.
 */
#ifndef HD_LIB_INDEX_H
#define HD_LIB_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/pool.h"

#define HD_INDEX_END UINT32_MAX

struct hd_index {
    uint32_t *slots; /* number of the entry + 1, above it bits of the hash; 0: empty */
    uint32_t cap;    /* a power of two, or 0 */
    uint32_t len : 26;
    uint32_t bits : 6; /* of a slot that are the number's */
};

#define HD_INDEX_MAX ((1u << 26) - 1)

/* The bits of a slot for the number. */
static inline uint32_t hd_index_numbers(const struct hd_index *x)
{
    return (uint32_t)((UINT64_C(1) << x->bits) - 1);
}

/* The hash by which an entry was added. */
typedef uint32_t hd_index_hash(const void *table, uint32_t entry);

void hd_index_free(struct hd_index *x, struct hd_pool *p);

/* The first candidate from *at on. */
static inline uint32_t hd_index_from(const struct hd_index *x, uint32_t hash, uint32_t *at)
{
    uint32_t i = *at & (x->cap - 1), numbers = hd_index_numbers(x), slot;

    while ((slot = x->slots[i]) != 0 && ((slot ^ hash) & ~numbers) != 0)
        i = (i + 1) & (x->cap - 1);
    *at = i;
    return (slot & numbers) - 1; /* an empty slot: HD_INDEX_END */
}

/* First candidate for the hash, HD_INDEX_END when there is none; *at is where the walk stands. */
static inline uint32_t hd_index_first(const struct hd_index *x, uint32_t hash, uint32_t *at)
{
    *at = hash;
    return x->cap == 0 ? HD_INDEX_END : hd_index_from(x, hash, at);
}

static inline uint32_t hd_index_next(const struct hd_index *x, uint32_t hash, uint32_t *at)
{
    ++*at;
    return hd_index_from(x, hash, at);
}

/* Adds an entry, which is not in yet: 0 or HD_ENOMEM (the index is unchanged then). */
HD_MUST_USE int hd_index_add(struct hd_index *x, struct hd_pool *p, uint32_t entry,
                             hd_index_hash *hash, const void *table);
/* Removes an entry; its key must still be in the table. Nothing happens when it is not in. */
void hd_index_del(struct hd_index *x, struct hd_pool *p, uint32_t entry, hd_index_hash *hash,
                  const void *table);
/* The entry has another number now: the table holds its key at both, or at `to`. */
void hd_index_move(struct hd_index *x, uint32_t hash, uint32_t from, uint32_t to);

#endif

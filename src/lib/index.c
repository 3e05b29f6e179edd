/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Index of a table: linear probing. It grows at three quarters; when that finds no memory it goes
 * on until one slot is left empty, where probes end.
 */
#include "lib/index.h"

#include <string.h>

#include "lib/base.h"

#define FIRST_CAP  8u
#define FIRST_BITS 12u /* most tables have fewer entries; 20 bits are left for the hash */

void hd_index_free(struct hd_index *x, struct hd_pool *p)
{
    hd_pool_free(p, x->slots, (size_t)x->cap * sizeof *x->slots);
    *x = (struct hd_index){0};
}

static uint32_t slot_of(const struct hd_index *x, uint32_t hash, uint32_t entry)
{
    return (hash & ~hd_index_numbers(x)) | (entry + 1);
}

static void place(struct hd_index *x, uint32_t hash, uint32_t entry)
{
    uint32_t at = hash & (x->cap - 1);

    while (x->slots[at] != 0)
        at = (at + 1) & (x->cap - 1);
    x->slots[at] = slot_of(x, hash, entry);
}

/* Makes the numbers wide enough for an entry: the slots keep fewer bits of their hashes. */
static void widen(struct hd_index *x, uint32_t entry)
{
    uint32_t before = hd_index_numbers(x);

    if (entry + 1 <= before)
        return;
    while (entry + 1 > hd_index_numbers(x))
        x->bits = (x->bits + 4) & 63;
    uint32_t kept = before | ~hd_index_numbers(x);
    for (uint32_t i = 0; i < x->cap; i++)
        x->slots[i] &= kept;
}

static int resize(struct hd_index *x, struct hd_pool *p, uint32_t cap, hd_index_hash *hash,
                  const void *table)
{
    uint32_t *slots = hd_pool_alloc(p, (size_t)cap * sizeof *slots);

    if (slots == NULL)
        return HD_ENOMEM;
    struct hd_index old = *x;
    x->slots = slots;
    x->cap = cap;
    for (uint32_t i = 0; i < old.cap; i++)
        if (old.slots[i] != 0) {
            uint32_t entry = (old.slots[i] & hd_index_numbers(x)) - 1;
            place(x, hash(table, entry), entry);
        }
    hd_pool_free(p, old.slots, (size_t)old.cap * sizeof *old.slots);
    return 0;
}

int hd_index_add(struct hd_index *x, struct hd_pool *p, uint32_t entry, hd_index_hash *hash,
                 const void *table)
{
    uint64_t want = (uint64_t)x->len + 1;

    HD_ASSERT(entry < UINT32_MAX - 1);
    if (want > HD_INDEX_MAX)
        return HD_ENOMEM;
    if (x->bits == 0)
        x->bits = FIRST_BITS;
    if (want * 4 > (uint64_t)x->cap * 3) {
        uint64_t cap = x->cap == 0 ? FIRST_CAP : 2 * (uint64_t)x->cap;
        bool grown = cap <= 1u << 31 && resize(x, p, (uint32_t)cap, hash, table) == 0;
        if (!grown && want >= x->cap)
            return HD_ENOMEM;
    }
    widen(x, entry);
    place(x, hash(table, entry), entry);
    x->len++;
    return 0;
}

/* Where the entry stands; the empty slot that ends its candidates when it is not in. */
static uint32_t find(const struct hd_index *x, uint32_t hash, uint32_t entry)
{
    uint32_t at = hash & (x->cap - 1);

    while (x->slots[at] != 0 && (x->slots[at] & hd_index_numbers(x)) != entry + 1)
        at = (at + 1) & (x->cap - 1);
    return at;
}

void hd_index_del(struct hd_index *x, struct hd_pool *p, uint32_t entry, hd_index_hash *hash,
                  const void *table)
{
    uint32_t mask = x->cap - 1;

    if (x->cap == 0)
        return;
    uint32_t hole = find(x, hash(table, entry), entry);
    if (x->slots[hole] == 0)
        return;
    /* whoever follows and may stand in the hole moves there, and leaves the next hole */
    for (uint32_t at = (hole + 1) & mask; x->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t home = hash(table, (x->slots[at] & hd_index_numbers(x)) - 1) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            x->slots[hole] = x->slots[at];
            hole = at;
        }
    }
    x->slots[hole] = 0;
    x->len--;
    if (x->cap > FIRST_CAP && (uint64_t)x->len * 8 < x->cap)
        (void)resize(x, p, x->cap / 2, hash, table); /* without memory it stays as it is */
}

void hd_index_move(struct hd_index *x, uint32_t hash, uint32_t from, uint32_t to)
{
    if (x->cap == 0)
        return;
    uint32_t at = find(x, hash, from);
    if (x->slots[at] == 0)
        return;
    widen(x, to);
    x->slots[at] = slot_of(x, hash, to);
}

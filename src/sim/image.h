/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All memory of a simulation: some regions of address space at fixed addresses, one for what all
 * share and one per worker. Whatever outlives an event lies in them, so a copy of their used parts,
 * put back at the same addresses by the same program, is the simulation (save.c).
 */
#ifndef HD_SIM_IMAGE_H
#define HD_SIM_IMAGE_H

#include "lib/pool.h"

#define HD_SIM_WORKERS_MAX 16 /* of one process */
#define HD_SIM_PARTS_MAX   (HD_SIM_WORKERS_MAX + 1)

struct hd_sim_image {
    unsigned slot;  /* which of the places for images it has */
    unsigned parts; /* part 0 is shared, part 1 + w belongs to worker w */
    size_t part_bytes;
    struct hd_pool *part[HD_SIM_PARTS_MAX];
};

/* Takes the first free place: 0, or HD_ENOMEM. */
HD_MUST_USE int hd_sim_image_make(struct hd_sim_image *i, unsigned parts);
/* Takes the same place, empty, to be filled: 0, or HD_EEXIST when something lies there. */
HD_MUST_USE int hd_sim_image_make_at(struct hd_sim_image *i, unsigned slot, unsigned parts);
void hd_sim_image_free(struct hd_sim_image *i);

/* Where a part begins. */
unsigned char *hd_sim_image_at(unsigned slot, unsigned part);
/* Bytes of a part that were ever handed out. */
size_t hd_sim_image_used(const struct hd_sim_image *i, unsigned part);

#endif

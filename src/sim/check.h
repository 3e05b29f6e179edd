/* SPDX-License-Identifier: Apache-2.0 */
/* What the checks of a simulation remember, shared by check.c, holes.c and tables.c. */
#ifndef HD_SIM_CHECK_H
#define HD_SIM_CHECK_H

#include "sim/engine.h"

struct broken_pair {
    uint32_t from, to;
    hd_time since; /* first look that found it broken */
};

/* A label whose next node does not know what it is handed. */
struct dangling {
    uint32_t node, index;
    struct hd_label key;
    hd_time since;
};

struct dangling_list {
    struct dangling *v;
    uint32_t len, cap;
};

struct checker {
    struct broken_pair *pairs; /* that are watched */
    struct hd_map watched;     /* they as keys */
    uint32_t pair_count;
    struct touched touched;                         /* of all workers, for a look */
    bool looking;                                   /* a look for the checks is under way */
    hd_time *work_since;                            /* by node: pending without a pause */
    hd_time *odd_since;                             /* by link: one end admits the other alone */
    struct dangling_list dangling, dangling_before; /* by node and index */
    hd_time tables_at;                              /* next look at the tables */
    hd_time whole_at;                               /* all pairs that were looked at worked then */
};

/* check.c: a walk that goes round fails the simulation. */
void check_round(struct hd_sim *s, const struct hd_sim_pair *p);

/* holes.c: pairs that do not work. */
void holes_start(struct hd_sim *s);
void holes_look(struct hd_sim *s);

/* tables.c: what nodes know of each other, and what points to what. */
void check_tables(struct hd_sim *s);

#endif

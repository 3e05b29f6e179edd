/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios: one description of a network and of what happens to it, for labs and simulations
 * alike.
 *
 * A scenario is nodes, links, a schedule of faults, probes (flows whose gaps are measured) and
 * expectations. It comes from a JSON file, from a generator ("grid:5x5"), or from a topology file
 * (GraphML, Repetita, edge list). Whatever the source, the result is this plain struct: integers
 * only, names resolved to indices, schedule sorted, so that equal input and seed give an equal
 * scenario on every machine. The format is described in doc/scenario.md.
 *
 * All memory is malloc's and belongs to the struct: hd_scenario_free.
 */
#ifndef HD_SCENARIO_SCENARIO_H
#define HD_SCENARIO_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/time.h"

#define HD_SCENARIO_NAME_MAX  48 /* bytes of a node name with its end */
#define HD_SCENARIO_NODES_MAX 4000000
#define HD_SCENARIO_LINKS_MAX 40000000
#define HD_SCENARIO_ERROR     256 /* a good size for error texts */
#define HD_SCENARIO_NONE      UINT32_MAX
#define HD_SCENARIO_MILLION   1000000u /* rates in ppm: all of them */

struct hd_scenario_node {
    char name[HD_SCENARIO_NAME_MAX];
    bool has_id;
    bool end_system;  /* takes no part in forwarding for others */
    uint8_t id[14];   /* when has_id: the NodeID */
    uint32_t key;     /* nodes of the same number hold the same fabric key; 0: open */
    int32_t skew_ppm; /* how much faster its clock runs */
    hd_time start_ns; /* when the router starts; HD_NEVER: only by the schedule */
};

struct hd_scenario_link {
    uint32_t a, b; /* node indices */
    uint32_t mtu;  /* bytes; 1500 when nothing is said */
    uint32_t loss_ppm, duplicate_ppm, reorder_ppm, corrupt_ppm; /* per packet and direction */
    uint32_t zero;        /* no padding: the simulator compares values as bytes */
    hd_time delay_ns;     /* one way */
    hd_time jitter_ns;    /* added, uniform in [0, jitter] */
    uint64_t rate_bps;    /* bits per second and direction; 0: no limit */
    uint64_t queue_bytes; /* of a link with a rate; 0: the driver's default */
};

enum hd_scenario_action {
    HD_SCENARIO_CUT = 1, /* link: both ends lose the carrier */
    HD_SCENARIO_SILENT,  /* link: nothing passes, carriers stay */
    HD_SCENARIO_HEAL,    /* link: undoes cut and silent */
    HD_SCENARIO_CHANGE,  /* link: takes the values of `change` named in `fields` */
    HD_SCENARIO_KILL,    /* node: dies without a word */
    HD_SCENARIO_START,   /* node: starts with what it saved */
    HD_SCENARIO_RESTART, /* node: kill and start, forwarding kept if `resumed` */
    HD_SCENARIO_STOP,    /* node: says goodbye and ends */
};

/* Bits of `fields`. */
#define HD_SCENARIO_F_LOSS      0x01
#define HD_SCENARIO_F_DELAY     0x02
#define HD_SCENARIO_F_JITTER    0x04
#define HD_SCENARIO_F_RATE      0x08
#define HD_SCENARIO_F_DUPLICATE 0x10
#define HD_SCENARIO_F_REORDER   0x20
#define HD_SCENARIO_F_CORRUPT   0x40
#define HD_SCENARIO_F_MTU       0x80

/* One thing that happens. Groups of the file (partitions, "*") are spelled out here. */
struct hd_scenario_event {
    hd_time at_ns;
    enum hd_scenario_action action;
    uint32_t node; /* or HD_SCENARIO_NONE */
    uint32_t link; /* or HD_SCENARIO_NONE */
    bool resumed;
    uint32_t fields;
    struct hd_scenario_link change;
};

/* A flow of numbered packets from one node to another. */
struct hd_scenario_probe {
    uint32_t from, to;
    uint32_t size; /* bytes of UDP payload */
    hd_time interval_ns;
    hd_time start_ns, stop_ns; /* HD_NEVER: to the end */
};

enum hd_scenario_expect_kind {
    HD_SCENARIO_ALL_PAIRS = 1, /* from at_ns on: every living pair that the graph connects works */
    HD_SCENARIO_PAIR,          /* at at_ns: the pair (from, to) works, or not (reachable) */
    HD_SCENARIO_GAP,           /* probe: no gap longer than limit_ns, from at_ns on */
    HD_SCENARIO_NO_LOOP,       /* no packet ever goes round */
    HD_SCENARIO_LOST,          /* probe: at most limit_count packets lost */
};

struct hd_scenario_expect {
    enum hd_scenario_expect_kind kind;
    hd_time at_ns;
    hd_time limit_ns;
    uint64_t limit_count;
    uint32_t from, to; /* nodes, or HD_SCENARIO_NONE */
    uint32_t probe;    /* or HD_SCENARIO_NONE: each */
    bool reachable;
};

struct hd_scenario {
    char *origin; /* file name or generator text, for messages */
    char *name;   /* may be NULL */
    uint64_t seed;
    hd_time until_ns; /* HD_NEVER: not said */

    struct hd_scenario_node *nodes;
    struct hd_scenario_link *links;
    struct hd_scenario_event *events; /* sorted by time, order of the file within */
    struct hd_scenario_probe *probes;
    struct hd_scenario_expect *expects;
    uint32_t node_count, link_count, event_count, probe_count, expect_count;

    uint32_t dropped_nodes; /* outside the largest connected part of a random or read topology */
    /* private: sizes of the arrays, and the table of names (built when first needed) */
    uint32_t node_cap, link_cap, event_cap, probe_cap, expect_cap;
    uint32_t *name_table;
    uint32_t name_table_size, name_table_nodes;
};

/*
 * Loads a scenario: .json by doc/scenario.md; .graphml, .graph (Repetita) or anything else (edge
 * list, or CAIDA's AS relationships) as a bare topology. On failure an hd_error, *s is NULL, and
 * err holds one sentence with the place (line, or JSON path) and what was expected.
 */
HD_MUST_USE int hd_scenario_load(const char *path, struct hd_scenario **s, char *err,
                                 size_t errlen);

/*
 * Makes a topology from generator text, node names n0, n1, ...:
 *
 *   line:N ring:N star:N full:N grid:WxH torus:WxH tree:N,K (K children) fat-tree:K
 *   ba:N,M  Barabasi-Albert, M links per new node
 *   ws:N,K,P  Watts-Strogatz, rewired with probability P; nws: links added and none removed
 *   er:N,D  random graph of mean degree D       rgg:N,D  random geometric graph of mean degree D
 *
 * P and D take decimals. ws, er and rgg keep their largest connected part (dropped_nodes says how
 * many fell away); nodes are then numbered anew. Equal text and seed give equal graphs on every
 * machine.
 */
HD_MUST_USE int hd_scenario_generate(const char *text, uint64_t seed, struct hd_scenario **s,
                                     char *err, size_t errlen);

/* A file if one of that name exists, else generator text. seed: for generators. */
HD_MUST_USE int hd_scenario_open(const char *path_or_generator, uint64_t seed,
                                 struct hd_scenario **s, char *err, size_t errlen);

void hd_scenario_free(struct hd_scenario *s);

/*
 * Writes the scenario as JSON, spelled out. Reading it back gives an equal one, but an event of one
 * of several parallel links then acts on each of them. 0, or an hd_error with a sentence in err.
 */
HD_MUST_USE int hd_scenario_write(const struct hd_scenario *s, const char *path, char *err,
                                  size_t errlen);

/* --- for those who build scenarios in code -------------------------------------------------------
 */

/* An empty scenario; NULL without memory. */
struct hd_scenario *hd_scenario_new(const char *origin);

/*
 * Each appends one item filled with defaults (mtu 1500, delays 0, start 0, ...) and returns it,
 * NULL without memory or beyond the limit. Pointers into an array end with the next append to it.
 * name NULL: "n<index>".
 */
struct hd_scenario_node *hd_scenario_add_node(struct hd_scenario *s, const char *name);
struct hd_scenario_link *hd_scenario_add_link(struct hd_scenario *s, uint32_t a, uint32_t b);
struct hd_scenario_event *hd_scenario_add_event(struct hd_scenario *s, hd_time at_ns,
                                                enum hd_scenario_action action);
struct hd_scenario_probe *hd_scenario_add_probe(struct hd_scenario *s, uint32_t from, uint32_t to);
struct hd_scenario_expect *hd_scenario_add_expect(struct hd_scenario *s,
                                                  enum hd_scenario_expect_kind kind);
/* Restores the order of the schedule after events were added out of order (stable). */
void hd_scenario_sort(struct hd_scenario *s);

/* Index of the node of that name, HD_SCENARIO_NONE when there is none (or no memory to look). */
uint32_t hd_scenario_find_node(struct hd_scenario *s, const char *name);
/* First link between both at or after index `from`, in either direction; HD_SCENARIO_NONE. */
uint32_t hd_scenario_find_link(const struct hd_scenario *s, uint32_t a, uint32_t b, uint32_t from);

/* Name of an action as in the file; never NULL. */
const char *hd_scenario_action_name(enum hd_scenario_action action);

/* A number over nodes, links and their values: equal scenarios, equal numbers. */
uint64_t hd_scenario_hash(const struct hd_scenario *s);

#endif

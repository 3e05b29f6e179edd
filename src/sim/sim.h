/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simulator: the driver that runs routers under virtual time (design.md, sections 1 and 8).
 *
 * A simulation holds the nodes and links of a scenario, one router per living node in a region of
 * its own, and one queue of events ordered by (time, receiver, inputs before deadlines, sender,
 * sender's counter). That order, integer arithmetic and seeded streams make a run a function of
 * scenario, seed and options: hd_sim_digest is the proof, and the reason why a failure can be
 * replayed by one command.
 *
 * Data packets are forwarded hop by hop by the models that the routers wrote, with an installation
 * time during which the old value of an object is in force, so the races of a real data plane exist
 * here. What they meet (unknown labels, dead egresses, small links) is reported to the owner cores
 * as the Linux data plane would (spec/forwarding-on-linux.md, sections 2 and 3).
 *
 * With several workers (hd_sim_options) the hooks are called by the worker of the node they are
 * about, at the same time as those of other nodes; everything else is called between runs, by one
 * thread. Several simulations may exist side by side.
 */
#ifndef HD_SIM_SIM_H
#define HD_SIM_SIM_H

#include "router/router.h"
#include "scenario/scenario.h"
#include "sim/group.h"

#define HD_SIM_NONE             UINT32_MAX
#define HD_SIM_CORES_MAX        4
#define HD_SIM_LOOKAHEAD_MIN_US 100u /* links between workers take at least this */
#define HD_SIM_KEYS_MAX         4
#define HD_SIM_WHY              320 /* bytes of the sentence that says which check failed */

struct hd_sim; /* opaque */

/* What a node flagged as lying wants to send: the callback may rewrite it; len 0 drops it. */
struct hd_sim_outgoing {
    uint32_t node, ifindex;
    uint16_t number; /* UDP port */
    struct hd_ip6 to;
    uint8_t *bytes; /* room for 65,535 */
    uint32_t len;
};

/* What a trace sees. `node` is where it happened; other members as said here, else 0. */
enum hd_sim_sight_kind {
    HD_SIM_SENT = 1,     /* other: link, HD_SIM_NONE: routed; value: UDP port; bytes */
    HD_SIM_RECEIVED,     /* other: the neighbour, HD_SIM_NONE: routed; value: UDP port; bytes */
    HD_SIM_LOST,         /* on its way: other: link; value: UDP port, 0: a data packet; bytes */
    HD_SIM_IN_FORCE,     /* a model change: other: index; value: enum hd_object_kind, 256: gone */
    HD_SIM_PACKET,       /* a data packet ended: other: its source; value: enum hd_sim_fate */
    HD_SIM_LINK_CHANGED, /* other: link; value: bit 0 cut, bits 1 and 2 silent directions */
    HD_SIM_STARTED,
    HD_SIM_DIED,   /* value: enum hd_sim_death */
    HD_SIM_LOGGED, /* value: level; bytes: its cause as text */
    HD_SIM_SIGHTS,
};

struct hd_sim_sight {
    hd_time at;
    enum hd_sim_sight_kind kind;
    uint32_t node, other, value, len;
    const void *bytes;
};

/* Things a test may watch. Every member may be NULL. */
struct hd_sim_hooks {
    void *user;
    void (*lie)(void *user, struct hd_sim *s, struct hd_sim_outgoing *m);
    /* An event or a reply of a core: e->type tells which; rows follow it. */
    void (*effect)(void *user, struct hd_sim *s, uint32_t node, struct hd_effect *e);
    /* After each run of effects of a node: for invariant checks of tests. */
    void (*settled)(void *user, struct hd_sim *s, uint32_t node);
    /* Everything that a trace is made of; in the order of events, so of one worker. */
    void (*seen)(void *user, struct hd_sim *s, const struct hd_sim_sight *e);
};

struct hd_sim_options {
    uint64_t seed;
    uint8_t cores[HD_SIM_CORES_MAX]; /* enum hd_core_number; all zero: KIRA */
    /*
     * Config of a core on a node, malloc'ed, its size into *len. No callback or NULL: the core's
     * own defaults. For KIRA: hd_sim_kira_config.
     */
    void *(*config)(void *user, struct hd_sim *s, uint32_t node, uint8_t core, uint32_t *len);
    void *config_user;
    /*
     * Threads that run nodes, each its share; the result is the same with any number. Fewer are
     * taken when links between shares are shorter than 100 us. 0: one.
     */
    uint32_t workers;
    const struct hd_sim_group *group; /* processes that share the nodes; NULL: this one is alone */
    size_t region_bytes;              /* bound of a router's memory; 0: 64 MiB */
    bool own_regions;                 /* each router's pool at the start of a mapping of its own */
    uint64_t router_bytes;   /* what a router is expected to take, for the estimate; 0: 16 KiB */
    uint64_t memory_bytes;   /* what the simulation may take; 0: what the machine has free */
    hd_time detect_ns;       /* from a lost or found carrier to the router's input; 1 ms */
    hd_time install_ns;      /* from a model edit to its being in force; 100 us */
    hd_time save_ns;         /* until a saved value is durable; 1 ms */
    hd_time start_jitter_ns; /* nodes start within this after their time; 10 ms */
    uint64_t queue_bytes;    /* of a link with a rate that names none; 256 KiB */
    uint32_t work_units;     /* of one slice, a unit costing 1 us of virtual time; 150 */
    bool shared_ids;         /* one ID table for all routers; no node may invent IDs then */
    bool kill_is_power_off;  /* neighbours of a node killed by the schedule lose the carrier */
    bool digest_payload;     /* let the digest cover every byte on the wire */
    int log_level;           /* print log effects up to this level to stderr; 0: none */
    size_t pool_max_bytes;   /* checker: live bytes of a router; 0: no bound */
    struct hd_sim_hooks hooks;
};

void hd_sim_options_default(struct hd_sim_options *o);

/* KIRA with the node's ID, its end-system flag, and a required key where it has one (user unused).
 */
void *hd_sim_kira_config(void *user, struct hd_sim *s, uint32_t node, uint8_t core, uint32_t *len);

/*
 * Builds the simulation; the scenario must outlive it. 0 or an hd_error with a sentence in err: so
 * when hd_sim_fits says no.
 */
HD_MUST_USE int hd_sim_create(struct hd_sim **s, const struct hd_scenario *sc,
                              const struct hd_sim_options *o, char *err, size_t errlen);
void hd_sim_free(struct hd_sim *s);

/* Bytes of memory that a run of it will take, scenario apart. */
uint64_t hd_sim_estimate(const struct hd_scenario *sc, const struct hd_sim_options *o);
/* Bytes that this process may still take. */
uint64_t hd_sim_memory(void);
/* Whether there are enough; else a sentence that says how many nodes would fit. */
bool hd_sim_fits(const struct hd_scenario *sc, const struct hd_sim_options *o, char *err,
                 size_t errlen);

/*
 * Saves the simulation between two runs as DIR/state, with some bytes of the caller's; the file
 * replaces an older one when it is complete. 0 or an hd_error with a sentence in err.
 */
HD_MUST_USE int hd_sim_save(const struct hd_sim *s, const char *dir, const void *extra, size_t len,
                            char *err, size_t errlen);
/*
 * Goes on with a saved one: the same program, the same scenario. Of the options only hooks, config
 * and log level count; checks go on as they were. The caller's bytes come back, as many as were
 * saved. 0 or an hd_error with a sentence in err.
 */
HD_MUST_USE int hd_sim_resume(struct hd_sim **s, const char *dir, const struct hd_scenario *sc,
                              const struct hd_sim_options *o, void *extra, size_t len, char *err,
                              size_t errlen);

hd_time hd_sim_now(const struct hd_sim *s);
uint32_t hd_sim_node_count(const struct hd_sim *s);
uint32_t hd_sim_link_count(const struct hd_sim *s);
/* How many threads run nodes: what was asked for, or one when links are too short for more. */
uint32_t hd_sim_workers(const struct hd_sim *s);

/* Runs all events up to and including `until`; now is `until` afterwards. */
void hd_sim_run(struct hd_sim *s, hd_time until);
/* Runs until `until` or the first failed check; true when no check has failed. */
bool hd_sim_run_checked(struct hd_sim *s, hd_time until);

/*
 * In a group: each process has an array of its own nodes' or whatever; all learn all of it, in the
 * order of nodes. The array has room for it. Alone: nothing happens.
 */
void hd_sim_gather(const struct hd_sim *s, void *array, size_t item, uint32_t *count);

/* A number over all events processed so far: equal runs, equal numbers. */
uint64_t hd_sim_digest(const struct hd_sim *s);
/* The first failed check as a sentence, NULL while all hold. */
const char *hd_sim_failure(const struct hd_sim *s);

/* --- faults, in force at once --------------------------------------------------------------------
 */

enum hd_sim_death {
    HD_SIM_DEATH_SILENT,  /* router and forwarding gone, carriers stay */
    HD_SIM_DEATH_POWER,   /* the same, and neighbours lose the carrier */
    HD_SIM_DEATH_PROCESS, /* router gone; its last forwarding state stays in force */
};

void hd_sim_cut(struct hd_sim *s, uint32_t link);
/* Nothing passes, carriers stay. directions: bit 0 from a to b, bit 1 from b to a. */
void hd_sim_silence(struct hd_sim *s, uint32_t link, unsigned directions);
void hd_sim_heal(struct hd_sim *s, uint32_t link);
void hd_sim_change_link(struct hd_sim *s, uint32_t link, const struct hd_scenario_link *values,
                        uint32_t fields);
void hd_sim_kill(struct hd_sim *s, uint32_t node, enum hd_sim_death death);
/* Goodbye, then a silent death. */
void hd_sim_stop(struct hd_sim *s, uint32_t node);
/* Starts a dead node with its saved values; resumed after a death of the process only. */
void hd_sim_start(struct hd_sim *s, uint32_t node);
void hd_sim_set_lying(struct hd_sim *s, uint32_t node, bool lying);

/* Hands a datagram to a node as if it came from its neighbour over this interface. */
void hd_sim_inject(struct hd_sim *s, uint32_t node, uint32_t ifindex, uint16_t number,
                   const void *bytes, uint32_t len);
/* Gives a node a key under a handle > 0 (0 removes); the first is used for sending. */
HD_MUST_USE int hd_sim_add_key(struct hd_sim *s, uint32_t node, uint32_t handle, uint64_t secret);

/* --- looking in ----------------------------------------------------------------------------------
 */

/* The router of a living node, NULL otherwise. */
struct hd_router *hd_sim_router(const struct hd_sim *s, uint32_t node);
/* The node's address, fc00:<ID>, unless another was set. */
struct hd_ip6 hd_sim_address(const struct hd_sim *s, uint32_t node);
/* For cores that have addresses of their own. */
void hd_sim_set_address(struct hd_sim *s, uint32_t node, const struct hd_ip6 *a);
const struct hd_id *hd_sim_id(const struct hd_sim *s, uint32_t node);
/* Node with this ID, HD_SIM_NONE when there is none. */
uint32_t hd_sim_find(const struct hd_sim *s, const struct hd_id *id);
uint32_t hd_sim_ifindex(const struct hd_sim *s, uint32_t link, uint32_t node);
/* A living router's own clock. */
hd_time hd_sim_local_time(const struct hd_sim *s, uint32_t node);
/* Gives a command to a core; replies come to the hook. Returns its id. */
uint32_t hd_sim_command(struct hd_sim *s, uint32_t node, uint8_t core, uint16_t verb,
                        const void *args, uint16_t len);

/* --- data packets --------------------------------------------------------------------------------
 */

enum hd_sim_fate {
    HD_SIM_ARRIVED = 0,
    HD_SIM_NO_ROUTE,
    HD_SIM_UNREACHABLE, /* a route says so */
    HD_SIM_LABEL_UNKNOWN,
    HD_SIM_EGRESS_DEAD, /* adjacency down or gone, or no carrier: noticed and reported */
    HD_SIM_HOP_LIMIT,
    HD_SIM_TOO_BIG,
    HD_SIM_NOT_ADMITTED, /* from a neighbour that is no member */
    HD_SIM_LINK_LOST,    /* loss, silent cut, full queue, wrong MAC: nobody notices */
    HD_SIM_NODE_DEAD,
    HD_SIM_LOOP, /* walk only: the same node twice in the same state */
    HD_SIM_FATES,
};

const char *hd_sim_fate_name(enum hd_sim_fate f);

#define HD_SIM_WALK_NODES 256

struct hd_sim_walk {
    enum hd_sim_fate fate;
    uint32_t at;         /* node where it ended */
    uint32_t hops;       /* links passed */
    uint32_t stages;     /* encapsulations and plain hops between overlay nodes */
    bool away;           /* some overlay stage did not come closer to the destination by XOR */
    uint32_t node_count; /* of nodes[], source included; cut at HD_SIM_WALK_NODES */
    uint32_t nodes[HD_SIM_WALK_NODES];
};

/* Follows the forwarding state in force now, without loss, delay or reports. */
void hd_sim_walk_pair(struct hd_sim *s, uint32_t from, uint32_t to, struct hd_sim_walk *w);
/* The same for a labelled packet at a node: ARRIVED at the node where its path ends. */
void hd_sim_walk_label(struct hd_sim *s, uint32_t node, const struct hd_label *label,
                       struct hd_sim_walk *w);

/* Links and nodes that walks take for dead from here on; HD_SIM_NONE where there is none. */
struct hd_sim_dead {
    uint32_t link[2], node[2];
};
void hd_sim_pretend(struct hd_sim *s, const struct hd_sim_dead *d);

/* Sends one packet (inner bytes with IPv6 header); its fate shows in the flow's counters. */
void hd_sim_send_packet(struct hd_sim *s, uint32_t from, uint32_t to, uint32_t size, uint32_t flow);

struct hd_sim_flow {
    uint32_t from, to;
    uint64_t sent, arrived, duplicates, reordered;
    uint64_t fates[HD_SIM_FATES];
    uint32_t next_sequence, last_arrived;
    hd_time last_at, longest_gap_ns, gap_at, worst_delay_ns;
};

/* Adds a flow: its number. Probes of the scenario are flows 0 to probe_count - 1. */
uint32_t hd_sim_add_flow(struct hd_sim *s, uint32_t from, uint32_t to);
const struct hd_sim_flow *hd_sim_flow(const struct hd_sim *s, uint32_t flow);
uint32_t hd_sim_flow_count(const struct hd_sim *s);

/* Hops between living nodes over working links: HD_SIM_NONE when there is no way. */
uint32_t hd_sim_distance(struct hd_sim *s, uint32_t from, uint32_t to);

struct hd_sim_reach {
    uint64_t pairs;     /* looked at, of living nodes */
    uint64_t connected; /* by the graph */
    uint64_t arrived;
    uint64_t fates[HD_SIM_FATES]; /* of the connected ones */
    uint64_t away;
    /* hops / shortest, in thousandths, over those that arrived */
    uint32_t stretch_mean, stretch_p50, stretch_p95, stretch_p99, stretch_max;
    uint32_t bad_from, bad_to; /* one connected pair that does not work, HD_SIM_NONE */
    enum hd_sim_fate bad_fate;
    uint32_t bad_at;
};

/* All ordered pairs of living nodes, or about `sample` of them (0: all), chosen by the seed. */
void hd_sim_reach(struct hd_sim *s, uint64_t sample, uint64_t seed, struct hd_sim_reach *r);

/* A pair and where its packet ends by the forwarding state in force. */
struct hd_sim_pair {
    uint32_t from, to;
    uint32_t shortest; /* distance, HD_SIM_NONE: no way; set by hd_sim_each_pair only */
    enum hd_sim_fate fate;
    uint32_t at, hops, stages;
    bool away;
    bool known; /* the source has a route to this very node */
};

/* Walks each of them: from and to are given. */
void hd_sim_walk_pairs(struct hd_sim *s, struct hd_sim_pair *pairs, size_t count);
/*
 * The pairs that hd_sim_reach would look at, each walked. The callback may send packets, and must
 * change nothing else.
 */
void hd_sim_each_pair(struct hd_sim *s, uint64_t sample, uint64_t seed,
                      void (*pair)(void *user, struct hd_sim *s, const struct hd_sim_pair *p),
                      void *user);

/* --- checks --------------------------------------------------------------------------------------
 */

struct hd_sim_checks {
    /*
     * Packets that go round. Up to 10,000 nodes each label and each route to a node is followed in
     * the instant when it comes into force (with several workers: at the end of its window); above,
     * and for routes to prefixes, by random pairs and by the pairs of each look.
     */
    bool loops;
    uint32_t walks_per_batch; /* random pairs; all of them up to 16 nodes; 64 */
    /* No connected pair stays broken longer, after the last fault or by itself; 0: no check. */
    hd_time reach_bound_ns;
    hd_time tick_ns; /* how often reachability is looked at; 100 ms */
    uint64_t sample; /* pairs per look, 0: all */
    /* pairs per look of those whose own route changed since the last one; 2000 */
    uint32_t touched_most;
    /*
     * Send a packet for each connected pair that a look finds broken, as somebody who uses it
     * would: repair may wait for the reports that traffic causes.
     */
    bool probe_broken;
    hd_time late_ns;            /* no router asks for a deadline that passed longer ago; 1 ms */
    hd_time work_bound_ns;      /* no router has work without a pause for longer; 10 s */
    hd_time neighbour_bound_ns; /* ends of a link admit each other, or none does; 30 s */
    hd_time label_bound_ns;     /* a label is known where it leads; its life and a little, 75 s */
    hd_time table_tick_ns;      /* how often tables are compared; 0: never; 1 s */
};

void hd_sim_checks_default(struct hd_sim_checks *c);
void hd_sim_set_checks(struct hd_sim *s, const struct hd_sim_checks *c);

/*
 * Counts what came into force and every fault: while it stands still, so does every walk. For
 * callers that look often.
 */
uint64_t hd_sim_forwarding_epoch(const struct hd_sim *s);

/* When all connected pairs began to work for good, HD_NEVER: not so now. Needs reach_bound_ns. */
hd_time hd_sim_all_since(const struct hd_sim *s);
hd_time hd_sim_last_fault(const struct hd_sim *s);

/* --- counters ------------------------------------------------------------------------------------
 */

struct hd_sim_stats {
    uint64_t events, inputs, deadlines, work_slices;
    uint64_t datagrams_sent, datagram_bytes, datagrams_received;
    uint64_t by_type_count[256],
        by_type_bytes[256]; /* the first byte, or the second behind a zero */
    uint64_t lost_link, lost_queue, lost_silent, lost_port, lost_address, lost_dead;
    uint64_t fragmented, fragments, duplicated, reordered, corrupted;
    uint64_t packets_sent, packet_hops, reports, repaired;
    uint64_t fates[HD_SIM_FATES];
    uint64_t model_changes, model_batches, old_lost;
    uint64_t log_lines, effects_lost, saved, samples, starts, start_failures;
    uint64_t loop_walks;
    hd_time last_route_change; /* any realised change of a route */
    size_t queue_peak, payload_peak;
};

/* Sums at this time; valid until the next call. */
const struct hd_sim_stats *hd_sim_stats(const struct hd_sim *s);

struct hd_sim_node_stats {
    bool alive;
    uint64_t sent, sent_bytes, received;
    size_t pool_used, pool_live;
    uint32_t labels, routes, adjs;
};

void hd_sim_node_stats(struct hd_sim *s, uint32_t node, struct hd_sim_node_stats *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the simulator, shared by its files:
 *
 *   engine.c   creation, who handles which event, the run
 *   windows.c  workers: threads, windows of time, events that cross from one to another
 *   ranks.c    workers of other processes
 *   look.c     what the simulation shows of itself
 *   node.c     a router's life: start, death, the calls of the contract, their effects
 *   install.c  model changes on their way into the data plane; what is in force meanwhile
 *   link.c     what a link does to a datagram or packet
 *   packet.c   one forwarding step, packets hop by hop, reports to cores
 *   reach.c    walks, shortest paths, reachability and stretch
 *   check.c    what must never happen; holes.c: pairs that do not work; tables.c: tables that
 *              contradict each other
 *   schedule.c faults, probes and expectations of a scenario
 */
#ifndef HD_SIM_ENGINE_H
#define HD_SIM_ENGINE_H

#include "lib/base.h"
#include "lib/map.h"
#include "sim/image.h"
#include "sim/queue.h"
#include "sim/sim.h"

enum event_kind {
    EV_DATAGRAM = 1, /* payload: struct datagram */
    EV_PACKET,       /* payload: struct packet */
    EV_CARRIER,      /* number: end whose router learns the carrier */
    EV_REPORT,       /* payload: struct report */
    EV_COMMAND,      /* payload: struct command */
    EV_SAVED,        /* number: core << 16 | key */
    EV_SAMPLE,       /* payload: struct hd_input */
    EV_INSTALL,      /* number: incarnation */
    EV_DEADLINE,     /* number: incarnation */
    EV_WORK,         /* number: incarnation */
    EV_START,        /* number: incarnation that died */
    EV_PROBE,        /* number: probe of the scenario */
    EV_SCHEDULE,     /* number: event of the scenario; receiver is the world */
    EV_TICK,         /* the checker looks */
};

#define HD_SIM_OWNERS_MAX HD_SIM_PROCESSES_MAX /* workers of all processes */

#define WORLD 0x7ffffffeu /* receiver of what belongs to no node */

struct datagram {
    uint32_t len, size; /* size: of the slab block */
    uint32_t end;       /* it arrives at, HD_SIM_NONE: routed */
    uint32_t epoch;     /* of the link when it was sent */
    uint16_t number;
    uint8_t hop_limit, traffic_class;
    bool multicast;
    struct hd_ip6 from, to;
    struct hd_mac mac;
    uint8_t bytes[];
};

/* A data packet; with payload_len it is a routed datagram. */
struct packet {
    struct hd_ip6 to;
    uint32_t source;       /* node */
    uint32_t outer_source; /* node */
    uint32_t size;         /* inner bytes */
    uint32_t flow, sequence;
    uint32_t end, epoch, block; /* end it arrives at; block: of the slab */
    uint32_t hops, stages;
    hd_time sent_at, encap_at;
    struct hd_label label;
    bool encap, origin; /* origin: not yet left its source */
    bool away;          /* an overlay stage did not come closer */
    bool marked;        /* was repaired */
    bool carries;       /* `carry` is its label where the way round ends */
    struct hd_label carry;
    uint8_t outer_hops, inner_hops;
    uint16_t number; /* of the port, for a payload */
    uint8_t traffic_class;
    uint32_t payload_len;
    uint8_t payload[];
};

struct report {
    uint8_t core;
    struct hd_in_report r;
};

struct command {
    uint32_t block;
    struct hd_in_command c;
    uint8_t core;
    _Alignas(16) uint8_t args[]; /* holds a core's own struct */
};

/* A direction of a link. Only the worker of `node` writes it. */
struct end {
    uint32_t node, link, ifindex;
    uint32_t draws; /* random numbers taken for frames that leave here */
    hd_time busy_until;
    uint32_t adj_hint; /* adjacency of the node that last admitted this neighbour */
    bool told_up;      /* what its router knows of the carrier */
};

/* Changed between windows only. Links with equal values share them. */
struct link {
    uint32_t values; /* in sim.link_values */
    uint32_t epoch;  /* counts cuts: what was under way then is lost */
    bool cut;
    uint8_t silent; /* bits of directions */
};

struct saved {
    uint8_t core;
    uint16_t key;
    uint32_t len;
    uint8_t *bytes;
};

struct port {
    uint8_t core;
    uint16_t port, number;
};

struct held { /* a send that waits for a generation */
    uint32_t generation;
    struct hd_effect *effect; /* malloc'ed, with payload */
};

/* What is in force of a label or a route. */
struct force_label {
    struct hd_label_value v;
    struct hd_repair repair;
};

struct force_route {
    struct hd_route_value v;
    struct hd_repair repair;
};

union object_value {
    struct hd_adj_value adj;
    struct hd_guard_value guard;
    struct force_label label;
    struct force_route route;
};

/*
 * A change under way. What was in force before it stays so until `due`: its old value, or nothing.
 * Of several changes of one object the first in the list speaks.
 */
struct pending {
    struct hd_change change;
    hd_time due;
    bool had_old;
    union object_value old;
    struct hd_label label; /* key of a label */
    struct hd_route_key route;
};

struct batch {
    hd_time due;
    uint32_t generation;
};

struct key {
    uint32_t handle;
    uint64_t secret;
};

struct node {
    struct hd_router *router; /* NULL: none lives */
    struct hd_model *model;   /* in force: of the router, or of the one whose process died */
    struct hd_pool *pool;
    struct hd_pool *old_pool; /* kept by a death of the process, with its model */
    struct hd_model *old_model;
    hd_time deadline; /* the router's, in simulated time */
    hd_time timer_at; /* earliest EV_DEADLINE in the queue */
    uint64_t digest;  /* of the events that it received */
    uint32_t counter; /* of events sent */
    uint32_t incarnation;
    uint32_t first_end; /* in sim.ends_of */
    uint32_t end_count;
    bool lives;   /* it has a router, here or in another process */
    bool powered; /* changed between windows only */
    bool process_died, lying, lied, work_queued, start_queued;
    uint8_t port_count, key_count;
    struct port ports[8];
    struct saved *saved;
    struct held *held;
    struct pending *pending;
    struct batch *batches;
    struct key *keys; /* HD_SIM_KEYS_MAX of them, NULL: none */
    uint32_t saved_count, saved_cap, held_count, held_cap;
    uint32_t pending_count, pending_cap, batch_count, batch_cap;
    uint64_t sent, sent_bytes, received;
    struct hd_id id;
    struct hd_ip6 address;
};

struct flow_seen { /* the data plane's memory of a destination at a node */
    hd_time last;
    uint64_t packets;
};

struct usage {
    uint64_t packets, bytes;
};

/* A label, route or guard that came into force, or went: for the checks. */
struct changed {
    uint32_t node, index;
    uint8_t kind; /* enum hd_object_kind */
    struct hd_label label;
    struct hd_route_key route;
};

/* Where a walk has been; whoever walks has marks of its own. */
struct marks {
    uint64_t *stamp; /* two for each node */
    uint64_t serial; /* of the walk */
};

/* Pairs of which the source's own route changed since the last look (holes.c). */
struct touched {
    struct hd_map pairs; /* source << 32 | destination */
    unsigned thinned;    /* of each 2^thinned pairs one is kept */
};

/*
 * Who runs the nodes from `first` to before `end`. Of a worker of another process that is all that
 * is known here, and its counters. All that their events need and change is here or
 * in their own structs; the rest of the simulation stands still while workers run.
 */
struct worker {
    struct hd_sim *s;
    uint32_t index;
    uint32_t first, end;
    hd_time now;
    struct hd_pool *pool;
    struct hd_sim_queue queue;
    struct hd_sim_slabs slabs;
    struct hd_effects fx;
    struct hd_model_old_list old; /* lent to the model of the router that runs */
    struct hd_map flow_index;     /* (node, destination) -> flows_seen */
    struct hd_map quiet;          /* (node, report) -> when it may be said again, in ms */
    struct hd_map usage_index;
    struct flow_seen *flows_seen;
    uint32_t flows_seen_count, flows_seen_cap;
    struct usage *usages;
    uint32_t usage_count, usage_cap;
    struct changed *in_force; /* since the last look for loops */
    uint32_t in_force_count, in_force_cap;
    struct marks marks;
    struct hd_random check_random;
    hd_time walks_at; /* no random walks before */
    struct touched touched;
    uint32_t batches; /* that came into force in this window */
    uint32_t window;  /* counts them */
    struct hd_sim_stats stats;
    /* folded into the simulation's own between windows */
    uint64_t faults, forwarding_changes;
    hd_time last_fault;
    hd_time failed_at; /* HD_NEVER: nothing has */
    char why[HD_SIM_WHY];
    uint8_t lie_room[65536]; /* what a lying node rewrites */
};

struct hd_sim {
    const struct hd_scenario *sc;
    struct hd_sim_options o;
    struct hd_sim_checks checks;
    hd_time now; /* with one worker at every event, else between windows */
    struct hd_sim_image image;
    struct hd_pool *pool;      /* of what all share */
    struct hd_sim_queue queue; /* events of no node: they run while the workers stand still */
    struct worker *worker[HD_SIM_OWNERS_MAX]; /* of all processes */
    uint32_t worker_count;
    uint32_t here_first, here_end;    /* those of this process */
    hd_time lookahead;                /* no effect of one worker on another takes less */
    struct crew *crew;                /* threads, windows.c; no part of the image */
    const struct hd_sim_group *group; /* NULL: this process is alone */
    struct ranks *ranks;              /* ranks.c; no part of the image */
    struct node *nodes;
    struct link *links;
    struct end *ends;  /* 2 per link: a, b */
    uint32_t *ends_of; /* ends of node n, from nodes[n].first_end, by ifindex - 1 */
    struct hd_scenario_link *link_values;
    uint32_t link_values_count, link_values_cap;
    struct hd_map link_values_index;
    uint32_t node_count, link_count;
    uint32_t world_counter, command_id;
    uint64_t world_digest;
    struct hd_ids ids;
    struct hd_map by_id; /* hash of an ID -> node */
    struct hd_sim_flow *flows;
    struct hd_sim_flow *flow_sums; /* in a group: of all processes */
    uint32_t flow_count, flow_cap, flow_sums_cap;
    struct hd_sim_stats stats; /* of what happens between windows */
    struct hd_sim_stats *sum;  /* with those of the workers, for those who ask */
    char why[HD_SIM_WHY];
    bool failed;
    hd_time failed_at, last_fault, all_since;
    bool tick_queued;
    struct checker *checker; /* what the checks remember, check.c */
    struct marks marks;      /* of walks between windows */
    /* scratch of searches, by node */
    uint32_t *bfs_distance, *bfs_queue;
    struct hd_sim_dead pretend;
    uint32_t bfs_from; /* node of which bfs_distance tells, with bfs_epoch */
    uint64_t bfs_epoch, graph_epoch;
    uint64_t forwarding_epoch, checked_epoch;
};

/* engine.c */
/* An event of the world, which only runs between windows. */
void sim_push(struct hd_sim *s, hd_time at, uint32_t receiver, uint32_t sender, bool late,
              uint32_t kind, void *payload, uint64_t number);
/* An event that a node of the worker sends, to any node. Takes the payload. */
void worker_push(struct worker *w, hd_time at, uint32_t receiver, uint32_t sender, bool late,
                 uint32_t kind, void *payload, uint64_t number);
/* The worker of a node, set to the simulation's time: for what happens between windows. */
struct worker *sim_enter(struct hd_sim *s, uint32_t node);
/* The worker that runs in this thread, NULL between windows. */
struct worker *sim_current(const struct hd_sim *s);
void sim_run_as(struct worker *w); /* this thread runs it from now on; NULL: none */
void sim_dispatch(struct worker *w, const struct hd_sim_event *e);
void payload_free(struct worker *w, const struct hd_sim_event *e);
size_t payload_bytes(const struct hd_sim_event *e); /* 0: the event has none */
void sim_fault(struct hd_sim *s);                   /* something was broken or mended now */
void sim_fail(struct hd_sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline uint32_t sim_owner(const struct hd_sim *s, uint32_t node)
{
    uint32_t i = 0;
    while (node >= s->worker[i]->end)
        i++;
    return i;
}
/* Whether this process runs the node. */
static inline bool sim_is_here(const struct hd_sim *s, uint32_t node)
{
    return s->group == NULL ||
           (node >= s->worker[s->here_first]->first && node < s->worker[s->here_end - 1]->end);
}
static inline bool sim_lives(const struct hd_sim *s, uint32_t node)
{
    return s->nodes[node].lives;
}
static inline const struct hd_scenario_link *sim_link(const struct hd_sim *s, uint32_t link)
{
    return &s->link_values[s->links[link].values];
}
static inline struct end *sim_end_of(struct hd_sim *s, uint32_t node, uint32_t ifindex)
{
    const struct node *n = &s->nodes[node];
    if (ifindex == 0 || ifindex > n->end_count)
        return NULL;
    return &s->ends[s->ends_of[n->first_end + ifindex - 1]];
}
static inline uint32_t sim_end_index(const struct hd_sim *s, const struct end *e)
{
    return (uint32_t)(e - s->ends);
}
static inline struct end *sim_peer(struct hd_sim *s, const struct end *e)
{
    return &s->ends[sim_end_index(s, e) ^ 1u];
}
struct hd_ip6 sim_link_local(const struct end *e);
struct hd_mac sim_mac(const struct end *e);

/* Shows something to the trace, when there is one. */
static inline void sim_seen(struct hd_sim *s, enum hd_sim_sight_kind kind, uint32_t node,
                            uint32_t other, uint32_t value, const void *bytes, uint32_t len)
{
    if (s->o.hooks.seen == NULL)
        return;
    struct hd_sim_sight e = {s->now, kind, node, other, value, len, bytes};
    s->o.hooks.seen(s->o.hooks.user, s, &e);
}

/* windows.c */
/* Divides the nodes; the links are made. 0, or an hd_error: the processes cannot share them. */
int windows_make(struct hd_sim *s);
void windows_crew(struct hd_sim *s); /* threads, when there are workers for them */
void windows_end(struct hd_sim *s);
void windows_lookahead(struct hd_sim *s, uint32_t link); /* its delay is a new one */
/* All events of nodes up to and including `until`. */
void windows_run(struct hd_sim *s, hd_time until, bool stop_at_failure);
/* Hands an event to another worker; its payload is copied. */
void windows_hand_over(struct worker *from, uint32_t to, const struct hd_sim_event *e);

/* ranks.c */
void ranks_start(struct hd_sim *s);
void ranks_end(struct hd_sim *s);
/* All processes learn what only some of them know: failures, who lives, counters. */
void ranks_agree(struct hd_sim *s);
void ranks_walk(struct hd_sim *s, struct hd_sim_pair *pairs, size_t count);

/* node.c */
void node_start(struct hd_sim *s, uint32_t node);
void node_die(struct hd_sim *s, uint32_t node, enum hd_sim_death death);
void node_first_start(struct worker *w, uint32_t node, uint64_t incarnation);
void node_input(struct worker *w, uint32_t node, const struct hd_input *in);
void node_deadline(struct worker *w, uint32_t node, uint64_t incarnation);
void node_work(struct worker *w, uint32_t node, uint64_t incarnation);
void node_install(struct worker *w, uint32_t node, uint64_t incarnation);
void node_datagram(struct worker *w, struct datagram *d, uint32_t node);
void node_carrier(struct worker *w, uint32_t end);
void node_report(struct worker *w, uint32_t node, const struct report *r);
void node_free(struct hd_sim *s, uint32_t node);
hd_time node_local(const struct hd_sim *s, uint32_t node, hd_time at);

/* effects.c */
void effects_consume(struct worker *w, uint32_t node);
void effects_release(struct worker *w, uint32_t node); /* sends whose generation is installed */
void effects_drop_held(struct worker *w, struct node *n);

/* install.c */
void install_before(struct worker *w, struct node *n);
void install_pull(struct worker *w, uint32_t node);
bool install_due(struct worker *w, uint32_t node); /* true when something came into force */
void install_now(struct worker *w, struct node *n);
void install_drop(struct worker *w, struct node *n);
bool force_adj(const struct node *n, uint32_t adj, struct hd_adj_value *v);
bool force_guard(const struct node *n, uint32_t guard, struct hd_guard_value *v);
bool force_label(const struct node *n, const struct hd_label *key, struct force_label *v,
                 uint32_t *index);
bool force_route(const struct node *n, const struct hd_ip6 *to, struct force_route *v);

/* link.c */
void link_make_values(struct hd_sim *s, uint32_t link, const struct hd_scenario_link *values);
bool link_carrier(const struct hd_sim *s, uint32_t link);
bool link_passes(const struct hd_sim *s, const struct end *from);
void link_send_datagram(struct worker *w, struct end *from, struct datagram *d);
void link_send_packet(struct worker *w, struct end *from, struct packet *p);
void link_changed(struct hd_sim *s, uint32_t link);

/* packet.c */
struct step {
    enum hd_sim_fate fate; /* ARRIVED with next == HD_SIM_NONE: here */
    uint32_t next;         /* end it leaves by, HD_SIM_NONE when it ends here */
    uint32_t adj, value;
    struct hd_label label; /* the one it is about */
    uint32_t label_index;  /* entry used, 0: none */
    bool pushed;           /* a label was put on */
    bool repaired;         /* it leaves round `adj` */
};
void packet_step(struct hd_sim *s, uint32_t node, const struct end *in, struct packet *p,
                 struct step *out);
void packet_arrive(struct worker *w, uint32_t node, struct packet *p);
void packet_originate(struct worker *w, uint32_t from, struct packet *p);
struct packet *packet_make(struct worker *w, uint32_t from, uint32_t payload_len);
void packet_free(struct worker *w, struct packet *p);
void packet_count_fate(struct worker *w, const struct packet *p, enum hd_sim_fate fate);
void packet_probe(struct worker *w, uint32_t from, uint32_t to, uint32_t size, uint32_t flow);

/* reach.c */
struct walker {
    uint32_t index, node, in; /* index: the caller's; in: the end it came by, HD_SIM_NONE: none */
    enum hd_sim_fate fate;
    uint64_t serial;
    bool known;
    struct packet p;
};
void walk_begin(const struct hd_sim *s, uint64_t serial, struct walker *k, uint32_t from,
                uint32_t to);
bool walk_on(struct hd_sim *s, struct marks *m, struct walker *k, struct hd_sim_walk *w);
void walk_end(const struct walker *k, struct hd_sim_pair *p);
/* Where a packet ends by the state in force, from `node`, that came by no link. */
void walk_packet(struct hd_sim *s, struct marks *m, uint32_t node, const struct packet *p,
                 struct hd_sim_walk *w);
/* The same of a packet that the node has just given this label, for nobody. */
void walk_label(struct hd_sim *s, struct marks *m, uint32_t node, const struct hd_label *label,
                struct hd_sim_walk *w);
/* As hd_sim_walk_pair, in this process. */
void walk_pair(struct hd_sim *s, struct marks *m, uint32_t from, uint32_t to,
               struct hd_sim_walk *w);

/* check.c */
/*
 * Looks for loops in the state of this instant, where they can have begun at nodes of this worker:
 * after each of their changes, or with several workers at the end of the window, on each thread.
 */
void check_batch(struct worker *w);
/* Whether it wants to know of this change. */
bool check_wants(const struct worker *w, const struct hd_change *c);
/* A router has answered a call. On the thread of its worker. */
void check_answer(struct hd_sim *s, uint32_t node, const struct hd_answer *a, hd_time local);
void check_tick(struct hd_sim *s);

/* holes.c */
void check_broken_pair(struct hd_sim *s, const struct hd_sim_pair *p);
void holes_note(struct worker *w, uint32_t node, const struct hd_route_key *key);

/* schedule.c */
void schedule_start(struct hd_sim *s);
void schedule_event(struct hd_sim *s, uint64_t number);
void schedule_probe(struct worker *w, uint64_t number);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lab: one network namespace per node of a scenario, one veth pair per link, one real heddled in
 * each namespace. The program heddle-lab is a command line around these functions; tests and
 * benchmarks call them directly.
 *
 *   namespace   heddle-LAB-NODE in /run/netns, so that `ip netns` works with it as well
 *   interface   to-NEIGHBOUR, cut to 15 characters where that is too long
 *   state       /run/heddle-lab/LAB, or a folder of the caller's with a symbolic link there;
 *               lab.json describes the lab, NODE/ is the state folder of the node's heddled
 *
 * Links with a delay, a loss or another impairment run through one process for the whole lab, the
 * wire (wire.h). Whatever creates is undone by hd_lab_down, also after an `up` that failed
 * half-way: lab.json is written before the first namespace is made.
 *
 * Functions that fail return an hd_error and leave one sentence in err. The library enters
 * namespaces with the calling thread and returns; it is not made for use by several threads.
 */
#ifndef HD_LAB_LAB_H
#define HD_LAB_LAB_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <sys/types.h>

#include "scenario/scenario.h"

#define HD_LAB_REGISTRY "/run/heddle-lab"
#define HD_LAB_NAME_MAX 32
#define HD_LAB_ERROR    512

struct hd_lab_node {
    char name[HD_SCENARIO_NAME_MAX];
    bool started; /* by the scenario: heddled runs from the start */
};

enum hd_lab_side {
    HD_LAB_A = 0,
    HD_LAB_B = 1,
};

struct hd_lab_link {
    uint32_t node[2]; /* of each side */
    char ifname[2][IFNAMSIZ];
    bool wired; /* runs through the wire */
    struct hd_scenario_link values;
};

struct hd_lab {
    char name[HD_LAB_NAME_MAX];
    char dir[PATH_MAX - 256];
    char heddled[PATH_MAX]; /* empty: no daemons */
    char **args;            /* further arguments of heddled, NULL at the end */
    uint64_t seed;
    struct hd_lab_node *nodes;
    struct hd_lab_link *links;
    uint32_t node_count, link_count;
    int own_ns; /* the caller's namespace, to return to */
    char *err;  /* HD_LAB_ERROR bytes of the caller's */
};

struct hd_lab_options {
    const char *name;      /* NULL: "lab" */
    const char *state_dir; /* NULL: in the registry */
    bool no_daemon;
    const char *heddled; /* NULL: beside the running program, else in PATH */
    char *const *args;   /* further arguments of heddled, NULL at the end; may be NULL */
};

/* Makes the lab and starts the daemons. A failed lab is taken down again. */
HD_MUST_USE int hd_lab_up(const struct hd_scenario *s, const struct hd_lab_options *o,
                          struct hd_lab **lab, char *err);
/* Opens a lab that is up (or half up). name NULL: the only lab there is. */
HD_MUST_USE int hd_lab_open(const char *name, struct hd_lab **lab, char *err);
/* Ends daemons and every other process in the lab's namespaces, removes all that `up` made. */
HD_MUST_USE int hd_lab_down(struct hd_lab *lab);
/* Forgets the handle; the lab stays. */
void hd_lab_close(struct hd_lab *lab);

/* Index of a node by name, HD_SCENARIO_NONE. */
uint32_t hd_lab_find_node(const struct hd_lab *lab, const char *name);
/* First link between both at or after `from`, HD_SCENARIO_NONE. */
uint32_t hd_lab_find_link(const struct hd_lab *lab, uint32_t a, uint32_t b, uint32_t from);
/* "heddle-LAB-NODE" into buf (NAME_MAX + 1 bytes); returns buf. */
char *hd_lab_ns_name(const struct hd_lab *lab, uint32_t node, char *buf);

/* Enters a node's namespace with this thread, and comes back. Network only: /sys stays as it is. */
HD_MUST_USE int hd_lab_enter(struct hd_lab *lab, uint32_t node);
void hd_lab_leave(struct hd_lab *lab);
/* A socket that lives in the node's namespace (close-on-exec), or an hd_error. */
HD_MUST_USE int hd_lab_socket(struct hd_lab *lab, uint32_t node, int domain, int type,
                              int protocol);
/* Runs a program in the node's namespace and waits: its exit status, 128 + signal, or an hd_error.
 */
HD_MUST_USE int hd_lab_exec(struct hd_lab *lab, uint32_t node, char *const argv[]);

/* --- faults --------------------------------------------------------------------------------------
 */

enum hd_lab_link_state {
    HD_LAB_LINK_UP = 1,
    HD_LAB_LINK_CUT,
    HD_LAB_LINK_SILENT,
};

/*
 * Cuts a link. Not silent: the interface of side `at` goes down and the other side loses its
 * carrier; on a wired link both lose their carrier. Silent: carriers stay, nothing passes.
 */
HD_MUST_USE int hd_lab_cut(struct hd_lab *lab, uint32_t link, enum hd_lab_side at, bool silent);
HD_MUST_USE int hd_lab_heal(struct hd_lab *lab, uint32_t link);
/* Changes the values named in `fields` (HD_SCENARIO_F_*) of a wired link, or the rate of any. */
HD_MUST_USE int hd_lab_change(struct hd_lab *lab, uint32_t link, uint32_t fields,
                              const struct hd_scenario_link *values);
HD_MUST_USE int hd_lab_link_state(struct hd_lab *lab, uint32_t link, enum hd_lab_link_state *state,
                                  bool carrier[2]);

/* Kills every process of the node's heddled at once (SIGKILL); HD_ENOENT when none runs. */
HD_MUST_USE int hd_lab_kill(struct hd_lab *lab, uint32_t node);
/* Lets the node's heddled say goodbye (SIGTERM), kills what is left after 5 s. */
HD_MUST_USE int hd_lab_stop(struct hd_lab *lab, uint32_t node);
HD_MUST_USE int hd_lab_start(struct hd_lab *lab, uint32_t node);
/* Process id of the node's heddled (its keeper), 0 when none runs. */
pid_t hd_lab_pid(struct hd_lab *lab, uint32_t node);

/* Plays a scenario's schedule in real time, counted from now; returns after its last event. */
HD_MUST_USE int hd_lab_play(struct hd_lab *lab, const struct hd_scenario *s);

#endif

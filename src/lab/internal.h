/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the lab share. */
#ifndef HD_LAB_INTERNAL_H
#define HD_LAB_INTERNAL_H

#include <stdint.h>

#include "lab/lab.h"

/* Writes the sentence into lab->err and returns code. */
int hd_lab_fail(const struct hd_lab *lab, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- description on disk, state.c ----------------------------------------------------------------
 */

HD_MUST_USE int hd_lab_save(const struct hd_lab *lab);
HD_MUST_USE int hd_lab_load(struct hd_lab *lab, const char *dir);
/* DIR/NODE or DIR/NODE/file into buf (PATH_MAX bytes); returns buf. */
char *hd_lab_path(const struct hd_lab *lab, uint32_t node, const char *file, char *buf);
/* /run/heddle-lab/NAME, with a suffix such as ".wire". */
char *hd_lab_registry_path(const struct hd_lab *lab, const char *suffix, char *buf);

/* --- namespaces, netns.c -------------------------------------------------------------------------
 */

/* The wire's namespace counts as one more node. */
#define HD_LAB_WIRE_NS UINT32_MAX

/* Makes /run/netns fit for namespaces, as iproute2 does. */
HD_MUST_USE int hd_lab_ns_prepare(struct hd_lab *lab);
/* Makes a namespace, with loopback up and duplicate address detection off; leaves the thread in it.
 */
HD_MUST_USE int hd_lab_ns_create(struct hd_lab *lab, uint32_t node);
/* A descriptor of the namespace; HD_ENOENT when there is none. */
HD_MUST_USE int hd_lab_ns_open(const struct hd_lab *lab, uint32_t node);
void hd_lab_ns_delete(const struct hd_lab *lab, uint32_t node);

/* --- links, links.c ------------------------------------------------------------------------------
 */

/* Name of the wire's interface towards a side of a link. */
char *hd_lab_wire_ifname(uint32_t link, unsigned side, char *buf);
bool hd_lab_needs_wire(const struct hd_lab *lab);
/* Creates every link of the lab between the namespaces, which exist. */
HD_MUST_USE int hd_lab_links_create(struct hd_lab *lab);
/* Sets an interface of the namespace we are in up or down. */
HD_MUST_USE int hd_lab_if_set(const char *ifname, bool up);
/* IFF_* flags of an interface of the namespace we are in, or an hd_error. */
HD_MUST_USE int hd_lab_if_flags(const char *ifname);
/* 1 with a carrier, 0 without, or an hd_error. */
HD_MUST_USE int hd_lab_if_carrier(const char *ifname);
/* Limits the rate of an interface of the namespace we are in; 0 removes the limit. */
HD_MUST_USE int hd_lab_if_rate(const char *ifname, uint64_t rate_bps, uint64_t queue_bytes,
                               uint32_t mtu);

/* --- silent cuts, drop.c -------------------------------------------------------------------------
 */

enum hd_lab_drop_method {
    HD_LAB_DROP_TCX,    /* Linux 6.6: in front of every other tc program */
    HD_LAB_DROP_CLSACT, /* before: filter with preference 1 */
};

/* Makes an interface of the namespace we are in drop everything, in both directions. */
HD_MUST_USE int hd_lab_drop_set(const char *ifname, enum hd_lab_drop_method method);
/* Removes what either method set. */
HD_MUST_USE int hd_lab_drop_clear(const char *ifname);
bool hd_lab_drop_is_set(const char *ifname);

/* --- processes, procs.c --------------------------------------------------------------------------
 */

/* "pid start-time", which no other process can have; in a file. */
struct hd_lab_proc {
    pid_t pid;
    uint64_t start;
};

HD_MUST_USE int hd_lab_proc_of(pid_t pid, struct hd_lab_proc *p);
HD_MUST_USE int hd_lab_proc_save(const char *path, const struct hd_lab_proc *p);
/* The process of the file if it still runs, else HD_ENOENT. */
HD_MUST_USE int hd_lab_proc_load(const char *path, struct hd_lab_proc *p);
/*
 * Sends a signal to every process of the session in the node's namespace. Returns how many there
 * are (zombies do not count).
 */
int hd_lab_procs_signal(struct hd_lab *lab, uint32_t node, pid_t session, int sig);
/* Kills every process but ourselves in any namespace of the lab. Returns how many there were. */
int hd_lab_procs_end_all(struct hd_lab *lab);
/* Starts a daemon: new session, log file, nothing inherited but 0-2. Exec errors come back. */
HD_MUST_USE int hd_lab_daemon_start(struct hd_lab *lab, uint32_t node);

/* Takes the values named in `fields`, faults.c. */
void hd_lab_note_values(struct hd_scenario_link *to, uint32_t fields,
                        const struct hd_scenario_link *from);

/* --- wire, wire.c --------------------------------------------------------------------------------
 */

HD_MUST_USE int hd_lab_wire_start(struct hd_lab *lab);
void hd_lab_wire_stop(struct hd_lab *lab);
HD_MUST_USE int hd_lab_wire_change(struct hd_lab *lab, uint32_t link, uint32_t fields,
                                   const struct hd_scenario_link *values);

#endif

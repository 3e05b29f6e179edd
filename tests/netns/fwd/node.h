/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node under test: a process in a namespace of its own with both halves of a forwarding back-end,
 * a model that the test writes by hand, and the ICMPv6 socket that the router process would have.
 * The test talks to it by small records; between them it serves the back-end, as the tun back-end
 * needs.
 */
#ifndef TEST_FWD_NODE_H
#define TEST_FWD_NODE_H

#include "net.h"

struct node {
    pid_t pid;
    int channel;
    unsigned number;
};

/* Starts the process; its namespace exists when this returns. */
void node_start(struct node *n, unsigned number, enum hd_fwd_backend backend);
/* Opens the back-end: 0 or an hd_error (said on stderr). */
int node_open(struct node *n, bool adopt);
/* Closes it and opens it again, adopting: then the model holds what was found. */
int node_restart(struct node *n);
/* The same, for a node whose labels have another prefix now. */
int node_restart_as(struct node *n, uint16_t label_prefix);
/* Closes it, removing everything. The process stays for node_stop. */
void node_close(struct node *n);
void node_stop(struct node *n);

/*
 * Opens the fast half once more in a process without any privilege, lets it adopt, add and remove a
 * label and read the counters: 0, or the number of the step that failed.
 */
int node_unprivileged(struct node *n);

int node_interface(struct node *n, uint32_t ifindex, uint32_t mtu, bool use);
/* Adds an adjacency: its number. */
uint32_t node_adj(struct node *n, const struct hd_adj_value *v);
void node_adj_set(struct node *n, uint32_t adj, const struct hd_adj_value *v);
/* Adds a guard: its number. */
uint16_t node_guard(struct node *n, const struct hd_guard_value *v);
/* What labels and routes that are set from here on have; all zero: nothing. */
void node_repairs(const struct hd_repair *r);
void node_label(struct node *n, const struct hd_label *key, const struct hd_label_value *v);
void node_label_del(struct node *n, const struct hd_label *key);
void node_route(struct node *n, const struct hd_ip6 *to, uint8_t len,
                const struct hd_route_value *v);
void node_route_del(struct node *n, const struct hd_ip6 *to, uint8_t len);
/* How many objects of a kind are adopted and unclaimed. */
uint32_t node_adopted(struct node *n, enum hd_object_kind kind);
void node_sweep(struct node *n);

uint64_t node_counter(struct node *n, const char *name);
/* Number of reports of a kind since the last call, and the last of them. */
uint32_t node_reports(struct node *n, enum hd_report_kind kind, struct hd_in_report *last);

#endif

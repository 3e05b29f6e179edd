/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that the driver itself has to show, beside those of the cores: asked for like a core's
 * lists, under the number HD_CORE_DRIVER.
 */
#ifndef HD_DAEMON_DRIVER_ROWS_H
#define HD_DAEMON_DRIVER_ROWS_H

#include <stdint.h>

#include "lib/addr.h"
#include "lib/time.h"
#include "model/core.h"

#define HD_CORE_DRIVER 255

enum hd_driver_list {
    HD_DRIVER_LIST_STATUS = 1, /* struct hd_row_driver, one row */
    HD_DRIVER_LIST_PROCESSES,  /* struct hd_row_process */
    HD_DRIVER_LIST_SOCKETS,    /* struct hd_row_socket */
    HD_DRIVER_LIST_COUNTERS,   /* struct hd_channel_counter: driver's and data plane's */
    HD_DRIVER_LIST_INTERFACES, /* struct hd_in_interface: all that the system process told */
    HD_DRIVER_LIST_FOREIGN,    /* struct hd_row_foreign: the first HD_FOREIGN_MAX */
};

struct hd_row_driver {
    char backend[16];    /* "ebpf", "tun", "none" */
    char features[256];  /* as the back-end says it */
    char scheduling[16]; /* "fifo", "normal": what the system allowed */
    char sandbox[48];    /* "seccomp, uid nobody": what is in force */
    char core[16];
    char state_dir[128];
    uint8_t open;    /* no fabric key */
    uint8_t resumed; /* took over the forwarding state of a predecessor */
    uint32_t kira0_ifindex;
    uint16_t node_prefix, label_prefix;
    uint32_t interfaces, interfaces_used;
    uint32_t foreign; /* addresses and routes of others in our prefixes */
    uint64_t pool_used_bytes, pool_live_bytes, pool_size_bytes;
    hd_time uptime_ns; /* of the router process */
};

enum hd_process_state {
    HD_PROCESS_STARTING = 0,
    HD_PROCESS_READY,
    HD_PROCESS_WAITING, /* died, back-off runs */
};

struct hd_row_process {
    char name[16]; /* "keeper", "system", "router", "manage" */
    uint8_t state; /* enum hd_process_state */
    uint32_t pid;
    uint32_t restarts;
    hd_time uptime_ns;
    /* How the predecessor ended: signal number, or 0x100 + exit status; 0: there was none. */
    uint32_t last_end;
};

#define HD_FOREIGN_MAX 8

enum hd_foreign_kind {
    HD_FOREIGN_ADDRESS = 1,
    HD_FOREIGN_ROUTE,
};

/* What others put inside our prefixes while we run. */
struct hd_row_foreign {
    uint8_t kind;       /* enum hd_foreign_kind */
    char interface[16]; /* "": none */
    char prefix[52];    /* "fc00::1/64" */
};

struct hd_row_socket {
    char name[24]; /* "udp 19219", "icmp" */
    uint8_t core;
    uint16_t number;
    uint64_t received, sent, send_errors;
    uint64_t overflow; /* datagrams that the kernel dropped because we were late */
};

#endif

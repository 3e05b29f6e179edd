/* SPDX-License-Identifier: Apache-2.0 */
/* What the Linux driver has to show of itself: processes, sockets, data plane, interfaces. */
#include "bind/columns.h"
#include "daemon/channel.h"
#include "daemon/driver_rows.h"

/* The name goes into JSON; the words complete "eth0 is left out: ...". */
const struct hd_enum_name hd_names_why[HD_IF_WHY_END] = {
    [HD_IF_OK] = {"ok", "-", HD_TONE_PLAIN},
    [HD_IF_LOOPBACK] = {"loopback", "loopback", HD_TONE_PLAIN},
    [HD_IF_NOT_ETHERNET] = {"not-ethernet", "not Ethernet", HD_TONE_PLAIN},
    [HD_IF_BRIDGE_PORT] = {"bridge-port", "is a port of a bridge", HD_TONE_WARN},
    [HD_IF_TUNNEL] = {"tunnel", "is a tunnel", HD_TONE_PLAIN},
    [HD_IF_WIRELESS] = {"wireless", "is wireless", HD_TONE_WARN},
    [HD_IF_DEFAULT_ROUTE] = {"default-route", "carries the default route", HD_TONE_WARN},
    [HD_IF_FOREIGN_XDP] = {"foreign-xdp", "carries the XDP program of another", HD_TONE_WARN},
    [HD_IF_VIRTUAL] = {"virtual", "is not a physical port", HD_TONE_PLAIN},
    [HD_IF_NOT_SELECTED] = {"not-selected", "is not selected by --interface", HD_TONE_PLAIN},
    [HD_IF_MTU_SMALL] = {"mtu-small", "has an MTU below 1324 bytes", HD_TONE_WARN},
    [HD_IF_NO_IPV6] = {"no-ipv6", "has IPv6 switched off", HD_TONE_WARN},
    [HD_IF_OURS] = {"ours", "belongs to Heddle", HD_TONE_PLAIN},
    [HD_IF_ATTACH] = {"attach", "could not be attached to (the log says why)", HD_TONE_BAD},
};

static const struct hd_enum_name process_names[] = {
    [HD_PROCESS_STARTING] = {"starting", NULL, HD_TONE_WARN},
    [HD_PROCESS_READY] = {"ready", NULL, HD_TONE_GOOD},
    [HD_PROCESS_WAITING] = {"waiting", "waiting to be started again", HD_TONE_BAD},
};

static const struct hd_column driver_columns[] = {
#define S struct hd_row_driver
    HD_COLUMN(S, backend, CHARS, "backend", .heading = "BACK-END", .flags = HD_SHOW),
    HD_COLUMN(S, features, CHARS, "features", .heading = "FEATURES", .flags = HD_SHOW),
    HD_COLUMN(S, scheduling, CHARS, "scheduling", .heading = "SCHEDULING", .flags = HD_SHOW),
    HD_COLUMN(S, sandbox, CHARS, "sandbox", .heading = "SANDBOX", .flags = HD_SHOW),
    HD_COLUMN(S, core, CHARS, "core", .heading = "CORE"),
    HD_COLUMN(S, state_dir, CHARS, "state-dir", .heading = "STATE FOLDER"),
    HD_COLUMN(S, open, BOOL, "open", .heading = "OPEN"),
    HD_COLUMN(S, resumed, BOOL, "resumed", .heading = "RESUMED"),
    HD_COLUMN(S, kira0_ifindex, UINT, "kira0-ifindex", .heading = "KIRA0"),
    HD_COLUMN(S, node_prefix, HEX, "node-prefix", .heading = "NODE PREFIX"),
    HD_COLUMN(S, label_prefix, HEX, "label-prefix", .heading = "LABEL PREFIX"),
    HD_COLUMN(S, interfaces, UINT, "interfaces", .heading = "INTERFACES"),
    HD_COLUMN(S, interfaces_used, UINT, "interfaces-used", .heading = "USED"),
    HD_COLUMN(S, foreign, UINT, "foreign", .heading = "FOREIGN"),
    HD_COLUMN(S, pool_used_bytes, UINT, "pool-used-bytes", .heading = "POOL", .unit = "bytes"),
    HD_COLUMN(S, pool_live_bytes, UINT, "pool-live-bytes", .heading = "LIVE", .unit = "bytes"),
    HD_COLUMN(S, pool_size_bytes, UINT, "pool-size-bytes", .heading = "SIZE", .unit = "bytes"),
    HD_COLUMN(S, uptime_ns, AGE, "uptime-ms", .heading = "UP", .unit = "ms"),
#undef S
};

static const struct hd_column process_columns[] = {
#define S struct hd_row_process
    HD_COLUMN(S, name, CHARS, "name", .heading = "PROCESS", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, state, ENUM, "state", .heading = "STATE", .flags = HD_SHOW,
              HD_NAMES(process_names)),
    HD_COLUMN(S, pid, UINT, "pid", .heading = "PID", .flags = HD_SHOW),
    HD_COLUMN(S, restarts, UINT, "restarts", .heading = "RESTARTS",
              .flags = HD_SHOW | HD_COL_COUNTER),
    HD_COLUMN(S, uptime_ns, AGE, "uptime-ms", .heading = "UP", .unit = "ms", .flags = HD_SHOW),
    HD_COLUMN(S, last_end, UINT, "last-end", .heading = "LAST END", .flags = HD_COL_UNKNOWN),
#undef S
};

static const struct hd_column socket_columns[] = {
#define S struct hd_row_socket
    HD_COLUMN(S, name, CHARS, "name", .heading = "SOCKET", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, core, UINT, "core", .heading = "CORE"),
    HD_COLUMN(S, number, UINT, "number", .heading = "NUMBER", .flags = HD_SHOW),
    HD_COLUMN(S, received, UINT, "received", .heading = "RECEIVED",
              .flags = HD_SHOW | HD_COL_COUNTER),
    HD_COLUMN(S, sent, UINT, "sent", .heading = "SENT", .flags = HD_SHOW | HD_COL_COUNTER),
    HD_COLUMN(S, send_errors, UINT, "send-errors", .heading = "ERRORS",
              .flags = HD_SHOW | HD_COL_COUNTER),
    HD_COLUMN(S, overflow, UINT, "overflow", .heading = "OVERFLOW",
              .flags = HD_SHOW | HD_COL_COUNTER),
#undef S
};

static const struct hd_column counter_columns[] = {
#define S struct hd_channel_counter
    HD_COLUMN(S, name, CHARS, "name", .heading = "COUNTER", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, value, UINT, "value", .heading = "VALUE", .flags = HD_SHOW | HD_COL_COUNTER),
#undef S
};

static const struct hd_column interface_columns[] = {
#define S struct hd_in_interface
    HD_COLUMN(S, name, CHARS, "name", .heading = "INTERFACE", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, ifindex, UINT, "ifindex", .heading = "INDEX", .flags = HD_SHOW),
    HD_COLUMN(S, usable, BOOL, "usable", .heading = "USABLE", .flags = HD_SHOW),
    HD_COLUMN(S, up, BOOL, "up", .heading = "UP", .flags = HD_SHOW),
    HD_COLUMN(S, mtu, UINT, "mtu", .heading = "MTU", .unit = "bytes", .flags = HD_SHOW),
    HD_COLUMN(S, mac, MAC, "mac", .heading = "MAC", .flags = HD_SHOW | HD_COL_UNKNOWN),
    HD_COLUMN(S, link_local, IP6, "link-local", .heading = "LINK-LOCAL",
              .flags = HD_SHOW | HD_COL_UNKNOWN),
    HD_COLUMN(S, why_not, ENUM, "why-not", .heading = "WHY NOT", .flags = HD_SHOW,
              HD_NAMES(hd_names_why)),
#undef S
};

static const struct hd_enum_name foreign_names[] = {
    [HD_FOREIGN_ADDRESS] = {"address", NULL, HD_TONE_BAD},
    [HD_FOREIGN_ROUTE] = {"route", NULL, HD_TONE_BAD},
};

static const struct hd_column foreign_columns[] = {
#define S struct hd_row_foreign
    HD_COLUMN(S, kind, ENUM, "kind", .heading = "KIND", .flags = HD_SHOW, HD_NAMES(foreign_names)),
    HD_COLUMN(S, prefix, CHARS, "prefix", .heading = "PREFIX", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, interface, CHARS, "interface", .heading = "INTERFACE", .flags = HD_SHOW),
#undef S
};

static const struct hd_list lists[] = {
    HD_LIST(HD_CORE_DRIVER, HD_DRIVER_LIST_STATUS, "status", "The driver in one row.",
            struct hd_row_driver, driver_columns, HD_LIST_ONE),
    HD_LIST(HD_CORE_DRIVER, HD_DRIVER_LIST_PROCESSES, "processes", "The processes of heddled.",
            struct hd_row_process, process_columns, 0),
    HD_LIST(HD_CORE_DRIVER, HD_DRIVER_LIST_SOCKETS, "sockets", "Sockets of the router process.",
            struct hd_row_socket, socket_columns, 0),
    HD_LIST(HD_CORE_DRIVER, HD_DRIVER_LIST_COUNTERS, "counters",
            "Counters of the driver and the data plane.", struct hd_channel_counter,
            counter_columns, 0),
    HD_LIST(HD_CORE_DRIVER, HD_DRIVER_LIST_INTERFACES, "interfaces",
            "Interfaces as the system process sees them.", struct hd_in_interface,
            interface_columns, 0),
    HD_LIST(HD_CORE_DRIVER, HD_DRIVER_LIST_FOREIGN, "foreign",
            "Addresses and routes of others in the fabric's prefixes.", struct hd_row_foreign,
            foreign_columns, 0),
};

const struct hd_lists hd_lists_driver = {HD_CORE_DRIVER, "daemon", lists, HD_ARRAY_LEN(lists)};

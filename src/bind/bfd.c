/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of BFD: sessions as ietf-bfd names their members, counters, events. */
#include "core/bfd/bfd.h"
#include "bind/columns.h"
#include "router/router.h"

static const struct hd_enum_name kinds[] = {
    [HD_BFD_SINGLE_HOP] = {"ip-single-hop", "single hop", HD_TONE_PLAIN},
    [HD_BFD_MULTIHOP] = {"ip-multihop", "multihop", HD_TONE_PLAIN},
    [HD_BFD_HEAD] = {"multipoint-head", "head", HD_TONE_PLAIN},
    [HD_BFD_TAIL] = {"multipoint-tail", "tail", HD_TONE_PLAIN},
};

static const struct hd_enum_name states[] = {
    [HD_BFD_ADMIN_DOWN] = {"admin-down", NULL, HD_TONE_WARN},
    [HD_BFD_DOWN] = {"down", NULL, HD_TONE_BAD},
    [HD_BFD_INIT] = {"init", NULL, HD_TONE_WARN},
    [HD_BFD_UP] = {"up", NULL, HD_TONE_GOOD},
};

static const struct hd_enum_name diags[] = {
    [HD_BFD_DIAG_NONE] = {"none", "-", HD_TONE_PLAIN},
    [HD_BFD_DIAG_EXPIRED] = {"control-expiry", "silence", HD_TONE_PLAIN},
    [HD_BFD_DIAG_ECHO_FAILED] = {"echo-failed", NULL, HD_TONE_PLAIN},
    [HD_BFD_DIAG_NEIGHBOR_DOWN] = {"neighbor-down", NULL, HD_TONE_PLAIN},
    [HD_BFD_DIAG_PLANE_RESET] = {"forwarding-reset", NULL, HD_TONE_PLAIN},
    [HD_BFD_DIAG_PATH_DOWN] = {"path-down", NULL, HD_TONE_PLAIN},
    [HD_BFD_DIAG_CONCATENATED_DOWN] = {"concatenated-path-down", NULL, HD_TONE_PLAIN},
    [HD_BFD_DIAG_ADMIN_DOWN] = {"admin-down", NULL, HD_TONE_PLAIN},
    [HD_BFD_DIAG_REVERSE_CONCATENATED_DOWN] = {"reverse-concatenated-path-down", NULL,
                                               HD_TONE_PLAIN},
};

static const struct hd_enum_name auths[] = {
    [HD_AUTH_NONE] = {"none", "-", HD_TONE_PLAIN},
    [HD_AUTH_SIMPLE] = {"simple-password", NULL, HD_TONE_WARN},
    [HD_AUTH_MD5] = {"keyed-md5", NULL, HD_TONE_PLAIN},
    [HD_AUTH_METICULOUS_MD5] = {"meticulous-keyed-md5", NULL, HD_TONE_PLAIN},
    [HD_AUTH_SHA1] = {"keyed-sha-1", NULL, HD_TONE_PLAIN},
    [HD_AUTH_METICULOUS_SHA1] = {"meticulous-keyed-sha-1", NULL, HD_TONE_PLAIN},
};

#define MS .unit = "ms"

static const struct hd_column session_columns[] = {
#define S struct hd_bfd_row_session
    HD_COLUMN(S, local_discr, UINT, "local-discriminator", .heading = "DISCRIMINATOR",
              .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, remote_discr, UINT, "remote-discriminator", .heading = "REMOTE DISCRIMINATOR"),
    HD_COLUMN(S, kind, ENUM, "path-type", .heading = "KIND", .flags = HD_SHOW, HD_NAMES(kinds)),
    HD_COLUMN(S, ifindex, UINT, "ifindex", .heading = "INTERFACE",
              .flags = HD_COL_IFINDEX | HD_SHOW),
    HD_COLUMN(S, local, IP6, "source-addr", .heading = "LOCAL", .flags = HD_COL_UNKNOWN),
    HD_COLUMN(S, remote, IP6, "dest-addr", .heading = "REMOTE", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, state, ENUM, "local-state", .heading = "STATE", .flags = HD_SHOW,
              HD_NAMES(states)),
    HD_COLUMN(S, since_ns, AGE, "since-ms", .heading = "SINCE", MS, .flags = HD_SHOW),
    HD_COLUMN(S, last_up_ns, AGE, "last-up-ms", .heading = "LAST UP", MS),
    HD_COLUMN(S, last_down_ns, AGE, "last-down-ms", .heading = "LAST DOWN", MS),
    HD_COLUMN(S, remote_state, ENUM, "remote-state", .heading = "REMOTE STATE", HD_NAMES(states)),
    HD_COLUMN(S, diag, ENUM, "local-diagnostic", .heading = "WHY", .flags = HD_SHOW,
              HD_NAMES(diags)),
    HD_COLUMN(S, remote_diag, ENUM, "remote-diagnostic", .heading = "REMOTE WHY", HD_NAMES(diags)),
    HD_COLUMN(S, tx_ns, DURATION, "negotiated-tx-interval-ms", .heading = "TX", MS,
              .flags = HD_SHOW),
    HD_COLUMN(S, rx_ns, DURATION, "negotiated-rx-interval-ms", .heading = "RX", MS,
              .flags = HD_SHOW),
    HD_COLUMN(S, detect_ns, DURATION, "detection-time-ms", .heading = "DETECTION", MS,
              .flags = HD_SHOW),
    HD_COLUMN(S, echo_tx_ns, DURATION, "echo-tx-interval-ms", .heading = "ECHO", MS),
    HD_COLUMN(S, multiplier, UINT, "local-multiplier", .heading = "MULTIPLIER"),
    HD_COLUMN(S, remote_multiplier, UINT, "remote-multiplier", .heading = "REMOTE MULTIPLIER"),
    HD_COLUMN(S, demand, BOOL, "demand", .heading = "DEMAND"),
    HD_COLUMN(S, polling, BOOL, "polling", .heading = "POLLING"),
    HD_COLUMN(S, auth, ENUM, "authentication", .heading = "AUTHENTICATION", HD_NAMES(auths)),
    HD_COLUMN(S, clients, UINT, "clients", .heading = "CLIENTS"),
    HD_COLUMN(S, configured, BOOL, "configured", .heading = "CONFIGURED"),
    HD_COLUMN(S, unsolicited, BOOL, "unsolicited", .heading = "UNSOLICITED"),
    HD_COLUMN(S, local_port, UINT, "source-port", .heading = "LOCAL PORT"),
    HD_COLUMN(S, remote_port, UINT, "dest-port", .heading = "REMOTE PORT"),
    HD_COLUMN(S, ups, UINT, "up-count", .heading = "UPS", .flags = HD_COL_COUNTER),
    HD_COLUMN(S, downs, UINT, "down-count", .heading = "DOWNS", .flags = HD_COL_COUNTER | HD_SHOW),
    HD_COLUMN(S, admin_downs, UINT, "admin-down-count", .heading = "ADMIN DOWNS",
              .flags = HD_COL_COUNTER),
    HD_COLUMN(S, sent, UINT, "send-packet-count", .heading = "SENT", .flags = HD_COL_COUNTER),
    HD_COLUMN(S, received, UINT, "receive-packet-count", .heading = "RECEIVED",
              .flags = HD_COL_COUNTER),
    HD_COLUMN(S, invalid, UINT, "receive-invalid-packet-count", .heading = "INVALID",
              .flags = HD_COL_COUNTER),
    HD_COLUMN(S, late, UINT, "late-count", .heading = "LATE", .flags = HD_COL_COUNTER),
#undef S
};

static const struct hd_column counter_columns[] = {
#define S struct hd_bfd_row_counter
    HD_COLUMN(S, name, CHARS, "name", .heading = "COUNTER", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, value, UINT, "value", .heading = "VALUE", .flags = HD_COL_COUNTER | HD_SHOW),
#undef S
};

static const struct hd_column summary_columns[] = {
#define S struct hd_bfd_row_summary
    HD_COLUMN(S, sessions, UINT, "number-of-sessions", .heading = "SESSIONS", .flags = HD_SHOW),
    HD_COLUMN(S, up, UINT, "number-of-sessions-up", .heading = "UP", .flags = HD_SHOW),
    HD_COLUMN(S, down, UINT, "number-of-sessions-down", .heading = "DOWN", .flags = HD_SHOW),
    HD_COLUMN(S, admin_down, UINT, "number-of-sessions-admin-down", .heading = "ADMIN DOWN",
              .flags = HD_SHOW),
#undef S
};

static const struct hd_column event_columns[] = {
#define S struct hd_bfd_row_event
    HD_COLUMN(S, remote, IP6, "dest-addr", .heading = "REMOTE", .flags = HD_SHOW),
    HD_COLUMN(S, local, IP6, "source-addr", .heading = "LOCAL", .flags = HD_COL_UNKNOWN),
    HD_COLUMN(S, ifindex, UINT, "ifindex", .heading = "INTERFACE",
              .flags = HD_COL_IFINDEX | HD_SHOW),
    HD_COLUMN(S, kind, ENUM, "path-type", .heading = "KIND", HD_NAMES(kinds)),
    HD_COLUMN(S, state, ENUM, "new-state", .heading = "STATE", .flags = HD_SHOW, HD_NAMES(states)),
    HD_COLUMN(S, old_state, ENUM, "old-state", .heading = "BEFORE", .flags = HD_SHOW,
              HD_NAMES(states)),
    HD_COLUMN(S, diag, ENUM, "state-change-reason", .heading = "WHY", .flags = HD_SHOW,
              HD_NAMES(diags)),
    HD_COLUMN(S, local_discr, UINT, "local-discr", .heading = "DISCRIMINATOR"),
    HD_COLUMN(S, remote_discr, UINT, "remote-discr", .heading = "REMOTE DISCRIMINATOR"),
#undef S
};

static const struct hd_list lists[] = {
    HD_LIST(HD_CORE_BFD, HD_BFD_LIST_SESSIONS, "sessions", "Paths that are watched.",
            struct hd_bfd_row_session, session_columns, 0),
    HD_LIST(HD_CORE_BFD, HD_BFD_LIST_COUNTERS, "counters",
            "What reached the core, and was dropped.", struct hd_bfd_row_counter, counter_columns,
            0),
    HD_LIST(HD_CORE_BFD, HD_BFD_LIST_SUMMARY, "summary", "How many sessions there are.",
            struct hd_bfd_row_summary, summary_columns, HD_LIST_ONE),
    HD_LIST(HD_CORE_BFD, HD_BFD_LIST_EVENT, "events", "Sessions that went up and down.",
            struct hd_bfd_row_event, event_columns, HD_LIST_EVENTS),
};

const struct hd_lists hd_lists_bfd = {HD_CORE_BFD, "bfd", lists, HD_ARRAY_LEN(lists)};

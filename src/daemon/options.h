/* SPDX-License-Identifier: Apache-2.0 */
/* What heddled was told on its command line; every role reads the same line again. */
#ifndef HD_DAEMON_OPTIONS_H
#define HD_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/channel.h"

#define HD_STATE_DEFAULT "/var/lib/heddle"
#define HD_RUN_DEFAULT   "/run/heddle"
#define HD_PATH_BYTES    256
#define HD_GLOBS_MAX     32

enum hd_backend_choice {
    HD_BACKEND_AUTO = 0, /* eBPF, else TUN */
    HD_BACKEND_EBPF = HD_FWD_EBPF,
    HD_BACKEND_TUN = HD_FWD_TUN,
    HD_BACKEND_NONE, /* developers: control plane alone */
};

struct hd_options {
    enum hd_role role;
    bool foreground;
    bool open;
    uint8_t core; /* enum hd_core_number */
    enum hd_backend_choice backend;
    int log_level;
    size_t recording_bytes; /* of the ring that the router writes; 0: none */
    char state_dir[128];    /* absolute */
    char run_dir[128];      /* of the control socket and the pins */
    const char *globs[HD_GLOBS_MAX + 1];
    unsigned glob_count;
};

/*
 * Reads the command line: 0; 1 when it asked for help or the version, which was printed; HD_EINVAL
 * after a sentence on stderr.
 */
HD_MUST_USE int hd_options_read(struct hd_options *o, int argc, char **argv);

/* Paths below the folders; buf holds HD_PATH_BYTES. */
char *hd_options_state_path(const struct hd_options *o, const char *name, char *buf);
char *hd_options_run_path(const struct hd_options *o, const char *name, char *buf);

#endif

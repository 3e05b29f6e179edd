/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands behind forwarding.h: one table of functions per back-end, and forwarding.c that calls
 * through it. A back-end embeds struct hd_fwd_setup and struct hd_fwd as the *first* member of its
 * own structs and fills in `ops`; everything else about them is its own business.
 */
#ifndef HD_LINUX_FWD_BACKEND_H
#define HD_LINUX_FWD_BACKEND_H

#include "linux/forwarding.h"

#define HD_FWD_WHY_SIZE 256 /* size of every `why` buffer */

struct hd_fwd_backend_ops;

struct hd_fwd_setup {
    const struct hd_fwd_backend_ops *ops;
};

struct hd_fwd {
    const struct hd_fwd_backend_ops *ops;
};

/* The functions of forwarding.h with the same meaning; all are present but where it says so. */
struct hd_fwd_backend_ops {
    const char *name; /* "ebpf", "tun" */

    int (*setup_open)(struct hd_fwd_setup **s, const struct hd_fwd_setup_options *o, char *why);
    void (*setup_handles)(const struct hd_fwd_setup *s, struct hd_fwd_handles *h);
    int (*setup_interface)(struct hd_fwd_setup *s, uint32_t ifindex, uint32_t mtu, bool use,
                           char *why);
    bool (*setup_intact)(struct hd_fwd_setup *s);
    bool (*setup_has_xdp)(const struct hd_fwd_setup *s, uint32_t program); /* NULL: none */
    void (*setup_close)(struct hd_fwd_setup *s, bool keep);

    int (*open)(struct hd_fwd **f, const struct hd_fwd_handles *h);
    void (*close)(struct hd_fwd *f);
    int (*adopt)(struct hd_fwd *f, struct hd_model *m, uint8_t owner);
    void (*apply)(struct hd_fwd *f, struct hd_model *m);
    int (*poll_fd)(const struct hd_fwd *f);
    int (*poll)(struct hd_fwd *f, struct hd_model *m, const struct hd_fwd_sink *sink,
                unsigned budget);
    /* NULL: control packets are policed before they reach a socket. */
    bool (*police)(struct hd_fwd *f, struct hd_model *m, uint32_t ifindex,
                   const struct hd_mac *from, hd_time now);
    uint32_t (*counters)(struct hd_fwd *f, struct hd_fwd_counter *out, uint32_t max);
};

extern const struct hd_fwd_backend_ops hd_fwd_ebpf_ops; /* fwd_ebpf*.c */
extern const struct hd_fwd_backend_ops hd_fwd_tun_ops;  /* fwd_tun*.c */

/* Writes a sentence into a why buffer of HD_FWD_WHY_SIZE bytes and returns `error`. */
int hd_fwd_why(char *why, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif

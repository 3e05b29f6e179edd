/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See fwd_ebpf_load.h. What libbpf needs for loading (type information, relocations, copies of the
 * instructions) is a multiple of what remains; so the skeletons go again at once, and duplicates of
 * the descriptors stay.
 */
#include "linux/fwd_ebpf_load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "kira0.skel.h"
#include "link.skel.h"
#include "linux/fwd_bpffs.h"
#include "xdp.skel.h"

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
    (void)level;
    (void)format;
    (void)args;
    return 0;
}

static int keep(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int failed(const char *what, char *why)
{
    int error = errno;

    /* libbpf says EINVAL when a pinned map does not fit the program's. */
    if (error == EPERM || error == EACCES)
        return hd_fwd_why(why, HD_EPERM,
                          "loading the %s program is not permitted (CAP_BPF, CAP_PERFMON and "
                          "CAP_NET_ADMIN are needed)",
                          what);
    return hd_fwd_why(why, error == EINVAL ? HD_EINVAL : HD_ESYS,
                      "loading the %s program failed: %s", what, strerror(error));
}

static int load_kira0(struct hd_fwd_ebpf_objects *o, const struct bpf_object_open_opts *opts,
                      char *why)
{
    struct hd_bpf_kira0 *s = hd_bpf_kira0__open_opts(opts);

    if (s != NULL)
        s->rodata->hd_reads_carrier = o->reads_carrier;
    if (s == NULL || hd_bpf_kira0__load(s) != 0) {
        int error = failed("encapsulation", why);
        hd_bpf_kira0__destroy(s);
        return error;
    }
    o->maps[HD_EBPF_NODES] = keep(bpf_map__fd(s->maps.hd_nodes));
    o->maps[HD_EBPF_LABELS] = keep(bpf_map__fd(s->maps.hd_labels));
    o->maps[HD_EBPF_ADJS] = keep(bpf_map__fd(s->maps.hd_adjs));
    o->maps[HD_EBPF_WAYS] = keep(bpf_map__fd(s->maps.hd_ways));
    o->maps[HD_EBPF_ADMITTED] = keep(bpf_map__fd(s->maps.hd_admitted));
    o->maps[HD_EBPF_COUNTERS] = keep(bpf_map__fd(s->maps.hd_counters));
    o->maps[HD_EBPF_EVENTS] = keep(bpf_map__fd(s->maps.hd_events));
    o->maps[HD_EBPF_CONFIG] = keep(bpf_map__fd(s->maps.hd_config));
    o->maps[HD_EBPF_IFS] = keep(bpf_map__fd(s->maps.hd_ifs));
    o->programs[HD_EBPF_KIRA0] = keep(bpf_program__fd(s->progs.hd_kira0));
    hd_bpf_kira0__destroy(s);
    return 0;
}

static int load_link(struct hd_fwd_ebpf_objects *o, const struct bpf_object_open_opts *opts,
                     char *why)
{
    struct hd_bpf_link *s = hd_bpf_link__open_opts(opts);

    if (s != NULL)
        s->rodata->hd_reads_carrier = o->reads_carrier;
    if (s == NULL || hd_bpf_link__load(s) != 0) {
        int error = failed("link", why);
        hd_bpf_link__destroy(s);
        return error;
    }
    o->programs[HD_EBPF_LINK] = keep(bpf_program__fd(s->progs.hd_link));
    o->programs[HD_EBPF_GUARD] = keep(bpf_program__fd(s->progs.hd_guard));
    hd_bpf_link__destroy(s);
    return 0;
}

#define DEVS_PIN "hd_devs"

/* The map of devices is found and pinned here: see bpf/xdp.bpf.c. */
static int load_with_devs(struct hd_bpf_xdp *s, const char *pin_dir)
{
    int old = hd_fwd_bpffs_get(pin_dir, DEVS_PIN), rc = 0;

    if (old >= 0) {
        rc = bpf_map__reuse_fd(s->maps.hd_devs, old);
        close(old);
    }
    if (rc == 0)
        rc = hd_bpf_xdp__load(s);
    if (rc == 0 && old < 0)
        rc = hd_fwd_bpffs_pin(pin_dir, DEVS_PIN, bpf_map__fd(s->maps.hd_devs));
    return rc;
}

/* An addition: without it everything works, slower. */
static void load_xdp(struct hd_fwd_ebpf_objects *o, const struct bpf_object_open_opts *opts)
{
    struct hd_bpf_xdp *s = hd_bpf_xdp__open_opts(opts);

    if (s != NULL)
        s->rodata->hd_reads_carrier = o->reads_carrier;
    if (s != NULL && load_with_devs(s, opts->pin_root_path) == 0) {
        o->maps[HD_EBPF_DEVS] = keep(bpf_map__fd(s->maps.hd_devs));
        o->programs[HD_EBPF_XDP] = keep(bpf_program__fd(s->progs.hd_xdp));
    }
    hd_bpf_xdp__destroy(s);
}

static int load_all(struct hd_fwd_ebpf_objects *o, const char *pin_dir, bool reads_carrier,
                    char *why)
{
    LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = pin_dir);
    int error;

    memset(o, 0xff, sizeof *o);
    o->reads_carrier = reads_carrier;
    error = load_kira0(o, &opts, why);
    if (error == 0)
        error = load_link(o, &opts, why);
    if (error == 0)
        load_xdp(o, &opts);
    else
        hd_fwd_ebpf_unload(o);
    return error;
}

int hd_fwd_ebpf_load(struct hd_fwd_ebpf_objects *o, const char *pin_dir, char *why)
{
    libbpf_set_print(quiet);
    /* A kernel before 6.2 cannot read a device's state in a program: there netlink has to do. */
    if (load_all(o, pin_dir, true, why) == 0)
        return 0;
    return load_all(o, pin_dir, false, why);
}

static void close_all(int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

void hd_fwd_ebpf_unload(struct hd_fwd_ebpf_objects *o)
{
    close_all(o->maps, HD_EBPF_MAP_COUNT);
    close_all(o->programs, HD_EBPF_PROGRAM_COUNT);
}

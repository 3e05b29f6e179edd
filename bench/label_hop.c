/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one label hop costs, beside what kernel IPv6 forwarding costs in the same minute
 * (forwarding-on-linux.md, 3.3). Frames of 162 bytes are injected with BPF_PROG_TEST_RUN as live
 * XDP frames at one veth, go through
 *
 *   xdp      our XDP program: swap and redirect,
 *   tc       nothing in XDP, our tc program: swap and redirect,
 *   kernel   nothing of ours: a /128 route and a static neighbour,
 *
 * leave over a second veth, and are counted and dropped by an XDP program at its peer. A run counts
 * only when every frame arrived. Printed: median and range of ns per packet, and the ratio to the
 * kernel's.
 *
 * usage: bench-label-hop [frames [rounds]]; needs root; works in a network namespace of its own.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/fwd_device.h"
#include "linux/fwd_ebpf_attach.h"
#include "linux/fwd_ebpf_load.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include "label_hop.skel.h"
#pragma GCC diagnostic pop

#define FRAME_LEN  162
#define ROUNDS_MAX 101
#define PIN_DIR    "/run/heddle-bench-pins"
#define LABEL_TEXT "fcaa:0102:0304:0506:0708:090a:0b0c:0d0e"
#define ADJ        7

static const uint8_t label[16] = {0xfc, 0xaa, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

struct bench {
    struct hd_fwd_ebpf_objects o;
    struct hd_bench_label_hop *helper;
    struct hd_fwd_device in, out, peer;
    uint32_t frames;
};

static void must(int condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench-label-hop: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void run(const char *command)
{
    must(system(command) == 0, command);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- the hop
 * ------------------------------------------------------------------------------------------ */

static void make_devices(struct bench *b)
{
    must(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "unshare");
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private mounts");
    run("mkdir -p " PIN_DIR " && mount -t bpf bpf " PIN_DIR);
    run("echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
    run("ip link add in0 type veth peer name in1 && ip link add out0 type veth peer name out1");
    run("for d in in0 in1 out0 out1; do ip link set $d up; done");
    must(hd_fwd_device_get("in0", 0, &b->in) == 0 && hd_fwd_device_get("out0", 0, &b->out) == 0 &&
             hd_fwd_device_get("out1", 0, &b->peer) == 0,
         "devices");
    char command[256];
    const uint8_t *m = b->peer.mac.b;
    snprintf(command, sizeof command,
             "ip -6 neigh add fe80::1 lladdr %02x:%02x:%02x:%02x:%02x:%02x dev out0 nud permanent "
             "&& ip -6 route add " LABEL_TEXT "/128 via fe80::1 dev out0",
             m[0], m[1], m[2], m[3], m[4], m[5]);
    run(command);
}

static void put(int map, const void *key, const void *value)
{
    must(bpf_map_update_elem(map, key, value, BPF_ANY) == 0, "map update");
}

static void fill_maps(const struct bench *b)
{
    struct hd_bpf_config cfg = {.version = HD_BPF_VERSION,
                                .node_prefix = __builtin_bswap16(0xfc00),
                                .label_prefix = __builtin_bswap16(0xfcaa)};
    struct hd_bpf_adj adj = {.ifindex = b->out.ifindex};
    struct hd_bpf_if in = {.mtu = 1500, .flags = HD_BPF_IF_USED}, out = in;
    struct hd_bpf_source source = {.ifindex = b->in.ifindex, .mac = {2, 0, 0, 0, 0, 1}};
    struct hd_bpf_label swap = {.act = HD_BPF_LABEL_SWAP, .adj = ADJ};
    uint32_t zero = 0, number = ADJ;

    memcpy(adj.mac, &b->peer.mac, 6);
    memcpy(in.mac, &b->in.mac, 6);
    memcpy(out.mac, &b->out.mac, 6);
    out.flags |= HD_BPF_IF_XDP;
    memcpy(swap.out, label, 16);
    put(b->o.maps[HD_EBPF_CONFIG], &zero, &cfg);
    put(b->o.maps[HD_EBPF_ADJS], &number, &adj);
    put(b->o.maps[HD_EBPF_IFS], &b->in.ifindex, &in);
    put(b->o.maps[HD_EBPF_IFS], &b->out.ifindex, &out);
    put(b->o.maps[HD_EBPF_ADMITTED], &source, &number);
    put(b->o.maps[HD_EBPF_LABELS], label, &swap);
    put(b->o.maps[HD_EBPF_DEVS], &b->out.ifindex, &b->out.ifindex);
}

/* Ethernet and outer header of a labelled packet; the rest of the frame nobody reads. */
static void fill_template(const struct bench *b)
{
    uint8_t h[56] = {[6] = 2, [11] = 1, [12] = 0x86, [13] = 0xdd, [14] = 0x60};
    uint32_t zero = 0;

    memcpy(h, &b->in.mac, 6);
    h[19] = FRAME_LEN - 54;
    h[20] = 47;
    h[21] = 64;
    h[22] = 0xfc;
    h[37] = 9;
    memcpy(h + 38, label, 16);
    put(bpf_map__fd(b->helper->maps.template), &zero, h);
}

static void load(struct bench *b)
{
    char why[HD_FWD_WHY_SIZE] = "";

    if (hd_fwd_ebpf_load(&b->o, PIN_DIR, why) != 0) {
        fprintf(stderr, "bench-label-hop: %s\n", why);
        exit(1);
    }
    b->helper = hd_bench_label_hop__open_and_load();
    must(b->helper != NULL, "loading the helpers");
    must(b->o.programs[HD_EBPF_XDP] >= 0, "loading the XDP program");
    must(bpf_xdp_attach((int)b->peer.ifindex, bpf_program__fd(b->helper->progs.sink),
                        1u << 2 /* XDP_FLAGS_DRV_MODE */, NULL) == 0,
         "attaching the sink");
}

/* --- runs
 * ---------------------------------------------------------------------------------------------- */

static uint64_t arrived(const struct bench *b)
{
    static uint64_t values[1024];
    uint32_t zero = 0;
    uint64_t sum = 0;
    int cpus = libbpf_num_possible_cpus();

    must(cpus > 0 && cpus <= (int)HD_ARRAY_LEN(values), "number of CPUs");
    must(bpf_map_lookup_elem(bpf_map__fd(b->helper->maps.arrived), &zero, values) == 0, "counter");
    for (int i = 0; i < cpus; i++)
        sum += values[i];
    return sum;
}

/* One run: ns per packet. Ends the program when a frame got lost: the figure would mean nothing. */
static uint64_t once(const struct bench *b, const char *name)
{
    uint8_t frame[FRAME_LEN] = {0};
    struct xdp_md ctx = {.data_end = FRAME_LEN, .ingress_ifindex = b->in.ifindex};
    LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = FRAME_LEN, .ctx_in = &ctx,
                .ctx_size_in = sizeof ctx, .repeat = (int)b->frames,
                .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
    uint64_t before = arrived(b), start = now_ns(), took;

    must(bpf_prog_test_run_opts(bpf_program__fd(b->helper->progs.inject), &o) == 0, "test run");
    took = now_ns() - start;
    for (int i = 0; i < 100 && arrived(b) - before < b->frames; i++)
        usleep(1000);
    if (arrived(b) - before < b->frames) {
        fprintf(stderr, "bench-label-hop: %s: %llu of %u frames arrived\n", name,
                (unsigned long long)(arrived(b) - before), b->frames);
        exit(1);
    }
    return took / b->frames;
}

enum path { XDP, TC, KERNEL, PATHS };

static const char *const path_names[PATHS] = {"xdp", "tc", "kernel"};

static void prepare(const struct bench *b, enum path path)
{
    int slots = bpf_map__fd(b->helper->maps.tested);
    uint32_t zero = 0;
    bool own = true;

    (void)bpf_map_delete_elem(slots, &zero);
    hd_fwd_tc_detach(b->in.ifindex, false, b->o.programs, true);
    if (path == XDP)
        put(slots, &zero, &b->o.programs[HD_EBPF_XDP]);
    if (path == TC)
        must(hd_fwd_tc_attach(b->in.ifindex, false, b->o.programs, HD_EBPF_LINK, &own) == 0,
             "attaching to tc");
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    struct bench b = {.frames = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000};
    unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5;
    uint64_t ns[PATHS][ROUNDS_MAX];

    if (b.frames == 0 || rounds == 0 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench-label-hop [frames [rounds]]\n");
        return 2;
    }
    make_devices(&b);
    load(&b);
    fill_maps(&b);
    fill_template(&b);
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned path = 0; path < PATHS;
             path++) { /* interleaved: the machine's mood is shared */
            prepare(&b, (enum path)path);
            ns[path][round] = once(&b, path_names[path]);
        }
    for (unsigned path = 0; path < PATHS; path++)
        qsort(ns[path], rounds, sizeof ns[path][0], compare);
    uint64_t kernel = HD_MAX(ns[KERNEL][rounds / 2], 1);
    for (unsigned path = 0; path < PATHS; path++) {
        uint64_t median = ns[path][rounds / 2];
        printf("path=%s ns=%llu min=%llu max=%llu of_kernel_percent=%llu\n", path_names[path],
               (unsigned long long)median, (unsigned long long)ns[path][0],
               (unsigned long long)ns[path][rounds - 1],
               (unsigned long long)(median * 100 / kernel));
    }
    must(umount(PIN_DIR) == 0 && rmdir(PIN_DIR) == 0, "removing " PIN_DIR);
    return 0;
}

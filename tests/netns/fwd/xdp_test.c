/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XDP program packet by packet, by test runs (bpf/xdp.bpf.c): it swaps the plain case and
 * leaves everything else to tc untouched. Its speed and the delivery behind its redirect are those
 * of bench/label_hop.c; a real NIC is what neither can show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>
#include <sched.h>

#include "lib/base.h"
#include "linux/fwd_bpffs.h"
#include "linux/fwd_device.h"
#include "linux/fwd_ebpf_attach.h"
#include "linux/fwd_ebpf_load.h"
#include "net.h"

#define FRAME_LEN 120
#define ADJ       3

static const uint8_t label[16] = {0xfc, 0xaa, 1}, out_label[16] = {0xfc, 0xaa, 2},
                     own_label[16] = {0xfc, 0xaa, 3};
static const uint8_t member[6] = {2, 0, 0, 0, 0, 1}, next_hop[6] = {2, 0, 0, 0, 0, 2};

static struct hd_fwd_ebpf_objects o;
static struct hd_fwd_device in, out;
static char pins[64];

static void put(enum hd_fwd_ebpf_map map, const void *key, const void *value)
{
    assert_int_equal(bpf_map_update_elem(o.maps[map], key, value, BPF_ANY), 0);
}

static void put_egress(uint32_t flags, uint32_t mtu, uint32_t adj_flags)
{
    struct hd_bpf_if i = {.mtu = mtu, .flags = flags};
    struct hd_bpf_adj a = {.ifindex = out.ifindex, .flags = adj_flags};
    uint32_t adj = ADJ;

    memcpy(i.mac, &out.mac, 6);
    memcpy(a.mac, next_hop, 6);
    put(HD_EBPF_IFS, &out.ifindex, &i);
    put(HD_EBPF_ADJS, &adj, &a);
}

static int set_up(void **state)
{
    struct hd_bpf_config cfg = {.version = HD_BPF_VERSION,
                                .node_prefix = __builtin_bswap16(0xfc00),
                                .label_prefix = __builtin_bswap16(0xfcaa)};
    struct hd_bpf_label swap = {.act = HD_BPF_LABEL_SWAP, .adj = ADJ},
                        end = {.act = HD_BPF_LABEL_DECAP};
    struct hd_bpf_source source = {0};
    struct hd_bpf_if i = {.mtu = 1500, .flags = HD_BPF_IF_USED | HD_BPF_IF_XDP};
    uint32_t zero = 0;
    char why[HD_FWD_WHY_SIZE], where[HD_FWD_BPFFS_PATH];

    (void)state;
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    snprintf(pins, sizeof pins, "/tmp/hd-fwd-xdp-test-%d", (int)getpid());
    assert_int_equal(shell(0, "ip link add in0 type veth peer name in1 && "
                              "ip link add out0 type veth peer name out1 && "
                              "for d in in0 in1 out0 out1; do ip link set $d up; done"),
                     0);
    assert_int_equal(hd_fwd_device_get("in0", 0, &in), 0);
    assert_int_equal(hd_fwd_device_get("out0", 0, &out), 0);
    assert_int_equal(hd_fwd_bpffs_open(pins, where), 0);
    assert_string_equal(where, pins); /* we may mount */
    assert_int_equal(hd_fwd_ebpf_load(&o, pins, why), 0);
    memcpy(i.mac, &in.mac, 6);
    memcpy(swap.out, out_label, 16);
    source.ifindex = in.ifindex;
    memcpy(source.mac, member, 6);
    put(HD_EBPF_CONFIG, &zero, &cfg);
    put(HD_EBPF_IFS, &in.ifindex, &i);
    put(HD_EBPF_ADMITTED, &source, &zero);
    put(HD_EBPF_LABELS, label, &swap);
    put(HD_EBPF_LABELS, own_label, &end);
    put(HD_EBPF_DEVS, &out.ifindex, &out.ifindex);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hd_fwd_ebpf_unload(&o);
    hd_fwd_bpffs_remove(pins);
    return access(pins, F_OK) == 0;
}

static void make(uint8_t *f)
{
    memset(f, 0, FRAME_LEN);
    memcpy(f, &in.mac, 6);
    memcpy(f + 6, member, 6);
    f[12] = 0x86;
    f[13] = 0xdd;
    f[14] = 0x60;
    f[19] = FRAME_LEN - 54;
    f[20] = 47;
    f[21] = 64;
    f[22] = 0xfc;
    memcpy(f + 38, label, 16);
    for (int i = 54; i < FRAME_LEN; i++)
        f[i] = (uint8_t)i;
    put_egress(HD_BPF_IF_USED | HD_BPF_IF_XDP, 1500, 0);
}

/* The program's verdict; got is the frame afterwards. */
static uint32_t run(const uint8_t *frame, uint8_t *got)
{
    struct xdp_md ctx = {.data_end = FRAME_LEN, .ingress_ifindex = in.ifindex};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME_LEN,
                .data_out = got, .data_size_out = FRAME_LEN, .ctx_in = &ctx,
                .ctx_size_in = sizeof ctx);

    assert_int_equal(bpf_prog_test_run_opts(o.programs[HD_EBPF_XDP], &opts), 0);
    assert_int_equal(opts.data_size_out, FRAME_LEN);
    return opts.retval;
}

static void test_swap(void **state)
{
    uint8_t frame[FRAME_LEN], got[FRAME_LEN];

    (void)state;
    make(frame);
    assert_int_equal(run(frame, got), XDP_REDIRECT);
    memcpy(frame, next_hop, 6);
    memcpy(frame + 6, &out.mac, 6);
    frame[21] = 63;
    memcpy(frame + 38, out_label, 16);
    assert_memory_equal(got, frame, FRAME_LEN);
}

static void expect_pass(const uint8_t *frame)
{
    uint8_t got[FRAME_LEN];

    assert_int_equal(run(frame, got), XDP_PASS);
    assert_memory_equal(got, frame, FRAME_LEN);
}

static void test_left_to_tc(void **state)
{
    static const struct {
        const char *what;
        int at;
        uint8_t value;
    } cases[] = {
        {"hop limit", 21, 1}, {"unknown label", 52, 9}, {"own label", 40, 3},
        {"stranger", 11, 7},  {"not for us", 5, 0xee},  {"not a label", 39, 0},
        {"not IPv6", 13, 0},
    };
    uint8_t frame[FRAME_LEN];

    (void)state;
    for (unsigned i = 0; i < HD_ARRAY_LEN(cases); i++) {
        make(frame);
        assert_int_not_equal(frame[cases[i].at], cases[i].value);
        frame[cases[i].at] = cases[i].value;
        print_message("  %s\n", cases[i].what);
        expect_pass(frame);
    }
}

static void test_egress(void **state)
{
    uint8_t frame[FRAME_LEN], got[FRAME_LEN];
    uint32_t xdp = HD_BPF_IF_USED | HD_BPF_IF_XDP;

    (void)state;
    make(frame);
    put_egress(xdp, 1500, HD_BPF_ADJ_DOWN);
    expect_pass(frame);
    put_egress(HD_BPF_IF_USED, 1500, 0); /* takes no redirected frames */
    expect_pass(frame);
    put_egress(HD_BPF_IF_XDP, 1500, 0); /* no link any more */
    expect_pass(frame);
    put_egress(xdp, FRAME_LEN - 14 - 1, 0);
    expect_pass(frame);
    put_egress(xdp, FRAME_LEN - 14, 0);
    assert_int_equal(run(frame, got), XDP_REDIRECT);
    /* In the interface map, but not in the device map: the frame must not be half changed. */
    assert_int_equal(bpf_map_delete_elem(o.maps[HD_EBPF_DEVS], &out.ifindex), 0);
    expect_pass(frame);
    put(HD_EBPF_DEVS, &out.ifindex, &out.ifindex);
}

/* Attaching: ours replaces ours, and nobody else's. (A veth stands in for the NIC.) */
static void test_attach(void **state)
{
    int fd = o.programs[HD_EBPF_XDP];
    struct hd_fwd_ebpf_objects again;
    char why[HD_FWD_WHY_SIZE];

    (void)state;
    assert_false(hd_fwd_xdp_suits(&in)); /* only here by force */
    assert_int_equal(hd_fwd_xdp_attach(in.ifindex, fd, -1), 0);
    assert_int_equal(hd_fwd_ebpf_load(&again, pins, why), 0);
    assert_true(again.programs[HD_EBPF_XDP] >= 0 && again.maps[HD_EBPF_DEVS] >= 0);
    assert_int_equal(hd_fwd_xdp_attach(in.ifindex, again.programs[HD_EBPF_XDP], -1), HD_EEXIST);
    assert_int_equal(hd_fwd_xdp_attach(in.ifindex, again.programs[HD_EBPF_XDP], fd), 0);
    hd_fwd_xdp_detach(in.ifindex, fd); /* not there any more: nothing happens */
    assert_int_equal(shell(0, "ip link show in0 | grep -q xdp"), 0);
    hd_fwd_xdp_detach(in.ifindex, again.programs[HD_EBPF_XDP]);
    assert_int_not_equal(shell(0, "ip link show in0 | grep -q xdp"), 0);
    hd_fwd_ebpf_unload(&again);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_swap),
        cmocka_unit_test(test_left_to_tc),
        cmocka_unit_test(test_egress),
        cmocka_unit_test(test_attach),
    };

    if (geteuid() != 0)
        return 77; /* skipped */
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

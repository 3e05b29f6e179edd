/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of design.md section 7 as a table, and the table that follows the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/if.h>
#include <linux/if_arp.h>
#include <stdio.h>
#include <string.h>

#include "lib/base.h"
#include "linux/interfaces.h"

static struct hd_link_facts ethernet(const char *name, const char *kind)
{
    struct hd_link_facts f = {.ifindex = 2,
                              .type = ARPHRD_ETHER,
                              .flags = IFF_UP | IFF_LOWER_UP,
                              .mtu = 1500,
                              .operstate = 6};
    snprintf(f.name, sizeof f.name, "%s", name);
    snprintf(f.kind, sizeof f.kind, "%s", kind);
    f.has_parent = kind[0] == '\0';
    return f;
}

static const struct hd_interface_rules initial = {.initial = true}, other = {0};
static const char *const globs[] = {"eth1", "veth*", NULL};
static const struct hd_interface_rules chosen = {.globs = globs, .initial = true};

static int judge(const struct hd_interface_rules *r, const struct hd_link_facts *f)
{
    struct hd_interface_view v = {.link = f};
    return (int)hd_interface_judge(r, &v);
}

static void test_kinds(void **state)
{
    static const struct {
        const char *kind, *master;
        int initial, other;
    } rows[] = {
        {"", "", HD_IF_OK, HD_IF_OK},
        {"veth", "", HD_IF_VIRTUAL, HD_IF_OK},
        {"bridge", "", HD_IF_VIRTUAL, HD_IF_OK},
        {"", "bridge", HD_IF_BRIDGE_PORT, HD_IF_BRIDGE_PORT},
        {"veth", "bridge", HD_IF_BRIDGE_PORT, HD_IF_BRIDGE_PORT},
        {"", "bond", HD_IF_BRIDGE_PORT, HD_IF_BRIDGE_PORT},
        {"vxlan", "", HD_IF_TUNNEL, HD_IF_OK},
        {"tun", "", HD_IF_TUNNEL, HD_IF_OK},
        {"macvlan", "", HD_IF_VIRTUAL, HD_IF_OK},
    };
    for (unsigned i = 0; i < HD_ARRAY_LEN(rows); i++) {
        struct hd_link_facts f = ethernet("eth0", rows[i].kind);
        snprintf(f.master_kind, sizeof f.master_kind, "%s", rows[i].master);
        assert_int_equal(judge(&initial, &f), rows[i].initial);
        assert_int_equal(judge(&other, &f), rows[i].other);
    }
}

static void test_circumstances(void **state)
{
    struct hd_link_facts f = ethernet("eth0", "");
    struct hd_interface_view v = {.link = &f, .default_route = true};
    assert_int_equal(hd_interface_judge(&initial, &v), HD_IF_DEFAULT_ROUTE);
    assert_int_equal(hd_interface_judge(&other, &v), HD_IF_OK);
    v = (struct hd_interface_view){.link = &f, .foreign_xdp = true};
    assert_int_equal(hd_interface_judge(&initial, &v), HD_IF_FOREIGN_XDP);
    v = (struct hd_interface_view){.link = &f, .wireless = true};
    assert_int_equal(hd_interface_judge(&initial, &v), HD_IF_WIRELESS);
    v = (struct hd_interface_view){.link = &f, .ours = true};
    assert_int_equal(hd_interface_judge(&other, &v), HD_IF_OURS);
    assert_int_equal(hd_interface_judge(&chosen, &v), HD_IF_OURS);
}

static void test_necessities(void **state)
{
    struct hd_link_facts f = ethernet("eth1", "");
    f.mtu = HD_INTERFACE_MTU_MIN;
    assert_int_equal(judge(&initial, &f), HD_IF_OK);
    f.mtu--;
    assert_int_equal(judge(&initial, &f), HD_IF_MTU_SMALL);
    assert_int_equal(judge(&chosen, &f), HD_IF_MTU_SMALL);
    f = ethernet("eth1", "");
    f.ipv6_off = true;
    assert_int_equal(judge(&chosen, &f), HD_IF_NO_IPV6);
    f.type = ARPHRD_NONE;
    assert_int_equal(judge(&chosen, &f), HD_IF_NOT_ETHERNET);
    f.flags |= IFF_LOOPBACK;
    assert_int_equal(judge(&chosen, &f), HD_IF_LOOPBACK);
    f = ethernet("ifb0", "ifb");
    f.flags |= IFF_NOARP;
    assert_int_equal(judge(&other, &f), HD_IF_VIRTUAL);
}

static void test_selection(void **state)
{
    struct hd_link_facts f = ethernet("veth7", "veth");
    struct hd_interface_view v = {.link = &f, .default_route = true, .foreign_xdp = true};
    assert_int_equal(hd_interface_judge(&chosen, &v), HD_IF_OK);
    f = ethernet("eth2", "");
    assert_int_equal(judge(&chosen, &f), HD_IF_NOT_SELECTED);
}

static void test_every_reason_has_a_name(void **state)
{
    for (int w = 0; w < HD_IF_WHY_END; w++) {
        assert_string_not_equal(hd_interface_why_name((enum hd_if_why)w), "?");
    }
    assert_string_equal(hd_interface_why_name(HD_IF_WHY_END), "?");
}

/* --- the table -----------------------------------------------------------------------------------
 */

static struct hd_in_interface last;
static unsigned told;

static void changed(void *user, struct hd_interface *i, struct hd_in_interface *now)
{
    last = *now;
    told++;
}

static bool ours(void *user, uint32_t program)
{
    return program == 77;
}

static void make_table(struct hd_interfaces *t)
{
    const struct hd_interface_listener l = {NULL, changed, ours};
    hd_interfaces_init(t, &initial, &l);
    told = 0;
}

static void test_table_tells_changes_only(void **state)
{
    struct hd_interfaces t;
    struct hd_link_facts f = ethernet("eth0", "");
    struct hd_address_facts a = {.ifindex = 2, .address.b = {0xfe, 0x80, [15] = 1}};
    struct hd_address_facts b = {.ifindex = 2, .address.b = {0xfe, 0x80, [15] = 2}};
    make_table(&t);
    hd_interfaces_link(&t, &f);
    hd_interfaces_tell(&t);
    hd_interfaces_tell(&t);
    assert_int_equal(told, 1);
    assert_true(last.usable && last.up);

    a.tentative = true; /* not yet */
    hd_interfaces_address(&t, &a);
    hd_interfaces_tell(&t);
    assert_int_equal(told, 1);
    a.tentative = false;
    hd_interfaces_address(&t, &a);
    hd_interfaces_address(&t, &b); /* a second one changes nothing */
    hd_interfaces_tell(&t);
    assert_int_equal(told, 2);
    assert_int_equal(last.link_local.b[15], 1);
    a.gone = true;
    hd_interfaces_address(&t, &a);
    hd_interfaces_tell(&t);
    assert_int_equal(last.link_local.b[15], 2);

    f.operstate = 2;
    hd_interfaces_link(&t, &f);
    hd_interfaces_tell(&t);
    assert_false(last.up);
    f.xdp_program = 77;
    f.operstate = 6;
    hd_interfaces_link(&t, &f);
    hd_interfaces_tell(&t);
    assert_true(last.usable);
    f.xdp_program = 78;
    hd_interfaces_link(&t, &f);
    hd_interfaces_tell(&t);
    assert_int_equal(last.why_not, HD_IF_FOREIGN_XDP);
    hd_interfaces_free(&t);
}

static void test_table_after_a_dump(void **state)
{
    struct hd_interfaces t;
    struct hd_link_facts f = ethernet("eth0", ""), g = ethernet("eth1", "");
    g.ifindex = 3;
    make_table(&t);
    hd_interfaces_link(&t, &f);
    hd_interfaces_link(&t, &g);
    hd_interfaces_tell(&t);
    assert_int_equal(told, 2);
    hd_interfaces_dump_begin(&t); /* the removal of eth1 was lost */
    hd_interfaces_link(&t, &f);
    hd_interfaces_dump_end(&t);
    hd_interfaces_tell(&t);
    assert_int_equal(told, 3);
    assert_true(last.gone);
    assert_int_equal(last.ifindex, 3);
    assert_null(hd_interfaces_find(&t, 3));
    hd_interfaces_free(&t);
}

/* The uplink of a host must not be taken because a dump broke off before the routes. */
static void test_default_route_after_dumps(void **state)
{
    struct hd_interfaces t;
    struct hd_link_facts f = ethernet("eth0", "");
    make_table(&t);
    hd_interfaces_dump_begin(&t);
    hd_interfaces_link(&t, &f);
    hd_interfaces_default_route(&t, 2);
    hd_interfaces_dump_end(&t);
    hd_interfaces_tell(&t);
    assert_int_equal(last.why_not, HD_IF_DEFAULT_ROUTE);
    hd_interfaces_dump_begin(&t); /* fails, and does not end */
    hd_interfaces_link(&t, &f);
    hd_interfaces_tell(&t);
    assert_int_equal(told, 1);
    hd_interfaces_dump_begin(&t); /* now it is gone */
    hd_interfaces_link(&t, &f);
    hd_interfaces_dump_end(&t);
    hd_interfaces_tell(&t);
    assert_int_equal(told, 2);
    assert_true(last.usable);
    hd_interfaces_default_route(&t, 2); /* by news */
    hd_interfaces_tell(&t);
    assert_int_equal(last.why_not, HD_IF_DEFAULT_ROUTE);
    hd_interfaces_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_circumstances),
        cmocka_unit_test(test_necessities),
        cmocka_unit_test(test_selection),
        cmocka_unit_test(test_every_reason_has_a_name),
        cmocka_unit_test(test_table_tells_changes_only),
        cmocka_unit_test(test_table_after_a_dump),
        cmocka_unit_test(test_default_route_after_dumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

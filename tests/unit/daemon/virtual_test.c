/* SPDX-License-Identifier: Apache-2.0 */
/* What looks at the kernel teach about virtual interfaces, and what a look that fails leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "linux/virtual.h"

#define OWNER 5u
#define BELOW 3u

static void found(struct hd_virtual_table *t, unsigned number, bool up)
{
    struct hd_link_facts f = {.ifindex = 20 + number,
                              .below = BELOW,
                              .kind = "macvlan",
                              .flags = up ? IFF_UP : 0,
                              .mac.b = {0, 0, 0x5e, 0, 1, (uint8_t)number}};
    snprintf(f.name, sizeof f.name, "hv%x4.%u.%u", OWNER, number, BELOW);
    assert_true(hd_virtual_found(t, &f));
}

static void has_address(struct hd_virtual_table *t, unsigned number)
{
    struct hd_address_facts a = {.ifindex = 20 + number,
                                 .address.b = {[10] = 0xff, 0xff, 10, 0, 0, (uint8_t)number}};
    assert_true(hd_virtual_address(t, &a));
}

static struct hd_virtual_link *entry(struct hd_virtual_table *t, unsigned number)
{
    return hd_virtual_find(t, OWNER, BELOW, 4, (uint8_t)number);
}

static void test_a_look_teaches_what_is_there(void **state)
{
    struct hd_virtual_table t = {0};
    assert_int_equal(hd_virtual_look_begin(&t), 0);
    found(&t, 1, true);
    found(&t, 2, false);
    has_address(&t, 1);
    hd_virtual_look_end(&t);
    assert_int_equal(t.count, 2);
    assert_int_equal(entry(&t, 1)->ifindex, 21);
    assert_int_equal(entry(&t, 1)->count, 1);
    assert_true(entry(&t, 1)->active && !entry(&t, 2)->active);

    assert_int_equal(hd_virtual_look_begin(&t), 0);
    found(&t, 2, true);
    hd_virtual_look_end(&t);
    assert_int_equal(t.count, 1);
    assert_null(entry(&t, 1)); /* not wanted, and not there any more */
    assert_true(entry(&t, 2)->active);
    free(t.v);
}

/* Else what is there would be left behind at the end, or made active a second time elsewhere. */
static void test_a_look_that_fails_teaches_nothing(void **state)
{
    struct hd_virtual_table t = {0};
    assert_int_equal(hd_virtual_look_begin(&t), 0);
    found(&t, 1, true);
    has_address(&t, 1);
    hd_virtual_look_end(&t);

    assert_int_equal(hd_virtual_look_begin(&t), 0);
    found(&t, 2, true);
    hd_virtual_look_failed(&t);
    assert_int_equal(t.count, 1);
    assert_non_null(entry(&t, 1));
    assert_null(entry(&t, 2));
    assert_int_equal(entry(&t, 1)->ifindex, 21);
    assert_int_equal(entry(&t, 1)->count, 1);
    assert_true(entry(&t, 1)->active);
    assert_true(t.doubt); /* look again */

    struct hd_virtual_table first = {0};
    assert_int_equal(hd_virtual_look_begin(&first), 0);
    found(&first, 1, true);
    hd_virtual_look_failed(&first);
    assert_int_equal(first.count, 0);
    assert_null(entry(&first, 1));
    free(t.v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_look_teaches_what_is_there),
        cmocka_unit_test(test_a_look_that_fails_teaches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

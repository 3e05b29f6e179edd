/* SPDX-License-Identifier: Apache-2.0 */
/* The table of code points says what the wire formats and the defaults of the cores use. */
#include "support/test.h"

#include "core/kira/wire.h"
#include "lib/addr.h"
#include "lib/code_points.h"

static void objects_agree(void **state)
{
    assert_int_equal(HD_KIRA_POINT_MAC, HD_KIRA_OBJ_MAC);
    assert_int_equal(HD_KIRA_POINT_OVERLAY_HOPS, HD_KIRA_OBJ_OVERLAY_HOPS);
    assert_int_equal(HD_KIRA_POINT_CAPABILITIES, HD_KIRA_OBJ_CAPABILITIES);
    assert_int_equal(HD_KIRA_POINT_ECHO, HD_KIRA_ECHO_MAGIC);
}

static void groups_read_as_said(void **state)
{
    static const struct hd_ip6 kira = {.b = HD_KIRA_GROUP}, sample = {.b = HD_SAMPLE_GROUP};
    char text[HD_IP6_TEXT];

    assert_string_equal(hd_ip6_format(&kira, text), "ff02::1");
    assert_string_equal(hd_ip6_format(&sample, text), "ff12::5a5a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_agree),
        cmocka_unit_test(groups_read_as_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

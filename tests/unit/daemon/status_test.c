/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to `status` while the router has no core yet, and when it has one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/driver_rows.h"
#include "manage/internal.h"

static char *status(const struct hd_row_driver *row)
{
    const struct hd_list *l = hd_list_find(HD_CORE_DRIVER, HD_DRIVER_LIST_STATUS);
    struct hd_gather g = {0};

    hd_gather_status(&g, l, (const uint8_t *)row, row != NULL ? 1 : 0);
    hd_gather_status(&g, NULL, NULL, 0);
    char *text = strdup(g.json.text);

    hd_gather_free(&g);
    return text;
}

static void test_starting(void **state)
{
    const struct hd_row_driver row = {.backend = "tun"};
    char *with_row = status(&row), *without = status(NULL);

    assert_non_null(strstr(with_row, "\"state\":\"starting\""));
    assert_non_null(strstr(without, "\"state\":\"starting\""));
    free(with_row);
    free(without);
}

static void test_core_runs(void **state)
{
    const struct hd_row_driver row = {.backend = "tun", .core = "sample"};
    char *text = status(&row);

    assert_null(strstr(text, "\"state\":"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starting),
        cmocka_unit_test(test_core_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

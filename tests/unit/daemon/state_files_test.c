/* SPDX-License-Identifier: Apache-2.0 */
/* State files: whole or not at all, and an identity that stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/state_files.h"

static char folder[64];
static int dir;

static int setup(void **state)
{
    strcpy(folder, "/tmp/heddle-state.XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    dir = open(folder, O_PATH | O_DIRECTORY);
    return dir >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
    static const char *const names[] = {"kira-1", "kira-2", "x-3"};
    for (unsigned i = 0; i < 3; i++) {
        unlinkat(dir, names[i], 0);
    }
    close(dir);
    return rmdir(folder); /* fails when a temporary file was left */
}

static void test_values(void **state)
{
    uint8_t in[1000], out[1000];
    memset(in, 3, sizeof in);
    assert_int_equal(hd_state_load(dir, "x", 3, out, sizeof out), HD_ENOENT);
    assert_int_equal(hd_state_save(dir, "x", 3, in, sizeof in, false), 0);
    assert_int_equal(hd_state_load(dir, "x", 3, out, sizeof out), sizeof in);
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(hd_state_save(dir, "x", 3, in, 5, true), 0); /* shorter replaces longer */
    assert_int_equal(hd_state_load(dir, "x", 3, out, sizeof out), 5);
    assert_int_equal(hd_state_load(dir, "x", 3, out, 4), HD_ELIMIT);
    struct stat st;
    assert_int_equal(fstatat(dir, "x-3", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_identity_stays(void **state)
{
    struct hd_id a, b, zero = {{0}};
    assert_int_equal(hd_state_identity(dir, &a), 0);
    assert_false(hd_id_is_zero(&a));
    assert_int_equal(hd_state_identity(dir, &b), 0);
    assert_true(hd_id_equal(&a, &b));
    /* A broken file is replaced, not believed. */
    assert_int_equal(hd_state_save(dir, "kira", 1, &zero, sizeof zero, true), 0);
    assert_int_equal(hd_state_identity(dir, &b), 0);
    assert_false(hd_id_is_zero(&b));
    assert_int_equal(hd_state_save(dir, "kira", 1, &a, 3, true), 0);
    assert_int_equal(hd_state_identity(dir, &b), 0);
    assert_false(hd_id_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_identity_stays, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

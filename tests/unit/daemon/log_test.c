/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: form, level, and the limit per cause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux/log.h"

static int saved_stderr, pipe_ends[2];
static char text[16384];

static void capture_begin(void)
{
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
}

static const char *capture_end(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    ssize_t n = read(pipe_ends[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return text;
}

static unsigned lines(const char *t)
{
    unsigned n = 0;
    for (; *t != '\0'; t++) {
        n += *t == '\n';
    }
    return n;
}

static void test_form(void **state)
{
    struct hd_log l;
    setenv("JOURNAL_STREAM", "1:2", 1);
    hd_log_init(&l, "router", HD_LOG_INFO);
    unsetenv("JOURNAL_STREAM");
    struct hd_fx_log e = {.level = HD_LOG_NOTICE, .nargs = 4, .cause = "neighbour-up"};
    struct hd_log_arg args[4] = {
        {.key = "node", .type = HD_ARG_ID, .u.id.b = {0xab}},
        {.key = "from", .type = HD_ARG_IP6, .u.ip6.b = {0xfe, 0x80, [15] = 9}},
        {.key = "after", .type = HD_ARG_TIME, .u.time_ns = HD_US(12345)},
        {.key = "count", .type = HD_ARG_UINT, .u.number = 7},
    };
    capture_begin();
    hd_log_effect(&l, "kira", &e, args);
    hd_log_line(&l, HD_LOG_DEBUG, "too-much", "a=%d", 1);
    assert_string_equal(capture_end(),
                        "level=notice role=router cause=neighbour-up core=kira "
                        "node=ab00000000000000000000000000 from=fe80::9 after=12.345ms count=7\n");
}

static void test_limit_per_cause(void **state)
{
    struct hd_log l;
    hd_log_init(&l, "router", HD_LOG_INFO);
    capture_begin();
    for (int i = 0; i < 100; i++) {
        hd_log_line(&l, HD_LOG_INFO, "flood", "i=%d", i);
    }
    hd_log_line(&l, HD_LOG_INFO, "calm", "i=%d", 1);
    const char *t = capture_end();
    assert_int_equal(lines(t), HD_LOG_BURST + 1);
    assert_non_null(strstr(t, "cause=calm i=1"));

    l.causes[0].full_at = 0; /* time goes by */
    capture_begin();
    hd_log_line(&l, HD_LOG_INFO, "flood", "i=%d", 100);
    hd_log_line(&l, HD_LOG_INFO, "flood", "i=%d", 101);
    t = capture_end();
    assert_non_null(strstr(t, "cause=flood suppressed=90 i=100"));
    assert_non_null(strstr(t, "cause=flood i=101"));
}

static void test_long_lines_are_cut(void **state)
{
    struct hd_log l;
    char *big = malloc(5000);
    memset(big, 'x', 4999);
    big[4999] = '\0';
    hd_log_init(&l, "router", HD_LOG_INFO);
    capture_begin();
    hd_log_line(&l, HD_LOG_INFO, "big", "%s", big);
    const char *t = capture_end();
    assert_int_equal(lines(t), 1);
    assert_in_range(strlen(t), 500, 1000);
    assert_int_equal(t[strlen(t) - 1], '\n');
    free(big);
}

/* A reader that stands still must not hold a real-time process. */
static void test_full_pipe(void **state)
{
    struct hd_log l;
    int size;
    hd_log_init(&l, "router", HD_LOG_INFO);
    capture_begin();
    assert_int_equal(fcntl(pipe_ends[1], F_SETFL, 0), 0); /* a write would wait */
    size = fcntl(pipe_ends[1], F_GETPIPE_SZ);
    for (int i = 0; i < size; i++) {
        assert_int_equal(write(pipe_ends[1], "x", 1), 1);
    }
    alarm(10); /* else for ever */
    hd_log_line(&l, HD_LOG_INFO, "one", "i=%d", 1);
    hd_log_line(&l, HD_LOG_INFO, "two", "i=%d", 2);
    alarm(0);
    for (int i = 0; i < size; i += (int)sizeof text) {
        assert_true(read(pipe_ends[0], text, sizeof text) > 0);
    }
    hd_log_line(&l, HD_LOG_INFO, "three", "i=%d", 3);
    hd_log_line(&l, HD_LOG_INFO, "four", "i=%d", 4);
    const char *t = capture_end();
    assert_int_equal(lines(t), 2);
    assert_non_null(strstr(t, "cause=three lost=2 i=3"));
    assert_non_null(strstr(t, "cause=four i=4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_limit_per_cause),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_full_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

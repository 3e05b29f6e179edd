/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: what fits the table arrives whole, and whatever does not is consumed and closes nothing
 * open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/channel.h"

static int ends[2];
static uint8_t *buffer;

static int setup(void **state)
{
    buffer = malloc(HD_CHANNEL_MAX);
    return buffer != NULL && hd_channel_pair(ends) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    close(ends[0]);
    if (ends[1] >= 0) {
        close(ends[1]);
    }
    free(buffer);
    return 0;
}

static unsigned open_descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n;
}

static int receive(struct hd_message *m)
{
    return hd_channel_receive(ends[1], buffer, HD_CHANNEL_MAX, m);
}

static void test_body_and_tail(void **state)
{
    uint8_t value[300];
    struct hd_msg_value v = {.core = 3, .key = 7};
    struct hd_message m;
    memset(value, 0x5a, sizeof value);
    assert_int_equal(receive(&m), 0);
    assert_int_equal(hd_channel_send(ends[0], HD_MSG_SAVE, &v, value, sizeof value), 0);
    assert_int_equal(receive(&m), 1);
    assert_int_equal(m.type, HD_MSG_SAVE);
    assert_int_equal(((const struct hd_msg_value *)m.body)->key, 7);
    assert_int_equal(m.tail_len, sizeof value);
    assert_memory_equal(m.tail, value, sizeof value);
    assert_int_equal((uintptr_t)m.tail % 8, 0); /* rows are read in place */
}

static void test_largest_tail(void **state)
{
    struct hd_msg_value v = {.core = 1, .key = 1};
    uint8_t *big = calloc(1, HD_CHANNEL_TAIL_MAX + 1);
    struct hd_message m;
    assert_int_equal(hd_channel_send(ends[0], HD_MSG_SAVED, &v, big, HD_CHANNEL_TAIL_MAX), 0);
    assert_int_equal(receive(&m), 1);
    assert_int_equal(m.tail_len, HD_CHANNEL_TAIL_MAX);
    assert_int_equal(hd_channel_send(ends[0], HD_MSG_SAVED, &v, big, HD_CHANNEL_TAIL_MAX + 1),
                     HD_EINVAL);
    free(big);
}

static void test_descriptors(void **state)
{
    struct hd_msg_peer p = {.role = HD_ROLE_ROUTER};
    struct hd_message m;
    unsigned before = open_descriptors();
    assert_int_equal(hd_channel_send_fds(ends[0], HD_MSG_PEER, &p, NULL, 0, &ends[0], 1), 0);
    assert_int_equal(receive(&m), 1);
    assert_int_equal(m.nfds, 1);
    assert_int_equal(fcntl(m.fds[0], F_GETFD), FD_CLOEXEC);
    hd_message_close(&m);
    assert_int_equal(open_descriptors(), before);
}

/* A PEER without its descriptor, a READY with one: refused, and nothing leaks. */
static void test_wrong_descriptors(void **state)
{
    struct hd_msg_peer p = {.role = HD_ROLE_ROUTER};
    struct hd_message m;
    unsigned before = open_descriptors();
    assert_int_equal(hd_channel_send(ends[0], HD_MSG_PEER, &p, NULL, 0), 0);
    assert_int_equal(receive(&m), HD_EMALFORMED);
    assert_int_equal(hd_channel_send_fds(ends[0], HD_MSG_READY, NULL, NULL, 0, &ends[0], 1), 0);
    assert_int_equal(receive(&m), HD_EMALFORMED);
    assert_int_equal(open_descriptors(), before);
}

/* Every length but the right one, every type outside the table. */
static void test_foreign_bytes(void **state)
{
    struct {
        uint16_t type, zero;
        uint32_t tail_len;
        uint8_t rest[256];
    } raw = {0};
    struct hd_message m;
    for (size_t len = 1; len <= sizeof raw; len++) {
        for (uint16_t type = 0; type < HD_MSG_TYPE_END + 3; type++) {
            raw.type = type;
            raw.tail_len = 1000; /* more than is there */
            assert_int_equal(write(ends[0], &raw, len), len);
            assert_int_equal(receive(&m), HD_EMALFORMED);
        }
    }
    raw.type = HD_MSG_STOP;
    raw.tail_len = 0;
    for (size_t len = 1; len <= 64; len++) {
        assert_int_equal(write(ends[0], &raw, len), len);
        assert_int_equal(receive(&m), len == 16 ? 1 : HD_EMALFORMED);
    }
    raw.zero = 1;
    assert_int_equal(write(ends[0], &raw, 16), 16);
    assert_int_equal(receive(&m), HD_EMALFORMED);
}

static void test_full_and_gone(void **state)
{
    struct hd_msg_value v = {.core = 1, .key = 1};
    uint8_t tail[4096] = {0};
    struct hd_message m;
    int error = 0;
    for (unsigned i = 0; i < 10000 && error == 0; i++) {
        error = hd_channel_send(ends[0], HD_MSG_SAVE, &v, tail, sizeof tail);
    }
    assert_int_equal(error, HD_EAGAIN);
    assert_int_equal(hd_channel_send_wait(ends[0], HD_MSG_SAVE, &v, tail, sizeof tail, 1),
                     HD_EAGAIN);
    while (receive(&m) == 1) {
    }
    close(ends[1]);
    ends[1] = -1;
    assert_int_equal(hd_channel_send(ends[0], HD_MSG_READY, NULL, NULL, 0), HD_ENOENT);
    assert_int_equal(hd_channel_receive(ends[0], buffer, HD_CHANNEL_MAX, &m), HD_ENOENT);
}

static void test_hello(void **state)
{
    struct hd_message m;
    struct hd_msg_hello other = {.role = HD_ROLE_ROUTER};
    assert_int_equal(hd_channel_hello(ends[0], HD_ROLE_SYSTEM), 0);
    assert_int_equal(receive(&m), 1);
    assert_int_equal(hd_channel_hello_check(&m), 0);
    assert_int_equal(((const struct hd_msg_hello *)m.body)->role, HD_ROLE_SYSTEM);
    memcpy(other.build_id, hd_build_id(), HD_BUILD_ID);
    other.build_id[3] ^= 1;
    assert_int_equal(hd_channel_send(ends[0], HD_MSG_HELLO, &other, NULL, 0), 0);
    assert_int_equal(receive(&m), 1);
    assert_int_equal(hd_channel_hello_check(&m), HD_EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_body_and_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_largest_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_and_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hello, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of rtnetlink that do not go as in the book, played by a kernel that is none: torn dumps,
 * what is left of an older answer, interrupted waiting, loss.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "lib/base.h"
#include "linux/fwd_device.h"
#include "linux/rtnl.h"

/* --- the kernel ----------------------------------------------------------------------------------
 */

enum way { WELL, TORN, OLDER_FIRST, INTERRUPTED, LOST, BREAKS_OFF, REFUSED };
static enum way first, then;     /* how it answers to the first request, and to all others */
static unsigned asked, received; /* requests; datagrams of the answer to the last of them */
static uint16_t type;
static uint32_t sequence, deleted;

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *s, const void *buffer, size_t len);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *s, void *buffer, size_t size);

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *s, const void *buffer, size_t len)
{
    const struct nlmsghdr *h = buffer;
    if (h->nlmsg_type == RTM_DELADDR) {
        deleted++;
    } else {
        asked++;
    }
    type = h->nlmsg_type;
    sequence = h->nlmsg_seq;
    received = 0;
    return (ssize_t)len;
}

static struct nlmsghdr *put(void *buffer, size_t *at, const struct mnl_socket *s, uint16_t what,
                            uint32_t number, uint16_t flags)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header((char *)buffer + *at);
    h->nlmsg_type = what;
    h->nlmsg_seq = number;
    h->nlmsg_pid = mnl_socket_get_portid(s);
    h->nlmsg_flags = flags;
    return h;
}

static void put_object(void *buffer, size_t *at, const struct mnl_socket *s, uint32_t number,
                       uint16_t flags)
{
    static const struct hd_ip6 address = {.b = {0xfc, [15] = 7}};
    bool link = type == RTM_GETLINK;
    struct nlmsghdr *h = put(buffer, at, s, link ? RTM_NEWLINK : RTM_NEWADDR, number,
                             (uint16_t)(NLM_F_MULTI | flags));
    if (link) {
        struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
        i->ifi_index = 5;
    } else {
        struct ifaddrmsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
        *i = (struct ifaddrmsg){.ifa_family = AF_INET6, .ifa_prefixlen = 64, .ifa_index = 5};
        mnl_attr_put(h, IFA_ADDRESS, sizeof address, &address);
    }
    *at += (size_t)MNL_ALIGN((int)h->nlmsg_len);
}

static void put_end(void *buffer, size_t *at, const struct mnl_socket *s, uint32_t number,
                    int error)
{
    uint16_t what = type == RTM_DELADDR || error != 0 ? NLMSG_ERROR : NLMSG_DONE;
    struct nlmsghdr *h = put(buffer, at, s, what, number, 0);
    struct nlmsgerr *e = mnl_nlmsg_put_extra_header(h, sizeof *e);
    e->error = error;
    *at += (size_t)MNL_ALIGN((int)h->nlmsg_len);
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *s, void *buffer, size_t size)
{
    enum way way = type == RTM_DELADDR ? WELL : asked == 1 ? first : then;
    size_t at = 0;

    assert_true(size > 4096);
    received++;
    if ((way == INTERRUPTED && received == 1) || way == LOST ||
        (way == BREAKS_OFF && received == 2)) {
        errno = way == INTERRUPTED ? EINTR : ENOBUFS;
        return -1;
    }
    if (way == OLDER_FIRST && received == 1) {
        put_object(buffer, &at, s, sequence + 77, 0);
        put_end(buffer, &at, s, sequence + 77, 0);
        return (ssize_t)at;
    }
    if (type != RTM_DELADDR && way != REFUSED) {
        put_object(buffer, &at, s, sequence, way == TORN ? NLM_F_DUMP_INTR : 0);
    }
    if (way != BREAKS_OFF) {
        put_end(buffer, &at, s, sequence, way == REFUSED ? -EPERM : 0);
    }
    return (ssize_t)at;
}

/* --- tests ---------------------------------------------------------------------------------------
 */

static unsigned seen;

static void see(void *user, const struct hd_link_facts *f)
{
    assert_int_equal(f->ifindex, 5);
    seen++;
}

static const struct hd_rtnl_sink sink = {.link = see};

static int dump(struct hd_rtnl *n, enum way a, enum way b)
{
    first = a;
    then = b;
    asked = seen = 0;
    return hd_rtnl_dump(n, HD_RTNL_LINKS, &sink);
}

static void test_dumps(void **state)
{
    static const struct {
        enum way first, then;
        int error;
        unsigned asked, seen;
    } rows[] = {
        {WELL, WELL, 0, 1, 1},        {TORN, WELL, 0, 2, 2},       {OLDER_FIRST, WELL, 0, 1, 1},
        {INTERRUPTED, WELL, 0, 1, 1}, {LOST, WELL, 0, 2, 1},       {BREAKS_OFF, WELL, 0, 2, 2},
        {TORN, TORN, HD_ESYS, 8, 8},  {LOST, LOST, HD_ESYS, 8, 0}, {REFUSED, WELL, HD_ESYS, 1, 0},
    };
    struct hd_rtnl n;
    assert_int_equal(hd_rtnl_open(&n), 0);
    for (unsigned i = 0; i < HD_ARRAY_LEN(rows); i++) {
        assert_int_equal(dump(&n, rows[i].first, rows[i].then), rows[i].error);
        assert_int_equal(asked, rows[i].asked);
        assert_int_equal(seen, rows[i].seen);
        assert_int_equal(dump(&n, WELL, WELL), 0); /* whatever it was, it is over */
    }
    hd_rtnl_close(&n);
}

static void test_reason_of_a_refusal(void **state)
{
    struct hd_rtnl n;
    assert_int_equal(hd_rtnl_open(&n), 0);
    assert_int_equal(dump(&n, REFUSED, REFUSED), HD_ESYS);
    assert_int_equal(errno, EPERM);
    hd_rtnl_close(&n);
}

/* What the set-up of kira0 asks: a torn dump tells the address twice, and it goes once. */
static void test_foreign_addresses_of_kira0(void **state)
{
    struct hd_ip6 own = {.b = {0xfc, [15] = 1}};
    first = TORN;
    then = WELL;
    asked = deleted = 0;
    assert_int_equal(hd_fwd_address_only(5, &own), 0);
    assert_int_equal(asked, 2);
    assert_int_equal(deleted, 1);
    then = TORN;
    asked = 0;
    assert_int_equal(hd_fwd_address_only(5, &own), HD_ESYS);
    assert_int_equal(asked, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dumps),
        cmocka_unit_test(test_reason_of_a_refusal),
        cmocka_unit_test(test_foreign_addresses_of_kira0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

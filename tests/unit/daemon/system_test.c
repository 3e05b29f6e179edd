/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system role towards the router: no news get lost in a full channel, and no port that others
 * hold keeps it from hearing of carriers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/system.h"
#include "lib/base.h"
#include "router/router.h"

/* --- what the parts under test need of the others ------------------------------------------------
 */

void hd_system_begin_anew(struct hd_system *s, bool keep, const char *cause)
{
}
void hd_system_flush_mtu_routes(struct hd_system *s)
{
}
void hd_system_virtual(struct hd_system *s, const struct hd_msg_virtual *m)
{
}
void hd_system_virtuals_tell(struct hd_system *s)
{
}

/* --- a system and the router's end of its channel ------------------------------------------------
 */

static struct hd_interface interfaces[2];
static int router;

static int set_up(void **state)
{
    struct hd_system *s = calloc(1, sizeof *s);
    int ends[2];
    assert_non_null(s);
    assert_int_equal(hd_channel_pair(ends), 0);
    router = ends[1];
    s->buffer = malloc(HD_CHANNEL_MAX);
    s->options.core = HD_CORE_KIRA;
    s->icmp = -1;
    s->reconcile_at = HD_NEVER;
    s->router_source.fd = ends[0];
    s->interfaces.v = interfaces;
    s->interfaces.len = 2;
    for (unsigned i = 0; i < 2; i++) {
        snprintf(interfaces[i].told.name, sizeof interfaces[i].told.name, "eth%u", i);
        interfaces[i].told.ifindex = 2 + i;
    }
    hd_log_init(&s->log, "system", -1);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct hd_system *s = *state;
    close(router);
    close(s->router_source.fd);
    free(s->buffer);
    free(s);
    return 0;
}

/* How many records of a type wait; takes all out. */
static unsigned take(struct hd_system *s, enum hd_message_type type)
{
    struct hd_message m;
    unsigned n = 0;
    while (hd_channel_receive(router, s->buffer, HD_CHANNEL_MAX, &m) == 1) {
        n += m.type == type;
        hd_message_close(&m);
    }
    return n;
}

static void test_missed_news_are_told_anew(void **state)
{
    struct hd_system *s = *state;
    struct hd_msg_interface filler = {.interface = interfaces[0].told};
    while (hd_channel_send(s->router_source.fd, HD_MSG_INTERFACE, &filler, NULL, 0) == 0) {
    }
    hd_system_router_tell_missed(s); /* nothing was */
    assert_false(s->untold);
    hd_system_router_tell_interface(s, &interfaces[1].told);
    assert_true(s->untold);
    assert_true(s->reconcile_at < HD_NEVER); /* a look is to come */

    (void)take(s, HD_MSG_INTERFACE);
    hd_system_router_tell_interface(s, &interfaces[1].told);
    assert_int_equal(take(s, HD_MSG_INTERFACE), 0); /* first everything else */
    hd_system_router_tell_missed(s);
    assert_false(s->untold);
    assert_int_equal(take(s, HD_MSG_INTERFACE), 2);
    hd_system_router_tell_missed(s);
    assert_int_equal(take(s, HD_MSG_SYNCED), 0); /* once is enough */
}

static void test_an_account_that_did_not_fit_is_repeated(void **state)
{
    struct hd_system *s = *state;
    struct hd_msg_interface filler = {.interface = interfaces[0].told};
    while (hd_channel_send(s->router_source.fd, HD_MSG_INTERFACE, &filler, NULL, 0) == 0) {
    }
    s->untold = true;
    hd_system_router_tell_missed(s);
    assert_true(s->untold);
    (void)take(s, HD_MSG_INTERFACE);
    hd_system_router_tell_missed(s);
    assert_false(s->untold);
    assert_int_equal(take(s, HD_MSG_SYNCED), 1);
}

/* How long it takes to ask for a port that is held; the answer must be that. */
static hd_time ask_for(struct hd_system *s, uint16_t core, uint16_t number)
{
    struct hd_msg_port asked = {.core = core,
                                .port = {.port = 1, .kind = HD_PORT_UDP, .number = number}};
    struct hd_message m;
    hd_time before = hd_clock_now(), took;
    hd_system_port_open(s, &asked);
    took = hd_clock_now() - before;
    assert_int_equal(hd_channel_receive(router, s->buffer, HD_CHANNEL_MAX, &m), 1);
    assert_int_equal(m.type, HD_MSG_PORT);
    assert_int_equal(((const struct hd_msg_port_opened *)m.body)->error, HD_EEXIST);
    return took;
}

static void test_patience_is_for_the_main_core(void **state)
{
    struct hd_system *s = *state;
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t size = sizeof a;
    int other = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(other, (struct sockaddr *)&a, size), 0);
    assert_int_equal(getsockname(other, (struct sockaddr *)&a, &size), 0);
    assert_true(ask_for(s, HD_CORE_BFD, ntohs(a.sin_port)) < HD_MS(500));
    assert_true(ask_for(s, HD_CORE_KIRA, ntohs(a.sin_port)) >= HD_SEC(1));
    close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_missed_news_are_told_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_account_that_did_not_fit_is_repeated, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_patience_is_for_the_main_core, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

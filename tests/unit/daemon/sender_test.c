/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the thread that sends does with a router process that asks for too much: single packets
 * leave at a bounded rate, and the rest waits; a bell that never stops does not keep it awake. The
 * sockets here cannot send: each packet that leaves the queue is a failure that is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/event_loop.h"
#include "linux/sender.h"

struct rig {
    struct hd_sender_table *table;
    struct hd_sender *sender;
    int fds[2];
};

static int begin(void **state)
{
    static struct rig g;
    int fd = hd_sender_table_make();

    *state = &g;
    g.table = fd >= 0 ? hd_sender_table_map(fd) : NULL;
    assert_non_null(g.table);
    close(fd);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, g.fds), 0);
    assert_int_equal(hd_sender_start(&g.sender, g.table, g.fds), 0);
    return 0;
}

static int end(void **state)
{
    struct rig *g = *state;

    hd_sender_stop(g->sender);
    hd_sender_table_unmap(g->table);
    close(g->fds[0]);
    close(g->fds[1]);
    return 0;
}

/* A session that sends nothing by itself. */
static void make_slot(struct rig *g)
{
    struct hd_periodic_value v = {.from_port = 49152,
                                  .to_port = 3784,
                                  .hop_limit = 255,
                                  .jitter_from = 75,
                                  .jitter_to = 100,
                                  .len = 24,
                                  .lease_ns = HD_SEC(1)};

    memcpy(v.to.b, (uint8_t[16]){[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}, 16);
    hd_sender_set(g->table, 1, &v);
}

static uint64_t left(const struct rig *g)
{
    return atomic_load(&g->table->slots[1].failed) + atomic_load(&g->table->slots[1].sent);
}

static void nap(hd_time ns)
{
    struct timespec t = {.tv_sec = ns / HD_SEC(1), .tv_nsec = ns % HD_SEC(1)};
    nanosleep(&t, NULL);
}

static void single_packets_have_a_rate(void **state)
{
    struct rig *g = *state;
    uint8_t bytes[24] = {0};
    uint64_t given = 0;

    make_slot(g);
    nap(HD_MS(20));
    hd_time from = hd_clock_now();
    while (hd_clock_now() - from < HD_MS(200)) {
        if (hd_sender_once(g->table, 1, bytes, sizeof bytes) == 0)
            given++;
        else
            nap(HD_US(100));
    }
    hd_time took = hd_clock_now() - from;
    uint64_t most = HD_SENDER_ONCE + (uint64_t)(took / HD_MS(1) + 2) * HD_SENDER_ONCE_PER_MS;
    assert_true(left(g) >= HD_SENDER_ONCE); /* a whole queue leaves at once */
    assert_true(left(g) <= most);
    assert_true(given > left(g)); /* and the rest waits */
    for (unsigned i = 0; i < 100 && left(g) < given; i++)
        nap(HD_MS(20));
    assert_int_equal(left(g), given); /* until it has left, too */
}

/* CPU time of the thread, which is the other one of this process. */
static hd_time used_by_thread(void)
{
    char path[64];
    DIR *d = opendir("/proc/self/task");
    hd_time used = -1;

    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        unsigned long long ns;
        if (e->d_name[0] == '.' || atoi(e->d_name) == (int)getpid())
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", atoi(e->d_name));
        FILE *f = fopen(path, "r");
        if (f != NULL && fscanf(f, "%llu", &ns) == 1)
            used = (hd_time)ns;
        if (f != NULL)
            fclose(f);
    }
    closedir(d);
    return used;
}

static void a_bell_does_not_keep_it_awake(void **state)
{
    struct rig *g = *state;

    make_slot(g);
    nap(HD_MS(20));
    hd_time before = used_by_thread(), from = hd_clock_now();
    if (before < 0)
        skip();
    while (hd_clock_now() - from < HD_MS(200))
        hd_sender_del(g->table, 2);
    assert_true(used_by_thread() - before < HD_MS(120));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(single_packets_have_a_rate, begin, end),
        cmocka_unit_test_setup_teardown(a_bell_does_not_keep_it_awake, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

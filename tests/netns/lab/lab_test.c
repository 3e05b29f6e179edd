/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labs on real namespaces: what `up` makes, every fault and its undoing, the wire's delays and
 * losses, daemons killed with all their processes, and that `down` leaves nothing. Needs root; the
 * daemon is a shell script here.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "lab/internal.h"
#include "lab/traffic.h"
#include "lib/base.h"

static char err[HD_LAB_ERROR];
static char name[HD_LAB_NAME_MAX];
static struct hd_lab *lab;

static void check(int rc)
{
    if (rc < 0)
        fail_msg("%s", err);
}

static void up(const char *generator, const struct hd_lab_options *o)
{
    struct hd_scenario *s;
    int rc = hd_scenario_open(generator, 1, &s, err, sizeof err);

    check(rc);
    rc = hd_lab_up(s, o, &lab, err);
    hd_scenario_free(s);
    check(rc);
}

static void up_plain(const char *generator)
{
    const struct hd_lab_options o = {.name = name, .no_daemon = true};

    up(generator, &o);
}

static void down(void)
{
    check(hd_lab_down(lab));
    hd_lab_close(lab);
    lab = NULL;
}

/* After every test: nothing is left, whatever the test did. */
static int teardown(void **state)
{
    if (lab == NULL && hd_lab_open(name, &lab, err) < 0)
        return 0;
    int rc = hd_lab_down(lab);

    hd_lab_close(lab);
    lab = NULL;
    return rc;
}

static int run(const char *node, const char *command)
{
    char *argv[] = {"sh", "-c", (char *)command, NULL};
    uint32_t i = hd_lab_find_node(lab, node);

    assert_int_not_equal(i, HD_SCENARIO_NONE);
    int rc = hd_lab_exec(lab, i, argv);

    check(rc);
    return rc;
}

static uint32_t link_between(const char *a, const char *b)
{
    uint32_t l = hd_lab_find_link(lab, hd_lab_find_node(lab, a), hd_lab_find_node(lab, b), 0);

    assert_int_not_equal(l, HD_SCENARIO_NONE);
    return l;
}

/* Does a's neighbour b answer over their link? By its link-local address, which b knows. */
static bool answers(const char *a, const char *b)
{
    const struct hd_lab_link *l = &lab->links[link_between(a, b)];
    unsigned at_a = strcmp(lab->nodes[l->node[0]].name, a) == 0 ? 0 : 1;
    char command[256];

    snprintf(command, sizeof command,
             "ping -6 -q -c 3 -i 0.02 -W 1 fe80::1d:ff:fe%02x:%x%%%s >/dev/null 2>&1",
             (unsigned)(l - lab->links) >> 8,
             ((unsigned)(l - lab->links) << 8 | (2 - at_a)) & 0xffff, l->ifname[at_a]);
    return run(a, command) == 0;
}

static void assert_link(uint32_t link, enum hd_lab_link_state want, bool carrier_a, bool carrier_b)
{
    enum hd_lab_link_state got;
    bool carrier[2];

    check(hd_lab_link_state(lab, link, &got, carrier));
    assert_int_equal(got, want);
    assert_int_equal(carrier[0], carrier_a);
    assert_int_equal(carrier[1], carrier_b);
}

static void test_grid(void **state)
{
    up_plain("grid:3x3");
    assert_int_equal(lab->node_count, 9);
    assert_int_equal(lab->link_count, 12);
    for (uint32_t i = 0; i < lab->link_count; i++)
        assert_link(i, HD_LAB_LINK_UP, true, true);
    assert_true(answers("n0", "n1"));
    assert_true(answers("n8", "n5"));
    assert_int_equal(run("n4", "test $(ls /sys/class/net | wc -l) -gt 0"), 0);
    assert_int_equal(run("n4", "test $(ip -o link | grep -c ' to-n') -eq 4"), 0);
    assert_int_equal(run("n4", "ip -o -6 addr | grep -q tentative"), 1);
    assert_int_equal(run("n4", "exit 7"), 7);
    down();
}

/* Nothing of a lab is there: no namespace, no file of the registry. */
static void test_down_leaves_nothing(void **state)
{
    char path[PATH_MAX], command[512];

    up_plain("line:3");
    hd_lab_registry_path(lab, "", path);
    assert_int_equal(run("n1", "(sleep 600 >/dev/null 2>&1 &)"), 0);
    assert_int_equal(hd_lab_procs_signal(lab, 1, 0, 0), 1);
    down();
    assert_int_not_equal(access(path, F_OK), 0);
    snprintf(command, sizeof command, "ls /run/netns 2>/dev/null | grep -q heddle-%s-", name);
    assert_int_not_equal(system(command), 0);
    assert_true(hd_lab_open(name, &lab, err) < 0);
}

static void test_cut(void **state)
{
    up_plain("line:2");
    check(hd_lab_cut(lab, 0, HD_LAB_B, false));
    assert_link(0, HD_LAB_LINK_CUT, false, false);
    assert_int_equal(run("n0", "ip -o link show to-n1 | grep -q '<.*NO-CARRIER.*UP'"), 0);
    assert_int_equal(run("n1", "ip -o link show to-n0 | grep -q ',UP'"), 1);
    assert_false(answers("n0", "n1"));
    check(hd_lab_heal(lab, 0));
    assert_link(0, HD_LAB_LINK_UP, true, true);
    assert_true(answers("n0", "n1"));
    down();
}

static void test_silent(void **state)
{
    up_plain("line:3");
    assert_true(answers("n0", "n1"));
    check(hd_lab_cut(lab, 0, HD_LAB_A, true));
    check(hd_lab_cut(lab, 0, HD_LAB_A, true)); /* twice is once */
    assert_link(0, HD_LAB_LINK_SILENT, true, true);
    assert_false(answers("n0", "n1"));
    assert_false(answers("n1", "n0"));
    assert_true(answers("n1", "n2"));
    check(hd_lab_heal(lab, 0));
    assert_link(0, HD_LAB_LINK_UP, true, true);
    assert_true(answers("n0", "n1"));
    assert_int_equal(run("n0", "tc qdisc show dev to-n1 | grep -q clsact"), 1);
    down();
}

/* On a kernel without tcx: a filter in a clsact that may be somebody else's. */
static void test_silent_clsact(void **state)
{
    up_plain("line:2");
    check(hd_lab_enter(lab, 0));
    int rc = hd_lab_drop_set("to-n1", HD_LAB_DROP_CLSACT);
    hd_lab_leave(lab);
    assert_int_equal(rc, 0);
    assert_link(0, HD_LAB_LINK_SILENT, true, true);
    assert_false(answers("n0", "n1"));
    check(hd_lab_heal(lab, 0));
    assert_true(answers("n0", "n1"));
    assert_int_equal(run("n0", "tc filter show dev to-n1 ingress | grep -q ."), 1);
    down();
}

/* --- the wire ------------------------------------------------------------------------------------
 */

static char folder[64];

static const char *write_file(const char *file, const char *text)
{
    static char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, file);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static const char wired[] =
    "{\"nodes\": [\"a\", \"b\"], \"links\": [{\"a\": \"a\", \"b\": \"b\", \"delay_ms\": 3}]}";

static void add_addresses(void)
{
    assert_int_equal(run("a", "ip -6 addr add fd00::a/64 dev to-b nodad"), 0);
    assert_int_equal(run("b", "ip -6 addr add fd00::b/64 dev to-a nodad"), 0);
}

static struct hd_lab_flow flow(const char *to, hd_time interval, hd_time duration)
{
    struct in6_addr address;
    const struct hd_lab_flow_options o = {.from = 0,
                                          .to = 1,
                                          .address = &address,
                                          .interval_ns = interval,
                                          .duration_ns = duration,
                                          .size = 100};
    struct hd_lab_flow f;

    assert_int_equal(inet_pton(AF_INET6, to, &address), 1);
    check(hd_lab_flow(lab, &o, &f));
    return f;
}

/* A flow whose sender stays on one processor: a veth does not keep the order of two (wire.c). */
static struct hd_lab_flow flow_in_order(const char *to, hd_time interval, hd_time duration)
{
    int cpu = sched_getcpu();
    cpu_set_t before, one;

    assert_true(cpu >= 0 && cpu < CPU_SETSIZE);
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    struct hd_lab_flow f = flow(to, interval, duration);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    return f;
}

static void test_wire_delay(void **state)
{
    up_plain(write_file("wired.json", wired));
    assert_true(lab->links[0].wired);
    add_addresses();
    struct hd_lab_flow f = flow_in_order("fd00::b", HD_MS(1), HD_MS(300));

    assert_int_equal(f.sent, 300);
    assert_int_equal(f.received, 300);
    assert_int_equal(f.reordered + f.duplicates, 0);
    assert_true(f.delay_min_ns >= HD_MS(3));
    assert_true(f.delay_sum_ns / 300 < HD_MS(6));
    check(hd_lab_cut(lab, 0, HD_LAB_A, false));
    assert_link(0, HD_LAB_LINK_CUT, false, false);
    check(hd_lab_heal(lab, 0));
    assert_link(0, HD_LAB_LINK_UP, true, true);
    assert_true(run("a", "ping -6 -q -c 1 -W 1 ff02::1%to-b >/dev/null") == 0);
    down();
}

static void test_wire_loss(void **state)
{
    struct hd_scenario_link v = {.loss_ppm = 250000, .duplicate_ppm = 100000};

    up_plain(write_file("wired.json", wired));
    add_addresses();
    (void)flow("fd00::b", HD_MS(1), HD_MS(20)); /* neighbours know each other */
    check(hd_lab_change(lab, 0, HD_SCENARIO_F_LOSS | HD_SCENARIO_F_DUPLICATE, &v));
    struct hd_lab_flow f = flow("fd00::b", HD_US(500), HD_MS(1000));

    assert_int_equal(f.sent, 2000);
    assert_in_range(f.received, 1350, 1650);
    assert_in_range(f.duplicates, 80, 230);
    v = (struct hd_scenario_link){.delay_ns = HD_MS(1), .jitter_ns = HD_MS(4)};
    check(hd_lab_change(lab, 0,
                        HD_SCENARIO_F_LOSS | HD_SCENARIO_F_DUPLICATE | HD_SCENARIO_F_DELAY |
                            HD_SCENARIO_F_JITTER,
                        &v));
    f = flow("fd00::b", HD_US(500), HD_MS(400));
    assert_int_equal(f.received, 800);
    assert_true(f.reordered > 20);
    assert_int_equal(hd_lab_change(lab, 0, HD_SCENARIO_F_MTU, &v), HD_EUNSUPPORTED);
    down();
}

/* Frames of TCP with segmentation offload must come out of the wire whole and with checksums. */
static void test_wire_tcp(void **state)
{
    up_plain(write_file("wired.json", wired));
    add_addresses();
    if (system("command -v iperf3 >/dev/null") == 0) {
        assert_int_equal(run("b", "iperf3 -s -1 -D >/dev/null 2>&1; sleep 0.3"), 0);
        assert_int_equal(run("a", "timeout 20 iperf3 -6 -c fd00::b -n 8M -C cubic >/dev/null 2>&1"),
                         0);
    } else {
        skip();
    }
    down();
}

static void test_rate(void **state)
{
    const char *path =
        write_file("rate.json", "{\"nodes\": [\"a\", \"b\"], \"links\": [{\"a\": \"a\","
                                "\"b\": \"b\", \"rate_bps\": \"8M\"}]}");
    struct hd_scenario_link v = {.rate_bps = 0};

    up_plain(path);
    assert_false(lab->links[0].wired);
    add_addresses();
    assert_int_equal(run("a", "tc qdisc show dev to-b | grep -q 'tbf.*rate 8Mbit'"), 0);
    assert_int_equal(hd_lab_change(lab, 0, HD_SCENARIO_F_LOSS, &v), HD_EUNSUPPORTED);
    /* 100 + 62 bytes of each packet, 5000 per second: 6.5 Mbit/s pass, twice of that does not. */
    assert_int_equal(flow("fd00::b", HD_US(200), HD_MS(400)).received, 2000);
    struct hd_lab_flow f = flow("fd00::b", HD_US(80), HD_MS(400));

    assert_in_range(f.received, 2000, 4000);
    check(hd_lab_change(lab, 0, HD_SCENARIO_F_RATE, &v));
    assert_int_equal(flow("fd00::b", HD_US(80), HD_MS(400)).received, 5000);
    down();
}

/* --- measurements --------------------------------------------------------------------------------
 */

static hd_time monotonic(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return HD_SEC((hd_time)t.tv_sec) + t.tv_nsec;
}

static void test_flow_gap(void **state)
{
    const char *path =
        write_file("plain.json", "{\"nodes\": [\"a\", \"b\"], \"links\": [[\"a\", \"b\"]]}");

    /* When the child began and ended either: on a busy machine not when it was meant to. */
    struct {
        hd_time cut[2], heal[2];
    } *did = mmap(NULL, sizeof *did, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const hd_time slack = HD_MS(30);

    assert_true(did != MAP_FAILED);
    up_plain(path);
    add_addresses();
    (void)flow("fd00::b", HD_MS(1), HD_MS(20));
    hd_time began = monotonic();
    pid_t pid = fork();

    if (pid == 0) {
        usleep(200000);
        did->cut[0] = monotonic();
        int rc = hd_lab_cut(lab, 0, HD_LAB_A, true);
        did->cut[1] = monotonic();
        usleep(150000);
        did->heal[0] = monotonic();
        rc |= hd_lab_heal(lab, 0);
        did->heal[1] = monotonic();
        _exit(rc < 0);
    }
    struct hd_lab_flow f = flow("fd00::b", HD_MS(1), HD_MS(900));
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    hd_time least = did->heal[0] - did->cut[1], most = did->heal[1] - did->cut[0];
    assert_in_range(f.longest_gap_ns, least - slack, most + slack);
    assert_in_range(f.gap_at_ns, did->cut[0] - began - slack, did->cut[1] - began + slack);
    assert_in_range(f.sent - f.received, least / HD_MS(1) * 8 / 10, most / HD_MS(1) + 30);
    munmap(did, sizeof *did);
    down();
}

static void test_reach(void **state)
{
    const char *path = write_file("plain.json", "{\"nodes\": [\"a\", \"b\", \"c\"], \"links\": "
                                                "[[\"a\", \"b\"], [\"b\", \"c\"]]}");
    char file[128];
    struct hd_lab_reach r;

    up_plain(path);
    add_addresses();
    assert_int_equal(run("c", "ip -6 addr add fd01::c/64 dev to-b nodad"), 0);
    snprintf(file, sizeof file, "%s", write_file("two", "a fd00::a\nb fd00::b\n"));
    check(hd_lab_reach(lab, file, 0, 1, HD_SEC(2), &r));
    assert_int_equal(r.count, 2);
    assert_int_equal(r.reached, 2);
    assert_true(r.took_ns < HD_SEC(1));
    hd_lab_reach_free(&r);
    snprintf(file, sizeof file, "%s", write_file("three", "a fd00::a\nb fd00::b\nc fd01::c\n"));
    check(hd_lab_reach(lab, file, 0, 1, HD_MS(200), &r));
    assert_int_equal(r.count, 6);
    assert_int_equal(r.reached, 2);
    for (uint32_t i = 0; i < r.count; i++)
        assert_int_equal(r.pairs[i].answered_ns != 0, r.pairs[i].from != 2 && r.pairs[i].to != 2);
    hd_lab_reach_free(&r);
    assert_true(hd_lab_reach(lab, write_file("bad", "x fd00::a\n"), 0, 1, 1, &r) < 0);
    assert_int_equal(hd_lab_reach(lab, NULL, 0, 1, 1, &r), HD_ENOENT);
    down();
}

/* --- daemons -------------------------------------------------------------------------------------
 */

/* Three processes, as heddled has; writes its arguments; says goodbye when asked. */
static const char fake[] = "#!/bin/sh\nip -o link > $3/links\necho \"$@\" > $3/arguments\n"
                           "trap 'echo bye > '$3'/bye; exit 0' TERM\n"
                           "sleep 600 & (sleep 600 & sleep 600) & wait\n";

static void up_with_daemons(char *const *args)
{
    char path[128];
    struct hd_lab_options o = {.name = name, .state_dir = folder, .heddled = path, .args = args};

    snprintf(path, sizeof path, "%s", write_file("fake-heddled", fake));
    assert_int_equal(chmod(path, 0755), 0);
    up("line:3", &o);
}

static bool file_says(const char *node, const char *file, const char *word)
{
    char command[PATH_MAX + 256];

    snprintf(command, sizeof command, "grep -q -e '%s' %s/%s/%s 2>/dev/null", word, lab->dir, node,
             file);
    return system(command) == 0;
}

static void test_daemons(void **state)
{
    char *args[] = {"--log-level", "debug", NULL};

    up_with_daemons(args);
    usleep(300000);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_not_equal(hd_lab_pid(lab, i), 0);
    assert_true(
        file_says("n1", "arguments", "--foreground --state .*/n1 --open --log-level debug"));
    assert_true(file_says("n1", "links", "to-n0"));
    assert_true(hd_lab_procs_signal(lab, 1, hd_lab_pid(lab, 1), 0) >= 3);
    assert_int_equal(hd_lab_start(lab, 1), HD_EEXIST);
    pid_t old = hd_lab_pid(lab, 1);

    check(hd_lab_kill(lab, 1));
    assert_int_equal(hd_lab_pid(lab, 1), 0);
    assert_int_equal(hd_lab_procs_signal(lab, 1, 0, 0), 0);
    assert_int_equal(hd_lab_kill(lab, 1), HD_ENOENT);
    assert_false(file_says("n1", "bye", "bye"));
    check(hd_lab_start(lab, 1));
    usleep(200000);
    assert_int_not_equal(hd_lab_pid(lab, 1), 0);
    assert_int_not_equal(hd_lab_pid(lab, 1), old);
    check(hd_lab_stop(lab, 1));
    assert_true(file_says("n1", "bye", "bye"));
    assert_int_equal(hd_lab_pid(lab, 1), 0);
    down();
}

/* Opened again by name, as the next command of the program does. */
static void test_open(void **state)
{
    up_with_daemons(NULL);
    pid_t pid = hd_lab_pid(lab, 2);

    hd_lab_close(lab);
    check(hd_lab_open(name, &lab, err));
    assert_int_equal(lab->link_count, 2);
    assert_int_equal(hd_lab_pid(lab, 2), pid);
    assert_string_equal(lab->links[0].ifname[0], "to-n1");
    down();
    assert_int_equal(access(folder, F_OK), 0); /* it holds a file of the caller's */
}

static void test_failures(void **state)
{
    struct hd_lab_options o = {.name = name, .heddled = "/nowhere/heddled"};
    struct hd_scenario *s;
    char path[PATH_MAX];

    check(hd_scenario_generate("line:2", 1, &s, err, sizeof err));
    assert_int_equal(hd_lab_up(s, &o, &lab, err), HD_ENOENT);
    o = (struct hd_lab_options){.name = name,
                                .heddled = write_file("fake-heddled", "no program\n")};
    chmod(o.heddled, 0755);
    assert_true(hd_lab_up(s, &o, &lab, err) < 0); /* exec format error: all is undone */
    assert_non_null(strstr(err, "Exec format"));
    snprintf(path, sizeof path, HD_LAB_REGISTRY "/%s", name);
    assert_int_not_equal(access(path, F_OK), 0);
    o = (struct hd_lab_options){.name = "../x", .no_daemon = true};
    assert_int_equal(hd_lab_up(s, &o, &lab, err), HD_EINVAL);
    o = (struct hd_lab_options){.name = name, .state_dir = folder, .no_daemon = true};
    snprintf(path, sizeof path, "%s/n1", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(hd_lab_up(s, &o, &lab, err), HD_EEXIST); /* somebody's folder stays */
    assert_int_equal(rmdir(path), 0);
    o = (struct hd_lab_options){.name = name, .no_daemon = true};
    check(hd_lab_up(s, &o, &lab, err));
    struct hd_lab *second;

    assert_int_equal(hd_lab_up(s, &o, &second, err), HD_EEXIST);
    assert_true(answers("n0", "n1")); /* the first one is unharmed */
    hd_scenario_free(s);
    down();
}

/* Names too long for an interface, parallel links. */
static void test_names(void **state)
{
    const char *path = write_file(
        "names.json", "{\"nodes\": [\"a\", \"a-very-long-name-1\", \"a-very-long-name-2\"],"
                      "\"links\": [[\"a\", \"a-very-long-name-1\"], "
                      "[\"a\", \"a-very-long-name-2\"], [\"a-very-long-name-1\", \"a\"]]}");

    up_plain(path);
    assert_string_equal(lab->links[0].ifname[0], "to-a-very-long-");
    assert_string_equal(lab->links[1].ifname[0], "to-a-very-lon~2");
    assert_string_equal(lab->links[2].ifname[1], "to-a-very-lon~3");
    assert_string_equal(lab->links[2].ifname[0], "to-a~2");
    assert_true(answers("a", "a-very-long-name-2"));
    down();
}

static void test_play(void **state)
{
    static const char text[] =
        "{\"topology\": {\"generator\": \"ring:3\"}, \"schedule\": ["
        "{\"at_ms\": 20, \"action\": \"silent\", \"target\": [\"n0\", \"n1\"]},"
        "{\"at_ms\": 40, \"action\": \"cut\", \"target\": [\"n1\", \"n2\"]},"
        "{\"at_ms\": 60, \"action\": \"heal\", \"target\": [\"n0\", \"n1\"]}]}";
    struct hd_scenario *s;

    check(hd_scenario_load(write_file("play.json", text), &s, err, sizeof err));
    const struct hd_lab_options o = {.name = name, .no_daemon = true};

    check(hd_lab_up(s, &o, &lab, err));
    check(hd_lab_play(lab, s));
    hd_scenario_free(s);
    assert_link(link_between("n0", "n1"), HD_LAB_LINK_UP, true, true);
    assert_link(link_between("n1", "n2"), HD_LAB_LINK_CUT, false, false);
    down();
}

static int make_folder(void **state)
{
    snprintf(name, sizeof name, "labtest%d", (int)getpid());
    strcpy(folder, "/tmp/heddle-lab-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

/* A name runs this one alone. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_grid),          TEST(test_down_leaves_nothing),
        TEST(test_cut),           TEST(test_silent),
        TEST(test_silent_clsact), TEST(test_wire_delay),
        TEST(test_wire_loss),     TEST(test_wire_tcp),
        TEST(test_rate),          TEST(test_flow_gap),
        TEST(test_reach),         TEST(test_daemons),
        TEST(test_open),          TEST(test_failures),
        TEST(test_names),         TEST(test_play),
    };

    if (geteuid() != 0) {
        printf("labs need root: skipped\n");
        return 77;
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

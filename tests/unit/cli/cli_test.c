/* SPDX-License-Identifier: Apache-2.0 */
/* The program heddle against the bench: what it prints, says and returns. HEDDLE names it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "daemon/channel.h"

static struct bench bench;

struct result {
    int status;
    char out[1 << 20], err[8192];
};

static struct result r;

static size_t slurp(FILE *f, char *buf, size_t size)
{
    size_t n = fread(buf, 1, size - 1, f);

    buf[n] = '\0';
    return n;
}

/* Runs `heddle ARGS` by the shell, state folder of the bench given. */
static void heddle(const char *args)
{
    char command[1024], err_path[128];
    FILE *f;

    snprintf(err_path, sizeof err_path, "%s/stderr", bench.dir);
    snprintf(command, sizeof command, HEDDLE " --state %s %s 2>%s", bench.dir, args, err_path);
    f = popen(command, "r");
    assert_non_null(f);
    slurp(f, r.out, sizeof r.out);
    r.status = WEXITSTATUS(pclose(f));
    f = fopen(err_path, "r");
    slurp(f, r.err, sizeof r.err);
    fclose(f);
    unlink(err_path);
}

/* The one JSON document that was printed. */
static json_t *document(void)
{
    json_error_t e;
    json_t *o = json_loads(r.out, 0, &e);

    if (!o)
        fail_msg("%s in: %s", e.text, r.out);
    assert_string_equal(r.err, "");
    return o;
}

static void expect_in(const char *where, const char *what)
{
    if (!strstr(where, what))
        fail_msg("\"%s\" is not in: %s", what, where);
}

static void expect_code(const char *args, const char *code, int status)
{
    json_t *o;

    heddle(args);
    o = document();
    assert_string_equal(json_string_value(json_object_get(json_object_get(o, "error"), "code")),
                        code);
    assert_int_equal(r.status, status);
    json_decref(o);
}

static int start(void **state)
{
    (void)state;
    bench_start(&bench);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bench_stop(&bench);
    return 0;
}

static void status_in_both_forms(void **state)
{
    json_t *o;

    (void)state;
    heddle("status -j");
    assert_int_equal(r.status, 0);
    o = document();
    assert_string_equal(json_string_value(json_object_get(o, "state")), "joined");
    assert_string_equal(json_string_value(json_object_get(o, "node-id")),
                        "1011000000000000000000000001");
    assert_string_equal(json_string_value(json_object_get(o, "address")), "fc00:1011::1");
    assert_int_equal(json_integer_value(json_object_get(o, "neighbours")), 2);
    json_decref(o);
    heddle("status");
    assert_int_equal(r.status, 0);
    expect_in(r.out, "State       joined; up 1 min 30 s");
    expect_in(r.out, "Fabric      OPEN");
    expect_in(r.out, "Address     fc00:1011::1\n");
    expect_in(r.out, "Interfaces  eth1\n");
    expect_in(r.out, "eth0: carries the default route (--interface eth0 includes it)\n");
    expect_in(r.out, "Data plane  ebpf: transit tc\n");
    expect_in(r.out, "(restarted 2 times)");
    assert_null(strchr(r.out, '\033')); /* no terminal, no colour */
}

static void lists_in_both_forms(void **state)
{
    json_t *o;

    (void)state;
    heddle("contacts -j");
    o = document();
    assert_int_equal(json_array_size(json_object_get(o, "contacts")), BENCH_CONTACTS);
    json_decref(o);
    heddle("contacts");
    assert_int_equal(r.status, 0);
    expect_in(r.out, "ID                            BUCKET  STATE  HOPS  IN USE  ROUTE  LABELS  "
                     "HEARD\n"
                     "1011000000000000000000000000       0  valid     2  no      no     no       "
                     "0 ms\n");
    heddle("-j neighbors");
    o = document();
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(o, "neighbours"), 0), "interface")),
                        "eth?");
    json_decref(o);
    heddle("adjacencies");
    assert_string_equal(r.out, "no adjacencies\n");
    heddle("counters");
    expect_in(r.out, "rx.hello      7\n");
    expect_in(r.out, "1 counters at zero are left out");
    assert_null(strstr(r.out, "drop.bad-length"));
    heddle("counters --all");
    expect_in(r.out, "drop.bad-length");
    heddle("show daemon counters -j");
    o = document();
    assert_int_equal(json_array_size(json_object_get(o, "counters")), 1);
    json_decref(o);
    heddle("metrics");
    expect_in(r.out, "heddle_kira_contacts 1000\n");
}

static void lists_can_be_listed(void **state)
{
    json_t *o;

    (void)state;
    heddle("show");
    assert_int_equal(r.status, 0);
    expect_in(r.out, "heddle show kira   contacts        Entries of the routing table.\n");
    expect_in(r.out, "heddle show vrrp   peers           ");
    assert_null(strstr(r.out, "events")); /* comes by itself */
    assert_null(strstr(r.out, "ping"));   /* answers a command */
    heddle("show bfd -j");
    assert_int_equal(r.status, 0);
    o = document();
    assert_int_equal(json_array_size(json_object_get(o, "lists")), 3);
    json_decref(o);
    heddle("show kira contcats");
    assert_int_equal(r.status, 1);
    assert_string_equal(r.err, "heddle: kira has no list \"contcats\"; it has status, interfaces, "
                               "neighbours, contacts, vicinity, counters\n");
    heddle("show kira events");
    assert_int_equal(r.status, 1);
    heddle("show kria");
    assert_int_equal(r.status, 1);
    assert_string_equal(r.err, "heddle: no core \"kria\" has lists; these have: kira, model, "
                               "sample, daemon, bfd, vrrp\n");
    expect_code("show kria contacts -j", "unknown-list", 1);
}

static void nodes_are_asked(void **state)
{
    json_t *o;

    (void)state;
    heddle("ping 12ab -c 3 -i 10 -j");
    assert_int_equal(r.status, 0);
    o = document();
    assert_int_equal(json_array_size(json_object_get(o, "ping")), 3);
    json_decref(o);
    expect_in(r.out, "\"rtt-ms\":0.213");
    heddle("ping 12ab -c 2 -i 10");
    expect_in(r.out, "1  12ab000000000000000000000000  4 hops  0.213 ms\n");
    expect_in(r.out, "2  12ab000000000000000000000000  no answer\n");
    expect_in(r.out, "2 sent, 1 answered");
    heddle("path fc00:12ab::1");
    assert_int_equal(r.status, 0);
    expect_in(r.out, "first packets:\n"
                     "  1  1011000000000000000000000005      1.000 ms  overlay hop\n"
                     "then:\n"
                     "  1  12ab");
    heddle("path fc00:12ab::1 -j");
    expect_in(r.out, "\"first\":true,\"number\":1");
    heddle("ping dd");
    assert_int_equal(r.status, 1);
    expect_in(r.err, "several nodes begin like that");
    heddle("ping ee");
    assert_int_equal(r.status, 1);
    assert_string_equal(r.err, "heddle: no known node fits that\n");
}

static void errors_are_clear(void **state)
{
    (void)state;
    heddle("contcats");
    assert_int_equal(r.status, 2);
    expect_in(r.err, "did you mean \"contacts\"?");
    heddle("");
    assert_int_equal(r.status, 2);
    expect_in(r.out, "neighbours");
    heddle("re");
    assert_int_equal(r.status, 2);
    assert_string_equal(r.err, "heddle: which command is \"re\": record, restart?\n");
    expect_code("re -j", "ambiguous", 2);
    heddle("help re");
    assert_int_equal(r.status, 2);
    heddle("status --count 3");
    assert_int_equal(r.status, 2);
    assert_string_equal(r.err, "heddle: heddle status has no option --count; it takes --state, "
                               "--json and --help\n");
    heddle("ping 12 -jx"); /* -j was heard before -x */
    assert_int_equal(r.status, 2);
    heddle("path 12 -x");
    assert_string_equal(r.err, "heddle: heddle path has no option -x; it takes --timeout, --state, "
                               "--json and --help\n");
    heddle("path 12 --interface eth0");
    expect_in(r.err, "has no option --interface;");
    heddle("path 12 --blah=3");
    expect_in(r.err, "has no option --blah=3;");
    heddle("ping");
    assert_int_equal(r.status, 2);
    assert_string_equal(r.err, "heddle: expected: heddle ping NODE [-c N] [-i MS]\n");
    heddle("path 12 13");
    assert_int_equal(r.status, 2);
    assert_string_equal(r.err, "heddle: 13: one word too many; expected: heddle path NODE\n");
    heddle("config set");
    assert_int_equal(r.status, 2);
    assert_string_equal(r.err, "heddle: expected: heddle config set PATH [VALUE|-]\n");
    heddle("config check it");
    assert_string_equal(r.err, "heddle: expected: heddle config check\n");
    heddle("ping 12 -c many");
    assert_int_equal(r.status, 2);
    expect_in(r.err, "-c takes a whole number");
    expect_code("nothing -j", "unknown-command", 2);
    expect_code("ping -j", "usage", 2);
    expect_code("ping ee -j", "unknown-node", 1);
    expect_code("ping 2001:db8::1 -j", "invalid", 1);
    expect_code("forwarding -j", "internal", 1);
    expect_code("show sample neighbours -j", "not-running", 1);
    expect_code("--state /nonexistent status -j", "daemon-not-running", 1);
    heddle("--state /nonexistent status");
    assert_int_equal(r.status, 1);
    assert_string_equal(r.err, "heddle: heddled is not running for /nonexistent; start it with: "
                               "heddle --state /nonexistent up\n");
}

static void permission_is_explained(void **state)
{
    int status;

    (void)state;
    if (geteuid() != 0)
        skip();
    chmod(bench.path, 0600);
    if (fork() == 0) {
        char *argv[] = {(char *)(uintptr_t)HEDDLE, (char *)(uintptr_t) "--state", bench.dir,
                        (char *)(uintptr_t) "status", NULL};
        int fd = open("/dev/null", O_WRONLY);
        dup2(fd, 2);
        if (setuid(65534) == 0)
            execv(argv[0], argv);
        _exit(9);
    }
    wait(&status);
    /* 1: refused in words; 9 would be: not even started (a build folder closed to others). */
    if (WEXITSTATUS(status) == 9)
        skip();
    assert_int_equal(WEXITSTATUS(status), 1);
}

/* Until it has said something, 20 s at most. */
static void monitor(const char *option)
{
    char args[512];

    snprintf(args, sizeof args,
             "monitor %s >%.60s/said & for i in $(seq 200); do [ -s %.60s/said ] && break; "
             "sleep 0.1; done; kill $!; cat %.60s/said; rm %.60s/said",
             option, bench.dir, bench.dir, bench.dir, bench.dir);
    heddle(args);
}

static void monitor_prints_events(void **state)
{
    json_t *o;

    (void)state;
    monitor("-j");
    o = document();
    assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "row"), "node")), 1);
    json_decref(o);
    monitor("");
    expect_in(r.out, "sample           node=1  up=yes\n");
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/%s", bench.dir, name);
    fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static bool exists(const char *name)
{
    char path[128];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", bench.dir, name);
    return stat(path, &st) == 0;
}

static void drop(const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", bench.dir, name);
    unlink(path);
}

/*
 * `up` in a folder "n" below the bench's: the heddled it starts is a script that notes its
 * arguments and lets the bench's socket appear there.
 */
static void up_chooses_a_fabric(void **state)
{
    char script[1024], run[512], token[128];
    char *at;

    (void)state;
    if (geteuid() != 0)
        skip();
    snprintf(script, sizeof script,
             "#!/bin/sh\necho \"$@\" >>%s/started\nln -sf %s/control.sock \"$2/control.sock\"\n",
             bench.dir, bench.dir);
    write_file("heddled", script, 0755);
    snprintf(run, sizeof run, "--state %s/n up --heddled %s/heddled", bench.dir, bench.dir);

    heddle(run);
    assert_int_equal(r.status, 1);
    expect_in(r.err, "--new");
    expect_in(r.err, "--join TOKEN");
    assert_false(exists("started"));

    strcat(run, " --new --interface 'eth*'");
    heddle(run);
    assert_int_equal(r.status, 0);
    at = strstr(r.out, "heddle1-");
    assert_non_null(at);
    snprintf(token, sizeof token, "%.*s", (int)strcspn(at, "\n"), at);
    assert_true(exists("n/fabric.key"));
    assert_true(exists("started"));
    expect_in(r.out, "State       joined");

    heddle(run); /* it runs: nothing may change */
    assert_int_equal(r.status, 1);
    expect_in(r.err, "runs already");
    drop("n/control.sock");
    heddle(run); /* a key is there */
    assert_int_equal(r.status, 1);
    expect_in(r.err, "move fabric.key away");
    snprintf(run, sizeof run, "--state %s/n up --heddled %s/heddled --join %s", bench.dir,
             bench.dir, token);
    heddle(run); /* the same key: fine */
    assert_int_equal(r.status, 0);
    drop("n/control.sock");
    run[strlen(run) - 1] = run[strlen(run) - 1] == '2' ? '3' : '2';
    heddle(run);
    assert_int_equal(r.status, 1);
    drop("n/fabric.key");

    snprintf(run, sizeof run, "--state %s/n up --heddled %s/heddled --new -j", bench.dir,
             bench.dir);
    heddle(run);
    json_t *o = document();
    assert_non_null(strstr(json_string_value(json_object_get(o, "join-token")), "heddle1-"));
    assert_string_equal(json_string_value(json_object_get(o, "state")), "joined");
    json_decref(o);
    drop("n/control.sock");
    drop("n/fabric.key");

    snprintf(run, sizeof run, "--state %s/n up --heddled %s/heddled --open --new", bench.dir,
             bench.dir);
    heddle(run);
    assert_int_equal(r.status, 1);
    run[strlen(run) - 6] = '\0';
    heddle(run);
    assert_int_equal(r.status, 0);
    expect_in(r.out, "OPEN fabric");
    assert_true(exists("n/open"));
    assert_false(exists("n/fabric.key"));
    drop("n/control.sock");
    drop("n/open");
    drop("n");
    snprintf(script, sizeof script, "%s/n", bench.dir);
    rmdir(script);
    drop("started");
    drop("heddled");
}

static void down_reaches_the_keeper(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    if (fork() == 0) {
        /* In place of the keeper: takes the socket away when told. */
        if (bench_control(&bench) == HD_CONTROL_DOWN)
            unlink(bench.path);
        _exit(0);
    }
    heddle("down -j");
    assert_int_equal(r.status, 0);
    expect_in(r.out, "{\"down\":true}");
    wait(NULL);
}

/* The default instance of a machine with systemd, seen by one process: folders of its own in place
 * of those of the machine, and a systemctl that knows nothing of a heddled. */
static void pretend_systemd(void)
{
    char path[160], link[160];

    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/run", "tmpfs", 0, NULL) != 0 ||
        mount("none", "/etc/systemd/system", "tmpfs", 0, NULL) != 0)
        _exit(9);
    write_file("systemctl", "#!/bin/sh\nexit 0\n", 0755);
    snprintf(path, sizeof path, "%s/systemctl", bench.dir);
    if (mount(path, "/bin/systemctl", NULL, MS_BIND, NULL) != 0)
        _exit(9);
    snprintf(link, sizeof link, "%s/control.sock", bench.dir);
    if (mkdir("/run/systemd", 0755) != 0 || mkdir("/run/systemd/system", 0755) != 0 ||
        mkdir("/run/heddle", 0755) != 0 || symlink(link, "/run/heddle/control.sock") != 0 ||
        symlink("/dev/null", "/etc/systemd/system/heddled.service") != 0)
        _exit(9);
}

/* `heddle up --interface` starts heddled past systemd, whose `stop` then does not reach it. */
static void down_ends_what_systemd_did_not_start(void **state)
{
    char away[128];
    pid_t keeper, cli;
    int status;

    (void)state;
    snprintf(away, sizeof away, "%s/away", bench.dir);
    if (geteuid() != 0 || access("/etc/systemd/system", F_OK) != 0 ||
        access("/bin/systemctl", F_OK) != 0)
        skip();
    keeper = fork();
    if (keeper == 0) {
        if (bench_control(&bench) == HD_CONTROL_DOWN)
            rename(bench.path, away);
        _exit(0);
    }
    cli = fork();
    if (cli == 0) {
        pretend_systemd();
        _exit(WEXITSTATUS(system(HEDDLE " down >/dev/null 2>&1")));
    }
    waitpid(cli, &status, 0);
    waitpid(keeper, NULL, 0);
    rename(away, bench.path);
    drop("systemctl");
    if (WEXITSTATUS(status) == 9)
        skip(); /* a machine that allows no mounts */
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void version_and_help(void **state)
{
    (void)state;
    heddle("version");
    expect_in(r.out, "heddle ");
    heddle("help ping");
    expect_in(r.out, "--interval");
    heddle("up --help");
    expect_in(r.out, "--join TOKEN");
    heddle("help config");
    assert_int_equal(r.status, 0);
    expect_in(r.out, "  heddle config rollback [N] ");
    heddle("config --help");
    expect_in(r.out, "  heddle config rollback [N] ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_and_help),
        cmocka_unit_test(status_in_both_forms),
        cmocka_unit_test(lists_in_both_forms),
        cmocka_unit_test(lists_can_be_listed),
        cmocka_unit_test(nodes_are_asked),
        cmocka_unit_test(errors_are_clear),
        cmocka_unit_test(permission_is_explained),
        cmocka_unit_test(monitor_prints_events),
        cmocka_unit_test(up_chooses_a_fabric),
        cmocka_unit_test(down_ends_what_systemd_did_not_start),
        cmocka_unit_test(down_reaches_the_keeper),
    };

    return cmocka_run_group_tests(tests, start, stop);
}

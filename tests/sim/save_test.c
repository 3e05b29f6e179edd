/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving and going on: what comes out is what an uninterrupted run gives, also after kill -9 in the
 * middle of anything, in another process with other addresses of code; what is no state of this
 * program and this network is refused with a reason. And the estimate of memory.
 *
 * The test starts itself: "save-test work DIR WORKERS SAVES" runs a simulation from its last state
 * in DIR, if there is one, to its end, saves it SAVES times a second, and prints the digest.
 */
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/run.h"

#define END HD_SEC(5)

static char folder[] = "/tmp/heddle-sim-save-XXXXXX";

static struct hd_scenario *scenario(const char *text)
{
    char err[HD_SCENARIO_ERROR];
    struct hd_scenario *sc;
    if (hd_scenario_generate(text, 3, &sc, err, sizeof err) != 0)
        fail_msg("%s", err);
    for (uint32_t i = 0; i < sc->link_count; i++) {
        sc->links[i].delay_ns = HD_MS(1);
        sc->links[i].loss_ppm = 10000;
    }
    struct hd_scenario_event *e = hd_scenario_add_event(sc, HD_SEC(2), HD_SCENARIO_CUT);
    e->link = 3;
    e = hd_scenario_add_event(sc, HD_SEC(3), HD_SCENARIO_RESTART);
    e->node = 5;
    e->resumed = true;
    struct hd_scenario_probe *p = hd_scenario_add_probe(sc, 0, 7);
    p->interval_ns = HD_MS(5);
    p->start_ns = HD_SEC(1);
    p->stop_ns = HD_NEVER;
    return sc;
}

static struct hd_sim_options options(uint32_t workers)
{
    struct hd_sim_options o;
    hd_sim_options_default(&o);
    o.config = hd_sim_kira_config;
    o.workers = workers;
    return o;
}

static struct hd_sim *make(const struct hd_scenario *sc, const struct hd_sim_options *o)
{
    char err[256];
    struct hd_sim *s;
    if (hd_sim_create(&s, sc, o, err, sizeof err) != 0)
        fail_msg("%s", err);
    return s;
}

static uint64_t uninterrupted(const struct hd_scenario *sc)
{
    struct hd_sim_options o = options(1);
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, END);
    uint64_t digest = hd_sim_digest(s) + hd_sim_flow(s, 0)->arrived;
    hd_sim_free(s);
    return digest;
}

/* --- the worker process --------------------------------------------------------------------------
 */

static int work(const char *dir, uint32_t workers, unsigned saves)
{
    char err[512];
    struct hd_scenario *sc = scenario("ba:40,2");
    struct hd_sim_options o = options(workers);
    struct hd_sim *s;
    unsigned done = 0, found;
    if (hd_sim_resume(&s, dir, sc, &o, &done, sizeof done, err, sizeof err) != 0)
        s = make(sc, &o);
    found = done;
    while (hd_sim_now(s) < END) {
        hd_sim_run(s, HD_MIN(hd_sim_now(s) + HD_SEC(1) / saves, END));
        done++;
        if (hd_sim_save(s, dir, &done, sizeof done, err, sizeof err) != 0) {
            fprintf(stderr, "%s\n", err);
            return 1;
        }
    }
    printf("%llu %u %u\n", (unsigned long long)(hd_sim_digest(s) + hd_sim_flow(s, 0)->arrived),
           done, found);
    hd_sim_free(s);
    hd_scenario_free(sc);
    return 0;
}

static pid_t start_worker(const char *workers, int *out)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], 1);
        (void)execl("/proc/self/exe", "save-test", "work", folder, workers, "20", (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    *out = ends[0];
    return pid;
}

/* --- tests ---------------------------------------------------------------------------------------
 */

static void remove_state(void)
{
    char path[200];
    (void)snprintf(path, sizeof path, "%s/state", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/state.new", folder);
    (void)unlink(path);
}

static void wait_for_state(void)
{
    char path[200];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/state", folder);
    for (unsigned i = 0; i < 3000 && stat(path, &st) != 0; i++)
        (void)usleep(10000);
}

static void kill_and_go_on(const char *workers, uint64_t expected)
{
    char text[100] = {0};
    int out, status;
    remove_state();
    for (unsigned life = 0; life < 4; life++) {
        pid_t pid = start_worker(workers, &out);
        wait_for_state();
        (void)usleep(20000 + 20000 * life);
        assert_int_equal(kill(pid, SIGKILL), 0);
        (void)waitpid(pid, &status, 0);
        (void)close(out);
    }
    pid_t pid = start_worker(workers, &out);
    assert_true(read(out, text, sizeof text - 1) > 0);
    (void)waitpid(pid, &status, 0);
    (void)close(out);
    assert_int_equal(status, 0);
    unsigned long long digest;
    unsigned saves, found;
    assert_int_equal(sscanf(text, "%llu %u %u", &digest, &saves, &found), 3);
    assert_int_equal(digest, expected);
    assert_int_equal(saves, 100);
    assert_true(found > 0); /* it went on and did not begin again */
}

static void test_killed_and_resumed(void **unused)
{
    struct hd_scenario *sc = scenario("ba:40,2");
    uint64_t expected = uninterrupted(sc);
    kill_and_go_on("1", expected);
    kill_and_go_on("2", expected);
    hd_scenario_free(sc);
}

static int try_resume(const struct hd_scenario *sc, char *err, size_t errlen)
{
    struct hd_sim_options o = options(1);
    struct hd_sim *s;
    uint32_t extra;
    int error = hd_sim_resume(&s, folder, sc, &o, &extra, sizeof extra, err, errlen);
    if (error == 0)
        hd_sim_free(s);
    return error;
}

/* Changes one byte of the state, or cuts it to a length. */
static void damage(off_t at, off_t cut)
{
    char path[200];
    uint8_t byte = 0;
    (void)snprintf(path, sizeof path, "%s/state", folder);
    if (cut > 0) {
        assert_int_equal(truncate(path, cut), 0);
        return;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    (void)close(fd);
}

static void test_what_is_refused(void **unused)
{
    char err[512];
    struct hd_scenario *sc = scenario("ba:40,2"), *other = scenario("ba:41,2");
    struct hd_sim_options o = options(1);
    uint32_t extra = 7;
    remove_state();
    assert_int_not_equal(try_resume(sc, err, sizeof err), 0);
    assert_non_null(strstr(err, "No such file"));
    struct hd_sim *s = make(sc, &o);
    hd_sim_run(s, HD_SEC(1));
    assert_int_equal(hd_sim_save(s, folder, &extra, sizeof extra, err, sizeof err), 0);
    assert_int_not_equal(try_resume(sc, err, sizeof err), 0); /* this one still runs there */
    assert_non_null(strstr(err, "place in memory"));
    assert_int_not_equal(hd_sim_save(s, "/nowhere", &extra, sizeof extra, err, sizeof err), 0);
    hd_sim_free(s);
    assert_int_not_equal(try_resume(other, err, sizeof err), 0);
    assert_non_null(strstr(err, "another network"));
    assert_int_equal(try_resume(sc, err, sizeof err), 0);
    damage(17, 0); /* the number of the program */
    assert_int_not_equal(try_resume(sc, err, sizeof err), 0);
    assert_non_null(strstr(err, "another build"));
    damage(17, 0);
    damage(41, 0);
    assert_int_not_equal(try_resume(sc, err, sizeof err), 0);
    assert_non_null(strstr(err, "damaged"));
    damage(41, 0);
    damage(0, 100000);
    assert_int_not_equal(try_resume(sc, err, sizeof err), 0);
    assert_non_null(strstr(err, "not complete"));
    damage(0, 50);
    assert_int_not_equal(try_resume(sc, err, sizeof err), 0);
    hd_scenario_free(other);
    hd_scenario_free(sc);
}

static void test_memory_is_asked_for_before(void **unused)
{
    char err[512];
    struct hd_scenario *sc = scenario("ba:1000,2");
    struct hd_sim_options o = options(1);
    struct hd_sim *s;
    uint64_t need = hd_sim_estimate(sc, &o);
    assert_in_range(need, 1000 * 16384, 1000 * 30000 + (16 << 20));
    o.memory_bytes = need;
    assert_true(hd_sim_fits(sc, &o, err, sizeof err));
    o.memory_bytes = need / 2;
    assert_int_equal(hd_sim_create(&s, sc, &o, err, sizeof err), HD_ENOMEM);
    const char *at = strstr(err, "about ");
    at = at == NULL ? NULL : strstr(at + 1, "free: about ");
    assert_non_null(at);
    assert_in_range(strtoul(at + 12, NULL, 10), 150, 500);
    hd_scenario_free(sc);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_and_resumed),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_memory_is_asked_for_before),
    };
    if (argc == 5 && strcmp(argv[1], "work") == 0)
        return work(argv[2], (uint32_t)atoi(argv[3]), (unsigned)atoi(argv[4]));
    if (mkdtemp(folder) == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_state();
    (void)rmdir(folder);
    return failed;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several processes, each with a share of the nodes: what comes out is what one process gives, to
 * the byte, with any number of threads in each. Random networks with random faults, as in
 * windows_test.c. The processes are forks of this one, joined by memory that they share; how MPI
 * joins them is tested by the program that uses it (mpi_test.py).
 */
#include "scenario_of_seed.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 3
#define PIECE_MAX     ((size_t)64 << 20) /* of address space; touched is far less */
#define RUN_MS        2500               /* some of the faults */
#define PATIENCE_S    240

struct outcome {
    uint64_t digest, events, inputs, sent, bytes, hops, changes;
    uint64_t arrived, lost, pairs, connected, found, stretch, living, contacts, memory;
    uint64_t failed;
    char why[HD_SIM_WHY];
};

struct shared {
    pthread_barrier_t barrier;
    struct outcome outcome[PROCESSES_MAX];
    size_t len[2][PROCESSES_MAX][PROCESSES_MAX];
};

struct joint {
    struct shared *shared;
    unsigned char *bytes; /* two sets of a piece from each process to each */
    uint32_t rank, size;
    unsigned calls;
};

static unsigned char *piece(const struct joint *j, unsigned set, uint32_t from, uint32_t to)
{
    return j->bytes + (((size_t)set * PROCESSES_MAX + from) * PROCESSES_MAX + to) * PIECE_MAX;
}

static void exchange(void *user, const struct hd_sim_piece *out, struct hd_sim_piece *in)
{
    struct joint *j = user;
    unsigned set = j->calls++ % 2;
    for (uint32_t i = 0; i < j->size; i++) {
        HD_ASSERT(out[i].len <= PIECE_MAX);
        if (out[i].len > 0)
            memcpy(piece(j, set, j->rank, i), out[i].bytes, out[i].len);
        j->shared->len[set][j->rank][i] = out[i].len;
    }
    (void)pthread_barrier_wait(&j->shared->barrier);
    for (uint32_t i = 0; i < j->size; i++)
        in[i] = (struct hd_sim_piece){piece(j, set, i, j->rank), j->shared->len[set][i][j->rank]};
}

/* --- a run ---------------------------------------------------------------------------------------
 */

struct wanted {
    const struct hd_scenario *sc;
    uint64_t seed;
    uint32_t workers;
    size_t memory_bound;
};

static void note(struct hd_sim *s, const struct hd_scenario *sc, struct outcome *o)
{
    struct hd_sim_reach r;
    struct hd_sim_census c = {0};
    const struct hd_sim_stats *st = hd_sim_stats(s);
    *o = (struct outcome){.events = st->events,
                          .inputs = st->inputs,
                          .sent = st->datagrams_sent,
                          .bytes = st->datagram_bytes,
                          .hops = st->packet_hops,
                          .changes = st->model_changes};
    o->digest = hd_sim_digest(s);
    for (uint32_t i = 0; i < hd_sim_flow_count(s); i++) {
        o->arrived = o->arrived * 31 + hd_sim_flow(s, i)->arrived +
                     (uint64_t)hd_sim_flow(s, i)->longest_gap_ns;
        for (unsigned f = 1; f < HD_SIM_FATES; f++)
            o->lost = o->lost * 31 + hd_sim_flow(s, i)->fates[f];
    }
    hd_sim_reach(s, 500, 7, &r);
    o->pairs = r.pairs;
    o->connected = r.connected;
    o->found = r.arrived;
    o->stretch = r.stretch_mean;
    hd_sim_census_take(s, sc, &c);
    o->living = c.living;
    for (uint32_t i = 0; i < c.living; i++) {
        o->contacts = o->contacts * 31 + c.contacts[i];
        o->memory = o->memory * 31 + c.memory[i];
    }
    hd_sim_census_free(&c);
    if (hd_sim_failure(s) != NULL) {
        o->failed = 1;
        memcpy(o->why, hd_sim_failure(s), strlen(hd_sim_failure(s)));
    }
}

static void run(const struct wanted *w, const struct hd_sim_group *group, struct outcome *out)
{
    struct hd_sim_options o;
    struct hd_sim_checks checks;
    struct hd_sim *s;
    char err[200];
    hd_sim_options_default(&o);
    o.seed = w->seed;
    o.config = hd_sim_kira_config;
    o.workers = w->workers;
    o.group = group;
    o.pool_max_bytes = w->memory_bound;
    HD_ASSERT(hd_sim_create(&s, w->sc, &o, err, sizeof err) == 0);
    hd_sim_checks_default(&checks);
    checks.reach_bound_ns = HD_SEC(60);
    checks.sample = 200;
    checks.touched_most = 100; /* so that some are left out */
    hd_sim_set_checks(s, &checks);
    bool ok = true;
    for (hd_time t = 0; t < HD_MS(RUN_MS) && ok;)
        ok = hd_sim_run_checked(s, t += HD_MS(250));
    note(s, w->sc, out);
    hd_sim_free(s);
}

/* --- processes -----------------------------------------------------------------------------------
 */

static void *share(size_t bytes)
{
    void *m = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    assert_true(m != MAP_FAILED);
    return m;
}

static void wait_for(pid_t *pids, uint32_t size)
{
    bool ok = true;
    for (uint32_t left = size; left > 0; left--) {
        int status;
        pid_t pid = wait(&status);
        ok = ok && pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        for (uint32_t i = 0; i < size && !ok; i++)
            (void)kill(pids[i], SIGKILL); /* the others wait for it */
    }
    assert_true(ok);
}

static void run_by(const struct wanted *w, uint32_t size, struct outcome *out)
{
    struct joint j = {.shared = share(sizeof *j.shared),
                      .bytes = share(2 * PROCESSES_MAX * PROCESSES_MAX * PIECE_MAX),
                      .size = size};
    pthread_barrierattr_t attr;
    pid_t pids[PROCESSES_MAX];
    (void)pthread_barrierattr_init(&attr);
    (void)pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    (void)pthread_barrier_init(&j.shared->barrier, &attr, size);
    for (j.rank = 0; j.rank < size; j.rank++) {
        pids[j.rank] = fork();
        assert_true(pids[j.rank] >= 0);
        if (pids[j.rank] > 0)
            continue;
        (void)alarm(PATIENCE_S);
        struct hd_sim_group g = {.rank = j.rank, .size = size, .user = &j, .exchange = exchange};
        run(w, &g, &j.shared->outcome[j.rank]);
        _exit(0);
    }
    wait_for(pids, size);
    for (uint32_t i = 1; i < size; i++) /* each has the same answer */
        assert_memory_equal(&j.shared->outcome[i], &j.shared->outcome[0], sizeof *out);
    *out = j.shared->outcome[0];
    (void)munmap(j.bytes, 2 * PROCESSES_MAX * PROCESSES_MAX * PIECE_MAX);
    (void)munmap(j.shared, sizeof *j.shared);
}

/* --- tests ---------------------------------------------------------------------------------------
 */

static void run_alone(const struct wanted *w, struct outcome *one)
{
    struct wanted alone = *w;
    alone.workers = 1;
    memset(one, 0, sizeof *one);
    run(&alone, NULL, one);
}

static void compare(const struct wanted *w, const struct outcome *one, uint32_t size)
{
    struct outcome more;
    memset(&more, 0, sizeof more);
    run_by(w, size, &more);
    if (memcmp(one, &more, sizeof more) != 0)
        fail_msg("seed %llu, %s, %u processes of %u workers: another run: digest %llx and %llx, "
                 "%llu events and %llu, %llu and %llu of %llu pairs, %s and %s",
                 (unsigned long long)w->seed, w->sc->origin, size, w->workers,
                 (unsigned long long)one->digest, (unsigned long long)more.digest,
                 (unsigned long long)one->events, (unsigned long long)more.events,
                 (unsigned long long)one->found, (unsigned long long)more.found,
                 (unsigned long long)one->pairs, one->why, more.why);
}

static void test_any_number_of_processes(void **unused)
{
    uint64_t seed = test_seed(__func__);
    const char *rounds = getenv("HD_ROUNDS");
    for (int i = 0; i < (rounds != NULL ? atoi(rounds) : 1); i++, seed++) {
        struct hd_scenario *sc = scenario_of_seed(seed);
        struct wanted w = {.sc = sc, .seed = seed, .workers = 1};
        struct outcome one;
        run_alone(&w, &one);
        compare(&w, &one, 2);
        w.workers = 2;
        compare(&w, &one, 3);
        hd_scenario_free(sc);
    }
}

/* A check that fails in one process ends all, at the same time and with the same words. */
static void test_a_failure_is_everybodys(void **unused)
{
    struct hd_scenario *sc = scenario_of_seed(2);
    struct wanted w = {.sc = sc, .seed = 2, .workers = 1, .memory_bound = 12000};
    struct outcome one;
    run_alone(&w, &one);
    assert_true(one.failed);
    assert_non_null(strstr(one.why, "bytes, bound 12000"));
    compare(&w, &one, 3);
    hd_scenario_free(sc);
}

static void test_what_cannot_be_shared(void **unused)
{
    struct hd_scenario *sc = scenario_of_seed(1);
    struct hd_sim_group g = {.rank = 0, .size = 60};
    struct hd_sim_options o;
    struct hd_sim *s;
    char err[200];
    hd_sim_options_default(&o);
    o.group = &g;
    o.workers = 2;
    assert_int_equal(hd_sim_create(&s, sc, &o, err, sizeof err), HD_EUNSUPPORTED);
    g.size = 2;
    for (uint32_t i = 0; i < sc->link_count; i++)
        sc->links[i].delay_ns = HD_US(50);
    assert_int_equal(hd_sim_create(&s, sc, &o, err, sizeof err), HD_EUNSUPPORTED);
    assert_non_null(strstr(err, "100 us"));
    hd_scenario_free(sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_number_of_processes),
        cmocka_unit_test(test_a_failure_is_everybodys),
        cmocka_unit_test(test_what_cannot_be_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

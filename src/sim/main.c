/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle-sim: runs a scenario, or many random ones, under virtual time.
 *
 *   heddle-sim run SCENARIO|GENERATOR [options]      report of one run
 *   heddle-sim random [--count N] [--seed S]         random scenarios under all checks
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "sim/run.h"

static const char usage_text[] =
    "usage: heddle-sim run SCENARIO|GENERATOR [options]\n"
    "       heddle-sim random [--count N] [--seed S] [--bound-ms B] [--keep-going] [-v]\n"
    "\n"
    "SCENARIO is a file (doc/scenario.md) or a generator: line:N ring:N grid:WxH torus:WxH "
    "tree:N,K\n"
    "fat-tree:K ba:N,M ws:N,K,P nws:N,K,P er:N,D rgg:N,D star:N full:N\n"
    "\n"
    "  --seed N        seed of the run (and of a generator); default 1\n"
    "  --until-ms T    end of the run; default: the scenario's, or 30000\n"
    "  --loss PPM      loss of every link, per million\n"
    "  --delay-us D    delay of every link\n"
    "  --tick-ms T     how often reachability is looked at; default 10\n"
    "  --pairs N       pairs per look; 0: all; default: all up to 64 nodes, else 2000\n"
    "  --power-off     neighbours of a killed node lose the carrier\n"
    "  --own-ids       each router keeps an ID table of its own\n"
    "  --log LEVEL     print what routers log, up to this level (3 error ... 7 debug)\n"
    "  -j              report as JSON\n"
    "  --count N       random: how many scenarios, with seeds from --seed on; default 1\n"
    "  --bound-ms B    random: all connected pairs work this long after the last fault; 60000\n"
    "  --no-probes     random: no packets use broken pairs, so repair gets no reports of them\n"
    "  --keep-going    random: do not stop at the first failure\n"
    "  -v              random: print each schedule\n"
    "\n"
    "Exit status: 0 all checks and expectations held, 1 one failed, 2 wrong usage.\n";

struct arguments {
    uint64_t seed, count, pairs;
    hd_time until, tick, bound, delay;
    int64_t loss;
    int log_level;
    bool json, power_off, own_ids, keep_going, no_probes, verbose, seed_given, pairs_given;
    const char *scenario;
};

enum {
    OPT_SEED = 256,
    OPT_UNTIL,
    OPT_LOSS,
    OPT_DELAY,
    OPT_TICK,
    OPT_PAIRS,
    OPT_POWER,
    OPT_IDS,
    OPT_LOG,
    OPT_COUNT,
    OPT_BOUND,
    OPT_KEEP,
    OPT_NO_PROBES
};

static const struct option options[] = {
    {"seed", required_argument, NULL, OPT_SEED},
    {"until-ms", required_argument, NULL, OPT_UNTIL},
    {"loss", required_argument, NULL, OPT_LOSS},
    {"delay-us", required_argument, NULL, OPT_DELAY},
    {"tick-ms", required_argument, NULL, OPT_TICK},
    {"pairs", required_argument, NULL, OPT_PAIRS},
    {"power-off", no_argument, NULL, OPT_POWER},
    {"own-ids", no_argument, NULL, OPT_IDS},
    {"log", required_argument, NULL, OPT_LOG},
    {"count", required_argument, NULL, OPT_COUNT},
    {"bound-ms", required_argument, NULL, OPT_BOUND},
    {"no-probes", no_argument, NULL, OPT_NO_PROBES},
    {"keep-going", no_argument, NULL, OPT_KEEP},
    {NULL, 0, NULL, 0},
};

static bool number(const char *text, uint64_t limit, uint64_t *value)
{
    char *end;
    unsigned long long v = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != 0 || v > limit)
        return false;
    *value = v;
    return true;
}

static bool take_option(struct arguments *a, int option)
{
    uint64_t v = 0;
    if (optarg != NULL && !number(optarg, option == OPT_SEED ? UINT64_MAX : 1000000000, &v))
        return false;
    switch (option) {
    case OPT_SEED:
        a->seed = v;
        a->seed_given = true;
        return true;
    case OPT_UNTIL:
        a->until = HD_MS(v);
        return true;
    case OPT_LOSS:
        a->loss = (int64_t)v;
        return v <= HD_SCENARIO_MILLION;
    case OPT_DELAY:
        a->delay = HD_US(v);
        return true;
    case OPT_TICK:
        a->tick = HD_MS(v);
        return v > 0;
    case OPT_PAIRS:
        a->pairs = v;
        a->pairs_given = true;
        return true;
    case OPT_POWER:
        return a->power_off = true;
    case OPT_IDS:
        return a->own_ids = true;
    case OPT_LOG:
        a->log_level = (int)v;
        return v <= 7;
    case OPT_COUNT:
        a->count = v;
        return true;
    case OPT_BOUND:
        a->bound = HD_MS(v);
        return true;
    case OPT_NO_PROBES:
        return a->no_probes = true;
    case OPT_KEEP:
        return a->keep_going = true;
    case 'j':
        return a->json = true;
    case 'v':
        return a->verbose = true;
    default:
        return false;
    }
}

static void apply_to_links(const struct arguments *a, struct hd_scenario *sc)
{
    for (uint32_t i = 0; i < sc->link_count; i++) {
        if (a->loss >= 0)
            sc->links[i].loss_ppm = (uint32_t)a->loss;
        if (a->delay >= 0)
            sc->links[i].delay_ns = a->delay;
    }
}

static int run_scenario(const struct arguments *a, struct hd_scenario *sc)
{
    struct hd_sim_options o;
    struct hd_sim_checks checks;
    struct hd_sim_run *r = calloc(1, sizeof *r);
    struct hd_sim *s;
    char err[HD_SCENARIO_ERROR];
    if (r == NULL)
        return 1;
    hd_sim_options_default(&o);
    o.seed = a->seed_given ? a->seed : sc->seed != 0 ? sc->seed : 1;
    o.config = hd_sim_kira_config;
    o.kill_is_power_off = a->power_off;
    o.shared_ids = !a->own_ids;
    o.log_level = a->log_level;
    if (hd_sim_create(&s, sc, &o, err, sizeof err) != 0) {
        fprintf(stderr, "heddle-sim: %s\n", err);
        free(r);
        return 1;
    }
    hd_sim_checks_default(&checks);
    hd_sim_set_checks(s, &checks);
    r->until = a->until > 0 ? a->until : sc->until_ns != HD_NEVER ? sc->until_ns : HD_SEC(30);
    r->tick_ns = a->tick;
    r->sample = a->pairs_given ? a->pairs : sc->node_count <= 64 ? 0 : 2000;
    bool ok = hd_sim_run_measured(s, sc, r);
    if (!a->json)
        hd_sim_report_text(s, sc, r);
    else if (hd_sim_report_json(s, sc, r) != 0)
        ok = false;
    if (!ok)
        fprintf(stderr,
                "heddle-sim: FAILED %s\nreplay: heddle-sim run %s --seed %llu --until-ms %lld\n",
                r->why, a->scenario, (unsigned long long)o.seed,
                (long long)hd_time_to_ms(r->until));
    hd_sim_free(s);
    free(r);
    return ok ? 0 : 1;
}

static int command_run(const struct arguments *a)
{
    struct hd_scenario *sc;
    char err[HD_SCENARIO_ERROR];
    if (hd_scenario_open(a->scenario, a->seed, &sc, err, sizeof err) != 0) {
        fprintf(stderr, "heddle-sim: %s\n", err);
        return 2;
    }
    apply_to_links(a, sc);
    int status = run_scenario(a, sc);
    hd_scenario_free(sc);
    return status;
}

static int command_random(const struct arguments *a)
{
    uint64_t failed = 0, done = 0;
    char text[1024];
    for (uint64_t i = 0; i < a->count; i++) {
        struct hd_sim_random_options o = {.seed = a->seed + i,
                                          .bound_ns = a->bound,
                                          .log_level = a->log_level,
                                          .verbose = a->verbose,
                                          .no_probes = a->no_probes};
        bool ok = hd_sim_random_run(&o, text, sizeof text);
        done++;
        puts(text);
        if (!ok) {
            failed++;
            printf("replay: heddle-sim random --seed %llu --count 1 --bound-ms %lld -v%s\n",
                   (unsigned long long)o.seed, (long long)hd_time_to_ms(a->bound),
                   a->no_probes ? " --no-probes" : "");
            if (!a->keep_going)
                break;
        }
        fflush(stdout);
    }
    printf("%llu scenarios, %llu failed\n", (unsigned long long)done, (unsigned long long)failed);
    return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct arguments a = {
        .seed = 1, .count = 1, .tick = HD_MS(10), .bound = HD_SEC(60), .delay = -1, .loss = -1};
    int option;
    while ((option = getopt_long(argc, argv, "jvh", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage_text, stdout);
            return 0;
        }
        if (!take_option(&a, option)) {
            if (option != '?')
                fprintf(stderr, "heddle-sim: value out of range: %s\n", optarg);
            fputs(usage_text, stderr);
            return 2;
        }
    }
    const char *command = optind < argc ? argv[optind] : "";
    if (strcmp(command, "run") == 0 && optind + 2 == argc) {
        a.scenario = argv[optind + 1];
        return command_run(&a);
    }
    if (strcmp(command, "random") == 0 && optind + 1 == argc)
        return command_random(&a);
    fputs(usage_text, stderr);
    return 2;
}

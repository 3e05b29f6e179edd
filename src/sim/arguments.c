/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of heddle-sim. One table says of each option how it is written, what it takes,
 * and what it is about, so that a run can tell the command that does it again.
 */
#include "sim/arguments.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"

static const char usage_text[] =
    "usage: heddle-sim run SCENARIO [options]         simulate, check, report\n"
    "       heddle-sim random [--count N] [options]   networks and faults made of a seed\n"
    "       heddle-sim trace FILE [options]           print a trace\n"
    "       heddle-sim replay FILE [options]          a recording again: heddle-sim replay --help\n"
    "       heddle-sim shrink SCENARIO [options]      make a failing scenario small\n"
    "       heddle-sim sweep FAMILY... --out DIR      sizes and seeds, tables and curves\n"
    "\n"
    "SCENARIO is a file (doc/scenario.md), random:SEED, or a generator: line:N ring:N grid:WxH\n"
    "torus:WxH tree:N,K fat-tree:K ba:N,M ws:N,K,P nws:N,K,P er:N,D rgg:N,D star:N full:N.\n"
    "FAMILY is one of ba er er8 ws nws grid torus rgg ring line, a generator with N in place of\n"
    "its size, or a file.\n"
    "\n"
    "A run:\n"
    "  --seed N          seed of the run and of a generator; default: the scenario's, or 1\n"
    "  --until-ms T      end; default: the scenario's, or 30000\n"
    "  --loss PPM        loss of every link, per million\n"
    "  --delay-us D      delay of every link\n"
    "  --faults          a link, a node, a tenth of the links fail in turn, and all comes back\n"
    "  --power-off       neighbours of a killed node lose the carrier\n"
    "  --own-ids         each router keeps an ID table of its own\n"
    "  --workers N       processors to use; the result is the same\n"
    "  --save DIR        save the state there, to go on after an interruption\n"
    "  --save-every-s N  how often; 600\n"
    "  --resume          go on with the state in DIR, if there is one\n"
    "Checks:\n"
    "  --bound-ms B      no connected pair stays broken longer; 60000\n"
    "  --memory-max-kb N no router grows past this; 16384\n"
    "  --no-probes       no packets use broken pairs, so repair gets no reports of them\n"
    "Figures:\n"
    "  --out DIR         summary.json, CSV, plots and index.html; shrink: the file to write\n"
    "  --tick-ms T       how often reachability is looked at; default 10, more above 200 nodes\n"
    "  --pairs N         pairs per look; 0: all; default: all up to 64 nodes, else 2000\n"
    "  --discover N      at the end, packets for N pairs, and their stretch then\n"
    "  --trace FILE      what happened, one record each; one worker\n"
    "  --trace-max-mb N  size of the trace, of which the end is kept; 256\n"
    "  --log LEVEL       print what routers log, up to this level (3 error ... 7 debug)\n"
    "  -j                report, or trace, as JSON\n"
    "  -q                no progress\n"
    "random:\n"
    "  --count N         how many scenarios, with seeds from --seed on; default 1\n"
    "  --keep-going      do not stop at the first failure\n"
    "  -v                print each schedule\n"
    "trace:\n"
    "  --node NAME       what concerns this node\n"
    "  --type T,...      sent received lost in-force packet link started died log, or a message\n"
    "  --from-ms T --to-ms T\n"
    "shrink:\n"
    "  --max-runs N      how many candidates to try; 2000\n"
    "sweep:\n"
    "  --sizes N,...     numbers of nodes; 100,1000\n"
    "  --seeds N         runs of each size, with seeds from --seed on; 3\n"
    "  --jobs N          runs at a time; 1\n"
    "\n"
    "Exit status: 0 all checks and expectations held, 1 one failed, 2 wrong usage.\n";

void hd_sim_usage(FILE *out)
{
    fputs(usage_text, out);
}

enum {
    ABOUT_RESULTS = 1, /* where results go: another run may do without */
    ABOUT_NETWORK = 2, /* applied to the scenario */
    ABOUT_SWEEP = 4,   /* not for the runs within a sweep */
    TAKES_NUMBER = 8,
    TAKES_TEXT = 16,
    NOT_ZERO = 32,
};

enum {
    OPT_SEED = 256,
    OPT_UNTIL,
    OPT_LOSS,
    OPT_DELAY,
    OPT_FAULTS,
    OPT_POWER,
    OPT_IDS,
    OPT_WORKERS,
    OPT_BOUND,
    OPT_MEMORY,
    OPT_NO_PROBES,
    OPT_OUT,
    OPT_TICK,
    OPT_PAIRS,
    OPT_DISCOVER,
    OPT_TRACE,
    OPT_TRACE_MAX,
    OPT_LOG,
    OPT_COUNT,
    OPT_KEEP,
    OPT_NODE,
    OPT_TYPE,
    OPT_FROM,
    OPT_TO,
    OPT_RUNS,
    OPT_SIZES,
    OPT_SEEDS,
    OPT_JOBS,
    OPT_SAVE,
    OPT_SAVE_EVERY,
    OPT_RESUME,
};

static const struct spec {
    const char *name;
    int code;
    unsigned flags;
    uint64_t most; /* of a number */
} specs[] = {
    {"seed", OPT_SEED, TAKES_NUMBER | ABOUT_RESULTS | ABOUT_SWEEP, UINT64_MAX},
    {"until-ms", OPT_UNTIL, TAKES_NUMBER | NOT_ZERO | ABOUT_RESULTS, 1000000000},
    {"loss", OPT_LOSS, TAKES_NUMBER | ABOUT_NETWORK, HD_SCENARIO_MILLION},
    {"delay-us", OPT_DELAY, TAKES_NUMBER | ABOUT_NETWORK, 1000000000},
    {"faults", OPT_FAULTS, ABOUT_NETWORK, 0},
    {"power-off", OPT_POWER, 0, 0},
    {"own-ids", OPT_IDS, 0, 0},
    {"workers", OPT_WORKERS, TAKES_NUMBER | NOT_ZERO | ABOUT_RESULTS, 1024},
    {"save", OPT_SAVE, TAKES_TEXT | ABOUT_RESULTS, 0},
    {"save-every-s", OPT_SAVE_EVERY, TAKES_NUMBER | ABOUT_RESULTS, 1000000},
    {"resume", OPT_RESUME, ABOUT_RESULTS, 0},
    {"bound-ms", OPT_BOUND, TAKES_NUMBER, 1000000000},
    {"memory-max-kb", OPT_MEMORY, TAKES_NUMBER, 1000000000},
    {"no-probes", OPT_NO_PROBES, 0, 0},
    {"out", OPT_OUT, TAKES_TEXT | ABOUT_RESULTS | ABOUT_SWEEP, 0},
    {"tick-ms", OPT_TICK, TAKES_NUMBER | NOT_ZERO, 1000000000},
    {"pairs", OPT_PAIRS, TAKES_NUMBER, 1000000000},
    {"discover", OPT_DISCOVER, TAKES_NUMBER, 1000000000},
    {"trace", OPT_TRACE, TAKES_TEXT | ABOUT_RESULTS | ABOUT_SWEEP, 0},
    {"trace-max-mb", OPT_TRACE_MAX, TAKES_NUMBER | NOT_ZERO | ABOUT_RESULTS, 1000000},
    {"log", OPT_LOG, TAKES_NUMBER | ABOUT_RESULTS, 7},
    {"count", OPT_COUNT, TAKES_NUMBER | ABOUT_RESULTS, 1000000000},
    {"keep-going", OPT_KEEP, ABOUT_RESULTS, 0},
    {"node", OPT_NODE, TAKES_TEXT | ABOUT_RESULTS, 0},
    {"type", OPT_TYPE, TAKES_TEXT | ABOUT_RESULTS, 0},
    {"from-ms", OPT_FROM, TAKES_TEXT | ABOUT_RESULTS, 0},
    {"to-ms", OPT_TO, TAKES_TEXT | ABOUT_RESULTS, 0},
    {"max-runs", OPT_RUNS, TAKES_NUMBER | ABOUT_RESULTS, 1000000},
    {"sizes", OPT_SIZES, TAKES_TEXT | ABOUT_RESULTS | ABOUT_SWEEP, 0},
    {"seeds", OPT_SEEDS, TAKES_NUMBER | NOT_ZERO | ABOUT_RESULTS | ABOUT_SWEEP, 10000},
    {"jobs", OPT_JOBS, TAKES_NUMBER | NOT_ZERO | ABOUT_RESULTS | ABOUT_SWEEP, 1024},
};

#define SPECS HD_ARRAY_LEN(specs)

static bool number(const struct spec *sp, const char *text, uint64_t *value)
{
    char *end;
    unsigned long long v = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != 0 || v > sp->most ||
        (v == 0 && sp->flags & NOT_ZERO))
        return false;
    *value = v;
    return true;
}

/* Milliseconds with up to six decimals, as a trace prints them. */
static bool milliseconds(const char *text, hd_time *t)
{
    char *end;
    double v = strtod(text, &end);
    if (text[0] < '0' || text[0] > '9' || *end != 0 || !(v < 1e12))
        return false;
    *t = (hd_time)(v * 1e6 + 0.5);
    return true;
}

static bool take_flag(struct hd_sim_arguments *a, int code)
{
    bool *const flags[] = {['j'] = &a->json, ['q'] = &a->quiet, ['v'] = &a->verbose};
    switch (code) {
    case 'j':
    case 'q':
    case 'v':
        return *flags[code] = true;
    case OPT_RESUME:
        return a->resume = true;
    case OPT_FAULTS:
        return a->faults = true;
    case OPT_POWER:
        return a->power_off = true;
    case OPT_IDS:
        return a->own_ids = true;
    case OPT_NO_PROBES:
        return a->no_probes = true;
    case OPT_KEEP:
        return a->keep_going = true;
    default:
        return false;
    }
}

static bool take_text(struct hd_sim_arguments *a, int code)
{
    switch (code) {
    case OPT_OUT:
        a->out = optarg;
        return true;
    case OPT_SAVE:
        a->save = optarg;
        return true;
    case OPT_TRACE:
        a->trace = optarg;
        return true;
    case OPT_NODE:
        a->node = optarg;
        return true;
    case OPT_TYPE:
        a->type = optarg;
        return true;
    case OPT_SIZES:
        a->sizes = optarg;
        return true;
    case OPT_FROM:
        return milliseconds(optarg, &a->from);
    default:
        return milliseconds(optarg, &a->to);
    }
}

static void take_time(struct hd_sim_arguments *a, int code, uint64_t v)
{
    switch (code) {
    case OPT_UNTIL:
        a->until = HD_MS(v);
        return;
    case OPT_DELAY:
        a->delay = HD_US(v);
        return;
    case OPT_TICK:
        a->tick = HD_MS(v);
        return;
    default:
        a->bound = HD_MS(v);
        return;
    }
}

static void take_number(struct hd_sim_arguments *a, int code, uint64_t v)
{
    switch (code) {
    case OPT_SEED:
        a->seed = v;
        a->seed_given = true;
        return;
    case OPT_LOSS:
        a->loss = (int64_t)v;
        return;
    case OPT_MEMORY:
        a->memory_max = v << 10;
        return;
    case OPT_PAIRS:
        a->pairs = v;
        a->pairs_given = true;
        return;
    case OPT_DISCOVER:
        a->discover = v;
        return;
    case OPT_TRACE_MAX:
        a->trace_max = v;
        return;
    case OPT_LOG:
        a->log_level = (int)v;
        return;
    case OPT_COUNT:
        a->count = v;
        return;
    case OPT_RUNS:
        a->runs_max = v;
        return;
    case OPT_SEEDS:
        a->seeds = v;
        return;
    case OPT_JOBS:
        a->jobs = v;
        return;
    case OPT_WORKERS:
        a->workers = v;
        return;
    case OPT_SAVE_EVERY:
        a->save_every_s = v;
        return;
    default:
        take_time(a, code, v);
    }
}

static const struct spec *spec_of(int code)
{
    for (size_t i = 0; i < SPECS; i++) {
        if (specs[i].code == code)
            return &specs[i];
    }
    return NULL;
}

static void wrong_value(const struct spec *sp, const char *value)
{
    fprintf(stderr, "heddle-sim: --%s: \"%s\"; expected: ", sp->name, value);
    if (sp->flags & TAKES_TEXT)
        fputs("milliseconds, such as 1234.5\n", stderr);
    else
        fprintf(stderr, "a whole number from %d to %llu\n", sp->flags & NOT_ZERO ? 1 : 0,
                (unsigned long long)sp->most);
}

static bool take(struct hd_sim_arguments *a, int code)
{
    const struct spec *sp = spec_of(code);
    uint64_t v = 0;
    if (sp == NULL || !(sp->flags & (TAKES_NUMBER | TAKES_TEXT)))
        return take_flag(a, code);
    bool good = sp->flags & TAKES_TEXT ? take_text(a, code) : number(sp, optarg, &v);
    if (!good)
        wrong_value(sp, optarg);
    else if (sp->flags & TAKES_NUMBER)
        take_number(a, code, v);
    return good;
}

int hd_sim_arguments_read(struct hd_sim_arguments *a, int argc, char **argv)
{
    struct option options[SPECS + 2] = {[SPECS] = {"help", no_argument, NULL, 'h'}};
    int code;
    for (size_t i = 0; i < SPECS; i++)
        options[i] = (struct option){
            specs[i].name,
            specs[i].flags & (TAKES_NUMBER | TAKES_TEXT) ? required_argument : no_argument, NULL,
            specs[i].code};
    *a = (struct hd_sim_arguments){.seed = 1,
                                   .count = 1,
                                   .seeds = 3,
                                   .jobs = 1,
                                   .workers = 1,
                                   .save_every_s = 600,
                                   .runs_max = 2000,
                                   .trace_max = 256,
                                   .memory_max = (uint64_t)16 << 20,
                                   .bound = HD_SEC(60),
                                   .delay = -1,
                                   .loss = -1,
                                   .to = HD_NEVER,
                                   .sizes = "100,1000",
                                   .argc = argc};
    a->argv = calloc((size_t)argc + 1, sizeof *a->argv);
    if (a->argv == NULL)
        return 2;
    memcpy(a->argv, argv, (size_t)argc * sizeof *argv);
    while ((code = getopt_long(argc, argv, "jqvh", options, NULL)) != -1) {
        if (code == 'h') {
            hd_sim_usage(stdout);
            return 1;
        }
        if (code == '?' || !take(a, code))
            return 2;
    }
    a->command = optind < argc ? argv[optind] : "";
    a->word_count = HD_MAX(argc - optind - 1, 0);
    a->words = argv + optind + 1;
    a->scenario = a->word_count > 0 ? a->words[0] : NULL;
    return 0;
}

void hd_sim_arguments_free(struct hd_sim_arguments *a)
{
    free(a->argv);
    a->argv = NULL;
}

/* --- the command again ---------------------------------------------------------------------------
 */

/* The option that a word of the command line is; short ones are about results. NULL: no option. */
static const struct spec *spec_of_word(const char *word, bool *value_apart)
{
    static const struct spec short_option = {"", 0, ABOUT_RESULTS, 0};
    *value_apart = false;
    if (word[0] == '-' && word[1] != '-' && word[1] != 0)
        return &short_option;
    if (strncmp(word, "--", 2) != 0)
        return NULL;
    size_t len = strcspn(word + 2, "=");
    for (size_t i = 0; i < SPECS; i++) {
        if (strncmp(specs[i].name, word + 2, len) != 0) /* getopt takes beginnings of names, too */
            continue;
        *value_apart = specs[i].flags & (TAKES_NUMBER | TAKES_TEXT) && word[2 + len] == 0;
        return &specs[i];
    }
    return NULL;
}

static void each_option(const struct hd_sim_arguments *a, unsigned but,
                        void (*give)(void *user, char *word), void *user)
{
    for (int i = 1; i < a->argc; i++) {
        bool apart;
        const struct spec *sp = spec_of_word(a->argv[i], &apart);
        if (sp == NULL)
            continue;
        if (!(sp->flags & but))
            give(user, a->argv[i]);
        if (apart && i + 1 < a->argc && !(sp->flags & but))
            give(user, a->argv[i + 1]);
        i += apart ? 1 : 0;
    }
}

static void put_word(void *user, char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_.,:/=+@%";
    FILE *out = user;
    fputc(' ', out);
    if (*word != 0 && word[strspn(word, plain)] == 0) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word != 0; word++) {
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    }
    fputc('\'', out);
}

char *hd_sim_replay_command(const struct hd_sim_arguments *a, const char *scenario, uint64_t seed,
                            hd_time until)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL)
        return NULL;
    fputs("heddle-sim run", out);
    put_word(out, (char *)(uintptr_t)(scenario != NULL ? scenario : a->scenario));
    each_option(a, ABOUT_RESULTS | (scenario != NULL ? ABOUT_NETWORK : 0u), put_word, out);
    if (scenario != NULL && a->implied_power_off)
        fputs(" --power-off", out);
    fprintf(out, " --seed %llu --until-ms %lld", (unsigned long long)seed,
            (long long)((until + HD_MS(1) - 1) / HD_MS(1)));
    fclose(out);
    return text;
}

void hd_sim_arguments_for_child(const struct hd_sim_arguments *a,
                                void (*give)(void *user, char *word), void *user)
{
    each_option(a, ABOUT_SWEEP, give, user);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle-sim sweep: the same kind of network at several sizes, each with several seeds, to see what
 * grows how. Each run is a process of its own that writes a folder, so several may run side by
 * side, a run that dies costs itself alone, and one whose folder is there already is not repeated.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base.h"
#include "sim/arguments.h"
#include "sim/queue.h"
#include "sim/sweep.h"

#define SIZES_MAX 16
#define WORDS_MAX 64

static const struct {
    const char *name, *pattern;
} families[] = {
    {"ba", "ba:N,2"},       {"er", "er:N,4"},     {"er8", "er:N,8"},  {"ws", "ws:N,4,0.1"},
    {"nws", "nws:N,4,0.1"}, {"rgg", "rgg:N,8"},   {"ring", "ring:N"}, {"line", "line:N"},
    {"star", "star:N"},     {"tree", "tree:N,2"},
};

/* The generator of a family at a size; false: a file, or a generator without N, of one size. */
static bool scenario_of(const char *family, uint64_t size, char *text, size_t len)
{
    const char *pattern = family;
    uint64_t side = (uint64_t)(sqrt((double)size) + 0.5);
    if (strcmp(family, "grid") == 0 || strcmp(family, "torus") == 0) {
        snprintf(text, len, "%s:%llux%llu", family, (unsigned long long)side,
                 (unsigned long long)(size / HD_MAX(side, (uint64_t)1)));
        return true;
    }
    for (size_t i = 0; i < HD_ARRAY_LEN(families); i++) {
        if (strcmp(families[i].name, family) == 0)
            pattern = families[i].pattern;
    }
    const char *colon = strchr(pattern, ':'), *at = colon == NULL ? NULL : strchr(colon, 'N');
    if (at == NULL || access(family, R_OK) == 0) {
        snprintf(text, len, "%s", family);
        return false;
    }
    snprintf(text, len, "%.*s%llu%s", (int)(at - pattern), pattern, (unsigned long long)size,
             at + 1);
    return true;
}

/* A name that a folder can have: of a file the last part of its path. */
static void folder_name(const char *scenario, char *name, size_t len)
{
    const char *slash = strrchr(scenario, '/');
    snprintf(name, len, "%s", slash != NULL ? slash + 1 : scenario);
    for (char *c = name; *c != 0; c++) {
        if (strchr(":,/", *c) != NULL)
            *c = '-';
    }
}

static unsigned sizes_of(const char *text, uint64_t *sizes)
{
    unsigned count = 0;
    while (count < SIZES_MAX) {
        char *end;
        sizes[count] = strtoull(text, &end, 10);
        if (end == text || sizes[count] == 0 || (*end != 0 && *end != ','))
            return 0;
        count++;
        if (*end == 0)
            return count;
        text = end + 1;
    }
    return 0;
}

static void add_run(struct hd_sweep *w, const struct hd_sim_arguments *a, const char *family,
                    const char *scenario, uint64_t size, uint64_t seed)
{
    struct hd_sweep_run *run = &w->runs[w->count++];
    char name[HD_SWEEP_NAME];
    *run = (struct hd_sweep_run){.seed = seed, .size = size};
    folder_name(family, run->family, sizeof run->family);
    snprintf(run->scenario, sizeof run->scenario, "%s", scenario);
    folder_name(scenario, name, sizeof name);
    snprintf(run->folder, sizeof run->folder, "%s/%s-seed%llu", a->out, name,
             (unsigned long long)seed);
}

static bool plan(struct hd_sweep *w, const struct hd_sim_arguments *a)
{
    uint64_t sizes[SIZES_MAX];
    unsigned size_count = sizes_of(a->sizes, sizes);
    char scenario[HD_SWEEP_NAME];
    if (size_count == 0) {
        fprintf(stderr, "heddle-sim: --sizes: expected numbers with commas between them\n");
        return false;
    }
    w->runs = hd_sim_alloc((size_t)a->word_count * size_count * a->seeds, sizeof *w->runs);
    for (int f = 0; f < a->word_count; f++) {
        bool grows = true;
        for (unsigned s = 0; s < size_count && grows; s++) {
            grows = scenario_of(a->words[f], sizes[s], scenario, sizeof scenario);
            for (uint64_t k = 0; k < a->seeds; k++)
                add_run(w, a, a->words[f], scenario, grows ? sizes[s] : 0, a->seed + k);
        }
    }
    return true;
}

/* --- children ------------------------------------------------------------------------------------
 */

struct words {
    char *v[WORDS_MAX + 1];
    unsigned count;
};

static void give(void *user, char *word)
{
    struct words *l = user;
    if (l->count < WORDS_MAX)
        l->v[l->count++] = word;
}

/* What the child prints goes into its folder. */
static void become_run(const struct hd_sim_arguments *a, struct hd_sweep_run *run)
{
    struct words l = {{0}, 0};
    char seed[24], path[2 * HD_SWEEP_NAME + 16], discover[] = "1000";
    const char *const fixed[] = {"heddle-sim", "run",       run->scenario, "--seed",  seed,
                                 "--out",      run->folder, "-q",          "--faults"};
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)run->seed);
    for (size_t i = 0; i < HD_ARRAY_LEN(fixed); i++)
        give(&l, (char *)(uintptr_t)fixed[i]);
    give(&l, (char *)(uintptr_t) "--discover");
    give(&l, discover);
    hd_sim_arguments_for_child(a, give, &l);
    snprintf(path, sizeof path, "%s/log", run->folder);
    int log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (log < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(127);
    execv("/proc/self/exe", l.v);
    _exit(127);
}

static pid_t start_run(const struct hd_sim_arguments *a, struct hd_sweep_run *run)
{
    if (mkdir(run->folder, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "heddle-sim: %s: %s\n", run->folder, strerror(errno));
        return -1;
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        become_run(a, run);
    return child;
}

static void tell(const struct hd_sweep *w, const struct hd_sweep_run *run, unsigned ended)
{
    printf("%u of %u  %s seed %llu: ", ended, w->count, run->scenario,
           (unsigned long long)run->seed);
    if (!run->done)
        printf("no result, see %s/log\n", run->folder);
    else
        printf("%.0f nodes, all pairs after %.0f ms, %.1f s%s%s\n", run->nodes, run->join_ms,
               run->wall_s, run->ok ? "" : ", FAILED ", run->why);
    fflush(stdout);
}

static int run_all(struct hd_sweep *w, const struct hd_sim_arguments *a)
{
    pid_t *children = hd_sim_alloc(w->count, sizeof *children);
    unsigned next = 0, running = 0, ended = 0, bad = 0;
    while (next < w->count || running > 0) {
        if (next < w->count && running < a->jobs) {
            struct hd_sweep_run *run = &w->runs[next];
            if (hd_sweep_read(run)) { /* of a sweep that was interrupted */
                tell(w, run, ++ended);
                bad += run->ok ? 0 : 1;
            } else {
                children[next] = start_run(a, run);
                running += children[next] > 0 ? 1 : 0;
                bad += children[next] > 0 ? 0 : 1;
            }
            next++;
            continue;
        }
        pid_t gone = wait(NULL);
        for (unsigned i = 0; i < next; i++) {
            if (gone <= 0 || children[i] != gone)
                continue;
            running--;
            bad += hd_sweep_read(&w->runs[i]) && w->runs[i].ok ? 0 : 1;
            tell(w, &w->runs[i], ++ended);
        }
        if (gone < 0)
            break;
    }
    free(children);
    return bad == 0 ? 0 : 1;
}

int hd_sim_command_sweep(const struct hd_sim_arguments *a)
{
    struct hd_sweep w = {.folder = a->out};
    if (a->out == NULL) {
        fprintf(stderr, "heddle-sim: sweep needs --out DIR\n");
        return 2;
    }
    if (mkdir(a->out, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "heddle-sim: %s: %s\n", a->out, strerror(errno));
        return 1;
    }
    int status = plan(&w, a) ? run_all(&w, a) : 2;
    if (status != 2) {
        hd_sweep_fold(&w);
        if (hd_sweep_write(&w) != 0)
            status = 1;
        printf("%s/index.html, %s/table.md, %s/runs.csv\n", a->out, a->out, a->out);
    }
    free(w.runs);
    free(w.rows);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a run out of its summary.json, and their means over seeds (sweep.h). */
#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "sim/queue.h"
#include "sim/sweep.h"

static const double reach_marks_ms[HD_SWEEP_MARKS] = {1000, 2000, 5000, 10000, 30000, 60000};

/* A number by its path, "a.b.c"; NAN when it is not there. */
static double number_at(const json_t *root, const char *path)
{
    char part[64];
    while (*path != 0 && root != NULL) {
        size_t len = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)len, path);
        root = json_object_get(root, part);
        path += len + (path[len] == '.' ? 1 : 0);
    }
    return json_is_number(root) ? json_number_value(root) : NAN;
}

static const struct {
    const char *path;
    size_t member;
} plain[] = {
    {"nodes", offsetof(struct hd_sweep_run, nodes)},
    {"links", offsetof(struct hd_sweep_run, links)},
    {"all_pairs_at_ms", offsetof(struct hd_sweep_run, join_ms)},
    {"stretch.first_packet.mean", offsetof(struct hd_sweep_run, first_mean)},
    {"stretch.first_packet.p50", offsetof(struct hd_sweep_run, first_p50)},
    {"stretch.first_packet.p95", offsetof(struct hd_sweep_run, first_p95)},
    {"stretch.first_packet.p99", offsetof(struct hd_sweep_run, first_p99)},
    {"stretch.first_packet.max", offsetof(struct hd_sweep_run, first_max)},
    {"stretch.contacts.mean", offsetof(struct hd_sweep_run, known_mean)},
    {"stretch.contacts.p95", offsetof(struct hd_sweep_run, known_p95)},
    {"stretch.contacts.p99", offsetof(struct hd_sweep_run, known_p99)},
    {"stretch.after_use.mean", offsetof(struct hd_sweep_run, found_mean)},
    {"stretch.after_use.p95", offsetof(struct hd_sweep_run, found_p95)},
    {"stretch.after_use.p99", offsetof(struct hd_sweep_run, found_p99)},
    {"per_node.contacts.mean", offsetof(struct hd_sweep_run, contacts_mean)},
    {"per_node.contacts.max", offsetof(struct hd_sweep_run, contacts_max)},
    {"per_node.labels.mean", offsetof(struct hd_sweep_run, labels_mean)},
    {"per_node.labels.p99", offsetof(struct hd_sweep_run, labels_p99)},
    {"per_node.labels.max", offsetof(struct hd_sweep_run, labels_max)},
    {"per_node.memory_bytes.mean", offsetof(struct hd_sweep_run, memory_mean)},
    {"per_node.memory_bytes.p99", offsetof(struct hd_sweep_run, memory_p99)},
    {"per_node.memory_bytes.max", offsetof(struct hd_sweep_run, memory_max)},
    {"process_peak_bytes", offsetof(struct hd_sweep_run, process_per_node)},
    {"messages_until_all_pairs", offsetof(struct hd_sweep_run, join_messages)},
    {"message_bytes_until_all_pairs", offsetof(struct hd_sweep_run, join_bytes)},
    {"last_route_change_ms", offsetof(struct hd_sweep_run, last_change_ms)},
    {"events", offsetof(struct hd_sweep_run, events)},
    {"wall_ms", offsetof(struct hd_sweep_run, wall_s)},
    {"cpu_ms", offsetof(struct hd_sweep_run, cpu_s)},
};

static void read_marks(struct hd_sweep_run *run, const json_t *root)
{
    const json_t *marks = json_object_get(root, "reachability");
    double until = number_at(root, "until_ms"), before_at = NAN, before = NAN, messages = NAN;
    double seconds = NAN;
    size_t i;
    const json_t *m;
    for (i = 0; i < HD_SWEEP_MARKS; i++)
        run->reach[i] = NAN;
    json_array_foreach(marks, i, m)
    {
        double at = number_at(m, "at_ms"), connected = number_at(m, "connected");
        for (unsigned k = 0; k < HD_SWEEP_MARKS; k++) {
            if (at == reach_marks_ms[k] && connected > 0 && at < until * HD_SIM_FAULT_LINK / 100)
                run->reach[k] = number_at(m, "arrived") / connected;
        }
        if (at < until * HD_SIM_FAULT_LINK / 100) { /* the last span before the faults */
            messages = number_at(m, "messages") - before;
            seconds = (at - before_at) / 1000;
            before_at = at;
            before = number_at(m, "messages");
        }
    }
    run->steady_messages = messages / seconds / run->nodes;
    run->link_steady = messages / seconds / run->links;
}

/* Faults by their place in the run. */
static void read_faults(struct hd_sweep_run *run, const json_t *root)
{
    static const double shares[4] = {HD_SIM_FAULT_LINK, HD_SIM_FAULT_NODE, HD_SIM_FAULT_MANY,
                                     HD_SIM_FAULT_BACK};
    const json_t *faults = json_object_get(root, "faults"), *f;
    double until = number_at(root, "until_ms");
    size_t i;
    for (unsigned k = 0; k < 4; k++)
        run->recovery_ms[k] = NAN;
    json_array_foreach(faults, i, f)
    {
        for (unsigned k = 0; k < 4; k++) {
            if (fabs(number_at(f, "at_ms") - until * shares[k] / 100) < 1)
                run->recovery_ms[k] = number_at(f, "repaired_after_ms");
        }
    }
}

bool hd_sweep_read(struct hd_sweep_run *run)
{
    char path[2 * HD_SWEEP_NAME + 32];
    json_error_t error;
    snprintf(path, sizeof path, "%s/summary.json", run->folder);
    json_t *root = json_load_file(path, 0, &error);
    const char *why = json_string_value(json_object_get(root, "failure"));
    const char *digest = json_string_value(json_object_get(root, "digest"));
    if (root == NULL || number_at(root, "seed") != (double)run->seed) {
        json_decref(root);
        return false;
    }
    for (size_t i = 0; i < HD_ARRAY_LEN(plain); i++)
        *(double *)((char *)run + plain[i].member) = number_at(root, plain[i].path);
    run->known_exact =
        number_at(root, "stretch.contacts.shortest") / number_at(root, "stretch.contacts.pairs");
    run->process_per_node /= run->nodes;
    run->join_messages /= run->nodes;
    run->join_bytes /= run->nodes;
    run->wall_s /= 1000;
    run->cpu_s /= 1000;
    read_marks(run, root);
    read_faults(run, root);
    run->ok = json_is_true(json_object_get(root, "ok"));
    run->done = true;
    snprintf(run->why, sizeof run->why, "%s", why != NULL ? why : "");
    snprintf(run->digest, sizeof run->digest, "%s", digest != NULL ? digest : "");
    json_decref(root);
    return true;
}

/* --- means ---------------------------------------------------------------------------------------
 */

/* The numbers of a run lie together, from `nodes` to `cpu_s`. */
#define FIRST_NUMBER offsetof(struct hd_sweep_run, nodes)
#define NUMBERS      ((offsetof(struct hd_sweep_run, digest) - FIRST_NUMBER) / sizeof(double))

static double *numbers_of(struct hd_sweep_run *run)
{
    return (double *)((char *)run + FIRST_NUMBER);
}

/* Of each number the mean over the runs that have it. */
static void fold_row(struct hd_sweep *w, struct hd_sweep_row *row, unsigned from, unsigned to)
{
    row->mean = w->runs[from];
    for (size_t k = 0; k < NUMBERS; k++) {
        double sum = 0;
        unsigned have = 0;
        for (unsigned i = from; i < to; i++) {
            double v = numbers_of(&w->runs[i])[k];
            if (w->runs[i].done && isfinite(v)) {
                sum += v;
                have++;
            }
        }
        numbers_of(&row->mean)[k] = have == 0 ? NAN : sum / have;
    }
    for (unsigned i = from; i < to; i++) {
        row->runs += w->runs[i].done ? 1 : 0;
        row->failed += w->runs[i].done && w->runs[i].ok ? 0 : 1;
    }
}

void hd_sweep_fold(struct hd_sweep *w)
{
    w->rows = hd_sim_alloc(w->count + 1, sizeof *w->rows);
    for (unsigned from = 0, to; from < w->count; from = to) {
        for (to = from + 1; to < w->count; to++) {
            if (w->runs[to].size != w->runs[from].size ||
                strcmp(w->runs[to].family, w->runs[from].family) != 0)
                break;
        }
        fold_row(w, &w->rows[w->row_count++], from, to);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Why a pair does not work: the walk, and what KIRA knows at its source and where it ended. */
#include <stdio.h>
#include <string.h>

#include "core/kira/kira.h"
#include "sim/run.h"

static const char *const contact_states[] = {"unprobed", "valid", "invalid", "searching"};
static const char *const link_states[] = {"up", "checking", "adopted"};

static uint32_t number_of(const struct hd_sim *s, const struct hd_id *id)
{
    uint32_t n = hd_sim_find(s, id);
    return n == HD_SIM_NONE ? 999999 : n;
}

static void print_contact(struct hd_sim *s, uint32_t node, uint32_t to)
{
    struct hd_row_cursor cursor = {0};
    struct hd_kira_row_contact row;
    uint32_t all = 0;
    bool found = false;
    while (!cursor.end &&
           hd_router_rows(hd_sim_router(s, node), HD_CORE_KIRA, HD_KIRA_LIST_CONTACTS, &cursor,
                          &row, 1, hd_sim_local_time(s, node)) == 1) {
        all++;
        if (number_of(s, &row.id) != to)
            continue;
        found = true;
        printf("  node %u has contact %u: bucket %u, %s%s%s%s%s, heard %lld ms ago, path", node, to,
               row.bucket, contact_states[row.state & 3], row.installed ? ", route" : "",
               row.set_up ? ", set up" : "", row.in_use ? ", in use" : "",
               row.on_demand ? ", on demand" : "",
               row.last_heard_ns == HD_NEVER ? -1 : (long long)hd_time_to_ms(row.last_heard_ns));
        for (unsigned i = 0; i < row.path_len && i < HD_KIRA_PATH_ROW; i++)
            printf(" %u", number_of(s, &row.path[i]));
        putchar('\n');
    }
    if (!found)
        printf("  node %u has %u contacts, %u is none of them\n", node, all, to);
}

static void print_neighbours(struct hd_sim *s, uint32_t node)
{
    struct hd_row_cursor cursor = {0};
    struct hd_kira_row_neighbour row;
    printf("  neighbours of node %u:", node);
    while (!cursor.end &&
           hd_router_rows(hd_sim_router(s, node), HD_CORE_KIRA, HD_KIRA_LIST_NEIGHBOURS, &cursor,
                          &row, 1, hd_sim_local_time(s, node)) == 1)
        printf(" %u %s%s (adj %u)", number_of(s, &row.id), link_states[row.state % 3],
               row.watched ? " watched" : "", row.adj);
    putchar('\n');
}

static void print_vicinity(struct hd_sim *s, uint32_t node)
{
    struct hd_row_cursor cursor = {0};
    struct hd_kira_row_vicinity row;
    printf("  vicinity of node %u (distance, sequence observed and synchronised, degree):", node);
    while (!cursor.end &&
           hd_router_rows(hd_sim_router(s, node), HD_CORE_KIRA, HD_KIRA_LIST_VICINITY, &cursor,
                          &row, 1, hd_sim_local_time(s, node)) == 1)
        printf(" %u (%u, %u %u, %u)", number_of(s, &row.id), row.distance, row.observed,
               row.synchronised, row.degree);
    putchar('\n');
}

void hd_sim_explain(struct hd_sim *s, uint32_t from, uint32_t to)
{
    struct hd_sim_walk w;
    char id[HD_ID_TEXT];
    hd_sim_walk_pair(s, from, to, &w);
    printf("  node %u to node %u (%s), distance %u: %s at node %u, way", from, to,
           hd_id_format(hd_sim_id(s, to), id), hd_sim_distance(s, from, to),
           hd_sim_fate_name(w.fate), w.at);
    for (uint32_t i = 0; i < w.node_count; i++)
        printf(" %u", w.nodes[i]);
    putchar('\n');
    const uint32_t places[2] = {from, w.at};
    for (unsigned i = 0; i < (from == w.at ? 1u : 2u); i++) {
        if (hd_sim_router(s, places[i]) == NULL)
            continue;
        print_contact(s, places[i], to);
        print_neighbours(s, places[i]);
        if (i == 1)
            print_vicinity(s, places[i]);
    }
}

#define COUNTERS_MAX 256

/* Counters of KIRA, summed over living nodes. */
void hd_sim_print_counters(struct hd_sim *s)
{
    static struct hd_kira_row_counter rows[COUNTERS_MAX], sums[COUNTERS_MAX];
    uint32_t count = 0;
    for (uint32_t node = 0; node < hd_sim_node_count(s); node++) {
        struct hd_row_cursor cursor = {0};
        if (hd_sim_router(s, node) == NULL)
            continue;
        uint32_t n = hd_router_rows(hd_sim_router(s, node), HD_CORE_KIRA, HD_KIRA_LIST_COUNTERS,
                                    &cursor, rows, COUNTERS_MAX, hd_sim_local_time(s, node));
        for (uint32_t i = 0; i < n; i++) {
            uint32_t at = 0;
            while (at < count && strcmp(sums[at].name, rows[i].name) != 0)
                at++;
            if (at == COUNTERS_MAX)
                continue;
            if (at == count)
                sums[count++] = (struct hd_kira_row_counter){.name = rows[i].name};
            sums[at].value += rows[i].value;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (sums[i].value > 0)
            printf("  %-32s %12llu\n", sums[i].name, (unsigned long long)sums[i].value);
    }
}

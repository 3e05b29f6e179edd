/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory a run will take, said before it begins: a run that is killed after an hour for
 * want of memory has taught nothing. In a group each process has the engine's share of all nodes
 * and its own routers. The engine's own share is known to the byte; that of routers and of what is
 * under way is what was seen at sizes that could be measured.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/engine.h"

#define ROUTER_BYTES  ((uint64_t)16 * 1024) /* with the slack of its pool */
#define PER_END_BYTES ((uint64_t)512)       /* of a router, for each of its links */
#define WAY_BYTES     ((uint64_t)1024)      /* per node: events, datagrams, changes under way */
#define ID_BYTES      ((uint64_t)110)       /* two maps, and the table of identifiers */
#define WORKER_BYTES  ((uint64_t)8 << 20)

static uint64_t engine_bytes(uint64_t nodes, uint64_t links)
{
    return nodes * (sizeof(struct node) + 2 * sizeof(uint64_t) + 2 * sizeof(uint32_t) + ID_BYTES) +
           links * (sizeof(struct link) + 2 * (sizeof(struct end) + sizeof(uint32_t)));
}

static uint64_t estimate(const struct hd_sim_options *o, uint64_t nodes, uint64_t links)
{
    uint64_t router = o->router_bytes != 0 ? o->router_bytes : ROUTER_BYTES;
    uint64_t routers = nodes * (router + WAY_BYTES) + links * 2 * PER_END_BYTES;
    return engine_bytes(nodes, links) + routers / (o->group == NULL ? 1 : o->group->size) +
           HD_MAX(o->workers, 1u) * WORKER_BYTES;
}

uint64_t hd_sim_estimate(const struct hd_scenario *sc, const struct hd_sim_options *o)
{
    return estimate(o, sc->node_count, sc->link_count);
}

/* A number after `name` in a file of the kernel, in units; false when there is none. */
static bool read_number(const char *path, const char *name, uint64_t unit, uint64_t *value)
{
    char line[256];
    bool found = false;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    while (!found && fgets(line, sizeof line, f) != NULL) {
        size_t len = strlen(name);
        char *end;
        if (strncmp(line, name, len) != 0)
            continue;
        unsigned long long v = strtoull(line + len, &end, 10);
        found = end != line + len;
        *value = v * unit;
    }
    (void)fclose(f);
    return found;
}

/* What the machine has free, and a limit of the control group if there is one. */
uint64_t hd_sim_memory(void)
{
    uint64_t free_now = UINT64_MAX, limit, used;
    (void)read_number("/proc/meminfo", "MemAvailable:", 1024, &free_now);
    if (read_number("/sys/fs/cgroup/memory.max", "", 1, &limit) &&
        read_number("/sys/fs/cgroup/memory.current", "", 1, &used))
        free_now = HD_MIN(free_now, limit - HD_MIN(used, limit));
    return free_now;
}

bool hd_sim_fits(const struct hd_scenario *sc, const struct hd_sim_options *o, char *err,
                 size_t errlen)
{
    uint64_t need = hd_sim_estimate(sc, o);
    uint64_t have = o->memory_bytes != 0 ? o->memory_bytes : hd_sim_memory();
    if (need <= have)
        return true;
    /* as many links per node as here, and the same workers */
    uint64_t fixed = estimate(o, 0, 0);
    uint64_t each = (need - fixed) / HD_MAX(sc->node_count, 1u) + 1;
    snprintf(err, errlen,
             "%u nodes need about %llu MiB of memory, %llu MiB are free: about %llu nodes like "
             "these would fit",
             sc->node_count, (unsigned long long)(need >> 20), (unsigned long long)(have >> 20),
             (unsigned long long)(have > fixed ? (have - fixed) / each : 0));
    return false;
}

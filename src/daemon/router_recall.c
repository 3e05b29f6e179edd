/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration in force, remembered. It comes from heddle-config, which has to be started,
 * reads files and checks a tree: a router that was killed would be without its protocols for as
 * long, and a neighbour of VRRP waits a third of a second. So what the cores have taken lies in
 * memory that the keeper made and that outlives us; a successor of the same build takes it from
 * there at its start. What heddle-config says afterwards counts, and is no news where it is the
 * same: a part that a core has already is not given to it again.
 *
 * The memory is written by router processes alone. It is valid as a whole or not at all; who dies
 * while writing leaves it invalid.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind/config.h"
#include "daemon/router.h"
#include "lib/base.h"

struct part {
    uint32_t named; /* something was said about this core */
    uint32_t run;
    uint64_t len;
    uint64_t digest; /* hd_config_digest */
};

struct hd_recall {
    uint64_t layout; /* hd_config_layout() */
    uint64_t valid;
    struct part part[HD_CORE_COUNT];
};

#define HEAD ((size_t)4096)

_Static_assert(sizeof(struct hd_recall) <= HEAD, "the head has a page");
_Static_assert(HD_RECALL_BYTES >= HEAD + (size_t)HD_CORE_COUNT * HD_CONFIG_BYTES_MAX,
               "there is room for all");

void hd_router_recall_map(struct hd_router_role *r, int fd)
{
    struct stat st;
    bool whole = fstat(fd, &st) == 0 && st.st_size == (off_t)HD_RECALL_BYTES;
    void *at = r->recall == NULL && whole
                   ? mmap(NULL, HD_RECALL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                   : MAP_FAILED;
    if (at != MAP_FAILED) {
        r->recall = at;
    }
}

static uint8_t *bytes_of(const struct hd_recall *m, unsigned core)
{
    return (uint8_t *)(uintptr_t)m + HEAD + (size_t)core * HD_CONFIG_BYTES_MAX;
}

static bool is_ours(const struct hd_recall *m)
{
    return m != NULL && m->layout == hd_config_layout();
}

static bool is_valid(const struct hd_recall *m)
{
    return is_ours(m) && m->valid == 1;
}

bool hd_router_recall_same(const struct hd_router_role *r, unsigned core)
{
    const struct hd_router_config_part *p = &r->config.part[core];
    const struct hd_recall *m = r->recall;

    if (!is_valid(m) || p->delta || p->have != p->total || m->part[core].named == 0 ||
        (m->part[core].run != 0) != p->run || m->part[core].len != p->total) {
        return false;
    }
    return p->total == 0 || memcmp(bytes_of(m, core), p->bytes, p->total) == 0;
}

void hd_router_recall_forget(struct hd_router_role *r)
{
    if (r->recall != NULL) {
        __atomic_store_n(&r->recall->valid, 0, __ATOMIC_SEQ_CST);
    }
}

/* What an earlier one needed more goes back. */
static void give_back(uint8_t *to, size_t was, size_t is)
{
    size_t kept = (is + 4095) & ~(size_t)4095;

    if (was > kept) {
        (void)madvise(to + kept, HD_CONFIG_BYTES_MAX - kept, MADV_REMOVE);
    }
}

static void change_part(struct hd_recall *m, unsigned core, const struct hd_router_config_part *p)
{
    struct part *is = &m->part[core];

    size_t was = is->len;

    is->len = hd_config_delta_apply(hd_config_of((uint8_t)core), bytes_of(m, core), was, &p->edit);
    give_back(bytes_of(m, core), was, is->len);
    is->digest = p->becomes;
}

static void write_part(struct hd_recall *m, unsigned core, const struct hd_router_config_part *p)
{
    uint8_t *to = bytes_of(m, core);

    m->part[core] = (struct part){.named = 1, .run = p->run, .len = p->total, .digest = p->becomes};
    if (p->total > 0) {
        memcpy(to, p->bytes, p->total);
    }
    give_back(to, HD_CONFIG_BYTES_MAX, p->total);
}

void hd_router_remember(struct hd_router_role *r)
{
    struct hd_recall *m = r->recall;

    if (m == NULL) {
        return;
    }
    hd_router_recall_forget(r);
    if (!is_ours(m)) {
        memset(m->part, 0, sizeof m->part);
        m->layout = hd_config_layout();
    }
    for (unsigned i = 0; i < HD_CORE_COUNT; i++) {
        const struct hd_router_config_part *p = &r->config.part[i];
        if (p->named && p->delta) {
            change_part(m, i, p);
        } else if (p->named) {
            write_part(m, i, p);
        }
    }
    __atomic_store_n(&m->valid, 1, __ATOMIC_SEQ_CST);
}

bool hd_router_recall_part(const struct hd_router_role *r, unsigned core, struct hd_recalled *is)
{
    const struct hd_recall *m = r->recall;

    if (!is_valid(m) || m->part[core].named == 0 || m->part[core].run == 0 ||
        m->part[core].len > HD_CONFIG_BYTES_MAX) {
        return false;
    }
    *is = (struct hd_recalled){.bytes = bytes_of(m, core),
                               .len = (uint32_t)m->part[core].len,
                               .digest = m->part[core].digest};
    return true;
}

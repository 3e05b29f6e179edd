/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the memory of a router with KIRA is: bytes and items by category, as the pool rounds them.
 * Networks of a hundred thousand simulated nodes stand or fall with these figures, and on a router
 * they tell which table a crowd of neighbours fills. What no category claims is "other": the pool's
 * and the router's own structs, and the identifier table where it is not shared.
 */
#include "core/kira/state.h"

struct kira_sum {
    uint64_t bytes, items;
};

static void kira_sum_block(struct kira_sum *s, size_t bytes)
{
    if (bytes > 0)
        s->bytes += hd_pool_rounded(bytes);
}

#define kira_sum_vec(s, vec) kira_sum_block((s), (size_t)(vec)->cap * sizeof *(vec)->v)

static void kira_sum_index(struct kira_sum *s, const struct hd_index *x)
{
    kira_sum_block(s, (size_t)x->cap * sizeof *x->slots);
}

static struct kira_sum kira_sum_interfaces(const struct kira *k)
{
    struct kira_sum s = {.items = k->interfaces.len};

    kira_sum_vec(&s, &k->interfaces);
    s.bytes += s.items * hd_pool_rounded(sizeof(struct kira_interface));
    return s;
}

static struct kira_sum kira_sum_neighbours(const struct kira *k)
{
    struct kira_sum s = {.items = k->ulns.len};

    kira_sum_vec(&s, &k->ulns);
    kira_sum_index(&s, &k->uln_index);
    for (uint32_t i = 0; i < k->ulns.len; i++) {
        kira_sum_block(&s, sizeof(struct kira_uln));
        s.bytes += k->ulns.v[i]->links_len * hd_pool_rounded(sizeof(struct kira_link));
    }
    return s;
}

static struct kira_sum kira_sum_vicinity(const struct kira *k)
{
    struct kira_sum s = {.items = k->vicinity.len};

    kira_sum_vec(&s, &k->vicinity);
    kira_sum_index(&s, &k->vicinity_index);
    s.bytes += s.items * hd_pool_rounded(sizeof(struct kira_vicinity));
    return s;
}

static struct kira_sum kira_sum_lists(const struct kira *k)
{
    struct kira_sum s = {0};

    for (uint32_t i = 0; i < k->vicinity.len; i++) {
        s.items += k->vicinity.v[i]->list_len;
        kira_sum_block(&s, k->vicinity.v[i]->list_len * sizeof(hd_node));
    }
    return s;
}

static struct kira_sum kira_sum_contacts(const struct kira *k)
{
    struct kira_sum s = {.items = k->contacts.len};

    kira_sum_vec(&s, &k->contacts);
    kira_sum_index(&s, &k->contact_index);
    return s;
}

static struct kira_sum kira_sum_paths(const struct kira *k)
{
    struct kira_sum s = {0};

    for (uint32_t i = 0; i < k->trie.len; i++)
        s.items += k->trie.v[i].refs > 0;
    kira_sum_vec(&s, &k->trie);
    return s;
}

static struct kira_sum kira_sum_requests(const struct kira *k)
{
    struct kira_sum s = {.items = k->requests.len + k->searches.len + k->commands.len};

    kira_sum_vec(&s, &k->requests);
    kira_sum_vec(&s, &k->searches);
    kira_sum_vec(&s, &k->commands);
    s.bytes += k->requests.len * hd_pool_rounded(sizeof(struct kira_request));
    s.bytes += k->searches.len * hd_pool_rounded(sizeof(struct kira_search));
    for (uint32_t i = 0; i < k->commands.len; i++) {
        kira_sum_block(&s, sizeof(struct kira_command));
        kira_sum_block(&s, k->commands.v[i]->hops_len * sizeof(struct hd_kira_row_hop));
    }
    return s;
}

static struct kira_sum kira_sum_labels(const struct hd_model *m)
{
    struct kira_sum s = {.items = m->label_free.live};

    kira_sum_vec(&s, &m->labels);
    kira_sum_index(&s, &m->label_index);
    return s;
}

static struct kira_sum kira_sum_routes(const struct hd_model *m)
{
    struct kira_sum s = {.items = m->route_free.live};

    kira_sum_vec(&s, &m->routes);
    kira_sum_index(&s, &m->route_index);
    return s;
}

static struct kira_sum kira_sum_guards(const struct kira *k, const struct hd_model *m)
{
    struct kira_sum s = {.items = k->guards.len};

    kira_sum_vec(&s, &k->guards);
    kira_sum_index(&s, &k->guard_index);
    if (m->guards != NULL) {
        s.bytes += hd_pool_rounded(sizeof *m->guards);
        kira_sum_vec(&s, &m->guards->v);
        kira_sum_vec(&s, &m->guards->repairs);
    }
    return s;
}

static struct kira_sum kira_sum_adjs(const struct hd_model *m)
{
    struct kira_sum s = {.items = m->adj_free.live};

    kira_sum_vec(&s, &m->adjs);
    return s;
}

static struct kira_sum kira_sum_state(const struct kira *k)
{
    struct kira_sum s = {.items = 1};

    kira_sum_block(&s, sizeof *k);
    kira_sum_vec(&s, &k->failed);
    return s;
}

static struct kira_sum kira_sum_timers(const struct kira *k)
{
    struct kira_sum s = {.items = k->timers.len};

    kira_sum_block(&s, k->timers.cap * sizeof *k->timers.heap);
    return s;
}

#define KIRA_MEMORY_ROWS 16

uint32_t kira_memory(struct kira_call *x, struct hd_row_cursor *cursor,
                     struct hd_kira_row_memory *out, uint32_t max)
{
    const struct kira *k = x->k;
    const struct hd_pool *pool = x->c->pool;
    struct {
        const char *name;
        struct kira_sum sum;
    } all[KIRA_MEMORY_ROWS] = {
        {"state", kira_sum_state(k)},
        {"interfaces", kira_sum_interfaces(k)},
        {"neighbours", kira_sum_neighbours(k)},
        {"vicinity", kira_sum_vicinity(k)},
        {"vicinity-lists", kira_sum_lists(k)},
        {"contacts", kira_sum_contacts(k)},
        {"paths", kira_sum_paths(k)},
        {"requests", kira_sum_requests(k)},
        {"timers", kira_sum_timers(k)},
        {"adjacencies", kira_sum_adjs(x->c->model)},
        {"labels", kira_sum_labels(x->c->model)},
        {"routes", kira_sum_routes(x->c->model)},
        {"guards", kira_sum_guards(k, x->c->model)},
    };
    uint64_t sum = 0;
    uint32_t n = 0;

    for (unsigned i = 0; i < KIRA_MEMORY_ROWS - 3; i++)
        sum += all[i].sum.bytes;
    all[13].name = "other";
    all[13].sum.bytes = pool->live > sum ? pool->live - sum : 0;
    all[14].name = "allocated"; /* the sum of all above */
    all[14].sum.bytes = pool->live;
    all[15].name = "touched"; /* with what was freed and waits to be used again */
    all[15].sum.bytes = pool->used;
    while (cursor->a < KIRA_MEMORY_ROWS && n < max) {
        out[n].name = all[cursor->a].name;
        out[n].bytes = all[cursor->a].sum.bytes;
        out[n++].items = all[cursor->a++].sum.items;
    }
    cursor->end = cursor->a >= KIRA_MEMORY_ROWS;
    return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths. All paths of a node's contacts begin at the node itself and share their first parts, so
 * they lie in one tree: 16 bytes per distinct node instead of 4 per hop and contact, and what a
 * failed link takes down is a subtree. Entry 0 is the node itself. A path is named by the entry of
 * its last node; the entry counts the paths that end there and its children.
 */
#include "core/kira/state.h"

static uint16_t kira_trie_child(const struct kira *k, uint16_t parent, hd_node node)
{
    for (uint16_t t = k->trie.v[parent].child; t != 0; t = k->trie.v[t].next)
        if (k->trie.v[t].node == node)
            return t;
    return 0;
}

static uint16_t kira_trie_new(struct kira_call *x, uint16_t parent, hd_node node)
{
    struct kira *k = x->k;
    struct kira_trie_node fresh = {.node = node, .parent = parent};
    uint16_t at = k->trie_free;

    if (at != 0) {
        k->trie_free = k->trie.v[at].next;
    } else {
        if (k->trie.len >= HD_KIRA_TRIE_MAX) {
            kira_count(x, KIRA_N_PATH_TOO_LONG);
            return 0;
        }
        at = (uint16_t)k->trie.len;
        if (hd_vec_push(x->c->pool, &k->trie, fresh) != 0) {
            kira_no_memory(x);
            return 0;
        }
    }
    fresh.next = k->trie.v[parent].child;
    k->trie.v[at] = fresh;
    k->trie.v[parent].child = at;
    if (parent != 0) /* the root stays anyway */
        k->trie.v[parent].refs++;
    return at;
}

static void kira_trie_unref(struct kira *k, uint16_t at)
{
    while (at != 0 && --k->trie.v[at].refs == 0) {
        uint16_t parent = k->trie.v[at].parent;
        uint16_t *link = &k->trie.v[parent].child;
        while (*link != at)
            link = &k->trie.v[*link].next;
        *link = k->trie.v[at].next;
        k->trie.v[at] = (struct kira_trie_node){.next = k->trie_free};
        k->trie_free = at;
        at = parent;
    }
}

uint16_t kira_path_insert(struct kira_call *x, const hd_node *path, uint32_t len)
{
    struct kira *k = x->k;
    uint16_t at = 0;

    HD_ASSERT(len > 0 && len <= HD_KIRA_PATH_MAX);
    for (uint32_t i = 0; i < len; i++) {
        uint16_t next = kira_trie_child(k, at, path[i]);
        if (next == 0)
            next = kira_trie_new(x, at, path[i]);
        if (next == 0) {
            if (at != 0) { /* give back the part that nobody else uses */
                k->trie.v[at].refs++;
                kira_trie_unref(k, at);
            }
            return 0;
        }
        at = next;
    }
    k->trie.v[at].refs++;
    return at;
}

void kira_path_release(struct kira *k, uint16_t end)
{
    if (end != 0)
        kira_trie_unref(k, end);
}

uint32_t kira_path_read(const struct kira *k, uint16_t end, hd_node *out)
{
    uint32_t len = 0;

    for (uint16_t t = end; t != 0; t = k->trie.v[t].parent)
        len++;
    uint32_t i = len;
    for (uint16_t t = end; t != 0; t = k->trie.v[t].parent)
        out[--i] = k->trie.v[t].node;
    return len;
}

hd_node kira_path_first(const struct kira *k, uint16_t end)
{
    hd_node first = 0;

    for (uint16_t t = end; t != 0; t = k->trie.v[t].parent)
        first = k->trie.v[t].node;
    return first;
}

bool kira_path_has_link(const struct kira *k, uint16_t end, hd_node self, hd_node a, hd_node b)
{
    for (uint16_t t = end; t != 0; t = k->trie.v[t].parent) {
        hd_node to = k->trie.v[t].node;
        hd_node from = k->trie.v[t].parent == 0 ? self : k->trie.v[k->trie.v[t].parent].node;
        if ((from == a && to == b) || (from == b && to == a))
            return true;
    }
    return false;
}

bool kira_path_has_node(const struct kira *k, uint16_t end, hd_node n)
{
    for (uint16_t t = end; t != 0; t = k->trie.v[t].parent)
        if (k->trie.v[t].node == n)
            return true;
    return false;
}

#define KIRA_CLEAN_SHORT 24
#define KIRA_CLEAN_SLOTS 4096

_Static_assert(KIRA_CLEAN_SLOTS > 2 * (HD_KIRA_ROUTE_MAX + HD_KIRA_PATH_MAX),
               "a table that finds its nodes soon");

/* Where a node stands in the first `out` of a path; out: nowhere. */
static uint32_t kira_path_position(const hd_node *path, uint32_t out, hd_node n)
{
    uint32_t at = 0;

    while (at < out && path[at] != n)
        at++;
    return at;
}

/*
 * The same for long paths, whose length a hostile neighbour chooses: position and one by node. A
 * slot may be out of date where the path was cut; the path itself tells.
 */
static uint32_t kira_path_clean_long(hd_node self, hd_node *path, uint32_t len)
{
    uint16_t slots[KIRA_CLEAN_SLOTS] = {0};
    uint32_t out = 0;

    for (uint32_t i = 0; i < len; i++) {
        hd_node n = path[i];
        if (n == self) {
            out = 0;
            continue;
        }
        uint32_t s = (uint32_t)hd_mix64(n) % KIRA_CLEAN_SLOTS;
        uint32_t at = out;
        for (; slots[s] != 0; s = (s + 1) % KIRA_CLEAN_SLOTS)
            if (slots[s] <= out && path[slots[s] - 1] == n) {
                at = slots[s] - 1u;
                break;
            }
        path[at] = n;
        slots[s] = (uint16_t)(at + 1);
        out = at + 1;
    }
    return out;
}

/* Whenever a node repeats, the loop between is cut; the path starts behind its last pass through
 * self. */
uint32_t kira_path_clean(hd_node self, hd_node *path, uint32_t len)
{
    uint32_t out = 0;

    if (len > KIRA_CLEAN_SHORT && len < KIRA_CLEAN_SLOTS / 2)
        return kira_path_clean_long(self, path, len);
    for (uint32_t i = 0; i < len; i++) {
        if (path[i] == self) {
            out = 0;
            continue;
        }
        uint32_t seen = kira_path_position(path, out, path[i]);
        path[seen] = path[i];
        out = seen + 1;
    }
    return out;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash map: linear probing over a power of two of slots.
 *
 * Removed slots stay as marks so that a caller may remove while it iterates. Marks that are
 * followed by an empty slot become empty at once; when the rest make probes long they are cleared
 * in place, without memory, so a map that lives in a full pool works for ever. It grows at three
 * quarters; when growth finds no memory it goes on up to seven eighths. At least one slot is always
 * empty: probes end there.
 */
#include "lib/map.h"

#include <string.h>

#include "lib/base.h"
#include "lib/hash.h"

enum { EMPTY = 0, USED = 1, REMOVED = 2, UNPLACED = REMOVED };

#define FIRST_CAP 4u

static uint32_t home(const struct hd_map *m, uint64_t key)
{
    return (uint32_t)hd_mix64(hd_mix64(key ^ m->salt) + m->salt) & (m->cap - 1);
}

void hd_map_init(struct hd_map *m, uint64_t salt)
{
    memset(m, 0, sizeof *m);
    m->salt = salt;
}

void hd_map_free(struct hd_map *m, struct hd_pool *p)
{
    hd_pool_free(p, m->slots, (size_t)m->cap * sizeof *m->slots);
    hd_map_init(m, m->salt);
}

/* The used slot of the key, NULL when it is not there. */
static struct hd_map_slot *find(const struct hd_map *m, uint64_t key)
{
    if (m->len == 0)
        return NULL;
    for (uint32_t i = home(m, key);; i = (i + 1) & (m->cap - 1)) {
        struct hd_map_slot *s = &m->slots[i];
        if (s->state == EMPTY)
            return NULL;
        if (s->state == USED && s->key == key)
            return s;
    }
}

/* Writes a key that is not there into the first slot that is free for it. */
static void place(struct hd_map *m, uint64_t key, uint32_t value)
{
    uint32_t i = home(m, key);

    while (m->slots[i].state == USED)
        i = (i + 1) & (m->cap - 1);
    if (m->slots[i].state == REMOVED)
        m->removed--;
    m->slots[i] = (struct hd_map_slot){.key = key, .value = value, .state = USED};
    m->len++;
}

static int grow(struct hd_map *m, struct hd_pool *p)
{
    uint64_t cap = m->cap == 0 ? FIRST_CAP : (uint64_t)m->cap * 2;

    if (cap > 1u << 31)
        return HD_ENOMEM;
    struct hd_map_slot *slots = hd_pool_alloc(p, (size_t)cap * sizeof *slots);
    if (slots == NULL)
        return HD_ENOMEM;
    struct hd_map old = *m;
    m->slots = slots;
    m->cap = (uint32_t)cap;
    m->len = m->removed = 0;
    for (uint32_t i = 0; i < old.cap; i++)
        if (old.slots[i].state == USED)
            place(m, old.slots[i].key, old.slots[i].value);
    hd_pool_free(p, old.slots, (size_t)old.cap * sizeof *old.slots);
    return 0;
}

/*
 * Clears the marks without memory: all items are declared unplaced, then each is put where its
 * probe first meets a slot that no placed item holds; an unplaced item found there is carried on.
 */
static void clear_marks(struct hd_map *m)
{
    for (uint32_t i = 0; i < m->cap; i++)
        m->slots[i].state = m->slots[i].state == USED ? UNPLACED : EMPTY;
    for (uint32_t i = 0; i < m->cap; i++) {
        if (m->slots[i].state != UNPLACED)
            continue;
        struct hd_map_slot carried = m->slots[i];
        m->slots[i].state = EMPTY;
        while (carried.state == UNPLACED) {
            uint32_t at = home(m, carried.key);
            while (m->slots[at].state == USED)
                at = (at + 1) & (m->cap - 1);
            struct hd_map_slot met = m->slots[at];
            carried.state = USED;
            m->slots[at] = carried;
            carried = met;
        }
    }
    m->removed = 0;
}

/* Makes room for one more item. */
static int make_room(struct hd_map *m, struct hd_pool *p)
{
    uint64_t want = (uint64_t)m->len + 1;

    if (want * 4 > (uint64_t)m->cap * 3 && grow(m, p) != 0 && want * 8 > (uint64_t)m->cap * 7)
        return HD_ENOMEM;
    if ((want + m->removed) * 8 > (uint64_t)m->cap * 7)
        clear_marks(m);
    return 0;
}

int hd_map_set(struct hd_map *m, struct hd_pool *p, uint64_t key, uint32_t value)
{
    struct hd_map_slot *s = find(m, key);

    if (s != NULL) {
        s->value = value;
        return 0;
    }
    int error = make_room(m, p);
    if (error != 0)
        return error;
    place(m, key, value);
    return 0;
}

bool hd_map_get(const struct hd_map *m, uint64_t key, uint32_t *value)
{
    const struct hd_map_slot *s = find(m, key);

    if (s != NULL)
        *value = s->value;
    return s != NULL;
}

bool hd_map_del(struct hd_map *m, uint64_t key)
{
    struct hd_map_slot *s = find(m, key);

    if (s == NULL)
        return false;
    uint32_t mask = m->cap - 1;
    uint32_t i = (uint32_t)(s - m->slots);
    s->state = REMOVED;
    m->len--;
    m->removed++;
    if (m->slots[(i + 1) & mask].state != EMPTY)
        return true;
    while (m->slots[i].state == REMOVED) { /* no probe needs to pass here any more */
        m->slots[i].state = EMPTY;
        m->removed--;
        i = (i - 1) & mask;
    }
    return true;
}

void hd_map_clear(struct hd_map *m)
{
    if (m->cap != 0)
        memset(m->slots, 0, (size_t)m->cap * sizeof *m->slots);
    m->len = m->removed = 0;
}

bool hd_map_next(const struct hd_map *m, uint32_t *at, uint64_t *key, uint32_t *value)
{
    while (*at < m->cap) {
        const struct hd_map_slot *s = &m->slots[(*at)++];
        if (s->state == USED) {
            *key = s->key;
            *value = s->value;
            return true;
        }
    }
    return false;
}

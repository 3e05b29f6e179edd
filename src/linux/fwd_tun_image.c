/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of the `tun` back-end in memory that outlives the router process (fwd_tun.h). Packets
 * are looked up in the router's model, which dies with it; this image brings the next router to
 * where the last one was before it reads its first packet, as the maps of the other back-end do.
 *
 * A journal in a memfd: every change is one record at its end, and a key's last record counts. What
 * one apply changes takes effect at once, by one store of the head. When the journal is mostly
 * history, the model is written into the other half, and the head turns to that half. A process
 * can be killed between any two instructions, and a reader finds the tables before a change or
 * after it. The kernel gives the memory of the half that was left back.
 *
 * The writer is the router process, and the next router reads. Nothing in here is trusted: size,
 * layout and every record's checksum are verified first, and an image that fails is refused as a
 * whole; the router then begins with empty tables, as it does on a device that is new.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/hash.h"
#include "linux/fwd_tun.h"

#define RECORDS_LIVE                                                                               \
    (HD_ADJS_MAX_DEFAULT + HD_GUARDS_MAX_DEFAULT + HD_LABELS_MAX_DEFAULT + HD_ROUTES_MAX_DEFAULT)
#define RECORDS_MAX (2 * RECORDS_LIVE) /* of one half */
#define HISTORY_MIN 256u               /* records that are never worth a new beginning */
#define PAGE        4096u
#define LAYOUT      (0x6864746162000200ull | sizeof(struct record)) /* "hdtab", version, size */

#define FLAG_ADMITTED 1
#define FLAG_DOWN     2

struct record {
    uint32_t check; /* of what follows and of the place */
    uint32_t adj;   /* of an adjacency: its number; else where it leads */
    uint32_t guard; /* of a guard: its number; else the one that is used */
    uint32_t ifindex;
    uint16_t mtu;
    uint8_t kind; /* enum hd_object_kind */
    uint8_t gone;
    uint8_t act;
    uint8_t len;
    uint8_t flags;
    uint8_t reserved;
    struct hd_mac mac;
    struct hd_label out, then;
    uint8_t zero[2];
    uint8_t key[16]; /* label, prefix, or the adjacency's link-local address */
};

struct hd_tun_image {
    uint64_t layout;
    _Atomic uint64_t head; /* which half, how many of its records count, check of both */
    uint8_t pad[PAGE - 16];
    struct half {
        struct record v[RECORDS_MAX];
        uint8_t pad[PAGE - RECORDS_MAX * sizeof(struct record) % PAGE];
    } half[2];
};

_Static_assert(sizeof(struct record) == 76, "no padding: records are hashed as bytes");
_Static_assert(sizeof(struct hd_tun_image) % PAGE == 0, "halves are given back by the page");

/* --- records -------------------------------------------------------------------------------------
 */

static uint32_t check_of(const struct record *r, unsigned half, uint32_t at)
{
    uint64_t place = LAYOUT ^ (uint64_t)half << 32 ^ at;
    return (uint32_t)hd_hash64(place, &r->adj, sizeof *r - offsetof(struct record, adj));
}

static struct record of_adj(uint32_t number, const struct hd_adj_value *v)
{
    struct record r = {.kind = HD_OBJ_ADJ,
                       .adj = number,
                       .guard = v->guard,
                       .ifindex = v->ifindex,
                       .flags =
                           (uint8_t)((v->admitted ? FLAG_ADMITTED : 0) | (v->down ? FLAG_DOWN : 0)),
                       .mac = v->mac};
    memcpy(r.key, v->link_local.b, sizeof r.key);
    return r;
}

static struct record of_guard(uint32_t number, const struct hd_guard_value *v)
{
    return (struct record){
        .kind = HD_OBJ_GUARD, .guard = number, .adj = v->adj, .out = v->out, .then = v->then};
}

static struct record of_label(const struct hd_model *m, const struct hd_label_entry *e)
{
    const struct hd_repair repair = hd_model_repair(m, e->repair);
    struct record r = {.kind = HD_OBJ_LABEL,
                       .act = e->v.act,
                       .adj = e->v.adj,
                       .out = e->v.out,
                       .guard = repair.guard,
                       .then = repair.then};
    memcpy(r.key, e->key.b, sizeof e->key.b);
    return r;
}

static struct record of_route(const struct hd_model *m, const struct hd_route_entry *e)
{
    const struct hd_repair repair = hd_model_repair(m, e->repair);
    struct record r = {.kind = HD_OBJ_ROUTE,
                       .act = e->v.act,
                       .len = e->key.len,
                       .mtu = e->v.mtu,
                       .adj = e->v.adj,
                       .out = e->v.out,
                       .guard = repair.guard,
                       .then = repair.then};
    memcpy(r.key, e->key.prefix.b, sizeof r.key);
    return r;
}

static struct record of_object(const struct hd_model *m, uint32_t kind, uint32_t index)
{
    return kind == HD_OBJ_ADJ     ? of_adj(index, &hd_model_adj(m, index)->v)
           : kind == HD_OBJ_GUARD ? of_guard(index, &hd_model_guard(m, index)->v)
           : kind == HD_OBJ_LABEL ? of_label(m, hd_model_label_at(m, index))
                                  : of_route(m, hd_model_route_at(m, index));
}

/* Whether two records are about the same object. */
static bool same_key(const struct record *a, const struct record *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    return a->kind == HD_OBJ_ADJ ? a->adj == b->adj
           : a->kind == HD_OBJ_GUARD
               ? a->guard == b->guard
               : a->len == b->len && memcmp(a->key, b->key, sizeof a->key) == 0;
}

static uint64_t key_hash(const struct record *r)
{
    return r->kind == HD_OBJ_ADJ ? hd_mix64(r->adj)
           : r->kind == HD_OBJ_GUARD
               ? hd_mix64((uint64_t)HD_OBJ_GUARD << 32 | r->guard)
               : hd_hash64((uint64_t)r->kind << 8 | r->len, r->key, sizeof r->key);
}

/* --- writing -------------------------------------------------------------------------------------
 */

static uint64_t head_of(unsigned half, uint64_t count)
{
    uint64_t place = (uint64_t)half << 63 | count << 32;
    return place | (uint32_t)hd_mix64(place ^ LAYOUT);
}

static unsigned half_of(uint64_t head)
{
    return (unsigned)(head >> 63);
}

static uint64_t count_of(uint64_t head)
{
    return head >> 32 & INT32_MAX;
}

/* The head is read anew each time: it is what counts, and nothing else of the journal is kept. */
static uint64_t head_now(const struct hd_tun_image *i)
{
    return atomic_load_explicit(&i->head, memory_order_acquire);
}

static void put(struct hd_tun_image *i, unsigned half, uint32_t at, struct record r)
{
    r.check = check_of(&r, half, at);
    i->half[half].v[at] = r;
}

void hd_tun_image_note(struct hd_tun *t, const struct hd_model *m, const struct hd_change *c)
{
    uint64_t head = head_now(t->image);
    uint64_t at = count_of(head) + t->noted;
    t->image_whole = t->image_whole && at < RECORDS_MAX;
    if (!t->image_whole) {
        return; /* all is written anew */
    }
    struct record r = of_object(m, c->kind, c->index);
    r.gone = c->del;
    put(t->image, half_of(head), (uint32_t)at, r);
    t->noted++;
}

/* The whole model, into the half that does not count; then it does. */
static void begin_anew(struct hd_tun_image *i, const struct hd_model *m)
{
    unsigned old = half_of(head_now(i)), half = !old;
    uint32_t n = 0;
    for (uint32_t kind = HD_OBJ_ADJ; kind <= HD_OBJ_ROUTE; kind++) {
        for (uint32_t o = 0; (o = hd_model_next(m, (enum hd_object_kind)kind, o)) != 0;) {
            HD_ASSERT(n < RECORDS_MAX); /* the model's limits */
            put(i, half, n++, of_object(m, kind, o));
        }
    }
    i->layout = LAYOUT;
    atomic_store_explicit(&i->head, head_of(half, n), memory_order_release);
    (void)madvise(&i->half[old], sizeof i->half[old], MADV_REMOVE); /* else it stays, unused */
}

void hd_tun_image_commit(struct hd_tun *t, const struct hd_model *m)
{
    uint64_t head = head_now(t->image), count = count_of(head) + t->noted;
    uint64_t live = m->adj_free.live + hd_model_guards(m) + m->label_free.live + m->route_free.live;
    if (t->image_whole && count <= 2 * live + HISTORY_MIN) {
        atomic_store_explicit(&t->image->head, head_of(half_of(head), count), memory_order_release);
    } else {
        begin_anew(t->image, m);
        t->image_whole = true;
    }
    t->noted = 0;
}

/* --- reading -------------------------------------------------------------------------------------
 */

static bool is_sound(const struct record *r, unsigned half, uint32_t at)
{
    return r->check == check_of(r, half, at) && r->kind >= HD_OBJ_ADJ && r->kind <= HD_OBJ_ROUTE &&
           r->len <= 128;
}

/* The last record of each key: table[slot] is a place in the journal, counted from 1. */
static void last_ones(const struct record *v, uint32_t n, uint32_t *table, uint32_t size)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t slot = key_hash(&v[i]);
        uint32_t *at;
        while (*(at = &table[slot & (size - 1)]) != 0 && !same_key(&v[*at - 1], &v[i])) {
            slot++;
        }
        *at = i + 1;
    }
}

static int take(const struct record *r, struct hd_model *m, uint8_t owner)
{
    if (r->kind == HD_OBJ_ADJ) {
        struct hd_adj_value v = {.guard = (uint16_t)r->guard,
                                 .ifindex = r->ifindex,
                                 .mac = r->mac,
                                 .admitted = (r->flags & FLAG_ADMITTED) != 0,
                                 .down = (r->flags & FLAG_DOWN) != 0};
        memcpy(v.link_local.b, r->key, sizeof v.link_local.b);
        return hd_model_adopt_adj(m, owner, r->adj, &v);
    }
    if (r->kind == HD_OBJ_GUARD) {
        struct hd_guard_value v = {.adj = r->adj, .out = r->out, .then = r->then};
        return hd_model_adopt_guard(m, owner, r->guard, &v);
    }
    const struct hd_repair repair = {.guard = (uint16_t)r->guard, .then = r->then};
    if (r->kind == HD_OBJ_LABEL) {
        struct hd_label_value v = {.act = r->act, .adj = r->adj, .out = r->out};
        struct hd_label key;
        memcpy(key.b, r->key, sizeof key.b);
        return hd_model_adopt_label(m, owner, &key, &v, &repair);
    }
    struct hd_route_value v = {.act = r->act, .mtu = r->mtu, .adj = r->adj, .out = r->out};
    struct hd_route_key key = {.len = r->len};
    memcpy(key.prefix.b, r->key, sizeof key.prefix.b);
    return hd_model_adopt_route(m, owner, &key, &v, &repair);
}

static int take_all(const struct record *v, uint32_t n, struct hd_model *m, uint8_t owner)
{
    uint32_t size = 16;
    while (size < 2 * n) {
        size *= 2;
    }
    uint32_t *table = calloc(size, sizeof *table);
    if (table == NULL) {
        return HD_ENOMEM;
    }
    last_ones(v, n, table, size);
    int error = 0;
    for (uint32_t i = 0; i < n && error == 0; i++) {
        uint64_t slot = key_hash(&v[i]);
        while (!same_key(&v[table[slot & (size - 1)] - 1], &v[i])) {
            slot++;
        }
        if (table[slot & (size - 1)] == i + 1 && !v[i].gone) {
            error = take(&v[i], m, owner);
        }
    }
    free(table);
    return error;
}

int hd_tun_image_adopt(struct hd_tun *t, struct hd_model *m, uint8_t owner)
{
    const struct hd_tun_image *i = t->image;
    uint64_t head = head_now(i), n = count_of(head);
    if (i->layout == 0 && head == 0) {
        return 0; /* nobody has written yet */
    }
    bool sound = i->layout == LAYOUT && head == head_of(half_of(head), n) && n <= RECORDS_MAX;
    for (uint32_t at = 0; sound && at < n; at++) {
        sound = is_sound(&i->half[half_of(head)].v[at], half_of(head), at);
    }
    if (!sound) {
        t->counters[HD_TUN_TABLES_REFUSED]++;
        return 0;
    }
    return take_all(i->half[half_of(head)].v, (uint32_t)n, m, owner);
}

/* --- the memory ----------------------------------------------------------------------------------
 */

int hd_tun_image_make(void)
{
    int fd = memfd_create("heddle-tables", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return HD_ESYS;
    }
    /* Nobody who maps it can be made to fall off its end. */
    if (ftruncate(fd, sizeof(struct hd_tun_image)) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        close(fd);
        return HD_ESYS;
    }
    return fd;
}

bool hd_tun_image_fits(int fd)
{
    return lseek(fd, 0, SEEK_END) == (off_t)sizeof(struct hd_tun_image);
}

struct hd_tun_image *hd_tun_image_map(int fd)
{
    if (!hd_tun_image_fits(fd)) {
        return NULL;
    }
    void *at = mmap(NULL, sizeof(struct hd_tun_image), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_NORESERVE, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

void hd_tun_image_unmap(struct hd_tun_image *i)
{
    if (i != NULL) {
        munmap(i, sizeof *i);
    }
}

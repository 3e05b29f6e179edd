/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image of the TUN back-end's tables (linux/fwd_tun.h): what one process wrote is what the next
 * one adopts, after any history of changes; what is damaged is refused as a whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/pool.h"
#include "lib/random.h"
#include "linux/fwd_tun.h"

#define POOL_BYTES ((size_t)64 << 20)
#define OWNER      1
#define NUMBERS    64
#define PAGE       4096

/* One process with its model; the memory `fd` is what they have in common. */
struct process {
    void *region;
    struct hd_model model;
    struct hd_tun tun;
};

static void begin(struct process *p, int fd)
{
    memset(p, 0, sizeof *p);
    p->region = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(p->region, MAP_FAILED);
    assert_int_equal(hd_model_init(&p->model, hd_pool_create(p->region, POOL_BYTES), 1), 0);
    p->tun.image = hd_tun_image_map(fd);
    assert_non_null(p->tun.image);
}

static void end(struct process *p)
{
    hd_tun_image_unmap(p->tun.image);
    munmap(p->region, POOL_BYTES);
}

static void apply(struct process *p)
{
    struct hd_change c;
    bool changed = false;
    while (hd_model_pull(&p->model, &c)) {
        changed = true;
        hd_tun_image_note(&p->tun, &p->model, &c);
        hd_model_done(&p->model, &c, 0);
    }
    if (changed) {
        hd_tun_image_commit(&p->tun, &p->model);
    }
}

static struct hd_label label(uint32_t n)
{
    struct hd_label l = {{0}};
    memcpy(l.b, &n, sizeof n);
    return l;
}

static struct hd_route_key route(uint32_t n)
{
    struct hd_route_key k = {.len = (uint8_t)(64 + n % 3 * 32)};
    memcpy(k.prefix.b, &n, sizeof n);
    return k;
}

static void random_change(struct process *p, struct hd_random *r)
{
    uint32_t n = 1 + (uint32_t)hd_random_below(r, NUMBERS);
    uint32_t x = (uint32_t)hd_random_below(r, 1000);
    struct hd_adj_value adj = {.ifindex = n, .admitted = x % 2, .down = x % 3 == 0};
    struct hd_label l = label(n);
    struct hd_label_value lv = {.act = HD_LABEL_SWAP, .adj = x, .out = label(x)};
    struct hd_route_key k = route(n);
    struct hd_route_value rv = {.act = HD_ROUTE_ENCAP, .adj = x, .mtu = 1300, .out = label(x)};
    memcpy(adj.link_local.b, &x, sizeof x);
    memcpy(adj.mac.b, &n, sizeof n);
    const struct hd_adj *there = hd_model_adj(&p->model, n);
    switch (hd_random_below(r, 6)) {
    case 0:
        if (there != NULL && there->o.wanted) {
            hd_model_adj_set(&p->model, n, &adj);
        } else {
            assert_true(hd_model_adj_add(&p->model, OWNER, &adj) > 0);
        }
        break;
    case 1:
        if (there != NULL && there->o.wanted) {
            hd_model_adj_del(&p->model, n);
        }
        break;
    case 2:
        assert_non_null(hd_model_label_set(&p->model, OWNER, &l, &lv));
        break;
    case 3:
        hd_model_label_del(&p->model, &l);
        break;
    case 4:
        assert_int_equal(hd_model_route_set(&p->model, OWNER, &k, &rv), 0);
        break;
    default:
        hd_model_route_del(&p->model, &k);
        break;
    }
}

static uint32_t count(const struct hd_model *m, enum hd_object_kind kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; (i = hd_model_next(m, kind, i)) != 0;) {
        n++;
    }
    return n;
}

static void assert_same(const struct hd_model *a, const struct hd_model *b)
{
    for (uint32_t kind = HD_OBJ_ADJ; kind <= HD_OBJ_ROUTE; kind++) {
        assert_int_equal(count(a, (enum hd_object_kind)kind), count(b, (enum hd_object_kind)kind));
    }
    for (uint32_t i = 0; (i = hd_model_next(a, HD_OBJ_ADJ, i)) != 0;) {
        const struct hd_adj *x = hd_model_adj(a, i), *y = hd_model_adj(b, i);
        assert_non_null(y);
        assert_int_equal(x->v.ifindex, y->v.ifindex);
        assert_true(hd_mac_equal(&x->v.mac, &y->v.mac));
        assert_true(hd_ip6_equal(&x->v.link_local, &y->v.link_local));
        assert_true(x->v.admitted == y->v.admitted && x->v.down == y->v.down);
    }
    for (uint32_t i = 0; (i = hd_model_next(a, HD_OBJ_LABEL, i)) != 0;) {
        const struct hd_label_entry *x = hd_model_label_at(a, i);
        const struct hd_label_entry *y = hd_model_label_find(b, &x->key);
        assert_non_null(y);
        assert_true(x->v.act == y->v.act && x->v.adj == y->v.adj);
        assert_memory_equal(&x->v.out, &y->v.out, sizeof x->v.out);
    }
    for (uint32_t i = 0; (i = hd_model_next(a, HD_OBJ_ROUTE, i)) != 0;) {
        const struct hd_route_entry *x = hd_model_route_at(a, i);
        const struct hd_route_entry *y = hd_model_route_find(b, &x->key);
        assert_non_null(y);
        assert_true(x->v.act == y->v.act && x->v.adj == y->v.adj && x->v.mtu == y->v.mtu);
        assert_memory_equal(&x->v.out, &y->v.out, sizeof x->v.out);
    }
}

/* Thousands of changes, through both halves again and again, and each process goes on from there.
 */
static void test_successors(void **state)
{
    struct hd_random r;
    struct process p[2];
    int fd = hd_tun_image_make();
    assert_true(fd >= 0);
    hd_random_seed(&r, 7, 0);
    begin(&p[0], fd);
    assert_int_equal(hd_tun_image_adopt(&p[0].tun, &p[0].model, OWNER), 0);
    for (unsigned life = 0; life < 40; life++) {
        struct process *old = &p[life % 2], *new = &p[(life + 1) % 2];
        for (unsigned i = 0; i < 300; i++) {
            random_change(old, &r);
            if (hd_random_below(&r, 3) == 0) {
                apply(old);
            }
        }
        apply(old);
        begin(new, fd);
        assert_int_equal(hd_tun_image_adopt(&new->tun, &new->model, OWNER), 0);
        assert_int_equal(new->tun.counters[HD_TUN_TABLES_REFUSED], 0);
        assert_same(&old->model, &new->model);
        end(old);
    }
    assert_true(count(&p[0].model, HD_OBJ_LABEL) > 8 && count(&p[0].model, HD_OBJ_ADJ) > 8);
    end(&p[0]);
    close(fd);
}

/* What was noted and not committed never happened. */
static void test_killed_between(void **state)
{
    struct process p, q;
    struct hd_change c;
    struct hd_label l = label(1);
    struct hd_label_value v = {.act = HD_LABEL_DECAP};
    int fd = hd_tun_image_make();
    begin(&p, fd);
    assert_non_null(hd_model_label_set(&p.model, OWNER, &l, &v));
    apply(&p);
    hd_model_label_del(&p.model, &l);
    assert_true(hd_model_pull(&p.model, &c));
    hd_tun_image_note(&p.tun, &p.model, &c);
    begin(&q, fd);
    assert_int_equal(hd_tun_image_adopt(&q.tun, &q.model, OWNER), 0);
    const struct hd_label_entry *e = hd_model_label_find(&q.model, &l);
    assert_non_null(e);
    assert_true(e->o.adopted && e->o.installed);
    end(&q);
    end(&p);
    close(fd);
}

/* A bit anywhere in what counts: nothing is taken, and the successor's first change mends it. */
static void test_damage(void **state)
{
    /* layout; check, count and half of the head; key and check of a record */
    static const off_t places[] = {0, 8, 12, 15, PAGE + 40, PAGE};
    struct hd_label l = label(1), other = label(2);
    struct hd_label_value v = {.act = HD_LABEL_DECAP};
    for (unsigned i = 0; i < HD_ARRAY_LEN(places) * 8; i++) {
        struct process p, q;
        uint8_t byte;
        off_t at = places[i / 8];
        int fd = hd_tun_image_make();
        begin(&p, fd);
        assert_non_null(hd_model_label_set(&p.model, OWNER, &l, &v));
        apply(&p);
        end(&p);
        if (at >= PAGE) { /* the half that is in use */
            at += lseek(fd, PAGE, SEEK_DATA) - PAGE;
        }
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= (uint8_t)(1 << i % 8);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        begin(&q, fd);
        assert_int_equal(hd_tun_image_adopt(&q.tun, &q.model, OWNER), 0);
        assert_int_equal(q.tun.counters[HD_TUN_TABLES_REFUSED], 1);
        assert_int_equal(count(&q.model, HD_OBJ_LABEL), 0);
        assert_non_null(hd_model_label_set(&q.model, OWNER, &other, &v));
        apply(&q);
        begin(&p, fd);
        assert_int_equal(hd_tun_image_adopt(&p.tun, &p.model, OWNER), 0);
        assert_int_equal(p.tun.counters[HD_TUN_TABLES_REFUSED], 0);
        assert_same(&q.model, &p.model);
        end(&p);
        end(&q);
        close(fd);
    }
}

static void test_size(void **state)
{
    struct stat s;
    int fd = hd_tun_image_make();
    assert_int_not_equal(ftruncate(fd, 4096), 0); /* sealed */
    assert_int_equal(fstat(fd, &s), 0);
    assert_true(s.st_blocks < 64); /* what is not written takes nothing */
    close(fd);
    fd = memfd_create("small", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_null(hd_tun_image_map(fd));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_successors),
        cmocka_unit_test(test_killed_between),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

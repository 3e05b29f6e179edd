/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sample core, driven through a router by the contract alone: inputs in, effects, model edits,
 * rows and answers out. Two routers over a wire of the test, bad hellos, limits, commands, and a
 * sweep in which the allocations of a whole life fail from each one on.
 */
#include "support/test.h"

#include "core/sample/sample.h"
#include "lib/code_points.h"
#include "router/cores.h"

const struct hd_core_ops *hd_core_ops(uint8_t core)
{
    return core == HD_CORE_SAMPLE ? &hd_sample_ops : NULL;
}

const struct hd_event_route hd_event_routes[] = {{0, 0, 0}};

struct node {
    void *region;
    struct hd_router *r;
    struct hd_effects fx;
    struct hd_answer answer;
    struct hd_ip6 link_local;
    unsigned ups, downs, sent;
    _Alignas(8) uint8_t buf[HD_FX_ROOM_BYTES];
};

#define REGION (1 << 20)

static int start_node(struct node *n, uint32_t number, uint64_t seed)
{
    struct hd_router_start s = {.seed = seed};
    struct hd_sample_config config;
    struct hd_router_core c = {.core = HD_CORE_SAMPLE};

    hd_sample_config_default(&config);
    config.node = number;
    c.start.config = &config;
    c.start.config_len = sizeof config;
    hd_fx_clear(&n->fx);
    int error = hd_router_start_core(n->r, &c, s.now, &n->fx);
    n->answer = (struct hd_answer){.deadline = HD_NEVER};
    return error;
}

static struct node *node_new(uint32_t number, uint64_t seed)
{
    struct node *n = calloc(1, sizeof *n);
    struct hd_router_start s = {.seed = seed};

    n->region = test_region(REGION);
    hd_fx_init(&n->fx, n->buf, sizeof n->buf);
    n->link_local = (struct hd_ip6){.b = {0xfe, 0x80, [15] = (uint8_t)number}};
    n->r = hd_router_create(n->region, REGION, &s);
    assert_int_equal(start_node(n, number, seed), 0);
    return n;
}

static void node_free(struct node *n)
{
    free(n->region);
    free(n);
}

/* Counts what the last call produced, forgets it, and gives it to the peer when there is one. */
static void read_effects(struct node *n, struct node *peer, hd_time now);

static void interface(struct node *n, uint32_t ifindex, bool up, hd_time now)
{
    struct hd_input in = {.type = HD_IN_INTERFACE, .arrived = now};

    in.u.interface = (struct hd_in_interface){
        .ifindex = ifindex, .up = up, .usable = true, .gone = !up, .mtu = 1500};
    hd_fx_clear(&n->fx);
    n->answer = hd_router_input(n->r, &in, now, &n->fx);
}

static void datagram(struct node *n, uint32_t ifindex, const struct hd_ip6 *from, const void *bytes,
                     uint32_t len, hd_time now)
{
    struct hd_input in = {.type = HD_IN_DATAGRAM, .core = HD_CORE_SAMPLE, .arrived = now};

    in.u.datagram = (struct hd_in_datagram){
        .bytes = bytes, .len = len, .port = 1, .ifindex = ifindex, .from = *from};
    hd_fx_clear(&n->fx);
    n->answer = hd_router_input(n->r, &in, now, &n->fx);
}

static void hello(struct node *n, uint32_t ifindex, uint32_t number, uint8_t type, hd_time now)
{
    struct hd_ip6 from = {.b = {0xfe, 0x80, [14] = (uint8_t)(number >> 8), [15] = (uint8_t)number}};
    uint8_t bytes[8] = {1, type, 0, 0, 0, 0, (uint8_t)(number >> 8), (uint8_t)number};

    datagram(n, ifindex, &from, bytes, sizeof bytes, now);
    read_effects(n, NULL, now);
}

static void read_effects(struct node *n, struct node *peer, hd_time now)
{
    for (struct hd_effect *e = hd_fx_first(&n->fx); e != NULL; e = hd_fx_next(&n->fx, e)) {
        const struct hd_sample_row_event *row = hd_fx_payload(e);
        if (e->type == HD_FX_EVENT && row->up)
            n->ups++;
        else if (e->type == HD_FX_EVENT)
            n->downs++;
        if (e->type != HD_FX_SEND)
            continue;
        static const struct hd_ip6 group = {.b = HD_SAMPLE_GROUP};
        assert_true(e->u.send.port == 1 && hd_ip6_equal(&e->u.send.to, &group));
        n->sent++;
        if (peer != NULL) {
            datagram(peer, e->u.send.ifindex, &n->link_local, hd_fx_payload(e), e->u.send.len, now);
            read_effects(peer, NULL, now);
        }
    }
    assert_int_equal(n->fx.lost, 0);
    hd_fx_clear(&n->fx);
}

/* Serves the deadlines of both up to a time; what `cut` says is lost. */
static void run(struct node *a, struct node *b, bool cut, hd_time until)
{
    for (;;) {
        struct node *n = a->answer.deadline <= b->answer.deadline ? a : b;
        hd_time at = n->answer.deadline;
        if (at > until)
            return;
        n->answer = hd_router_due(n->r, at, &n->fx);
        assert_true(n->answer.deadline > at);
        read_effects(n, cut ? NULL : n == a ? b : a, at);
    }
}

static uint32_t neighbours(struct node *n, struct hd_sample_row_neighbour *out, uint32_t max)
{
    struct hd_row_cursor cursor = {0};
    uint32_t count = 0;

    while (!cursor.end) /* pages of three */
        count += hd_router_rows(n->r, HD_CORE_SAMPLE, HD_SAMPLE_LIST_NEIGHBOURS, &cursor,
                                out + count, HD_MIN(3u, max - count), HD_SEC(1));
    return count;
}

static uint32_t routes(struct node *n)
{
    uint32_t count = 0;

    for (uint32_t i = 0; (i = hd_model_next(hd_router_model(n->r), HD_OBJ_ROUTE, i)) != 0;)
        count++;
    return count;
}

static void opens_its_port(void **state)
{
    struct node *n = node_new(1, 1);
    const struct hd_effect *e = hd_fx_first(&n->fx);

    assert_true(e != NULL && e->type == HD_FX_OPEN_PORT && e->core == HD_CORE_SAMPLE);
    assert_int_equal(e->u.port.number, HD_SAMPLE_UDP_PORT);
    assert_int_equal(n->answer.deadline, HD_NEVER); /* no interface: nothing to do */
    node_free(n);
}

static void two_meet_and_part(void **state)
{
    uint64_t seed = test_seed(__func__);
    struct node *a = node_new(1, seed), *b = node_new(2, seed + 1);
    struct hd_sample_row_neighbour row[4];

    interface(a, 5, true, 0);
    interface(b, 5, true, 0);
    assert_int_equal(a->answer.deadline, 0);
    run(a, b, false, HD_SEC(60));
    assert_in_range(a->sent, 45, 75); /* one a second with jitter */
    assert_true(a->ups == 1 && a->downs == 0 && b->ups == 1);
    assert_int_equal(neighbours(a, row, 4), 1);
    assert_true(row[0].node == 2 && row[0].ifindex == 5 &&
                hd_ip6_equal(&row[0].link_local, &b->link_local));
    struct hd_ip6 to = hd_sample_address(2);
    const struct hd_route_entry *route = hd_model_route_lookup(hd_router_model(a->r), &to);
    assert_true(route != NULL && route->v.act == HD_ROUTE_DIRECT && route->v.adj == row[0].adj);
    assert_int_equal(hd_model_adj(hd_router_model(a->r), row[0].adj)->v.ifindex, 5);
    run(a, b, true, HD_SEC(66)); /* silence: gone after the hold time, not before */
    assert_true(a->downs == 1 && b->downs == 1 && routes(a) == 0);
    assert_int_equal(neighbours(a, row, 4), 0);
    run(a, b, false, HD_SEC(70)); /* and back */
    assert_true(a->ups == 2 && routes(a) == 1);
    interface(b, 5, false, HD_SEC(70));
    read_effects(b, NULL, HD_SEC(70));
    assert_true(b->downs == 2 && routes(b) == 0 && b->answer.deadline == HD_NEVER);
    node_free(a);
    node_free(b);
}

static void holds_exactly(void **state)
{
    struct node *n = node_new(1, 1);

    interface(n, 5, true, 0);
    n->answer = hd_router_due(n->r, 0, &n->fx);
    hello(n, 5, 9, 1, HD_SEC(10));
    hello(n, 5, 9, 1, HD_SEC(12));
    hd_router_due(n->r, HD_SEC(16) - 1, &n->fx);
    assert_int_equal(routes(n), 1);
    hd_router_due(n->r, HD_SEC(16), &n->fx);
    assert_int_equal(routes(n), 0);
    hello(n, 5, 9, 1, HD_SEC(17));
    assert_int_equal(routes(n), 1);
    hello(n, 5, 9, 2, HD_SEC(17)); /* goodbye */
    assert_int_equal(routes(n), 0);
    node_free(n);
}

static void drops_what_is_wrong(void **state)
{
    struct node *n = node_new(1, 1);
    static const uint8_t good[8] = {1, 1, 0, 0, 0, 0, 0, 9};
    static const uint8_t wrong[][8] = {
        {2, 1, 0, 0, 0, 0, 0, 9}, /* version */
        {1, 3, 0, 0, 0, 0, 0, 9}, /* type */
        {1, 1, 0, 0, 0, 0, 0, 0}, /* no number */
        {1, 1, 0, 0, 0, 0, 0, 1}, /* our own */
        {1, 2, 0, 0, 0, 0, 0, 9}, /* goodbye of a stranger */
    };
    struct hd_ip6 from = {.b = {0xfe, 0x80, [15] = 9}}, global = {.b = {0x20, 1}};

    datagram(n, 5, &from, good, sizeof good, 1); /* no such interface */
    interface(n, 5, true, 0);
    for (size_t i = 0; i < HD_ARRAY_LEN(wrong); i++)
        datagram(n, 5, &from, wrong[i], sizeof wrong[i], 1);
    for (uint32_t len = 0; len < sizeof good; len++)
        datagram(n, 5, &from, good, len, 1);
    datagram(n, 5, &global, good, sizeof good, 1);
    assert_int_equal(routes(n), 0);
    datagram(n, 5, &from, good, sizeof good, 1);
    assert_int_equal(routes(n), 1);
    /* the same number from elsewhere changes nothing, not even by a goodbye */
    struct hd_ip6 other = {.b = {0xfe, 0x80, [15] = 10}};
    datagram(n, 5, &other, wrong[4], sizeof wrong[4], 1);
    assert_int_equal(routes(n), 1);
    node_free(n);
}

static void keeps_its_limits(void **state)
{
    struct node *n = node_new(1, 1);
    struct hd_sample_row_neighbour row[HD_SAMPLE_NEIGHBOURS_MAX];

    for (uint32_t i = 1; i <= 40; i++)
        interface(n, i, true, 0);
    for (uint32_t i = 200; i > 100; i--)
        hello(n, 5, i, 1, 1);
    hello(n, 40, 300, 1, 1); /* an interface beyond the limit does not exist for us */
    assert_int_equal(routes(n), HD_SAMPLE_NEIGHBOURS_MAX);
    assert_int_equal(neighbours(n, row, HD_SAMPLE_NEIGHBOURS_MAX), HD_SAMPLE_NEIGHBOURS_MAX);
    for (uint32_t i = 0; i < HD_SAMPLE_NEIGHBOURS_MAX; i++)
        assert_int_equal(row[i].node, 200 - HD_SAMPLE_NEIGHBOURS_MAX + 1 + i);
    node_free(n);
}

static int32_t forget(struct node *n, uint16_t verb, uint32_t number)
{
    struct hd_sample_forget args = {.node = number};
    struct hd_input in = {.type = HD_IN_COMMAND, .core = HD_CORE_SAMPLE};

    in.u.command =
        (struct hd_in_command){.id = 77, .verb = verb, .len = sizeof args, .args = &args};
    hd_fx_clear(&n->fx);
    hd_router_input(n->r, &in, 1, &n->fx);
    for (struct hd_effect *e = hd_fx_first(&n->fx); e != NULL; e = hd_fx_next(&n->fx, e))
        if (e->type == HD_FX_REPLY && e->u.reply.command == 77 && e->u.reply.flags == HD_REPLY_LAST)
            return e->u.reply.error;
    fail_msg("no reply");
    return 1;
}

static void obeys(void **state)
{
    struct node *n = node_new(1, 1);
    struct hd_sample_config config = {.hello_interval_ns = HD_SEC(2), .hold_ns = HD_SEC(1)};

    interface(n, 5, true, 0);
    hello(n, 5, 9, 1, 1);
    assert_int_equal(forget(n, HD_SAMPLE_FORGET, 8), HD_ENOENT);
    assert_int_equal(forget(n, HD_SAMPLE_FORGET, 0), HD_ENOENT);
    assert_int_equal(forget(n, 99, 9), HD_EUNSUPPORTED);
    assert_int_equal(forget(n, HD_SAMPLE_FORGET, 9), 0);
    assert_int_equal(routes(n), 0);
    assert_int_equal(hd_router_configure(n->r, HD_CORE_SAMPLE, &config, sizeof config, 1, &n->fx),
                     HD_EINVAL);
    assert_int_equal(hd_router_configure(n->r, HD_CORE_SAMPLE, &config, 1, 1, &n->fx), HD_EINVAL);
    config.hold_ns = HD_SEC(3);
    assert_int_equal(hd_router_configure(n->r, HD_CORE_SAMPLE, &config, sizeof config, 1, &n->fx),
                     0);
    hello(n, 5, 9, 1, HD_SEC(10));
    hd_router_due(n->r, HD_SEC(13), &n->fx);
    assert_int_equal(routes(n), 0); /* the new hold time */
    node_free(n);
}

/* --- changes of the configuration --------------------------------------------------------------
 */

#define OBJECTS 40

struct told {
    struct hd_sample_config head;
    struct hd_sample_object objects[OBJECTS];
};

static void random_config(struct hd_random *rnd, struct told *t)
{
    hd_sample_config_default(&t->head);
    t->head.node = 1;
    t->head.hello_interval_ns = HD_SEC(1) + (hd_time)hd_random_below(rnd, 2);
    for (uint32_t i = 1; i <= OBJECTS; i++) {
        if (hd_random_below(rnd, 2) == 0)
            t->objects[t->head.object_count++] =
                (struct hd_sample_object){.number = i, .weight = (uint16_t)hd_random_below(rnd, 2)};
    }
}

static uint32_t told_len(const struct told *t)
{
    return (uint32_t)(sizeof t->head + t->head.object_count * sizeof t->objects[0]);
}

static _Alignas(8) uint8_t delta_bytes[8192];

static struct hd_config_delta delta_of(const struct told *a, const struct told *b)
{
    size_t at = hd_config_delta_head_bytes(sizeof b->head);
    uint32_t i = 0, k = 0, count = 0;
    struct hd_config_delta d;

    while (i < a->head.object_count || k < b->head.object_count) {
        const struct hd_sample_object *x = i < a->head.object_count ? &a->objects[i] : NULL;
        const struct hd_sample_object *y = k < b->head.object_count ? &b->objects[k] : NULL;
        bool was = x && (!y || x->number <= y->number), is = y && (!x || y->number <= x->number);
        struct hd_config_edit e = {
            .at = i, .size = sizeof *x, .was = was ? x : NULL, .is = is ? y : NULL};
        if (!(was && is && memcmp(x, y, sizeof *x) == 0)) {
            hd_config_delta_put_edit(delta_bytes + at, &e);
            at += hd_config_delta_edit_bytes(&e);
            count++;
        }
        i += was;
        k += is;
    }
    hd_config_delta_put_head(delta_bytes, &b->head, sizeof b->head, count);
    assert_int_equal(hd_config_delta_read(delta_bytes, at, &d), 0);
    return d;
}

static void assert_has(struct node *n, const struct told *t)
{
    struct hd_sample_object rows[OBJECTS];
    struct hd_row_cursor cursor = {0};
    uint32_t got =
        hd_router_rows(n->r, HD_CORE_SAMPLE, HD_SAMPLE_LIST_OBJECTS, &cursor, rows, OBJECTS, 1);

    assert_int_equal(got, t->head.object_count);
    assert_memory_equal(rows, t->objects, got * sizeof rows[0]);
}

/* What it cannot take for want of memory changes nothing. */
static void changes_as_it_is_configured(void **state)
{
    struct node *n = node_new(1, 1);
    struct hd_pool *p = hd_router_pool(n->r);
    struct hd_random rnd;
    struct told was = {.head = {.node = 1}}, is;
    size_t live = p->live;

    hd_sample_config_default(&was.head);
    hd_random_seed(&rnd, test_seed(__func__), 1);
    for (unsigned i = 0; i < 300; i++) {
        memset(&is, 0, sizeof is);
        if (i < 299) /* the last one takes all away */
            random_config(&rnd, &is);
        else
            hd_sample_config_default(&is.head);
        struct hd_config_delta d = delta_of(&was, &is);
        assert_int_equal(hd_router_check_change(n->r, HD_CORE_SAMPLE, &d, 1), 0);
        p->fail_after = hd_random_below(&rnd, 3) == 0 ? 0 : UINT64_MAX;
        int error = hd_router_change(n->r, HD_CORE_SAMPLE, &d, 1, &n->fx);
        p->fail_after = UINT64_MAX;
        assert_true(error == 0 || error == HD_ENOMEM);
        assert_has(n, error == 0 ? &is : &was);
        if (error == 0)
            was = is;
        else /* then it is taken whole */
            assert_int_equal(
                hd_router_configure(n->r, HD_CORE_SAMPLE, &was, told_len(&was), 1, &n->fx), 0);
        assert_has(n, &was);
    }
    struct told none = {.head = was.head};
    none.head.object_count = 0;
    struct hd_config_delta d = delta_of(&was, &none);
    assert_int_equal(hd_router_change(n->r, HD_CORE_SAMPLE, &d, 1, &n->fx), 0);
    assert_int_equal(p->live, live);
    node_free(n);
}

static void refuses_changes_that_do_not_fit(void **state)
{
    struct node *n = node_new(1, 1);
    struct told has = {.head = {.object_count = 3}}, is, other;

    hd_sample_config_default(&has.head);
    has.head.object_count = 3;
    for (uint32_t i = 0; i < 3; i++)
        has.objects[i].number = 10 * (i + 1);
    assert_int_equal(hd_router_configure(n->r, HD_CORE_SAMPLE, &has, told_len(&has), 1, &n->fx), 0);
    is = has;
    is.objects[1].number = 10; /* out of order */
    struct hd_config_edit wrong[] = {
        {.at = 1, .size = sizeof is.objects[0], .was = &has.objects[1], .is = &is.objects[1]},
        {.at = 1, .size = sizeof is.objects[0], .is = &is.objects[1]},
        {.at = 2, .size = sizeof is.objects[0], .was = &has.objects[1], .is = &has.objects[2]},
        {.at = 3, .size = sizeof is.objects[0], .was = &has.objects[2]},
        {.at = 1, .size = sizeof is.objects[0], .list = 1, .is = &is.objects[1]},
        {.at = 1, .size = 8, .was = &has.objects[1], .is = &is.objects[1]},
    };
    for (size_t i = 0; i < HD_ARRAY_LEN(wrong); i++) {
        struct hd_config_delta d;
        size_t begin = hd_config_delta_head_bytes(sizeof has.head);
        is.head.object_count =
            3 + (uint32_t)(wrong[i].was == NULL) - (uint32_t)(wrong[i].is == NULL);
        hd_config_delta_put_head(delta_bytes, &is.head, sizeof is.head, 1);
        hd_config_delta_put_edit(delta_bytes + begin, &wrong[i]);
        assert_int_equal(
            hd_config_delta_read(delta_bytes, begin + hd_config_delta_edit_bytes(&wrong[i]), &d),
            0);
        assert_int_equal(hd_router_check_change(n->r, HD_CORE_SAMPLE, &d, 1), HD_EINVAL);
        assert_int_equal(hd_router_change(n->r, HD_CORE_SAMPLE, &d, 1, &n->fx), HD_EINVAL);
    }
    other = has;
    other.head.hold_ns = 1; /* the head is checked as ever */
    struct hd_config_delta d = delta_of(&has, &other);
    assert_int_equal(hd_router_check_change(n->r, HD_CORE_SAMPLE, &d, 1), HD_EINVAL);
    assert_has(n, &has);
    node_free(n);
}

static void drain(struct node *n)
{
    struct hd_change c;

    while (hd_model_pull(hd_router_model(n->r), &c))
        hd_model_done(hd_router_model(n->r), &c, 0);
}

/* A whole life; true when nothing failed on the way. Whatever failed, nothing is left in the end.
 */
static bool live_and_die(uint64_t fail_after)
{
    struct node *n = calloc(1, sizeof *n);
    struct hd_router_start s = {.seed = 3};

    n->region = test_region(REGION);
    hd_fx_init(&n->fx, n->buf, sizeof n->buf);
    n->r = hd_router_create(n->region, REGION, &s);
    struct hd_pool *p = hd_router_pool(n->r);
    size_t live = p->live;
    p->fail_after = fail_after;
    if (start_node(n, 1, 3) == 0) {
        for (uint32_t i = 1; i <= 3; i++)
            interface(n, i, true, 0);
        for (uint32_t i = 10; i < 30; i++) {
            hello(n, 1 + i % 3, i, 1, i);
            drain(n);
        }
        struct hd_sample_row_neighbour row[32];
        assert_int_equal(neighbours(n, row, 32), routes(n));
        assert_int_equal(routes(n), hd_router_model(n->r)->adj_free.live);
        interface(n, 2, false, 40);
        hd_fx_clear(&n->fx);
        hd_router_stop(n->r, 50, &n->fx);
    }
    drain(n);
    bool whole = p->failures == 0;
    assert_int_equal(hd_router_model(n->r)->adj_free.live, 0);
    assert_int_equal(hd_router_model(n->r)->route_free.live, 0);
    hd_model_free(hd_router_model(n->r));
    assert_int_equal(p->live, live);
    node_free(n);
    return whole;
}

static void survives_each_failure(void **state)
{
    uint64_t fail = 0;

    while (!live_and_die(fail))
        fail++;
    assert_true(fail > 30); /* the sweep did fail something */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_its_port),
        cmocka_unit_test(two_meet_and_part),
        cmocka_unit_test(holds_exactly),
        cmocka_unit_test(drops_what_is_wrong),
        cmocka_unit_test(keeps_its_limits),
        cmocka_unit_test(obeys),
        cmocka_unit_test(survives_each_failure),
        cmocka_unit_test(changes_as_it_is_configured),
        cmocka_unit_test(refuses_changes_that_do_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router with a table of two scripted cores: who gets which input, answers, turns at work,
 * events between cores with their bound, failing starts, streams, the model's rows, and its size.
 */
#include "support/test.h"

#include "router/cores.h"

#define A HD_CORE_KIRA /* numbers of the two, whatever they are called elsewhere */
#define B HD_CORE_SAMPLE

#define LIST_PING 1 /* raised by A, heard by B */
#define LIST_ECHO 2 /* raised by either, heard by the other: for ever */

struct scripted {
    struct hd_answer answer;
    unsigned inputs, dues, works, stops;
    uint16_t last_type;
    uint32_t last_event;
    uint64_t random;
    uint32_t config;
};

static void raise_event(struct hd_ctx *c, uint16_t list, uint32_t value)
{
    struct hd_effect *e = hd_fx_append(c->fx, c->core, HD_FX_EVENT, sizeof value);

    assert_non_null(e);
    e->u.event.list = list;
    e->u.event.len = sizeof value;
    memcpy(hd_fx_payload(e), &value, sizeof value);
}

static int start(void *state, struct hd_ctx *c, const struct hd_start *in)
{
    struct scripted *s = state;

    if (in->key == 666)
        return HD_EINVAL;
    s->answer.deadline = HD_NEVER;
    s->random = hd_random_u64(c->random);
    return 0;
}

/* Commands script the core: verb 1 sets the answer, verb 2 raises an event of the list in len. */
static void input(void *state, struct hd_ctx *c, const struct hd_input *in)
{
    struct scripted *s = state;

    s->inputs++;
    s->last_type = (uint16_t)in->type;
    if (in->type == HD_IN_COMMAND && in->u.command.verb == 1)
        s->answer = *(const struct hd_answer *)in->u.command.args;
    if (in->type == HD_IN_COMMAND && in->u.command.verb == 2)
        raise_event(c, in->u.command.len, 17);
    if (in->type == HD_IN_EVENT) {
        assert_int_equal(in->u.event.len, 4);
        memcpy(&s->last_event, in->u.event.row, 4);
        if (in->u.event.list == LIST_ECHO)
            raise_event(c, LIST_ECHO, s->last_event + 1);
    }
}

static void due(void *state, struct hd_ctx *c)
{
    struct scripted *s = state;

    assert_true(s->answer.deadline <= c->now);
    s->answer.deadline = HD_NEVER;
    s->dues++;
}

static void work(void *state, struct hd_ctx *c, uint32_t units)
{
    ((struct scripted *)state)->works += units;
}

static int configure(void *state, struct hd_ctx *c, const void *config, uint32_t len)
{
    if (len != 4)
        return HD_EINVAL;
    memcpy(&((struct scripted *)state)->config, config, 4);
    return 0;
}

static uint32_t rows(const void *state, struct hd_ctx *c, uint16_t list,
                     struct hd_row_cursor *cursor, void *out, uint32_t max)
{
    cursor->end = true;
    *(uint64_t *)out = ((const struct scripted *)state)->random;
    return 1;
}

static void stop(void *state, struct hd_ctx *c)
{
    raise_event(c, LIST_PING, 1);
}

static struct hd_answer answer(const void *state)
{
    return ((const struct scripted *)state)->answer;
}

static const struct hd_core_ops ops = {
    .name = "scripted",
    .state_size = sizeof(struct scripted),
    .start = start,
    .input = input,
    .due = due,
    .work = work,
    .configure = configure,
    .rows = rows,
    .stop = stop,
    .answer = answer,
};

const struct hd_core_ops *hd_core_ops(uint8_t core)
{
    return core == A || core == B ? &ops : NULL;
}

const struct hd_event_route hd_event_routes[] = {
    {A, B, LIST_PING}, {A, B, LIST_ECHO}, {B, A, LIST_ECHO}, {0, 0, 0}};

/* --- fixture ---------------------------------------------------------------------------------- */

struct fixture {
    void *region;
    struct hd_router *r;
    struct hd_effects fx;
    _Alignas(8) uint8_t buf[65536];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct hd_router_start s = {.seed = 4};

    f->region = test_region(1 << 20);
    hd_fx_init(&f->fx, f->buf, sizeof f->buf);
    f->r = hd_router_create(f->region, 1 << 20, &s);
    assert_non_null(f->r);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    free(f->region);
    free(f);
    return 0;
}

static struct scripted *core(struct fixture *f, uint8_t number)
{
    return hd_router_core_state(f->r, number);
}

static void start_both(struct fixture *f)
{
    struct hd_router_core a = {.core = A}, b = {.core = B};

    assert_int_equal(hd_router_start_core(f->r, &b, 0, &f->fx), 0);
    assert_int_equal(hd_router_start_core(f->r, &a, 0, &f->fx), 0);
}

static struct hd_answer command(struct fixture *f, uint8_t to, uint16_t verb, uint16_t len,
                                const void *args)
{
    struct hd_input in = {.type = HD_IN_COMMAND, .core = to};

    in.u.command.id = 5;
    in.u.command.verb = verb;
    in.u.command.len = len;
    in.u.command.args = args;
    return hd_router_input(f->r, &in, 10, &f->fx);
}

static struct hd_answer script(struct fixture *f, uint8_t to, hd_time deadline,
                               enum hd_pending pending)
{
    struct hd_answer a = {.deadline = deadline, .pending = pending};

    return command(f, to, 1, sizeof a, &a);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void starts_and_refuses(void **state)
{
    struct fixture *f = *state;
    struct hd_router_core unknown = {.core = HD_CORE_MODEL}, bad = {.core = A}, good = {.core = A};
    size_t live = hd_router_pool(f->r)->live;

    bad.start.key = 666;
    assert_int_equal(hd_router_start_core(f->r, &unknown, 0, &f->fx), HD_ENOENT);
    unknown.core = 200;
    assert_int_equal(hd_router_start_core(f->r, &unknown, 0, &f->fx), HD_ENOENT);
    assert_int_equal(hd_router_start_core(f->r, &bad, 0, &f->fx), HD_EINVAL);
    for (uint64_t fail = 0; fail < 2; fail++) {
        hd_router_pool(f->r)->fail_after = fail;
        assert_int_equal(hd_router_start_core(f->r, &good, 0, &f->fx), HD_ENOMEM);
    }
    hd_router_pool(f->r)->fail_after = UINT64_MAX;
    assert_null(hd_router_core_state(f->r, A));
    assert_int_equal(hd_router_pool(f->r)->live, live);
    assert_int_equal(hd_router_start_core(f->r, &good, 0, &f->fx), 0);
    assert_int_equal(hd_router_start_core(f->r, &good, 0, &f->fx), HD_EEXIST);
}

static void gives_inputs(void **state)
{
    struct fixture *f = *state;
    struct hd_input in = {.type = HD_IN_DATAGRAM, .core = A};

    start_both(f);
    hd_router_input(f->r, &in, 1, &f->fx);
    assert_true(core(f, A)->inputs == 1 && core(f, B)->inputs == 0);
    in.type = HD_IN_INTERFACE;
    hd_router_input(f->r, &in, 1, &f->fx);
    in.type = HD_IN_WALL_CLOCK;
    hd_router_input(f->r, &in, 1, &f->fx);
    assert_true(core(f, A)->inputs == 3 && core(f, B)->inputs == 2);
    assert_int_equal(core(f, B)->last_type, HD_IN_WALL_CLOCK);
    in.type = HD_IN_REPORT;
    in.core = 99;
    hd_router_input(f->r, &in, 1, &f->fx); /* nobody */
    assert_true(core(f, A)->inputs == 3 && core(f, B)->inputs == 2 && f->fx.count == 0);
}

static void refuses_commands_of_nobody(void **state)
{
    struct fixture *f = *state;

    command(f, B, 1, 0, NULL);
    struct hd_effect *e = hd_fx_first(&f->fx);
    assert_true(e != NULL && e->type == HD_FX_REPLY && e->u.reply.command == 5 &&
                e->u.reply.flags == HD_REPLY_LAST && e->u.reply.error == HD_ENOENT);
}

static void answers_for_all(void **state)
{
    struct fixture *f = *state;

    start_both(f);
    script(f, A, 100, HD_PENDING_BACKGROUND);
    struct hd_answer a = script(f, B, 50, HD_PENDING_NONE);
    assert_true(a.deadline == 50 && a.pending == HD_PENDING_BACKGROUND);
    a = hd_router_due(f->r, 49, &f->fx);
    assert_true(core(f, A)->dues == 0 && core(f, B)->dues == 0);
    a = hd_router_due(f->r, 50, &f->fx);
    assert_true(core(f, A)->dues == 0 && core(f, B)->dues == 1 && a.deadline == 100);
    a = hd_router_due(f->r, 1000, &f->fx);
    assert_true(core(f, A)->dues == 1 && a.deadline == HD_NEVER);
}

static void works_in_turn(void **state)
{
    struct fixture *f = *state;

    start_both(f);
    hd_router_work(f->r, 1000, 1, &f->fx); /* nothing pending: nobody is asked */
    script(f, A, HD_NEVER, HD_PENDING_BACKGROUND);
    script(f, B, HD_NEVER, HD_PENDING_BACKGROUND);
    for (unsigned i = 0; i < 10; i++)
        hd_router_work(f->r, 1, 1, &f->fx);
    assert_true(core(f, A)->works == 5 && core(f, B)->works == 5);
    script(f, B, HD_NEVER, HD_PENDING_URGENT);
    for (unsigned i = 0; i < 10; i++)
        hd_router_work(f->r, 1, 1, &f->fx);
    assert_true(core(f, A)->works == 5 && core(f, B)->works == 15);
}

static void delivers_events(void **state)
{
    struct fixture *f = *state;

    start_both(f);
    command(f, A, 2, LIST_PING, NULL);
    assert_true(core(f, B)->last_type == HD_IN_EVENT && core(f, B)->last_event == 17);
    unsigned before = core(f, B)->inputs;
    command(f, B, 2, LIST_PING, NULL); /* nobody listens to B's */
    assert_int_equal(core(f, A)->inputs, 1);
    assert_int_equal(core(f, B)->inputs, before + 1);
    command(f, A, 1, 0, &(struct hd_answer){.deadline = HD_NEVER});
    assert_int_equal(core(f, B)->inputs, before + 1); /* old events are not delivered again */
}

static void bounds_events(void **state)
{
    struct fixture *f = *state;
    bool logged = false;

    start_both(f);
    command(f, A, 2, LIST_ECHO, NULL);
    assert_int_equal(core(f, A)->inputs + core(f, B)->inputs, 1 + 64);
    for (struct hd_effect *e = hd_fx_first(&f->fx); e != NULL; e = hd_fx_next(&f->fx, e))
        logged |= e->type == HD_FX_LOG && e->u.log.level == HD_LOG_ERROR;
    assert_true(logged);
}

static void configures_and_shows(void **state)
{
    struct fixture *f = *state;
    struct hd_row_cursor cursor = {0};
    uint32_t config = 31;
    uint64_t row;

    assert_int_equal(hd_router_configure(f->r, A, &config, 4, 1, &f->fx), HD_ENOENT);
    assert_int_equal(hd_router_rows(f->r, A, 1, &cursor, &row, 1, 1), 0);
    assert_true(cursor.end);
    start_both(f);
    assert_int_equal(hd_router_configure(f->r, A, &config, 3, 1, &f->fx), HD_EINVAL);
    assert_int_equal(hd_router_configure(f->r, A, &config, 4, 1, &f->fx), 0);
    assert_true(core(f, A)->config == 31 && core(f, B)->config == 0);
    assert_int_equal(hd_router_rows(f->r, A, 1, &cursor, &row, 1, 1), 1);
    assert_int_equal(row, core(f, A)->random);
    /* each core has a stream of its own, whatever the order of the starts */
    assert_true(core(f, A)->random != core(f, B)->random);
    struct hd_random want;
    hd_random_seed(&want, 4, A);
    assert_int_equal(row, hd_random_u64(&want));
}

static void stops_all(void **state)
{
    struct fixture *f = *state;
    size_t live = hd_router_pool(f->r)->live;

    start_both(f);
    hd_router_stop(f->r, 1, &f->fx);
    assert_true(core(f, A) == NULL && core(f, B) == NULL);
    assert_int_equal(hd_router_pool(f->r)->live, live);
    start_both(f); /* and they may start again */
}

static void shows_the_model(void **state)
{
    struct fixture *f = *state;
    struct hd_model *m = hd_router_model(f->r);
    struct hd_adj_value adj = {.ifindex = 3, .link_local = {{0xfe, 0x80}}, .admitted = true};
    struct hd_row_label rows_of[4];
    struct hd_row_cursor cursor = {0};
    unsigned seen = 0;

    assert_int_equal(hd_model_adj_add(m, A, &adj), 1);
    for (uint8_t n = 1; n <= 10; n++) {
        struct hd_label l = {.b = {n}};
        struct hd_label_value v = {.act = HD_LABEL_SWAP, .adj = n == 10 ? 7 : 1};
        struct hd_label_entry *e = hd_model_label_set(m, A, &l, &v);
        assert_non_null(e);
        e->owner_word = n & 1;
        e->until_s = n == 1 ? 0 : n * 10u;
    }
    while (!cursor.end) {
        uint32_t n =
            hd_router_rows(f->r, HD_CORE_MODEL, HD_LIST_LABELS, &cursor, rows_of, 4, HD_SEC(50));
        for (uint32_t i = 0; i < n; i++) {
            const struct hd_row_label *row = &rows_of[i];
            uint8_t id = row->label.b[0];
            seen |= 1u << id;
            assert_int_equal(row->explicit_setup, id & 1);
            assert_int_equal(row->expires_in_ns, id == 1  ? HD_NEVER
                                                 : id < 5 ? 0
                                                          : HD_SEC(id * 10 - 50));
            assert_int_equal(row->ifindex, id == 10 ? 0 : 3);
            assert_int_equal(row->owner, A);
        }
    }
    assert_int_equal(seen, 0x7fe);
    struct hd_row_adj row;
    cursor = (struct hd_row_cursor){0};
    assert_int_equal(hd_router_rows(f->r, HD_CORE_MODEL, HD_LIST_ADJS, &cursor, &row, 1, 50), 1);
    assert_true(cursor.end && row.adj == 1 && row.ifindex == 3 && row.admitted && !row.installed);
    struct hd_route_key key = {.prefix = {{0xfc}}, .len = 16};
    struct hd_route_value v = {.act = HD_ROUTE_DIRECT, .adj = 1, .mtu = 1400};
    assert_int_equal(hd_model_route_set(m, B, &key, &v), 0);
    struct hd_row_route route;
    cursor = (struct hd_row_cursor){0};
    assert_int_equal(hd_router_rows(f->r, HD_CORE_MODEL, HD_LIST_ROUTES, &cursor, &route, 1, 50),
                     1);
    assert_true(cursor.end && route.len == 16 && route.mtu == 1400 && route.owner == B &&
                hd_ip6_equal(&route.next_hop, &adj.link_local));
    cursor = (struct hd_row_cursor){0};
    assert_int_equal(hd_router_rows(f->r, HD_CORE_MODEL, 9, &cursor, &route, 1, 50), 0);
    assert_true(cursor.end);
}

static void is_small(void **state)
{
    struct hd_ids ids = {.shared = true};
    struct hd_router_start s = {.seed = 1, .shared_ids = &ids};
    struct hd_router_core a = {.core = A};
    struct fixture *f = *state;

    memset(f->region, 0, 1 << 20);
    f->r = hd_router_create(f->region, 1 << 20, &s);
    assert_ptr_equal(hd_router_ids(f->r), &ids);
    assert_int_equal(hd_router_start_core(f->r, &a, 0, &f->fx), 0);
    assert_true(hd_router_pool(f->r)->live < 512 + hd_pool_rounded(sizeof(struct scripted)));
    /* every size of region gives a router or NULL */
    unsigned made = 0;
    for (size_t size = 0; size < 2048; size += 16) {
        void *region = test_region(2048);
        s.shared_ids = NULL;
        made += hd_router_create(region, size, &s) != NULL;
        free(region);
    }
    assert_in_range(made, 1, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(starts_and_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gives_inputs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_commands_of_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_for_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(works_in_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(delivers_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounds_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(configures_and_shows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stops_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shows_the_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(is_small, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

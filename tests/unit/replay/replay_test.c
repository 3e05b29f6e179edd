/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was recorded is lived again: stories of one KIRA core and of the sample core, byte for byte;
 * and what was damaged, forged or cut off is found.
 */
#include <sys/mman.h>

#include "core/sample/sample.h"
#include "model/liveness.h"
#include "tape.h"
#include "unit/kira/rig.h"

#define RIG_REGION ((size_t)256 << 20) /* as in rig.c */
#define MIB        ((size_t)1 << 20)

/* --- stories ---------------------------------------------------------------------------------- */

static void ask(struct rig *g, uint16_t verb, uint32_t id, struct hd_id node)
{
    struct hd_kira_command c = {
        .id = node, .nibbles = 28, .count = 2, .interval_ns = HD_MS(100), .timeout_ns = HD_MS(500)};
    struct hd_input in = {.type = HD_IN_COMMAND, .core = HD_CORE_KIRA, .arrived = g->now};

    in.u.command.id = id;
    in.u.command.verb = verb;
    in.u.command.args = &c;
    in.u.command.len = sizeof c;
    g->answer = hd_router_input(g->router, &in, g->now, &g->fx);
    hd_fx_clear(&g->fx);
}

/* Neighbours come and fall silent, links fail, somebody asks, time passes. */
static void live(struct rig *g, unsigned rounds)
{
    rig_start(g);
    for (uint32_t i = 1; i <= 4; i++)
        rig_interface(g, i, true);
    for (uint32_t i = 0; i < 24; i++)
        rig_neighbour(g, rig_id(100 + 37 * i), 1 + i % 4);
    for (unsigned round = 0; round < rounds; round++) {
        struct rig_peer *p = &g->peers[round * 5 % g->peer_count];
        rig_for(g, HD_SEC(2));
        p->answers = !p->answers;
        p->ssn++;
        rig_hello(g, p);
        ask(g, round % 2 ? HD_KIRA_PING : HD_KIRA_PATH, round + 1, rig_id(100 + 37 * (round % 24)));
        rig_interface(g, 1 + round % 4, false);
        rig_for(g, HD_MS(700));
        rig_interface(g, 1 + round % 4, true);
        rig_forget(g);
    }
}

static void record(struct tape *t, size_t bytes, unsigned rounds, uint32_t refuse_in,
                   uint64_t fail_after)
{
    struct rig *g = malloc(sizeof *g);

    assert_non_null(g);
    rig_make(g, rig_id(1));
    tape_begin(t, bytes, RIG_REGION, HD_FX_ROOM_BYTES);
    t->refuse_in = refuse_in;
    live(g, rounds);
    if (fail_after > 0) {
        tape_end(t);
        hd_router_pool(g->router)->fail_after = fail_after;
        tape_free(t); /* the state was changed from outside: a recording begins here */
        tape_begin(t, bytes, RIG_REGION, HD_FX_ROOM_BYTES);
        rig_for(g, HD_SEC(20));
        hd_router_pool(g->router)->fail_after = UINT64_MAX;
    }
    rig_stop(g);
    tape_end(t);
    void *region = g->region;
    rig_end(g);
    tape_hold(t, region);
    free(g);
}

static void assert_identical(const struct tape_result *r)
{
    if (r->d.field != NULL || r->error != 0)
        printf("call %llu: %s (effect %d): %llx, replayed %llx; error %d %s\n",
               (unsigned long long)r->number, r->d.field, r->d.effect,
               (unsigned long long)r->d.recorded, (unsigned long long)r->d.replayed, r->error,
               r->why != NULL ? r->why : "");
    assert_null(r->d.field);
    assert_int_equal(r->error, 0);
    assert_int_equal(r->made, r->compared);
}

static void replay_is_identical(void **state)
{
    struct tape t;

    record(&t, 64 * MIB, 20, 0, 0);
    struct tape_result r = tape_play(t.ring, t.bytes);
    assert_identical(&r);
    assert_int_equal(r.made, t.recorder.calls); /* from the first to the last */
    assert_int_equal(t.recorder.snapshots, 1);
    assert_true(r.made > 1000);
    printf("%llu calls, %llu bytes, snapshot of %llu\n", (unsigned long long)r.made,
           (unsigned long long)*t.recorder.used, (unsigned long long)t.recorder.snapshot_bytes);
    tape_free(&t);
}

/* A ring that is too small for all keeps the last part, across its segments. */
static void ring_keeps_the_end(void **state)
{
    struct tape t;

    record(&t, MIB, 120, 0, 0);
    struct tape_result r = tape_play(t.ring, t.bytes);
    assert_identical(&r);
    assert_true(t.recorder.snapshots > HD_RECORDING_SEGMENTS);
    assert_true(r.made < t.recorder.calls && r.made > 100);
    assert_int_equal(r.number, t.recorder.calls);
    assert_int_equal(r.skipped, 0);
    tape_free(&t);
}

static void refusals_are_replayed(void **state)
{
    struct tape t;

    record(&t, 64 * MIB, 10, 5, 0);
    struct tape_result r = tape_play(t.ring, t.bytes);
    assert_identical(&r);
    assert_int_equal(r.made, t.recorder.calls);
    tape_free(&t);
}

static void failing_allocations_are_replayed(void **state)
{
    for (uint64_t fail_after = 1; fail_after < 40; fail_after += 7) {
        struct tape t;
        record(&t, 16 * MIB, 2, 0, fail_after);
        struct tape_result r = tape_play(t.ring, t.bytes);
        assert_identical(&r);
        tape_free(&t);
    }
}

/* --- the sample core, with an end in the middle of a call ------------------------------------ */

static void died_in_a_call(void **state)
{
    struct hd_sample_config config;
    struct hd_router_start start = {.seed = 7};
    struct hd_effects fx;
    struct tape t;
    size_t size = MIB;
    void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *room = malloc(HD_FX_ROOM_BYTES);
    hd_time now = HD_SEC(5);

    assert_true(region != MAP_FAILED);
    hd_sample_config_default(&config);
    config.node = 3;
    hd_fx_init(&fx, room, HD_FX_ROOM_BYTES);
    struct hd_router *r = hd_router_create(region, size, &start);
    assert_non_null(r);
    tape_begin(&t, MIB, size, HD_FX_ROOM_BYTES);
    struct hd_router_core core = {.core = HD_CORE_SAMPLE,
                                  .start = {.config = &config, .config_len = sizeof config}};
    assert_int_equal(hd_router_start_core(r, &core, now, &fx), 0);
    for (unsigned i = 0; i < 50; i++) {
        hd_fx_clear(&fx);
        now += HD_MS(300);
        hd_router_due(r, now, &fx);
    }
    hd_recorder_due(&t.recorder, now + 1); /* and never comes back */
    tape_end(&t);
    tape_hold(&t, region);
    free(room);
    struct tape_result played = tape_play(t.ring, t.bytes);
    assert_null(played.d.field);
    assert_int_equal(played.error, 0);
    assert_int_equal(played.made, 51);
    assert_int_equal(played.number, 52);
    assert_true(played.unfinished);
    tape_free(&t);
}

/* --- edits of the model by the driver --------------------------------------------------------- */

static void edit(struct tape *t, uint32_t op, uint32_t index, int64_t a, int64_t b)
{
    struct hd_recorded_edit e = {.op = op, .index = index, .a = a, .b = b};

    hd_recorder_edit(&t->recorder, &e, NULL, 0);
}

static void look_at_periodics(struct hd_router *r)
{
    struct hd_model *m = hd_router_model(r);
    struct hd_periodic_change c;

    assert_int_equal(hd_model_periodic(m, 1)->sent, 7);
    assert_int_equal(hd_model_periodic(m, 1)->failed, 2);
    assert_int_equal(hd_model_periodic(m, 2)->sent, 0);
    assert_true(hd_model_periodic_pull(m, &c)); /* one of the two was pulled */
    assert_int_equal(c.index, 2);
    assert_false(hd_model_periodic_pull(m, &c));
}

static void edits_are_replayed(void **state)
{
    struct hd_router_start start = {.seed = 7};
    struct hd_periodic_value v = {.interval_ns = HD_MS(10), .len = 4};
    struct hd_periodic_change c;
    struct hd_effects fx;
    struct tape t;
    size_t size = MIB;
    void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *room = malloc(HD_FX_ROOM_BYTES);

    assert_true(region != MAP_FAILED);
    hd_fx_init(&fx, room, HD_FX_ROOM_BYTES);
    struct hd_router *r = hd_router_create(region, size, &start);
    struct hd_model *m = hd_router_model(r);
    assert_int_equal(hd_model_periodic_add(m, HD_CORE_SAMPLE, &v), 1);
    assert_int_equal(hd_model_periodic_add(m, HD_CORE_SAMPLE, &v), 2);
    tape_begin(&t, MIB, size, HD_FX_ROOM_BYTES);
    hd_router_due(r, 1, &fx);
    edit(&t, HD_EDIT_PERIODIC_PULL, 0, 0, 0);
    assert_true(hd_model_periodic_pull(m, &c));
    edit(&t, HD_EDIT_PERIODIC_COUNT, 1, 7, 2);
    hd_model_periodic_count(m, 1, 7, 2);
    hd_router_due(r, 2, &fx);
    tape_end(&t);
    tape_hold(&t, region);
    free(room);
    struct tape_result played = tape_play_and_look(t.ring, t.bytes, look_at_periodics);
    assert_identical(&played);
    assert_int_equal(played.made, 2);
    tape_free(&t);
}

/* --- differences are found -------------------------------------------------------------------- */

/* The n-th record of the type in the first segment. */
static struct hd_record *find(uint8_t *image, uint16_t type, unsigned n)
{
    const struct hd_recording_head *h = (const struct hd_recording_head *)(const void *)image;
    uint8_t *segment = image + HD_RECORDING_HEAD;

    assert_int_equal(h->segments[0].number, 1);
    for (size_t at = 0; at < h->segments[0].used;) {
        struct hd_record *r = (struct hd_record *)(void *)(segment + at);
        if (r->type == type && n-- == 0)
            return r;
        at += r->size;
    }
    fail();
    return NULL;
}

static struct hd_recorded_outcome *outcome_of(struct hd_record *r)
{
    return (struct hd_recorded_outcome *)(void *)(r + 1);
}

static void differences_have_a_place(void **state)
{
    struct tape t;

    record(&t, 16 * MIB, 3, 0, 0);
    uint8_t *copy = malloc(t.bytes);
    assert_non_null(copy);

    /* another deadline */
    memcpy(copy, t.ring, t.bytes);
    struct hd_record *r = find(copy, HD_RECORD_OUTCOME, 200);
    outcome_of(r)->deadline++;
    struct tape_result p = tape_play(copy, t.bytes);
    assert_string_equal(p.d.field, "deadline");
    assert_int_equal(p.number, r->number);
    assert_int_equal(p.d.recorded, p.d.replayed + 1);

    /* another field of an effect */
    memcpy(copy, t.ring, t.bytes);
    for (unsigned i = 100;; i++) {
        r = find(copy, HD_RECORD_OUTCOME, i);
        struct hd_recorded_effect *e = (struct hd_recorded_effect *)(void *)(outcome_of(r) + 1);
        if (outcome_of(r)->listed > 0 && e->type == HD_FX_SEND) {
            e->u.send.ifindex ^= 64;
            break;
        }
    }
    p = tape_play(copy, t.bytes);
    assert_string_equal(p.d.field, "u.send.ifindex");
    assert_int_equal(p.d.effect, 0);
    assert_int_equal(p.number, r->number);
    assert_int_equal(p.d.recorded ^ 64, p.d.replayed);

    /* another word of an input: what it changes shows sooner or later */
    memcpy(copy, t.ring, t.bytes);
    r = find(copy, HD_RECORD_INPUT, 2); /* an interface of the beginning */
    struct hd_input *in = (void *)((uint8_t *)(r + 1) + sizeof(struct hd_recorded_input));
    ((struct hd_in_interface *)(void *)in)->ifindex ^= 1024;
    p = tape_play(copy, t.bytes);
    assert_non_null(p.d.field);
    assert_true(p.number >= r->number);

    /* the same calls at other times */
    memcpy(copy, t.ring, t.bytes);
    find(copy, HD_RECORD_DUE, 3)->now += HD_MS(1);
    p = tape_play(copy, t.bytes);
    assert_non_null(p.d.field);
    free(copy);
    tape_free(&t);
}

/* --- damage ----------------------------------------------------------------------------------- */

static void damage_is_told(void **state)
{
    struct tape t;

    record(&t, 4 * MIB, 2, 0, 0);
    uint8_t *copy = malloc(t.bytes);
    assert_non_null(copy);
    struct hd_recording_head *h = (void *)copy;

    for (size_t cut = 0; cut < t.bytes; cut += cut < 8192 ? 64 : 65536) {
        struct tape_result p = tape_play(t.ring, cut);
        assert_int_equal(p.error, HD_EMALFORMED);
        assert_non_null(p.why);
    }

    memcpy(copy, t.ring, t.bytes);
    copy[HD_RECORDING_HEAD + 600] ^= 1;
    struct tape_result p = tape_play(copy, t.bytes);
    assert_string_equal(p.why, "a snapshot is damaged");

    memcpy(copy, t.ring, t.bytes);
    h->version++;
    p = tape_play(copy, t.bytes);
    assert_string_equal(p.why, "the recording has another version of the format");

    memcpy(copy, t.ring, t.bytes);
    h->segments[0].used = h->segment_bytes + 8;
    p = tape_play(copy, t.bytes);
    assert_int_equal(p.error, HD_EMALFORMED);

    memcpy(copy, t.ring, t.bytes);
    find(copy, HD_RECORD_INPUT, 5)->size += 8; /* the next record begins in the middle of another */
    p = tape_play(copy, t.bytes);
    assert_true(p.error == HD_EMALFORMED || p.d.field != NULL);
    free(copy);
    tape_free(&t);
}

/* A state that leaves no room for calls is not recorded, and that is counted. */
static void too_large_states_are_counted(void **state)
{
    struct hd_router_start start = {.seed = 7};
    struct hd_effects fx;
    struct tape t;
    size_t size = 4 * MIB;
    void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *room = malloc(HD_FX_ROOM_BYTES);

    assert_true(region != MAP_FAILED);
    hd_fx_init(&fx, room, HD_FX_ROOM_BYTES);
    struct hd_router *r = hd_router_create(region, size, &start);
    void *big = hd_pool_alloc(hd_router_pool(r), MIB / 4);
    assert_non_null(big);
    tape_begin(&t, MIB, size, HD_FX_ROOM_BYTES);
    for (unsigned i = 0; i < 100; i++)
        hd_router_due(r, HD_MS(i), &fx);
    tape_end(&t);
    assert_int_equal(t.recorder.too_large, 1);
    assert_int_equal(t.recorder.calls, 100);
    struct tape_result p = tape_play(t.ring, t.bytes);
    assert_string_equal(p.why, "the recording is empty");
    tape_hold(&t, region);
    free(room);
    tape_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_is_identical),
        cmocka_unit_test(ring_keeps_the_end),
        cmocka_unit_test(refusals_are_replayed),
        cmocka_unit_test(failing_allocations_are_replayed),
        cmocka_unit_test(died_in_a_call),
        cmocka_unit_test(edits_are_replayed),
        cmocka_unit_test(differences_have_a_place),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(too_large_states_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

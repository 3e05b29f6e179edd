/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of the linux driver into its router, and nothing else: each is told to the recorder
 * before it is made, and what came of it before anything is done about it (replay/recorder.h). All
 * calls go through here, so that a recording is complete.
 */
#include <sys/mman.h>
#include <sys/random.h>

#include "lib/base.h"
#include "linux/driver_internal.h"

/*
 * A region is replayed at the address where it lay. So it lies where the kernel puts nothing by
 * itself: between 32 and 64 TiB, at one of 2^24 places that nobody outside can know. It is a hint:
 * where such addresses do not exist, the kernel takes another one.
 */
void *hd_driver_region_hint(void)
{
#ifdef __x86_64__
    uint32_t place = 0;
    (void)!getrandom(&place, sizeof place, GRND_NONBLOCK);
    uint64_t at = ((uint64_t)1 << 45) + ((uint64_t)(place & 0xffffffu) << 21);
    return (void *)(uintptr_t)at;
#else
    return NULL;
#endif
}

int hd_driver_call_start(struct hd_driver *d, const struct hd_router_core *c)
{
    struct hd_answer none = {.deadline = HD_NEVER};
    hd_recorder_start_core(&d->recorder, c, d->now);
    int error = hd_router_start_core(d->router, c, d->now, &d->fx);
    hd_recorder_outcome(&d->recorder, error, &none, &d->fx);
    return error;
}

struct hd_answer hd_driver_call_input(struct hd_driver *d, const struct hd_input *in)
{
    hd_recorder_input(&d->recorder, in, d->now);
    struct hd_answer a = hd_router_input(d->router, in, d->now, &d->fx);
    hd_recorder_outcome(&d->recorder, 0, &a, &d->fx);
    return a;
}

struct hd_answer hd_driver_call_due(struct hd_driver *d)
{
    hd_recorder_due(&d->recorder, d->now);
    struct hd_answer a = hd_router_due(d->router, d->now, &d->fx);
    hd_recorder_outcome(&d->recorder, 0, &a, &d->fx);
    return a;
}

struct hd_answer hd_driver_call_work(struct hd_driver *d)
{
    hd_recorder_work(&d->recorder, d->work_units, d->now);
    struct hd_answer a = hd_router_work(d->router, d->work_units, d->now, &d->fx);
    hd_recorder_outcome(&d->recorder, 0, &a, &d->fx);
    return a;
}

void hd_driver_call_stop(struct hd_driver *d)
{
    struct hd_answer none = {.deadline = HD_NEVER};
    hd_recorder_stop(&d->recorder, d->now);
    hd_router_stop(d->router, d->now, &d->fx);
    hd_recorder_outcome(&d->recorder, 0, &none, &d->fx);
}

int hd_driver_call_configure(struct hd_driver *d, uint8_t core, const void *config, uint32_t len)
{
    struct hd_answer none = {.deadline = HD_NEVER};
    hd_recorder_configure(&d->recorder, core, config, len, d->now);
    int error = hd_router_configure(d->router, core, config, len, d->now, &d->fx);
    hd_recorder_outcome(&d->recorder, error, &none, &d->fx);
    return error;
}

int hd_driver_call_change(struct hd_driver *d, uint8_t core, const void *delta, uint32_t len)
{
    struct hd_answer none = {.deadline = HD_NEVER};
    struct hd_config_delta read;
    if (hd_config_delta_read(delta, len, &read) != 0) {
        return HD_EMALFORMED;
    }
    hd_recorder_change(&d->recorder, core, delta, len, d->now);
    int error = hd_router_change(d->router, core, &read, d->now, &d->fx);
    hd_recorder_outcome(&d->recorder, error, &none, &d->fx);
    return error;
}

void hd_driver_call_stop_core(struct hd_driver *d, uint8_t core)
{
    struct hd_answer none = {.deadline = HD_NEVER};
    hd_recorder_stop_core(&d->recorder, core, d->now);
    hd_router_stop_core(d->router, core, d->now, &d->fx);
    hd_recorder_outcome(&d->recorder, 0, &none, &d->fx);
}

/* --- changes of the model ------------------------------------------------------------------------
 */

static void record(struct hd_driver *d, enum hd_recorded_edit_op op, uint32_t index, int64_t a,
                   int64_t b)
{
    struct hd_recorded_edit e = {.op = op, .index = index, .a = a, .b = b};
    hd_recorder_edit(&d->recorder, &e, NULL, 0);
}

/* Asked in every turn: a look that finds nothing changes nothing and is not recorded. */
bool hd_driver_periodic_pull(struct hd_driver *d, struct hd_periodic_change *c)
{
    struct hd_model *m = hd_router_model(d->router);
    if (m->live == NULL || m->live->queue.head == 0) {
        return false;
    }
    record(d, HD_EDIT_PERIODIC_PULL, 0, 0, 0);
    return hd_model_periodic_pull(m, c);
}

void hd_driver_periodic_done(struct hd_driver *d, uint32_t index, int error)
{
    record(d, HD_EDIT_PERIODIC_DONE, index, error, 0);
    hd_model_periodic_done(hd_router_model(d->router), index, error);
}

void hd_driver_periodic_count(struct hd_driver *d, uint32_t index, uint64_t sent, uint64_t failed)
{
    record(d, HD_EDIT_PERIODIC_COUNT, index, (int64_t)sent, (int64_t)failed);
    hd_model_periodic_count(hd_router_model(d->router), index, sent, failed);
}

void hd_driver_periodics_lost(struct hd_driver *d)
{
    record(d, HD_EDIT_PERIODICS_LOST, 0, 0, 0);
    hd_model_periodics_lost(hd_router_model(d->router));
}

void hd_driver_periodic_sweep(struct hd_driver *d)
{
    record(d, HD_EDIT_PERIODIC_SWEEP, 0, 0, 0);
    hd_model_periodic_sweep(hd_router_model(d->router));
}

void hd_driver_watch_seen(struct hd_driver *d, uint32_t index, hd_time at)
{
    record(d, HD_EDIT_WATCH_SEEN, index, at, 0);
    hd_model_watch_seen(hd_router_model(d->router), index, at);
}

bool hd_driver_virtual_pull(struct hd_driver *d, struct hd_virtual_change *c)
{
    struct hd_model *m = hd_router_model(d->router);
    if (m->virtuals == NULL || m->virtuals->queue.head == 0) {
        return false;
    }
    record(d, HD_EDIT_VIRTUAL_PULL, 0, 0, 0);
    return hd_model_virtual_pull(m, c);
}

bool hd_driver_virtual_done(struct hd_driver *d, uint32_t index, const struct hd_virtual_value *v,
                            int error)
{
    struct hd_recorded_edit e = {.op = HD_EDIT_VIRTUAL_DONE, .index = index, .a = error};
    hd_recorder_edit(&d->recorder, &e, v, sizeof *v);
    return hd_model_virtual_done(hd_router_model(d->router), index, v, error);
}

void hd_driver_virtuals_repeat(struct hd_driver *d)
{
    record(d, HD_EDIT_VIRTUALS_REPEAT, 0, 0, 0);
    hd_model_virtuals_repeat(hd_router_model(d->router));
}

void hd_driver_virtual_sweep(struct hd_driver *d, uint8_t owner)
{
    record(d, HD_EDIT_VIRTUAL_SWEEP, owner, 0, 0);
    hd_model_virtual_sweep(hd_router_model(d->router), owner);
}

/* --- applying ------------------------------------------------------------------------------------
 */

/*
 * However the data plane batched its changes, none is on its way when it has applied them; one more
 * look at the queue is when the model tidies up, and a replay tidies up at the same moment.
 */
static void apply(struct hd_driver *d, struct hd_model *m)
{
    struct hd_change c;
    hd_fwd_apply(d->fwd, m);
    HD_ASSERT(!hd_model_pull(m, &c));
}

void hd_driver_call_apply(struct hd_driver *d, struct hd_model *m)
{
    struct hd_model_refused v[HD_RECORDED_REFUSED_MAX];
    struct hd_model_refused_list refused = {.v = v, .cap = HD_ARRAY_LEN(v)};
    struct hd_model_old_list lent = {.refused = &refused};
    if (!hd_recorder_on(&d->recorder)) {
        apply(d, m);
        return;
    }
    m->old = &lent;
    apply(d, m);
    m->old = NULL;
    hd_recorder_refused(&d->recorder, &refused);
}

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

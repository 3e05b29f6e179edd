/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the ring (recorder.h). A record is put together in place, and the segment's `used` moves
 * over it when it is whole.
 *
 * A segment ends when the next call with the longest possible outcome would not fit; the snapshot
 * that begins its successor is a copy of the pages that hold anything. That copy is the one cost
 * that grows with the state: some 0.1 ms per MiB, once per segment. A state that would fill most of
 * a segment is not recorded at all, since little room would be left for calls; the recorder tries
 * again now and then and counts its failures.
 */
#include "replay/recorder.h"

#include <string.h>

#include "lib/base.h"

#define RETRY_CALLS 4096
/* Room that a call leaves for what comes of it. */
#define OUTCOME_ROOM                                                                               \
    (2 * sizeof(struct hd_record) + sizeof(struct hd_outcome) + sizeof(struct hd_recorded_refused))

static struct hd_recording_head *head_of(const struct hd_recorder *r)
{
    return (struct hd_recording_head *)(void *)r->ring;
}

uint32_t hd_recording_input_size(uint32_t type)
{
    static const uint32_t sizes[] = {
        [HD_IN_DATAGRAM] = sizeof(struct hd_in_datagram),
        [HD_IN_INTERFACE] = sizeof(struct hd_in_interface),
        [HD_IN_COMMAND] = sizeof(struct hd_in_command),
        [HD_IN_EVENT] = sizeof(struct hd_in_event),
        [HD_IN_MODEL] = sizeof(struct hd_in_model),
        [HD_IN_REPORT] = sizeof(struct hd_in_report),
        [HD_IN_SAMPLE] = sizeof(struct hd_in_sample),
        [HD_IN_SAVED] = sizeof(struct hd_in_saved),
        [HD_IN_WALL_CLOCK] = sizeof(struct hd_in_wall_clock),
        [HD_IN_ADDRESS] = sizeof(struct hd_in_address),
        [HD_IN_VIRTUAL] = sizeof(struct hd_in_virtual),
    };

    return type < HD_ARRAY_LEN(sizes) ? sizes[type] : 0;
}

int hd_recorder_init(struct hd_recorder *r, const struct hd_recorder_start *s)
{
    memset(r, 0, sizeof *r);
    if (s->bytes < HD_RECORDING_BYTES_MIN || s->bytes > HD_RECORDING_BYTES_MAX)
        return HD_EINVAL;
    r->ring = s->ring;
    r->segment_bytes =
        (s->bytes - HD_RECORDING_HEAD) / HD_RECORDING_SEGMENTS & ~(size_t)(HD_RECORDING_PAGE - 1);
    r->region = s->region;
    r->router = s->router;
    struct hd_recording_head *h = head_of(r);
    memset(h, 0, sizeof *h);
    h->version = HD_RECORDING_VERSION;
    h->segment_count = HD_RECORDING_SEGMENTS;
    h->segment_bytes = r->segment_bytes;
    memcpy(h->cores_id, hd_cores_id, sizeof h->cores_id);
    h->region_address = (uint64_t)(uintptr_t)s->region;
    h->region_bytes = s->region_bytes;
    h->router_offset = (uint64_t)((const uint8_t *)s->router - (const uint8_t *)s->region);
    h->fx_bytes = s->fx_bytes;
    h->began = s->now;
    h->began_unix = s->unix_ns;
    memcpy(h->magic, HD_RECORDING_MAGIC, sizeof h->magic);
    return 0;
}

/* --- records -----------------------------------------------------------------------------------
 */

/* A record under construction: nothing of it counts before put_end. */
struct put {
    struct hd_recorder *r;
    uint8_t *begin, *at;
};

static struct put put_begin(struct hd_recorder *r, enum hd_record_type type, hd_time now)
{
    struct put p = {.r = r, .begin = r->segment + *r->used};
    struct hd_record *record = (struct hd_record *)(void *)p.begin;

    record->type = (uint16_t)type;
    record->reserved = 0;
    record->number = r->calls;
    record->now = now;
    p.at = p.begin + sizeof *record;
    return p;
}

static void put_bytes(struct put *p, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    memcpy(p->at, bytes, len);
    p->at += len;
}

/* Up to a multiple of 8, so that the next struct is aligned. */
static void put_pad(struct put *p)
{
    while ((size_t)(p->at - p->begin) % 8 != 0)
        *p->at++ = 0;
}

static void put_end(struct put *p)
{
    put_pad(p);
    size_t size = (size_t)(p->at - p->begin);
    ((struct hd_record *)(void *)p->begin)->size = (uint32_t)size;
    HD_ASSERT(*p->r->used + size <= p->r->segment_bytes);
    __atomic_store_n(p->r->used, *p->r->used + size, __ATOMIC_RELEASE);
}

/* --- snapshots ---------------------------------------------------------------------------------
 */

static bool page_counts(const uint8_t *page, size_t len)
{
    return page[0] != 0 || memcmp(page, page + 1, len - 1) != 0;
}

static size_t page_len(const struct hd_pool *pool, uint64_t page)
{
    return HD_MIN(pool->used - page * HD_RECORDING_PAGE, (size_t)HD_RECORDING_PAGE);
}

/* Bytes that a snapshot takes at most: pages of zeros are found while it is written. */
static size_t snapshot_room(const struct hd_pool *pool)
{
    size_t pages = (pool->used + HD_RECORDING_PAGE - 1) / HD_RECORDING_PAGE;

    return sizeof(struct hd_record) + sizeof(struct hd_recorded_snapshot) + pages / 8 + 16 +
           pool->used;
}

static void put_snapshot(struct hd_recorder *r, const struct hd_pool *pool, hd_time now)
{
    const uint8_t *region = r->region;
    struct hd_recorded_snapshot s = {
        .used = pool->used,
        .pages = (pool->used + HD_RECORDING_PAGE - 1) / HD_RECORDING_PAGE,
        .running = r->running,
    };
    struct put p = put_begin(r, HD_RECORD_SNAPSHOT, now);
    struct hd_recorded_snapshot *place = (struct hd_recorded_snapshot *)(void *)p.at;
    put_bytes(&p, &s, sizeof s);
    uint8_t *bitmap = p.at;
    size_t bitmap_len = (size_t)(s.pages + 63) / 64 * 8;
    memset(bitmap, 0, bitmap_len);
    p.at += bitmap_len;
    for (uint64_t i = 0; i < s.pages; i++) {
        const uint8_t *page = region + i * HD_RECORDING_PAGE;
        size_t len = page_len(pool, i);
        if (!page_counts(page, len))
            continue;
        bitmap[i / 8] = (uint8_t)(bitmap[i / 8] | 1u << i % 8);
        put_bytes(&p, page, len);
    }
    place->digest = hd_outcome_digest(0, bitmap, (size_t)(p.at - bitmap));
    put_end(&p);
    r->snapshots++;
    r->snapshot_bytes = *r->used;
}

/* Begins the next segment with a snapshot; without one there is no segment. */
static void next_segment(struct hd_recorder *r, hd_time now)
{
    const struct hd_pool *pool = hd_router_pool(r->router);
    struct hd_recording_segment *s;

    r->segment = NULL;
    if (snapshot_room(pool) > r->segment_bytes / 4 * 3) {
        r->too_large++;
        r->retry_at = r->calls + RETRY_CALLS;
        return;
    }
    size_t slot = r->number % HD_RECORDING_SEGMENTS;
    s = &head_of(r)->segments[slot];
    __atomic_store_n(&s->number, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE); /* first it is invalid, then it is written over */
    s->used = 0;
    r->used = &s->used;
    r->segment = r->ring + HD_RECORDING_HEAD + slot * r->segment_bytes;
    put_snapshot(r, pool, now);
    r->number++;
    __atomic_store_n(&s->number, r->number, __ATOMIC_RELEASE);
}

/* Makes room for a call of so many bytes and its outcome; false: it is not recorded. */
static bool make_room(struct hd_recorder *r, size_t len, hd_time now)
{
    size_t need = sizeof(struct hd_record) + len + 8 + OUTCOME_ROOM;

    if (r->ring == NULL)
        return false;
    if (r->segment == NULL && r->calls < r->retry_at) {
        r->calls++;
        return false;
    }
    if (r->segment == NULL || *r->used + need > r->segment_bytes)
        next_segment(r, now);
    r->calls++;
    r->now = now;
    if (r->segment != NULL && *r->used + need > r->segment_bytes)
        r->segment = NULL; /* longer than any segment: from the next call on again */
    return r->segment != NULL;
}

/* --- calls -------------------------------------------------------------------------------------
 */

static size_t rounded(size_t len)
{
    return (len + 7) & ~(size_t)7;
}

void hd_recorder_start_core(struct hd_recorder *r, const struct hd_router_core *c, hd_time now)
{
    const struct hd_start *s = &c->start;
    struct hd_recorded_start head = {.core = c->core,
                                     .key = s->key,
                                     .resumed = s->resumed,
                                     .config_len = s->config_len,
                                     .saved_count = s->saved_count};
    size_t len = sizeof head + rounded(s->config_len);

    for (uint32_t i = 0; i < s->saved_count; i++)
        len += sizeof(struct hd_recorded_value) + rounded(s->saved[i].len);
    if (!make_room(r, len, now))
        return;
    struct put p = put_begin(r, HD_RECORD_START, now);
    put_bytes(&p, &head, sizeof head);
    put_bytes(&p, s->config, s->config_len);
    put_pad(&p);
    for (uint32_t i = 0; i < s->saved_count; i++) {
        struct hd_recorded_value v = {.key = s->saved[i].key, .len = s->saved[i].len};
        put_bytes(&p, &v, sizeof v);
        put_bytes(&p, s->saved[i].bytes, v.len);
        put_pad(&p);
    }
    put_end(&p);
}

/* Takes the pointer to the bytes of an input out of its copy: what lies there follows the record.
 */
static const void *take_bytes(struct hd_input *in, uint32_t *len)
{
    const void *bytes = NULL;

    *len = 0;
    switch (in->type) {
    case HD_IN_DATAGRAM:
        bytes = in->u.datagram.bytes;
        *len = in->u.datagram.len;
        in->u.datagram.bytes = NULL;
        break;
    case HD_IN_COMMAND:
        bytes = in->u.command.args;
        *len = bytes != NULL ? in->u.command.len : 0;
        in->u.command.args = NULL;
        break;
    case HD_IN_EVENT:
        bytes = in->u.event.row;
        *len = in->u.event.len;
        in->u.event.row = NULL;
        break;
    default:
        break;
    }
    return bytes;
}

void hd_recorder_input(struct hd_recorder *r, const struct hd_input *in, hd_time now)
{
    struct hd_input copy;
    struct hd_recorded_input head;

    if (r->ring == NULL)
        return;
    copy = *in;
    head = (struct hd_recorded_input){.type = in->type,
                                      .core = in->core,
                                      .arrived = in->arrived,
                                      .fixed_len = hd_recording_input_size(in->type)};
    const void *bytes = take_bytes(&copy, &head.bytes_len);
    if (!make_room(r, sizeof head + head.fixed_len + head.bytes_len, now))
        return;
    struct put p = put_begin(r, HD_RECORD_INPUT, now);
    put_bytes(&p, &head, sizeof head);
    put_bytes(&p, &copy.u, head.fixed_len);
    put_pad(&p);
    put_bytes(&p, bytes, head.bytes_len);
    put_end(&p);
}

static void put_call(struct hd_recorder *r, enum hd_record_type type, const void *body, size_t len,
                     hd_time now)
{
    if (!make_room(r, len, now))
        return;
    struct put p = put_begin(r, type, now);
    put_bytes(&p, body, len);
    put_end(&p);
}

void hd_recorder_due(struct hd_recorder *r, hd_time now)
{
    put_call(r, HD_RECORD_DUE, NULL, 0, now);
}

void hd_recorder_work(struct hd_recorder *r, uint32_t units, hd_time now)
{
    struct hd_recorded_work w = {units};

    put_call(r, HD_RECORD_WORK, &w, sizeof w, now);
}

static void put_config(struct hd_recorder *r, enum hd_record_type type, uint8_t core,
                       const void *config, uint32_t len, hd_time now)
{
    struct hd_recorded_configure head = {.core = core, .len = len};

    if (!make_room(r, sizeof head + len, now))
        return;
    struct put p = put_begin(r, type, now);
    put_bytes(&p, &head, sizeof head);
    put_bytes(&p, config, len);
    put_end(&p);
}

void hd_recorder_configure(struct hd_recorder *r, uint8_t core, const void *config, uint32_t len,
                           hd_time now)
{
    put_config(r, HD_RECORD_CONFIGURE, core, config, len, now);
}

void hd_recorder_change(struct hd_recorder *r, uint8_t core, const void *delta, uint32_t len,
                        hd_time now)
{
    put_config(r, HD_RECORD_CHANGE, core, delta, len, now);
}

void hd_recorder_stop(struct hd_recorder *r, hd_time now)
{
    put_call(r, HD_RECORD_STOP, NULL, 0, now);
}

void hd_recorder_stop_core(struct hd_recorder *r, uint8_t core, hd_time now)
{
    struct hd_recorded_configure head = {.core = core};

    put_call(r, HD_RECORD_STOP_CORE, &head, sizeof head, now);
}

void hd_recorder_edit(struct hd_recorder *r, const struct hd_recorded_edit *e, const void *value,
                      uint32_t len)
{
    size_t need = sizeof(struct hd_record) + sizeof *e + rounded(len);

    if (r->segment == NULL)
        return; /* the snapshot that begins one will hold it */
    if (*r->used + need > r->segment_bytes)
        next_segment(r, r->now);
    if (r->segment == NULL)
        return;
    struct put p = put_begin(r, HD_RECORD_EDIT, r->now);
    put_bytes(&p, e, sizeof *e);
    put_bytes(&p, value, len);
    put_end(&p);
}

/* --- what came of it ---------------------------------------------------------------------------
 */

void hd_recorder_outcome(struct hd_recorder *r, int result, const struct hd_answer *answer,
                         const struct hd_effects *fx)
{
    struct hd_outcome *out = &r->outcome;

    if (r->segment == NULL)
        return;
    hd_outcome_make(out, result, answer, r->router, fx);
    r->running = out->o.running = hd_outcome_running(r->running, &out->o);
    struct put p = put_begin(r, HD_RECORD_OUTCOME, r->now);
    put_bytes(&p, &out->o, sizeof out->o);
    put_bytes(&p, out->effects, out->o.listed * sizeof out->effects[0]);
    put_end(&p);
}

void hd_recorder_refused(struct hd_recorder *r, const struct hd_model_refused_list *list)
{
    struct hd_recorded_refused refused = {.count = list->len, .lost = list->lost};

    if (r->segment == NULL || list->len + list->lost == 0)
        return;
    HD_ASSERT(list->len <= HD_RECORDED_REFUSED_MAX);
    memcpy(refused.v, list->v, list->len * sizeof refused.v[0]);
    struct put p = put_begin(r, HD_RECORD_REFUSED, r->now);
    put_bytes(&p, &refused, sizeof refused);
    put_end(&p);
    if (list->lost > 0)
        r->segment = NULL; /* what the model is now cannot be told but by a snapshot */
}

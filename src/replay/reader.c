/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a recording: see reader.h. */
#include "replay/reader.h"

#include <string.h>

#include "lib/base.h"
#include "replay/outcome.h"

static int wrong(const char **why, const char *sentence)
{
    *why = sentence;
    return HD_EMALFORMED;
}

/* --- head ---------------------------------------------------------------------------------------
 */

static int check_head(const struct hd_recording_head *h, size_t size, const char **why)
{
    if (memcmp(h->magic, HD_RECORDING_MAGIC, sizeof h->magic) != 0)
        return wrong(why, "this is no recording");
    if (h->version != HD_RECORDING_VERSION)
        return wrong(why, "the recording has another version of the format");
    if (h->segment_count != HD_RECORDING_SEGMENTS || h->segment_bytes > HD_RECORDING_BYTES_MAX ||
        h->segment_bytes % HD_RECORDING_PAGE != 0)
        return wrong(why, "the head of the recording makes no sense");
    if (size < HD_RECORDING_HEAD + HD_RECORDING_SEGMENTS * h->segment_bytes)
        return wrong(why, "the recording is cut off");
    if (h->region_bytes == 0 || h->region_bytes > (uint64_t)1 << 40 ||
        h->region_address % HD_RECORDING_PAGE != 0 ||
        h->region_address > UINT64_MAX - h->region_bytes || h->router_offset % 16 != 0 ||
        h->router_offset >= h->region_bytes || h->fx_bytes < HD_FX_ROOM_BYTES ||
        h->fx_bytes > HD_RECORDING_BYTES_MAX)
        return wrong(why, "the head of the recording makes no sense");
    return 0;
}

/* Segments by number: an insertion sort of four. */
static void insert_segment(struct hd_recording *r, uint32_t slot)
{
    const struct hd_recording_segment *s = &r->head.segments[slot];
    uint32_t i = r->segment_count++;

    for (; i > 0 && r->segments[i - 1].number > s->number; i--)
        r->segments[i] = r->segments[i - 1];
    r->segments[i].at = r->image + HD_RECORDING_HEAD + slot * r->head.segment_bytes;
    r->segments[i].used = (size_t)s->used;
    r->segments[i].number = s->number;
}

/* Of the newest segments those that follow each other without a gap. */
static void drop_before_gap(struct hd_recording *r)
{
    uint32_t first = r->segment_count;

    while (first > 1 && r->segments[first - 2].number + 1 == r->segments[first - 1].number)
        first--;
    if (first > 0)
        first--;
    memmove(&r->segments[0], &r->segments[first],
            (r->segment_count - first) * sizeof r->segments[0]);
    r->segment_count -= first;
}

int hd_recording_open(struct hd_recording *r, const void *image, size_t size, const char **why)
{
    memset(r, 0, sizeof *r);
    r->image = image;
    r->size = size;
    if (size < HD_RECORDING_HEAD)
        return wrong(why, "this is no recording");
    memcpy(&r->head, image, sizeof r->head);
    int error = check_head(&r->head, size, why);
    if (error != 0)
        return error;
    for (uint32_t i = 0; i < HD_RECORDING_SEGMENTS; i++) {
        const struct hd_recording_segment *s = &r->head.segments[i];
        if (s->number == 0 || s->used == 0)
            continue;
        if (s->used > r->head.segment_bytes || s->used % 8 != 0)
            return wrong(why, "a segment of the recording is longer than its place");
        insert_segment(r, i);
    }
    drop_before_gap(r);
    if (r->segment_count == 0)
        return wrong(why, "the recording is empty");
    return 0;
}

bool hd_recording_same_cores(const struct hd_recording *r)
{
    return memcmp(r->head.cores_id, hd_cores_id, sizeof r->head.cores_id) == 0;
}

/* --- records ------------------------------------------------------------------------------------
 */

/* The rest of a record that was not looked at yet. */
struct take {
    const uint8_t *at;
    size_t left;
};

/* The next len bytes and their padding, NULL when there are fewer. */
static const void *take(struct take *t, uint64_t len)
{
    const uint8_t *at = t->at;

    if (len > t->left)
        return NULL;
    size_t padded = HD_MIN(((size_t)len + 7) & ~(size_t)7, t->left);
    t->at += padded;
    t->left -= padded;
    return at;
}

static bool take_struct(struct take *t, void *to, size_t size)
{
    const void *from = take(t, size);

    if (from == NULL)
        return false;
    memcpy(to, from, size);
    return true;
}

static uint64_t pages_bytes(const struct hd_recorded_snapshot *s, const uint8_t *bitmap)
{
    uint64_t bytes = 0;

    for (uint64_t i = 0; i < s->pages; i++)
        if (bitmap[i / 8] >> i % 8 & 1)
            bytes += HD_MIN(s->used - i * HD_RECORDING_PAGE, (uint64_t)HD_RECORDING_PAGE);
    return bytes;
}

static int read_snapshot(const struct hd_recording *r, struct take *t, struct hd_recorded_call *c,
                         const char **why)
{
    struct hd_recorded_snapshot *s = &c->snapshot;

    if (!take_struct(t, s, sizeof *s) || s->used > r->head.region_bytes ||
        s->pages != (s->used + HD_RECORDING_PAGE - 1) / HD_RECORDING_PAGE)
        return wrong(why, "a snapshot is cut off");
    const uint8_t *begin = t->at;
    size_t all = t->left;
    c->bitmap = take(t, (s->pages + 63) / 64 * 8);
    c->pages = t->at;
    uint64_t bytes = c->bitmap != NULL ? pages_bytes(s, c->bitmap) : 0;
    if (c->bitmap == NULL || take(t, bytes) == NULL)
        return wrong(why, "a snapshot is cut off");
    /* What was written is what was digested, without the padding of the record. */
    size_t digested = (size_t)(c->pages - begin) + (size_t)bytes;
    if (digested > all || hd_outcome_digest(0, begin, digested) != s->digest)
        return wrong(why, "a snapshot is damaged");
    return 0;
}

static int read_start(struct take *t, struct hd_recorded_call *c, const char **why)
{
    struct hd_recorded_start s;

    if (!take_struct(t, &s, sizeof s) || s.core > UINT8_MAX || s.resumed > 1 ||
        s.saved_count > HD_RECORDING_SAVED_MAX)
        return wrong(why, "the start of a core makes no sense");
    c->start.core = (uint8_t)s.core;
    c->start.start = (struct hd_start){.config_len = s.config_len,
                                       .saved = c->saved,
                                       .saved_count = s.saved_count,
                                       .resumed = s.resumed != 0,
                                       .key = s.key};
    const void *config = take(t, s.config_len);
    if (config == NULL)
        return wrong(why, "the start of a core is cut off");
    c->start.start.config = s.config_len > 0 ? config : NULL;
    for (uint32_t i = 0; i < s.saved_count; i++) {
        struct hd_recorded_value v;
        const void *bytes = NULL;
        if (take_struct(t, &v, sizeof v))
            bytes = take(t, v.len);
        if (bytes == NULL || v.key > UINT16_MAX)
            return wrong(why, "the start of a core is cut off");
        c->saved[i] = (struct hd_saved_value){(uint16_t)v.key, v.len, bytes};
    }
    return 0;
}

/* Puts the pointer to the bytes back where take_bytes of the recorder took it. */
static bool give_bytes(struct hd_input *in, const void *bytes, uint32_t len)
{
    switch (in->type) {
    case HD_IN_DATAGRAM:
        in->u.datagram.bytes = bytes;
        return in->u.datagram.len == len;
    case HD_IN_COMMAND:
        in->u.command.args = len > 0 ? bytes : NULL;
        return in->u.command.len == len || len == 0;
    case HD_IN_EVENT:
        in->u.event.row = bytes;
        return in->u.event.len == len;
    default:
        return len == 0;
    }
}

static int read_input(struct take *t, struct hd_recorded_call *c, const char **why)
{
    struct hd_recorded_input h;

    if (!take_struct(t, &h, sizeof h) || h.core > UINT8_MAX || h.fixed_len == 0 ||
        h.fixed_len != hd_recording_input_size(h.type))
        return wrong(why, "an input makes no sense");
    c->input.type = (enum hd_input_type)h.type;
    c->input.core = (uint8_t)h.core;
    c->input.arrived = h.arrived;
    bool whole = take_struct(t, &c->input.u, h.fixed_len);
    const void *bytes = whole ? take(t, h.bytes_len) : NULL;
    if (bytes == NULL || !give_bytes(&c->input, bytes, h.bytes_len))
        return wrong(why, "an input is cut off");
    return 0;
}

static int read_configure(struct take *t, struct hd_recorded_call *c, const char **why)
{
    struct hd_recorded_configure h;

    if (!take_struct(t, &h, sizeof h) || h.core > UINT8_MAX || (c->config = take(t, h.len)) == NULL)
        return wrong(why, "a configuration is cut off");
    c->core = (uint8_t)h.core;
    c->config_len = h.len;
    if (c->type == HD_RECORD_CHANGE && hd_config_delta_read(c->config, h.len, &c->delta) != 0)
        return wrong(why, "a change of a configuration makes no sense");
    return 0;
}

static int read_work(struct take *t, struct hd_recorded_call *c, const char **why)
{
    struct hd_recorded_work w;

    if (!take_struct(t, &w, sizeof w) || w.units > UINT32_MAX)
        return wrong(why, "a slice of work makes no sense");
    c->units = (uint32_t)w.units;
    return 0;
}

static int read_edit(struct take *t, struct hd_recorded_call *c, const char **why)
{
    if (!take_struct(t, &c->edit, sizeof c->edit) ||
        (c->edit.op == HD_EDIT_VIRTUAL_DONE &&
         !take_struct(t, &c->virtual_value, sizeof c->virtual_value)))
        return wrong(why, "an edit is cut off");
    return 0;
}

static int read_call(const struct hd_recording *r, struct take *t, struct hd_recorded_call *c,
                     const char **why)
{
    switch ((enum hd_record_type)c->type) {
    case HD_RECORD_SNAPSHOT:
        return read_snapshot(r, t, c, why);
    case HD_RECORD_START:
        return read_start(t, c, why);
    case HD_RECORD_INPUT:
        return read_input(t, c, why);
    case HD_RECORD_WORK:
        return read_work(t, c, why);
    case HD_RECORD_EDIT:
        return read_edit(t, c, why);
    case HD_RECORD_STOP_CORE:
    case HD_RECORD_CONFIGURE:
    case HD_RECORD_CHANGE:
        return read_configure(t, c, why);
    case HD_RECORD_DUE:
    case HD_RECORD_STOP:
        return 0;
    default:
        return wrong(why, "there is a record of unknown type");
    }
}

/* The record at `at` of a segment: its head and its body. */
static int record_at(const uint8_t *segment, size_t used, size_t at, struct hd_record *h,
                     struct take *t)
{
    if (used - at < sizeof *h)
        return HD_EMALFORMED;
    memcpy(h, segment + at, sizeof *h);
    if (h->size < sizeof *h || h->size % 8 != 0 || h->size > used - at)
        return HD_EMALFORMED;
    *t = (struct take){segment + at + sizeof *h, h->size - sizeof *h};
    return 0;
}

/* Whether a record of this type and call stands at the cursor; then it is taken. */
static bool follows(const struct hd_recording *r, struct hd_recording_cursor *cursor,
                    enum hd_record_type type, uint64_t number, struct take *t)
{
    size_t used = r->segments[cursor->segment].used;
    struct hd_record h;

    if (cursor->at >= used ||
        record_at(r->segments[cursor->segment].at, used, cursor->at, &h, t) != 0 ||
        h.type != type || h.number != number)
        return false;
    cursor->at += h.size;
    return true;
}

static int read_outcome(const struct hd_recording *r, struct hd_recording_cursor *cursor,
                        struct hd_recorded_call *c, const char **why)
{
    struct take t;

    if (!follows(r, cursor, HD_RECORD_OUTCOME, c->number, &t))
        return 0;
    c->outcome = take(&t, sizeof *c->outcome);
    if (c->outcome == NULL || c->outcome->listed > HD_RECORDED_EFFECTS_MAX ||
        (c->effects = take(&t, c->outcome->listed * sizeof *c->effects)) == NULL)
        return wrong(why, "an outcome is cut off");
    if (!follows(r, cursor, HD_RECORD_REFUSED, c->number, &t))
        return 0;
    c->refused = take(&t, sizeof *c->refused);
    if (c->refused == NULL || c->refused->count > HD_RECORDED_REFUSED_MAX)
        return wrong(why, "a list of refused objects is cut off");
    return 0;
}

int hd_recording_next(const struct hd_recording *r, struct hd_recording_cursor *cursor,
                      struct hd_recorded_call *call, const char **why)
{
    struct hd_record h;
    struct take t;

    while (cursor->segment < r->segment_count && cursor->at == r->segments[cursor->segment].used) {
        cursor->segment++;
        cursor->at = 0;
    }
    if (cursor->segment >= r->segment_count)
        return 0;
    size_t used = r->segments[cursor->segment].used;
    if (record_at(r->segments[cursor->segment].at, used, cursor->at, &h, &t) != 0)
        return wrong(why, "a record is cut off");
    if ((cursor->at == 0) != (h.type == HD_RECORD_SNAPSHOT))
        return wrong(why, "a segment does not begin with its snapshot");
    if (h.type != HD_RECORD_SNAPSHOT &&
        h.number != cursor->number + (h.type == HD_RECORD_EDIT ? 0 : 1))
        return wrong(why, "a call is missing");
    cursor->number = h.number;
    memset(call, 0, sizeof *call);
    call->type = h.type;
    call->number = h.number;
    call->now = h.now;
    int error = read_call(r, &t, call, why);
    if (error != 0)
        return error;
    cursor->at += h.size;
    if (call->type != HD_RECORD_SNAPSHOT && call->type != HD_RECORD_EDIT)
        error = read_outcome(r, cursor, call, why);
    return error != 0 ? error : 1;
}

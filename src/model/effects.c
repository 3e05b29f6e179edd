/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The effect buffer: records one behind the other, each a multiple of 8 bytes, zeroed before it is
 * handed out. Effects are compared and recorded byte by byte, so nothing in them may be left over
 * from an earlier call.
 */
#include "model/effects.h"

#include <string.h>

#include "lib/base.h"

_Static_assert(sizeof(struct hd_effect) % 8 == 0, "records follow each other without padding");

/* Size of a record with this payload; 64 bits because the payload is the caller's. */
static uint64_t record_size(uint32_t payload)
{
    return (sizeof(struct hd_effect) + (uint64_t)payload + 7) & ~(uint64_t)7;
}

void hd_fx_init(struct hd_effects *fx, void *buf, uint32_t size)
{
    HD_ASSERT(((uintptr_t)buf & 7) == 0);
    *fx = (struct hd_effects){.buf = buf, .size = size};
}

void hd_fx_clear(struct hd_effects *fx)
{
    fx->used = 0;
    fx->count = 0;
}

bool hd_fx_room(const struct hd_effects *fx, uint32_t bytes)
{
    return record_size(bytes) <= fx->size - fx->used;
}

struct hd_effect *hd_fx_append(struct hd_effects *fx, uint16_t core, uint16_t type,
                               uint32_t payload)
{
    if (!hd_fx_room(fx, payload)) {
        fx->lost++;
        return NULL;
    }
    struct hd_effect *e = (struct hd_effect *)(void *)(fx->buf + fx->used);
    uint32_t size = (uint32_t)record_size(payload);
    memset(e, 0, size);
    e->type = type;
    e->core = core;
    e->size = size;
    fx->used += size;
    fx->count++;
    return e;
}

void hd_fx_event(struct hd_effects *fx, uint16_t core, uint16_t list, const void *row, uint32_t len)
{
    struct hd_effect *e = hd_fx_append(fx, core, HD_FX_EVENT, len);

    if (e == NULL)
        return;
    e->u.event.list = list;
    e->u.event.len = len;
    memcpy(hd_fx_payload(e), row, len);
}

void hd_fx_trim(struct hd_effects *fx, struct hd_effect *last, uint32_t payload)
{
    uint32_t size = (uint32_t)record_size(payload);
    uint32_t bytes = (uint32_t)sizeof *last + payload;

    HD_ASSERT((uint8_t *)last + last->size == fx->buf + fx->used && size <= last->size);
    memset((uint8_t *)last + bytes, 0, size - bytes);
    fx->used -= last->size - size;
    last->size = size;
}

struct hd_effect *hd_fx_first(const struct hd_effects *fx)
{
    return fx->used == 0 ? NULL : (struct hd_effect *)(void *)fx->buf;
}

struct hd_effect *hd_fx_next(const struct hd_effects *fx, const struct hd_effect *e)
{
    uint8_t *at = fx->buf + ((const uint8_t *)e - fx->buf) + e->size;

    return at >= fx->buf + fx->used ? NULL : (struct hd_effect *)(void *)at;
}

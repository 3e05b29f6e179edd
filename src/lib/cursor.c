/* SPDX-License-Identifier: Apache-2.0 */
/* Checked cursors: the one place where bytes of the network are touched by address. */
#include "lib/cursor.h"

#include <string.h>

#include "lib/base.h"

struct hd_reader hd_reader_make(const void *bytes, size_t len)
{
    const uint8_t *b = bytes;

    return (struct hd_reader){.at = b, .end = len == 0 ? b : b + len};
}

const uint8_t *hd_read_bytes(struct hd_reader *r, size_t len)
{
    if (r->bad || len > hd_reader_left(r)) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *bytes = r->at;
    if (len != 0)
        r->at += len;
    return bytes;
}

static uint64_t read_number(struct hd_reader *r, size_t len)
{
    const uint8_t *b = hd_read_bytes(r, len);
    uint64_t v = 0;

    if (b == NULL)
        return 0;
    for (size_t i = 0; i < len; i++)
        v = v << 8 | b[i];
    return v;
}

uint8_t hd_read_u8(struct hd_reader *r)
{
    return (uint8_t)read_number(r, 1);
}

uint16_t hd_read_u16(struct hd_reader *r)
{
    return (uint16_t)read_number(r, 2);
}

uint32_t hd_read_u32(struct hd_reader *r)
{
    return (uint32_t)read_number(r, 4);
}

uint64_t hd_read_u64(struct hd_reader *r)
{
    return read_number(r, 8);
}

struct hd_reader hd_read_sub(struct hd_reader *r, size_t len)
{
    const uint8_t *b = hd_read_bytes(r, len);

    if (r->bad)
        return (struct hd_reader){.at = r->end, .end = r->end, .bad = true};
    return hd_reader_make(b, len);
}

struct hd_writer hd_writer_make(void *buffer, size_t size)
{
    uint8_t *b = buffer;

    return (struct hd_writer){.start = b, .at = b, .end = size == 0 ? b : b + size};
}

void hd_write_bytes(struct hd_writer *w, const void *bytes, size_t len)
{
    if (w->bad || len > hd_writer_left(w)) {
        w->bad = true;
        return;
    }
    if (len == 0) /* NULL is a fine empty string, but not for memcpy */
        return;
    memcpy(w->at, bytes, len);
    w->at += len;
}

static void write_number(struct hd_writer *w, uint64_t v, size_t len)
{
    uint8_t b[8];

    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)(v >> 8 * (len - 1 - i));
    hd_write_bytes(w, b, len);
}

void hd_write_u8(struct hd_writer *w, uint8_t v)
{
    write_number(w, v, 1);
}

void hd_write_u16(struct hd_writer *w, uint16_t v)
{
    write_number(w, v, 2);
}

void hd_write_u32(struct hd_writer *w, uint32_t v)
{
    write_number(w, v, 4);
}

void hd_write_u64(struct hd_writer *w, uint64_t v)
{
    write_number(w, v, 8);
}

void hd_write_u16_at(struct hd_writer *w, size_t offset, uint16_t v)
{
    if (w->bad) /* the place may never have been written */
        return;
    HD_ASSERT(hd_writer_len(w) >= 2 && offset <= hd_writer_len(w) - 2);
    w->start[offset] = (uint8_t)(v >> 8);
    w->start[offset + 1] = (uint8_t)v;
}

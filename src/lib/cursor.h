/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checked cursors over byte strings, big-endian. Every format of Heddle is read and written through
 * them. A cursor that runs past its end turns bad and stays bad: reads then give zero and writes do
 * nothing, so a parser reads a whole structure and checks once.
 *
 * They are inline: a message is some hundred reads, and a call would cost more than each.
 */
#ifndef HD_LIB_CURSOR_H
#define HD_LIB_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hd_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

struct hd_writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool bad;
};

static inline struct hd_reader hd_reader_make(const void *bytes, size_t len)
{
    const uint8_t *b = bytes;

    return (struct hd_reader){.at = b, .end = len == 0 ? b : b + len};
}

static inline size_t hd_reader_left(const struct hd_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* A pointer to the next len bytes inside the buffer, or NULL (and bad). */
static inline const uint8_t *hd_read_bytes(struct hd_reader *r, size_t len)
{
    const uint8_t *bytes = r->at;

    if (r->bad || len > hd_reader_left(r)) {
        r->bad = true;
        return NULL;
    }
    if (len != 0)
        r->at += len;
    return bytes;
}

static inline uint64_t hd_read_number(struct hd_reader *r, size_t len)
{
    const uint8_t *b = hd_read_bytes(r, len);
    uint64_t v = 0;

    if (b == NULL)
        return 0;
    for (size_t i = 0; i < len; i++)
        v = v << 8 | b[i];
    return v;
}

static inline uint8_t hd_read_u8(struct hd_reader *r)
{
    return (uint8_t)hd_read_number(r, 1);
}

static inline uint16_t hd_read_u16(struct hd_reader *r)
{
    return (uint16_t)hd_read_number(r, 2);
}

static inline uint32_t hd_read_u32(struct hd_reader *r)
{
    return (uint32_t)hd_read_number(r, 4);
}

static inline uint64_t hd_read_u64(struct hd_reader *r)
{
    return hd_read_number(r, 8);
}

/* A reader over the next len bytes, which are skipped here; empty and bad when they are not there.
 */
struct hd_reader hd_read_sub(struct hd_reader *r, size_t len);

static inline struct hd_writer hd_writer_make(void *buffer, size_t size)
{
    uint8_t *b = buffer;

    return (struct hd_writer){.start = b, .at = b, .end = size == 0 ? b : b + size};
}

static inline size_t hd_writer_len(const struct hd_writer *w)
{
    return (size_t)(w->at - w->start);
}

static inline size_t hd_writer_left(const struct hd_writer *w)
{
    return (size_t)(w->end - w->at);
}

static inline void hd_write_bytes(struct hd_writer *w, const void *bytes, size_t len)
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

static inline void hd_write_number(struct hd_writer *w, uint64_t v, size_t len)
{
    uint8_t b[8];

    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)(v >> 8 * (len - 1 - i));
    hd_write_bytes(w, b, len);
}

static inline void hd_write_u8(struct hd_writer *w, uint8_t v)
{
    hd_write_number(w, v, 1);
}

static inline void hd_write_u16(struct hd_writer *w, uint16_t v)
{
    hd_write_number(w, v, 2);
}

static inline void hd_write_u32(struct hd_writer *w, uint32_t v)
{
    hd_write_number(w, v, 4);
}

static inline void hd_write_u64(struct hd_writer *w, uint64_t v)
{
    hd_write_number(w, v, 8);
}

/* Overwrites two bytes at an offset from the start that was written before (lengths known later).
 */
void hd_write_u16_at(struct hd_writer *w, size_t offset, uint16_t v);

#endif

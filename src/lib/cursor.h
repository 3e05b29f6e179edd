/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checked cursors over byte strings, big-endian. Every format of Heddle is read and written through
 * them. A cursor that runs past its end turns bad and stays bad: reads then give zero and writes do
 * nothing, so a parser reads a whole structure and checks once.
 */
#ifndef HD_LIB_CURSOR_H
#define HD_LIB_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

struct hd_reader hd_reader_make(const void *bytes, size_t len);
static inline size_t hd_reader_left(const struct hd_reader *r)
{
    return (size_t)(r->end - r->at);
}
uint8_t hd_read_u8(struct hd_reader *r);
uint16_t hd_read_u16(struct hd_reader *r);
uint32_t hd_read_u32(struct hd_reader *r);
uint64_t hd_read_u64(struct hd_reader *r);
/* A pointer to the next len bytes inside the buffer, or NULL (and bad). */
const uint8_t *hd_read_bytes(struct hd_reader *r, size_t len);
/* A reader over the next len bytes, which are skipped here; empty and bad when they are not there.
 */
struct hd_reader hd_read_sub(struct hd_reader *r, size_t len);

struct hd_writer hd_writer_make(void *buffer, size_t size);
static inline size_t hd_writer_len(const struct hd_writer *w)
{
    return (size_t)(w->at - w->start);
}
static inline size_t hd_writer_left(const struct hd_writer *w)
{
    return (size_t)(w->end - w->at);
}
void hd_write_u8(struct hd_writer *w, uint8_t v);
void hd_write_u16(struct hd_writer *w, uint16_t v);
void hd_write_u32(struct hd_writer *w, uint32_t v);
void hd_write_u64(struct hd_writer *w, uint64_t v);
void hd_write_bytes(struct hd_writer *w, const void *bytes, size_t len);
/* Overwrites two bytes at an offset from the start that was written before (lengths known later).
 */
void hd_write_u16_at(struct hd_writer *w, size_t offset, uint16_t v);

#endif

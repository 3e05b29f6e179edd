/* SPDX-License-Identifier: Apache-2.0 */
/* Checked cursors: what is not done for every few bytes. */
#include "lib/cursor.h"

#include "lib/base.h"

struct hd_reader hd_read_sub(struct hd_reader *r, size_t len)
{
    const uint8_t *b = hd_read_bytes(r, len);

    if (r->bad)
        return (struct hd_reader){.at = r->end, .end = r->end, .bad = true};
    return hd_reader_make(b, len);
}

void hd_write_u16_at(struct hd_writer *w, size_t offset, uint16_t v)
{
    if (w->bad) /* the place may never have been written */
        return;
    HD_ASSERT(hd_writer_len(w) >= 2 && offset <= hd_writer_len(w) - 2);
    w->start[offset] = (uint8_t)(v >> 8);
    w->start[offset + 1] = (uint8_t)v;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing of control packets (wire.h), and the names of reasons to refuse one. */
#include "core/bfd/wire.h"

#include "lib/base.h"
#include "lib/cursor.h"
#include "model/liveness.h"

#define VERSION 1

uint8_t bfd_auth_len(uint8_t type)
{
    static const uint8_t lens[HD_AUTH_END] = {
        [HD_AUTH_SIMPLE] = 4,           [HD_AUTH_MD5] = 24,
        [HD_AUTH_METICULOUS_MD5] = 24,  [HD_AUTH_SHA1] = 28,
        [HD_AUTH_METICULOUS_SHA1] = 28,
    };

    return type < HD_AUTH_END ? lens[type] : 0;
}

/* The section (4.2 to 4.4); its digest was checked, or not, by whoever holds the secrets. */
static enum bfd_drop read_auth(struct hd_reader *r, struct bfd_packet *p)
{
    size_t left = hd_reader_left(r);

    p->auth_type = hd_read_u8(r);
    uint8_t len = hd_read_u8(r);
    p->auth_key_id = hd_read_u8(r);
    uint8_t need = bfd_auth_len(p->auth_type);
    if (r->bad || need == 0 || len != left)
        return BFD_DROP_AUTH_FORMAT;
    if (p->auth_type == HD_AUTH_SIMPLE)
        return len >= need && len <= 3 + 16 ? BFD_OK : BFD_DROP_AUTH_FORMAT;
    hd_read_u8(r);
    p->auth_seq = hd_read_u32(r);
    return len == need ? BFD_OK : BFD_DROP_AUTH_FORMAT;
}

enum bfd_drop bfd_read(const uint8_t *bytes, uint32_t len, struct bfd_packet *p)
{
    struct hd_reader r = hd_reader_make(bytes, len);
    uint8_t first = hd_read_u8(&r), second = hd_read_u8(&r);
    uint8_t said;

    *p = (struct bfd_packet){
        .diag = first & 0x1f, .state = (uint8_t)(second >> 6), .flags = second & 0x3f};
    p->multiplier = hd_read_u8(&r);
    said = hd_read_u8(&r);
    if (r.bad)
        return BFD_DROP_SHORT;
    if (first >> 5 != VERSION)
        return BFD_DROP_VERSION;
    if (said < ((p->flags & BFD_AUTH) != 0 ? BFD_BYTES + 2 : BFD_BYTES))
        return BFD_DROP_SHORT;
    if (said > len)
        return BFD_DROP_LENGTH;
    if (p->multiplier == 0)
        return BFD_DROP_MULTIPLIER;
    r = hd_reader_make(bytes + 4, said - 4u);
    p->my_discr = hd_read_u32(&r);
    p->your_discr = hd_read_u32(&r);
    p->desired_tx_us = hd_read_u32(&r);
    p->required_rx_us = hd_read_u32(&r);
    p->required_echo_us = hd_read_u32(&r);
    if ((p->flags & BFD_MULTIPOINT) != 0 && p->your_discr != 0)
        return BFD_DROP_MULTIPOINT;
    if (p->my_discr == 0)
        return BFD_DROP_MY_DISCR;
    if (p->your_discr == 0 && (p->flags & BFD_MULTIPOINT) == 0 && p->state > 1)
        return BFD_DROP_STATE;
    if ((p->flags & (BFD_POLL | BFD_FINAL)) == (BFD_POLL | BFD_FINAL))
        return BFD_DROP_POLL_FINAL;
    return (p->flags & BFD_AUTH) != 0 ? read_auth(&r, p) : BFD_OK;
}

void bfd_write(const struct bfd_packet *p, uint8_t bytes[BFD_BYTES])
{
    struct hd_writer w = hd_writer_make(bytes, BFD_BYTES);

    hd_write_u8(&w, (uint8_t)(VERSION << 5 | p->diag));
    hd_write_u8(&w, (uint8_t)(p->state << 6 | p->flags));
    hd_write_u8(&w, p->multiplier);
    hd_write_u8(&w, BFD_BYTES);
    hd_write_u32(&w, p->my_discr);
    hd_write_u32(&w, p->your_discr);
    hd_write_u32(&w, p->desired_tx_us);
    hd_write_u32(&w, p->required_rx_us);
    hd_write_u32(&w, p->required_echo_us);
}

const char *bfd_drop_name(enum bfd_drop why)
{
    static const char *const names[BFD_DROP_END] = {
        [BFD_DROP_TTL] = "dropped-hop-limit",
        [BFD_DROP_VERSION] = "dropped-version",
        [BFD_DROP_SHORT] = "dropped-short",
        [BFD_DROP_LENGTH] = "dropped-length",
        [BFD_DROP_MULTIPLIER] = "dropped-multiplier",
        [BFD_DROP_POLL_FINAL] = "dropped-poll-and-final",
        [BFD_DROP_MULTIPOINT] = "dropped-multipoint",
        [BFD_DROP_MY_DISCR] = "dropped-my-discriminator",
        [BFD_DROP_YOUR_DISCR] = "dropped-your-discriminator",
        [BFD_DROP_STATE] = "dropped-state-without-discriminator",
        [BFD_DROP_NO_SESSION] = "dropped-no-session",
        [BFD_DROP_SOURCE] = "dropped-source",
        [BFD_DROP_ADMIN_DOWN] = "dropped-admin-down",
        [BFD_DROP_AUTH_MISSING] = "dropped-auth-missing",
        [BFD_DROP_AUTH_UNWANTED] = "dropped-auth-unwanted",
        [BFD_DROP_AUTH_FORMAT] = "dropped-auth-format",
        [BFD_DROP_AUTH_TYPE] = "dropped-auth-type",
        [BFD_DROP_AUTH_WRONG] = "dropped-auth-wrong",
        [BFD_DROP_AUTH_SEQUENCE] = "dropped-auth-sequence",
        [BFD_DROP_LIMIT] = "dropped-limit",
        [BFD_DROP_ECHO] = "dropped-echo",
        [BFD_DROP_MEMORY] = "dropped-no-memory",
    };

    return why > BFD_OK && why < BFD_DROP_END ? names[why] : "dropped";
}

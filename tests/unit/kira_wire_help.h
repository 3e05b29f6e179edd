/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of KIRA's formats share: loading a vector, changing it, expecting a refusal. */
#ifndef HD_TESTS_KIRA_WIRE_HELP_H
#define HD_TESTS_KIRA_WIRE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/kira/limits.h"
#include "core/kira/wire.h"
#include "lib/base.h"
#include "unit/hex_file.h"

#define ROUTE_AT  HD_KIRA_HEADER_LEN /* in messages that begin with their route */
#define SMALL     300                /* vectors and what is made from them */
#define LENGTH_AT 3

static inline struct hd_id id_of(uint64_t n)
{
    struct hd_id id = {{0}};

    for (unsigned i = 0; i < 8; i++)
        id.b[HD_ID_BYTES - 1 - i] = (uint8_t)(n >> (8 * i));
    return id;
}

static inline void assert_id(const struct hd_id *id, uint64_t n)
{
    struct hd_id want = id_of(n);

    assert_memory_equal(id->b, want.b, HD_ID_BYTES);
}

static inline void put_u16(uint8_t *at, size_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static inline size_t load(const char *name, uint8_t *bytes)
{
    char path[512];
    long len;

    snprintf(path, sizeof path, "%s/%s.hex", HD_VECTORS, name);
    len = hd_hex_file_read(path, bytes, SMALL);
    if (len < HD_KIRA_HEADER_LEN)
        fail_msg("no vector in %s", path);
    return (size_t)len;
}

static inline void expect(enum hd_kira_wire_error want, const uint8_t *bytes, size_t len)
{
    /* A copy of exactly that size on the heap lets the sanitizers see a read past the end. */
    uint8_t *copy = test_malloc(len + 1);
    struct hd_kira_msg m;
    enum hd_kira_wire_error e;

    memcpy(copy + 1, bytes, len);
    e = hd_kira_decode(&m, copy + 1, len);
    test_free(copy);
    if (e != want)
        fail_msg("%s, not %s", hd_kira_wire_error_name(e), hd_kira_wire_error_name(want));
}

/* Sets msg-length and decodes. */
static inline void expect_sized(enum hd_kira_wire_error want, uint8_t *bytes, size_t len)
{
    put_u16(bytes + LENGTH_AT, len);
    expect(want, bytes, len);
}

static inline size_t add_object(uint8_t *b, size_t len, uint8_t type, const void *value,
                                size_t size)
{
    b[len] = type;
    put_u16(b + len + 1, size);
    if (size > 0)
        memcpy(b + len + 3, value, size);
    put_u16(b + LENGTH_AT, len + 3 + size);
    return len + 3 + size;
}

#endif

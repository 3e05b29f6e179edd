/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of leaves into members of rows. libyang has checked them and stores numbers and addresses
 * in binary form: a list of 100,000 entries is read without turning one of them into text. All that
 * is rare goes by its canonical text.
 */
#include "config/read.h"

#include <arpa/inet.h>
#include <libyang/plugins_types.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "lib/addr.h"
#include "lib/base.h"
#include "lib/time.h"
#include "model/ids.h"

static uint8_t number_way(LY_DATA_TYPE t)
{
    switch (t) {
    case LY_TYPE_UINT8:
        return HD_READ_U8;
    case LY_TYPE_UINT16:
        return HD_READ_U16;
    case LY_TYPE_UINT32:
        return HD_READ_U32;
    case LY_TYPE_UINT64:
        return HD_READ_U64;
    default:
        return HD_READ_NONE;
    }
}

uint8_t hd_read_way(const struct lysc_node *leaf, const struct hd_column *c)
{
    const struct lysc_type *t = hd_schema_type(leaf);

    if (leaf->nodetype == LYS_CONTAINER && (leaf->flags & LYS_PRESENCE) && c->type == HD_COL_BOOL)
        return HD_READ_PRESENCE;
    if (!t)
        return HD_READ_NONE;
    switch (c->type) {
    case HD_COL_UINT:
    case HD_COL_DURATION:
        return number_way(t->basetype);
    case HD_COL_BOOL:
        return t->basetype == LY_TYPE_BOOL ? HD_READ_BOOL : HD_READ_NONE;
    case HD_COL_IP6:
        if (t->basetype == LY_TYPE_STRING && strstr(t->plugin->id, "ipv6-address-no-zone"))
            return HD_READ_IP6;
        return HD_READ_TEXT;
    case HD_COL_HEX:
    case HD_COL_ENUM:
    case HD_COL_ID:
    case HD_COL_PREFIX:
    case HD_COL_CHARS:
    case HD_COL_TEXTS:
    case HD_COL_IP6S:
    case HD_COL_SECRET:
        return HD_READ_TEXT;
    default:
        return HD_READ_NONE;
    }
}

static bool store_uint(const struct hd_column *c, void *at, uint64_t v)
{
    uint8_t u8 = (uint8_t)v;
    uint16_t u16 = (uint16_t)v;
    uint32_t u32 = (uint32_t)v;

    switch (c->size) {
    case 1:
        memcpy(at, &u8, sizeof u8);
        return v <= UINT8_MAX;
    case 2:
        memcpy(at, &u16, sizeof u16);
        return v <= UINT16_MAX;
    case 4:
        memcpy(at, &u32, sizeof u32);
        return v <= UINT32_MAX;
    default:
        memcpy(at, &v, sizeof v);
        return true;
    }
}

/* Numbers of the tree are milliseconds where the member is an hd_time. */
static bool store_number(const struct hd_column *c, void *row, uint64_t v)
{
    void *at = (uint8_t *)row + c->offset;

    if (c->scale != 0)
        v *= c->scale; /* of 16 bits at most */
    if ((c->flags & HD_COL_TWICE) && !store_uint(c, (uint8_t *)row + c->aux_offset, v))
        return false;
    if (c->type != HD_COL_DURATION)
        return store_uint(c, at, v);
    hd_time ns = HD_MS((int64_t)HD_MIN(v, (uint64_t)INT64_MAX / 1000000u));
    memcpy(at, &ns, sizeof ns);
    return true;
}

/* A prefix of the tree names modules by "name:"; ours are bare. */
static bool store_enum(const struct hd_column *c, void *at, const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *name = colon ? colon + 1 : text;

    for (uint8_t i = 0; i < c->names_count; i++) {
        if (c->names[i].name && strcmp(c->names[i].name, name) == 0)
            return store_uint(c, at, i);
    }
    return false;
}

/* IPv4 addresses are ::ffff:a.b.c.d in rows. */
static bool store_address(void *at, const char *text, uint8_t *len)
{
    char copy[INET6_ADDRSTRLEN + 16];
    struct hd_ip6 a = {.b = {[10] = 0xff, [11] = 0xff}};
    size_t n = strcspn(text, "%/");
    const char *slash = strchr(text, '/');

    if (n >= sizeof copy)
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    bool v4 = inet_pton(AF_INET, copy, &a.b[12]) == 1;
    if (!v4 && inet_pton(AF_INET6, copy, &a) != 1)
        return false;
    if (slash && len)
        *len = (uint8_t)(strtoul(slash + 1, NULL, 10) + (v4 ? 96 : 0));
    memcpy(at, &a, sizeof a);
    return true;
}

static bool store_chars(void *at, size_t size, const char *text)
{
    size_t n = strlen(text);

    if (n >= size)
        return false;
    memcpy(at, text, n + 1);
    return true;
}

static bool append_text(const struct hd_column *c, void *row, const char *text)
{
    uint8_t *count_at = (uint8_t *)row + c->aux_offset;
    uint16_t n;

    memcpy(&n, count_at, sizeof n);
    if (n >= c->most ||
        !store_chars((uint8_t *)row + c->offset + (size_t)n * c->size, c->size, text))
        return false;
    n++;
    memcpy(count_at, &n, sizeof n);
    return true;
}

static bool append_address(const struct hd_column *c, void *row, const char *text)
{
    uint8_t *count = (uint8_t *)row + c->aux_offset;

    if (*count >= c->most ||
        !store_address((uint8_t *)row + c->offset + (size_t)*count * c->size, text, NULL))
        return false;
    ++*count;
    return true;
}

bool hd_read_secret(const struct hd_column *c, const uint8_t *bytes, size_t len, void *row)
{
    if (len > c->size || len > UINT8_MAX)
        return false;
    memcpy((uint8_t *)row + c->offset, bytes, len);
    ((uint8_t *)row)[c->aux_offset] = (uint8_t)len;
    return true;
}

static bool store_text(const struct hd_column *c, void *row, const char *text)
{
    void *at = (uint8_t *)row + c->offset;
    struct hd_id id;

    switch (c->type) {
    case HD_COL_HEX:
        return store_uint(c, at, strtoull(text, NULL, 16));
    case HD_COL_ENUM:
        return store_enum(c, at, text);
    case HD_COL_ID:
        if (hd_id_parse(text, &id) != 0)
            return false;
        memcpy(at, &id, sizeof id);
        return true;
    case HD_COL_IP6:
        return store_address(at, text, NULL);
    case HD_COL_PREFIX:
        return store_address(at, text, (uint8_t *)row + c->aux_offset);
    case HD_COL_CHARS:
        return store_chars(at, c->size, text);
    case HD_COL_TEXTS:
        return append_text(c, row, text);
    case HD_COL_IP6S:
        return append_address(c, row, text);
    default:
        return false;
    }
}

bool hd_read_value(uint8_t way, const struct hd_column *c, const struct lyd_node *n, void *row)
{
    void *at = (uint8_t *)row + c->offset;
    const struct lyd_value *v;
    const char *text;

    if (way == HD_READ_PRESENCE) {
        *(uint8_t *)at = 1;
        return true;
    }
    v = &((const struct lyd_node_term *)n)->value;
    switch (way) {
    case HD_READ_U8:
        return store_number(c, row, v->uint8);
    case HD_READ_U16:
        return store_number(c, row, v->uint16);
    case HD_READ_U32:
        return store_number(c, row, v->uint32);
    case HD_READ_U64:
        return store_number(c, row, v->uint64);
    case HD_READ_BOOL:
        *(uint8_t *)at = v->boolean != 0;
        return true;
    case HD_READ_IP6: {
        const struct lyd_value_ipv6_address_no_zone *a;
        LYD_VALUE_GET(v, a);
        memcpy(at, &a->addr, sizeof a->addr);
        return true;
    }
    default:
        text = lyd_get_value(n);
        return text && store_text(c, row, text);
    }
}

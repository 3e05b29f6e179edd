/* SPDX-License-Identifier: Apache-2.0 */
/* The register of all configurations: one line per core that takes one. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bind/config_tables.h"
#include "lib/base.h"
#include "lib/hash.h"

static const struct hd_config *const configs[] = {
    &hd_config_kira, &hd_config_sample, &hd_config_vrrp,
    &hd_config_bfd, /* after those that may need it */
};

const struct hd_config *hd_config_at(size_t i)
{
    return i < HD_ARRAY_LEN(configs) ? configs[i] : NULL;
}

const struct hd_config *hd_config_of(uint8_t core)
{
    for (size_t i = 0; i < HD_ARRAY_LEN(configs); i++) {
        if (configs[i]->core == core)
            return configs[i];
    }
    return NULL;
}

bool hd_config_is_ip4(const struct hd_ip6 *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(a->b, mapped, sizeof mapped) == 0;
}

bool hd_config_is_group(const struct hd_ip6 *a)
{
    return hd_config_is_ip4(a) ? a->b[12] >= 224 && a->b[12] < 240 : a->b[0] == 0xff;
}

bool hd_config_is_unicast(const struct hd_ip6 *a)
{
    static const struct hd_ip6 none;

    if (hd_config_is_ip4(a))
        return a->b[12] != 0 && a->b[12] < 224;
    return a->b[0] != 0xff && !hd_ip6_equal(a, &none);
}

/* FNV-1a: it only has to notice another build. */
static void mix(uint64_t *h, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        *h = (*h ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
}

static void mix_list(uint64_t *h, const struct hd_list *l)
{
    mix(h, &l->row_size, sizeof l->row_size);
    for (size_t i = 0; i < l->column_count; i++) {
        const struct hd_column *c = &l->columns[i];
        uint16_t shape[] = {c->offset, c->size, c->aux_offset, c->type, c->names_count};
        mix(h, c->name, strlen(c->name));
        mix(h, shape, sizeof shape);
    }
}

uint64_t hd_config_layout(void)
{
    uint64_t h = 0xcbf29ce484222325u;
    size_t secret = sizeof(struct hd_config_secret);

    mix(&h, &secret, sizeof secret);
    for (size_t i = 0; i < HD_ARRAY_LEN(configs); i++) {
        const struct hd_config *c = configs[i];
        mix(&h, &c->core, sizeof c->core);
        mix_list(&h, c->head);
        for (uint32_t k = 0; k < c->list_count; k++) {
            uint32_t bytes = hd_config_row_bytes(&c->lists[k]);
            mix(&h, &bytes, sizeof bytes);
            mix_list(&h, c->lists[k].rows);
        }
    }
    return h;
}

uint32_t hd_config_row_bytes(const struct hd_config_list *l)
{
    if (l->into != 0 || l->keep == HD_CONFIG_KEEP_NONE)
        return 0;
    return l->keep != 0 ? l->keep : l->rows->row_size;
}

int hd_config_wrong(struct hd_config_rows *r, int list, uint32_t row, const char *leaf,
                    const char *format, ...)
{
    va_list ap;

    r->wrong_list = list;
    r->wrong_row = row;
    r->wrong_leaf = leaf;
    va_start(ap, format);
    vsnprintf(r->why, sizeof r->why, format, ap);
    va_end(ap);
    return HD_EINVAL;
}

bool hd_config_well_formed(const struct hd_config *c, const void *bytes, size_t len)
{
    uint64_t want = c->head->row_size;

    if (len < want || len > HD_CONFIG_BYTES_MAX)
        return false;
    for (uint32_t i = 0; i < c->list_count; i++) {
        uint32_t count, size = hd_config_row_bytes(&c->lists[i]);
        if (size == 0)
            continue;
        memcpy(&count, (const uint8_t *)bytes + c->lists[i].count_offset, sizeof count);
        want += (uint64_t)count * size;
    }
    return want == len;
}

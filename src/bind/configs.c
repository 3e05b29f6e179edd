/* SPDX-License-Identifier: Apache-2.0 */
/* The register of all configurations: one line per core that takes one. */
#include <string.h>

#include "bind/config_tables.h"
#include "lib/base.h"
#include "lib/hash.h"

static const struct hd_config *const configs[] = {
    &hd_config_kira,
    &hd_config_sample,
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

    for (size_t i = 0; i < HD_ARRAY_LEN(configs); i++) {
        const struct hd_config *c = configs[i];
        mix(&h, &c->core, sizeof c->core);
        mix_list(&h, c->head);
        for (uint32_t k = 0; k < c->list_count; k++)
            mix_list(&h, c->lists[k].rows);
    }
    return h;
}

bool hd_config_well_formed(const struct hd_config *c, const void *bytes, size_t len)
{
    uint64_t want = c->head->row_size;

    if (len < want || len > HD_CONFIG_BYTES_MAX)
        return false;
    for (uint32_t i = 0; i < c->list_count; i++) {
        uint32_t count;
        memcpy(&count, (const uint8_t *)bytes + c->lists[i].count_offset, sizeof count);
        want += (uint64_t)count * c->lists[i].rows->row_size;
    }
    return want == len;
}

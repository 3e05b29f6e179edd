/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register of all lists. One line per core: the second and last place, beside its own file,
 * that a new protocol touches in this folder.
 */
#include "bind/columns.h"

#include <string.h>

static const struct hd_lists *const registered[] = {
    &hd_lists_kira,   &hd_lists_model, &hd_lists_sample,
    &hd_lists_driver, &hd_lists_bfd,   &hd_lists_vrrp,
};

const struct hd_list *hd_list_at(size_t i)
{
    for (size_t c = 0; c < HD_ARRAY_LEN(registered); c++) {
        if (i < registered[c]->count)
            return &registered[c]->lists[i];
        i -= registered[c]->count;
    }
    return NULL;
}

const struct hd_list *hd_list_find(uint8_t core, uint16_t list)
{
    const struct hd_list *l;

    for (size_t i = 0; (l = hd_list_at(i)) != NULL; i++) {
        if (l->core == core && l->list == list)
            return l;
    }
    return NULL;
}

const struct hd_list *hd_list_named(const char *core, const char *name)
{
    const struct hd_list *l;

    for (size_t i = 0; (l = hd_list_at(i)) != NULL; i++) {
        if (strcmp(l->name, name) == 0 && strcmp(hd_list_core_name(l->core), core) == 0)
            return l;
    }
    return NULL;
}

const char *hd_list_core_name(uint8_t core)
{
    for (size_t c = 0; c < HD_ARRAY_LEN(registered); c++) {
        if (registered[c]->core == core)
            return registered[c]->name;
    }
    return "unknown";
}

const struct hd_column *hd_column_named(const struct hd_list *l, const char *name)
{
    for (size_t i = 0; i < l->column_count; i++) {
        if (strcmp(l->columns[i].name, name) == 0)
            return &l->columns[i];
    }
    return NULL;
}

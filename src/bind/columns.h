/* SPDX-License-Identifier: Apache-2.0 */
/* How the tables of src/bind are written down, and what its files share. Not for others. */
#ifndef HD_BIND_COLUMNS_H
#define HD_BIND_COLUMNS_H

#include "bind/bind.h"
#include "lib/base.h"

/* One column: struct, member, type, name, then the rest by name. */
#define HD_COLUMN(S, member, TYPE, NAME, ...)                                                      \
    {                                                                                              \
        .name = (NAME), .offset = offsetof(S, member), .size = sizeof(((S *)0)->member),           \
        .type = HD_COL_##TYPE, __VA_ARGS__                                                         \
    }

/* A list of identifiers whose true length stands in another member. */
#define HD_COLUMN_IDS(S, member, length, NAME, ...)                                                \
    {                                                                                              \
        .name = (NAME), .offset = offsetof(S, member),                                             \
        .size = sizeof(((S *)0)->member) / HD_ID_BYTES, .aux_offset = offsetof(S, length),         \
        .type = HD_COL_IDS, __VA_ARGS__                                                            \
    }

#define HD_NAMES(array) .names = (array), .names_count = HD_ARRAY_LEN(array)

#define HD_LIST(CORE, NUMBER, NAME, WHAT, S, COLUMNS, FLAGS)                                       \
    {                                                                                              \
        .core = (CORE), .list = (NUMBER), .name = (NAME), .what = (WHAT), .row_size = sizeof(S),   \
        .flags = (FLAGS), .column_count = HD_ARRAY_LEN(COLUMNS), .columns = (COLUMNS),             \
        .extra = NULL                                                                              \
    }

/* Shorthands that keep a column on one line. */
#define HD_SHOW HD_COL_SHOW
#define HD_KEY  HD_COL_KEY

struct hd_lists {
    uint8_t core;
    const char *name; /* of the core */
    const struct hd_list *lists;
    size_t count;
};

extern const struct hd_lists hd_lists_kira, hd_lists_model, hd_lists_sample, hd_lists_driver,
    hd_lists_bfd, hd_lists_vrrp;

/* A list of configuration that is shown as well. */
extern const struct hd_list hd_list_sample_objects;

/* How many texts of a list of texts are used; and the one with this number, below it. */
uint16_t hd_column_texts(const struct hd_column *c, const void *row);
const char *hd_column_text_at(const struct hd_column *c, const void *row, uint16_t i);

/* How many addresses of a list of addresses are used; the text of one, for a buffer of HD_CELL_MAX.
 */
uint8_t hd_column_addresses(const struct hd_column *c, const void *row);
void hd_column_address_at(const struct hd_column *c, const void *row, uint8_t i, char *buf);

/* Why an interface is left out (enum hd_if_why), which several lists show. */
extern const struct hd_enum_name hd_names_why[];

uint64_t hd_column_uint(const struct hd_column *c, const void *row);
int64_t hd_column_int(const struct hd_column *c, const void *row);
bool hd_column_unknown(const struct hd_column *c, const void *row);
/* The name of an enumeration's value, NULL when it has none. */
const struct hd_enum_name *hd_column_enum(const struct hd_column *c, const void *row);
/*
 * The printable form of a string column, address, label...: everything but numbers, durations and
 * lists. Bytes outside printable ASCII become '?', since interface names may hold anything.
 */
void hd_column_text(const struct hd_column *c, const void *row, char *buf);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows: how the plain structs of a core become something a person or a program reads.
 *
 * A core declares structs and copies them out (hd_core_ops.rows). What their members are called, in
 * which unit they are, which of them make the key and which a person wants to see first is said
 * once, here, in one table per list. The same table prints cells of text tables, JSON objects and
 * OpenMetrics; cores format no text (design.md, section 6). Rows come from another process of the
 * same build (daemon/channel.h): no value in them is trusted, and every printer copes with any.
 *
 * A new protocol adds one file with its lists and one line in lists.c.
 */
#ifndef HD_BIND_BIND_H
#define HD_BIND_BIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/json.h"

enum hd_column_type {
    HD_COL_UINT = 1, /* unsigned of `size` bytes: 1, 2, 4 or 8 */
    HD_COL_INT,      /* signed of `size` bytes: 4 or 8 */
    HD_COL_HEX,      /* unsigned, written in hexadecimal: a string in JSON */
    HD_COL_BOOL,     /* uint8_t */
    HD_COL_ENUM,     /* uint8_t, an index into `names` */
    HD_COL_ID,       /* struct hd_id */
    HD_COL_LABEL,    /* struct hd_label */
    HD_COL_IP6,      /* struct hd_ip6 */
    HD_COL_PREFIX,   /* struct hd_ip6 with a uint8_t length at `aux_offset` */
    HD_COL_MAC,      /* struct hd_mac */
    HD_COL_DURATION, /* hd_time: milliseconds with three decimals */
    HD_COL_AGE,      /* hd_time: the same in JSON, "4 min 12 s" in tables */
    HD_COL_CHARS,    /* char[size], ends at the first NUL */
    HD_COL_IDS, /* struct hd_id[size]; a uint16_t at `aux_offset` says how many there are in all */
    HD_COL_TEXTS,  /* char[most][size]; a uint16_t at `aux_offset` says how many are used */
    HD_COL_IP6S,   /* struct hd_ip6[most]; a uint8_t at `aux_offset` says how many are used */
    HD_COL_SECRET, /* uint8_t[size], its length a uint8_t at `aux_offset`: never printed */
};

#define HD_COL_KEY     0x01 /* part of the row's key; a label of its metrics */
#define HD_COL_COUNTER 0x02 /* only grows while the process lives */
#define HD_COL_SHOW    0x04 /* in the default text table */
#define HD_COL_UNKNOWN 0x08 /* all bytes zero: unknown; null in JSON, "-" in tables */
#define HD_COL_IFINDEX 0x10 /* an interface: who knows its name shows that */
#define HD_COL_START   0x20 /* configuration that processes read when they start */
#define HD_COL_GIVEN   0x40 /* configuration that no leaf gives: by its list, or found afterwards */
#define HD_COL_TWICE   0x80 /* configuration: a number that also stands at `aux_offset` */

/* How good a value is; a terminal shows it in colour. */
enum hd_tone { HD_TONE_PLAIN = 0, HD_TONE_GOOD, HD_TONE_WARN, HD_TONE_BAD };

struct hd_enum_name {
    const char *name;  /* kebab-case, for JSON; NULL: no such value */
    const char *words; /* for tables; NULL: the name */
    enum hd_tone tone;
};

struct hd_column {
    const char *name;    /* kebab-case, as in JSON (durations end in -ms) */
    const char *heading; /* of the text table */
    const char *unit;    /* "ms", "bytes", ...; NULL: none */
    uint16_t offset;
    uint16_t size; /* bytes of a number or string, items of a list */
    uint16_t aux_offset;
    uint16_t most;  /* texts or addresses there is room for */
    uint16_t scale; /* configuration: the leaf's number times this; 0: as it is */
    uint8_t type;   /* enum hd_column_type */
    uint8_t flags;
    uint8_t names_count;
    const struct hd_enum_name *names;
};

#define HD_LIST_ONE    0x01 /* exactly one row */
#define HD_LIST_REPLY  0x02 /* rows only come as replies to a command */
#define HD_LIST_EVENTS 0x04 /* rows only come as events */

struct hd_list {
    uint8_t core;  /* enum hd_core_number or HD_CORE_DRIVER */
    uint16_t list; /* the core's list number */
    const char *name;
    const char *what; /* one sentence */
    uint32_t row_size;
    uint8_t flags;
    uint8_t column_count;
    const struct hd_column *columns;
    /* JSON members that follow from several columns, such as the name of a value; or NULL. */
    void (*extra)(const void *row, struct hd_json *j);
};

/* The list with this number, NULL when there is none. */
const struct hd_list *hd_list_find(uint8_t core, uint16_t list);
/* By names: "kira", "contacts". */
const struct hd_list *hd_list_named(const char *core, const char *name);
/* All lists in turn: i = 0, 1, ... until NULL. */
const struct hd_list *hd_list_at(size_t i);
/* "kira", "model", "daemon"...; never NULL. */
const char *hd_list_core_name(uint8_t core);

const struct hd_column *hd_column_named(const struct hd_list *l, const char *name);

/* Largest row of any list: size of a buffer for one row. */
#define HD_ROW_MAX 2048

/* One JSON object. */
void hd_row_json(const struct hd_list *l, const void *row, struct hd_json *j);
/* Its members alone, into an object that is open already. */
void hd_row_json_members(const struct hd_list *l, const void *row, struct hd_json *j);

#define HD_CELL_MAX 256

/* The text of one cell into buf (HD_CELL_MAX bytes); returns how good the value is. */
enum hd_tone hd_row_cell(const struct hd_column *c, const void *row, char *buf);
/* True for what a table aligns to the right. */
bool hd_column_is_number(const struct hd_column *c);

/* A growing text, malloc-owned; failed: out of memory. */
struct hd_text {
    char *v;
    size_t len, cap;
    bool failed;
};
void hd_text_free(struct hd_text *t);
void hd_text_printf(struct hd_text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * OpenMetrics families of the numeric columns over all rows of a list (contiguous, row_size apart):
 * heddle_kira_neighbours_rtt_seconds{id="..."} 0.000213. A list with a key called "name" and a
 * counter called "value" gives one family heddle_<core>_<name>_total per row.
 */
void hd_rows_metrics(const struct hd_list *l, const void *rows, uint32_t count, struct hd_text *t);

#endif

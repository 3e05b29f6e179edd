/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading values of a JSON scenario: every object is described by a table of fields, so that
 * unknown keys, wrong types and values out of range give the same kind of message everywhere.
 */
#ifndef HD_SCENARIO_JSON_VALUES_H
#define HD_SCENARIO_JSON_VALUES_H

#include <jansson.h>

#include "scenario/internal.h"

/* The file being read, for messages. */
struct hd_scn_json {
    struct hd_scenario *s;
    const struct hd_scn_err *e;
    const char *path;
};

enum hd_scn_type {
    HD_SCN_US,   /* number of microseconds, decimals allowed -> hd_time */
    HD_SCN_MS,   /* milliseconds -> hd_time */
    HD_SCN_PPM,  /* whole number per million, or text such as "0.5%" -> uint32_t */
    HD_SCN_RATE, /* bits per second: whole number, or text such as "10G" -> uint64_t */
    HD_SCN_U32,
    HD_SCN_I32,
    HD_SCN_U64,
    HD_SCN_BOOL,
    HD_SCN_NODE,  /* name of a node -> uint32_t index */
    HD_SCN_OTHER, /* known key that somebody else reads */
};

struct hd_scn_field {
    const char *key;
    enum hd_scn_type type;
    size_t offset;
    uint64_t min, max; /* whole numbers; max 0: whatever the type holds */
    uint32_t bit;      /* set in *seen */
};

/*
 * Line and column, from 1, of a path such as "links[3].loss" in a file that holds valid JSON; of
 * the innermost part of the path that is there. False: the file cannot be read.
 */
bool hd_scn_json_place(const char *file, const char *path, unsigned *line, unsigned *column);

/*
 * "PATH: line L, column C: WHERE.KEY: expected WHAT"; key may be NULL. Returns HD_EINVAL.
 */
int hd_scn_json_fail(const struct hd_scn_json *j, const char *where, const char *key,
                     const char *expected);

/*
 * Fills the struct at base from the object by the table of n fields; keys without a row are an
 * error. seen (may be NULL) collects the bits of the fields that were there.
 */
HD_MUST_USE int hd_scn_json_object(const struct hd_scn_json *j, const json_t *object,
                                   const char *where, const struct hd_scn_field *fields, size_t n,
                                   void *base, uint32_t *seen);

/* A node by its name. */
HD_MUST_USE int hd_scn_json_node(const struct hd_scn_json *j, const json_t *value,
                                 const char *where, const char *key, uint32_t *node);

/*
 * Reads the keys of an object as values of a link, except those in `others` (ended by NULL), which
 * the caller reads. The object must be one.
 */
HD_MUST_USE int hd_scn_json_link_values(const struct hd_scn_json *j, const json_t *object,
                                        const char *where, const char *const *others,
                                        struct hd_scenario_link *link, uint32_t *seen);

/* The schedule, json_schedule.c. */
HD_MUST_USE int hd_scn_json_schedule(const struct hd_scn_json *j, const json_t *array);

#endif

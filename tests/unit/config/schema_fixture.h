/* SPDX-License-Identifier: Apache-2.0 */
/* One schema for all tests of a program, the last fault, and trees made of lines. */
#ifndef HEDDLE_TESTS_CONFIG_SCHEMA_FIXTURE_H
#define HEDDLE_TESTS_CONFIG_SCHEMA_FIXTURE_H

#include "support/test.h"

#include "config/config.h"

static struct hd_schema schema;
static struct hd_fault fault;

/* With our stand-ins for published modules. */
static inline int open_schema(void **state)
{
    return hd_schema_open(&schema, "", &fault);
}

static inline int close_schema(void **state)
{
    hd_schema_close(&schema);
    return 0;
}

static inline struct lyd_node *tree_of(const char *lines)
{
    struct lyd_node *t = NULL;

    if (hd_tree_lines(&schema, &t, lines, &fault) != 0)
        fail_msg("line %u, %s: %s", fault.line, fault.path, fault.message);
    return t;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: errors in words, exact decimals, sets of pairs, readers. */
#ifndef HD_SCENARIO_INTERNAL_H
#define HD_SCENARIO_INTERNAL_H

#include "scenario/scenario.h"

/* Where a sentence about a failure goes. */
struct hd_scn_err {
    char *text;
    size_t len;
};

/* Writes the sentence and returns code, so that a failure is one statement. */
int hd_scn_fail(const struct hd_scn_err *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Reads an unsigned decimal ("12", "0.25") as value * 10^digits, rounded down; *end is the first
 * character after it. HD_EMALFORMED without a digit or beyond 64 bits.
 */
HD_MUST_USE int hd_scn_decimal(const char *text, unsigned digits, uint64_t *value,
                               const char **end);

/* Reads bits per second: a whole number, or a decimal with k, M, G or T. */
bool hd_scn_rate(const char *text, uint64_t *rate_bps);

/* A set of unordered pairs of nodes. */
struct hd_scn_pairs {
    uint64_t *slots;
    size_t cap, len;
};
/* 1 when the pair is new, 0 when it was there, HD_ENOMEM. */
HD_MUST_USE int hd_scn_pairs_add(struct hd_scn_pairs *p, uint32_t a, uint32_t b);
bool hd_scn_pairs_has(const struct hd_scn_pairs *p, uint32_t a, uint32_t b);
void hd_scn_pairs_del(struct hd_scn_pairs *p, uint32_t a, uint32_t b);
void hd_scn_pairs_free(struct hd_scn_pairs *p);

/* Keeps the largest connected part (the one with the lowest node on a tie) and counts the rest. */
HD_MUST_USE int hd_scn_keep_largest(struct hd_scenario *s);

/*
 * A name fit for files and namespaces made of a label of the outside world: foreign characters
 * become
 * '-', "~2" and so on makes it unique in s. Empty labels give "n<index>".
 */
void hd_scn_name_from_label(struct hd_scenario *s, const char *label, char *name);
/* True for names a JSON file may give: letters, digits and . _ ~ -, not beginning with . or -. */
bool hd_scn_name_ok(const char *name);

/* Generators, generate_random.c. Parameters are given in their units by generate.c. */
HD_MUST_USE int hd_scn_barabasi(struct hd_scenario *s, uint32_t n, uint32_t m);
HD_MUST_USE int hd_scn_watts(struct hd_scenario *s, uint32_t n, uint32_t k, uint32_t p_ppm,
                             bool keep);
HD_MUST_USE int hd_scn_erdos(struct hd_scenario *s, uint32_t n, uint64_t degree_milli);
HD_MUST_USE int hd_scn_geometric(struct hd_scenario *s, uint32_t n, uint64_t degree_milli);
HD_MUST_USE int hd_scn_add_nodes(struct hd_scenario *s, uint32_t n);

/* Readers; values: also take delays and rates from the file. */
HD_MUST_USE int hd_scn_read_topology(struct hd_scenario *s, const char *path, bool values,
                                     const struct hd_scn_err *e);
HD_MUST_USE int hd_scn_read_graphml(struct hd_scenario *s, const char *path, bool values,
                                    const struct hd_scn_err *e);
HD_MUST_USE int hd_scn_read_json(struct hd_scenario *s, const char *path,
                                 const struct hd_scn_err *e);
HD_MUST_USE int hd_scn_run_generator(struct hd_scenario *s, const char *text,
                                     const struct hd_scn_err *e);

/* One-way delay of light in fibre between two points, given in millionths of a degree. */
hd_time hd_scn_fibre_delay(int64_t lat1, int64_t lon1, int64_t lat2, int64_t lon2);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a scenario: the first says which format the rest is in ('j' JSON, 'x' GraphML, 'r'
 * Repetita, else an edge list). What is accepted is consistent and the same when it is read again;
 * what is refused gets a sentence.
 */
#include "scenario/scenario.h"
#include "fuzz/scratch.h"
#include "lib/base.h"

#define TEXT_MAX 8192

static const char *file_name(uint8_t first)
{
    switch (first) {
    case 'j':
        return "a.json";
    case 'x':
        return "a.graphml";
    case 'r':
        return "a.graph";
    default:
        return "a.edges";
    }
}

/* "full:9999" is a right scenario of 50 million links: more than a fuzzer has memory for. */
static bool asks_for_much(const char *text)
{
    for (const char *at = text; (at = strchr(at, ':')) != NULL; at++) {
        unsigned digits = 0;

        for (const char *c = at + 1; *c != '\0' && *c != '"'; c++) {
            digits = *c >= '0' && *c <= '9' ? digits + 1 : 0;
            if (digits >= 3 && strncmp(text, "j", 1) == 0 && strstr(text, "generator") != NULL)
                return true;
        }
    }
    return false;
}

static bool ends_exist(const struct hd_scenario *s, uint32_t a, uint32_t b)
{
    return a < s->node_count && b < s->node_count;
}

static void check_scenario(struct hd_scenario *s)
{
    for (uint32_t i = 0; i < s->node_count; i++)
        FUZZ_CHECK(hd_scenario_find_node(s, s->nodes[i].name) == i);
    for (uint32_t i = 0; i < s->link_count; i++)
        FUZZ_CHECK(ends_exist(s, s->links[i].a, s->links[i].b) && s->links[i].a != s->links[i].b);
    for (uint32_t i = 0; i < s->event_count; i++) {
        const struct hd_scenario_event *e = &s->events[i];
        FUZZ_CHECK(i == 0 || s->events[i - 1].at_ns <= e->at_ns);
        FUZZ_CHECK(e->at_ns >= 0 && hd_scenario_action_name(e->action)[0] != '\0');
        FUZZ_CHECK(e->node == HD_SCENARIO_NONE || e->node < s->node_count);
        FUZZ_CHECK(e->link == HD_SCENARIO_NONE || e->link < s->link_count);
    }
    for (uint32_t i = 0; i < s->probe_count; i++) {
        const struct hd_scenario_probe *p = &s->probes[i];
        FUZZ_CHECK(ends_exist(s, p->from, p->to) && p->interval_ns > 0 && p->start_ns >= 0);
    }
    for (uint32_t i = 0; i < s->expect_count; i++) {
        const struct hd_scenario_expect *x = &s->expects[i];
        FUZZ_CHECK(x->probe == HD_SCENARIO_NONE || x->probe < s->probe_count);
        FUZZ_CHECK(x->at_ns >= 0 && x->limit_ns >= 0);
    }
}

static uint64_t load(const char *path)
{
    char err[HD_SCENARIO_ERROR] = "";
    struct hd_scenario *s = (struct hd_scenario *)err;
    uint64_t hash = 0;
    int error = hd_scenario_load(path, &s, err, sizeof err);

    if (error == 0) {
        check_scenario(s);
        hash = hd_scenario_hash(s);
        hd_scenario_free(s);
    } else {
        size_t len = strnlen(err, sizeof err);
        FUZZ_CHECK(error < 0 && s == NULL && len > 0 && len < sizeof err);
    }
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char path[PATH_MAX];

    if (len == 0 || len > TEXT_MAX)
        return 0;
    char *text = malloc(len + 1);

    FUZZ_CHECK(text != NULL);
    memcpy(text, bytes, len);
    text[len] = '\0';
    if (!asks_for_much(text)) {
        scratch_write(file_name(bytes[0]), bytes + 1, len - 1, path);
        uint64_t first = load(path);

        FUZZ_CHECK(load(path) == first);
        (void)unlink(path);
    }
    free(text);
    return 0;
}

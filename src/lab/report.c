/* SPDX-License-Identifier: Apache-2.0 */
/* What heddle-lab prints: status, flow and reach, as text and as JSON. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/program.h"
#include "lab/traffic.h"
#include "lib/base.h"
#include "lib/json.h"

static const char *state_name(enum hd_lab_link_state s)
{
    return s == HD_LAB_LINK_UP ? "up" : s == HD_LAB_LINK_CUT ? "cut" : "silent";
}

static int print_json(struct hd_json *j)
{
    char *text = hd_json_take(j);

    if (text != NULL)
        printf("%s\n", text);
    free(text);
    hd_json_free(j);
    return text != NULL ? 0 : HD_LAB_EXIT_FAILED;
}

/* A time in milliseconds with three decimals. */
static void kv_ms(struct hd_json *j, const char *key, hd_time ns)
{
    hd_json_key(j, key);
    hd_json_decimal(j, ns / 1000, 3);
}

/* --- status --------------------------------------------------------------------------------------
 */

static void json_node(struct hd_lab *lab, uint32_t i, struct hd_json *j)
{
    char text[PATH_MAX];

    hd_json_object(j);
    hd_json_kv_string(j, "name", lab->nodes[i].name);
    hd_json_kv_string(j, "namespace", hd_lab_ns_name(lab, i, text));
    snprintf(text, sizeof text, "%s/%s", lab->dir, lab->nodes[i].name);
    hd_json_kv_string(j, "state", text);
    pid_t pid = hd_lab_pid(lab, i);

    hd_json_key(j, "pid");
    if (pid == 0)
        hd_json_null(j);
    else
        hd_json_int(j, pid);
    hd_json_end(j);
}

static void json_values(const struct hd_lab_link *l, struct hd_json *j)
{
    hd_json_kv_bool(j, "wired", l->wired);
    hd_json_kv_uint(j, "mtu", l->values.mtu);
    hd_json_kv_uint(j, "rate-bps", l->values.rate_bps);
    kv_ms(j, "delay-ms", l->values.delay_ns);
    hd_json_kv_uint(j, "loss-ppm", l->values.loss_ppm);
}

static int json_link(struct hd_lab *lab, uint32_t i, struct hd_json *j)
{
    const struct hd_lab_link *l = &lab->links[i];
    enum hd_lab_link_state state;
    bool carrier[2];
    int rc = hd_lab_link_state(lab, i, &state, carrier);

    if (rc < 0)
        return rc;
    hd_json_object(j);
    hd_json_kv_string(j, "a", lab->nodes[l->node[0]].name);
    hd_json_kv_string(j, "b", lab->nodes[l->node[1]].name);
    hd_json_kv_string(j, "a-interface", l->ifname[0]);
    hd_json_kv_string(j, "b-interface", l->ifname[1]);
    hd_json_kv_string(j, "state", state_name(state));
    hd_json_kv_bool(j, "a-carrier", carrier[0]);
    hd_json_kv_bool(j, "b-carrier", carrier[1]);
    json_values(l, j);
    hd_json_end(j);
    return 0;
}

static int json_status(struct hd_lab *lab, struct hd_json *j)
{
    int rc = 0;

    hd_json_object(j);
    hd_json_kv_string(j, "name", lab->name);
    hd_json_kv_string(j, "state", lab->dir);
    hd_json_key(j, "nodes");
    hd_json_array(j);
    for (uint32_t i = 0; i < lab->node_count; i++)
        json_node(lab, i, j);
    hd_json_end(j);
    hd_json_key(j, "links");
    hd_json_array(j);
    for (uint32_t i = 0; rc == 0 && i < lab->link_count; i++)
        rc = json_link(lab, i, j);
    hd_json_end(j);
    hd_json_end(j);
    return rc;
}

static int text_status(struct hd_lab *lab)
{
    uint32_t running = 0, count[4] = {0};

    printf("lab \"%s\" in %s\n\nNODE                 HEDDLED\n", lab->name, lab->dir);
    for (uint32_t i = 0; i < lab->node_count; i++) {
        pid_t pid = hd_lab_pid(lab, i);

        running += pid != 0;
        if (pid != 0)
            printf("%-20s %d\n", lab->nodes[i].name, (int)pid);
        else
            printf("%-20s %s\n", lab->nodes[i].name,
                   lab->heddled[0] == '\0' ? "none" : "not running");
    }
    printf("\nLINK                                      STATE\n");
    for (uint32_t i = 0; i < lab->link_count; i++) {
        const struct hd_lab_link *l = &lab->links[i];
        enum hd_lab_link_state state;
        bool carrier[2];
        int rc = hd_lab_link_state(lab, i, &state, carrier);

        if (rc < 0)
            return rc;
        count[state]++;
        printf("%-20s %-20s %s%s\n", lab->nodes[l->node[0]].name, lab->nodes[l->node[1]].name,
               state_name(state), l->wired ? ", by the wire" : "");
    }
    printf("\n%u nodes, %u heddled running; %u links: %u up, %u cut, %u silent\n", lab->node_count,
           running, lab->link_count, count[HD_LAB_LINK_UP], count[HD_LAB_LINK_CUT],
           count[HD_LAB_LINK_SILENT]);
    return 0;
}

int hd_lab_cmd_status(const struct hd_lab_args *a, struct hd_lab *lab, char *err)
{
    struct hd_json j;
    int rc;

    if (!a->json) {
        rc = text_status(lab);
        return rc < 0 ? hd_lab_complain(a, rc, err) : 0;
    }
    hd_json_init(&j);
    rc = json_status(lab, &j);
    if (rc < 0) {
        hd_json_free(&j);
        return hd_lab_complain(a, rc, err);
    }
    return print_json(&j);
}

/* --- flow ----------------------------------------------------------------------------------------
 */

static int json_flow(const struct hd_lab_flow *f)
{
    struct hd_json j;

    hd_json_init(&j);
    hd_json_object(&j);
    hd_json_kv_uint(&j, "sent", f->sent);
    hd_json_kv_uint(&j, "received", f->received);
    hd_json_kv_uint(&j, "lost", f->sent - f->received);
    hd_json_kv_uint(&j, "refused", f->refused);
    hd_json_kv_uint(&j, "duplicates", f->duplicates);
    hd_json_kv_uint(&j, "reordered", f->reordered);
    kv_ms(&j, "longest-gap-ms", f->longest_gap_ns);
    kv_ms(&j, "gap-at-ms", f->gap_at_ns);
    kv_ms(&j, "delay-min-ms", f->delay_min_ns);
    kv_ms(&j, "delay-mean-ms", f->received == 0 ? 0 : f->delay_sum_ns / (hd_time)f->received);
    kv_ms(&j, "delay-max-ms", f->delay_max_ns);
    hd_json_end(&j);
    return print_json(&j);
}

static void print_ms(const char *label, hd_time ns)
{
    printf("%s%lld.%03lld ms", label, (long long)(ns / 1000000), (long long)(ns / 1000 % 1000));
}

static void text_flow(const struct hd_lab_args *a, const struct hd_lab_flow *f)
{
    printf("%s to %s: %llu sent, %llu received, %llu lost", a->words[0], a->words[1],
           (unsigned long long)f->sent, (unsigned long long)f->received,
           (unsigned long long)(f->sent - f->received));
    printf(", %llu duplicates, %llu reordered, %llu refused by the sender's kernel\n",
           (unsigned long long)f->duplicates, (unsigned long long)f->reordered,
           (unsigned long long)f->refused);
    print_ms("longest gap ", f->longest_gap_ns);
    print_ms(", beginning at ", f->gap_at_ns);
    if (f->received > 0) {
        print_ms("; delay ", f->delay_min_ns);
        print_ms(" to ", f->delay_max_ns);
        print_ms(", mean ", f->delay_sum_ns / (hd_time)f->received);
    }
    printf("\n");
}

int hd_lab_cmd_flow(const struct hd_lab_args *a, struct hd_lab *lab, char *err)
{
    struct in6_addr address;
    struct hd_lab_flow f;
    struct hd_lab_flow_options o = {.from = hd_lab_arg_node(a, lab, 0),
                                    .interval_ns = HD_US(a->interval_us),
                                    .duration_ns = HD_MS(a->seconds_ms),
                                    .size = (uint32_t)HD_MIN(a->size, UINT32_MAX)};

    o.to = o.from == HD_SCENARIO_NONE ? o.from : hd_lab_arg_node(a, lab, 1);
    if (o.to == HD_SCENARIO_NONE)
        return HD_LAB_EXIT_FAILED;
    if (a->to != NULL && inet_pton(AF_INET6, a->to, &address) != 1)
        return hd_lab_complain(a, HD_EINVAL, "--to wants an IPv6 address");
    o.address = a->to != NULL ? &address : NULL;
    int rc = hd_lab_flow(lab, &o, &f);

    if (rc < 0)
        return hd_lab_complain(a, rc, err);
    if (a->json)
        return json_flow(&f);
    text_flow(a, &f);
    return 0;
}

/* --- reach ---------------------------------------------------------------------------------------
 */

static int json_reach(const struct hd_lab *lab, const struct hd_lab_reach *r)
{
    struct hd_json j;

    hd_json_init(&j);
    hd_json_object(&j);
    hd_json_kv_uint(&j, "pairs", r->count);
    hd_json_kv_uint(&j, "reached", r->reached);
    kv_ms(&j, "took-ms", r->took_ns);
    hd_json_key(&j, "unreached");
    hd_json_array(&j);
    for (uint32_t i = 0; i < r->count; i++) {
        if (r->pairs[i].answered_ns != 0)
            continue;
        hd_json_array(&j);
        hd_json_string(&j, lab->nodes[r->pairs[i].from].name);
        hd_json_string(&j, lab->nodes[r->pairs[i].to].name);
        hd_json_end(&j);
    }
    hd_json_end(&j);
    hd_json_end(&j);
    return print_json(&j);
}

static void text_reach(const struct hd_lab *lab, const struct hd_lab_reach *r)
{
    uint32_t shown = 0;

    printf("%u of %u pairs answered", r->reached, r->count);
    print_ms(r->reached == r->count ? ", the last after " : " when the time was over after ",
             r->took_ns);
    printf("\n");
    for (uint32_t i = 0; i < r->count && shown < 20; i++) {
        if (r->pairs[i].answered_ns != 0)
            continue;
        shown++;
        printf("  no answer: %s to %s\n", lab->nodes[r->pairs[i].from].name,
               lab->nodes[r->pairs[i].to].name);
    }
    if (r->count - r->reached > shown)
        printf("  and %u more\n", r->count - r->reached - shown);
}

/* Exit status 1 when a pair stays silent, so that scripts can ask. */
int hd_lab_cmd_reach(const struct hd_lab_args *a, struct hd_lab *lab, char *err)
{
    struct hd_lab_reach r;
    int rc = hd_lab_reach(lab, a->addresses, (uint32_t)HD_MIN(a->pairs, UINT32_MAX), a->seed,
                          HD_MS(a->timeout_ms), &r);

    if (rc < 0)
        return hd_lab_complain(a, rc, err);
    if (a->json)
        rc = json_reach(lab, &r);
    else
        text_reach(lab, &r);
    if (rc == 0 && r.reached < r.count)
        rc = HD_LAB_EXIT_FAILED;
    hd_lab_reach_free(&r);
    return rc;
}

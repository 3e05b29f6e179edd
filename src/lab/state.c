/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a lab leaves on disk: lab.json with its names, interfaces and link values, and an entry in
 * the registry by which the next command finds it. Whether a link is cut or a daemon runs is not
 * stored: the kernel knows.
 */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/internal.h"
#include "lib/base.h"
#include "lib/json.h"

int hd_lab_fail(const struct hd_lab *lab, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(lab->err, HD_LAB_ERROR, fmt, ap);
    va_end(ap);
    return code;
}

char *hd_lab_path(const struct hd_lab *lab, uint32_t node, const char *file, char *buf)
{
    const char *name = lab->nodes[node].name;

    if (file == NULL)
        snprintf(buf, PATH_MAX, "%s/%s", lab->dir, name);
    else
        snprintf(buf, PATH_MAX, "%s/%s/%s", lab->dir, name, file);
    return buf;
}

char *hd_lab_registry_path(const struct hd_lab *lab, const char *suffix, char *buf)
{
    snprintf(buf, PATH_MAX, HD_LAB_REGISTRY "/%s%s", lab->name, suffix);
    return buf;
}

/* --- writing -------------------------------------------------------------------------------------
 */

static void write_nodes(const struct hd_lab *lab, struct hd_json *j)
{
    hd_json_key(j, "nodes");
    hd_json_array(j);
    for (uint32_t i = 0; i < lab->node_count; i++) {
        char ns[NAME_MAX + 1];

        hd_json_object(j);
        hd_json_kv_string(j, "name", lab->nodes[i].name);
        hd_json_kv_string(j, "namespace", hd_lab_ns_name(lab, i, ns));
        hd_json_kv_bool(j, "started", lab->nodes[i].started);
        hd_json_end(j);
    }
    hd_json_end(j);
}

static void write_links(const struct hd_lab *lab, struct hd_json *j)
{
    hd_json_key(j, "links");
    hd_json_array(j);
    for (uint32_t i = 0; i < lab->link_count; i++) {
        const struct hd_lab_link *l = &lab->links[i];
        const struct hd_scenario_link *v = &l->values;

        hd_json_object(j);
        hd_json_kv_uint(j, "a", l->node[0]);
        hd_json_kv_uint(j, "b", l->node[1]);
        hd_json_kv_string(j, "a-interface", l->ifname[0]);
        hd_json_kv_string(j, "b-interface", l->ifname[1]);
        hd_json_kv_bool(j, "wired", l->wired);
        hd_json_kv_uint(j, "mtu", v->mtu);
        hd_json_kv_int(j, "delay-ns", v->delay_ns);
        hd_json_kv_int(j, "jitter-ns", v->jitter_ns);
        hd_json_kv_uint(j, "loss-ppm", v->loss_ppm);
        hd_json_kv_uint(j, "duplicate-ppm", v->duplicate_ppm);
        hd_json_kv_uint(j, "reorder-ppm", v->reorder_ppm);
        hd_json_kv_uint(j, "corrupt-ppm", v->corrupt_ppm);
        hd_json_kv_uint(j, "rate-bps", v->rate_bps);
        hd_json_kv_uint(j, "queue-bytes", v->queue_bytes);
        hd_json_end(j);
    }
    hd_json_end(j);
}

static int write_file(const struct hd_lab *lab, const char *text)
{
    char path[PATH_MAX], tmp[PATH_MAX];

    snprintf(path, sizeof path, "%s/lab.json", lab->dir);
    snprintf(tmp, sizeof tmp, "%s/lab.json.new", lab->dir);
    FILE *f = fopen(tmp, "we");

    if (f == NULL)
        return hd_lab_fail(lab, HD_ESYS, "%s: %s", tmp, strerror(errno));
    bool ok = fputs(text, f) >= 0 && fputc('\n', f) != EOF;

    if (fclose(f) != 0 || !ok || rename(tmp, path) < 0)
        return hd_lab_fail(lab, HD_ESYS, "%s: %s", path, strerror(errno));
    return 0;
}

int hd_lab_save(const struct hd_lab *lab)
{
    struct hd_json j;

    hd_json_init(&j);
    hd_json_object(&j);
    hd_json_kv_string(&j, "name", lab->name);
    hd_json_kv_string(&j, "dir", lab->dir);
    hd_json_kv_uint(&j, "seed", lab->seed & INT64_MAX);
    hd_json_kv_string(&j, "heddled", lab->heddled);
    hd_json_key(&j, "args");
    hd_json_array(&j);
    for (char **a = lab->args; *a != NULL; a++)
        hd_json_string(&j, *a);
    hd_json_end(&j);
    write_nodes(lab, &j);
    write_links(lab, &j);
    hd_json_end(&j);
    char *text = hd_json_take(&j);
    int rc = text == NULL ? hd_lab_fail(lab, HD_ENOMEM, "out of memory") : write_file(lab, text);

    free(text);
    hd_json_free(&j);
    return rc;
}

/* --- reading -------------------------------------------------------------------------------------
 */

static bool take_string(const json_t *o, const char *key, char *buf, size_t size)
{
    const char *text = json_string_value(json_object_get(o, key));

    if (text == NULL || strlen(text) >= size)
        return false;
    memcpy(buf, text, strlen(text) + 1);
    return true;
}

static uint64_t take_number(const json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

static bool take_link(const json_t *o, struct hd_lab_link *l, uint32_t node_count)
{
    struct hd_scenario_link *v = &l->values;

    l->node[0] = v->a = (uint32_t)take_number(o, "a");
    l->node[1] = v->b = (uint32_t)take_number(o, "b");
    l->wired = json_is_true(json_object_get(o, "wired"));
    v->mtu = (uint32_t)take_number(o, "mtu");
    v->delay_ns = (hd_time)take_number(o, "delay-ns");
    v->jitter_ns = (hd_time)take_number(o, "jitter-ns");
    v->loss_ppm = (uint32_t)take_number(o, "loss-ppm");
    v->duplicate_ppm = (uint32_t)take_number(o, "duplicate-ppm");
    v->reorder_ppm = (uint32_t)take_number(o, "reorder-ppm");
    v->corrupt_ppm = (uint32_t)take_number(o, "corrupt-ppm");
    v->rate_bps = take_number(o, "rate-bps");
    v->queue_bytes = take_number(o, "queue-bytes");
    return l->node[0] < node_count && l->node[1] < node_count &&
           take_string(o, "a-interface", l->ifname[0], IFNAMSIZ) &&
           take_string(o, "b-interface", l->ifname[1], IFNAMSIZ);
}

static bool take_args(struct hd_lab *lab, const json_t *args)
{
    lab->args = calloc(json_array_size(args) + 1, sizeof *lab->args);
    if (lab->args == NULL)
        return false;
    for (size_t i = 0; i < json_array_size(args); i++) {
        const char *text = json_string_value(json_array_get(args, i));

        lab->args[i] = strdup(text == NULL ? "" : text);
        if (lab->args[i] == NULL)
            return false;
    }
    return true;
}

static bool take_lab(struct hd_lab *lab, const json_t *root)
{
    const json_t *nodes = json_object_get(root, "nodes"), *links = json_object_get(root, "links");
    bool ok = take_string(root, "name", lab->name, sizeof lab->name) &&
              take_string(root, "dir", lab->dir, sizeof lab->dir) &&
              take_string(root, "heddled", lab->heddled, sizeof lab->heddled) &&
              take_args(lab, json_object_get(root, "args"));

    lab->seed = take_number(root, "seed");
    lab->nodes = calloc(json_array_size(nodes) + 1, sizeof *lab->nodes);
    lab->links = calloc(json_array_size(links) + 1, sizeof *lab->links);
    if (!ok || lab->nodes == NULL || lab->links == NULL)
        return false;
    for (size_t i = 0; ok && i < json_array_size(nodes); i++) {
        const json_t *o = json_array_get(nodes, i);
        struct hd_lab_node *n = &lab->nodes[lab->node_count++];

        ok = take_string(o, "name", n->name, sizeof n->name);
        n->started = json_is_true(json_object_get(o, "started"));
    }
    for (size_t i = 0; ok && i < json_array_size(links); i++)
        ok = take_link(json_array_get(links, i), &lab->links[lab->link_count++], lab->node_count);
    return ok;
}

int hd_lab_load(struct hd_lab *lab, const char *dir)
{
    char path[PATH_MAX];
    json_error_t error;

    snprintf(path, sizeof path, "%s/lab.json", dir);
    json_t *root = json_load_file(path, 0, &error);

    if (root == NULL && access(path, F_OK) < 0)
        return hd_lab_fail(lab, HD_ENOENT, "%s: there is no lab", dir);
    if (root == NULL)
        return hd_lab_fail(lab, HD_EMALFORMED, "%s: %s", path, error.text);
    int rc =
        take_lab(lab, root) ? 0 : hd_lab_fail(lab, HD_EMALFORMED, "%s: not a lab's file", path);

    json_decref(root);
    return rc;
}

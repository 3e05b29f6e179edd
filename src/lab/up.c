/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a lab and taking it down. `up` writes the description first, then namespaces, links, the
 * wire, and the daemons; whatever fails, `down` finds all that was made by the description.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mntent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lab/internal.h"

/* --- the handle ----------------------------------------------------------------------------------
 */

static struct hd_lab *lab_new(char *err)
{
    struct hd_lab *lab = calloc(1, sizeof *lab);

    if (lab == NULL) {
        snprintf(err, HD_LAB_ERROR, "out of memory");
        return NULL;
    }
    lab->err = err;
    lab->own_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (lab->own_ns < 0) {
        snprintf(err, HD_LAB_ERROR, "/proc/self/ns/net: %s", strerror(errno));
        free(lab);
        return NULL;
    }
    return lab;
}

void hd_lab_close(struct hd_lab *lab)
{
    if (lab == NULL)
        return;
    for (char **a = lab->args; a != NULL && *a != NULL; a++)
        free(*a);
    free(lab->args);
    free(lab->nodes);
    free(lab->links);
    close(lab->own_ns);
    free(lab);
}

uint32_t hd_lab_find_node(const struct hd_lab *lab, const char *name)
{
    for (uint32_t i = 0; i < lab->node_count; i++) {
        if (strcmp(lab->nodes[i].name, name) == 0)
            return i;
    }
    return HD_SCENARIO_NONE;
}

uint32_t hd_lab_find_link(const struct hd_lab *lab, uint32_t a, uint32_t b, uint32_t from)
{
    for (uint32_t i = from; i < lab->link_count; i++) {
        const uint32_t *n = lab->links[i].node;

        if ((n[0] == a && n[1] == b) || (n[0] == b && n[1] == a))
            return i;
    }
    return HD_SCENARIO_NONE;
}

/* --- from a scenario -----------------------------------------------------------------------------
 */

static bool is_wired(const struct hd_scenario_link *v)
{
    return v->delay_ns != 0 || v->jitter_ns != 0 || v->loss_ppm != 0 || v->duplicate_ppm != 0 ||
           v->reorder_ppm != 0 || v->corrupt_ppm != 0;
}

static bool ifname_taken(const struct hd_lab *lab, uint32_t links, uint32_t node, const char *name)
{
    for (uint32_t i = 0; i <= links; i++) {
        for (unsigned side = 0; side < 2; side++) {
            if (lab->links[i].node[side] == node && strcmp(lab->links[i].ifname[side], name) == 0)
                return true;
        }
    }
    return false;
}

/* to-NEIGHBOUR; a parallel link or a name that is cut gets ~2, ~3, ... at its end. */
static void name_end(struct hd_lab *lab, uint32_t link, unsigned side)
{
    struct hd_lab_link *l = &lab->links[link];
    const char *to = lab->nodes[l->node[1 - side]].name;
    char name[IFNAMSIZ], tail[8] = "";

    for (unsigned k = 2;; k++) {
        snprintf(name, sizeof name, "to-%.*s%s", (int)(IFNAMSIZ - 4 - strlen(tail)), to, tail);
        if (!ifname_taken(lab, link, l->node[side], name))
            break;
        snprintf(tail, sizeof tail, "~%u", k % 10000);
    }
    memcpy(l->ifname[side], name, sizeof name);
}

static int take_scenario(struct hd_lab *lab, const struct hd_scenario *s)
{
    lab->seed = s->seed;
    lab->nodes = calloc((size_t)s->node_count + 1, sizeof *lab->nodes);
    lab->links = calloc((size_t)s->link_count + 1, sizeof *lab->links);
    if (lab->nodes == NULL || lab->links == NULL)
        return hd_lab_fail(lab, HD_ENOMEM, "out of memory");
    lab->node_count = s->node_count;
    lab->link_count = s->link_count;
    for (uint32_t i = 0; i < s->node_count; i++) {
        memcpy(lab->nodes[i].name, s->nodes[i].name, sizeof lab->nodes[i].name);
        lab->nodes[i].started = s->nodes[i].start_ns != HD_NEVER;
    }
    for (uint32_t i = 0; i < s->link_count; i++) {
        struct hd_lab_link *l = &lab->links[i];

        l->values = s->links[i];
        l->node[0] = s->links[i].a;
        l->node[1] = s->links[i].b;
        l->wired = is_wired(&l->values);
        name_end(lab, i, 0);
        name_end(lab, i, 1);
    }
    return 0;
}

/* heddled beside the running program, else the first in PATH. */
static void find_heddled(struct hd_lab *lab)
{
    char self[PATH_MAX - 32];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    self[n < 0 ? 0 : n] = '\0';
    char *slash = strrchr(self, '/');

    if (slash != NULL) {
        *slash = '\0';
        snprintf(lab->heddled, sizeof lab->heddled, "%s/heddled", self);
        if (access(lab->heddled, X_OK) == 0)
            return;
        snprintf(lab->heddled, sizeof lab->heddled, "%s/../daemon/heddled", self);
        if (access(lab->heddled, X_OK) == 0)
            return;
    }
    snprintf(lab->heddled, sizeof lab->heddled, "/usr/sbin/heddled");
}

static int take_options(struct hd_lab *lab, const struct hd_lab_options *o)
{
    size_t n = 0;

    if (o->no_daemon)
        lab->heddled[0] = '\0';
    else if (o->heddled != NULL && realpath(o->heddled, lab->heddled) == NULL)
        return hd_lab_fail(lab, HD_ENOENT, "%s: %s", o->heddled, strerror(errno));
    else if (o->heddled == NULL)
        find_heddled(lab);
    if (lab->heddled[0] != '\0' && access(lab->heddled, X_OK) < 0)
        return hd_lab_fail(lab, HD_ENOENT, "%s: %s; name it by --heddled, or use --no-daemon",
                           lab->heddled, strerror(errno));
    while (o->args != NULL && o->args[n] != NULL)
        n++;
    lab->args = calloc(n + 1, sizeof *lab->args);
    for (size_t i = 0; lab->args != NULL && i < n; i++) {
        lab->args[i] = strdup(o->args[i]);
        if (lab->args[i] == NULL)
            return hd_lab_fail(lab, HD_ENOMEM, "out of memory");
    }
    return lab->args == NULL ? hd_lab_fail(lab, HD_ENOMEM, "out of memory") : 0;
}

/* --- folders -------------------------------------------------------------------------------------
 */

static int make_folder(const struct hd_lab *lab, const char *path)
{
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return 0;
    return hd_lab_fail(lab, HD_ESYS, "%s: %s", path, strerror(errno));
}

/*
 * `down` removes the nodes' folders: so none of them may be there before, in a folder of the
 * caller's.
 */
static int check_folders(struct hd_lab *lab)
{
    for (uint32_t i = 0; i < lab->node_count; i++) {
        const char *name = lab->nodes[i].name;
        char path[PATH_MAX];

        if (strcmp(name, "lab.json") == 0 || strcmp(name, "wire.log") == 0)
            return hd_lab_fail(lab, HD_EINVAL, "no node can be called %s", name);
        if (access(hd_lab_path(lab, i, NULL, path), F_OK) == 0)
            return hd_lab_fail(lab, HD_EEXIST, "%s is there already: choose an empty folder", path);
    }
    return 0;
}

/* Makes the entry of the registry; one that leads to no lab is left from a crash and replaced. */
static int claim_name(struct hd_lab *lab, bool foreign)
{
    char entry[PATH_MAX], file[PATH_MAX + 16];

    hd_lab_registry_path(lab, "", entry);
    snprintf(file, sizeof file, "%s/lab.json", entry);
    if (access(file, F_OK) == 0)
        return hd_lab_fail(lab, HD_EEXIST,
                           "lab \"%s\" is up already; `heddle-lab down --name %s` removes it",
                           lab->name, lab->name);
    if (unlink(entry) < 0)
        rmdir(entry);
    if ((foreign ? symlink(lab->dir, entry) : mkdir(entry, 0755)) < 0)
        return hd_lab_fail(lab, HD_ESYS, "%s: %s", entry, strerror(errno));
    return 0;
}

/* The lab's folder is its entry in the registry, or the caller's with a link to it. */
static int make_folders(struct hd_lab *lab, const char *state_dir)
{
    char path[PATH_MAX];
    int rc = make_folder(lab, HD_LAB_REGISTRY);

    if (rc == 0 && state_dir != NULL)
        rc = make_folder(lab, state_dir);
    if (rc < 0)
        return rc;
    if (state_dir == NULL)
        hd_lab_registry_path(lab, "", path);
    else if (realpath(state_dir, path) == NULL || strlen(path) >= sizeof lab->dir)
        return hd_lab_fail(lab, HD_ESYS, "%s: %s", state_dir, strerror(errno));
    snprintf(lab->dir, sizeof lab->dir, "%.*s", (int)sizeof lab->dir - 1, path);
    rc = state_dir != NULL ? check_folders(lab) : 0;
    return rc == 0 ? claim_name(lab, state_dir != NULL) : rc;
}

/*
 * The scenario's identifier where heddled keeps its own: the value that its KIRA core saves under
 * key 1 (src/core/kira/kira.h).
 */
static int write_identity(struct hd_lab *lab, uint32_t node, const uint8_t id[14])
{
    char path[PATH_MAX];
    int rc = make_folder(lab, hd_lab_path(lab, node, "state", path));
    FILE *f = rc < 0 ? NULL : fopen(hd_lab_path(lab, node, "state/kira-1", path), "we");

    if (rc == 0 && (f == NULL || fwrite(id, 14, 1, f) != 1))
        rc = hd_lab_fail(lab, HD_ESYS, "%s: %s", path, strerror(errno));
    if (f != NULL && fclose(f) != 0 && rc == 0)
        rc = hd_lab_fail(lab, HD_ESYS, "%s: %s", path, strerror(errno));
    return rc;
}

static int make_node_folders(struct hd_lab *lab, const struct hd_scenario *s)
{
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < lab->node_count; i++) {
        char path[PATH_MAX];

        rc = make_folder(lab, hd_lab_path(lab, i, NULL, path));
        if (rc == 0 && s->nodes[i].has_id)
            rc = write_identity(lab, i, s->nodes[i].id);
    }
    return rc;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    return type == FTW_DP ? rmdir(path) : unlink(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- up ------------------------------------------------------------------------------------------
 */

static int make_namespaces(struct hd_lab *lab)
{
    int rc = hd_lab_ns_prepare(lab);

    for (uint32_t i = 0; rc == 0 && i < lab->node_count; i++)
        rc = hd_lab_ns_create(lab, i);
    if (rc == 0 && hd_lab_needs_wire(lab))
        rc = hd_lab_ns_create(lab, HD_LAB_WIRE_NS);
    hd_lab_leave(lab);
    return rc;
}

static int start_daemons(struct hd_lab *lab)
{
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && lab->heddled[0] != '\0' && i < lab->node_count; i++) {
        if (lab->nodes[i].started)
            rc = hd_lab_daemon_start(lab, i);
    }
    return rc;
}

/* A descriptor per namespace is open while links are made. */
static void raise_file_limit(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

static int build(struct hd_lab *lab, const struct hd_scenario *s)
{
    int rc = hd_lab_save(lab);

    if (rc == 0)
        rc = make_node_folders(lab, s);
    if (rc == 0)
        rc = make_namespaces(lab);
    if (rc == 0)
        rc = hd_lab_links_create(lab);
    if (rc == 0 && hd_lab_needs_wire(lab))
        rc = hd_lab_wire_start(lab);
    return rc == 0 ? start_daemons(lab) : rc;
}

static bool name_ok(const char *name)
{
    return strlen(name) < HD_LAB_NAME_MAX && name[0] != '.' && name[0] != '-' && name[0] != '\0' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] ==
               '\0';
}

int hd_lab_up(const struct hd_scenario *s, const struct hd_lab_options *o, struct hd_lab **out,
              char *err)
{
    struct hd_lab *lab = lab_new(err);
    int rc;

    *out = NULL;
    if (lab == NULL)
        return HD_ESYS;
    snprintf(lab->name, sizeof lab->name, "%s", o->name != NULL ? o->name : "lab");
    if (o->name != NULL && !name_ok(o->name))
        rc =
            hd_lab_fail(lab, HD_EINVAL, "the name of a lab is at most 31 letters, digits, _ and -");
    else
        rc = take_scenario(lab, s);
    if (rc == 0)
        rc = take_options(lab, o);
    if (rc == 0)
        rc = make_folders(lab, o->state_dir);
    if (rc < 0) {
        hd_lab_close(lab);
        return rc;
    }
    raise_file_limit();
    rc = build(lab, s);
    if (rc < 0) {
        char why[HD_LAB_ERROR];

        memcpy(why, err, sizeof why);
        (void)!hd_lab_down(lab);
        hd_lab_close(lab);
        memcpy(err, why, sizeof why);
        return rc;
    }
    *out = lab;
    return 0;
}

/* --- open ----------------------------------------------------------------------------------------
 */

/* The only lab of the registry, into name. */
static int only_lab(struct hd_lab *lab, char *name)
{
    DIR *d = opendir(HD_LAB_REGISTRY);
    const struct dirent *e;
    unsigned count = 0;

    while (d != NULL && (e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.' || strchr(e->d_name, '.') != NULL)
            continue;
        if (count++ == 0)
            snprintf(name, HD_LAB_NAME_MAX, "%.31s", e->d_name);
    }
    if (d != NULL)
        closedir(d);
    if (count == 0)
        return hd_lab_fail(lab, HD_ENOENT, "no lab is up; `heddle-lab up` makes one");
    if (count > 1)
        return hd_lab_fail(lab, HD_EINVAL, "%u labs are up: say which by --name", count);
    return 0;
}

int hd_lab_open(const char *name, struct hd_lab **out, char *err)
{
    struct hd_lab *lab = lab_new(err);
    char path[PATH_MAX];
    int rc = 0;

    *out = NULL;
    if (lab == NULL)
        return HD_ESYS;
    if (name != NULL && !name_ok(name))
        rc = hd_lab_fail(lab, HD_ENOENT, "there is no lab of that name");
    else if (name != NULL)
        snprintf(lab->name, sizeof lab->name, "%s", name);
    else
        rc = only_lab(lab, lab->name);
    if (rc == 0)
        rc = hd_lab_load(lab, hd_lab_registry_path(lab, "", path));
    if (rc < 0) {
        hd_lab_close(lab);
        return rc;
    }
    *out = lab;
    return 0;
}

/* --- down ----------------------------------------------------------------------------------------
 */

static void sleep_ms(unsigned ms)
{
    const struct timespec t = {.tv_nsec = (long)ms * 1000000};

    nanosleep(&t, NULL);
}

/* Daemons say goodbye first, all at once, so that they can take away what they pinned. */
static void end_daemons(struct hd_lab *lab)
{
    bool left = true;

    for (uint32_t i = 0; i < lab->node_count; i++) {
        pid_t pid = hd_lab_pid(lab, i);

        if (pid != 0)
            kill(pid, SIGTERM);
    }
    for (unsigned waited = 0; left && waited < 5000; waited += 20) {
        left = false;
        for (uint32_t i = 0; !left && i < lab->node_count; i++)
            left = hd_lab_pid(lab, i) != 0;
        if (left)
            sleep_ms(20);
    }
}

/* Everything else that lives in the namespaces, until nothing does. */
static int end_processes(struct hd_lab *lab)
{
    for (unsigned tries = 0; tries < 500; tries++) {
        if (hd_lab_procs_end_all(lab) == 0)
            return 0;
        sleep_ms(5);
    }
    return hd_lab_fail(lab, HD_ETIMEOUT, "a process in the lab's namespaces does not end");
}

/* A heddled that was killed may leave a BPF file system mounted in its state folder. */
static void unmount_below(const char *dir)
{
    FILE *f = setmntent("/proc/self/mounts", "re");
    const struct mntent *m;
    size_t len = strlen(dir);

    while (f != NULL && (m = getmntent(f)) != NULL) {
        if (strncmp(m->mnt_dir, dir, len) == 0 && m->mnt_dir[len] == '/')
            umount2(m->mnt_dir, MNT_DETACH);
    }
    if (f != NULL)
        endmntent(f);
}

static void remove_state(struct hd_lab *lab)
{
    char path[PATH_MAX];

    unmount_below(lab->dir);
    for (uint32_t i = 0; i < lab->node_count; i++)
        remove_tree(hd_lab_path(lab, i, NULL, path));
    snprintf(path, sizeof path, "%s/lab.json", lab->dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/wire.log", lab->dir);
    unlink(path);
    rmdir(lab->dir); /* a folder of the caller's with files of his stays */
    unlink(hd_lab_registry_path(lab, ".wire", path));
    unlink(hd_lab_registry_path(lab, ".wire-pid", path));
    hd_lab_registry_path(lab, "", path);
    if (unlink(path) < 0)
        rmdir(path);
    rmdir(HD_LAB_REGISTRY); /* when this was the last lab */
}

int hd_lab_down(struct hd_lab *lab)
{
    end_daemons(lab);
    hd_lab_wire_stop(lab);
    int rc = end_processes(lab);

    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < lab->node_count; i++)
        hd_lab_ns_delete(lab, i);
    hd_lab_ns_delete(lab, HD_LAB_WIRE_NS);
    remove_state(lab);
    return 0;
}

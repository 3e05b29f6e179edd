/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that outlive their makers. A role deposits duplicates under a name; a new instance of
 * the system role gets all of them first of all. Through a re-execution of the keeper they travel
 * by staying open, with their numbers in one environment variable:
 *
 *   HEDDLE_KEPT="lock 4;namespace 5;listen 6;!port-1-1 9 10;!forwarding 11 12 13"
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "lib/base.h"

#define VARIABLE   "HEDDLE_KEPT"
#define TEXT_BYTES 16384

static struct hd_deposit *find(struct hd_keeper *k, const char *name)
{
    struct hd_deposit *free_one = NULL;
    for (unsigned i = 0; i < HD_KEEPER_DEPOSITS_MAX; i++) {
        struct hd_deposit *d = &k->deposits[i];
        if (d->nfds > 0 && strcmp(d->name, name) == 0) {
            return d;
        }
        if (d->nfds == 0 && free_one == NULL) {
            free_one = d;
        }
    }
    return free_one;
}

const struct hd_deposit *hd_deposits_find(const struct hd_keeper *k, const char *name)
{
    for (unsigned i = 0; i < HD_KEEPER_DEPOSITS_MAX; i++) {
        if (k->deposits[i].nfds > 0 && strcmp(k->deposits[i].name, name) == 0) {
            return &k->deposits[i];
        }
    }
    return NULL;
}

static void forget(struct hd_deposit *d)
{
    for (unsigned i = 0; i < d->nfds; i++) {
        close(d->fds[i]);
    }
    d->nfds = 0;
}

void hd_deposits_take(struct hd_keeper *k, struct hd_message *m)
{
    struct hd_msg_name name = *(const struct hd_msg_name *)m->body;
    name.name[sizeof name.name - 1] = '\0';
    struct hd_deposit *d = find(k, name.name);
    if (d == NULL) {
        return; /* the table is full: a restart will open these anew */
    }
    forget(d);
    memcpy(d->name, name.name, sizeof d->name);
    memcpy(d->fds, m->fds, sizeof d->fds);
    d->nfds = m->nfds;
    m->nfds = 0;
}

void hd_deposits_give(struct hd_keeper *k, int channel)
{
    for (unsigned i = 0; i < HD_KEEPER_DEPOSITS_MAX; i++) {
        const struct hd_deposit *d = &k->deposits[i];
        struct hd_msg_name name;
        memcpy(name.name, d->name, sizeof name.name);
        if (d->nfds > 0 &&
            hd_channel_send_fds(channel, HD_MSG_DEPOSITED, &name, NULL, 0, d->fds, d->nfds) < 0) {
            hd_log_line(&k->log, HD_LOG_WARNING, "deposit-not-given", "name=%s", d->name);
        }
    }
}

void hd_deposits_forget_all(struct hd_keeper *k)
{
    for (unsigned i = 0; i < HD_KEEPER_DEPOSITS_MAX; i++) {
        forget(&k->deposits[i]);
    }
}

/* --- through a re-execution ----------------------------------------------------------------------
 */

struct text {
    char bytes[TEXT_BYTES];
    size_t len;
};

static void add(struct text *t, const char *name, const int *fds, unsigned n)
{
    int wrote = snprintf(t->bytes + t->len, sizeof t->bytes - t->len, "%s", name);
    for (unsigned i = 0; i < n && wrote > 0; i++) {
        t->len += (size_t)wrote;
        if (t->len >= sizeof t->bytes - 16) {
            return; /* checked by the caller */
        }
        fcntl(fds[i], F_SETFD, 0);
        wrote = snprintf(t->bytes + t->len, sizeof t->bytes - t->len, " %d", fds[i]);
    }
    t->len += (size_t)HD_MAX(wrote, 0);
    t->bytes[t->len++] = ';';
    t->bytes[t->len] = '\0';
}

int hd_deposits_export(struct hd_keeper *k)
{
    struct text t = {.len = 0};
    add(&t, "lock", &k->lock, 1);
    add(&t, "namespace", &k->namespace_lock, 1);
    add(&t, "listen", &k->listen, 1);
    for (unsigned i = 0; i < HD_KEEPER_DEPOSITS_MAX; i++) {
        const struct hd_deposit *d = &k->deposits[i];
        char name[HD_CHANNEL_NAME + 1];
        if (d->nfds > 0 && t.len < sizeof t.bytes - HD_CHANNEL_NAME - 32) {
            snprintf(name, sizeof name, "!%s", d->name);
            add(&t, name, d->fds, d->nfds);
        }
    }
    return setenv(VARIABLE, t.bytes, 1) == 0 ? 0 : HD_ESYS;
}

static unsigned read_numbers(char *text, int *fds, unsigned max)
{
    unsigned n = 0;
    for (char *at = text; *at == ' ' && n < max;) {
        long fd = strtol(at, &at, 10);
        if (fd > 2 && fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0) {
            fds[n++] = (int)fd;
        }
    }
    return n;
}

static void import_entry(struct hd_keeper *k, char *entry)
{
    int fds[HD_CHANNEL_FDS_MAX];
    char *blank = strchr(entry, ' ');
    if (blank == NULL) {
        return;
    }
    unsigned n = read_numbers(blank, fds, HD_CHANNEL_FDS_MAX);
    *blank = '\0';
    if (n == 0) {
        return;
    }
    if (strcmp(entry, "lock") == 0) {
        k->lock = fds[0];
    } else if (strcmp(entry, "namespace") == 0) {
        k->namespace_lock = fds[0];
    } else if (strcmp(entry, "listen") == 0) {
        k->listen = fds[0];
    } else if (entry[0] == '!') {
        struct hd_deposit *d = find(k, entry + 1);
        if (d != NULL) {
            snprintf(d->name, sizeof d->name, "%s", entry + 1);
            memcpy(d->fds, fds, sizeof fds);
            d->nfds = n;
        }
    }
}

bool hd_deposits_import(struct hd_keeper *k)
{
    const char *value = getenv(VARIABLE);
    if (value == NULL) {
        return false;
    }
    char *copy = strdup(value), *rest = copy;
    unsetenv(VARIABLE);
    for (char *entry; copy != NULL && (entry = strsep(&rest, ";")) != NULL;) {
        import_entry(k, entry);
    }
    free(copy);
    return k->lock >= 0 && k->namespace_lock >= 0 && k->listen >= 0;
}

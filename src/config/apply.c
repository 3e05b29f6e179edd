/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transaction: all or nothing, in the router and on the disk, whoever dies when.
 *
 *   1. check the tree, make its image, compare it with the image of what runs
 *   2. write the new revision                      (not in force)
 *   3. with --confirm: write to which to return    (a start finds it and returns)
 *   4. send the parts that changed to the router; it asks each core, then all take their part
 *   5. link `running` to the new revision          (in force)
 *
 * Who dies before step 5 leaves the old revision in force, and the next start tells the router so.
 * A refusal in step 4 takes back steps 2 and 3.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/session.h"
#include "lib/base.h"

#define PART_BYTES 49152
#define WAIT_MS    10000 /* for room in the channel, and for the router's word */

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- the router ----------------------------------------------------------------------------------
 */

static int channel_fault(struct hd_fault *f, int error)
{
    return hd_fault_set(f, hd_error_name(error), NULL, "the router process could not be told");
}

/* The bytes, piece by piece; m says what they are. */
static int send_pieces(struct hd_session *s, struct hd_msg_config_part *m, const uint8_t *bytes,
                       size_t len)
{
    int error;

    m->id = s->transaction;
    m->total = (uint32_t)len;
    m->offset = 0;
    do {
        uint32_t n = HD_MIN(m->total - m->offset, (uint32_t)PART_BYTES);
        error = hd_channel_send_wait(s->channel, HD_MSG_CONFIG_PART, m,
                                     n > 0 ? bytes + m->offset : NULL, n, WAIT_MS);
        m->offset += n;
    } while (error == 0 && m->offset < m->total);
    return error;
}

/* What a core is to have: by what differs from what it has, where that is shorter. */
static int send_part(struct hd_session *s, size_t config, struct hd_image *was, struct hd_image *is)
{
    const struct hd_image_part *p = &is->part[config];
    struct hd_msg_config_part m = {.core = hd_config_at(config)->core};
    uint8_t *delta = NULL;
    size_t len;
    int error;

    if (!p->present)
        return send_pieces(s, &m, NULL, 0);
    if (was && hd_image_delta(config, was, is, &delta, &len)) {
        m.how = HD_CONFIG_DELTA;
        m.base = hd_image_digest(was, config);
        m.becomes = hd_image_digest(is, config);
        error = send_pieces(s, &m, delta, len);
        free(delta);
        return error;
    }
    m.how = HD_CONFIG_WHOLE;
    m.becomes = hd_image_digest(is, config);
    return send_pieces(s, &m, p->bytes, p->len);
}

static int send_secrets(struct hd_session *s, const struct hd_image *is)
{
    struct hd_msg_config_part m = {.core = HD_CONFIG_SECRETS,
                                   .how = is->secret_count > 0 ? HD_CONFIG_WHOLE : HD_CONFIG_STOP};

    return send_pieces(s, &m, (const uint8_t *)is->secrets, is->secret_count * sizeof *is->secrets);
}

static int wait_done(struct hd_session *s, struct hd_msg_config_done *done)
{
    struct pollfd p = {.fd = s->channel, .events = POLLIN};
    int64_t until = now_ns() + (int64_t)WAIT_MS * 1000000;
    struct hd_message m;

    for (;;) {
        int got = hd_channel_receive(s->channel, s->buffer, HD_CHANNEL_MAX, &m);
        if (got == HD_ENOENT)
            return HD_ENOENT;
        if (got == 1) {
            hd_message_close(&m);
            memcpy(done, m.body, sizeof *done);
            if (m.type == HD_MSG_CONFIG_DONE && done->id == s->transaction)
                return 0;
            continue;
        }
        if (now_ns() >= until)
            return HD_ETIMEOUT;
        (void)!poll(&p, 1, 100);
    }
}

static int refused(struct hd_fault *f, const struct hd_msg_config_done *d)
{
    const struct hd_config *c = hd_config_of((uint8_t)d->core);
    const char *who = hd_list_core_name((uint8_t)d->core);

    if (d->error == HD_ENOENT)
        return hd_fault_set(f, "not-running", NULL,
                            "the router process is away: nothing was changed, try again");
    if (d->error == HD_ENOMEM)
        return hd_fault_set(f, "no-memory", c ? c->root : NULL,
                            "%s has no memory for this: nothing was changed", who);
    return hd_fault_set(f, "refused", c ? c->root : NULL,
                        "%s refuses this (%s): nothing was changed", who, hd_error_name(d->error));
}

static bool same_part(const struct hd_image_part *a, const struct hd_image_part *b)
{
    return a->present == b->present &&
           (!b->present || (a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0));
}

static int send_all(struct hd_session *s, struct hd_image *was, struct hd_image *is)
{
    struct hd_msg_config_begin begin = {.layout = hd_config_layout(), .id = ++s->transaction};
    struct hd_msg_config_end end = {.id = s->transaction};
    int error = hd_channel_send_wait(s->channel, HD_MSG_CONFIG_BEGIN, &begin, NULL, 0, WAIT_MS);

    for (size_t i = 0; hd_config_at(i) && error == 0; i++) {
        if (!was || !same_part(&was->part[i], &is->part[i]))
            error = send_part(s, i, was, is);
    }
    if (error == 0 && (!was || !hd_image_same_secrets(was, is)))
        error = send_secrets(s, is);
    if (error == 0)
        error = hd_channel_send_wait(s->channel, HD_MSG_CONFIG_END, &end, NULL, 0, WAIT_MS);
    return error;
}

/*
 * Sends what of `is` differs from `was` (NULL: all) and waits for the router's word. One that has
 * something else than `was` changes nothing and is sent all of it.
 */
static int transfer(struct hd_session *s, struct hd_image *was, struct hd_image *is,
                    struct hd_msg_config_done *done, struct hd_fault *f)
{
    int error;

    memset(done, 0, sizeof *done);
    error = send_all(s, was, is);
    if (error == 0)
        error = wait_done(s, done);
    if (error != 0)
        return channel_fault(f, error);
    if (done->stale && was)
        return transfer(s, NULL, is, done, f);
    return done->error == 0 ? 0 : refused(f, done);
}

/* Changes the router; when it stopped halfway, it gets the old parts again. */
static int change_router(struct hd_session *s, struct hd_image *is, struct hd_fault *f)
{
    struct hd_msg_config_done done;
    struct hd_fault again;
    int error;

    if (s->channel < 0)
        return 0;
    error = transfer(s, &s->image, is, &done, f);
    if (error != 0 && done.half && transfer(s, NULL, &s->image, &done, &again) != 0)
        s->restart = true; /* new processes begin with what is in force */
    return error;
}

/* --- what is read at a start ---------------------------------------------------------------------
 */

static const struct hd_kira_settings *settings_of(const struct hd_image *i)
{
    for (size_t k = 0; hd_config_at(k); k++) {
        if (strcmp(hd_config_at(k)->module, "heddle-kira") == 0)
            return (const struct hd_kira_settings *)(const void *)i->part[k].bytes;
    }
    return NULL;
}

/* Lines, so that a heddled of another build reads them, too (daemon/settings.c). */
static void node_text(const struct hd_image *i, struct hd_text *t)
{
    const struct hd_kira_settings *s = settings_of(i);
    struct hd_kira_settings usual;
    char id[HD_ID_TEXT];

    hd_kira_settings_default(&usual);
    hd_text_printf(t, "%s", "");
    if (!s)
        return;
    if (s->open)
        hd_text_printf(t, "open\n");
    if (!hd_id_is_zero(&s->node_id))
        hd_text_printf(t, "node-id %s\n", hd_id_format(&s->node_id, id));
    if (s->node_prefix != usual.node_prefix)
        hd_text_printf(t, "node-prefix %04x\n", s->node_prefix);
    if (s->label_prefix != usual.label_prefix)
        hd_text_printf(t, "label-prefix %04x\n", s->label_prefix);
    for (uint16_t k = 0; k < s->glob_count; k++)
        hd_text_printf(t, "interface %s\n", s->globs[k]);
}

/* Writes what processes read at their start; notes when that has changed. */
static int write_node(struct hd_session *s, const struct hd_image *i, bool *differs)
{
    struct hd_text t = {0};
    char *old = NULL;
    int error = 0;

    node_text(i, &t);
    if (hd_store_read(s->dir, "node", &old) != 0)
        old = NULL;
    *differs = strcmp(old ? old : "", t.v ? t.v : "") != 0;
    if (*differs)
        error = hd_store_write(s->dir, "node", t.v, t.len);
    free(old);
    hd_text_free(&t);
    return error;
}

/* --- applying ------------------------------------------------------------------------------------
 */

static bool compare_all(const struct hd_image *was, const struct hd_image *is,
                        struct hd_image_change *total)
{
    memset(total, 0, sizeof *total);
    for (size_t i = 0; hd_config_at(i); i++) {
        struct hd_image_change c;
        hd_image_compare(i, was, is, &c);
        total->added += c.added;
        total->changed += c.changed;
        total->removed += c.removed;
        total->head |= c.head;
        total->start |= c.start;
    }
    total->head |= !hd_image_same_secrets(was, is);
    return total->added + total->changed + total->removed > 0 || total->head;
}

/* Steps 2 to 5 for an image that is known to be well formed; lines: as hd_revision_add. */
static int commit(struct hd_session *s, struct hd_image *is, const struct lyd_node *tree,
                  const char *lines, const char *how, uint32_t confirm_s, struct hd_applied *a,
                  struct hd_fault *f)
{
    struct hd_revision was = {.number = 0}, made;
    struct hd_unconfirmed pending = {.seconds = confirm_s, .restarts = a->total.start};
    int64_t t0 = now_ns(), t1, t2;
    bool node = false;
    int error;

    (void)!hd_store_running(s->dir, &was);
    pending.back_to = was.number;
    error = hd_revision_add(s, tree, lines, how, &made, f);
    if (error != 0)
        return error;
    if (confirm_s > 0)
        error = hd_store_pending_write(s->dir, &pending);
    if (error != 0) {
        (void)!hd_store_revision_remove(s->dir, &made); /* else the next boot does */
        return hd_session_file(f, error, "pending");
    }
    t1 = now_ns();
    error = change_router(s, is, f);
    t2 = now_ns();
    if (error != 0) {
        (void)!hd_store_pending_write(s->dir, NULL);
        (void)!hd_store_revision_remove(s->dir, &made);
        return error;
    }
    error = write_node(s, is, &node);
    if (error == 0)
        error = hd_store_run(s->dir, &made);
    if (error != 0) {
        s->restart = true; /* the router has what the disk could not keep */
        return hd_session_file(f, error, "running");
    }
    s->restart |= node;
    s->confirm_s = confirm_s;
    s->confirm_news = confirm_s > 0;
    hd_store_prune(s->dir, made.number);
    a->revision = made.number;
    a->transfer_ns = t2 - t1;
    a->store_ns = t1 - t0 + now_ns() - t2;
    return 0;
}

int hd_apply(struct hd_session *s, struct lyd_node **tree, const char *how, uint32_t confirm_s,
             struct hd_applied *a, struct hd_fault *f)
{
    struct hd_image is = {0};
    struct hd_unconfirmed p;
    int64_t t0 = now_ns(), t1, t2;
    char *lines;
    int error;

    memset(a, 0, sizeof *a);
    if (hd_store_pending(s->dir, &p) == 0)
        return hd_fault_set(f, "pending", NULL,
                            "the last change still waits: `heddle config confirm` keeps it, "
                            "`heddle config return` takes it back");
    error = hd_session_image(s, f);
    if (error == 0)
        error = hd_session_check(s, tree, f);
    t1 = now_ns();
    if (error == 0)
        error = hd_session_make(s, tree, &is, f);
    if (error != 0)
        return error;
    t2 = now_ns();
    a->changed = compare_all(&s->image, &is, &a->total);
    a->check_ns = t1 - t0;
    a->image_ns = t2 - t1;
    a->compare_ns = now_ns() - t2;
    lines = tree == &s->candidate ? hd_session_lines(s) : NULL;
    if (a->changed)
        error = commit(s, &is, *tree, lines, how, confirm_s, a, f);
    if (error == 0)
        hd_session_take(s, tree, &is, lines);
    free(lines);
    hd_image_free(&is);
    return error;
}

int hd_apply_confirm(struct hd_session *s, struct hd_fault *f)
{
    struct hd_unconfirmed p;

    if (hd_store_pending(s->dir, &p) == HD_ENOENT)
        return hd_fault_set(f, "nothing", NULL, "no change waits for a confirmation");
    if (hd_store_pending_write(s->dir, NULL) != 0)
        return hd_session_file(f, HD_ESYS, "pending");
    s->confirm_news = true;
    return 0;
}

/* --- returning -----------------------------------------------------------------------------------
 */

/* The disk first: what is in force is what the disk says; then the router is told. */
static int return_to(struct hd_session *s, uint32_t number, struct hd_fault *f)
{
    struct hd_revision back, is = {.number = 0};
    bool node;
    int error = 0;

    (void)!hd_store_running(s->dir, &is);
    if (is.number != number) {
        error = number > 0 ? hd_store_revision_find(s->dir, number, &back) : 0;
        if (error == 0)
            error = hd_store_run(s->dir, number > 0 ? &back : NULL);
        if (error == 0 && is.number > 0)
            error = hd_store_revision_rename(s->dir, &is, "returned");
    }
    hd_session_forget(s);
    if (error != 0)
        return hd_session_file(f, error, "running.json");
    error = hd_session_image(s, f);
    if (error != 0)
        return error;
    if (write_node(s, &s->image, &node) != 0)
        return hd_session_file(f, HD_ESYS, "node");
    s->restart |= node;
    if (hd_store_pending_write(s->dir, NULL) != 0)
        return hd_session_file(f, HD_ESYS, "pending");
    s->confirm_news = true;
    return 0;
}

int hd_apply_return(struct hd_session *s, struct hd_fault *f)
{
    struct hd_unconfirmed p;
    int error = hd_store_pending(s->dir, &p);

    if (error == HD_ENOENT)
        return hd_fault_set(f, "nothing", NULL, "no change waits for a confirmation");
    if (error == 0)
        error = return_to(s, p.back_to, f);
    else
        error = hd_session_file(f, error, "pending");
    if (error == 0 && s->channel >= 0)
        error = hd_apply_push(s, f);
    return error;
}

int hd_apply_push(struct hd_session *s, struct hd_fault *f)
{
    struct hd_msg_config_done done;
    int error = hd_session_image(s, f);

    return error == 0 ? transfer(s, NULL, &s->image, &done, f) : error;
}

/* An apply that died before its last step may have left another `node` than what is in force. */
static int put_node_right(struct hd_session *s, struct hd_fault *f)
{
    bool differs;
    int error = hd_session_image(s, f);

    if (error != 0)
        return error;
    if (write_node(s, &s->image, &differs) != 0)
        return hd_session_file(f, HD_ESYS, "node");
    s->restart |= differs;
    return 0;
}

int hd_apply_boot(struct hd_session *s, struct hd_fault *f)
{
    struct hd_revision is = {.number = 0};
    struct hd_unconfirmed p;
    int error = hd_store_pending(s->dir, &p);

    if (error == 0 && p.restarts > 0) {
        /* The change asked for this start: it gets its time. */
        p.restarts--;
        s->confirm_s = p.seconds;
        s->confirm_news = true;
        if (hd_store_pending_write(s->dir, &p) != 0)
            return hd_session_file(f, HD_ESYS, "pending");
        return put_node_right(s, f);
    }
    if (error == 0)
        return return_to(s, p.back_to, f);
    if (error != HD_ENOENT) /* damaged: nobody can tell where to return to */
        (void)!hd_store_pending_write(s->dir, NULL);
    (void)!hd_store_running(s->dir, &is);
    hd_store_prune(s->dir, is.number);
    return put_node_right(s, f);
}

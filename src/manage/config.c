/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process heddle-config: started when somebody asks about the configuration, ended by itself
 * when nobody does any more. We hand questions to it one at a time, its answers to whoever asked,
 * and the records of a transaction between it and the router, without a look into either.
 *
 * The clock of an unconfirmed change runs here, because this process lives longer. When we are
 * started anew, the change returns, unless it had asked for that very start.
 */
#include "manage/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base.h"

#define CHILD_CHANNEL   3
#define CHILD_DIR       4
#define FAILURES_MAX    2
#define RETRY_MS        1000
#define RESTART_MS      200 /* for the answer to reach who asked */
#define RELAY_WAIT_MS   2000
#define RETURN_GRACE_MS 5000         /* of an open question when a change is due to return */
#define BACKLOG_MAX     (256 * 1024) /* of a client before its pages wait */

/* --- starting and ending -------------------------------------------------------------------------
 */

/* Whether anything was ever configured: without it no process needs to start. */
static bool folder_used(int dir)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *e;
    bool used = false;

    if (!d) {
        if (copy >= 0)
            close(copy);
        return false;
    }
    while (!used && (e = readdir(d)) != NULL)
        used = e->d_name[0] != '.';
    closedir(d);
    return used;
}

void hd_config_init(struct hd_manage *m, int dir, int program)
{
    m->config = (struct hd_manage_config){.dir = dir, .program = program, .fd = -1};
    if (program < 0)
        m->config.dir = -1;
    m->config.boot = m->config.dir >= 0 && folder_used(m->config.dir);
}

static void become(const struct hd_manage_config *c, int channel)
{
    static char name[] = "heddle-config", dir_text[] = "4";
    char *const args[] = {name, dir_text, NULL};
    int high = fcntl(channel, F_DUPFD, 64), dir = fcntl(c->dir, F_DUPFD, 64);
    int program = fcntl(c->program, F_DUPFD_CLOEXEC, 64);

    if (high < 0 || dir < 0 || program < 0 || dup2(high, CHILD_CHANNEL) < 0 ||
        dup2(dir, CHILD_DIR) < 0)
        _exit(127);
    close_range(CHILD_DIR + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    fexecve(program, args, environ);
    _exit(127);
}

static void spawn(struct hd_manage *m)
{
    struct hd_manage_config *c = &m->config;
    int ends[2];

    if (hd_channel_pair(ends) != 0)
        return;
    c->pid = fork();
    if (c->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        become(c, ends[1]);
    }
    close(ends[1]);
    if (c->pid < 0)
        close(ends[0]);
    else
        c->fd = ends[0];
}

static void bury(struct hd_manage_config *c)
{
    close(c->fd);
    c->fd = -1;
    (void)!kill(c->pid, SIGKILL);
    waitpid(c->pid, NULL, 0);
    c->pid = 0;
}

void hd_config_end(struct hd_manage *m)
{
    if (m->config.fd >= 0)
        bury(&m->config);
}

/* --- who asked -----------------------------------------------------------------------------------
 */

static struct hd_client *asker(struct hd_manage *m)
{
    for (size_t i = 0; m->config.open && i < HD_MANAGE_CLIENTS_MAX; i++) {
        struct hd_client *c = &m->clients[i];
        if (c->fd >= 0 && c->busy && c->asked && c->config_args && c->request == m->config.request)
            return c;
    }
    return NULL;
}

/*
 * A change that was cut off: a change with a confirmation returns, unless its clock runs already
 * (then it was not this one that died); the files are put in order, and the router hears what they
 * say, since it may have more than they.
 */
static void mend(struct hd_manage *m)
{
    struct hd_manage_config *c = &m->config;

    if (c->request != 0)
        c->boot = true;
    if (c->request != 0 && c->confirm_at_ms == 0)
        c->back = true;
    c->push = m->router_known;
}

/*
 * The end of heddle-config. Asked again if it has neither said nor begun anything, since it may
 * just have been leaving; what has begun is never begun twice.
 */
static void died(struct hd_manage *m)
{
    struct hd_manage_config *c = &m->config;
    struct hd_client *who = asker(m);
    bool again = c->open && !c->said && !c->begun && ++c->failures < FAILURES_MAX;

    bury(c);
    if (who && again)
        who->asked = false;
    else if (who)
        hd_client_error(who, "config-died", NULL,
                        c->begun ? "heddle-config ended before its answer; look what is in force"
                                 : "heddle-config ended without an answer; nothing was changed");
    if (c->open && c->begun)
        mend(m);
    if (c->open && c->request == 0) {
        c->retry_at_ms = m->now_ms + RETRY_MS; /* ours is asked again */
        c->push = c->push || m->router_known;
    }
    c->open = false;
}

/* --- asking --------------------------------------------------------------------------------------
 */

static bool ask(struct hd_manage *m, uint32_t request, bool root, const char *args)
{
    struct hd_manage_config *c = &m->config;
    struct hd_msg_config_ask a = {.request = request, .root = root};

    if (c->fd < 0)
        spawn(m);
    if (c->fd < 0)
        return false;
    int error = hd_channel_send(c->fd, HD_MSG_CONFIG_ASK, &a, args, strlen(args));
    if (error == HD_ENOENT) { /* it has just left */
        bury(c);
        spawn(m);
        error = c->fd >= 0 ? hd_channel_send(c->fd, HD_MSG_CONFIG_ASK, &a, args, strlen(args))
                           : HD_ESYS;
    }
    if (error != 0)
        return false;
    c->open = true;
    c->said = c->begun = false;
    c->unanswered = 0;
    c->until_ms = m->now_ms + 1000 * HD_MANAGE_CONFIG_WAIT_S;
    c->request = request;
    return true;
}

/* What we want to know ourselves, most important first; NULL: nothing. */
static const char *own_question(const struct hd_manage *m)
{
    const struct hd_manage_config *c = &m->config;

    if (c->back)
        return "{\"do\":\"return\"}";
    if (c->boot || c->boot_again)
        return "{\"do\":\"boot\"}";
    return c->push && m->router_known ? "{\"do\":\"push\"}" : NULL;
}

static bool is_push(const char *question)
{
    return strstr(question, "push") != NULL;
}

static void ask_ours(struct hd_manage *m, const char *question)
{
    struct hd_manage_config *c = &m->config;

    if (m->now_ms < c->retry_at_ms)
        return;
    c->ours = question;
    if (!ask(m, 0, true, question))
        c->retry_at_ms = m->now_ms + RETRY_MS;
    else if (is_push(question))
        c->push = false; /* a router that comes meanwhile is told, too */
}

static void ask_for_clients(struct hd_manage *m)
{
    for (size_t i = 0; i < HD_MANAGE_CLIENTS_MAX && !m->config.open; i++) {
        struct hd_client *c = &m->clients[i];
        if (c->fd < 0 || !c->busy || c->asked || !c->config_args)
            continue;
        if (strlen(c->config_args) > HD_CHANNEL_TAIL_MAX)
            hd_client_error(c, "line-too-long", "args", "that is too long for one request");
        else if (ask(m, c->request, c->root, c->config_args))
            c->asked = true;
        else
            hd_client_error(c, "system", NULL, "heddle-config could not be started");
    }
}

void hd_config_tend(struct hd_manage *m)
{
    struct hd_manage_config *c = &m->config;
    struct hd_msg_control restart = {.action = HD_CONTROL_RESTART};
    const char *question;

    if (c->dir < 0)
        return;
    if (c->restart_at_ms != 0 && m->now_ms >= c->restart_at_ms &&
        hd_channel_send(m->keeper_fd, HD_MSG_CONTROL, &restart, NULL, 0) == 0)
        c->restart_at_ms = 0;
    if (c->confirm_at_ms != 0 && m->now_ms >= c->confirm_at_ms) {
        c->confirm_at_ms = 0;
        c->back = true;
        c->until_ms = HD_MIN(c->until_ms, m->now_ms + RETURN_GRACE_MS);
    }
    if (c->open && m->now_ms >= c->until_ms)
        died(m); /* it hangs */
    if (c->open)
        return;
    question = own_question(m);
    if (question)
        ask_ours(m, question);
    if (!c->open && !c->boot)
        ask_for_clients(m);
}

int64_t hd_config_deadline_ms(const struct hd_manage *m)
{
    const struct hd_manage_config *c = &m->config;
    int64_t at = INT64_MAX;

    if (c->dir < 0)
        return at;
    if (c->restart_at_ms != 0)
        at = HD_MIN(at, c->restart_at_ms);
    if (c->confirm_at_ms != 0)
        at = HD_MIN(at, c->confirm_at_ms);
    if (c->open)
        at = HD_MIN(at, c->until_ms);
    if (!c->open && own_question(m))
        at = HD_MIN(at, c->retry_at_ms);
    return at;
}

void hd_config_router_found(struct hd_manage *m)
{
    m->config.push = m->config.dir >= 0 && folder_used(m->config.dir);
}

/* --- answers -------------------------------------------------------------------------------------
 */

/*
 * What failed (a full disk, a router that is away) is asked again each second, until it is done or
 * there is nothing to do any more; people are served meanwhile.
 */
static void own_answer(struct hd_manage *m, const uint8_t *text, size_t len)
{
    struct hd_manage_config *c = &m->config;
    json_t *o = json_loadb((const char *)text, len, 0, NULL);
    const json_t *error = json_object_get(o, "error");
    const char *code = json_string_value(json_object_get(error, "code"));
    bool failed = error != NULL, nothing = code && strcmp(code, "nothing") == 0;

    c->retry_at_ms = failed && !nothing ? m->now_ms + RETRY_MS : 0;
    if (strstr(c->ours, "boot")) {
        c->boot = false;
        c->boot_again = failed;
    } else if (strstr(c->ours, "return")) {
        c->back = failed && !nothing;
        c->push = c->push || (failed && m->router_known);
    } else if (failed && m->router_known) {
        c->push = true; /* until it is told, or gone */
    }
    json_decref(o);
}

static void said(struct hd_manage *m, const struct hd_msg_config_say *s, const uint8_t *tail,
                 size_t len)
{
    struct hd_manage_config *c = &m->config;
    struct hd_client *who = asker(m);

    if (!c->open || s->request != c->request)
        return;
    if (s->flags & HD_CONFIG_SAY_BEGINS) {
        c->begun = true;
        return;
    }
    c->said = true;
    c->until_ms = m->now_ms + (c->back ? RETURN_GRACE_MS : 1000 * HD_MANAGE_CONFIG_WAIT_S);
    if (who) {
        who->deadline_ms = m->now_ms + 1000 * HD_MANAGE_CONFIG_WAIT_S;
        hd_client_put(who, (const char *)tail, len);
    }
    if (!(s->flags & HD_CONFIG_SAY_LAST))
        return;
    c->open = false;
    c->failures = 0;
    if (c->unanswered != 0)
        c->push = m->router_known; /* it may have taken what the files do not say */
    if (who)
        hd_answer_end(who);
    else if (c->request == 0)
        own_answer(m, tail, len);
    if (s->flags & HD_CONFIG_SAY_CONFIRM)
        c->confirm_at_ms = s->confirm_s > 0 ? m->now_ms + 1000 * (int64_t)s->confirm_s : 0;
    if (s->flags & HD_CONFIG_SAY_RESTART)
        c->restart_at_ms = m->now_ms + RESTART_MS;
}

/* --- the transaction -----------------------------------------------------------------------------
 */

static void relay(struct hd_manage *m, const struct hd_message *msg)
{
    const struct hd_msg_config_end *end = msg->body;
    int error = HD_ENOENT;

    if (m->router_fd >= 0 && m->router_known)
        error = hd_channel_send_wait(m->router_fd, (enum hd_message_type)msg->type, msg->body,
                                     msg->tail, msg->tail_len, RELAY_WAIT_MS);
    if (msg->type != HD_MSG_CONFIG_END)
        return;
    /* A router that misses a part will refuse the end; one that misses the end says nothing. */
    m->config.unanswered = end->id;
    if (error != 0)
        hd_config_router_silent(m);
}

/* Whatever it took before, it or its successor is told what the files say. */
void hd_config_router_silent(struct hd_manage *m)
{
    struct hd_msg_config_done done = {.id = m->config.unanswered, .error = HD_ENOENT};

    if (done.id != 0)
        hd_config_done(m, &done);
}

void hd_config_done(struct hd_manage *m, const struct hd_msg_config_done *d)
{
    if (d->id == m->config.unanswered)
        m->config.unanswered = 0;
    if (m->config.fd >= 0)
        (void)!hd_channel_send_wait(m->config.fd, HD_MSG_CONFIG_DONE, d, NULL, 0, RELAY_WAIT_MS);
}

int hd_config_poll_fd(const struct hd_manage *m)
{
    for (size_t i = 0; m->config.open && i < HD_MANAGE_CLIENTS_MAX; i++) {
        const struct hd_client *c = &m->clients[i];
        if (c->fd >= 0 && c->config_args && c->asked && c->out_len - c->out_at > BACKLOG_MAX)
            return -1;
    }
    return m->config.fd;
}

void hd_config_serve(struct hd_manage *m)
{
    struct hd_message msg;
    int got;

    while (m->config.fd >= 0 && hd_config_poll_fd(m) >= 0) {
        got = hd_channel_receive(m->config.fd, m->buf, HD_CHANNEL_MAX, &msg);
        if (got == 0)
            return;
        if (got == HD_ENOENT) {
            died(m);
            return;
        }
        if (got < 0)
            continue;
        if (msg.type == HD_MSG_CONFIG_SAY)
            said(m, msg.body, msg.tail, msg.tail_len);
        else if (msg.type >= HD_MSG_CONFIG_BEGIN && msg.type <= HD_MSG_CONFIG_END)
            relay(m, &msg);
        hd_message_close(&msg);
    }
}

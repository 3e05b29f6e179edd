/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket from the side of the person who asks (doc/control-socket.md). */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX (64u << 20) /* one line of any answer */

static const char *folder(const struct hd_cli *c)
{
    return strcmp(c->state, HD_CLI_STATE_DEFAULT) == 0 ? HD_CLI_RUN_DEFAULT : c->state;
}

/* Connects by the folder's descriptor, since a socket address holds 107 characters only. */
static int connect_to(const char *dir, int *out)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd, error = 0;

    if (at < 0)
        return errno;
    snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/control.sock", at);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof a) != 0)
        error = errno;
    close(at);
    if (error != 0 && fd >= 0)
        close(fd);
    *out = fd;
    return error;
}

int hd_cli_probe(const struct hd_cli *c)
{
    int fd = -1;
    int error = connect_to(folder(c), &fd);

    if (error == 0)
        close(fd);
    return error;
}

int hd_socket_open(struct hd_cli *c, struct hd_socket *s)
{
    int error;
    bool usual = strcmp(c->state, HD_CLI_STATE_DEFAULT) == 0;

    memset(s, 0, sizeof *s);
    s->fd = -1;
    error = connect_to(folder(c), &s->fd);
    if (error == 0)
        return HD_CLI_OK;
    if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR)
        return hd_cli_error(c, "daemon-not-running",
                            "heddled is not running for %s; start it with: heddle%s%s up", c->state,
                            usual ? "" : " --state ", usual ? "" : c->state);
    if (error == EACCES || error == EPERM)
        return hd_cli_error(c, "permission",
                            "no permission to open %s/control.sock: be root or a member of the "
                            "group \"heddle\"",
                            folder(c));
    return hd_cli_error(c, "system", "%s/control.sock: %s", folder(c), strerror(error));
}

void hd_socket_close(struct hd_socket *s)
{
    if (s->fd >= 0)
        close(s->fd);
    free(s->buf);
    memset(s, 0, sizeof *s);
    s->fd = -1;
}

int hd_socket_send(struct hd_socket *s, json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT);
    size_t len, at = 0;

    json_decref(request);
    if (!text)
        return -1;
    len = strlen(text);
    text[len++] = '\n'; /* in place of the NUL: a line needs no other end */
    while (at < len) {
        ssize_t n = send(s->fd, text + at, len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            at = len; /* it hung up, but perhaps said why before: the reader will see */
            break;
        }
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    free(text);
    return at == len ? 0 : -1;
}

static bool more_room(struct hd_socket *s)
{
    size_t cap = s->cap ? s->cap * 2 : 8192;
    char *buf;

    if (s->len < s->cap)
        return true;
    if (cap > ANSWER_MAX)
        return false;
    buf = realloc(s->buf, cap);
    if (!buf)
        return false;
    s->buf = buf;
    s->cap = cap;
    return true;
}

/* Length of the first line with its end, 0 when the connection is over. */
static size_t wait_line(struct hd_socket *s)
{
    size_t seen = 0;

    if (s->at > 0)
        memmove(s->buf, s->buf + s->at, s->len - s->at);
    s->len -= s->at;
    s->at = 0;
    for (;;) {
        char *end = s->len > seen ? memchr(s->buf + seen, '\n', s->len - seen) : NULL;
        ssize_t n;
        if (end)
            return (size_t)(end - s->buf) + 1;
        seen = s->len;
        if (!more_room(s))
            return 0;
        n = recv(s->fd, s->buf + s->len, s->cap - s->len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        s->len += (size_t)n;
    }
}

json_t *hd_socket_read(struct hd_socket *s)
{
    size_t n = wait_line(s);
    json_t *o;

    if (n == 0)
        return NULL;
    o = json_loadb(s->buf, n - 1, 0, NULL);
    s->at = n;
    if (o && !json_is_object(o)) {
        json_decref(o);
        return NULL;
    }
    return o;
}

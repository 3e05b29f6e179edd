/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients of the control socket: lines in, lines out. A client is served one request at a time, so
 * what it can make us hold is one line, one answer and, while it monitors, a bounded backlog.
 */
#include "manage/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base.h"

void hd_client_open(struct hd_client *c, int fd, int64_t now_ms)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    memset(c, 0, sizeof *c);
    c->fd = fd;
    c->since_ms = now_ms;
    c->root = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == 0;
}

void hd_client_close(struct hd_manage *m, struct hd_client *c)
{
    hd_request_cancel(m, c);
    close(c->fd);
    free(c->in);
    free(c->out);
    free(c->config_args);
    hd_gather_free(&c->gather);
    memset(c, 0, sizeof *c);
    c->fd = -1;
    hd_request_subscribe(m);
}

/* A larger buffer by doubling, within limit. */
static bool grow(char **v, size_t *cap, size_t want, size_t limit)
{
    size_t n = *cap ? *cap : 512;
    char *p;

    if (want <= *cap)
        return true;
    if (want > limit)
        return false;
    while (n < want)
        n *= 2;
    n = HD_MIN(n, limit);
    p = realloc(*v, n);
    if (!p)
        return false;
    *v = p;
    *cap = n;
    return true;
}

bool hd_client_read(struct hd_client *c)
{
    const size_t most = HD_MANAGE_LINE_MAX + 1;
    ssize_t n;

    if (c->in_len == most) {
        hd_client_error(c, "line-too-long", NULL, "a request has at most %d bytes",
                        HD_MANAGE_LINE_MAX);
        c->in_len = 0;
        c->closing = true;
        return true;
    }
    if (!grow(&c->in, &c->in_cap, HD_MIN(c->in_len + 512, most), most))
        return false;
    n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    c->in_len += (size_t)n;
    return true;
}

char *hd_client_line(struct hd_client *c, size_t *len)
{
    char *end = c->in_len > 0 ? memchr(c->in, '\n', c->in_len) : NULL;

    if (!end)
        return NULL;
    *end = '\0';
    *len = (size_t)(end - c->in);
    return c->in;
}

void hd_client_line_done(struct hd_client *c, size_t len)
{
    c->in_len -= len + 1;
    memmove(c->in, c->in + len + 1, c->in_len);
    if (c->in_len == 0) {
        free(c->in);
        c->in = NULL;
        c->in_cap = 0;
    }
}

bool hd_client_write(struct hd_client *c)
{
    ssize_t n;

    if (c->out_at == c->out_len)
        return true;
    n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    c->out_at += (size_t)n;
    c->stuck_ms = 0;
    if (c->out_at < c->out_len)
        return true;
    free(c->out);
    c->out = NULL;
    c->out_at = c->out_len = c->out_cap = 0;
    return true;
}

void hd_client_put(struct hd_client *c, const char *text, size_t len)
{
    if (c->out_at > 0) {
        memmove(c->out, c->out + c->out_at, c->out_len - c->out_at);
        c->out_len -= c->out_at;
        c->out_at = 0;
    }
    if (!grow(&c->out, &c->out_cap, c->out_len + len + 1, HD_GATHER_MAX)) {
        c->closing = true;
        c->out_at = c->out_len = 0;
        return;
    }
    memcpy(c->out + c->out_len, text, len);
    c->out[c->out_len + len] = '\n';
    c->out_len += len + 1;
}

void hd_client_put_json(struct hd_client *c, struct hd_json *j)
{
    size_t len = j->len;
    char *text = hd_json_take(j);

    if (text) {
        hd_client_put(c, text, len);
        free(text);
    } else {
        c->closing = true;
    }
}

void hd_client_error(struct hd_client *c, const char *code, const char *path, const char *format,
                     ...)
{
    char message[512];
    struct hd_json j;
    va_list ap;

    va_start(ap, format);
    vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    hd_json_init(&j);
    hd_json_object(&j);
    hd_json_key(&j, "error");
    hd_json_object(&j);
    hd_json_kv_string(&j, "code", code);
    if (path)
        hd_json_kv_string(&j, "path", path);
    hd_json_kv_string(&j, "message", message);
    hd_json_end(&j);
    hd_json_end(&j);
    hd_client_put_json(c, &j);
    hd_answer_end(c);
}

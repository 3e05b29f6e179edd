/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle-config FOLDER-FD: the process that holds libyang and the tree. manage starts it with its
 * channel as descriptor 3 when there is something to do, and it ends when nobody has asked for a
 * while: everything that matters is in its files, and its memory is the system's again.
 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "config/session.h"

#define CHANNEL_FD 3
#define HEAP_KEEPS (1 << 30)
#define IDLE_MS    20000
#define REST_MS    2000 /* without a question: time for what can wait */

static int serve_all(struct hd_session *s)
{
    struct pollfd p = {.fd = CHANNEL_FD, .events = POLLIN};
    struct hd_message m;
    bool rested = false;

    for (;;) {
        int got = hd_channel_receive(CHANNEL_FD, s->buffer, HD_CHANNEL_MAX, &m);
        if (got == HD_ENOENT)
            return EXIT_SUCCESS;
        if (got == 0) {
            int ready = poll(&p, 1, rested ? IDLE_MS - REST_MS : REST_MS);
            if (ready == 0 && rested)
                return EXIT_SUCCESS;
            if (ready == 0)
                (void)!hd_session_rest(s);
            rested = ready == 0;
            if (ready < 0 && errno != EINTR)
                return EXIT_FAILURE;
            continue;
        }
        if (got < 0 || m.type != HD_MSG_CONFIG_ASK)
            continue;
        hd_message_close(&m);
        struct hd_msg_config_ask ask;
        char *json = malloc(m.tail_len + 1u);
        if (!json)
            return EXIT_FAILURE;
        memcpy(&ask, m.body, sizeof ask);
        memcpy(json, m.tail, m.tail_len);
        bool heard = hd_serve(s, &ask, json, m.tail_len);
        free(json);
        if (!heard)
            return EXIT_FAILURE;
    }
}

int main(int argc, char **argv)
{
    struct hd_session s;
    struct hd_fault f;
    int status;

    if (argc != 2) {
        fputs("heddle-config is started by heddled\n", stderr);
        return 2;
    }
    /* exec made us readable again for other processes of our user: /proc/PID/fd/4 is the folder. */
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    /* Trees and images come and go; all of it is given back in the end, by ending. */
    mallopt(M_MMAP_THRESHOLD, HEAP_KEEPS);
    mallopt(M_TRIM_THRESHOLD, HEAP_KEEPS);
    signal(SIGPIPE, SIG_IGN);
    if (hd_session_open(&s, atoi(argv[1]), CHANNEL_FD, getenv("HEDDLE_YANG"), &f) != 0) {
        fprintf(stderr, "heddle-config: %s: %s\n", f.path, f.message);
        return EXIT_FAILURE;
    }
    status = serve_all(&s);
    hd_session_close(&s);
    return status;
}

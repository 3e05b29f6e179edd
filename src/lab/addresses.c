/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of the lab's nodes: told by each heddled over its control socket, or read from a file.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lab/internal.h"
#include "lab/traffic.h"

#define ANSWER_MAX 65536

static bool is_known(const struct in6_addr *a)
{
    return !IN6_IS_ADDR_UNSPECIFIED(a);
}

/* Connects through the folder's descriptor: a socket's path has 107 characters, a lab's may have
 * more. */
static int connect_control(const struct hd_lab *lab, uint32_t node)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_usec = 100000};
    char dir[PATH_MAX];
    int at = open(hd_lab_path(lab, node, NULL, dir), O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/control.sock", at);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (at < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        close(fd);
        fd = -1;
    }
    if (at >= 0)
        close(at);
    return fd;
}

/* One request, one line of answer. */
static json_t *ask_status(int fd)
{
    static const char question[] = "{\"command\":\"status\"}\n";
    char *line = malloc(ANSWER_MAX);
    size_t len = 0;
    json_t *answer = NULL;

    if (line == NULL || write(fd, question, sizeof question - 1) < 0) {
        free(line);
        return NULL;
    }
    while (len < ANSWER_MAX) {
        ssize_t n = read(fd, line + len, ANSWER_MAX - len);

        if (n <= 0)
            break;
        len += (size_t)n;
        if (memchr(line, '\n', len) != NULL) {
            answer = json_loadb(line, len, JSON_DISABLE_EOF_CHECK, NULL);
            break;
        }
    }
    free(line);
    return answer;
}

static void ask_node(const struct hd_lab *lab, uint32_t node, struct in6_addr *address)
{
    int fd = connect_control(lab, node);

    if (fd < 0)
        return;
    json_t *answer = ask_status(fd);
    const json_t *row = json_array_get(json_object_get(answer, "rows"), 0);
    const char *text = json_string_value(json_object_get(row != NULL ? row : answer, "address"));

    if (text == NULL || inet_pton(AF_INET6, text, address) != 1)
        *address = (struct in6_addr){0};
    json_decref(answer);
    close(fd);
}

static int read_file(struct hd_lab *lab, struct hd_lab_addresses *a)
{
    char name[HD_SCENARIO_NAME_MAX], text[INET6_ADDRSTRLEN];
    FILE *f = fopen(a->file, "re");
    int rc = 0;

    if (f == NULL)
        return hd_lab_fail(lab, HD_ESYS, "%s: %s", a->file, strerror(errno));
    while (rc == 0 && fscanf(f, " %47s %45s", name, text) == 2) {
        uint32_t node = hd_lab_find_node(lab, name);

        if (node == HD_SCENARIO_NONE)
            rc = hd_lab_fail(lab, HD_EINVAL, "%s: the lab has no node \"%s\"", a->file, name);
        else if (inet_pton(AF_INET6, text, &a->of[node]) != 1)
            rc = hd_lab_fail(lab, HD_EINVAL, "%s: \"%s\" is no IPv6 address", a->file, text);
    }
    fclose(f);
    return rc;
}

int hd_lab_addresses_open(struct hd_lab *lab, const char *file, struct hd_lab_addresses *a)
{
    a->file = file;
    a->of = calloc((size_t)lab->node_count + 1, sizeof *a->of);
    if (a->of == NULL)
        return hd_lab_fail(lab, HD_ENOMEM, "out of memory");
    int rc = file != NULL ? read_file(lab, a) : 0;

    if (rc < 0)
        hd_lab_addresses_close(a);
    return rc;
}

static hd_time clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return HD_SEC(t.tv_sec) + t.tv_nsec;
}

bool hd_lab_addresses_ask_node(struct hd_lab *lab, struct hd_lab_addresses *a, uint32_t node)
{
    /* Without a daemon there is nobody to ask and nobody to reach. */
    if (!is_known(&a->of[node]) && a->file == NULL && hd_lab_pid(lab, node) != 0)
        ask_node(lab, node, &a->of[node]);
    return is_known(&a->of[node]);
}

bool hd_lab_addresses_ask(struct hd_lab *lab, struct hd_lab_addresses *a, hd_time budget_ns)
{
    hd_time end = clock_now() + budget_ns;

    for (uint32_t i = 0; i < lab->node_count && clock_now() < end; i++) {
        hd_lab_addresses_ask_node(lab, a, a->next);
        a->next = (a->next + 1) % lab->node_count;
    }
    for (uint32_t i = 0; a->file == NULL && i < lab->node_count; i++) {
        if (!is_known(&a->of[i]))
            return false;
    }
    return true;
}

void hd_lab_addresses_close(struct hd_lab_addresses *a)
{
    free(a->of);
    a->of = NULL;
}

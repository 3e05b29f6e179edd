/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What heddle-kira configures of the node itself: state/config/node, lines that heddle-config
 * writes (config/apply.c) and the system process reads when it starts. A line that is not known,
 * or not well formed, is skipped: the file may be of another build, and a node that does not start
 * helps nobody. What the command line says goes first.
 */
#include "daemon/settings.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"

#define NODE_FILE  "config/node"
#define FILE_BYTES 4096

static bool prefix_of(const char *text, uint16_t *prefix)
{
    char *end;
    unsigned long v = strtoul(text, &end, 16);
    if (end != text + 4 || *end != '\0' || v == 0) {
        return false;
    }
    *prefix = (uint16_t)v;
    return true;
}

static void take_glob(struct hd_settings *s, const char *text)
{
    if (s->glob_count < HD_GLOBS_MAX && strlen(text) < sizeof s->globs[0]) {
        snprintf(s->globs[s->glob_count++], sizeof s->globs[0], "%s", text);
    }
}

static void take_line(struct hd_settings *s, const char *word, const char *value)
{
    struct hd_id id;
    if (strcmp(word, "open") == 0) {
        s->open = true;
    } else if (strcmp(word, "node-prefix") == 0) {
        (void)prefix_of(value, &s->node_prefix);
    } else if (strcmp(word, "label-prefix") == 0) {
        (void)prefix_of(value, &s->label_prefix);
    } else if (strcmp(word, "interface") == 0) {
        take_glob(s, value);
    } else if (strcmp(word, "node-id") == 0 && hd_id_parse(value, &id) == 0 &&
               !hd_id_is_zero(&id) && !hd_id_is_ones(&id)) {
        s->id = id;
    }
}

void hd_settings_parse(struct hd_settings *s, char *text)
{
    char *line;
    memset(s, 0, sizeof *s);
    while ((line = strsep(&text, "\n")) != NULL) {
        char *value = strchr(line, ' ');
        if (value != NULL) {
            *value++ = '\0';
        }
        take_line(s, line, value != NULL ? value : "");
    }
    if (s->node_prefix == s->label_prefix) {
        s->node_prefix = s->label_prefix = 0;
    }
}

void hd_settings_read(struct hd_settings *s, int state)
{
    char text[FILE_BYTES];
    /* The folder is not root's: a FIFO in the file's place must not hold us. */
    int fd = openat(state, NODE_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    bool plain = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    ssize_t n = plain ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0) {
        close(fd);
    }
    text[HD_MAX(n, 0)] = '\0';
    hd_settings_parse(s, text);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person writes for a node. Accepted: the whole address; the beginning of an address, cut
 * anywhere ("fc00:12ab:3" means every ID that begins with 12ab3; a colon at its end makes the last
 * group whole: "fc00:12ab:3:" is 12ab0003); the 28 hex digits of the ID; the beginning of those.
 */
#include "manage/internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DIGITS (2 * HD_ID_BYTES)

struct digits {
    char v[DIGITS + 1];
    size_t len;
};

static int set_command(const struct digits *d, struct hd_kira_command *command)
{
    char full[HD_ID_TEXT];

    memset(full, '0', DIGITS);
    full[DIGITS] = '\0';
    memcpy(full, d->v, d->len);
    command->nibbles = (uint8_t)d->len;
    return hd_id_parse(full, &command->id);
}

/* One group of an address, written without its leading zeros unless it is the last one. */
static bool add_group(struct digits *d, const char *group, size_t n, bool whole)
{
    size_t zeros = whole ? 4 - n : 0;

    if (d->len + zeros + n > DIGITS)
        return false;
    memset(d->v + d->len, '0', zeros);
    memcpy(d->v + d->len + zeros, group, n);
    d->len += zeros + n;
    return true;
}

static int wrong_prefix(uint16_t prefix, char *why)
{
    snprintf(why, 128, "addresses of this fabric begin with %x:", prefix);
    return HD_EMALFORMED;
}

static int parse_beginning(const char *text, uint16_t prefix, struct hd_kira_command *command,
                           char *why)
{
    struct digits d = {.len = 0};
    unsigned first = 0;
    bool is_first = true;

    while (*text) {
        size_t n = strspn(text, "0123456789abcdefABCDEF");
        bool whole = text[n] == ':';
        if (n == 0 || n > 4 || (text[n] != '\0' && !whole)) {
            snprintf(why, 128, "expected groups of up to four hex digits, then a colon");
            return HD_EMALFORMED;
        }
        if (is_first && (sscanf(text, "%4x", &first) != 1 || first != prefix))
            return wrong_prefix(prefix, why);
        if (!is_first && !add_group(&d, text, n, whole)) {
            snprintf(why, 128, "longer than an address");
            return HD_EMALFORMED;
        }
        is_first = false;
        text += n + whole;
    }
    if (d.len == 0) {
        snprintf(why, 128, "that is the beginning of every address of this fabric");
        return HD_EMALFORMED;
    }
    return set_command(&d, command);
}

int hd_node_parse(const char *text, uint16_t prefix, struct hd_kira_command *command, char *why)
{
    struct hd_ip6 address;
    struct digits d = {.len = strlen(text)};

    why[0] = '\0';
    if (hd_ip6_parse(text, &address) == 0) {
        if (!hd_id_from_ip6(&address, prefix, &command->id))
            return wrong_prefix(prefix, why);
        command->nibbles = DIGITS;
        return 0;
    }
    if (strchr(text, ':'))
        return parse_beginning(text, prefix, command, why);
    if (d.len == 0 || d.len > DIGITS || strspn(text, "0123456789abcdefABCDEF") != d.len) {
        snprintf(why, 128,
                 "expected an address, the %d hex digits of an ID, or the beginning of one",
                 DIGITS);
        return HD_EMALFORMED;
    }
    memcpy(d.v, text, d.len);
    return set_command(&d, command);
}

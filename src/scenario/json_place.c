/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a JSON text a value stands. The parser forgets places, so when a value turns out to be
 * wrong, the text is walked once more along its path. The text has been parsed before: it is valid,
 * and only what the walk needs is looked at.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/json_values.h"

#define NAME 64

static const char *blank(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* Behind a string that begins at `at`. */
static const char *string_end(const char *at)
{
    for (at++; *at != 0 && *at != '"'; at++) {
        if (*at == '\\' && at[1] != 0)
            at++;
    }
    return *at == '"' ? at + 1 : at;
}

/* Behind a value. */
static const char *value_end(const char *at)
{
    unsigned depth = 0;
    do {
        if (*at == '"') {
            at = string_end(at);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        else if (depth == 0)
            return at + strcspn(at, ",]} \t\r\n");
        if (*at != 0)
            at++;
    } while (*at != 0 && depth > 0);
    return at;
}

/* The member of that name: its key in *key, its value returned; NULL: there is none. */
static const char *member(const char *object, const char *name, const char **key)
{
    if (*object != '{')
        return NULL;
    for (const char *at = blank(object + 1); *at == '"';) {
        const char *end = string_end(at), *value = blank(end);
        if (*value != ':')
            return NULL;
        value = blank(value + 1);
        if ((size_t)(end - at) == strlen(name) + 2 && strncmp(at + 1, name, strlen(name)) == 0) {
            *key = at;
            return value;
        }
        at = blank(value_end(value));
        at = *at == ',' ? blank(at + 1) : at;
    }
    return NULL;
}

static const char *item(const char *array, unsigned long number)
{
    if (*array != '[')
        return NULL;
    const char *at = blank(array + 1);
    for (; number > 0 && *at != 0 && *at != ']'; number--) {
        at = blank(value_end(at));
        at = *at == ',' ? blank(at + 1) : at;
    }
    return *at == ']' ? NULL : at;
}

/* As far along the path ("links[3].loss") as the text goes. */
static const char *follow(const char *text, const char *path)
{
    const char *value = blank(text), *place = value;
    while (*path != 0) {
        char name[NAME];
        const char *next;
        if (*path == '[') {
            char *end;
            next = item(value, strtoul(path + 1, &end, 10));
            path = *end == ']' ? end + 1 : end;
            place = next != NULL ? next : place;
        } else {
            size_t len = strcspn(path, ".[");
            snprintf(name, sizeof name, "%.*s", (int)len, path);
            next = member(value, name, &place);
            path += len;
        }
        path += *path == '.' ? 1 : 0;
        if (next == NULL)
            break;
        value = next;
    }
    return place;
}

static char *whole_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;
    if (file == NULL)
        return NULL;
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

bool hd_scn_json_place(const char *file, const char *path, unsigned *line, unsigned *column)
{
    char *text = whole_file(file);
    if (text == NULL)
        return false;
    const char *place = follow(text, path);
    *line = *column = 1;
    for (const char *at = text; at < place; at++) {
        *column = *at == '\n' ? 1 : *column + 1;
        *line += *at == '\n' ? 1 : 0;
    }
    free(text);
    return true;
}

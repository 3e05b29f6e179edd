/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables for people: columns as wide as their widest cell, numbers to the right, good and bad news
 * in colour when a person sees it. Cells come as text (manage/answer.c), so this knows no protocol.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "lib/base.h"

#define COLUMNS_MAX 64

const char *hd_colour(const struct hd_cli *c, const char *tone)
{
    static const struct {
        const char *tone, *sequence;
    } tones[] = {{"good", "\033[32m"},
                 {"warn", "\033[33m"},
                 {"bad", "\033[31m"},
                 {"head", "\033[1m"},
                 {"dim", "\033[2m"}};

    for (size_t i = 0; c->colour && tone && i < HD_ARRAY_LEN(tones); i++) {
        if (strcmp(tone, tones[i].tone) == 0)
            return tones[i].sequence;
    }
    return "";
}

const char *hd_colour_end(const struct hd_cli *c)
{
    return c->colour ? "\033[0m" : "";
}

static const char *cell_text(const json_t *cell)
{
    const char *t = json_string_value(json_is_array(cell) ? json_array_get(cell, 0) : cell);

    return t ? t : "";
}

static const char *cell_tone(const json_t *cell)
{
    return json_is_array(cell) ? json_string_value(json_array_get(cell, 1)) : NULL;
}

static const char *heading(const json_t *columns, size_t i)
{
    const char *h = json_string_value(json_object_get(json_array_get(columns, i), "heading"));

    return h ? h : "";
}

static void put(const struct hd_cli *c, const char *text, const char *tone, size_t width,
                bool right, bool last)
{
    size_t n = strlen(text);
    int pad = n < width ? (int)(width - n) : 0;

    if (right)
        printf("%*s", pad, "");
    printf("%s%s%s", hd_colour(c, tone), text, tone ? hd_colour_end(c) : "");
    if (!right && !last)
        printf("%*s", pad, "");
    printf("%s", last ? "\n" : "  ");
}

void hd_table_print(const struct hd_cli *c, json_t *columns, json_t *rows)
{
    size_t width[COLUMNS_MAX], n = HD_MIN(json_array_size(columns), (size_t)COLUMNS_MAX), r;
    json_t *row;

    for (size_t i = 0; i < n; i++)
        width[i] = strlen(heading(columns, i));
    json_array_foreach(rows, r, row)
    {
        for (size_t i = 0; i < n; i++)
            width[i] = HD_MAX(width[i], strlen(cell_text(json_array_get(row, i))));
    }
    for (size_t i = 0; i < n; i++) {
        bool right = json_is_true(json_object_get(json_array_get(columns, i), "right"));
        put(c, heading(columns, i), "head", width[i], right, i + 1 == n);
    }
    json_array_foreach(rows, r, row)
    {
        for (size_t i = 0; i < n; i++) {
            const json_t *cell = json_array_get(row, i);
            bool right = json_is_true(json_object_get(json_array_get(columns, i), "right"));
            put(c, cell_text(cell), cell_tone(cell), width[i], right, i + 1 == n);
        }
    }
}

char *hd_age_format(double ms, char *buf)
{
    long long t = (long long)ms, s = t / 1000, min = s / 60, h = min / 60;

    if (t < 1000)
        snprintf(buf, 32, "%lld ms", t);
    else if (s < 60)
        snprintf(buf, 32, "%lld.%lld s", s, t % 1000 / 100);
    else if (min < 60)
        snprintf(buf, 32, "%lld min %02lld s", min, s % 60);
    else if (h < 24)
        snprintf(buf, 32, "%lld h %02lld min", h, min % 60);
    else
        snprintf(buf, 32, "%lld d %02lld h", h / 24, h % 24);
    return buf;
}

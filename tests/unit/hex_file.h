/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Test vectors are kept as hex text with comment lines ('#'), so that people can read and diff
 * them; this reads one into bytes.
 */
#ifndef HD_TESTS_HEX_FILE_H
#define HD_TESTS_HEX_FILE_H

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>

static inline int hd_hex_digit(int c)
{
    return isdigit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of a hex file, or -1 when it cannot be read, is odd, or does not fit. */
static inline long hd_hex_file_read(const char *path, uint8_t *bytes, size_t size)
{
    FILE *f = fopen(path, "r");
    char line[512];
    size_t digits = 0;

    if (f == NULL)
        return -1;
    while (fgets(line, sizeof line, f) != NULL) {
        for (const char *c = line; line[0] != '#' && *c != '\0' && *c != '\n'; c++) {
            int v = hd_hex_digit(*c);

            if (v < 0 || digits / 2 >= size) {
                fclose(f);
                return -1;
            }
            bytes[digits / 2] = (uint8_t)(digits % 2 == 0 ? v << 4 : bytes[digits / 2] | v);
            digits++;
        }
    }
    fclose(f);
    return digits % 2 == 0 ? (long)(digits / 2) : -1;
}

#endif

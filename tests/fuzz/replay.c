/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A main for fuzz targets without libFuzzer: runs every file of the folders and files given, and
 * each prefix of the shorter ones. So a corpus, with all crashes that were ever found in it, is a
 * test for every compiler. No files at all is a failure: such a test would prove nothing.
 */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

#define PREFIXES_BELOW 4096 /* bytes; longer inputs are run whole only */

static unsigned long inputs;

/* Hands over a copy of just the right size, so that sanitizers see a read past the end. */
static void run_bytes(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    FUZZ_CHECK(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
    inputs++;
}

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t size = 1 << 20, len;
    uint8_t *bytes;

    if (f == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 1;
    }
    bytes = malloc(size);
    FUZZ_CHECK(bytes != NULL);
    len = fread(bytes, 1, size, f);
    fclose(f);
    run_bytes(bytes, len);
    for (size_t n = 0; n < len && len < PREFIXES_BELOW; n++)
        run_bytes(bytes, n);
    free(bytes);
    return 0;
}

static int run_folder(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    int failed = 0;

    if (d == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 1;
    }
    while ((entry = readdir(d)) != NULL) {
        char name[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        failed |= run_file(name);
    }
    closedir(d);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        struct stat s;

        failed |=
            stat(argv[i], &s) == 0 && S_ISDIR(s.st_mode) ? run_folder(argv[i]) : run_file(argv[i]);
    }
    printf("%lu inputs\n", inputs);
    return failed || inputs == 0;
}

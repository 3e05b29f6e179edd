/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A main for fuzz targets that makes its own bytes: `NAME --runs N --seed S [--len L]` runs N
 * inputs of random length up to L from the seeds S, S+1, ... For compilers without libFuzzer, and
 * for short runs in every check. A run that breaks is repeated by its seed, which is printed before
 * it starts with -v.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "lib/random.h"

static uint64_t value(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 10);
    return otherwise;
}

int main(int argc, char **argv)
{
    uint64_t runs = value(argc, argv, "--runs", 100), seed = value(argc, argv, "--seed", 1);
    uint64_t limit = value(argc, argv, "--len", 6000);
    int verbose = argc > 1 && strcmp(argv[argc - 1], "-v") == 0;

    for (uint64_t i = 0; i < runs; i++) {
        struct hd_random r;
        hd_random_seed(&r, seed + i, 0xf022);
        uint32_t len = (uint32_t)hd_random_below(&r, limit) + 1;
        uint8_t *bytes = malloc(len);
        FUZZ_CHECK(bytes != NULL);
        hd_random_bytes(&r, bytes, len);
        if (verbose) {
            printf("seed %llu, %u bytes\n", (unsigned long long)(seed + i), len);
            fflush(stdout);
        }
        LLVMFuzzerTestOneInput(bytes, len);
        free(bytes);
    }
    printf("%llu runs from seed %llu\n", (unsigned long long)runs, (unsigned long long)seed);
    return runs == 0;
}

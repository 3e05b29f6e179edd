/* SPDX-License-Identifier: Apache-2.0 */
/* A file for targets whose readers take a path: in memory, in a folder of the process. */
#ifndef HD_TESTS_FUZZ_SCRATCH_H
#define HD_TESTS_FUZZ_SCRATCH_H

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

static char scratch_folder[64];

static inline void scratch_remove(void)
{
    (void)!rmdir(scratch_folder);
}

/* Writes the file NAME of the scratch folder; its path goes to path (PATH_MAX bytes). */
static inline void scratch_write(const char *name, const void *bytes, size_t len, char *path)
{
    if (scratch_folder[0] == '\0') {
        strcpy(scratch_folder, "/dev/shm/heddle-fuzz-XXXXXX");
        FUZZ_CHECK(mkdtemp(scratch_folder) != NULL);
        atexit(scratch_remove);
    }
    snprintf(path, PATH_MAX, "%s/%s", scratch_folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(len == 0 || write(fd, bytes, len) == (ssize_t)len);
    close(fd);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a recording from outside: see recording.h. */
#include "linux/recording.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "replay/format.h"

#define NAME  "heddle-recording"
#define CHUNK 65536

int hd_recording_make(size_t bytes)
{
    int fd = memfd_create(NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return HD_ESYS;
    }
    if (ftruncate(fd, (off_t)bytes) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        close(fd);
        return HD_ESYS;
    }
    return fd;
}

int hd_recording_find(pid_t keeper)
{
    char folder[64], path[384], target[64];
    snprintf(folder, sizeof folder, "/proc/%d/fd", (int)keeper);
    DIR *d = opendir(folder);
    int found = errno == EACCES || errno == EPERM ? HD_EPERM : HD_ENOENT;
    if (d == NULL) {
        return found;
    }
    found = HD_ENOENT;
    for (struct dirent *e; found < 0 && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        ssize_t n = readlink(path, target, sizeof target - 1);
        target[HD_MAX(n, 0)] = '\0';
        if (strncmp(target, "/memfd:" NAME, sizeof "/memfd:" NAME - 1) == 0) {
            int fd = open(path, O_RDONLY | O_CLOEXEC);
            found = fd >= 0 ? fd : HD_EPERM;
        }
    }
    closedir(d);
    return found;
}

/* --- copying -------------------------------------------------------------------------------------
 */

static int read_head(int fd, struct hd_recording_head *h)
{
    struct stat st;
    if (pread(fd, h, sizeof *h, 0) != (ssize_t)sizeof *h || fstat(fd, &st) < 0) {
        return HD_EMALFORMED;
    }
    if (memcmp(h->magic, HD_RECORDING_MAGIC, sizeof h->magic) != 0) {
        return HD_ENOENT; /* made, but nothing was recorded yet */
    }
    bool sound =
        h->version == HD_RECORDING_VERSION && h->segment_count == HD_RECORDING_SEGMENTS &&
        h->segment_bytes <= HD_RECORDING_BYTES_MAX &&
        HD_RECORDING_HEAD + HD_RECORDING_SEGMENTS * h->segment_bytes <= (uint64_t)st.st_size;
    for (unsigned i = 0; i < HD_RECORDING_SEGMENTS && sound; i++) {
        sound = h->segments[i].used <= h->segment_bytes;
    }
    return sound ? 0 : HD_EMALFORMED;
}

static bool write_all(int fd, const uint8_t *bytes, size_t len, uint64_t at)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, bytes, len, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        bytes += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

static bool copy_range(int from, int to, uint64_t at, uint64_t len)
{
    uint8_t *buf = malloc(CHUNK);
    bool good = buf != NULL;
    while (good && len > 0) {
        ssize_t n = pread(from, buf, HD_MIN(len, (uint64_t)CHUNK), (off_t)at);
        good = n > 0 && write_all(to, buf, (size_t)n, at);
        if (good) {
            at += (uint64_t)n;
            len -= (uint64_t)n;
        }
    }
    free(buf);
    return good;
}

/*
 * The numbers are read before the segments and after them: one that changed was begun anew while
 * its bytes were read. What was written behind `used` of the first look is not copied.
 */
int hd_recording_copy(int from, int to, struct hd_recording_copied *copied)
{
    struct hd_recording_head h, after;
    memset(copied, 0, sizeof *copied);
    int error = read_head(from, &h);
    if (error < 0) {
        return error;
    }
    uint64_t all = HD_RECORDING_HEAD + HD_RECORDING_SEGMENTS * h.segment_bytes;
    if (ftruncate(to, (off_t)all) < 0) {
        return HD_ESYS;
    }
    for (unsigned i = 0; i < HD_RECORDING_SEGMENTS; i++) {
        if (h.segments[i].number != 0 &&
            !copy_range(from, to, HD_RECORDING_HEAD + i * h.segment_bytes, h.segments[i].used)) {
            return HD_ESYS;
        }
    }
    error = read_head(from, &after);
    if (error < 0) {
        return error;
    }
    for (unsigned i = 0; i < HD_RECORDING_SEGMENTS; i++) {
        if (h.segments[i].number == 0 || h.segments[i].number != after.segments[i].number) {
            h.segments[i] = (struct hd_recording_segment){0};
            continue;
        }
        copied->segments++;
        copied->bytes += h.segments[i].used;
    }
    if (copied->segments == 0) {
        return HD_ENOENT;
    }
    return write_all(to, (const uint8_t *)&h, sizeof h, 0) ? 0 : HD_ESYS;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* State files (state_files.h). */
#include "daemon/state_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/kira/kira.h"

#define NAME_BYTES 48

/* The identity names the node whatever core runs, so it lies under KIRA's name. */
#define IDENTITY_CORE "kira"

static int write_all(int fd, const uint8_t *bytes, uint32_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR) {
            return HD_ESYS;
        }
        if (n > 0) {
            bytes += n;
            len -= (uint32_t)n;
        }
    }
    return 0;
}

int hd_state_save(int dir, const char *core, uint16_t key, const void *bytes, uint32_t len,
                  bool sync)
{
    char name[NAME_BYTES], temporary[NAME_BYTES + 8];
    snprintf(name, sizeof name, "%s-%u", core, key);
    snprintf(temporary, sizeof temporary, ".%s.new", name);
    int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return HD_ESYS;
    }
    int error = write_all(fd, bytes, len);
    if (error == 0 && sync && fsync(fd) < 0) {
        error = HD_ESYS;
    }
    if (close(fd) < 0) {
        error = HD_ESYS;
    }
    if (error == 0 && renameat(dir, temporary, dir, name) < 0) {
        error = HD_ESYS;
    }
    if (error < 0) {
        unlinkat(dir, temporary, 0);
    }
    return error;
}

int hd_state_load(int dir, const char *core, uint16_t key, void *buf, uint32_t size)
{
    char name[NAME_BYTES];
    struct stat st;
    snprintf(name, sizeof name, "%s-%u", core, key);
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? HD_ENOENT : HD_ESYS;
    }
    int result = HD_ESYS;
    if (fstat(fd, &st) == 0 && st.st_size > size) {
        result = HD_ELIMIT;
    } else {
        ssize_t n = read(fd, buf, size);
        result = n >= 0 ? (int)n : HD_ESYS;
    }
    close(fd);
    return result;
}

int hd_state_identity(int dir, struct hd_id *id)
{
    int len = hd_state_load(dir, IDENTITY_CORE, HD_KIRA_SAVED_IDENTITY, id, sizeof *id);
    if (len == (int)sizeof *id && !hd_id_is_zero(id) && !hd_id_is_ones(id)) {
        return 0;
    }
    if (len == HD_ESYS) {
        return HD_ESYS; /* rather stand still than become somebody else */
    }
    do {
        if (getrandom(id, sizeof *id, 0) != (ssize_t)sizeof *id) {
            return HD_ESYS;
        }
    } while (hd_id_is_zero(id) || hd_id_is_ones(id));
    return hd_state_save(dir, IDENTITY_CORE, HD_KIRA_SAVED_IDENTITY, id, sizeof *id, true);
}

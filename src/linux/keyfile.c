/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fabric key on disk (keys.h): one line, the join token, so that an operator who may read the
 * file can copy it to the next machine. Written beside its place and renamed: a crash leaves the
 * old file or the new one, never half of one. A file that others can read is refused rather than
 * mended, since the key has to be taken for known then.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/keys.h"

/* The line with its end, and room to notice a file that is too long. */
#define FILE_MAX 128

static int say_errno(char *why, int error, const char *what, const char *path)
{
    int saved = errno;
    snprintf(why, HD_KEYS_WHY_SIZE, "cannot %s %.160s: %s", what, path, strerror(saved));
    errno = saved;
    return error;
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return HD_ESYS;
        }
        text += n;
        len -= (size_t)n;
    }
    return HD_OK;
}

/* A rename is durable once the folder is. */
static void sync_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

static int move_into_place(const char *from, const char *to, bool replace, char *why)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, replace ? 0 : RENAME_NOREPLACE) == 0) {
        sync_folder(to);
        return HD_OK;
    }
    if (errno == EEXIST) {
        snprintf(why, HD_KEYS_WHY_SIZE, "%.160s holds a fabric key already", to);
        return HD_EEXIST;
    }
    return say_errno(why, HD_ESYS, "rename the new key file to", to);
}

int hd_key_save(const char *path, const struct hd_key *fabric, bool replace, char *why)
{
    char temporary[PATH_MAX];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", path) >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return say_errno(why, HD_ESYS, "create", path);
    }
    /* What an interrupted attempt left behind. */
    (void)unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return say_errno(why, HD_ESYS, "create", temporary);
    }
    char line[HD_TOKEN_TEXT + 1];
    hd_token_format(fabric, line);
    memcpy(line + strlen(line), "\n", 2);
    /* fchmod: the umask may have taken bits that the owner needs. */
    int error = fchmod(fd, 0600) != 0 ? HD_ESYS : write_all(fd, line, strlen(line));
    sodium_memzero(line, sizeof line);
    if (error == HD_OK && fsync(fd) != 0) {
        error = HD_ESYS;
    }
    if (error != HD_OK) {
        say_errno(why, error, "write", temporary);
    }
    close(fd);
    if (error == HD_OK) {
        error = move_into_place(temporary, path, replace, why);
    }
    if (error != HD_OK) {
        (void)unlink(temporary);
    }
    return error;
}

static int check_file(int fd, const char *path, char *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return say_errno(why, HD_ESYS, "inspect", path);
    }
    if (!S_ISREG(st.st_mode)) {
        snprintf(why, HD_KEYS_WHY_SIZE, "%.160s is not a regular file", path);
        return HD_EPERM;
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        snprintf(why, HD_KEYS_WHY_SIZE, "%.160s belongs to user %u, not to root or the caller",
                 path, (unsigned)st.st_uid);
        return HD_EPERM;
    }
    if ((st.st_mode & 077) != 0) {
        snprintf(why, HD_KEYS_WHY_SIZE,
                 "%.160s has mode %04o: others can reach the key; expected is 0600", path,
                 (unsigned)(st.st_mode & 07777));
        return HD_EPERM;
    }
    return HD_OK;
}

static int read_line(int fd, const char *path, char text[FILE_MAX], char *why)
{
    size_t len = 0;
    while (len < FILE_MAX - 1) {
        ssize_t n = read(fd, text + len, FILE_MAX - 1 - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return say_errno(why, HD_ESYS, "read", path);
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    text[len] = 0;
    if (len == FILE_MAX - 1 || strlen(text) != len) {
        snprintf(why, HD_KEYS_WHY_SIZE, "%.160s is not a key file: expected is one join token",
                 path);
        return HD_EMALFORMED;
    }
    return HD_OK;
}

int hd_key_load(const char *path, struct hd_key *fabric, char *why)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return say_errno(why, errno == ENOENT ? HD_ENOENT : HD_ESYS, "open", path);
    }
    char text[FILE_MAX];
    int error = check_file(fd, path, why);
    if (error == HD_OK) {
        error = read_line(fd, path, text, why);
    }
    close(fd);
    if (error == HD_OK) {
        char detail[HD_KEYS_WHY_SIZE];
        error = hd_token_parse(text, fabric, detail);
        if (error != HD_OK) {
            snprintf(why, HD_KEYS_WHY_SIZE, "%.80s: %.160s", path, detail);
        }
    }
    sodium_memzero(text, sizeof text);
    return error;
}

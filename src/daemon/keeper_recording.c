/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory in which the router records its calls (decision 0015), as the keeper sees it: one for
 * each life of a router, held here too, and saved when that life ends by a signal that nobody sent
 * on purpose. A child does the writing, so that the keeper waits for no disk.
 *
 *   STATE/recordings/died-1.recording   the last one; older ones have higher numbers
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "linux/recording.h"

#define FOLDER "recordings"

void hd_keeper_recording_make(struct hd_keeper *k)
{
    if (k->recording >= 0) {
        close(k->recording);
        k->recording = -1;
    }
    if (k->options.recording_bytes == 0) {
        return;
    }
    k->recording = hd_recording_make(k->options.recording_bytes);
    if (k->recording < 0) {
        hd_log_line(&k->log, HD_LOG_WARNING, "no-recording", "error=%s", strerror(errno));
    }
}

static char *path_of(struct hd_keeper *k, unsigned number, char *buf)
{
    char name[64];
    snprintf(name, sizeof name, FOLDER "/died-%u.recording", number);
    return hd_options_state_path(&k->options, name, buf);
}

/* Every file moves up by one; the oldest falls off. */
static void rotate(struct hd_keeper *k)
{
    char from[HD_PATH_BYTES], to[HD_PATH_BYTES];
    for (unsigned i = HD_KEEPER_RECORDINGS; i > 1; i--) {
        (void)!rename(path_of(k, i - 1, from), path_of(k, i, to));
    }
}

/* In the child. */
static int save(struct hd_keeper *k)
{
    char folder[HD_PATH_BYTES], part[HD_PATH_BYTES], path[HD_PATH_BYTES];
    struct hd_recording_copied copied;
    hd_options_state_path(&k->options, FOLDER, folder);
    hd_options_state_path(&k->options, FOLDER "/part", part);
    (void)!mkdir(folder, 0700);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return HD_ESYS;
    }
    int error = hd_recording_copy(k->recording, fd, &copied);
    if (error == 0 && fsync(fd) < 0) {
        error = HD_ESYS;
    }
    close(fd);
    if (error < 0) {
        unlink(part);
        return error;
    }
    rotate(k);
    if (rename(part, path_of(k, 1, path)) < 0) {
        return HD_ESYS;
    }
    hd_log_line(&k->log, HD_LOG_NOTICE, "recording-saved", "file=%s", path);
    return 0;
}

/* Signals by which people and the kernel end a process; what it did until then was in order. */
static bool on_purpose(const struct hd_child *c)
{
    return c->last_end == SIGTERM || c->last_end == SIGINT || (c->last_end == SIGKILL && !c->hung);
}

void hd_keeper_recording_died(struct hd_keeper *k)
{
    const struct hd_child *c = &k->child[HD_ROLE_ROUTER];
    if (k->recording < 0 || c->last_end >= 0x100 || on_purpose(c) || k->saver != 0) {
        return;
    }
    pid_t keeper = getpid(), pid = fork();
    if (pid == 0) {
        /* It has the keeper's locks and channels, which must not outlive the keeper. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != keeper) {
            _exit(1);
        }
        setpriority(PRIO_PROCESS, 0, 10);
        int error = save(k);
        if (error < 0 && error != HD_ENOENT) {
            hd_log_line(&k->log, HD_LOG_WARNING, "recording-not-saved", "error=%s",
                        error == HD_ESYS ? strerror(errno) : hd_error_name(error));
        }
        _exit(error < 0);
    }
    k->saver = pid > 0 ? pid : 0;
}

void hd_keeper_recording_reap(struct hd_keeper *k)
{
    if (k->saver != 0 && waitpid(k->saver, NULL, WNOHANG) == k->saver) {
        k->saver = 0;
    }
}

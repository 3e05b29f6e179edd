/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle record FILE: saves what the router did last, for a replay (heddle-sim replay).
 *
 * No process is asked. The router's ring is memory that the keeper holds, and root may read it from
 * there: so it works as well when the router hangs. The keeper's process id stands in the lock file
 * of the state folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lib/base.h"
#include "linux/recording.h"

static pid_t keeper_of(const struct hd_cli *c)
{
    char path[512], text[16] = "";

    snprintf(path, sizeof path, "%s/lock", c->state);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

static int no_ring(struct hd_cli *c, int error)
{
    if (error == HD_EPERM || geteuid() != 0)
        return hd_cli_error(c, "not-allowed",
                            "a recording shows what the router knows: only root may save it");
    return hd_cli_error(c, "no-recording",
                        "heddled does not run with the state folder %s, or runs with --recording 0",
                        c->state);
}

static int save(struct hd_cli *c, int ring, int file, const char *name)
{
    struct hd_recording_copied copied;
    int error = hd_recording_copy(ring, file, &copied);

    if (error == 0 && fsync(file) < 0)
        error = HD_ESYS;
    if (error == HD_ENOENT)
        return hd_cli_error(c, "no-recording", "nothing was recorded yet");
    if (error != 0)
        return hd_cli_error(c, "not-saved", "%s: %s", name,
                            error == HD_ESYS ? strerror(errno) : "the memory holds no recording");
    if (c->json)
        return hd_cli_print_json(json_pack("{s:s,s:I,s:I}", "file", name, "bytes",
                                           (json_int_t)copied.bytes, "segments",
                                           (json_int_t)copied.segments));
    printf("%s: %llu KiB; `heddle sim replay %s` plays it\n", name,
           (unsigned long long)(copied.bytes + 1023) / 1024, name);
    return HD_CLI_OK;
}

int hd_cli_record(struct hd_cli *c)
{
    const char *name = c->args[0];
    pid_t keeper = keeper_of(c);
    int ring = keeper > 0 ? hd_recording_find(keeper) : HD_ENOENT;

    if (ring < 0)
        return no_ring(c, ring);
    /* A new file, root's: never through a link, never over something else. */
    int file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) {
        close(ring);
        return hd_cli_error(c, "not-saved", "%s: %s", name, strerror(errno));
    }
    int status = save(c, ring, file, name);
    close(file);
    close(ring);
    if (status != HD_CLI_OK)
        unlink(name);
    return status;
}

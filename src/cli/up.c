/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle up, down and restart. `up` decides once which fabric a machine belongs to: a new one, one
 * that it holds a token of, or an open one. That decision is two files in the state folder (the
 * key, or the mark "open"), and later starts need no option.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/keys.h"

#define START_MS   5000
#define STOP_MS    10000
#define RESTART_MS 10000

struct fabric {
    char key_path[PATH_MAX], open_path[PATH_MAX];
    bool has_key, is_open;
    struct hd_key key;
};

static int make_folders(struct hd_cli *c)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof path, "%s", c->state) >= PATH_MAX - 32 || path[0] == '\0')
        return hd_cli_error(c, "invalid", "the name of the state folder is too long");
    for (char *p = path + 1;; p++) {
        char was = *p;
        if (was != '/' && was != '\0')
            continue;
        *p = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return hd_cli_error(c, "system", "%s: %s", path, strerror(errno));
        *p = was;
        if (was == '\0')
            return HD_CLI_OK;
    }
}

static int look(struct hd_cli *c, struct fabric *f)
{
    char why[HD_KEYS_WHY_SIZE];
    int error;

    memset(f, 0, sizeof *f);
    snprintf(f->key_path, sizeof f->key_path, "%s/fabric.key", c->state);
    snprintf(f->open_path, sizeof f->open_path, "%s/open", c->state);
    f->is_open = access(f->open_path, F_OK) == 0;
    error = hd_key_load(f->key_path, &f->key, why);
    f->has_key = error == 0;
    if (error != 0 && error != HD_ENOENT)
        return hd_cli_error(c, "fabric-key", "%s", why);
    return HD_CLI_OK;
}

static int save(struct hd_cli *c, struct fabric *f)
{
    char why[HD_KEYS_WHY_SIZE];

    if (hd_key_save(f->key_path, &f->key, false, why) != 0)
        return hd_cli_error(c, "fabric-key", "%s", why);
    f->has_key = true;
    if (f->is_open && unlink(f->open_path) == 0) {
        f->is_open = false;
        if (!c->json)
            printf("This node was in an open fabric before; that ends now.\n");
    }
    return HD_CLI_OK;
}

static int choose_new(struct hd_cli *c, struct fabric *f)
{
    char name[HD_FINGERPRINT_TEXT];
    int status;

    if (f->has_key)
        return hd_cli_error(
            c, "exists",
            "%s holds the key of fabric %s already; `heddle up` starts it. To leave "
            "that fabric, move fabric.key away first",
            c->state, hd_key_fingerprint(&f->key, name));
    if (hd_key_new(&f->key) != 0)
        return hd_cli_error(c, "system", "no random numbers: %s", strerror(errno));
    status = save(c, f);
    if (status != HD_CLI_OK)
        return status;
    hd_token_format(&f->key, c->join_token);
    if (!c->json)
        printf("A new fabric, %s. Who holds this token can join it and reach every node:\n\n"
               "  %s\n\n"
               "On every other machine run:  heddle up --join TOKEN\n"
               "(`--join -` reads the token from standard input, so that it is in no process "
               "list.)\n\n",
               hd_key_fingerprint(&f->key, name), c->join_token);
    return HD_CLI_OK;
}

_Static_assert(sizeof(((struct hd_cli *)0)->join_token) >= HD_TOKEN_TEXT, "a token fits");

/* The token as given, or a line of standard input. */
static const char *token_text(const char *given, char *buf, size_t size)
{
    if (strcmp(given, "-") != 0)
        return given;
    if (!fgets(buf, (int)size, stdin))
        buf[0] = '\0';
    buf[strcspn(buf, "\n")] = '\0';
    return buf;
}

static int choose_join(struct hd_cli *c, struct fabric *f)
{
    char why[HD_KEYS_WHY_SIZE], buf[256], old[HD_FINGERPRINT_TEXT], name[HD_FINGERPRINT_TEXT];
    struct hd_key key;
    int status = HD_CLI_OK;

    if (hd_token_parse(token_text(c->join, buf, sizeof buf), &key, why) != 0) {
        status = hd_cli_error(c, "token", "%s", why);
    } else if (f->has_key && !hd_key_equal(&f->key, &key)) {
        status = hd_cli_error(c, "exists",
                              "%s holds the key of another fabric (%s, the token is of %s); move "
                              "fabric.key away first",
                              c->state, hd_key_fingerprint(&f->key, old),
                              hd_key_fingerprint(&key, name));
    } else if (!f->has_key) {
        f->key = key;
        status = save(c, f);
    }
    explicit_bzero(buf, sizeof buf);
    hd_key_wipe(&key);
    return status;
}

static int choose_open(struct hd_cli *c, struct fabric *f)
{
    char name[HD_FINGERPRINT_TEXT];
    int fd;

    if (f->has_key)
        return hd_cli_error(c, "exists",
                            "%s holds the key of fabric %s; to leave it for an open one, move "
                            "fabric.key away first",
                            c->state, hd_key_fingerprint(&f->key, name));
    fd = open(f->open_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return hd_cli_error(c, "system", "%s: %s", f->open_path, strerror(errno));
    close(fd);
    f->is_open = true;
    if (!c->json)
        printf("OPEN fabric: without a key, anybody on an attached link can join it and reach this "
               "machine.\n\n");
    return HD_CLI_OK;
}

static int choose(struct hd_cli *c, struct fabric *f)
{
    if (c->new_fabric + c->open_fabric + (c->join != NULL) > 1)
        return hd_cli_error(c, "usage", "--new, --join and --open exclude each other");
    if (c->new_fabric)
        return choose_new(c, f);
    if (c->join)
        return choose_join(c, f);
    if (c->open_fabric)
        return choose_open(c, f);
    if (f->has_key || f->is_open)
        return HD_CLI_OK;
    return hd_cli_error(
        c, "no-fabric",
        "%s belongs to no fabric yet. Choose one: `heddle up --new` makes a fabric "
        "and its key, `--join TOKEN` enters an existing one, `--open` is one without "
        "a key, for everybody",
        c->state);
}

static int no_answer(struct hd_cli *c, bool systemd)
{
    char log[PATH_MAX];

    snprintf(log, sizeof log, "%s/heddled.log", c->state);
    return hd_cli_error(c, "no-answer",
                        "heddled was started but does not answer after %d s; see: %s",
                        START_MS / 1000, systemd ? "journalctl -u heddled" : log);
}

static int start(struct hd_cli *c)
{
    bool systemd = hd_service_by_systemd(c) && c->daemon_arg_count == 0 && !c->heddled;
    int status = systemd ? hd_service_systemctl(c, "start") : hd_service_start(c);

    if (status != HD_CLI_OK)
        return status;
    if (!hd_service_wait(c, true, START_MS) || hd_service_ready(c, 0, START_MS) == 0)
        return no_answer(c, systemd);
    if (!c->json)
        hd_reach_print();
    return hd_cli_status(c);
}

int hd_cli_up(struct hd_cli *c)
{
    struct fabric f;
    int status;

    if (geteuid() != 0)
        return hd_cli_error(c, "permission", "heddle up needs root: sudo heddle up");
    if (hd_keys_init() != 0)
        return hd_cli_error(c, "system", "the cryptographic library does not start");
    if (hd_cli_probe(c) == 0) {
        if (c->new_fabric || c->open_fabric || c->join || c->daemon_arg_count > 0)
            return hd_cli_error(c, "running",
                                "heddled runs already; `heddle down` first to change how it runs");
        return hd_cli_status(c);
    }
    status = make_folders(c);
    if (status == HD_CLI_OK)
        status = look(c, &f);
    if (status != HD_CLI_OK)
        return status;
    status = choose(c, &f);
    hd_key_wipe(&f.key);
    return status == HD_CLI_OK ? start(c) : status;
}

/* Asks for something that heddled only confirms. */
static int control(struct hd_cli *c, const char *command)
{
    struct hd_socket s;
    int status = hd_socket_open(c, &s);
    json_t *answer;

    if (status != HD_CLI_OK)
        return status;
    answer = hd_socket_send(&s, hd_request_make(command, NULL)) == 0 ? hd_socket_read(&s) : NULL;
    /* A process that ends at once may not get to its answer. */
    if (answer && hd_cli_answer_error(c, answer))
        status = HD_CLI_FAILED;
    json_decref(answer);
    hd_socket_close(&s);
    return status;
}

static int done(struct hd_cli *c, const char *key, const char *sentence)
{
    if (c->json)
        return hd_cli_print_json(json_pack("{s:b}", key, 1));
    printf("%s\n", sentence);
    return HD_CLI_OK;
}

/* By systemd first, which would start it anew; a heddled that it did not start outlives that. */
static int stop(struct hd_cli *c)
{
    int status;

    if (hd_service_by_systemd(c) && geteuid() == 0 && hd_cli_probe(c) == 0) {
        status = hd_service_systemctl(c, "stop");
        if (status != HD_CLI_OK || hd_cli_probe(c) != 0)
            return status;
    }
    return control(c, "down");
}

int hd_cli_down(struct hd_cli *c)
{
    int status = stop(c);

    if (status != HD_CLI_OK)
        return status;
    if (!hd_service_wait(c, false, STOP_MS))
        return hd_cli_error(c, "no-answer", "heddled still runs after %d s", STOP_MS / 1000);
    return done(c, "down", "heddled is down; nothing of it is left in the kernel.");
}

int hd_cli_restart(struct hd_cli *c)
{
    json_int_t before = hd_service_ready(c, 0, 0);
    int status = control(c, "restart");

    if (status != HD_CLI_OK)
        return status;
    if (hd_service_ready(c, before, RESTART_MS) == 0)
        return hd_cli_error(c, "no-answer", "no new router process after %d s", RESTART_MS / 1000);
    return done(c, "restarted", "All processes of heddled are new; forwarding went on.");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the program heddle share. Not for others. */
#ifndef HD_CLI_CLI_H
#define HD_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define HD_CLI_STATE_DEFAULT "/var/lib/heddle"
#define HD_CLI_RUN_DEFAULT   "/run/heddle"

/* Exit statuses. */
#define HD_CLI_OK     0
#define HD_CLI_FAILED 1
#define HD_CLI_USAGE  2

struct hd_cli_command;

struct hd_cli {
    const char *state; /* folder */
    const struct hd_cli_command *command;
    const char *args[4]; /* after the command */
    int arg_count;
    bool json, wide, all, help;
    bool quiet;  /* errors are not told: asked again and again until something works */
    bool colour; /* stdout is a terminal that shows it */
    /* up */
    bool new_fabric, open_fabric;
    const char *join;
    char join_token[80];         /* of the fabric that was just made */
    const char *heddled;         /* program to start */
    const char *daemon_args[32]; /* handed on to it */
    int daemon_arg_count;
    /* config */
    const char *confirm;
    bool candidate;
    /* ping, path */
    const char *count, *interval_ms, *timeout_ms;
};

struct hd_cli_command {
    const char *name;
    const char *usage; /* its arguments */
    const char *what;
    const char *options; /* long names it takes, each followed by a space */
    int min_args, max_args;
    int (*run)(struct hd_cli *c);
};

/* --- commands.c ------------------------------------------------------------ */

const struct hd_cli_command *hd_cli_command_at(size_t i);
/* The command of that name, of an alias, or of which this is the unambiguous beginning. */
const struct hd_cli_command *hd_cli_command_find(const char *name);
/* Those that begin so, separated by commas, into buf: how many. */
size_t hd_cli_command_begins(const char *name, char *buf, size_t size);
/* The name that was most likely meant, NULL when none is near. */
const char *hd_cli_suggest(const char *name);

/* --- socket.c -------------------------------------------------------------- */

struct hd_socket {
    int fd;
    char *buf;
    size_t len, at, cap;
};

/* Whether heddled answers: 0, or an errno value. */
int hd_cli_probe(const struct hd_cli *c);
/* Connects, or says in words why not: 0 or an exit status. */
int hd_socket_open(struct hd_cli *c, struct hd_socket *s);
void hd_socket_close(struct hd_socket *s);
/* Sends one request; takes the reference. 0 or -1. */
int hd_socket_send(struct hd_socket *s, json_t *request);
/* The next line as an object (the caller's reference), NULL at the end or for nonsense. */
json_t *hd_socket_read(struct hd_socket *s);

/* --- ask.c ----------------------------------------------------------------- */

/* A request object for a command; args may be NULL (its reference is taken). */
json_t *hd_request_make(const char *command, json_t *args);
/*
 * Sends a request and joins the rows of all pages. Returns an exit status; rows is the caller's.
 * columns (may be NULL) gets those of a text answer, last the last page.
 */
int hd_cli_fetch(struct hd_cli *c, json_t *request, json_t **rows, json_t **columns);
/* Reports {"error":...} of an answer if it has one. */
bool hd_cli_answer_error(struct hd_cli *c, const json_t *answer);
/* Says what is wrong, as JSON on stdout with -j, else on stderr; returns HD_CLI_FAILED. */
int hd_cli_error(const struct hd_cli *c, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Prints a document and its end of line; takes the reference. */
int hd_cli_print_json(json_t *document);

/* --- table.c --------------------------------------------------------------- */

/* An aligned table of cells (see manage/answer.c). */
void hd_table_print(const struct hd_cli *c, json_t *columns, json_t *rows);
/* Escape sequences, empty without colour. */
const char *hd_colour(const struct hd_cli *c, const char *tone);
const char *hd_colour_end(const struct hd_cli *c);
/* "4 min 12 s" from milliseconds; buf has 32 bytes. */
char *hd_age_format(double ms, char *buf);

/* --- the commands ---------------------------------------------------------- */

int hd_cli_list(struct hd_cli *c);
int hd_cli_show(struct hd_cli *c);
int hd_cli_protocol(struct hd_cli *c);
int hd_cli_metrics(struct hd_cli *c);
int hd_cli_status(struct hd_cli *c);
int hd_cli_ping(struct hd_cli *c);
int hd_cli_path(struct hd_cli *c);
int hd_cli_monitor(struct hd_cli *c);
int hd_cli_up(struct hd_cli *c);
int hd_cli_down(struct hd_cli *c);
int hd_cli_record(struct hd_cli *c);
int hd_cli_restart(struct hd_cli *c);
int hd_cli_config(struct hd_cli *c);
/* What `heddle config` can do, a line each. */
void hd_cli_config_verbs(FILE *out);
int hd_cli_help(struct hd_cli *c);
int hd_cli_version(struct hd_cli *c);
/* heddle lab, heddle sim: starts heddle-NAME that lies beside us. Returns only when it cannot. */
int hd_cli_exec_tool(const char *name, char **argv);

/* --- service.c: starting and stopping heddled ------------------------------ */

/* True when systemd runs our unit for this state folder. */
bool hd_service_by_systemd(const struct hd_cli *c);
int hd_service_start(struct hd_cli *c);
int hd_service_systemctl(struct hd_cli *c, const char *verb);
/* Waits until the router runs its core: its process id, 0 when it did not in time. */
json_int_t hd_service_ready(const struct hd_cli *c, json_int_t other_than, int timeout_ms);
/* Waits until heddled answers (or, want false, until it does not): true when it happened. */
bool hd_service_wait(const struct hd_cli *c, bool want, int timeout_ms);
/* Path of a program of ours: beside this one, then where packages put it. buf: size bytes. */
const char *hd_service_program(const char *name, char *buf, size_t size);

/* --- reach.c --------------------------------------------------------------- */

/* Names the listening sockets that other nodes of the fabric can reach from now on. */
void hd_reach_print(void);

#endif

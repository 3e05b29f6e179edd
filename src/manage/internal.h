/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the manage role share. Not for others. */
#ifndef HD_MANAGE_INTERNAL_H
#define HD_MANAGE_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "bind/bind.h"
#include "core/kira/kira.h"
#include "daemon/channel.h"
#include "manage/manage.h"

struct hd_source {
    uint8_t core;
    uint16_t list;
};

enum hd_verb_kind {
    HD_VERB_LIST = 1, /* pages of the rows of its sources */
    HD_VERB_SHOW,     /* the same, the source named in the request */
    HD_VERB_GATHER,   /* all rows of all sources, composed into one answer */
    HD_VERB_ASK,      /* a command of a core; replies come by themselves */
    HD_VERB_MONITOR,
    HD_VERB_CONTROL, /* to the keeper */
    HD_VERB_HELP,
    HD_VERB_CONFIG, /* to heddle-config, which answers by itself */
};

struct hd_gather;

struct hd_verb {
    const char *name;
    const char *what;
    uint8_t kind; /* enum hd_verb_kind */
    bool root;    /* changes something: root only */
    uint8_t core; /* of HD_VERB_ASK */
    uint16_t core_verb;
    uint32_t control; /* enum hd_control */
    uint8_t source_count;
    const struct hd_source *sources;
    /* HD_VERB_GATHER: takes all rows of one source; then, with l NULL, ends the answer. */
    void (*compose)(struct hd_gather *g, const struct hd_list *l, const uint8_t *rows,
                    uint32_t count);
};

/* An answer that is put together from several lists. */
struct hd_gather {
    uint8_t *rows; /* of the source that is being read */
    size_t len, cap;
    uint32_t count;
    struct hd_json json; /* the open answer */
    struct hd_text text;
    bool found;     /* some source exists */
    bool has_state; /* of status: a core told its own */
};

#define HD_GATHER_MAX (8u << 20)

/* Where a walk through pages stands. Kept here, so that no client can hand a cursor to a core. */
struct hd_walk {
    const struct hd_verb *verb;
    struct hd_source one; /* of HD_VERB_SHOW */
    uint8_t source;
    bool produced; /* a page of some source was sent */
    struct hd_row_cursor cursor;
};

struct hd_client {
    int fd; /* -1: the slot is free */
    bool root;
    bool closing; /* nothing more is read; closed when all is written */
    bool monitor;
    bool busy;  /* a request is open */
    bool asked; /* ... and the router has it */
    bool text, wide;
    char *in;
    size_t in_len, in_cap;
    char *out;
    size_t out_len, out_at, out_cap;
    uint64_t serial;     /* of the last page; the cursor that a client hands back */
    uint32_t request;    /* id towards the router */
    uint32_t max;        /* rows per page */
    int64_t deadline_ms; /* of the open request */
    int64_t since_ms;    /* of the last line or write */
    int64_t stuck_ms;    /* since when it takes nothing of what waits in out; 0: it takes */
    struct hd_walk walk;
    struct hd_gather gather;
    struct hd_kira_command command;
    char *config_args; /* of HD_VERB_CONFIG: JSON, malloc-owned */
};

/* The process heddle-config and what is wanted of it (config.c). */
struct hd_manage_config {
    int dir, program; /* descriptors: its folder, its executable; -1: there is no configuration */
    int fd;           /* channel; -1: it does not run */
    pid_t pid;
    bool open;             /* a question is with it */
    bool said;             /* ... and a part of the answer was given */
    bool begun;            /* ... and something may have changed */
    int64_t until_ms;      /* ... and who says nothing until then is ended */
    uint32_t request;      /* ... of a client; 0: ours */
    uint32_t unanswered;   /* ... its transaction that the router has not answered; 0: none */
    uint32_t failures;     /* ends without an answer, in a row */
    bool boot, push, back; /* what we want to ask ourselves */
    bool boot_again;       /* it failed: it is asked again, but nobody waits for it */
    const char *ours;      /* that of ours which is open */
    int64_t retry_at_ms;
    int64_t confirm_at_ms; /* it returns then; 0: nothing waits for a confirmation */
    int64_t restart_at_ms; /* all processes begin anew then; 0: they do not */
};

struct hd_manage {
    int keeper_fd, listen_fd, router_fd;
    bool keeper_known, router_known; /* HELLO was heard */
    bool ready, stopping;
    bool subscribed;
    uint32_t next_request;
    uint16_t node_prefix;
    int64_t now_ms;
    void *buf; /* HD_CHANNEL_MAX bytes */
    struct hd_manage_config config;
    struct hd_client clients[HD_MANAGE_CLIENTS_MAX];
};

/* --- client.c: bytes in and out -------------------------------------------- */

void hd_client_open(struct hd_client *c, int fd, int64_t now_ms);
void hd_client_close(struct hd_manage *m, struct hd_client *c);
/* Reads what is there; false: the client is to be closed. */
bool hd_client_read(struct hd_client *c);
/* The next whole line (NUL-terminated, without its end), NULL when there is none. */
char *hd_client_line(struct hd_client *c, size_t *len);
void hd_client_line_done(struct hd_client *c, size_t len);
/* Writes what it takes; false: the client is to be closed. */
bool hd_client_write(struct hd_client *c);
/* Appends one line; the client is cut when memory or its patience with us ran out. */
void hd_client_put(struct hd_client *c, const char *text, size_t len);
/* Ends the document and appends it as a line. */
void hd_client_put_json(struct hd_client *c, struct hd_json *j);
/* {"error":{...}} and the end of the open request. path: what in the request is wrong, or NULL. */
void hd_client_error(struct hd_client *c, const char *code, const char *path, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));

/* --- request.c: lines to requests ------------------------------------------ */

void hd_request_line(struct hd_manage *m, struct hd_client *c, const char *line, size_t len);
/* Hands the open request to the router if it is there and has room. */
void hd_request_send(struct hd_manage *m, struct hd_client *c);
/* Tells the router that nobody waits for the open command any more. */
void hd_request_cancel(struct hd_manage *m, struct hd_client *c);
/* The source that the open walk reads; false: it is past the last. */
bool hd_request_source(const struct hd_client *c, struct hd_source *s);
/* Tells the router whether anybody listens to events. */
void hd_request_subscribe(struct hd_manage *m);
const struct hd_verb *hd_verb_find(const char *name);
const struct hd_verb *hd_verb_at(size_t i);

/* --- answer.c: what the router says to lines ------------------------------- */

void hd_answer_rows(struct hd_manage *m, const struct hd_msg_rows_rsp *r, const uint8_t *tail,
                    size_t tail_len);
void hd_answer_reply(struct hd_manage *m, const struct hd_msg_reply *r, const uint8_t *tail,
                     size_t tail_len);
void hd_answer_event(struct hd_manage *m, const struct hd_msg_event *e, const uint8_t *tail,
                     size_t tail_len);
/* A row with the name of its interface where the row itself has only the number. */
void hd_answer_row(const struct hd_list *l, const void *row, struct hd_json *j);
void hd_answer_end(struct hd_client *c);

/* --- gather.c -------------------------------------------------------------- */

void hd_gather_rows(struct hd_manage *m, struct hd_client *c, const struct hd_msg_rows_rsp *r,
                    const uint8_t *tail);
void hd_gather_free(struct hd_gather *g);
void hd_gather_status(struct hd_gather *g, const struct hd_list *l, const uint8_t *rows,
                      uint32_t count);
void hd_gather_metrics(struct hd_gather *g, const struct hd_list *l, const uint8_t *rows,
                       uint32_t count);

/* --- config.c --------------------------------------------------------------- */

void hd_config_init(struct hd_manage *m, int dir, int program);
/* Asks what waits to be asked, starts and ends things that are due. */
void hd_config_tend(struct hd_manage *m);
/* Something came from heddle-config. */
void hd_config_serve(struct hd_manage *m);
/* The descriptor to wait for; -1: none, or its answer has no room just now. */
int hd_config_poll_fd(const struct hd_manage *m);
/* When hd_config_tend wants to be called at the latest. */
int64_t hd_config_deadline_ms(const struct hd_manage *m);
/* The router is there and knows nothing yet. */
void hd_config_router_found(struct hd_manage *m);
/* It will not answer: it is gone, or could not be told. */
void hd_config_router_silent(struct hd_manage *m);
/* The router has answered a transaction. */
void hd_config_done(struct hd_manage *m, const struct hd_msg_config_done *d);
void hd_config_end(struct hd_manage *m);

/* --- node.c ---------------------------------------------------------------- */

/*
 * The node that a person means: an address, 28 hex digits, or the beginning of either. 0 or
 * HD_EMALFORMED with a sentence in why (128 bytes).
 */
HD_MUST_USE int hd_node_parse(const char *text, uint16_t prefix, struct hd_kira_command *command,
                              char *why);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle-sim replay FILE: plays a recording to its end, or to the first call that does something
 * else than it did then, or to a call that somebody wants to look at with a debugger.
 *
 * The recording may come from somebody else, and a router that was recorded may have died of its
 * own state. So everything is read and mapped first; then the process gives up what it does not
 * need, and a fatal signal is told as what it is: the end of the replay, with the call's number.
 */
#include "sim/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"

static const char usage_text[] =
    "usage: heddle-sim replay FILE [--until WHEN] [--stop-at WHEN] [--print] [--gdb] [-j]\n"
    "\n"
    "FILE is what `heddle record` wrote, or heddled when its router died. WHEN is the number of a\n"
    "call, or seconds since the begin of the recording with an s: 12.5s.\n"
    "\n"
    "  --until WHEN    the last call that is made\n"
    "  --stop-at WHEN  raises SIGTRAP right before this call, for a debugger\n"
    "  --print         each call and what came of it\n"
    "  --gdb           runs all this in gdb (with --stop-at: stops there)\n"
    "  --other-cores   tries it although the recording was made by another build\n"
    "  -j              the result as JSON\n"
    "\n"
    "Exit status: 0 every call did what it did then, 1 one did not, 2 the recording cannot be "
    "played,\n"
    "3 the router died in a call.\n";

struct when {
    uint64_t number;
    hd_time after; /* HD_NEVER: by number */
};

struct replay {
    const char *file;
    struct when until, stop_at;
    bool print, gdb, json, other_cores, no_lock;
    struct hd_recording recording;
    struct hd_player player;
    uint64_t first;
    hd_time began, ended;
    struct hd_difference difference;
};

static struct replay replay; /* one per process: signals must find it */
static char out_buffer[1 << 16];
static char signal_stack[1 << 16];

/* --- words --------------------------------------------------------------------------------------
 */

static bool read_when(const char *text, struct when *w)
{
    char *end;

    errno = 0;
    w->after = HD_NEVER;
    w->number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0)
        return false;
    if (*end == '\0')
        return true;
    double seconds = strtod(text, &end);
    if (strcmp(end, "s") != 0 || seconds > 1e9)
        return false;
    w->after = (hd_time)(seconds * 1e9);
    return true;
}

static int read_words(struct replay *r, int argc, char **argv)
{
    static const struct option options[] = {
        {"until", required_argument, NULL, 'u'}, {"stop-at", required_argument, NULL, 's'},
        {"print", no_argument, NULL, 'p'},       {"gdb", no_argument, NULL, 'g'},
        {"other-cores", no_argument, NULL, 'o'}, {"no-lock", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
    };
    int option;

    optind = 1;
    while ((option = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
        switch (option) {
        case 'u':
        case 's':
            if (!read_when(optarg, option == 'u' ? &r->until : &r->stop_at)) {
                fprintf(stderr, "heddle-sim: no call and no time: %s\n", optarg);
                return 2;
            }
            break;
        case 'p':
            r->print = true;
            break;
        case 'g':
            r->gdb = true;
            break;
        case 'o':
            r->other_cores = true;
            break;
        case 'n': /* in gdb, which has its own ways */
            r->no_lock = true;
            break;
        case 'j':
            r->json = true;
            break;
        case 'h':
            fputs(usage_text, stdout);
            return -1;
        default:
            fputs(usage_text, stderr);
            return 2;
        }
    }
    if (optind + 1 != argc) {
        fputs(usage_text, stderr);
        return 2;
    }
    r->file = argv[optind];
    return 0;
}

/* The same words in gdb, which stops by itself where the router dies. */
static int in_gdb(int argc, char **argv)
{
    char **words = calloc((size_t)argc + 12, sizeof *words);
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    static const char *const before[] = {"gdb", "-q", "-ex", "run", "--args"};
    static char no_lock[] = "--no-lock", verb[] = "replay";
    unsigned k = 0;

    if (words == NULL || n < 0) {
        free(words);
        return 2;
    }
    self[n] = '\0';
    for (unsigned i = 0; i < HD_ARRAY_LEN(before); i++)
        words[k++] = (char *)(uintptr_t)before[i];
    words[k++] = self;
    words[k++] = verb;
    words[k++] = no_lock;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--gdb") != 0)
            words[k++] = argv[i];
    execvp("gdb", words);
    fprintf(stderr, "heddle-sim: gdb: %s\n", strerror(errno));
    free(words);
    return 2;
}

/* --- reading -------------------------------------------------------------------------------------
 */

static int refuse(const struct replay *r, const char *why)
{
    if (r->json)
        printf("{\"error\":{\"code\":\"recording\",\"message\":\"%s\"}}\n", why);
    else
        fprintf(stderr, "heddle-sim: %s: %s\n", r->file, why);
    return 2;
}

static void *read_file(const char *name, size_t *size)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *image = MAP_FAILED;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        /* A copy: whoever cuts the file while we read it must not end us by SIGBUS. */
        *size = (size_t)st.st_size;
        image = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (size_t at = 0; image != MAP_FAILED && at < *size;) {
            ssize_t n = pread(fd, (uint8_t *)image + at, *size - at, (off_t)at);
            if (n <= 0)
                break;
            at += (size_t)n;
        }
    } else if (fd >= 0) {
        errno = EINVAL;
    }
    if (fd >= 0)
        close(fd);
    return image != MAP_FAILED ? image : NULL;
}

static int prepare(struct replay *r)
{
    const struct hd_recording_head *h = &r->recording.head;
    const char *why = "";
    size_t size = 0;
    void *image = read_file(r->file, &size);

    if (image == NULL)
        return refuse(r, strerror(errno));
    if (hd_recording_open(&r->recording, image, size, &why) != 0)
        return refuse(r, why);
    if (!hd_recording_same_cores(&r->recording) && !r->other_cores)
        return refuse(r, "it was recorded by other cores; only the heddle-sim of the same build "
                         "understands its memory (--other-cores tries it nevertheless)");
    void *want = (void *)(uintptr_t)h->region_address;
    void *region = mmap(want, h->region_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    void *fx = mmap(NULL, h->fx_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region != want || fx == MAP_FAILED)
        return refuse(r, "its region's address is taken in this process; try again");
    hd_player_init(&r->player, &r->recording, region, fx);
    return 0;
}

/* --- signals -------------------------------------------------------------------------------------
 */

static double seconds(const struct replay *r, hd_time at)
{
    return (double)(at - r->recording.head.began) / 1e9;
}

/* Whatever is printed here may fail: the process is lost anyhow. */
static void on_death(int number)
{
    const struct hd_recorded_call *c = &replay.player.call;
    bool then = c->outcome == NULL;

    printf("call %llu at %.6f s: the router died by signal %d%s\n", (unsigned long long)c->number,
           seconds(&replay, c->now), number,
           then ? ", as it did then" : "; when it was recorded, it did not");
    fflush(stdout);
    _exit(3);
}

static void catch_deaths(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    struct sigaction s = {.sa_handler = on_death, .sa_flags = (int)(SA_ONSTACK | SA_RESETHAND)};

    sigaltstack(&stack, NULL);
    for (unsigned i = 0; i < HD_ARRAY_LEN(fatal); i++)
        sigaction(fatal[i], &s, NULL);
}

/* --- playing -------------------------------------------------------------------------------------
 */

static bool reached(const struct replay *r, const struct when *w, const struct hd_recorded_call *c)
{
    if (w->after != HD_NEVER)
        return c->now - r->recording.head.began >= w->after;
    return w->number != 0 && c->number >= w->number;
}

static void print_call(const struct replay *r)
{
    const struct hd_recorded_call *c = &r->player.call;
    char text[160];

    hd_sim_replay_describe(c, text, sizeof text);
    printf("%llu %.6f %s\n", (unsigned long long)c->number, seconds(r, c->now), text);
}

static void stop_here(struct replay *r)
{
    printf("right before call %llu; its functions are hd_router_input, hd_router_due, "
           "hd_router_work, ...\n",
           (unsigned long long)r->player.call.number);
    fflush(stdout);
    raise(SIGTRAP);
    r->stop_at = (struct when){.after = HD_NEVER};
}

/* All calls: 1 at a difference, 0 at the end, HD_EMALFORMED. */
static int play(struct replay *r, const char **why)
{
    struct hd_player *p = &r->player;
    int got;

    while ((got = hd_player_next(p, why)) == 1) {
        const struct hd_recorded_call *c = &p->call;
        if (r->first == 0) {
            r->first = c->number;
            r->began = c->now;
        }
        r->ended = c->now;
        if (r->print)
            print_call(r);
        if (reached(r, &r->stop_at, c))
            stop_here(r);
        hd_player_make(p, &r->difference);
        if (r->print)
            hd_sim_replay_print_effects(p, stdout);
        if (r->difference.field != NULL)
            return 1;
        if (reached(r, &r->until, c))
            return 0;
    }
    return got;
}

static void report_difference(const struct replay *r)
{
    const struct hd_player *p = &r->player;
    const struct hd_difference *d = &r->difference;
    char text[160], effect[48] = "";

    hd_sim_replay_describe(&p->call, text, sizeof text);
    if (d->effect >= 0)
        snprintf(effect, sizeof effect, "effect %d (%s), ", d->effect,
                 hd_sim_replay_effect_name(p->call.effects[d->effect].type));
    printf("DIFFERENT at call %llu, %.6f s (%s): %s%s was 0x%llx, is 0x%llx now\n",
           (unsigned long long)p->call.number, seconds(r, p->call.now), text, effect, d->field,
           (unsigned long long)d->recorded, (unsigned long long)d->replayed);
    if (!r->print)
        hd_sim_replay_print_effects(p, stdout);
}

static int report(const struct replay *r, int got)
{
    const struct hd_player *p = &r->player;
    bool unfinished = p->call.outcome == NULL && p->made > 0;

    if (r->json) {
        printf("{\"calls\":%llu,\"first\":%llu,\"last\":%llu,\"seconds\":%.6f,\"skipped\":%llu,"
               "\"identical\":%s,\"unfinished\":%s",
               (unsigned long long)p->made, (unsigned long long)r->first,
               (unsigned long long)p->call.number, (double)(r->ended - r->began) / 1e9,
               (unsigned long long)p->skipped, got == 0 ? "true" : "false",
               unfinished ? "true" : "false");
        if (got == 1)
            printf(",\"effect\":%d,\"field\":\"%s\"", r->difference.effect, r->difference.field);
        printf("}\n");
        return got;
    }
    if (got == 1) {
        report_difference(r);
        return 1;
    }
    printf("%llu calls, %llu to %llu, over %.3f s: identical\n", (unsigned long long)p->made,
           (unsigned long long)r->first, (unsigned long long)p->call.number,
           (double)(r->ended - r->began) / 1e9);
    if (p->skipped > 0)
        printf("%llu calls in between were not recorded\n", (unsigned long long)p->skipped);
    if (unfinished)
        printf("the recording ends in the last call: the router died there; this one did not\n");
    return 0;
}

int hd_sim_replay_main(int argc, char **argv)
{
    struct replay *r = &replay;
    const char *why = "";

    r->until.after = r->stop_at.after = HD_NEVER;
    int status = read_words(r, argc, argv);
    if (status != 0)
        return HD_MAX(status, 0);
    if (r->gdb)
        return in_gdb(argc, argv);
    status = prepare(r);
    if (status != 0)
        return status;
    setvbuf(stdout, out_buffer, _IOFBF, sizeof out_buffer);
    catch_deaths();
    if (!r->no_lock)
        hd_sim_replay_lock();
    int got = play(r, &why);
    status = got < 0 ? refuse(r, why) : report(r, got);
    fflush(stdout);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle-sim: runs scenarios under virtual time, and makes of runs what people read. The command
 * line is in arguments.c; a file per command.
 */
#include <stdio.h>
#include <string.h>

#include "sim/arguments.h"
#include "sim/replay.h"

static int command_random(const struct hd_sim_arguments *a)
{
    uint64_t failed = 0, done = 0;
    char text[1024];
    for (uint64_t i = 0; i < a->count; i++) {
        struct hd_sim_random_options o = {.seed = a->seed + i,
                                          .bound_ns = a->bound,
                                          .log_level = a->log_level,
                                          .verbose = a->verbose,
                                          .no_probes = a->no_probes};
        bool ok = hd_sim_random_run(&o, text, sizeof text);
        done++;
        puts(text);
        if (!ok) {
            failed++;
            printf("replay: heddle-sim random --seed %llu --count 1 --bound-ms %lld -v%s\n",
                   (unsigned long long)o.seed, (long long)hd_time_to_ms(a->bound),
                   a->no_probes ? " --no-probes" : "");
            if (!a->keep_going)
                break;
        }
        fflush(stdout);
    }
    printf("%llu scenarios, %llu failed\n", (unsigned long long)done, (unsigned long long)failed);
    return failed == 0 ? 0 : 1;
}

static int run_command(struct hd_sim_arguments *a)
{
    bool one = a->word_count == 1;
    if (strcmp(a->command, "run") == 0 && one)
        return hd_sim_command_run(a);
    if (strcmp(a->command, "random") == 0 && a->word_count == 0)
        return command_random(a);
    if (strcmp(a->command, "trace") == 0 && one)
        return hd_sim_command_trace(a);
    if (strcmp(a->command, "shrink") == 0 && one)
        return hd_sim_command_shrink(a);
    if (strcmp(a->command, "sweep") == 0 && a->word_count > 0)
        return hd_sim_command_sweep(a);
    hd_sim_usage(stderr);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "replay") == 0)
        return hd_sim_replay_main(argc - 1, argv + 1);
    struct hd_sim_arguments a;
    int status = hd_sim_arguments_read(&a, argc, argv);
    if (status == 2)
        fputs("heddle-sim -h shows what it takes\n", stderr);
    if (status == 0)
        status = run_command(&a);
    else if (status == 1)
        status = 0;
    hd_sim_arguments_free(&a);
    return status;
}

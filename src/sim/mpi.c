/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heddle-sim-mpi: one simulation by several processes, on one machine or many, that MPI starts and
 * joins:
 *
 *   mpiexec -n 4 heddle-sim-mpi run er:100000,4 --delay-us 1000
 *
 * A program of its own, so that heddle-sim needs no MPI. It takes what `heddle-sim run` takes, and
 * prints the same figures and the same digest; the first process speaks. All that the simulator
 * asks of MPI is one exchange (group.h): lengths first, then bytes.
 */
#include <limits.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "sim/arguments.h"
#include "sim/queue.h"

#define ALIGN ((size_t)16)

struct joined {
    int size;
    unsigned char *out, *in;
    size_t out_cap, in_cap;
    int out_len[HD_SIM_PROCESSES_MAX], out_at[HD_SIM_PROCESSES_MAX];
    int in_len[HD_SIM_PROCESSES_MAX], in_at[HD_SIM_PROCESSES_MAX];
    uint64_t lens[HD_SIM_PROCESSES_MAX], theirs[HD_SIM_PROCESSES_MAX];
};

/* Nobody can go on when one cannot: MPI ends all processes. */
static void insist(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "heddle-sim-mpi: %s\n", what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* Where each piece lies in one buffer, aligned; its size. MPI counts in int. */
static size_t lay_out(const uint64_t *lens, int n, int *len, int *at)
{
    size_t sum = 0;
    for (int i = 0; i < n; i++) {
        insist(lens[i] <= INT_MAX && sum <= INT_MAX, "more than 2 GiB between two windows");
        len[i] = (int)lens[i];
        at[i] = (int)sum;
        sum += (lens[i] + ALIGN - 1) & ~(ALIGN - 1);
    }
    insist(sum <= INT_MAX, "more than 2 GiB between two windows");
    return sum;
}

static unsigned char *room(unsigned char *bytes, size_t *cap, size_t want)
{
    if (want <= *cap)
        return bytes;
    free(bytes);
    *cap = (want + want / 2 + 4096) & ~(ALIGN - 1);
    bytes = aligned_alloc(ALIGN, *cap);
    insist(bytes != NULL, "no memory");
    return bytes;
}

static void exchange(void *user, const struct hd_sim_piece *out, struct hd_sim_piece *in)
{
    struct joined *j = user;
    for (int i = 0; i < j->size; i++)
        j->lens[i] = out[i].len;
    MPI_Alltoall(j->lens, 1, MPI_UINT64_T, j->theirs, 1, MPI_UINT64_T, MPI_COMM_WORLD);
    size_t out_bytes = lay_out(j->lens, j->size, j->out_len, j->out_at);
    size_t in_bytes = lay_out(j->theirs, j->size, j->in_len, j->in_at);
    j->out = room(j->out, &j->out_cap, out_bytes);
    j->in = room(j->in, &j->in_cap, in_bytes);
    for (int i = 0; i < j->size; i++) {
        if (out[i].len > 0)
            memcpy(j->out + j->out_at[i], out[i].bytes, out[i].len);
    }
    MPI_Alltoallv(j->out, j->out_len, j->out_at, MPI_BYTE, j->in, j->in_len, j->in_at, MPI_BYTE,
                  MPI_COMM_WORLD);
    for (int i = 0; i < j->size; i++)
        in[i] = (struct hd_sim_piece){j->in + j->in_at[i], (size_t)j->in_len[i]};
}

static int run(struct hd_sim_arguments *a, const struct hd_sim_group *g)
{
    a->group = g;
    if (strcmp(a->command, "run") == 0 && a->word_count == 1 && a->save == NULL && a->trace == NULL)
        return hd_sim_command_run(a);
    if (g->rank == 0)
        fputs("usage: mpiexec -n N heddle-sim-mpi run SCENARIO [options of heddle-sim run]\n"
              "A run of several processes has no --save and no --trace.\n",
              stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static struct joined joined;
    struct hd_sim_arguments a;
    int rank, provided;
    /* helper threads run nodes; one thread speaks to others */
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &joined.size);
    insist(joined.size <= HD_SIM_PROCESSES_MAX, "too many processes");
    struct hd_sim_group group = {.rank = (uint32_t)rank,
                                 .size = (uint32_t)joined.size,
                                 .user = &joined,
                                 .exchange = exchange};
    int status = hd_sim_arguments_read(&a, argc, argv);
    if (status == 0)
        status = run(&a, &group);
    else if (status == 1)
        status = 0;
    hd_sim_arguments_free(&a);
    free(joined.out);
    free(joined.in);
    MPI_Finalize();
    return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs nodes of Maelstrom's workload lin-kv as Maelstrom would, where that is not to be had:
 *
 *   start the nodes, init
 *   clients ask while the network loses, delays, repeats and cuts off, as the seed has it
 *   the network is healed: every node must do a write, and every key be read
 *   the nodes end with their input, and the history must be linearizable
 *
 * What is random is a function of the seed; the nodes' timing is real, so a run does not repeat. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "maelstrom/workload.h"
#include "program/cli.h"

#define INIT_US       (20 * UINT64_C(1000000))
#define ARGUMENTS_MAX 32

struct options {
    uint32_t nodes, clients, seed, time_ms, answers, patience_ms;
    struct network_faults faults;
};

static const char epilogue[] =
    "Operands: the program of a node, and its arguments after a `--`:\n"
    "  driver --nodes 5 --loss 50 --partition 700 -- vstamp-maelstrom --timeout 900\n"
    "\n"
    "Exit status: 0 all well, 1 not linearizable, no progress, or a node misbehaved, 2 usage.\n";

static void print_stats(const struct options *o, const struct network *net,
                        const struct workload_stats *s)
{
    printf("%" PRIu32 " nodes, %" PRIu32 " clients, seed %" PRIu32 ": %" PRIu64
           " answered, %" PRIu64 " unavailable, %" PRIu64 " unknown, %" PRIu64
           " keys; messages: %" PRIu64 " carried, %" PRIu64 " lost, %" PRIu64 " repeated, %" PRIu64
           " cut off, %" PRIu64 " partitions\n",
           o->nodes, o->clients, o->seed, s->answered, s->unavailable, s->unknown, s->keys,
           net->n_carried, net->n_lost, net->n_repeated, net->n_cut_off, net->n_partitions);
}

/* NULL, or what went wrong. */
static const char *run(const struct options *o, struct network *net, struct workload *w)
{
    if (!workload_init_nodes(w, network_now_us() + INIT_US))
        return net->trouble[0] != '\0' ? net->trouble : "a node does not answer init";
    net->faults = o->faults;
    uint64_t until_us = network_now_us() + o->time_ms * UINT64_C(1000);
    uint64_t patience_us = o->patience_ms * UINT64_C(1000);
    workload_run(w, until_us, o->answers, until_us + patience_us);
    network_heal(net);
    bool is_live = workload_finish(w, network_now_us() + patience_us);
    if (net->trouble[0] != '\0') return net->trouble;
    const char *wrong = workload_check(w);
    return wrong == NULL && !is_live ? "no progress after the network was healed" : wrong;
}

static int drive(const struct cli *cli, const struct options *o, const char *const *argv)
{
    struct network net = {0};
    int rv = network_start(&net, (uint8_t)o->nodes, argv, o->seed);
    if (rv != 0) {
        cli_complain(cli, "%s: %s", argv[0], strerror(rv));
        network_stop(&net);
        return CLI_USAGE;
    }
    struct workload *w = workload_new(&net, o->clients, o->seed + UINT64_C(1000003));
    const char *wrong = run(o, &net, w);
    struct workload_stats stats = workload_stats(w);
    network_stop(&net);
    if (wrong == NULL && net.trouble[0] != '\0') wrong = net.trouble;
    printf("%s: %s; ", wrong == NULL ? "ok" : "FAILED", wrong == NULL ? "linearizable" : wrong);
    print_stats(o, &net, &stats);
    workload_close(w);
    return wrong == NULL ? CLI_OK : CLI_NO;
}

int main(int argc, char **argv)
{
    struct options o = {.nodes = 3,
                        .clients = 8,
                        .seed = (uint32_t)time(NULL),
                        .time_ms = 5000,
                        .patience_ms = 40000};
    const struct cli_option options[] = {
        CLI_U32(0, "nodes", &o.nodes, 1, REPLICAS_MAX, "N", "how many nodes"),
        CLI_U32(0, "clients", &o.clients, 1, 64, "N", "how many clients at a time"),
        CLI_U32(0, "seed", &o.seed, 0, UINT32_MAX, "N", "what the faults and requests come from"),
        CLI_DURATION(0, "time", &o.time_ms, 1, 86400000, "how long clients ask amid faults"),
        CLI_U32(0, "answers", &o.answers, 0, UINT32_MAX, "N",
                "and on until so many were given, within the patience"),
        CLI_DURATION(0, "patience", &o.patience_ms, 1, 86400000,
                     "how long all may take to be done after the network was healed"),
        CLI_U32(0, "delay", &o.faults.delay_ms, 0, 60000, "MS", "longest delay of a message"),
        CLI_U32(0, "loss", &o.faults.loss_permille, 0, 1000, "N", "of 1000 messages, so many lost"),
        CLI_U32(0, "repeat", &o.faults.repeat_permille, 0, 1000, "N",
                "of 1000 messages, so many come twice"),
        CLI_U32(0, "partition", &o.faults.partition_ms, 0, 600000, "MS",
                "partitions, so long and so long apart"),
        CLI_END,
    };
    struct cli cli = {
        .program = "driver",
        .version = PACKAGE_VERSION,
        .text = "Runs nodes of Maelstrom's workload lin-kv and checks what clients saw",
        .epilogue = epilogue,
        .options = options,
    };
    const char *operand[ARGUMENTS_MAX + 1] = {NULL};
    size_t n_operands = 0;
    cli_take_streams();
    int rv = cli_parse(&cli, NULL, argc, argv, operand, ARGUMENTS_MAX, &n_operands);
    if (rv == 0 && n_operands == 0) rv = cli_usage(&cli, "the program of a node is missing");
    return cli_end(&cli, rv != 0 ? rv : drive(&cli, &o, operand));
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A load on a real group, through the very code that vstamp(1) uses (client/conn.c around
 * vr/session.c), that writes down what it asked and learned; load.h has the form.
 *
 *     load CONFIG HISTORY CLIENTS SEED SERVE-MS [NETWORK...]
 *
 * NETWORK is a namespace, as /run/netns/NAME; the clients are shared out among them.  Runs until
 * its standard input ends.  A line `kill` there kills one of the clients, which begins again.  Once
 * it ended the group should be well: within SERVE-MS each request must be answered.  What is
 * unsettled is settled, every key is read, and a line tells how long it took until the group served
 * again.  Status 0: all was answered, so the history can be judged. */
#define _GNU_SOURCE
#include "chaos/load.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct load {
    struct load_shared *shared;
    struct config_addresses replicas;
    int history;
    unsigned n_clients;
    pid_t pids[LOAD_CLIENTS_MAX];
    struct prng prng;
    uint64_t serve_ms;
    char **networks;
    unsigned n_networks;
};

static void check(bool ok, const char *what)
{
    if (ok) return;
    perror(what);
    exit(1);
}

/* From here on this process's connections are made there. */
static void enter_network(const struct load *load, unsigned index)
{
    if (load->n_networks == 0) return;
    const char *path = load->networks[index % load->n_networks];
    int there = open(path, O_RDONLY | O_CLOEXEC);
    check(there >= 0 && setns(there, CLONE_NEWNET) == 0, path);
    close(there);
}

static void begin_client(struct load *load, unsigned index)
{
    static struct load_client client;
    uint64_t seed = prng_next(&load->prng);
    pid_t parent = getpid(), pid = fork();
    check(pid >= 0, "load: fork");
    load->pids[index] = pid;
    if (pid > 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) exit(1);
    enter_network(load, index);
    load_client_open(&client, load->shared, index, &load->replicas, load->history, seed);
    load_client_run(&client);
    load_client_close(&client);
    exit(0);
}

static void kill_client(struct load *load)
{
    unsigned index = (unsigned)prng_below(&load->prng, load->n_clients);
    kill(load->pids[index], SIGKILL);
    waitpid(load->pids[index], NULL, 0);
    begin_client(load, index);
}

static void obey(struct load *load)
{
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strcmp(line, "kill\n") == 0) kill_client(load);
        else fprintf(stderr, "load: not a command: %s", line);
    }
}

/* False: one of them failed, and has said why. */
static bool end_clients(struct load *load)
{
    bool ok = true;
    atomic_store(&load->shared->stopping, true);
    for (unsigned i = 0; i < load->n_clients; i++) {
        int status = 0;
        waitpid(load->pids[i], &status, 0);
        if (status == 0) continue;
        fprintf(stderr, "load: client %u ended with status %#x\n", i, (unsigned)status);
        ok = false;
    }
    return ok;
}

static bool settle_all(struct load *load, struct load_client *client)
{
    for (unsigned i = 0; i < load->n_clients; i++) {
        struct load_room *room = &load->shared->rooms[i];
        unsigned n = atomic_load(&room->n_open);
        client->index = i; /* the operations are that client's */
        for (unsigned j = 0; j < n; j++)
            if (!load_client_settle(client, &room->open[j], load->serve_ms)) return false;
    }
    client->index = load->n_clients;
    return true;
}

static bool read_all(struct load *load, struct load_client *client)
{
    for (uint32_t slot = 0; slot < LOAD_SLOTS; slot++) {
        uint64_t n_ops = atomic_load(&load->shared->tickets[slot]);
        for (uint32_t generation = 0; generation * LOAD_KEY_OPS < n_ops; generation++)
            if (!load_client_read(client, slot, generation, load->serve_ms)) return false;
    }
    return true;
}

/* The faults are over. */
static int finish(struct load *load)
{
    static struct load_client client;
    uint64_t begin = conn_now_ms(), served;
    enter_network(load, 0);
    load_client_open(&client, load->shared, load->n_clients, &load->replicas, load->history,
                     prng_next(&load->prng));
    bool answered = load_client_read(&client, 0, 0, load->serve_ms);
    served = conn_now_ms();
    bool ended_well = end_clients(load);
    answered = answered && settle_all(load, &client) && read_all(load, &client);
    if (answered) {
        printf("served %" PRIu64 " ms after the last fault\n", served - begin);
    } else {
        printf("not served within %" PRIu64 " ms after the last fault: ", load->serve_ms);
        conn_explain(client.conn, stdout);
        printf("\n");
    }
    load_client_close(&client);
    return answered && ended_well ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct load load;
    static struct config config;
    struct vstamp_diag diag = {0};
    load.n_clients = argc >= 6 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    load.serve_ms = argc >= 6 ? strtoull(argv[5], NULL, 10) : 0;
    if (load.n_clients == 0 || load.n_clients > LOAD_CLIENTS_MAX || load.serve_ms == 0) {
        fprintf(stderr, "usage: load CONFIG HISTORY CLIENTS SEED SERVE-MS [NETWORK...]\n");
        return 2;
    }
    if (config_load(&config, argv[1], &diag) != 0) {
        fprintf(stderr, "load: %s\n", diag.text);
        return 2;
    }
    load.replicas = config.replicas_addresses;
    load.networks = argv + 6;
    load.n_networks = (unsigned)argc - 6;
    load.history = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    check(load.history >= 0, argv[2]);
    load.shared = mmap(NULL, sizeof *load.shared, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(load.shared != MAP_FAILED, "load: memory");
    prng_seed(&load.prng, strtoull(argv[4], NULL, 10));
    for (unsigned i = 0; i < load.n_clients; i++) begin_client(&load, i);
    obey(&load);
    return finish(&load);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE /* pipe2 */
#include "maelstrom/network.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "client/memory.h"
#include "program/clock.h"

#define STOP_US (10 * UINT64_C(1000000)) /* a node that takes longer to end hangs */

struct flight {
    uint64_t due_us;
    uint8_t from, to;
    char *line;
};

uint64_t network_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

__attribute__((format(printf, 2, 3))) static void trouble(struct network *net, const char *format,
                                                          ...)
{
    va_list args;
    if (net->trouble[0] != '\0') return;
    va_start(args, format);
    vsnprintf(net->trouble, sizeof net->trouble, format, args);
    va_end(args);
}

/* --- processes -------------------------------------------------------------------------------- */

/* A child with a pipe to its standard input and one from its standard output. */
static int spawn(struct network_node *node, const char *const *argv)
{
    int to[2], from[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) return errno;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    int rv =
        posix_spawnp(&node->pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    if (rv != 0) node->pid = 0;
    node->from.fd = from[0];
    node->to.fd = to[1];
    fcntl(to[1], F_SETFL, O_NONBLOCK);
    return rv;
}

int network_start(struct network *net, uint8_t n, const char *const *argv, uint64_t seed)
{
    assert(n > 0 && n <= REPLICAS_MAX);
    signal(SIGPIPE, SIG_IGN);
    prng_seed(&net->prng, seed);
    for (net->n = 0; net->n < n; net->n++) {
        struct network_node *node = &net->nodes[net->n];
        snprintf(node->id, sizeof node->id, "n%u", net->n);
        int rv = spawn(node, argv);
        if (rv != 0) return rv;
    }
    return 0;
}

static void reap(struct network *net, struct network_node *node, uint64_t deadline_us)
{
    int status = 0;
    pid_t pid;
    if (node->pid == 0) return;
    while ((pid = waitpid(node->pid, &status, WNOHANG)) == 0 && network_now_us() < deadline_us)
        poll(NULL, 0, 10);
    if (pid == 0) {
        trouble(net, "node %s does not end with its input", node->id);
        kill(node->pid, SIGKILL);
        waitpid(node->pid, &status, 0);
    } else if (WIFSIGNALED(status)) {
        trouble(net, "node %s was ended by signal %d", node->id, WTERMSIG(status));
    } else if (WEXITSTATUS(status) != 0) {
        trouble(net, "node %s ended with status %d", node->id, WEXITSTATUS(status));
    }
    node->pid = 0;
}

void network_stop(struct network *net)
{
    uint64_t deadline_us = network_now_us() + STOP_US;
    for (uint8_t i = 0; i < net->n; i++) close(net->nodes[i].to.fd);
    for (uint8_t i = 0; i < net->n; i++) {
        struct network_node *node = &net->nodes[i];
        while (!node->from.ended && network_now_us() < deadline_us) { /* what it has to say yet */
            struct pollfd polls = {.fd = node->from.fd, .events = POLLIN};
            while (lines_next(&node->from) != NULL) continue;
            if (poll(&polls, 1, 100) > 0) lines_read(&node->from);
        }
        reap(net, node, deadline_us);
        close(node->from.fd);
        lines_in_release(&node->from);
        lines_out_release(&node->to);
    }
    for (size_t i = 0; i < net->n_flights; i++) free(net->flights[i].line);
    free(net->flights);
}

/* --- faults ----------------------------------------------------------------------------------- */

static uint64_t around(struct network *net, uint64_t us)
{
    return us / 2 + prng_below(&net->prng, us + 1);
}

/* At least one node on either side. */
static void cut(struct network *net)
{
    uint64_t side = 1 + prng_below(&net->prng, (UINT64_C(1) << net->n) - 2);
    uint64_t ways = prng_below(&net->prng, 4); /* 0: out, 1: in, else both */
    for (uint8_t from = 0; from < net->n; from++) {
        for (uint8_t to = 0; to < net->n; to++) {
            bool out = (side >> from & 1) != 0 && (side >> to & 1) == 0;
            bool in = (side >> from & 1) == 0 && (side >> to & 1) != 0;
            net->blocked[from][to] = (out && ways != 1) || (in && ways != 0);
        }
    }
    net->n_partitions++;
}

static void change_cut(struct network *net, uint64_t now_us)
{
    if (net->faults.partition_ms == 0 || net->n < 2 || now_us < net->cut_change_us) return;
    bool is_first = net->cut_change_us == 0;
    net->cut_change_us = now_us + around(net, net->faults.partition_ms * UINT64_C(1000));
    if (is_first) return;
    net->is_cut = !net->is_cut;
    if (net->is_cut)
        cut(net);
    else
        memset(net->blocked, 0, sizeof net->blocked);
}

void network_heal(struct network *net)
{
    net->faults = (struct network_faults){0};
    net->is_cut = false;
    memset(net->blocked, 0, sizeof net->blocked);
}

/* --- messages --------------------------------------------------------------------------------- */

static void fly(struct network *net, uint8_t from, uint8_t to, const char *line)
{
    uint64_t delay_us = prng_below(&net->prng, net->faults.delay_ms * UINT64_C(1000) + 1);
    struct flight flight = {network_now_us() + delay_us, from, to, memory_copy(line, strlen(line))};
    if (net->n_flights == net->flights_capacity) {
        net->flights_capacity = net->flights_capacity == 0 ? 64 : 2 * net->flights_capacity;
        net->flights = memory_resize(net->flights, net->flights_capacity * sizeof net->flights[0]);
    }
    size_t at = net->n_flights++;
    for (; at > 0 && net->flights[at - 1].due_us > flight.due_us; at--)
        net->flights[at] = net->flights[at - 1];
    net->flights[at] = flight;
}

static void land(struct network *net, uint64_t now_us)
{
    size_t n = 0;
    for (; n < net->n_flights && net->flights[n].due_us <= now_us; n++) {
        struct flight *flight = &net->flights[n];
        if (net->blocked[flight->from][flight->to]) {
            net->n_cut_off++;
        } else {
            lines_put(&net->nodes[flight->to].to, flight->line);
            net->n_carried++;
        }
        free(flight->line);
    }
    net->n_flights -= n;
    if (n > 0) memmove(net->flights, net->flights + n, net->n_flights * sizeof net->flights[0]);
}

static void between_nodes(struct network *net, uint8_t from, uint8_t to, const char *line)
{
    if (prng_below(&net->prng, 1000) < net->faults.loss_permille) {
        net->n_lost++;
        return;
    }
    fly(net, from, to, line);
    if (prng_below(&net->prng, 1000) >= net->faults.repeat_permille) return;
    fly(net, from, to, line);
    net->n_repeated++;
}

static void on_line(struct network *net, uint8_t from, const char *line)
{
    json_t *message = json_loads(line, LINES_DECODE, NULL);
    const char *src = json_string_value(json_object_get(message, "src"));
    const char *dest = json_string_value(json_object_get(message, "dest"));
    const json_t *body = json_object_get(message, "body");
    uint8_t to = 0;
    if (src == NULL || dest == NULL || strcmp(src, net->nodes[from].id) != 0 ||
        !json_is_string(json_object_get(body, "type"))) {
        trouble(net, "node %s said what is no message of its own: %.150s", net->nodes[from].id,
                line);
    } else if (dest[0] == 'c') {
        net->on_client(net->ctx, from, dest, body);
    } else {
        while (to < net->n && strcmp(net->nodes[to].id, dest) != 0) to++;
        if (to < net->n)
            between_nodes(net, from, to, line);
        else
            trouble(net, "node %s writes to %.50s, which there is not", net->nodes[from].id, dest);
    }
    json_decref(message);
}

void network_send(struct network *net, uint8_t node, const char *client, json_t *body)
{
    lines_put_message(&net->nodes[node].to, client, net->nodes[node].id, body);
}

static int patience_ms(const struct network *net, uint64_t until_us)
{
    uint64_t now_us = network_now_us();
    if (net->n_flights > 0 && net->flights[0].due_us < until_us) until_us = net->flights[0].due_us;
    if (net->faults.partition_ms > 0 && net->cut_change_us < until_us)
        until_us = net->cut_change_us;
    return until_us <= now_us ? 0 : (int)((until_us - now_us + 999) / 1000);
}

void network_turn(struct network *net, uint64_t until_us)
{
    struct pollfd polls[2 * REPLICAS_MAX];
    uint64_t now_us = network_now_us();
    change_cut(net, now_us);
    land(net, now_us);
    for (uint8_t i = 0; i < net->n; i++) {
        struct network_node *node = &net->nodes[i];
        int error = lines_write(&node->to);
        if (error != 0) trouble(net, "node %s takes no input: %s", node->id, strerror(error));
        polls[2 * i] =
            (struct pollfd){.fd = node->from.ended ? -1 : node->from.fd, .events = POLLIN};
        polls[2 * i + 1] = (struct pollfd){.fd = lines_waiting(&node->to) > 0 ? node->to.fd : -1,
                                           .events = POLLOUT};
    }
    if (net->trouble[0] != '\0' || poll(polls, 2u * net->n, patience_ms(net, until_us)) <= 0)
        return;
    for (uint8_t i = 0; i < net->n; i++) {
        struct network_node *node = &net->nodes[i];
        const char *line;
        if (polls[2 * i].fd < 0 || polls[2 * i].revents == 0) continue;
        lines_read(&node->from);
        if (node->from.ended) {
            reap(net, node, network_now_us() + STOP_US);
            trouble(net, "node %s ended", node->id);
        }
        while ((line = lines_next(&node->from)) != NULL) on_line(net, i, line);
    }
}

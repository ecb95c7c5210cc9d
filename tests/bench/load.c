/* SPDX-License-Identifier: BSD-2-Clause */
/* The clients' sockets, one epoll over all, and what is counted.
 *
 *     load_STORE CLIENTS SECONDS ADDRESS,ADDRESS,... [OPTION=NUMBER]... [pids=PID,...]
 *         warmup_ms=300      not counted, from the first answer on
 *         patience_ms=60000  silence after which another server is asked
 *         seed=1             of the keys and values
 *         depth=1            requests that each client has outstanding on its connection
 *         gets=0             1: gets, not puts
 *         rate=0             requests a second that are due, whether those before are answered or
 *                            not, by all clients in turn; latencies count from then.  0: each
 *                            client's next one is due when its last one is answered
 *         kill=PID           after SECONDS; the end is when a request that began later is answered
 *
 * The first address is asked first.  One line tells the result:
 *     done=N rate=N p50_us=N p99_us=N gap_ms=N cpu_s=N client_cpu_s=N
 * where the gap is the longest time without any answer (after the kill, if there is one),
 * and cpu_s what the processes of pids= used meanwhile. */
#include "bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "program/address.h"

#define CLIENTS_MAX 16384u
#define PIDS_MAX    16u
#define TICK_NS     UINT64_C(10000000)
#define OPENED      64u /* clients that begin in one tick: a listener's backlog is short */
#define PATIENCE_NS UINT64_C(60000000000) /* with the first answer, and with that after a kill */
#define EVENTS      256
#define DEPTH_MAX   1024u
#define ROOM        (16u << 10) /* bytes, and so many more for each request at once */
#define ROOM_REQUEST 1024u

/* Latencies by their leading six bits: 3 % at most are lost. */
#define MANTISSA_BITS 5
#define N_BUCKETS     (64u << MANTISSA_BITS)

static struct load {
    uint32_t n_clients, n_open, depth;
    bool gets;
    size_t room; /* for what a connection sends and receives */
    struct load_client *clients;
    uint8_t n_servers;
    struct sockaddr_in servers[LOAD_SERVERS_MAX];
    uint32_t n_pids;
    uint32_t pids[PIDS_MAX];
    uint64_t duration_ns, warmup_ns, patience_ns, seed;
    pid_t kill;
    int epoll;

    uint64_t step_ns; /* between two requests that are due; 0: without rate= */
    uint64_t next_ns; /* when the next one is; 0: not all clients are there yet */
    struct load_request **idle; /* a ring of those that wait until they are due */
    uint32_t first_idle, n_idle, n_requests;
    struct load_client **busy; /* those who have more than these: the others need no look */
    uint32_t n_busy;

    uint64_t now_ns;   /* of this turn */
    uint64_t first_ns; /* the first answer; 0: none yet */
    uint64_t from_ns;  /* what is answered from here on is counted; 0: still warming up */
    uint64_t last_ns;  /* the newest answer */
    uint64_t gap_ns;
    uint64_t killed_ns;
    bool recovered;             /* from the kill */
    double cpu_s, client_cpu_s; /* when the counting began */
    uint64_t n_done;
    uint64_t buckets[N_BUCKETS];
} load;

uint64_t load_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void load_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "load_%s: ", load_protocol.name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

/* --- what is counted -------------------------------------------------------------------------- */

static unsigned bucket_of(uint64_t ns)
{
    unsigned shift = 0;
    while (ns >> shift >= 2u << MANTISSA_BITS) shift++;
    return (shift << MANTISSA_BITS) + (unsigned)(ns >> shift);
}

static double bucket_us(unsigned bucket)
{
    unsigned shift = bucket >> MANTISSA_BITS;
    shift = shift > 0 ? shift - 1 : 0;
    uint64_t mantissa = bucket - (shift << MANTISSA_BITS);
    return ((double)mantissa + 0.5) * (double)(UINT64_C(1) << shift) / 1e3;
}

static double percentile_us(unsigned percent)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < N_BUCKETS; i++) {
        sum += load.buckets[i];
        if (sum * 100 > load.n_done * percent) return bucket_us(i);
    }
    return 0;
}

/* User and system time of the servers. */
static double servers_cpu_s(void)
{
    double ticks = 0;
    for (uint32_t i = 0; i < load.n_pids; i++) {
        char path[64], line[1024];
        snprintf(path, sizeof path, "/proc/%" PRIu32 "/stat", load.pids[i]);
        FILE *stat = fopen(path, "re");
        if (stat == NULL) load_fail("a server is gone: %s", path);
        static const char form[] = ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu";
        unsigned long user = 0, kernel = 0;
        const char *rest = fgets(line, sizeof line, stat) != NULL ? strrchr(line, ')') : NULL;
        if (rest != NULL && sscanf(rest, form, &user, &kernel) == 2)
            ticks += (double)user + (double)kernel;
        fclose(stat);
    }
    return ticks / (double)sysconf(_SC_CLK_TCK);
}

static double client_cpu_s(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void count(const struct load_request *r)
{
    if (load.first_ns == 0) load.first_ns = load.now_ns;
    if (load.from_ns == 0 && load.now_ns - load.first_ns >= load.warmup_ns) {
        load.from_ns = load.last_ns = load.now_ns;
        load.cpu_s = servers_cpu_s();
        load.client_cpu_s = client_cpu_s();
    }
    if (load.from_ns == 0) return;
    if (load.killed_ns > 0 && r->began_ns > load.killed_ns) load.recovered = true;
    if (load.now_ns - load.last_ns > load.gap_ns) load.gap_ns = load.now_ns - load.last_ns;
    load.last_ns = load.now_ns;
    load.n_done++;
    load.buckets[bucket_of(load_now_ns() - r->began_ns)]++;
}

static void report(void)
{
    uint64_t now_ns = load_now_ns(), gap_ns = now_ns - load.last_ns;
    double seconds = (double)(now_ns - load.from_ns) / 1e9;
    if (load.n_done == 0) load_fail("nothing was answered");
    printf("done=%" PRIu64 " rate=%.0f p50_us=%.1f p99_us=%.1f gap_ms=%.1f cpu_s=%.2f "
           "client_cpu_s=%.2f\n",
           load.n_done, (double)load.n_done / seconds, percentile_us(50), percentile_us(99),
           (double)(gap_ns > load.gap_ns ? gap_ns : load.gap_ns) / 1e6,
           servers_cpu_s() - load.cpu_s, client_cpu_s() - load.client_cpu_s);
}

/* --- connections ------------------------------------------------------------------------------ */

static void watch(struct load_link *link, int change, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = link};
    if (epoll_ctl(load.epoll, change, link->fd, &e) != 0)
        load_fail("epoll_ctl: %s", strerror(errno));
}

static void link_close(struct load_link *link)
{
    struct load_client *c = link->client;
    close(link->fd);
    link->fd = -1;
    link->up = link->blocked = false;
    link->in_size = link->out_size = 0;
    link->retry_ns = load.now_ns + TICK_NS;
    if (load_protocol.wants == NULL) c->at = (uint8_t)((link->server + 1) % load.n_servers);
    if (load_protocol.on_down != NULL) load_protocol.on_down(c, link->server);
}

static void link_connect(struct load_link *link)
{
    const struct sockaddr_in *to = &load.servers[link->server];
    const int on = 1;
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0 && errno == EMFILE) { /* while all servers are asked */
        link->retry_ns = load.now_ns + TICK_NS;
        return;
    }
    if (link->fd < 0) load_fail("socket: %s", strerror(errno));
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(link, EPOLL_CTL_ADD, EPOLLOUT);
    if (connect(link->fd, (const struct sockaddr *)to, sizeof *to) != 0 && errno != EINPROGRESS)
        link_close(link);
    link->client->heard_ns = load.now_ns;
}

static void link_write(struct load_link *link)
{
    ssize_t n = send(link->fd, link->out, link->out_size, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) {
        link_close(link);
        return;
    }
    if (n > 0) link->out_size -= (size_t)n;
    if (n > 0 && link->out_size > 0) memmove(link->out, link->out + n, link->out_size);
    if (link->blocked == (link->out_size > 0)) return;
    link->blocked = link->out_size > 0;
    watch(link, EPOLL_CTL_MOD, link->blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static bool wanted(struct load_client *c, uint8_t server)
{
    return load_protocol.wants != NULL ? load_protocol.wants(c, server) : server == c->at;
}

/* After anything that may have made the protocol speak. */
static void client_go_on(struct load_client *c)
{
    for (uint8_t i = 0; i < load.n_servers; i++) {
        struct load_link *link = &c->links[i];
        if (link->fd < 0 && load.now_ns >= link->retry_ns && wanted(c, i)) link_connect(link);
        if (link->up && link->out_size > 0 && !link->blocked) link_write(link);
    }
}

static void link_connected(struct load_link *link)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        link_close(link);
        return;
    }
    link->up = true;
    watch(link, EPOLL_CTL_MOD, EPOLLIN);
    load_protocol.on_up(link->client, link->server);
}

static void link_read(struct load_link *link)
{
    struct load_client *c = link->client;
    int fd = link->fd;
    if (link->in_size == load.room) load_fail("an answer is longer than expected");
    ssize_t n = recv(fd, link->in + link->in_size, load.room - link->in_size, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        link_close(link);
        return;
    }
    c->heard_ns = load.now_ns;
    link->in_size += (size_t)n;
    size_t used = 0, one;
    do {
        struct bytes left = {link->in + used, link->in_size - used};
        one = load_protocol.hear(c, link->server, left);
        if (link->fd != fd) return; /* the protocol has refused it */
        used += one;
    } while (one > 0 && used < link->in_size);
    link->in_size -= used;
    if (used > 0 && link->in_size > 0) memmove(link->in, link->in + used, link->in_size);
}

static void link_event(struct load_link *link, uint32_t events)
{
    struct load_client *c = link->client;
    if (link->fd < 0) return; /* closed earlier in this turn */
    if (!link->up)
        link_connected(link);
    else if ((events & EPOLLOUT) != 0)
        link_write(link);
    if (link->up && (events & ~(uint32_t)EPOLLOUT) != 0) link_read(link);
    client_go_on(c);
}

static void client_tick(struct load_client *c)
{
    struct load_link *link = &c->links[c->at];
    if (load_protocol.wants == NULL && link->fd >= 0 &&
        load.now_ns - c->heard_ns > load.patience_ns)
        link_close(link);
    if (load_protocol.on_time != NULL) load_protocol.on_time(c, load.now_ns / 1000000);
    client_go_on(c);
}

/* --- what the protocols call ------------------------------------------------------------------ */

void load_send(struct load_client *c, uint8_t server, const void *data, size_t size)
{
    struct load_link *link = &c->links[server];
    if (size > load.room - link->out_size) load_fail("more to send than there is room for");
    memcpy(link->out + link->out_size, data, size);
    link->out_size += size;
}

size_t load_room(const struct load_client *c, uint8_t server)
{
    return load.room - c->links[server].out_size;
}

static void send_request(struct load_request *r)
{
    (load.gets ? load_protocol.get : load_protocol.put)(r);
}

static void choose(struct load_request *r, uint64_t since_ns)
{
    struct prng *prng = &r->client->prng;
    r->began_ns = since_ns;
    snprintf(r->key, sizeof r->key, "/%015u", (unsigned)prng_below(prng, LOAD_KEYS));
    uint64_t word = prng_next(prng);
    memcpy(r->value, &word, sizeof word);
}

static void note_busy(struct load_client *c)
{
    c->busy_at = load.n_busy;
    load.busy[load.n_busy++] = c;
}

static void note_idle(struct load_client *c)
{
    struct load_client *last = load.busy[--load.n_busy];
    load.busy[c->busy_at] = last;
    last->busy_at = c->busy_at;
}

static void wait_until_due(struct load_request *r)
{
    if (r->idle) return;
    r->idle = true;
    r->client->n_idle++;
    if (r->client->n_idle == r->client->depth) note_idle(r->client);
    load.idle[(load.first_idle + load.n_idle++) % load.n_requests] = r;
    if (load.next_ns == 0 && load.n_idle == load.n_requests) load.next_ns = load_now_ns();
}

void load_begin(struct load_request *r)
{
    if (r->began_ns == 0 && load.step_ns > 0) {
        wait_until_due(r);
        return;
    }
    if (r->began_ns == 0) choose(r, load_now_ns());
    send_request(r);
}

void load_ready(struct load_client *c)
{
    for (uint32_t i = 0; i < c->depth; i++) load_begin(&c->requests[(c->oldest + i) % c->depth]);
}

void load_done(struct load_request *r)
{
    count(r);
    r->began_ns = 0;
    load_begin(r);
}

void load_done_oldest(struct load_client *c)
{
    struct load_request *r = &c->requests[c->oldest];
    c->oldest = (c->oldest + 1) % c->depth;
    load_done(r);
}

void load_refused(struct load_client *c)
{
    link_close(&c->links[c->at]);
}

/* --- the run ---------------------------------------------------------------------------------- */

static bool ended(uint64_t started_ns)
{
    if (load.from_ns == 0) return load.now_ns - started_ns > PATIENCE_NS;
    if (load.killed_ns > 0)
        return load.recovered || load.now_ns - load.killed_ns > PATIENCE_NS;
    if (load.now_ns - load.from_ns < load.duration_ns) return false;
    if (load.kill == 0) return true;
    if (kill(load.kill, SIGKILL) != 0) load_fail("kill: %s", strerror(errno));
    load.killed_ns = load_now_ns();
    load.gap_ns = 0;
    return false;
}

static void open_some(void)
{
    for (uint32_t i = 0; i < OPENED && load.n_open < load.n_clients; i++) {
        struct load_client *c = &load.clients[load.n_open++];
        note_busy(c);
        if (load_protocol.open != NULL) load_protocol.open(c, load.n_servers);
    }
}

static void start_due(void)
{
    while (load.next_ns > 0 && load.next_ns <= load.now_ns && load.n_idle > 0) {
        struct load_request *r = load.idle[load.first_idle];
        load.first_idle = (load.first_idle + 1) % load.n_requests;
        load.n_idle--;
        r->idle = false;
        if (r->client->n_idle == r->client->depth) note_busy(r->client);
        r->client->n_idle--;
        choose(r, load.next_ns);
        send_request(r);
        client_go_on(r->client);
        load.next_ns += load.step_ns;
    }
}

static struct timespec until_due(void)
{
    uint64_t wait_ns = TICK_NS;
    if (load.next_ns > 0 && load.n_idle > 0 && load.next_ns < load.now_ns + TICK_NS)
        wait_ns = load.next_ns > load.now_ns ? load.next_ns - load.now_ns : 0;
    return (struct timespec){.tv_nsec = (long)wait_ns};
}

static void run(void)
{
    uint64_t tick_ns = 0, started_ns = load_now_ns();
    for (;;) {
        struct epoll_event events[EVENTS];
        load.now_ns = load_now_ns();
        if (ended(started_ns)) return;
        if (load.now_ns - tick_ns >= TICK_NS) {
            tick_ns = load.now_ns;
            open_some();
            for (uint32_t i = load.n_busy; i-- > 0;) /* who is idle then has its place taken */
                client_tick(load.busy[i]);
        }
        start_due();
        struct timespec wait = until_due();
        int n = epoll_pwait2(load.epoll, events, EVENTS, &wait, NULL);
        load.now_ns = load_now_ns();
        for (int i = 0; i < n; i++) link_event(events[i].data.ptr, events[i].events);
    }
}

static void *new_zeroed(size_t n, size_t size)
{
    void *p = calloc(n, size > 0 ? size : 1);
    if (p == NULL) load_fail("out of memory");
    return p;
}

static void open_link(struct load_client *c, uint8_t server)
{
    c->links[server] = (struct load_link){
        .client = c,
        .server = server,
        .fd = -1,
        .in = new_zeroed(load.room, 1),
        .out = new_zeroed(load.room, 1),
    };
}

static void open_clients(void)
{
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.clients = new_zeroed(load.n_clients, sizeof load.clients[0]);
    load.n_requests = load.n_clients * load.depth;
    load.idle = new_zeroed(load.n_requests, sizeof(struct load_request *));
    load.busy = new_zeroed(load.n_clients, sizeof(struct load_client *));
    load.room = ROOM + load.depth * ROOM_REQUEST;
    for (uint32_t i = 0; i < load.n_clients; i++) {
        struct load_client *c = &load.clients[i];
        c->links = new_zeroed(load.n_servers, sizeof c->links[0]);
        c->state = new_zeroed(1, load_protocol.state_size);
        c->depth = load.depth;
        c->requests = new_zeroed(c->depth, sizeof c->requests[0]);
        prng_seed(&c->prng, load.seed + i);
        for (uint8_t s = 0; s < load.n_servers; s++) open_link(c, s);
        for (uint32_t r = 0; r < c->depth; r++) {
            c->requests[r].client = c;
            memset(c->requests[r].value, 'v', LOAD_VALUE_SIZE);
        }
    }
}

static bool parse_addresses(char *list)
{
    for (char *rest = list, *one; (one = strsep(&rest, ",")) != NULL; load.n_servers++) {
        char *colon = strrchr(one, ':');
        if (load.n_servers == LOAD_SERVERS_MAX || colon == NULL) return false;
        *colon = '\0';
        struct sockaddr_in *to = &load.servers[load.n_servers];
        *to = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10))};
        if (inet_pton(AF_INET, one, &to->sin_addr) != 1) return false;
    }
    return true;
}

static bool parse_option(char *argument)
{
    char *text = strchr(argument, '=');
    if (text == NULL) return false;
    *text++ = '\0';
    if (strcmp(argument, "pids") == 0) {
        for (char *one; (one = strsep(&text, ",")) != NULL; load.n_pids++) {
            if (load.n_pids == PIDS_MAX) return false;
            load.pids[load.n_pids] = (uint32_t)strtoul(one, NULL, 10);
        }
        return true;
    }
    uint64_t number = strtoull(text, NULL, 10);
    if (strcmp(argument, "warmup_ms") == 0) load.warmup_ns = number * 1000000;
    else if (strcmp(argument, "patience_ms") == 0) load.patience_ns = number * 1000000;
    else if (strcmp(argument, "seed") == 0) load.seed = number;
    else if (strcmp(argument, "depth") == 0) load.depth = (uint32_t)number;
    else if (strcmp(argument, "gets") == 0) load.gets = number != 0;
    else if (strcmp(argument, "rate") == 0) load.step_ns = number > 0 ? 1000000000 / number : 0;
    else if (strcmp(argument, "kill") == 0) load.kill = (pid_t)number;
    else return false;
    return true;
}

int main(int argc, char **argv)
{
    load.warmup_ns = 300 * UINT64_C(1000000);
    load.patience_ns = 60 * UINT64_C(1000000000);
    load.seed = 1;
    load.depth = 1;
    bool ok = argc >= 4;
    if (ok) {
        load.n_clients = (uint32_t)strtoul(argv[1], NULL, 10);
        load.duration_ns = (uint64_t)(strtod(argv[2], NULL) * 1e9);
        ok = load.n_clients > 0 && load.n_clients <= CLIENTS_MAX && load.duration_ns > 0 &&
             parse_addresses(argv[3]);
    }
    for (int i = 4; ok && i < argc; i++) ok = parse_option(argv[i]);
    if (!ok || load.depth == 0 || load.depth > DEPTH_MAX) {
        fprintf(stderr, "usage: load_%s CLIENTS SECONDS ADDRESS,... [warmup_ms=N] "
                        "[patience_ms=N] [seed=N] [depth=N] [gets=1] [rate=N] [kill=PID] "
                        "[pids=PID,...]\n",
                load_protocol.name);
        return 2;
    }
    if (load.depth > 1 && !load_protocol.pipelines) load_fail("its clients ask one at a time");
    if (load.gets && load_protocol.get == NULL) load_fail("it has no gets here");
    open_clients();
    run();
    report();
    return 0;
}

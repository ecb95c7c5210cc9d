/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/transport_uv.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/resource.h>

#include "replica/endpoint.h"
#include "replica/listen.h"
#include "wire/frame.h"

#define BACKLOG         511
#define SWEEP_MS        1000u
#define CLIENT_OVERHEAD 4096u       /* of a client's frame beyond its operation */
#define PEER_OVERHEAD   (64u << 10) /* of a peer's frame beyond the batch it carries */
#define CLIENTS_MIN     16u         /* the least that max_connections may be */
#define FILES           48u         /* descriptors for all that is no connection */

/* Without these a write to the disk may fail for want of a descriptor, which ends the replica. */
#define FILES_BESIDE \
    (FILES + PEERS_PLACES + STRANGERS_MAX + CLIENTS_AT_THE_DOOR + ENDPOINT_CONNECTIONS_MAX + \
     ENDPOINT_DROPPED_MAX)

/* Descriptors are what connections are made of: take as many as the system allows, and promise no
 * more than that.  0, with a sentence: too few. */
static uint32_t connections_possible(struct log *log, uint32_t wanted, struct vstamp_diag *diag)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
    if (limit.rlim_cur < wanted + FILES_BESIDE) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= wanted + FILES_BESIDE) return wanted;
    if (limit.rlim_cur < CLIENTS_MIN + FILES_BESIDE) {
        vstamp_diag_printf(diag,
                           "the system allows this process %ju open files, and a replica needs "
                           "%u: raise the limit (ulimit -n)",
                           (uintmax_t)limit.rlim_cur, CLIENTS_MIN + FILES_BESIDE);
        return 0;
    }
    log_event(log, LOG_LEVEL_WARN, "few-descriptors", LOG_NUMBER("limit", limit.rlim_cur),
              LOG_NUMBER("max_connections", wanted),
              LOG_TEXT("hint", "fewer clients can connect; raise the limit (ulimit -n)"));
    return (uint32_t)limit.rlim_cur - FILES_BESIDE;
}

static bool is_loopback(const struct sockaddr_storage *at)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)at;

    if (at->ss_family == AF_INET6) return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* Debian's hosts file gives a machine's own name an address of the loopback, where nobody else
 * comes.  Who names one itself, or the same host for all, means it. */
static void say_if_on_loopback(struct log *log, const struct config *config, uint8_t self,
                               const struct sockaddr_storage *at)
{
    const struct config_addresses *all = &config->replicas_addresses;
    const struct address *own = &all->at[self];
    char ip[INET6_ADDRSTRLEN];
    struct in_addr v4;
    bool alone = true;

    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->at[i].host, own->host) != 0) alone = false;
    if (alone || own->is_ipv6 || inet_pton(AF_INET, own->host, &v4) == 1) return;
    uv_ip_name((const struct sockaddr *)at, ip, sizeof ip);
    log_event(log, LOG_LEVEL_WARN, "address-on-loopback", LOG_TEXT("address", own->text),
              LOG_TEXT("ip", ip),
              LOG_TEXT("hint", "other machines cannot connect: see to it that this name means an "
                               "address of the network here, too (/etc/hosts)"));
}

/* What the address that we listen at means. */
static void say_what_is_odd(const struct transport *t, const struct config *config, uint8_t self,
                            int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;

    if (getsockname(fd, (struct sockaddr *)&at, &size) != 0) return;
    if (is_loopback(&at))
        say_if_on_loopback(t->log, config, self, &at);
    else if (t->tls == NULL)
        log_event(t->log, LOG_LEVEL_WARN, "no-tls",
                  LOG_TEXT("address", config->replicas_addresses.at[self].text),
                  LOG_TEXT("hint", "whoever reaches this address can read and change everything: "
                                   "see tls in vstamp-config(5)"));
}

static void accept_one(struct transport *t)
{
    t->unaccepted = !clients_accept(&t->clients, (uv_stream_t *)&t->listener);
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (status == 0) accept_one(listener->data);
}

static void renew_certificates(struct transport *t)
{
    struct vstamp_diag diag = {0};
    int rv = t->tls != NULL ? tls_renew(t->tls, &diag) : 0;

    if (rv > 0)
        log_event(t->log, LOG_LEVEL_INFO, "certificates-renewed",
                  LOG_TEXT("hint", "connections that begin from now on show and want these"));
    if (rv < 0)
        log_event(t->log, LOG_LEVEL_WARN, "certificates-kept", LOG_TEXT("reason", diag.text),
                  LOG_TEXT("hint", "those from before are used until the new ones are right"));
}

static void look_at_certificate(struct transport *t)
{
    struct vstamp_diag trouble = {0}, *told = &t->certificate_trouble;

    t->certificate_not_after_s = t->tls != NULL ? tls_not_after_s(t->tls) : UINT64_MAX;
    bool has_trouble = t->tls != NULL && tls_has_trouble(t->tls, t->host, &trouble);
    if (has_trouble && strcmp(trouble.text, told->text) != 0)
        log_event(t->log, LOG_LEVEL_WARN, "certificate-trouble", LOG_TEXT("reason", trouble.text),
                  LOG_TEXT("hint", "what is connected then stays; what breaks does not come back"));
    *told = trouble;
}

static void on_sweep(uv_timer_t *timer)
{
    struct transport *t = timer->data;

    renew_certificates(t);
    look_at_certificate(t);
    peers_sweep(&t->peers);
    clients_sweep(&t->clients);
    if (t->unaccepted) accept_one(t);
}

int transport_open(struct transport *t, uv_loop_t *loop, struct turn *turn, struct log *log,
                   const struct config *config, const struct vr_config *vr, uint64_t seed,
                   struct vstamp_diag *diag)
{
    size_t body = vr->batch_bytes > vr->max_read_bytes ? vr->batch_bytes : vr->max_read_bytes;
    uint32_t slots = connections_possible(log, config->max_connections, diag);
    int fd;

    if (slots == 0) return VSTAMP_E_IO;
    t->log = log;
    t->host = config->replicas_addresses.at[vr->self].host;
    int rv = tls_open_if_set(&t->tls, config->tls, diag);
    if (rv == 0) rv = listen_open(&config->replicas_addresses.at[vr->self], BACKLOG, &fd, diag);
    if (rv != 0) return rv;
    say_what_is_odd(t, config, vr->self, fd);
    look_at_certificate(t);
    uv_timer_init(loop, &t->sweep);
    uv_tcp_init(loop, &t->listener);
    t->sweep.data = t->listener.data = t;
    rv = uv_tcp_open(&t->listener, fd);
    if (rv != 0) {
        vstamp_diag_printf(diag, "%s", uv_strerror(rv));
        return VSTAMP_E_IO;
    }
    peers_init(&t->peers, loop, turn, log, t->tls, vr, body + PEER_OVERHEAD, seed, t->read_buffer);
    rv = clients_init(&t->clients, turn, &t->peers, log, t->tls, slots, body + CLIENT_OVERHEAD,
                      t->read_buffer);
    if (rv != 0) vstamp_diag_printf(diag, "out of memory for %u connections", slots);
    return rv;
}

int transport_start(struct transport *t, struct vstamp_diag *diag)
{
    int rv = uv_listen((uv_stream_t *)&t->listener, BACKLOG, on_connection);

    if (rv != 0) {
        vstamp_diag_printf(diag, "listen: %s", uv_strerror(rv));
        return VSTAMP_E_IO;
    }
    uv_timer_start(&t->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    peers_start(&t->peers);
    return 0;
}

void transport_flush_peers(struct transport *t)
{
    peers_flush(&t->peers);
}

void transport_flush(struct transport *t)
{
    peers_flush(&t->peers);
    clients_flush(&t->clients);
}

/* Whoever is first may fill the turn. */
bool transport_resume(struct transport *t)
{
    bool more = false;

    t->clients_first = !t->clients_first;
    if (t->clients_first) more = clients_resume(&t->clients);
    if (peers_resume(&t->peers)) more = true;
    if (!t->clients_first && clients_resume(&t->clients)) more = true;
    if (t->unaccepted) accept_one(t);
    return more;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The network of a replica: one address for replicas and clients alike.  Who connects says what it
 * is by its first frame; peers.h and clients.h each look after theirs. */
#ifndef REPLICA_TRANSPORT_UV_H
#define REPLICA_TRANSPORT_UV_H

#include "replica/clients.h"
#include "replica/peers.h"

struct transport {
    uv_tcp_t listener;
    uv_timer_t sweep;
    bool clients_first; /* when those that had to wait are fed */
    bool unaccepted; /* one found no memory: the next sweep takes it, until then libuv takes none */
    struct log *log;
    struct tls *tls; /* NULL: without */
    const char *host; /* that others dial */
    struct vstamp_diag certificate_trouble; /* empty: none */
    uint64_t certificate_not_after_s; /* since 1970; UINT64_MAX: there is none */
    struct peers peers;
    struct clients clients;
    uint8_t read_buffer[CONNECTION_READ_SIZE];
};

/* Bind and listen, but accept nobody yet: a port in use is known before anything else is done.
 * `config` and `vr` are kept by pointer.  VSTAMP_E_IO with a sentence that names the address. */
int transport_open(struct transport *t, uv_loop_t *loop, struct turn *turn, struct log *log,
                   const struct config *config, const struct vr_config *vr, uint64_t seed,
                   struct vstamp_diag *diag);

/* Accept and dial. */
int transport_start(struct transport *t, struct vstamp_diag *diag);

/* Write what is queued for other replicas. */
void transport_flush_peers(struct transport *t);

/* After a turn: write what was queued. */
void transport_flush(struct transport *t);

/* Feed what had to wait; as connection_resume_held. */
bool transport_resume(struct transport *t);

#endif

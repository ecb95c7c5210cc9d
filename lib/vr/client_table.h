/* SPDX-License-Identifier: BSD-2-Clause */
/* The client table (paper sections 4.1 and 4.5): for each session the newest executed request and
 * its answer.  It is part of the replicated state: it changes only when an operation is executed
 * (PIT-1.4), lives in the first pages of the state and is checkpointed and transferred with them
 * (PIT-1.5).  The index by client id and the order of last use are derived from it, and rebuilt
 * after a load.  Eviction follows the log alone: the session whose last executed operation is
 * oldest (PIT-6.2). */
#ifndef VR_CLIENT_TABLE_H
#define VR_CLIENT_TABLE_H

#include "base/bytes.h"
#include "vr/pages.h"
#include "wire/schema.h"

/* One session, as its slot in the pages holds it; `answer` points into the page. */
struct client_record {
    struct vstamp_id client;
    uint64_t session;         /* op-number of the newest registration */
    uint64_t register_number; /* request-number of that registration */
    uint64_t number;          /* newest executed request, 0: none */
    uint64_t op;              /* its op-number */
    uint64_t since;           /* op-number since which the client is known */
    uint64_t used;            /* order of last use among all sessions: greater is later */
    uint32_t request;         /* client_table_request of the newest executed one */
    uint8_t outcome;          /* enum wire_outcome: what the answer is */
    struct bytes answer;
};

struct client_table;

/* Pages that the table takes from the start of the state. */
uint32_t client_table_pages(uint32_t max_clients, uint32_t max_answer_bytes);

/* And how many clients so many pages have room for. */
uint64_t client_table_room(uint32_t pages, uint32_t max_answer_bytes);

/* Over the first pages of the state.  NULL: the arena only counts. */
struct client_table *client_table_new(struct arena *arena, struct pages *pages,
                                      uint32_t max_clients, uint32_t max_answer_bytes);

/* All of it is to be empty, as the pages are now, and to take no memory. */
void client_table_give_back(struct client_table *t, const struct give_back *give_back);

/* False if there is no such session. */
bool client_table_find(const struct client_table *t, struct vstamp_id client,
                       struct client_record *record);

/* What client_table_find will look at for these clients is asked of memory, for all of them at
 * once. */
void client_table_foresee(const struct client_table *t, const struct vstamp_id *clients,
                          uint32_t n);

/* Execute a registration at `op`.  A new client gets a slot (evicting the least recently used one
 * when all are taken: *evicted); a known one gets a new session number and keeps number and answer.
 * A registration whose number is not above the known one's changes nothing (a duplicate).  *record
 * is the entry afterwards. */
void client_table_register(struct client_table *t, struct vstamp_id client, uint64_t number,
                           uint64_t op, struct client_record *record, bool *evicted);

/* By what two requests of one number are told apart: two processes with one identity, say with two
 * copies of a session file, must not be given each other's answers (PIT-6.5).  It covers the
 * session, since a number that was not used before a registration is used again after it; 0 for
 * what has no session: registrations and reads. */
uint32_t client_table_request(uint64_t session, struct bytes body);

/* Note the execution of request `number` at `op`.  Asserts that the client is in the table, that
 * the answer is not larger than max_answer_bytes, and that the number is above the one noted before
 * (else it is a duplicate, and was not to be executed), and that op-numbers do not fall. */
void client_table_note(struct client_table *t, struct vstamp_id client, uint64_t number,
                       uint32_t request, uint64_t op, enum wire_outcome outcome,
                       struct bytes answer);

/* How many clients have a session. */
uint32_t client_table_count(const struct client_table *t);

/* Rebuild what is derived from pages that hold the state at op-number `op`: begin, then so many
 * steps at a time, some four for each client.  It fails if they do not make sense (two slots with
 * one client, a size beyond its slot, something newer than `op`): then the pages are damaged or of
 * another configuration.  Until a load has passed nothing else may be asked of the table. */
void client_table_load(struct client_table *t, bool of_candidate, uint64_t op);
enum vstamp_audit client_table_load_some(struct client_table *t, uint32_t steps);

/* The candidate's pages, which it was loaded from, are the live ones now. */
void client_table_become_live(struct client_table *t);

/* All of it at once, from the live pages.  Some 4 ms for 10,000 clients. */
bool client_table_reload(struct client_table *t, uint64_t op);

#endif

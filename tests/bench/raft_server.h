/* SPDX-License-Identifier: BSD-2-Clause */
/* The protocol of raft_server.c.  A request is LOAD_KEY_SIZE bytes of key and LOAD_VALUE_SIZE of
 * value; a key that begins with RAFT_SERVER_ASK asks how the server is instead, and a line comes
 * back: "leader 1234" (or follower, candidate; and what it has applied). */
#ifndef BENCH_RAFT_SERVER_H
#define BENCH_RAFT_SERVER_H

#define RAFT_SERVER_DONE       '+'
#define RAFT_SERVER_NOT_LEADER '-'
#define RAFT_SERVER_ASK        '?'

#endif

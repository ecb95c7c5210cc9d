/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the recording of a replica's life (--record; node/recording.h has the format).
 *
 * Records gather in memory and are written ten times a second, by the loop itself into the
 * system's cache: a write a turn would cost a small put a fifth of its time.  A process that is
 * killed leaves all but its last moment; one that ends by a bug in vstamp writes that moment too,
 * as its last act.  A recording is an aid: if its file cannot be written on, that is said once and
 * the replica goes on without. */
#ifndef REPLICA_RECORDER_H
#define REPLICA_RECORDER_H

#include "node/recording.h"
#include "program/log.h"

struct recorder {
    int fd; /* -1: nothing is recorded (any more); then the functions below do nothing */
    const char *path;
    struct log *log;
    struct writer pending;
    uint64_t place;      /* in the file, where `pending` begins */
    uint64_t written_ms; /* loop time of the newest write */
};

/* A new file, for its owner only, since keys and values are in it; one that is there already must
 * be empty, since what it holds may be the only trace of a bug.  All is kept by pointer, `r` too:
 * there is one in a process. */
int recorder_open(struct recorder *r, const char *path, struct log *log, struct vstamp_diag *diag);

/* As node_io.record. */
void recorder_put(struct recorder *r, enum journal_kind kind, const void *record);

/* After each turn. */
void recorder_after_turn(struct recorder *r, uint64_t now_ms);

/* The process dies of a bug: write what is there.  A handler of signals may call it. */
void recorder_rescue(void);

/* The process ends by itself, with that status. */
void recorder_close(struct recorder *r, uint8_t exit_status);

#endif

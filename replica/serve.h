/* SPDX-License-Identifier: BSD-2-Clause */
/* One replica, from its start to its end: the host of a node (node.h). */
#ifndef REPLICA_SERVE_H
#define REPLICA_SERVE_H

#include "program/config.h"
#include "program/log.h"
#include "replica/storage.h"

struct serve_options {
    const struct config *config; /* data_dir as it is to be used */
    uint32_t index;
    enum log_level log_level;
    enum log_format log_format;
    const volatile bool *no_warnings; /* see log.h */
    enum journal_io journal_io;
    const char *record; /* where to, or NULL: see recorder.h */
    const struct vstamp_app *app; /* unless the configuration names another, */
    bool may_load;                /* which it may */
};

/* What is replicated; NULL: the program of app_exec.  VSTAMP_E_CONFIG with a sentence.  A daemon of
 * one's own, which may not load, passes over `app`: it is what vstamp-admin restore needs to have
 * the same application. */
int serve_application(const struct serve_options *options, const struct vstamp_app **app,
                      struct vstamp_diag *diag);

/* Runs until SIGTERM or SIGINT: 0.  VSTAMP_E_* with a sentence if it could not start. */
int serve_run(const struct serve_options *options, struct vstamp_diag *diag);

/* The exit status of a process in which serve_run has returned `err`. */
int serve_exit(int err);

#endif

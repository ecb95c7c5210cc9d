/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "client/memory.h"
#include "kv/kv.h"

int client_find_group(struct client *c, const char *noted, struct config *config,
                      struct vstamp_diag *diag)
{
    const struct client_options *o = &c->options;
    const char *replicas = o->replicas;
    if (replicas == NULL && o->config == NULL) replicas = noted;
    int rv = replicas != NULL ? config_from_replicas(config, replicas, diag)
                              : config_load(config, o->config, diag);
    bool has_file = config->path[0] != '\0' || o->config != NULL;
    if (rv != 0 && replicas == NULL && !has_file) {
        struct vstamp_diag without = *diag;
        vstamp_diag_printf(diag, "%s; or name the replicas by --replicas", without.text);
    }
    if (rv == 0) c->witnesses = config_witness_set(config);
    if (rv == 0 && replicas == NULL) {
        c->bytes_max.value = config->max_value_bytes;
        c->bytes_max.batch = config->batch_bytes;
    }
    const char *folder = o->tls != NULL ? o->tls : config->tls;
    if (rv == 0 && c->tls == NULL) rv = tls_open_if_set(&c->tls, folder, diag);
    return rv;
}

static bool knows_any_named(const struct client *c)
{
    for (size_t i = 0; i < c->named.n; i++)
        if (session_file_knows(&c->file, c->named.at[i].text)) return true;
    return false;
}

/* The members: those that the group has told the session.  If the session has never met an address
 * that the user names, another group may be meant: then these alone are asked, and whoever answers
 * tells its group. */
static int connect_to_group(struct client *c, const char *noted, struct vstamp_diag *diag)
{
    struct config *begin = memory_new(sizeof *begin), *moved = memory_new(sizeof *moved);
    const struct config *group = begin;
    int rv = client_find_group(c, noted, begin, diag);
    c->named = begin->replicas_addresses;
    if (rv == 0 && c->file.told && knows_any_named(c)) {
        rv = config_from_replicas(moved, c->file.replicas, diag);
        if (rv != 0) vstamp_diag_wrap(diag, "%s", c->file.path);
        c->witnesses = c->file.witnesses;
        group = moved;
    }
    if (rv == 0) {
        c->conn = conn_open(&group->replicas_addresses, &c->named, c->tls);
        if (c->conn == NULL) {
            vstamp_diag_printf(diag, "nothing can be connected: %s", strerror(errno));
            rv = VSTAMP_E_IO;
        }
    }
    free(begin);
    free(moved);
    return rv;
}

int client_begin(struct client *c, const char *file_path, struct vstamp_diag *diag)
{
    int rv = 0;
    if (!c->file_open) {
        const char *path = file_path != NULL ? file_path : c->options.session;
        rv = session_file_open(&c->file, path, file_path == NULL, diag);
        c->file_open = rv == 0;
    }
    const char *noted = file_path != NULL ? c->file.replicas : NULL;
    if (rv == 0 && c->conn == NULL) rv = connect_to_group(c, noted, diag);
    if (rv != 0) return rv;
    if (c->session_begun) return 0;
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) abort();
    session_init(&c->session, &c->file.identity, conn_n_replicas(c->conn), seed);
    session_know_witnesses(&c->session, c->witnesses);
    c->session.in_doubt = !knows_any_named(c);
    c->session.told = c->file.told && !c->session.in_doubt;
    c->session.application = wire_application(KV_APPLICATION);
    c->session_begun = true;
    return 0;
}

void client_end(struct client *c)
{
    conn_close(c->conn);
    c->conn = NULL;
    tls_close(c->tls);
    c->tls = NULL;
    if (c->file_open) session_file_close(&c->file);
    c->file_open = false;
}

struct bytes client_word(const struct client *c, const char *word)
{
    for (size_t i = 0; c->line != NULL && i < c->line->n_words; i++)
        if ((const char *)c->line->words[i].data == word) return c->line->words[i];
    return bytes_of(word);
}

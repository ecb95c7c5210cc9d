/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of the daemon.  One's own daemon has the same but for the choice of the
 * application (<vstamp/replica.h>). */
#include <config.h>

#include "replica/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <vstamp/replica.h>

#include "node/node.h"
#include "program/cli.h"
#include "program/config.h"
#include "program/log.h"
#include "replica/local.h"
#include "replica/serve.h"
#include "replica/storage.h"
#include "tls/tls.h"
#include "vr/membership.h"
#include "vr/witness.h"

#define NO_INDEX UINT32_MAX
#define NO_LOCAL UINT32_MAX
#define NO_LEVEL UINT32_MAX

struct options {
    const char *program; /* as it was called */
    const char *config;
    uint32_t index;
    const char *data_dir, *tls;
    bool check;
    uint32_t log_level; /* enum log_level, or NO_LEVEL */
    enum log_format log_format;
    const char *record;
    enum journal_io journal_io;
    uint32_t local;
    const struct vstamp_app *given;
    bool may_load;
    const char *app, *app_argument, *app_exec;
};

/* --- --check ---------------------------------------------------------------------------------- */

/* What counts is what the folder says of the group, and a start goes on without what is damaged if
 * others can bring it back.  0, or the exit status. */
static int check_folder(const struct cli *cli, const struct config *config, uint32_t index,
                        const struct vr_config *vr)
{
    static struct vr_membership said, configured;
    const char *address = config->replicas_addresses.at[index].text;
    struct vstamp_diag diag = {0};
    int rv = storage_check_owner(config->data_dir, index, address, &diag);
    bool retired;

    if (rv == 0) rv = storage_check_journal(config->data_dir, index, &diag);
    if (rv == VSTAMP_E_CORRUPT && vr->n_replicas > 2) {
        printf("note: %s: started, it recovers from the others\n", diag.text);
    } else if (rv != 0) {
        cli_fail(cli, rv, &diag);
        return serve_exit(rv);
    }
    if (!storage_read_membership(config->data_dir, index, &said, &retired)) return 0;
    vr_membership_of_config(&configured, vr);
    if (retired) {
        printf("it was replaced in epoch %" PRIu32 " and is not needed any more: started, it ends "
               "at once\n", said.epoch);
    } else if (!vstamp_id_equal(vr_membership_checksum(&said),
                                vr_membership_checksum(&configured))) {
        printf("its journal says that the group is another one, and that counts: epoch %" PRIu32,
               said.epoch);
        for (uint8_t i = 0; i < said.n; i++)
            printf("%s %s", i == 0 ? "," : "", said.members[i].address);
        printf("\n");
    }
    return 0;
}

/* What the configuration means for this replica.  0, or the exit status. */
static int check_replica(const struct cli *cli, const struct serve_options *serve,
                         const struct vr_config *vr, const struct vstamp_app *app)
{
    const struct config *config = serve->config;
    const uint32_t index = serve->index;

    printf("replica %" PRIu32 ": listens on %s, status on http://%s/status", index,
           config->replicas_addresses.at[index].text, config->status_addresses.at[index].text);
    if (vr->durable) printf(", data in %s/%" PRIu32, config->data_dir, index);
    printf("\nreplicates: %s%s", app == NULL ? "the program " : "",
           app == NULL ? config->app_exec : app->name);
    printf("\nmemory: at most %zu MiB, as the state grows%s\n", node_memory(vr) >> 20,
           vr_among_witnesses(vr->witnesses, vr->self) ? "; little of it as a witness" : "");
    return vr->durable ? check_folder(cli, config, index, vr) : 0;
}

static int check(const struct cli *cli, const struct serve_options *serve)
{
    const struct config *config = serve->config;
    const struct vstamp_app *app;
    const char *host;
    struct tls *tls = NULL;
    const uint32_t index = serve->index;
    const size_t n = config->replicas_addresses.n, tolerated = (n - 1) / 2;
    struct vstamp_diag diag = {0};
    struct vr_config vr;
    char value[4096];
    int rv = config_to_vr(config, index == NO_INDEX ? 0 : index, PACKAGE_VERSION, &vr, &diag);

    if (rv == 0) rv = serve_application(serve, &app, &diag);
    if (rv == 0) rv = tls_open_if_set(&tls, config->tls, &diag);
    if (rv != 0) return cli_fail(cli, rv, &diag);
    printf("%s: ok: %zu replica%s, tolerates %zu failure%s", config->path, n, n == 1 ? "" : "s",
           tolerated, tolerated == 1 ? "" : "s");
    if (vr.durable)
        printf(", data in %s\n", config->data_dir);
    else
        printf(", data in memory only\n");
    if (n % 2 == 0) printf("note: %zu replicas tolerate no more failures than %zu\n", n, n - 1);
    if (n == 2) printf("note: a replica of 2 that comes back empty cannot recover\n");
    host = index == NO_INDEX ? NULL : config->replicas_addresses.at[index].host;
    if (tls != NULL && tls_has_trouble(tls, host, &diag)) printf("note: %s\n", diag.text);
    tls_close(tls);
    if (index != NO_INDEX) rv = check_replica(cli, serve, &vr, app);
    if (rv != 0) return rv;
    for (size_t i = 0; i < config_n_keys; i++) {
        config_print(config, i, value, sizeof value);
        printf("%s: %s\n", config_keys[i].name, value);
    }
    return CLI_OK;
}

/* --- what to do ------------------------------------------------------------------------------- */

static int run_local(const struct cli *cli, const struct options *o)
{
    struct local_options local = {
        .program = o->program,
        .name = cli->program,
        .n_replicas = o->local,
        .app = o->given,
        .may_load = o->may_load,
        .load = o->app,
        .exec = o->app_exec,
        .argument = o->app_argument,
        .data_dir = o->data_dir,
        .log_level = o->log_level,
        .log_format = o->log_format};
    struct vstamp_diag diag = {0};

    if (o->config != NULL || o->index != NO_INDEX || o->check || o->record != NULL ||
        o->journal_io != JOURNAL_IO_ANY || o->tls != NULL)
        return cli_usage(cli, "--local makes its own configuration: --config, --index, --check, "
                              "--record, --journal-io and --tls do not go with it");
    int rv = local_run(&local, &diag);
    if (rv != 0) cli_fail(cli, rv, &diag);
    return serve_exit(rv);
}

/* What an option says takes the place of what the configuration does. */
static int set_text(const struct cli *cli, char *into, const char *text, const char *option)
{
    if (text == NULL) return 0;
    if (strlen(text) >= CONFIG_PATH_SIZE)
        return cli_usage(cli, "%s: expected 1 to %d characters", option, CONFIG_PATH_SIZE - 1);
    snprintf(into, CONFIG_PATH_SIZE, "%s", text);
    return 0;
}

/* Why it ended: a sentence for a person, or the last line of a log that programs read. */
static void say_why(const struct cli *cli, const struct serve_options *serve, int err,
                    const struct vstamp_diag *diag)
{
    struct log log;

    if (serve->log_format != LOG_FORMAT_JSON) {
        cli_fail(cli, err, diag);
        return;
    }
    log_open(&log, LOG_LEVEL_ERROR, LOG_FORMAT_JSON, (int)serve->index);
    log_event(&log, LOG_LEVEL_ERROR, "failed",
              LOG_TEXT("reason", diag->text[0] != '\0' ? diag->text : vstamp_err_text(err)));
}

static int run_one(const struct cli *cli, const struct options *o)
{
    static struct config config; /* kept by pointer as long as the process runs */
    struct serve_options serve = {.config = &config,
                                  .index = o->index,
                                  .log_level = o->log_level,
                                  .log_format = o->log_format,
                                  .journal_io = o->journal_io,
                                  .record = o->record,
                                  .app = o->given,
                                  .may_load = o->may_load};
    struct vstamp_diag diag = {0};

    if (o->index == NO_INDEX && !o->check)
        return cli_usage(cli, "--index is missing: which replica of the configuration is this?");
    int rv = config_load(&config, o->config, &diag);
    if (rv != 0) {
        say_why(cli, &serve, rv, &diag);
        return CLI_USAGE;
    }
    rv = set_text(cli, config.data_dir, o->data_dir, "--data-dir");
    if (rv == 0) rv = set_text(cli, config.tls, o->tls, "--tls");
    if (o->app != NULL || o->app_exec != NULL) config.app[0] = config.app_exec[0] = '\0';
    if (rv == 0) rv = set_text(cli, config.app, o->app, "--app");
    if (rv == 0) rv = set_text(cli, config.app_exec, o->app_exec, "--app-exec");
    if (rv == 0) rv = set_text(cli, config.app_argument, o->app_argument, "--app-argument");
    if (rv != 0) return rv;
    if (o->check) return check(cli, &serve);
    rv = serve_run(&serve, &diag);
    if (rv != 0) say_why(cli, &serve, rv, &diag);
    return serve_exit(rv);
}

/* The last part of a path; libtool calls a program that is not installed lt-NAME. */
static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;

    return strncmp(name, "lt-", 3) == 0 ? name + 3 : name;
}

#define LOADING_OPTIONS 2u /* the last: whoever has an application of its own loads none */

/* Parses the command line into *o; `cli` gets a table of options that is gone afterwards. */
static int read_options(struct cli *cli, struct options *o, int argc, char **argv)
{
    struct cli_option options[] = {
        CLI_TEXT('c', "config", &o->config, "FILE",
                 "the group's configuration; else $VSTAMP_CONFIG, else ./" CONFIG_FILE_NAME),
        CLI_U32('i', "index", &o->index, 0, REPLICAS_MAX - 1, "N",
                "which replica of the configuration this is, from 0"),
        CLI_TEXT(0, "data-dir", &o->data_dir, "DIR", "use this folder instead of data_dir"),
        CLI_TEXT(0, "tls", &o->tls, "DIR", "use the certificates in this folder instead of tls"),
        CLI_FLAG(0, "check", &o->check, "read the configuration, say what it means, and exit"),
        CLI_WORD(0, "log-level", &o->log_level, LOG_LEVEL_ERROR, LOG_LEVEL_WORDS,
                 "what is worth a line, by default info"),
        CLI_WORD(0, "log-format", &o->log_format, LOG_FORMAT_LOGFMT, LOG_FORMAT_WORDS,
                 "what a line is, by default logfmt"),
        CLI_TEXT(0, "record", &o->record, "FILE",
                 "write all that goes into this replica to a new file, for vstamp-sim(1)"),
        CLI_WORD(0, "journal-io", &o->journal_io, JOURNAL_IO_RING, "ring|thread",
                 "what writes the journal, by default a ring if there is one"),
        CLI_U32(0, "local", &o->local, 1, REPLICAS_MAX - 1, "N",
                "run N replicas on loopback in this terminal, to try it out"),
        CLI_TEXT(0, "app-argument", &o->app_argument, "TEXT",
                 "what the application is given when it starts, instead of app_argument"),
        CLI_TEXT(0, "app", &o->app, "FILE",
                 "replicate the application in this shared library, instead of app"),
        CLI_TEXT(0, "app-exec", &o->app_exec, "PROGRAM",
                 "replicate this program, which is run and asked, instead of app_exec"),
        CLI_END,
    };
    const size_t n = sizeof options / sizeof options[0];

    if (!o->may_load) options[n - 1 - LOADING_OPTIONS] = options[n - 1];
    cli->options = options;
    int rv = cli_parse(cli, NULL, argc, argv, NULL, 0, NULL);
    cli->options = NULL;
    if (rv != 0) return rv;
    if (o->app != NULL && o->app_exec != NULL)
        return cli_usage(cli, "--app and --app-exec: choose one application");
    if (o->log_level == NO_LEVEL)
        o->log_level = o->local != NO_LOCAL ? LOG_LEVEL_WARN : LOG_LEVEL_INFO;
    return 0;
}

int command_run(int argc, char **argv, const struct vstamp_app *app, bool may_load)
{
    struct options o = {.program = argc > 0 ? argv[0] : "vstamp-replica",
                        .index = NO_INDEX,
                        .local = NO_LOCAL,
                        .log_level = NO_LEVEL,
                        .given = app,
                        .may_load = may_load};
    char text[160], epilogue[400];
    struct cli cli = {
        .program = may_load ? "vstamp-replica" : name_of(o.program),
        .version = may_load ? PACKAGE_VERSION : "(vstamp " PACKAGE_VERSION ")",
        .text = text,
        .epilogue = epilogue,
    };

    snprintf(text, sizeof text,
             "Runs one replica of a vstamp group, which keeps %s%s available while machines fail",
             may_load ? "its data" : "the application ", may_load ? "" : app->name);
    snprintf(epilogue, sizeof epilogue,
             "To try it out, without a configuration:\n"
             "  %.60s --local 3\n"
             "\n"
             "Exit status: 0 after SIGTERM or SIGINT, 1 when the disk or the application "
             "failed,\nor a later start may succeed, 2 when it could not start, 6 when its state "
             "is not that\nof the other replicas.\n", cli.program);
    cli_take_streams();
    int rv = read_options(&cli, &o, argc, argv);
    if (rv == 0) rv = o.local != NO_LOCAL ? run_local(&cli, &o) : run_one(&cli, &o);
    return cli_end(&cli, rv);
}

VSTAMP_API int vstamp_replica_main(int argc, char **argv, const struct vstamp_app *app)
{
    return command_run(argc, argv, app, false);
}

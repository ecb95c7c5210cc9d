/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-admin.  What it says of the group is made of what each replica's status endpoint says of
 * itself and of its peers, so it needs no primary for that.  What changes a group that runs goes
 * through its primary, over the port where clients ask. */
#include <config.h>

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include <curl/curl.h>

#include "admin/admin.h"
#include "admin/fetch.h"
#include "admin/notation.h"

#define DESCRIPTORS_LEAST (FETCHES_MAX + 32u) /* of connections, and of all else */

#define COMMAND(name, word, operands, n_min, n_max, text)                                          \
    {word, operands, n_min, n_max, false, text, cmd_##name},
static const struct cli_command commands[] = {
#include "admin/commands.def"
};
#undef COMMAND

static const struct cli_word words[] = {
#define COMMAND(word, function, operands, least, most, takes_value, in_shell, text)                \
    {word, "vstamp " word},
#include "client/commands.def"
#undef COMMAND
};

static const char epilogue[] =
    "Exit status of status: 0 if a replica answered, 3 if none did.\n"
    "Exit status of health: 0 all well, 1 serving but something is down,\n"
    "2 not serving, 3 could not ask anyone.\n"
    "Exit status of backup: 0 done, 3 no replica could be copied; with --verify\n"
    "1 if the file is damaged.\n"
    "Exit status of reconfigure: 0 the group has these members, and lives; 1 no;\n"
    "3 nobody answered; 4 unknown: give it again; 5 refused.\n"
    "Exit status of view-change: 0 another leads, or the named one does already;\n"
    "1 yet another does; 3 nothing was moved; 4 unknown; 5 refused.\n"
    "Exit status of bisect: 0 equal in all that both know, 1 they differ.\n"
    "Exit status of journal: 0 sound, or shown; 1 damaged, or no such entry.\n"
    "2 also: the command line or the configuration is wrong.\n";

int admin_fail(const struct cli *cli, int err, const struct vstamp_diag *diag)
{
    const struct admin *admin = cli->context;
    if (admin->json)
        notation_print_json(
            json_pack("{s:b, s:s, s:s, s:o}", "ok", 0, "error", vstamp_err_name(err), "outcome",
                      err == VSTAMP_E_UNKNOWN_OUTCOME ? "unknown" : "none", "message",
                      notation_text(diag->text[0] != '\0' ? diag->text : vstamp_err_text(err))));
    return cli_fail(cli, err, diag);
}

/* Who may open no connection to a replica would take it for dead. */
static int check_descriptors(struct vstamp_diag *diag)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS_LEAST) return 0;
    vstamp_diag_printf(diag, "the system allows this process %ju open files, and to ask a group "
                             "takes %u: raise 'ulimit -n'",
                       (uintmax_t)limit.rlim_cur, DESCRIPTORS_LEAST);
    return VSTAMP_E_IO;
}

int admin_find_group(const struct admin *admin, struct config *config, struct vstamp_diag *diag)
{
    if (check_descriptors(diag) != 0) return VSTAMP_E_IO;
    if (admin->replicas == NULL) return config_load(config, admin->config_option, diag);
    int rv = config_from_replicas(config, admin->replicas, diag);
    struct config_addresses *status = &config->status_addresses;
    for (; rv == 0 && status->n < config->replicas_addresses.n; status->n++) {
        const struct address *replica = &config->replicas_addresses.at[status->n];
        rv = address_default_status(&status->at[status->n], replica, diag);
        if (rv != 0)
            vstamp_diag_printf(diag, "--replicas: %s has no port + %u, where its status would be: "
                                     "name a configuration with its status_addresses by --config",
                               replica->text, ADDRESS_STATUS_PORT_STEP);
    }
    return rv;
}

int admin_open_tls(const struct admin *admin, const struct config *config, struct tls **tls,
                   struct vstamp_diag *diag)
{
    return tls_open_if_set(tls, admin->tls != NULL ? admin->tls : config->tls, diag);
}

/* Was the command line wrong before the word of a command, which was to be health?  That sees to
 * what is wrong behind it by itself. */
static bool was_to_be_health(const struct cli *cli, char **argv)
{
    bool named = false;
    for (; *argv != NULL; argv++) named |= strcmp(*argv, "health") == 0;
    return named && cli->command == NULL;
}

int main(int argc, char **argv)
{
    struct admin admin = {.timeout_ms = ADMIN_TIMEOUT_MS_DEFAULT};
    const struct cli_option options[] = {
        CLI_TEXT('c', "config", &admin.config_option, "FILE",
                 "the group's configuration; else $VSTAMP_CONFIG, else ./" CONFIG_FILE_NAME),
        CLI_TEXT('r', "replicas", &admin.replicas, "ADDR,ADDR,...",
                 "addresses of its replicas instead; one is enough"),
        CLI_TEXT(0, "tls", &admin.tls, "DIR",
                 "show the certificate in this folder, instead of tls"),
        CLI_DURATION('t', "timeout", &admin.timeout_ms, 10, 600000,
                     "wait this long for answers, by default 1"),
        CLI_FLAG('j', "json", &admin.json, "print JSON, one object on one line"),
        CLI_END,
    };
    struct cli cli = {
        .program = "vstamp-admin",
        .version = PACKAGE_VERSION,
        .text = "Shows, changes, backs up and restores a vstamp group, and inspects its folders",
        .epilogue = epilogue,
        .options = options,
        .commands = commands,
        .n_commands = sizeof commands / sizeof commands[0],
        .words = words,
        .n_words = sizeof words / sizeof words[0],
        .context = &admin,
    };
    if (curl_global_init(CURL_GLOBAL_NOTHING) != 0) {
        cli_complain(&cli, "libcurl could not be started");
        return CLI_BUG;
    }
    int status = cli_run(&cli, argc, argv);
    if (status == CLI_USAGE && was_to_be_health(&cli, argv)) status = ADMIN_EXIT_NOBODY_ANSWERED;
    curl_global_cleanup();
    return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-admin restore FILE: the folders of a new group, made of a backup, before its daemons are
 * started.  Each machine may make its own (--index): same backup and same configuration make the
 * same group. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/admin.h"
#include "admin/copy_file.h"
#include "admin/member.h"
#include "admin/notation.h"
#include "program/config_keys.h"
#include "program/id.h"
#include "program/progress.h"

struct restore {
    const struct admin *admin;
    const char *path;
    const struct config *config;
    uint32_t first, last; /* members to make */
    bool dry_run;
    struct copy_file file;
    struct vstamp_id group;
};

/* Who starts on these folders is to be of their application. */
static int check_application(const struct restore *r, struct vstamp_diag *diag)
{
    const char *named = r->config->app[0] != '\0' ? r->config->app : r->config->app_exec;
    if (r->file.app == NULL) {
        vstamp_diag_printf(diag,
                           "%s: is of another application than the key-value store: name its "
                           "shared library or program in %s, by app or app_exec",
                           r->path, r->config->path);
        return VSTAMP_E_CONFIG;
    }
    if (!copy_file_is_of_store(&r->file) || named[0] == '\0') return 0;
    vstamp_diag_printf(diag, "%s: is of the key-value store, and %s names another application, %s",
                       r->path, r->config->path, named);
    return VSTAMP_E_CONFIG;
}

/* All that can be refused, before anything is written. */
static int check(struct restore *r, struct vstamp_diag *diag)
{
    struct vr_config vr;
    if (r->config->durability == CONFIG_durability_memory) {
        vstamp_diag_printf(diag, "%s: with durability: memory there is no folder to restore into",
                           r->config->path);
        return VSTAMP_E_CONFIG;
    }
    int rv = config_to_vr(r->config, r->last, "", &vr, diag);
    if (rv == 0) rv = copy_file_open(&r->file, r->path, r->config, diag);
    if (rv == VSTAMP_E_CORRUPT) rv = VSTAMP_E_IO; /* a damaged file, not a bug */
    if (rv == 0) rv = check_application(r, diag);
    if (rv == 0) rv = copy_fits(&r->file.copy, &vr, diag);
    for (uint32_t i = r->first; rv == 0 && i <= r->last; i++) rv = member_check(r->config, i, diag);
    if (rv != 0) return rv;
    r->group = copy_group(&r->file.copy, &vr);
    return 0;
}

static void print_member(const struct restore *r, uint32_t index)
{
    char folder[CONFIG_PATH_SIZE];
    if (r->admin->json) return;
    member_print_folder(folder, r->config, index);
    printf("%s  replica %" PRIu32 ", %s\n", r->dry_run ? "would make" : "made     ", index, folder);
}

static void print_json(const struct restore *r)
{
    char group[ID_TEXT_SIZE], folder[CONFIG_PATH_SIZE];
    json_t *object = copy_file_json(&r->file, r->path), *members = json_array();
    id_print(group, r->group);
    for (uint32_t i = r->first; i <= r->last; i++) {
        member_print_folder(folder, r->config, i);
        json_array_append_new(members, json_pack("{s:I, s:o}", "replica", (json_int_t)i, "folder",
                                                 notation_text(folder)));
    }
    json_object_set_new(object, "new_group", json_string(group));
    json_object_set_new(object, "dry_run", json_boolean(r->dry_run));
    json_object_set_new(object, "members", members);
    notation_print_json(object);
}

static int run(struct restore *r, struct vstamp_diag *diag)
{
    char group[ID_TEXT_SIZE];
    struct progress progress;
    int rv = check(r, diag);
    if (rv != 0) return rv;
    if (!r->admin->json) {
        id_print(group, r->group);
        copy_file_print(&r->file, r->path, stdout);
        printf("new group  %s\n", group);
        fflush(stdout);
    }
    for (uint32_t i = r->first; rv == 0 && i <= r->last; i++) {
        progress_begin(&progress, "restore", !r->admin->json && !r->dry_run);
        if (!r->dry_run)
            rv = member_make(r->config, i, r->file.app, &r->file.copy, &progress, diag);
        progress_end(&progress);
        if (rv == 0) print_member(r, i);
    }
    return rv;
}

int cmd_restore(struct cli *cli, int argc, char **argv)
{
    static struct config config;
    static struct restore r;
    struct vstamp_diag diag = {0};
    const char *index = NULL;
    uint64_t number = 0;
    const struct cli_option options[] = {
        CLI_TEXT('i', "index", &index, "N",
                 "make only this member, by default all, on one machine"),
        CLI_FLAG('n', "dry-run", &r.dry_run, "check all, write nothing"),
        CLI_END,
    };
    int rv = cli_parse(cli, options, argc, argv, &r.path, 1, NULL);
    if (rv != 0) return rv;
    r.admin = cli->context;
    r.config = &config;
    if (r.admin->replicas != NULL)
        return cli_usage(cli, "restore: --replicas is not enough for a new group: write its "
                              "configuration, and name it by --config");
    rv = config_load(&config, r.admin->config_option, &diag);
    if (rv != 0) return admin_fail(cli, rv, &diag);
    size_t n = config.replicas_addresses.n;
    if (index != NULL && !config_parse_u64(index, 0, n - 1, &number)) {
        return cli_usage(cli, "--index: expected the index of a replica, 0 to %zu, found '%.60s'",
                         n - 1, index);
    }
    r.first = (uint32_t)number;
    r.last = index != NULL ? (uint32_t)number : (uint32_t)n - 1;
    rv = run(&r, &diag);
    if (rv == 0 && r.admin->json) print_json(&r);
    copy_file_close(&r.file);
    return rv == 0 ? CLI_OK : admin_fail(cli, rv, &diag);
}

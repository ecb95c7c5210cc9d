/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp pending: list the requests that wait to be settled: those in the state folder, and that of
 * --session.  Keys are named, values never. */
#include <config.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "client/answer.h"
#include "client/command.h"
#include "client/memory.h"
#include "client/operation.h"

struct pending_list {
    struct client *c;
    size_t count;
    json_t *items; /* with --json */
};

static void show_file(struct pending_list *l, const char *path)
{
    struct session_file f;
    struct vstamp_diag diag = {0};
    if (session_file_peek(&f, path, &diag) != 0) {
        cli_complain(l->c->cli, "%s", diag.text);
    } else if (f.pending.operation.data != NULL) {
        char *command = operation_described(f.pending.operation, f.pending.is_call);
        l->count++;
        if (l->items != NULL)
            json_array_append_new(l->items, json_pack("{s:s, s:s, s:s}", "file", path, "since",
                                                      f.pending.since, "command", command));
        else
            printf("%s  %s  %s\n", path, f.pending.since, command);
        free(command);
    }
    session_file_close(&f);
}

static int is_noted(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name), suffix = strlen(SESSION_FILE_SUFFIX);
    return length > suffix && strcmp(entry->d_name + length - suffix, SESSION_FILE_SUFFIX) == 0;
}

static int show_folder(struct pending_list *l, struct vstamp_diag *diag)
{
    char *folder;
    int rv = session_file_state_path(&folder, "", diag);
    if (rv != 0) return rv;
    struct dirent **entries;
    int n = scandir(folder, &entries, is_noted, alphasort);
    for (int i = 0; i < n; i++) {
        char *path = NULL;
        size_t size;
        FILE *into = memory_stream(&path, &size);
        fprintf(into, "%s%s", folder, entries[i]->d_name);
        fclose(into);
        show_file(l, path);
        free(path);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    free(folder);
    return 0;
}

int cmd_pending(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    size_t n;
    int rv = cli_parse(cli, NULL, argc, argv, NULL, 0, &n);
    if (rv != 0) return rv;
    struct pending_list l = {.c = c, .items = c->options.json ? json_array() : NULL};
    struct vstamp_diag diag = {0};
    if (c->options.session != NULL) show_file(&l, c->options.session);
    rv = show_folder(&l, &diag);
    if (rv != 0) return answer_refuse(c, "pending", rv, &diag);
    if (l.items != NULL) {
        json_t *object = answer_named("pending");
        json_object_set_new(object, "ok", json_true());
        json_object_set_new(object, "pending", l.items);
        answer_print_json(c, object, NULL);
    } else if (l.count == 0) {
        puts("nothing is pending");
    }
    return CLI_OK;
}

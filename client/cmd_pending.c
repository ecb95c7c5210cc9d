/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp pending: list the requests that wait to be settled: those in the state folder, and that of
 * --session.  Keys are named, values never. */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/answer.h"
#include "client/command.h"
#include "client/json_bytes.h"
#include "client/memory.h"
#include "client/operation.h"
#include "program/escape.h"

struct pending_list {
    struct client *c;
    size_t count;
    bool failed; /* to read a file */
    json_t *items; /* with --json */
};

static void show(struct pending_list *l, const char *path, const struct session_pending *pending)
{
    char *command = operation_described(pending->operation);
    l->count++;
    if (l->items != NULL) {
        json_t *item = json_object();
        json_bytes_set(item, "file", bytes_of(path));
        json_object_set_new(item, "since", json_string(pending->since));
        json_object_set_new(item, "command", json_string(command));
        json_array_append_new(l->items, item);
    } else {
        char *file = escape_for_shell(path);
        printf("%s  %s  %s\n", file, pending->since, command);
        free(file);
    }
    free(command);
}

/* `named` by the user; others may be settled, and gone, meanwhile. */
static void show_file(struct pending_list *l, const char *path, bool named)
{
    struct session_file f;
    struct vstamp_diag diag = {0};
    bool found = session_file_peek(&f, path, &diag) == 0;
    if (found && session_file_is_pending(&f)) show(l, path, &f.pending);
    if (!found && (named || access(path, F_OK) == 0)) {
        cli_complain(l->c->cli, "%s", diag.text);
        l->failed = true;
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
    int rv = session_file_state_path(&folder, "", false, diag);
    if (rv != 0) return rv;
    struct dirent **entries;
    int n = scandir(folder, &entries, is_noted, alphasort);
    if (n < 0 && errno != ENOENT) {
        cli_complain(l->c->cli, "%s: %s", folder, strerror(errno));
        l->failed = true;
    }
    for (int i = 0; i < n; i++) {
        char *path = NULL;
        size_t size;
        FILE *into = memory_stream(&path, &size);
        fprintf(into, "%s%s", folder, entries[i]->d_name);
        fclose(into);
        show_file(l, path, false);
        free(path);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    free(folder);
    return 0;
}

static void print_json(struct pending_list *l)
{
    json_t *object = answer_named("pending");
    json_object_set_new(object, "ok", json_boolean(!l->failed));
    if (l->failed) {
        json_object_set_new(object, "error", json_string(vstamp_err_name(VSTAMP_E_IO)));
        json_object_set_new(object, "outcome", json_string("none"));
        json_object_set_new(object, "message", json_string("not all files could be read"));
    }
    json_object_set_new(object, "pending", l->items);
    answer_print_json(l->c, object, NULL);
}

int cmd_pending(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    int rv = cli_parse(cli, NULL, argc, argv, NULL, 0, NULL);
    if (rv != 0) return rv;
    struct pending_list l = {.c = c, .items = c->options.json ? json_array() : NULL};
    struct vstamp_diag diag = {0};
    if (c->options.session != NULL) show_file(&l, c->options.session, true);
    rv = show_folder(&l, &diag);
    if (rv != 0) return answer_refuse(c, answer_named("pending"), rv, &diag);
    if (l.items != NULL)
        print_json(&l);
    else if (l.count == 0 && !l.failed)
        puts("nothing is pending");
    return l.failed ? CLI_USAGE : CLI_OK;
}

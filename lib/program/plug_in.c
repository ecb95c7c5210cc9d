/* SPDX-License-Identifier: BSD-2-Clause */
/* A library is loaded for the life of the process: to unload code that may have begun threads or
 * left handlers behind is nothing that a replica should try. */
#include "program/plug_in.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define SYMBOL "vstamp_application"

/* What a person is shown, and other replicas compare. */
static bool is_name(const char *name)
{
    size_t size = name == NULL ? 0 : strnlen(name, VSTAMP_NAME_BYTES_MAX + 1);
    if (size == 0 || size > VSTAMP_NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < size; i++)
        if (name[i] < ' ' || name[i] > '~' || name[i] == '"') return false;
    return true;
}

/* NULL, or what is the matter with its functions. */
static const char *misfit(const struct vstamp_app *app)
{
    if (app->apply == NULL || app->query == NULL) return "lacks apply or query";
    if ((app->open == NULL) != (app->close == NULL)) return "has only one of open and close";
    if ((app->save == NULL) != (app->load == NULL)) return "has only one of save and load";
    if ((app->due == NULL) != (app->tick == NULL)) return "has only one of due and tick";
    if (app->settle != NULL && app->resume == NULL) return "has settle without resume";
    if (app->save != NULL && app->resume != NULL) return "has both load and resume";
    return NULL;
}

int plug_in_check(const struct vstamp_app *app, const char *whose, struct vstamp_diag *diag)
{
    if (app->abi != VSTAMP_APP_ABI) {
        vstamp_diag_printf(diag,
                           "%s: made for interface %u of applications, this program has %u: "
                           "compile it with the headers of this version",
                           whose, app->abi, VSTAMP_APP_ABI);
    } else if (!is_name(app->name)) {
        vstamp_diag_printf(diag, "%s: its name must be 1 to %u printable characters", whose,
                           VSTAMP_NAME_BYTES_MAX);
    } else if (misfit(app) != NULL) {
        vstamp_diag_printf(diag, "%s: the application \"%s\" %s", whose, app->name, misfit(app));
    } else {
        return 0;
    }
    return VSTAMP_E_CONFIG;
}

int plug_in_load(const char *path, const struct vstamp_app **app, struct vstamp_diag *diag)
{
    char here[4096 + 3];
    snprintf(here, sizeof here, "%s%s", strchr(path, '/') == NULL ? "./" : "", path);
    void *library = dlopen(here, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *why = dlerror();
        size_t n = strlen(here);
        if (strncmp(why, here, n) == 0 && strncmp(why + n, ": ", 2) == 0) why += n + 2;
        vstamp_diag_printf(diag, "%s: cannot load the application: %s", path, why);
        return VSTAMP_E_CONFIG;
    }
    *app = dlsym(library, SYMBOL);
    if (*app == NULL) {
        vstamp_diag_printf(diag, "%s: has no symbol " SYMBOL ": no application of vstamp", path);
        return VSTAMP_E_CONFIG;
    }
    return plug_in_check(*app, path, diag);
}

int plug_in_open(const struct vstamp_app *app, const char *argument,
                 const struct vstamp_limits *limits, void **instance, struct vstamp_diag *diag)
{
    *instance = NULL;
    if (app->open == NULL && argument != NULL) {
        vstamp_diag_printf(diag, "the application \"%s\" takes no argument", app->name);
        return VSTAMP_E_CONFIG;
    }
    if (app->open == NULL) return 0;
    int rv = app->open(argument, limits, instance, diag);
    if (rv != 0) vstamp_diag_wrap(diag, "the application \"%s\" does not start", app->name);
    return rv;
}

void plug_in_close(const struct vstamp_app *app, void *instance)
{
    if (app->close != NULL && instance != NULL) app->close(instance);
}

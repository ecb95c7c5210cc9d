/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaded into a program with LD_PRELOAD: a name server that hangs.  Hosts below ".hangs" are looked
 * up for a minute, those below ".lingers" for a second, all others as ever. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define HANGS_S   60
#define LINGERS_S 1

typedef int look_up(const char *host, const char *service, const struct addrinfo *hints,
                    struct addrinfo **found);

__attribute__((visibility("default"))) look_up getaddrinfo;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    look_up *real = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    bool is_number = hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0;
    bool is_name = !is_number && host != NULL;
    if (is_name && strstr(host, ".hangs") != NULL) sleep(HANGS_S);
    if (is_name && strstr(host, ".lingers") != NULL) sleep(LINGERS_S);
    return real(host, service, hints, found);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that unloads libvstamp while a name is being looked up, as one does whose plug-in is a
 * client:
 *
 *     unloads LIBRARY HOST:PORT SECONDS
 *
 * It goes on for so many seconds, in which the look-up ends. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <vstamp/client.h>

static void *library;

/* The address of a function of the library, for a pointer to it at `to`. */
static void find(const char *name, void *to)
{
    *(void **)to = dlsym(library, name);
    if (*(void **)to == NULL) exit(2);
}

int main(int argc, char **argv)
{
    __typeof__(&vstamp_driver_open) open_driver;
    __typeof__(&vstamp_driver_ask) ask;
    __typeof__(&vstamp_driver_close) close_driver;
    struct vstamp_driver *driver;
    struct vstamp_reply reply;
    struct vstamp_diag diag = {0};
    if (argc != 4 || (library = dlopen(argv[1], RTLD_NOW)) == NULL) return 2;
    find("vstamp_driver_open", &open_driver);
    find("vstamp_driver_ask", &ask);
    find("vstamp_driver_close", &close_driver);
    if (open_driver(&driver, argv[2], NULL, &diag) != 0) return 2;
    int rv = ask(driver, VSTAMP_READ, "", 0, 100, &reply);
    close_driver(driver);
    if (dlclose(library) != 0) return 2;
    sleep((unsigned)strtoul(argv[3], NULL, 10));
    printf("%d\n", rv);
    return 0;
}

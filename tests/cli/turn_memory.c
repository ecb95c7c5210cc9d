/* SPDX-License-Identifier: BSD-2-Clause */
/* turn_memory PID TEXT: where the memory of that process holds TEXT a bit of its last byte turns,
 * at the first such place in each MiB.  Ends in 77 where that is not allowed, in 1 if it is
 * nowhere. */
#define _GNU_SOURCE /* memmem */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PART (1u << 20)

static unsigned n_turned;

static void turn(int memory, off_t at)
{
    char byte;
    if (pread(memory, &byte, 1, at) != 1) return;
    byte ^= 1;
    if (pwrite(memory, &byte, 1, at) == 1) n_turned++;
}

/* Parts overlap, so that none begins in the midst of it. */
static void search(int memory, uint64_t from, uint64_t to, const char *text)
{
    static char part[PART];
    size_t size = strlen(text);
    for (uint64_t at = from; at < to; at += PART - size) {
        size_t wanted = to - at < PART ? (size_t)(to - at) : PART;
        ssize_t n = pread(memory, part, wanted, (off_t)at);
        const char *found = n > 0 ? memmem(part, (size_t)n, text, size) : NULL;
        if (found != NULL) turn(memory, (off_t)(at + (uint64_t)(found - part) + size - 1));
    }
}

int main(int argc, char **argv)
{
    char path[64], line[512];
    if (argc != 3) return 2;
    snprintf(path, sizeof path, "/proc/%s/mem", argv[1]);
    int memory = open(path, O_RDWR | O_CLOEXEC);
    if (memory < 0) return 77;
    snprintf(path, sizeof path, "/proc/%s/maps", argv[1]);
    FILE *maps = fopen(path, "re");
    if (maps == NULL) return 77;
    while (fgets(line, sizeof line, maps) != NULL) {
        uint64_t from, to;
        char rights[8];
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, rights) == 3 &&
            rights[1] == 'w')
            search(memory, from, to, argv[2]);
    }
    fclose(maps);
    return n_turned > 0 ? 0 : 1;
}

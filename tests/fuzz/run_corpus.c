/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for libFuzzer under make check: fuzz_NAME is run over each file of
 * $top_srcdir/tests/fuzz/corpus-NAME (or over the files named on the command line) and over
 * fuzz_copies damaged copies of it, the same ones each time; and the files must show what they are
 * for (fuzz.h).  Speaks TAP. */
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "fuzz/fuzz.h"

#define FILE_MAX (64u * 1024)
#define FILES_MAX 1000

/* Flip, overwrite, cut, or repeat: what libFuzzer does too, without its feedback. */
static size_t damage(struct prng *p, uint8_t *data, size_t size)
{
    for (uint64_t n = prng_between(p, 1, 4); n > 0 && size > 0; n--) {
        size_t at = (size_t)prng_below(p, size);
        switch (prng_below(p, 4)) {
        case 0: data[at] ^= (uint8_t)(1u << prng_below(p, 8)); break;
        case 1: data[at] = (uint8_t)(prng_chance(p, 1, 2) ? 0xff : prng_next(p)); break;
        case 2: size = at; break;
        default:
            if (2 * size - at > FILE_MAX) break;
            memmove(data + size, data + at, size - at);
            size += size - at;
        }
    }
    return size;
}

/* The copy has exactly its size, so that a sanitizer sees a read beyond it. */
static void run_once(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* *hits: files that come as far as they are for, as they are. */
static int run_file(const char *path, int *hits)
{
    static uint8_t data[FILE_MAX], damaged[FILE_MAX];
    FILE *f = fopen(path, "rb");
    if (f == NULL) return -1;
    size_t size = fread(data, 1, sizeof data, f);
    int failed = ferror(f);
    fclose(f);
    if (failed) return -1;

    struct prng p;
    prng_seed(&p, size);
    unsigned long hits_before = fuzz_hits;
    run_once(data, size);
    *hits += fuzz_hits > hits_before;
    for (unsigned i = 0; i < fuzz_copies; i++) {
        memcpy(damaged, data, size);
        run_once(damaged, damage(&p, damaged, size));
    }
    return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The files in `folder`, in a fixed order; -1 if it cannot be read. */
static int list_folder(const char *folder, char *paths[], int paths_max)
{
    char path[PATH_MAX + NAME_MAX + 2];
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, by_name);
    int n_paths = 0;
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.' && n_paths < paths_max) {
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
            paths[n_paths] = strdup(path);
            if (paths[n_paths] == NULL) abort();
            n_paths++;
        }
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    return n < 0 ? -1 : n_paths;
}

int main(int argc, char **argv)
{
    static char *paths[FILES_MAX];
    char folder[PATH_MAX];
    int n = argc - 1;
    if (n > 0) {
        if (n > FILES_MAX) n = FILES_MAX;
        memcpy(paths, argv + 1, (size_t)n * sizeof paths[0]);
    } else {
        const char *name = strrchr(argv[0], '_'); /* tests/fuzz/fuzz_NAME */
        const char *top = getenv("top_srcdir");
        snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus-%s", top != NULL ? top : ".",
                 name != NULL ? name + 1 : "");
        n = list_folder(folder, paths, FILES_MAX);
    }
    if (n <= 0) {
        printf("Bail out! no corpus\n");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* an abort must not take the names before it along */
    printf("1..%d\n", n + 1);
    int n_failed = 0, n_hits = 0;
    for (int i = 0; i < n; i++) {
        int rv = run_file(paths[i], &n_hits);
        const char *file = strrchr(paths[i], '/');
        printf("%s %d - %s\n", rv == 0 ? "ok" : "not ok", i + 1,
               file != NULL ? file + 1 : paths[i]);
        if (rv != 0) n_failed++;
        if (argc == 1) free(paths[i]);
    }
    bool shows = n_hits >= (n + 3) / 4;
    printf("%s %d - %s: %d of %d files\n", shows ? "ok" : "not ok", n + 1, fuzz_aim, n_hits, n);
    return n_failed > 0 || !shows;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/nearest.h"

#include <stdint.h>
#include <string.h>

#define WORD_BYTES_MAX 64 /* longer words are nobody's typing mistake */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau's distance in its restricted form, over three rows of the table. */
static size_t distance(const char *a, const char *b)
{
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    size_t rows[3][WORD_BYTES_MAX + 1];
    size_t *two_ago = rows[0];
    size_t *previous = rows[1];
    size_t *row = rows[2];

    if (a_size > WORD_BYTES_MAX || b_size > WORD_BYTES_MAX) return SIZE_MAX;
    for (size_t j = 0; j <= b_size; j++) previous[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t replaced = previous[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(replaced, least(previous[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], two_ago[j - 2] + 1);
            }
        }
        size_t *free_row = two_ago;
        two_ago = previous;
        previous = row;
        row = free_row;
    }
    return previous[b_size];
}

struct nearest nearest_to(const char *word)
{
    return (struct nearest){.word = word, .best = NULL, .distance = SIZE_MAX};
}

void nearest_offer(struct nearest *n, const char *candidate)
{
    size_t d = distance(n->word, candidate);
    size_t word_size = strlen(n->word);

    /* A longer word that was cut short ("stat" for "status") is near too. */
    if (d > 2 && word_size >= 3 && strncmp(n->word, candidate, word_size) == 0) d = 2;
    if (d < n->distance) {
        n->distance = d;
        n->best = candidate;
    }
}

const char *nearest_best(const struct nearest *n)
{
    size_t near_enough = strlen(n->word) < 4 ? 1 : strlen(n->word) < 12 ? 2 : 4;
    return n->distance <= near_enough ? n->best : NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Is the history that clients of a real group wrote a possible one?
 *
 *     verdict HISTORY
 *
 * Reads what load.h describes, and asks the simulator's checker (sim/linear.h) about each key; a
 * key that it cannot decide is a failure, too.  Says besides of every counter whether its final sum
 * is between the increments acknowledged and those plus the unknown ones, and of every operation
 * that was settled twice whether both ends agree.  One line is the verdict; before it, for each key
 * that is wrong, why, and its history in order of time.  Status 0: possible. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "sim/linear.h"

#define SEARCH_STEPS  4000000u
#define WORDS_MAX     8
#define CLIENTS_MAX   1024u
#define ANSWER_SHOWN  60u

enum end { END_NONE, END_DONE, END_NO, END_NEVER, END_REFUSED };

struct operation {
    unsigned client;
    uint64_t number;
    size_t key;
    struct linear_op linear;
    enum end end;
    const char *asked, *answered; /* as they stand in the file */
};

struct key {
    const char *name;
    size_t n_ops;
};

struct history {
    struct operation *ops;
    size_t n_ops, ops_capacity;
    struct key *keys;
    size_t n_keys, keys_capacity;
    size_t *by_number[CLIENTS_MAX]; /* of each client: 1 + place in ops */
    size_t by_number_size[CLIENTS_MAX];
    bool bad;
};

static const struct {
    const char *word;
    enum linear_kind kind;
    int n_arguments;
} verbs[] = {
    {"put", LINEAR_PUT, 1},   {"cas-absent", LINEAR_CAS_ABSENT, 1}, {"cas", LINEAR_CAS, 2},
    {"del", LINEAR_DEL, 0},   {"incr", LINEAR_INCR, 1},             {"append", LINEAR_APPEND, 1},
    {"get", LINEAR_GET, 0},
};

static void *grown(void *array, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity) return array;
    *capacity = *capacity == 0 ? 1024 : *capacity * 2;
    array = realloc(array, *capacity * size);
    assert(array != NULL);
    return array;
}

__attribute__((format(printf, 2, 3))) static void complain(struct history *h, const char *format,
                                                           ...)
{
    va_list args;
    h->bad = true;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* --- reading ---------------------------------------------------------------------------------- */

static size_t key_find(struct history *h, const char *name)
{
    for (size_t i = h->n_keys; i > 0; i--) /* the newest are asked most */
        if (strcmp(h->keys[i - 1].name, name) == 0) return i - 1;
    h->keys = grown(h->keys, h->n_keys, &h->keys_capacity, sizeof *h->keys);
    h->keys[h->n_keys] = (struct key){.name = name};
    return h->n_keys++;
}

/* The place where the operation is, or will be, noted; NULL: no such client. */
static size_t *place_of(struct history *h, unsigned client, uint64_t number)
{
    if (client >= CLIENTS_MAX || number > 10000000) return NULL;
    size_t old = h->by_number_size[client];
    if (number >= old) {
        size_t size = old == 0 ? 1024 : old;
        while (size <= number) size *= 2;
        h->by_number[client] = realloc(h->by_number[client], size * sizeof(size_t));
        assert(h->by_number[client] != NULL);
        memset(h->by_number[client] + old, 0, (size - old) * sizeof(size_t));
        h->by_number_size[client] = size;
    }
    return &h->by_number[client][number];
}

/* Bytes of a list's token, as they stand in the store. */
static uint64_t token_size(uint64_t value)
{
    return (uint64_t)snprintf(NULL, 0, "t%" PRIu64 ",", value);
}

/* words: NUMBER KEY VERB [ARGUMENT...] */
static bool read_begin(struct history *h, uint64_t time, unsigned client, char **words, int n)
{
    if (n < 3) return false;
    uint64_t number = strtoull(words[0], NULL, 10);
    size_t *place = place_of(h, client, number);
    if (place == NULL || *place != 0) return false;
    struct operation op = {.client = client, .number = number, .key = key_find(h, words[1])};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(words[2], verbs[i].word) != 0) continue;
        if (n != 3 + verbs[i].n_arguments) return false;
        op.asked = verbs[i].word;
        op.linear = (struct linear_op){.begin = time, .end = LINEAR_PENDING,
                                       .kind = verbs[i].kind};
        if (n > 3) op.linear.argument = strtoull(words[n - 1], NULL, 10);
        if (n > 4) op.linear.expected = strtoull(words[3], NULL, 10);
        if (op.linear.kind == LINEAR_APPEND)
            op.linear.expected = token_size(op.linear.argument);
    }
    if (op.asked == NULL) return false;
    h->ops = grown(h->ops, h->n_ops, &h->ops_capacity, sizeof *h->ops);
    h->ops[h->n_ops++] = op;
    h->keys[op.key].n_ops++;
    *place = h->n_ops;
    return true;
}

/* What a read saw; false if nobody ever writes such a thing. */
static bool parse_value(char kind, const char *text, struct linear_state *saw)
{
    char *after;
    *saw = (struct linear_state){.present = true};
    if (kind != 'l') {
        saw->value = strtoull(text, &after, 10);
        return after != text && *after == '\0';
    }
    saw->length = strlen(text);
    for (const char *at = text; *at != '\0'; at = after + 1) {
        if (*at != 't') return false;
        saw->value = linear_list_hash(saw->value, strtoull(at + 1, &after, 10));
        if (*after != ',') return false;
    }
    return true;
}

static bool take_answer(const struct history *h, struct operation *op)
{
    struct linear_op *l = &op->linear;
    l->done = op->end == END_DONE;
    if (op->end != END_DONE) return true;
    switch (l->kind) {
    case LINEAR_GET:
        return parse_value(h->keys[op->key].name[0], op->answered, &l->saw);
    case LINEAR_INCR:
        return parse_value('c', op->answered, &l->saw);
    case LINEAR_APPEND:
        l->saw.present = true;
        l->saw.length = strtoull(op->answered, NULL, 10);
        return l->saw.length > 0;
    case LINEAR_PUT:
    case LINEAR_DEL:
    case LINEAR_CAS:
    case LINEAR_CAS_ABSENT:
        return op->answered[0] == '\0';
    }
    return false;
}

static const char *const end_words[] = {[END_NONE] = "unknown", [END_DONE] = "done",
                                        [END_NO] = "no",        [END_NEVER] = "never",
                                        [END_REFUSED] = "refused"};

/* words: NUMBER OUTCOME [ANSWER] */
static bool read_end(struct history *h, uint64_t time, unsigned client, char **words, int n)
{
    if (n < 2) return false;
    size_t *place = place_of(h, client, strtoull(words[0], NULL, 10));
    if (place == NULL || *place == 0) return false;
    struct operation *op = &h->ops[*place - 1];
    const char *answered = n > 2 ? words[2] : "";
    size_t end = 0;
    while (end <= END_REFUSED && strcmp(words[1], end_words[end]) != 0) end++;
    if (end > END_REFUSED) return false;
    if (end == END_NONE) return true;
    if (op->end != END_NONE) {
        if (op->end != (enum end)end || strcmp(op->answered, answered) != 0)
            complain(h, "key %s: operation %u/%" PRIu64 " ended twice: %s %s, then %s %s",
                     h->keys[op->key].name, client, op->number, end_words[op->end], op->answered,
                     words[1], answered);
        return true;
    }
    op->end = (enum end)end;
    op->answered = answered;
    if (end == END_REFUSED)
        complain(h, "key %s: operation %u/%" PRIu64 " was refused: %s", h->keys[op->key].name,
                 client, op->number, answered);
    if (end == END_DONE || end == END_NO) op->linear.end = time;
    if (!take_answer(h, op))
        complain(h, "key %s: operation %u/%" PRIu64 " was answered what nobody wrote: %s",
                 h->keys[op->key].name, client, op->number, answered);
    return true;
}

static bool read_line(struct history *h, char *line)
{
    char *words[WORDS_MAX], *rest = line, *word;
    int n = 0;
    while (n < WORDS_MAX && (word = strsep(&rest, " \n")) != NULL)
        if (*word != '\0') words[n++] = word;
    if (n < 3) return false;
    uint64_t time = strtoull(words[0], NULL, 10);
    unsigned client = (unsigned)strtoul(words[1], NULL, 10);
    if (strcmp(words[2], "begin") == 0) return read_begin(h, time, client, words + 3, n - 3);
    if (strcmp(words[2], "end") == 0) return read_end(h, time, client, words + 3, n - 3);
    return false;
}

static bool read_history(struct history *h, const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t capacity = 0;
    uint64_t n_lines = 0;
    if (file == NULL) {
        perror(path);
        return false;
    }
    while (getline(&line, &capacity, file) > 0) {
        n_lines++;
        if (read_line(h, line)) {
            line = NULL; /* its words are kept */
            capacity = 0;
            continue;
        }
        fprintf(stderr, "verdict: %s:%" PRIu64 ": not a line of a history\n", path, n_lines);
        return false;
    }
    fclose(file);
    return true;
}

/* --- judging ---------------------------------------------------------------------------------- */

static bool is_pending(const struct operation *op)
{
    return op->end == END_NONE;
}

static bool is_answered(const struct operation *op)
{
    return op->end == END_DONE || op->end == END_NO;
}

/* The newest read of a key; NULL: none began when all else that was answered had been. */
static const struct operation *last_read(const struct history *h, size_t key)
{
    const struct operation *last = NULL;
    uint64_t last_end = 0;
    for (size_t i = 0; i < h->n_ops; i++) {
        const struct operation *op = &h->ops[i];
        if (op->key != key || !is_answered(op)) continue;
        if (op->linear.kind == LINEAR_GET &&
            (last == NULL || op->linear.begin > last->linear.begin))
            last = op;
        else if (op->linear.kind != LINEAR_GET && op->linear.end > last_end)
            last_end = op->linear.end;
    }
    return last != NULL && last->linear.begin > last_end ? last : NULL;
}

/* The last read of a list settles every append to it: it stands where it stands, or it did not
 * happen as far as anyone will ever see. */
static void settle_append(struct operation *op, const struct operation *last)
{
    char token[32];
    snprintf(token, sizeof token, "t%" PRIu64 ",", op->linear.argument);
    const char *at = last->end == END_DONE ? strstr(last->answered, token) : NULL;
    if (at == NULL) op->end = END_NEVER;
    else
        op->linear.saw = (struct linear_state){
            true, 0, (uint64_t)(at - last->answered) + strlen(token)};
}

static void judge_counter(struct history *h, size_t key, const struct operation *last)
{
    uint64_t least = 0, most = 0, sum = last->end == END_DONE ? last->linear.saw.value : 0;
    for (size_t i = 0; i < h->n_ops; i++) {
        const struct operation *op = &h->ops[i];
        if (op->key != key || op->linear.kind != LINEAR_INCR) continue;
        if (op->end == END_DONE) least += op->linear.argument;
        if (op->end == END_DONE || is_pending(op)) most += op->linear.argument;
    }
    if (sum < least || sum > most)
        complain(h, "key %s: the final sum is %" PRIu64 ", acknowledged are %" PRIu64
                    ", with the unknown ones %" PRIu64, h->keys[key].name, sum, least, most);
}

static int compare_begins(const void *left, const void *right)
{
    const struct operation *const *a = left, *const *b = right;
    return ((*a)->linear.begin > (*b)->linear.begin) - ((*a)->linear.begin < (*b)->linear.begin);
}

/* Of a long list the end. */
static void show_answer(const struct operation *op)
{
    const char *text = op->answered == NULL ? "" : op->answered;
    size_t size = strlen(text);
    bool is_long = size > ANSWER_SHOWN;
    printf("%s %s%s\n", end_words[op->end], is_long ? "..." : "",
           is_long ? text + size - ANSWER_SHOWN : text);
}

static void show_key(const struct history *h, size_t key)
{
    const struct operation **ops = calloc(h->keys[key].n_ops, sizeof *ops);
    size_t n = 0;
    assert(ops != NULL);
    for (size_t i = 0; i < h->n_ops; i++)
        if (h->ops[i].key == key) ops[n++] = &h->ops[i];
    qsort(ops, n, sizeof *ops, compare_begins);
    printf("  %14s  %14s  %-12s operations of %s\n", "begin us", "end us", "client/no.",
           h->keys[key].name);
    for (size_t i = 0; i < n; i++) {
        const struct linear_op *l = &ops[i]->linear;
        char end[32] = "", name[32], arguments[64] = "";
        if (l->end != LINEAR_PENDING) snprintf(end, sizeof end, "%" PRIu64, l->end);
        snprintf(name, sizeof name, "%u/%" PRIu64, ops[i]->client, ops[i]->number);
        if (l->kind == LINEAR_CAS)
            snprintf(arguments, sizeof arguments, " %" PRIu64 " %" PRIu64, l->expected,
                     l->argument);
        else if (l->kind != LINEAR_GET && l->kind != LINEAR_DEL)
            snprintf(arguments, sizeof arguments, " %" PRIu64, l->argument);
        printf("  %14" PRIu64 "  %14s  %-12s %s%s: ", l->begin, end, name, ops[i]->asked,
               arguments);
        show_answer(ops[i]);
    }
    free(ops);
}

/* What was done to a key, or may have been.  Returns how many that are; no more than LINEAR_OPS_MAX
 * are put into `ops`. */
static size_t collect(struct history *h, size_t key, const struct operation *last,
                      struct linear_op ops[static LINEAR_OPS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < h->n_ops; i++) {
        struct operation *op = &h->ops[i];
        if (op->key != key) continue;
        if (is_pending(op) && op->linear.kind == LINEAR_APPEND) settle_append(op, last);
        if (op->end == END_NEVER || (is_pending(op) && op->linear.kind == LINEAR_GET)) continue;
        if (n < LINEAR_OPS_MAX) ops[n] = op->linear;
        n++;
    }
    return n;
}

static void judge_key(struct history *h, size_t key)
{
    static struct linear_op ops[LINEAR_OPS_MAX];
    const char *name = h->keys[key].name;
    const struct operation *last = last_read(h, key);
    bool was_bad = h->bad;
    h->bad = false;
    if (last == NULL) complain(h, "key %s: was not read at the end", name);
    size_t n = last != NULL ? collect(h, key, last, ops) : 0;
    enum linear_verdict verdict =
        n > LINEAR_OPS_MAX ? LINEAR_TOO_HARD : linear_check(ops, n, SEARCH_STEPS);
    if (verdict == LINEAR_VIOLATION) complain(h, "key %s: the history is not linearizable", name);
    if (verdict == LINEAR_TOO_HARD)
        complain(h, "key %s: unknown: the history is too hard to check", name);
    if (last != NULL && name[0] == 'c') judge_counter(h, key, last);
    if (h->bad) show_key(h, key);
    h->bad |= was_bad;
}

static void print_verdict(const struct history *h)
{
    size_t n_writes = 0, n_ends[END_REFUSED + 1] = {0};
    for (size_t i = 0; i < h->n_ops; i++) {
        n_ends[h->ops[i].end]++;
        n_writes += h->ops[i].linear.kind != LINEAR_GET && h->ops[i].end == END_DONE;
    }
    printf("verdict: %s, %zu operations on %zu keys: %zu answered, %zu unknown, %zu not run\n",
           h->bad        ? "WRONG"
           : n_writes > 0 ? "possible"
                          : "NOTHING, no write was done",
           h->n_ops, h->n_keys, n_ends[END_DONE] + n_ends[END_NO], n_ends[END_NONE],
           n_ends[END_NEVER]);
    if (h->bad || n_writes == 0) exit(1);
}

int main(int argc, char **argv)
{
    static struct history h;
    if (argc != 2) {
        fprintf(stderr, "usage: verdict HISTORY\n");
        return 2;
    }
    if (!read_history(&h, argv[1])) return 2;
    for (size_t key = 0; key < h.n_keys; key++) judge_key(&h, key);
    print_verdict(&h);
    return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A plug-in with a state in memory of its own: a phone book.
 *
 *     cc -shared -fPIC $(pkg-config --cflags vstamp) -o phonebook.so phonebook.c
 *     vstamp-replica --app ./phonebook.so --local 3
 *     vstamp --replicas ... call 'ada=12'     notes the number, prints the former one
 *     vstamp --replicas ... call 'ada='       strikes her out
 *     vstamp --replicas ... call --read ada   prints the number; '' prints the whole book
 *
 * The book is a list in order of names, so that equal books are saved as equal bytes. */
#include <stdlib.h>
#include <string.h>

#include <vstamp/app.h>

#define WORD 64 /* of a name or a number, with a NUL */

struct entry {
    struct entry *next;
    char name[WORD], number[WORD];
};

struct book {
    struct entry *first;
};

/* "NAME=NUMBER"; without "=" the number is empty. */
static bool parse(const uint8_t *operation, size_t size, struct entry *e)
{
    const uint8_t *equals = size > 0 ? memchr(operation, '=', size) : NULL;
    size_t name = equals != NULL ? (size_t)(equals - operation) : size;
    size_t number = equals != NULL ? size - name - 1 : 0;
    *e = (struct entry){0};
    if (name >= WORD || number >= WORD) return false;
    if (name > 0) memcpy(e->name, operation, name);
    if (number > 0) memcpy(e->number, equals + 1, number);
    return true;
}

static void say(struct vstamp_answer *answer, const char *text)
{
    size_t size = strlen(text);
    if (size > answer->capacity - answer->size) size = answer->capacity - answer->size;
    memcpy(answer->data + answer->size, text, size);
    answer->size += size;
}

/* Where an entry of this name is, or would be. */
static struct entry **place(struct book *b, const char *name)
{
    struct entry **at = &b->first;
    while (*at != NULL && strcmp((*at)->name, name) < 0) at = &(*at)->next;
    return at;
}

static void put(struct book *b, const struct entry *e)
{
    struct entry **at = place(b, e->name), *known = *at;
    bool same = known != NULL && strcmp(known->name, e->name) == 0;
    if (same && e->number[0] == '\0') {
        *at = known->next;
        free(known);
        return;
    }
    if (e->number[0] == '\0') return;
    if (!same) {
        *at = malloc(sizeof **at);
        if (*at == NULL) abort();
        **at = *e;
        (*at)->next = known;
    }
    memcpy((*at)->number, e->number, WORD);
}

static int check(const struct vstamp_limits *limits, const uint8_t *operation, size_t size,
                 struct vstamp_diag *why)
{
    struct entry e;
    (void)limits;
    if (parse(operation, size, &e) && e.name[0] != '\0') return 0;
    vstamp_diag_printf(why, "NAME=NUMBER is expected, each of at most %d characters", WORD - 1);
    return VSTAMP_E_INVALID;
}

static void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct book *b = vstamp_pages_instance(pages);
    struct entry e;
    (void)context;
    if (!parse(operation, size, &e)) return;
    const struct entry *former = *place(b, e.name);
    if (former != NULL && strcmp(former->name, e.name) == 0) say(answer, former->number);
    say(answer, "\n");
    put(b, &e);
}

static void query(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
                  struct vstamp_answer *answer)
{
    const struct book *b = vstamp_pages_instance(pages);
    struct entry asked;
    if (!parse(operation, size, &asked)) return;
    for (const struct entry *e = b->first; e != NULL; e = e->next) {
        if (asked.name[0] != '\0' && strcmp(asked.name, e->name) != 0) continue;
        if (asked.name[0] == '\0') {
            say(answer, e->name);
            say(answer, "=");
        }
        say(answer, e->number);
        say(answer, "\n");
    }
}

static int open_book(const char *argument, const struct vstamp_limits *limits, void **instance,
                     struct vstamp_diag *why)
{
    (void)argument;
    (void)limits;
    *instance = calloc(1, sizeof(struct book));
    if (*instance != NULL) return 0;
    vstamp_diag_printf(why, "out of memory");
    return VSTAMP_E_IO;
}

static void forget(struct book *b)
{
    while (b->first != NULL) {
        struct entry *e = b->first;
        b->first = e->next;
        free(e);
    }
}

static void close_book(void *instance)
{
    forget(instance);
    free(instance);
}

static void save(const void *instance, struct vstamp_save *to)
{
    const struct book *b = instance;
    for (const struct entry *e = b->first; e != NULL; e = e->next) {
        vstamp_save_bytes(to, e->name, WORD);
        vstamp_save_bytes(to, e->number, WORD);
    }
}

static int load(void *instance, struct vstamp_load *from, struct vstamp_diag *why)
{
    struct book *b = instance;
    struct entry e = {0};
    forget(b);
    while (vstamp_load_bytes(from, e.name, WORD) == WORD &&
           vstamp_load_bytes(from, e.number, WORD) == WORD) {
        if (memchr(e.name, '\0', WORD) == NULL || memchr(e.number, '\0', WORD) == NULL) {
            vstamp_diag_printf(why, "a name or a number does not end");
            return VSTAMP_E_MALFORMED;
        }
        put(b, &e);
    }
    return 0;
}

const struct vstamp_app vstamp_application = {.abi = VSTAMP_APP_ABI,
                                              .name = "phone book",
                                              .check = check,
                                              .apply = apply,
                                              .query = query,
                                              .open = open_book,
                                              .close = close_book,
                                              .save = save,
                                              .load = load};

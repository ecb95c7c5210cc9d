/* SPDX-License-Identifier: BSD-2-Clause */
/* A lock service, as a plug-in.  A lock is held for a while and then ends by itself, so that a
 * holder who has died blocks nobody for ever.
 *
 *     cc -shared -fPIC $(pkg-config --cflags vstamp) -o locks.so locks.c
 *     vstamp-replica --app ./locks.so --local 3
 *     vstamp --replicas ... call 'acquire backup 30s'    granted 1
 *     vstamp --replicas ... call 'acquire backup 30s'    held 1
 *     vstamp --replicas ... call 'renew backup 1 30s'    renewed
 *     vstamp --replicas ... call 'release backup 1'      released
 *     vstamp --replicas ... call --read 'holder backup'  free; or: held 1
 *     vstamp --replicas ... call --read 'list'           every lock that is held, with its token
 *
 * The number that `acquire` grants is a fencing token: it rises with each grant of any lock.  A
 * holder may be stopped for longer than its lease and not notice; whoever is protected by the lock
 * should remember the greatest token it has seen, and refuse a smaller one.
 *
 * Leases end by the time that the group agrees on, the same at every replica and through a change
 * of the primary: an operation takes a lease for over from its own timestamp on, and a tick removes
 * it soon after, for those who only read. */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vstamp/app.h>

#define NAME_BYTES 48u /* with a NUL */
#define LEASE_MAX_US (UINT64_C(24) * 3600 * 1000000)

/* Saved as it is: all of its 64 bytes are written to. */
struct lock {
    char name[NAME_BYTES]; /* zeros behind its end */
    uint64_t token, until_us;
};

struct locks {
    uint64_t newest_token;
    struct lock *held; /* in order of their names */
    size_t n, room;
    uint64_t due_us; /* no lease ends earlier; VSTAMP_NEVER: there is none */
};

enum verb { ACQUIRE, RENEW, RELEASE, HOLDER, LIST };

/* What each verb is followed by. */
static const struct form {
    const char *word;
    bool name, token, lease, reads;
} forms[] = {
    [ACQUIRE] = {"acquire", .name = true, .lease = true},
    [RENEW] = {"renew", .name = true, .token = true, .lease = true},
    [RELEASE] = {"release", .name = true, .token = true},
    [HOLDER] = {"holder", .name = true, .reads = true},
    [LIST] = {"list", .reads = true},
};

struct request {
    enum verb verb;
    char name[NAME_BYTES];
    uint64_t token, lease_us;
};

/* --- what is asked ---------------------------------------------------------------------------- */

static bool to_number(const char *word, uint64_t *number, const char **rest)
{
    char *end;
    if (!isdigit((unsigned char)word[0]) || strlen(word) > 18) return false;
    *number = strtoull(word, &end, 10);
    *rest = end;
    return true;
}

/* "30s", "500ms". */
static bool to_lease(const char *word, uint64_t *us)
{
    const char *unit;
    if (!to_number(word, us, &unit) || *us > LEASE_MAX_US) return false;
    uint64_t factor = strcmp(unit, "ms") == 0 ? 1000 : strcmp(unit, "s") == 0 ? 1000000 : 0;
    *us *= factor;
    return *us > 0 && *us <= LEASE_MAX_US;
}

/* NULL, or what is wrong. */
static const char *parse(const uint8_t *operation, size_t size, struct request *request)
{
    char text[128], *at = text;
    const char *rest;
    *request = (struct request){0};
    if (size >= sizeof text || memchr(operation, '\0', size) != NULL)
        return "a line of text is expected";
    memcpy(text, operation, size);
    text[size] = '\0';

    const struct form *form = NULL;
    const char *word = strtok_r(text, " \n", &at);
    for (size_t i = 0; word != NULL && i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(word, forms[i].word) == 0) form = &forms[request->verb = (enum verb)i];
    if (form == NULL) return "acquire, renew, release, holder or list is expected";
    if (form->name) {
        word = strtok_r(NULL, " \n", &at);
        if (word == NULL || strlen(word) >= NAME_BYTES)
            return "a name of at most 47 bytes is expected";
        memcpy(request->name, word, strlen(word));
    }
    if (form->token) {
        word = strtok_r(NULL, " \n", &at);
        if (word == NULL || !to_number(word, &request->token, &rest) || *rest != '\0')
            return "the token that acquire gave is expected";
    }
    if (form->lease) {
        word = strtok_r(NULL, " \n", &at);
        if (word == NULL || !to_lease(word, &request->lease_us))
            return "a time as 500ms or 30s is expected, of at most a day";
    }
    return strtok_r(NULL, " \n", &at) == NULL ? NULL : "there is a word too many";
}

/* What does not fit is left out. */
__attribute__((format(printf, 2, 3))) static void say(struct vstamp_answer *answer,
                                                      const char *format, ...)
{
    size_t left = answer->capacity - answer->size;
    va_list list;
    va_start(list, format);
    int n = vsnprintf((char *)answer->data + answer->size, left, format, list);
    va_end(list);
    if (n > 0 && (size_t)n < left) answer->size += (size_t)n;
}

/* --- the locks -------------------------------------------------------------------------------- */

/* The place of this name in the order, and whether it is held there. */
static size_t find(const struct locks *l, const char *name, bool *held)
{
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(l->held[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *held = low < l->n && strcmp(l->held[low].name, name) == 0;
    return low;
}

static bool grow(struct locks *l, size_t n)
{
    if (n <= l->room) return true;
    size_t room = n < 32 ? 64 : 2 * n;
    struct lock *held = realloc(l->held, room * sizeof *held);
    if (held == NULL) return false;
    l->held = held;
    l->room = room;
    return true;
}

static void take_away(struct locks *l, size_t place)
{
    memmove(&l->held[place], &l->held[place + 1], (l->n - place - 1) * sizeof l->held[0]);
    l->n--;
}

static void hold_until(struct locks *l, struct lock *lock, uint64_t us)
{
    lock->until_us = us;
    if (us < l->due_us) l->due_us = us;
}

static bool fits(const struct locks *l, const struct vstamp_limits *limits)
{
    return sizeof l->newest_token + (l->n + 1) * sizeof l->held[0] <= limits->state_bytes;
}

static void acquire(struct locks *l, const struct vstamp_context *context,
                    const struct request *request, struct vstamp_answer *answer)
{
    bool held;
    size_t place = find(l, request->name, &held);
    if (held && l->held[place].until_us > context->timestamp_us) {
        say(answer, "held %" PRIu64 "\n", l->held[place].token);
        return;
    }
    if (!held && !fits(l, &context->limits)) {
        say(answer, "full\n");
        return;
    }
    if (!held) {
        if (!grow(l, l->n + 1)) abort(); /* the others may have the memory: do not differ, end */
        memmove(&l->held[place + 1], &l->held[place], (l->n - place) * sizeof l->held[0]);
        l->n++;
    }
    struct lock *lock = &l->held[place];
    memcpy(lock->name, request->name, NAME_BYTES);
    lock->token = ++l->newest_token;
    hold_until(l, lock, context->timestamp_us + request->lease_us);
    say(answer, "granted %" PRIu64 "\n", lock->token);
}

static void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct locks *l = vstamp_pages_instance(pages);
    struct request request;
    bool held;
    if (parse(operation, size, &request) != NULL || forms[request.verb].reads) return;
    if (request.verb == ACQUIRE) {
        acquire(l, context, &request, answer);
        return;
    }
    size_t place = find(l, request.name, &held);
    if (!held || l->held[place].token != request.token ||
        l->held[place].until_us <= context->timestamp_us) {
        say(answer, "lost\n");
    } else if (request.verb == RENEW) {
        hold_until(l, &l->held[place], context->timestamp_us + request.lease_us);
        say(answer, "renewed\n");
    } else {
        take_away(l, place);
        say(answer, "released\n");
    }
}

static void query(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
                  struct vstamp_answer *answer)
{
    const struct locks *l = vstamp_pages_instance(pages);
    struct request request;
    bool held;
    const char *wrong = parse(operation, size, &request);
    if (wrong == NULL && !forms[request.verb].reads)
        wrong = "only holder and list are read: leave --read out";
    answer->refused = wrong != NULL;
    if (wrong != NULL) {
        say(answer, "%s", wrong);
    } else if (request.verb == HOLDER) {
        size_t place = find(l, request.name, &held);
        if (held)
            say(answer, "held %" PRIu64 "\n", l->held[place].token);
        else
            say(answer, "free\n");
    } else {
        for (size_t i = 0; i < l->n; i++)
            say(answer, "%s %" PRIu64 "\n", l->held[i].name, l->held[i].token);
    }
}

/* --- time ------------------------------------------------------------------------------------- */

static uint64_t due(const struct vstamp_pages *pages)
{
    const struct locks *l = vstamp_pages_instance(pages);
    return l->due_us;
}

/* A lease that was renewed may have left due_us too early: then this finds nothing, and corrects
 * it. */
static int tick(struct vstamp_pages *pages, const struct vstamp_context *context,
                struct vstamp_diag *why)
{
    struct locks *l = vstamp_pages_instance(pages);
    size_t n = 0;
    (void)why;
    l->due_us = VSTAMP_NEVER;
    for (size_t i = 0; i < l->n; i++) {
        struct lock lock = l->held[i];
        if (lock.until_us <= context->timestamp_us) continue;
        hold_until(l, &lock, lock.until_us);
        l->held[n++] = lock;
    }
    l->n = n;
    return 0;
}

/* --- the instance ----------------------------------------------------------------------------- */

static int check(const struct vstamp_limits *limits, const uint8_t *operation, size_t size,
                 struct vstamp_diag *why)
{
    struct request request;
    const char *wrong = parse(operation, size, &request);
    (void)limits;
    if (wrong == NULL && forms[request.verb].reads) wrong = "holder and list want `call --read`";
    if (wrong == NULL) return 0;
    vstamp_diag_printf(why, "%s", wrong);
    return VSTAMP_E_INVALID;
}

static int open_locks(const char *argument, const struct vstamp_limits *limits, void **instance,
                      struct vstamp_diag *why)
{
    (void)argument;
    (void)limits;
    struct locks *l = *instance = calloc(1, sizeof *l);
    if (l == NULL) {
        vstamp_diag_printf(why, "out of memory");
        return VSTAMP_E_IO;
    }
    l->due_us = VSTAMP_NEVER;
    return 0;
}

static void close_locks(void *instance)
{
    struct locks *l = instance;
    free(l->held);
    free(l);
}

static void save(const void *instance, struct vstamp_save *to)
{
    const struct locks *l = instance;
    vstamp_save_bytes(to, &l->newest_token, sizeof l->newest_token);
    vstamp_save_bytes(to, l->held, l->n * sizeof l->held[0]);
}

static int load(void *instance, struct vstamp_load *from, struct vstamp_diag *why)
{
    struct locks *l = instance;
    l->n = 0;
    l->newest_token = 0;
    l->due_us = VSTAMP_NEVER;
    vstamp_load_bytes(from, &l->newest_token, sizeof l->newest_token);
    size_t n = (size_t)(vstamp_load_left(from) / sizeof l->held[0]);
    if (!grow(l, n)) {
        vstamp_diag_printf(why, "out of memory for %zu locks", n);
        return VSTAMP_E_IO;
    }
    vstamp_load_bytes(from, l->held, n * sizeof l->held[0]);
    l->n = n;
    for (size_t i = 0; i < n; i++) {
        if (memchr(l->held[i].name, '\0', NAME_BYTES) == NULL) {
            vstamp_diag_printf(why, "lock %zu has no name", i);
            return VSTAMP_E_MALFORMED;
        }
        hold_until(l, &l->held[i], l->held[i].until_us);
    }
    return 0;
}

const struct vstamp_app vstamp_application = {.abi = VSTAMP_APP_ABI,
                                              .name = "locks",
                                              .check = check,
                                              .apply = apply,
                                              .query = query,
                                              .due = due,
                                              .tick = tick,
                                              .open = open_locks,
                                              .close = close_locks,
                                              .save = save,
                                              .load = load};

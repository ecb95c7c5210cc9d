/* SPDX-License-Identifier: BSD-2-Clause */
/* What is asked of the application beside executing (<vstamp/app.h>).
 *
 * One that keeps its state in the pages is always in step with them.  One with memory of its own
 * runs ahead of them, and is told when the two must meet:
 *
 *   settle   memory -> pages   a checkpoint begins, at the op-number that was executed last
 *   resume   pages -> memory   the live pages became those of a checkpoint that came from the disk
 *                              or from a peer, or are void
 *
 *   A1  between the two, the application's live pages show an older op-number, and nobody reads
 *       them; those of the image are right, since an image is made of settled pages;
 *   A2  what an application leaves in the pages is a function of its state, so images of one
 *       op-number are equal at all replicas, whatever checkpoints each of them took before.
 *
 * With save and load the pages hold one run of bytes: its length in eight bytes, then the bytes.
 * Pages whose content stays the same are not touched.
 *
 * An application that fails at either ends the life of this replica: it must not answer from a
 * state that is not the group's.  So does one that asks in a logged operation for a page that there
 * is not: whatever it did then, nobody may see it.
 *
 *   A3  what is in no log ends no replica by such a mistake, or a client that asks again would end
 *       one after the other: the read, or the operation that is predicted, is refused.  But whoever
 *       writes beyond the room has damaged memory, and the replica ends;
 *   A4  a logged operation that answers with more than there is room for has run, and so it has
 *       everywhere: its client is told so, in place of the answer, and so it stands in the client
 *       table.
 *
 * Each of its functions is entered and left here, so that a host can say where it was when it
 * crashed. */
#include "vr/rooms.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"

#define EXPORTED __attribute__((visibility("default")))
#define SIZE_BYTES 8u
#define GUARD      0xa5u

struct vstamp_save {
    struct vstamp_pages *pages;
    uint64_t capacity, size; /* of the row, its number included */
    uint8_t page[VSTAMP_PAGE_SIZE]; /* that the row ends in at present */
};

struct vstamp_load {
    const struct vstamp_pages *pages;
    uint64_t place, end;
};

/* --- save and load ---------------------------------------------------------------------------- */

static uint64_t saved_end(const struct vstamp_pages *pages)
{
    return SIZE_BYTES + load_u64(vstamp_page_read(pages, 0));
}

static void put_page(struct vstamp_pages *pages, uint32_t page, const uint8_t *content)
{
    if (memcmp(vstamp_page_read(pages, page), content, VSTAMP_PAGE_SIZE) != 0)
        memcpy(vstamp_page_write(pages, page), content, VSTAMP_PAGE_SIZE);
}

static uint32_t page_of(uint64_t place)
{
    return (uint32_t)(place / VSTAMP_PAGE_SIZE);
}

EXPORTED void vstamp_save_bytes(struct vstamp_save *to, const void *data, size_t size)
{
    const uint8_t *from = data;
    bool fits = to->size <= to->capacity && size <= to->capacity - to->size;
    if (!fits) to->size = UINT64_MAX;
    while (fits && size > 0) {
        size_t at = to->size % VSTAMP_PAGE_SIZE, n = VSTAMP_PAGE_SIZE - at;
        if (n > size) n = size;
        memcpy(to->page + at, from, n);
        to->size += n;
        from += n;
        size -= n;
        if (to->size % VSTAMP_PAGE_SIZE == 0) {
            put_page(to->pages, page_of(to->size - 1), to->page);
            memset(to->page, 0, sizeof to->page);
        }
    }
}

/* The number of bytes is known last; until then the former one stands there. */
static int save(struct vr *r, struct vstamp_diag *why)
{
    struct vstamp_pages *pages = &r->app_pages;
    uint8_t number[SIZE_BYTES];
    struct vstamp_save to = {.pages = pages,
                             .capacity = SIZE_BYTES + r->limits.state_bytes,
                             .size = SIZE_BYTES};
    uint64_t former_end = saved_end(pages);
    memcpy(to.page, vstamp_page_read(pages, 0), SIZE_BYTES);
    r->app->save(pages->instance, &to);
    if (to.size > to.capacity) {
        vstamp_diag_printf(why,
                           "it is larger than %" PRIu64 " bytes: restore the newest backup with a "
                           "larger state_bytes_max",
                           r->limits.state_bytes);
        return VSTAMP_E_FULL;
    }
    if (to.size % VSTAMP_PAGE_SIZE != 0) put_page(pages, page_of(to.size), to.page);
    memset(to.page, 0, sizeof to.page);
    for (uint64_t page = page_of(to.size - 1) + 1u; page * VSTAMP_PAGE_SIZE < former_end; page++)
        put_page(pages, (uint32_t)page, to.page);
    store_u64(number, to.size - SIZE_BYTES);
    if (memcmp(vstamp_page_read(pages, 0), number, SIZE_BYTES) != 0)
        memcpy(vstamp_page_write(pages, 0), number, SIZE_BYTES);
    return 0;
}

EXPORTED size_t vstamp_load_bytes(struct vstamp_load *from, void *data, size_t size)
{
    uint8_t *to = data;
    if (size > from->end - from->place) size = (size_t)(from->end - from->place);
    for (size_t left = size; left > 0;) {
        const uint8_t *page = vstamp_page_read(from->pages, page_of(from->place));
        size_t at = from->place % VSTAMP_PAGE_SIZE, n = VSTAMP_PAGE_SIZE - at;
        if (n > left) n = left;
        memcpy(to, page + at, n);
        from->place += n;
        to += n;
        left -= n;
    }
    return size;
}

EXPORTED uint64_t vstamp_load_left(const struct vstamp_load *from)
{
    return from->end - from->place;
}

static int load(struct vr *r, struct vstamp_diag *why)
{
    struct vstamp_load from = {
        .pages = &r->app_pages, .place = SIZE_BYTES, .end = saved_end(&r->app_pages)};
    return r->app->load(r->app_pages.instance, &from, why);
}

/* --- what the other rooms ask for ------------------------------------------------------------- */

struct vstamp_limits vr_limits(const struct vr_config *config)
{
    uint32_t table = client_table_pages(config->max_clients, config->max_answer_bytes);
    uint64_t pages = config->state_pages > table ? config->state_pages - table : 0;
    return (struct vstamp_limits){
        .read_capacity = config->max_read_bytes,
        .state_bytes = pages > 0 ? pages * VSTAMP_PAGE_SIZE - SIZE_BYTES : 0};
}

bool vr_app_has_memory(const struct vr *r)
{
    return r->app->save != NULL || r->app->settle != NULL;
}

/* An answer's room, and behind it what must not change. */
static struct vstamp_answer room(uint8_t *data, size_t capacity)
{
    memset(data + capacity, GUARD, VR_GUARD_BYTES);
    return (struct vstamp_answer){.data = data, .capacity = capacity};
}

static bool kept_to_room(const struct vstamp_answer *answer)
{
    const uint8_t *guard = answer->data + answer->capacity;
    return guard[0] == GUARD && memcmp(guard, guard + 1, VR_GUARD_BYTES - 1) == 0; /* all alike */
}

static void end(struct vr *r)
{
    char reason[VR_QUOTED_SIZE];
    r->over = true;
    vr_log(r, LOG_LEVEL_ERROR, "application-failed", "reason=%s",
           vr_quoted(reason, r->app_failure.text));
}

void vr_app_end(struct vr *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->app_failure.text, sizeof r->app_failure.text, format, args);
    va_end(args);
    end(r);
    vr_stop_for_good(r);
}

static void fail(struct vr *r, const char *what, const struct vstamp_diag *why)
{
    vstamp_diag_printf(&r->app_failure, "the application \"%s\" cannot %s its state at op-number %"
                       PRIu64 "%s%s", r->app->name, what, r->applied,
                       why->text[0] != '\0' ? ": " : "", why->text);
    end(r);
}

void vr_app_enter(struct vr *r, const char *function, uint64_t op)
{
    r->app_function = function;
    r->app_op = op;
}

static void say_stray(const struct vr *r, const char *function, struct vstamp_diag *into)
{
    vstamp_diag_printf(into, "the application \"%s\" asks in %s at op-number %" PRIu64
                       " for page %" PRIu32 ", and there are %" PRIu32, r->app->name, function,
                       r->app_op, r->pages.stray, r->app_pages.count);
}

static void say_too_long(const struct vr *r, const char *function,
                         const struct vstamp_answer *answer, struct vstamp_diag *into)
{
    vstamp_diag_printf(into, "the application \"%s\" answers in %s at op-number %" PRIu64
                       " with %zu bytes, and has room for %zu", r->app->name, function, r->app_op,
                       answer->size, answer->capacity);
}

bool vr_app_leave(struct vr *r)
{
    const char *function = r->app_function;
    r->app_function = NULL;
    if (!r->pages.strayed) return true;
    say_stray(r, function, &r->app_failure);
    end(r);
    return false;
}

/* Has its instance come to an end? */
static bool has_ended(struct vr *r)
{
    const char *why = r->app->failure != NULL ? r->app->failure(r->app_pages.instance) : NULL;
    if (why == NULL) return false;
    vstamp_diag_printf(&r->app_failure, "the application \"%s\" cannot go on: %s", r->app->name,
                       why);
    end(r);
    return true;
}

bool vr_app_has_failed(struct vr *r)
{
    return !vr_app_leave(r) || has_ended(r);
}

static bool has_kept_to_room(struct vr *r, const char *function,
                             const struct vstamp_answer *answer)
{
    if (kept_to_room(answer)) return true;
    vstamp_diag_printf(&r->app_failure, "the application \"%s\" writes in %s at op-number %"
                       PRIu64 " beyond the %zu bytes of its answer's room", r->app->name,
                       function, r->app_op, answer->capacity);
    end(r);
    return false;
}

/* Once: a client may ask as often as it likes. */
static void say_mistaken(struct vr *r, const struct vstamp_diag *why)
{
    char reason[VR_QUOTED_SIZE];
    if (r->app_mistake.text[0] != '\0') return;
    r->app_mistake = *why;
    vr_log(r, LOG_LEVEL_ERROR, "application-mistaken", "reason=%s", vr_quoted(reason, why->text));
}

/* A3: at the end of a function that is asked for what is in no log.  False: the replica is over, or
 * this is refused, as *why says then. */
static bool is_usable(struct vr *r, const struct vstamp_answer *answer, struct vstamp_diag *why)
{
    const char *function = r->app_function;
    bool strayed = r->pages.strayed;
    r->app_function = NULL;
    r->pages.strayed = false;
    if (has_ended(r) || !has_kept_to_room(r, function, answer)) return false;
    if (!strayed && answer->size <= answer->capacity) return true;
    if (strayed) say_stray(r, function, why);
    else say_too_long(r, function, answer, why);
    say_mistaken(r, why);
    return false;
}

bool vr_app_apply(struct vr *r, const struct vstamp_context *context, struct bytes operation,
                  struct vstamp_answer *says)
{
    struct vstamp_diag why;
    *says = room(r->answer, r->config.max_answer_bytes);
    vr_app_enter(r, "apply", context->op_number);
    r->app->apply(&r->app_pages, context, operation.data, operation.size, says);
    if (vr_app_has_failed(r) || !has_kept_to_room(r, "apply", says)) return false;
    if (says->not_executed) return true;
    vr_app_has_run(r);
    if (says->size > says->capacity) { /* A4 */
        say_too_long(r, "apply", says, &why);
        say_mistaken(r, &why);
    }
    return true;
}

void vr_app_has_run(struct vr *r)
{
    r->app_is_ahead = vr_app_has_memory(r);
}

bool vr_app_settle(struct vr *r)
{
    struct vstamp_diag why = {0};
    if (!r->app_is_ahead) return true;
    vr_app_enter(r, r->app->save != NULL ? "save" : "settle", r->applied);
    int rv = r->app->save != NULL ? save(r, &why) : r->app->settle(&r->app_pages, &why);
    if (vr_app_has_failed(r)) return false;
    if (rv != 0) fail(r, "save", &why);
    r->app_is_ahead = rv != 0;
    return rv == 0;
}

void vr_app_resume(struct vr *r)
{
    struct vstamp_diag why = {0};
    int rv = 0;
    r->app_is_ahead = false;
    vr_app_enter(r, r->app->load != NULL ? "load" : "resume", r->applied);
    if (r->app->load != NULL) rv = load(r, &why);
    else if (r->app->resume != NULL) rv = r->app->resume(&r->app_pages, &why);
    if (vr_app_leave(r) && rv != 0) fail(r, "load", &why);
}

/* Of pages that hold a row of bytes: is its number possible? */
bool vr_app_is_row(const struct vr *r, const struct vstamp_pages *pages)
{
    return r->app->load == NULL || saved_end(pages) - SIZE_BYTES <= r->limits.state_bytes;
}

bool vr_app_query(struct vr *r, struct bytes question, struct vstamp_answer *answer,
                  struct vstamp_diag *why)
{
    *answer = room(r->answer, r->config.max_read_bytes);
    vr_app_enter(r, "query", r->applied);
    r->app->query(&r->app_pages, question.data, question.size, answer);
    if (!is_usable(r, answer, why)) return false;
    if (!answer->refused) return true;
    vstamp_diag_printf(why, "%.*s", (int)answer->size, (const char *)answer->data);
    return false;
}

bool vr_app_predict(struct vr *r, struct bytes operation,
                    uint8_t buffer[static VR_PREDICTION_ROOM], struct bytes *predicted,
                    struct vstamp_diag *why)
{
    uint64_t seed[VSTAMP_SEED_WORDS];
    struct vstamp_answer prediction = room(buffer, VSTAMP_PREDICTION_BYTES);
    *predicted = (struct bytes){0};
    if (r->app->predict == NULL) return true;
    for (uint32_t i = 0; i < VSTAMP_SEED_WORDS; i++) seed[i] = prng_next(&r->prng);
    vr_app_enter(r, "predict", r->applied);
    r->app->predict(&r->app_pages, seed, operation.data, operation.size, &prediction);
    *predicted = (struct bytes){buffer, prediction.size};
    return is_usable(r, &prediction, why);
}

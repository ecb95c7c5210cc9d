/* SPDX-License-Identifier: BSD-2-Clause */
/* The application: what is replicated.  Start here to replicate your own service.
 *
 * An application is a deterministic state machine.  Its whole state lives in numbered pages
 * (paper section 5.1), which vstamp owns, checkpoints and transfers; a struct vstamp_app is a few
 * functions without state of their own.  Pages that were never written read as zeros, so a new
 * group starts with all pages zero and needs no call to set up.
 *
 * Deterministic means: what apply() writes and answers is a function of the pages, the operation
 * and the context alone.  No clock, no randomness, no addresses, no uninitialised padding.
 */
#ifndef VSTAMP_APP_H
#define VSTAMP_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vstamp/api.h>
#include <vstamp/error.h>
#include <vstamp/id.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VSTAMP_PAGE_SIZE 4096u

struct vstamp_pages;

/* How many pages the application may use: the bound of its state.  Numbers are 0 .. this - 1. */
VSTAMP_API uint32_t vstamp_pages_max(const struct vstamp_pages *pages);

/* The content of a page, VSTAMP_PAGE_SIZE bytes.  Valid until the next vstamp_page_write. */
VSTAMP_API const void *vstamp_page_read(const struct vstamp_pages *pages, uint32_t page);

/* The same, to change it.  Call it before each change, however small: it is what lets a checkpoint
 * keep the old content.  Only apply() may call it.  Valid until the function returns. */
VSTAMP_API void *vstamp_page_write(struct vstamp_pages *pages, uint32_t page);

/* What the group allows; equal at every replica, and for the life of the group. */
struct vstamp_limits {
    uint32_t read_capacity; /* of the answers to query(): more in one piece cannot be read back */
};

/* What an operation is executed with; equal at every replica. */
struct vstamp_context {
    uint64_t op_number;      /* the log entry it is part of */
    uint64_t timestamp_us;   /* the primary's time, microseconds since 1970; never falls (4.4) */
    struct vstamp_id client; /* who asked */
    uint64_t session;        /* op-number of the client's registration */
    struct vstamp_limits limits;
};

/* Where an answer goes: at most `capacity` bytes at `data`; the function sets `size`. */
struct vstamp_answer {
    uint8_t *data;
    size_t capacity;
    size_t size;
};

enum vstamp_audit { VSTAMP_AUDIT_GOES_ON, VSTAMP_AUDIT_PASSES, VSTAMP_AUDIT_FAILS };
#define VSTAMP_AUDIT_BYTES 4096u

/* The bytes of an operation. */
struct vstamp_operation {
    const uint8_t *data;
    size_t size;
};

#define VSTAMP_NEVER UINT64_MAX

struct vstamp_app {
    const char *name; /* for logs and status */

    /* May this operation enter the log?  Looks at its form and at the limits only, not at the
     * state: what it refuses may never run, whenever it is asked.  Returns 0, or VSTAMP_E_INVALID,
     * or VSTAMP_E_TOO_LARGE for what is above a limit; *why tells the client.  Called at the
     * primary, before logging. */
    int (*check)(const struct vstamp_limits *limits, const uint8_t *operation, size_t size,
                 struct vstamp_diag *why);

    /* Execute a logged operation, exactly once, in op-number order.  It cannot fail: what goes
     * wrong, as the state decides or although check() should have refused it, is an answer.  The
     * answer of a logged operation is kept in the client table, so its capacity is small
     * (answer->capacity, at least 256 bytes). */
    void (*apply)(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer);

    /* Answer a read from the state, without the log (6.3).  Must not change pages. */
    void (*query)(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
                  struct vstamp_answer *answer);

    /* Could apply() have left these pages?  Asked of pages that came from a peer or from a disk,
     * before anything else looks at them: they may hold anything, and the function must bear that.
     * Pages from `n_used` on are zeros.  If it fails they are not used, but fetched elsewhere.
     * NULL: whatever comes is believed, and apply() and query() must bear it.
     *
     * A replica that looks at a large state for long does not hear the others meanwhile.  So look
     * for a millisecond and say VSTAMP_AUDIT_GOES_ON; the function is called again, with the same
     * pages, and finds at `memory` what it left there: VSTAMP_AUDIT_BYTES, aligned for any number,
     * which are zeros at the first call.  It may also never be called again. */
    enum vstamp_audit (*audit)(const struct vstamp_pages *pages, uint32_t n_used, void *memory);

    /* These come next, to apply() or query(): bring what they will look at from memory into the
     * caches of the processor, for all of them at a time, while each by itself would wait for one
     * thing after the other.  Changes nothing, and what it does has no effect but on time.  NULL:
     * it is not worth it. */
    void (*foresee)(const struct vstamp_pages *pages, const struct vstamp_operation *operations,
                    size_t n);

    /* What is to happen though nobody asks, as leases end and keys expire.  due() says when there
     * is something to do next, in the time that the group agrees on (vstamp_context.timestamp_us);
     * VSTAMP_NEVER: nothing, as far as the pages tell.  Once that time has come the primary puts an
     * entry of its own into the log, and tick() is executed with it at every replica, as apply() is
     * with an operation: context->client is zero, and there is no answer.
     *
     * tick() does what is due by context->timestamp_us and nothing that is due later; it may find
     * nothing to do, for it may come twice or late.  What takes long it does in steps: as long as
     * due() is not later than the time, there is another tick, within a millisecond or as soon as
     * the last one is executed.  Between two of them operations run: those must not see what should
     * have been done by their own timestamp.
     *
     * due() is called often, and at any time between two operations; it should look at one page.
     * Both NULL: time alone changes nothing. */
    uint64_t (*due)(const struct vstamp_pages *pages);
    void (*tick)(struct vstamp_pages *pages, const struct vstamp_context *context);
};

#ifdef __cplusplus
}
#endif
#endif

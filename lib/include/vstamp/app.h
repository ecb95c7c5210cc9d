/* SPDX-License-Identifier: BSD-2-Clause */
/* The application: what is replicated.  Start here to replicate your own service.
 *
 * An application is a deterministic state machine: a struct vstamp_app, which is a few functions.
 * There are two ways to keep its state.
 *
 * In pages.  The whole state lives in numbered pages (paper section 5.1), which vstamp owns,
 * checkpoints and transfers, and the functions have no state of their own.  Pages that were never
 * written read as zeros, so a new group starts with all pages zero and needs no call to set up.
 * A checkpoint costs what has changed, whatever the size of the state.
 *
 * In memory of its own, be it a struct, a library's object or another process.  open() makes such
 * an instance for each replica, and apply() and query() find it with vstamp_pages_instance().  At a
 * checkpoint the state is saved into the pages, and when pages came from a disk or from another
 * replica it is loaded from them.  Small states are saved and loaded as a whole, by save() and
 * load(); who can tell what has changed writes pages by himself, in settle() and resume().
 *
 * Deterministic means: what apply() does to the state and answers is a function of the state, the
 * operation and the context alone.  No clock (but context->timestamp_us), no randomness (but what
 * predict() chose), no addresses, no uninitialised padding.  Replicas that differ are found out by
 * the digests of their pages, so equal states must be saved as equal bytes, whatever has led there
 * and whenever they were saved before.
 *
 * examples/counter.c is a whole replicated service, and examples/phonebook.c a plug-in.
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

/* What a struct vstamp_app is laid out by.  A program and a plug-in that were built for different
 * ones do not fit. */
#define VSTAMP_APP_ABI 2u

#define VSTAMP_NAME_BYTES_MAX   64u
#define VSTAMP_PAGE_SIZE        4096u
#define VSTAMP_PREDICTION_BYTES 256u /* that predict() may choose */
#define VSTAMP_SEED_WORDS       4u

struct vstamp_pages;

/* How many pages the application may use: the bound of its state.  Numbers are 0 .. this - 1; who
 * asks for another page gets one to be ignored, and when the function returns the replica ends, or
 * only the request is refused if that was query() or predict(). */
VSTAMP_API uint32_t vstamp_pages_max(const struct vstamp_pages *pages);

/* The content of a page, VSTAMP_PAGE_SIZE bytes.  Valid until the next vstamp_page_write. */
VSTAMP_API const void *vstamp_page_read(const struct vstamp_pages *pages, uint32_t page);

/* The same, to change it.  Call it before each change, however small: it is what lets a checkpoint
 * keep the old content.  Only apply(), tick() and settle() may call it.  Valid until the function
 * returns. */
VSTAMP_API void *vstamp_page_write(struct vstamp_pages *pages, uint32_t page);

/* Memory beside the pages, for what makes things in them faster to find: VSTAMP_PAGE_MEMORY bytes
 * for each of vstamp_pages_max(), aligned to 64, all zeros at first.  It is no part of the state,
 * and must not show in any answer; resume() forgets what is in it.  Where there is none it is NULL:
 * do without. */
#define VSTAMP_PAGE_MEMORY 256u
VSTAMP_API void *vstamp_pages_memory(const struct vstamp_pages *pages);

/* What open() made for this replica; NULL without open(). */
VSTAMP_API void *vstamp_pages_instance(const struct vstamp_pages *pages);

/* What save() writes to, one piece after the other, which is copied; as much as limits.state_bytes
 * in all, and with one byte more the replica ends, ... */
struct vstamp_save;
VSTAMP_API void vstamp_save_bytes(struct vstamp_save *to, const void *data, size_t size);

/* ... and load() reads from: fills `data`, and gives how many bytes there were, less than `size` at
 * the end only.  _left: how many there are still. */
struct vstamp_load;
VSTAMP_API size_t vstamp_load_bytes(struct vstamp_load *from, void *data, size_t size);
VSTAMP_API uint64_t vstamp_load_left(const struct vstamp_load *from);

/* What the group allows; equal at every replica for the same operation. */
struct vstamp_limits {
    uint32_t read_capacity; /* of the answers to query(): more in one piece cannot be read back */
    uint64_t state_bytes;   /* what save() may write at most.  A state that grows beyond it stops
                               the group at its next checkpoint: refuse what would lead there */
    uint32_t protocol; /* version that the group is in: an operation that came with a later release
                          than some replicas run is for check() to refuse until all run it */
};

/* What an operation is executed with; equal at every replica. */
struct vstamp_context {
    uint64_t op_number;      /* the log entry it is part of */
    uint64_t timestamp_us;   /* the group's time, microseconds since 1970; never falls (4.4) */
    struct vstamp_id client; /* who asked */
    uint64_t session;        /* op-number of the client's registration */
    struct vstamp_limits limits;
    const uint8_t *prediction; /* what predict() chose for this operation */
    size_t prediction_size;
};

/* Where an answer goes: at most `capacity` bytes at `data`; the function sets `size`, 0 at first.
 * A larger size, as snprintf() may return it, is no answer: the request is refused or, where it has
 * run, its client is told so (VSTAMP_E_REFUSED).  To write beyond the room ends the replica. */
struct vstamp_answer {
    uint8_t *data;
    size_t capacity;
    size_t size;
    bool refused; /* query() only: there is no answer, the bytes are a sentence that tells why */
    /* apply() only: the operation could not be executed, the state is what it was before, nothing
     * that was announced behind it counts, and the bytes are a sentence that tells why.  Once most
     * replicas have said so the operation is passed over, and its client is told. */
    bool not_executed;
};

enum vstamp_audit { VSTAMP_AUDIT_GOES_ON, VSTAMP_AUDIT_PASSES, VSTAMP_AUDIT_FAILS };
#define VSTAMP_AUDIT_BYTES 4096u

/* The bytes of an operation. */
struct vstamp_operation {
    const uint8_t *data;
    size_t size;
};

#define VSTAMP_NEVER UINT64_MAX

/* What is NULL is left out; apply and query must be there. */
struct vstamp_app {
    unsigned abi; /* VSTAMP_APP_ABI */

    /* Printable characters, at most VSTAMP_NAME_BYTES_MAX; for people, and to tell applications
     * apart: replicas and folders of another name are refused. */
    const char *name;

    /* May this operation enter the log?  Looks at its form and at the limits only, not at the
     * state: what it refuses may never run, whenever it is asked.  Returns 0, or VSTAMP_E_INVALID,
     * or VSTAMP_E_TOO_LARGE for what is above a limit; *why tells the client.  Called at the
     * primary, before logging.  NULL: everything may. */
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
     * nothing to do, for it may come twice or late.  It does not come before the first operation:
     * in a group that nobody has used nothing is due.  What takes long it does in steps: as long as
     * due() is not later than the time, there is another tick, within a millisecond or as soon as
     * the last one is executed.  Between two of them operations run: those must not see what should
     * have been done by their own timestamp.
     *
     * tick() returns 0.  Not 0: it could not be executed, the state is what it was before, *why
     * tells.  It is passed over as an operation is, and no other comes until an operation was
     * executed.
     *
     * due() is called often, and at any time between two operations; it should look at one page.
     * Both NULL: time alone changes nothing. */
    uint64_t (*due)(const struct vstamp_pages *pages);
    int (*tick)(struct vstamp_pages *pages, const struct vstamp_context *context,
                struct vstamp_diag *why);

    /* An instance for one replica, in the state that a new group begins in; `argument` is what its
     * user gave, NULL if nothing.  A process may host several.  Returns 0, or a negative
     * VSTAMP_E_... with a sentence in *why; then the replica does not start. */
    int (*open)(const char *argument, const struct vstamp_limits *limits, void **instance,
                struct vstamp_diag *why);
    void (*close)(void *instance);

    /* A checkpoint begins, or somebody compares replicas: write the whole state.  It is kept as the
     * pages of the group; load() is given the same bytes. */
    void (*save)(const void *instance, struct vstamp_save *to);

    /* Forget the present state and take up this one; with nothing to read it is that of a new
     * group.  Not 0: these bytes are no state, or it cannot be had now, *why tells; then the
     * replica ends. */
    int (*load)(void *instance, struct vstamp_load *from, struct vstamp_diag *why);

    /* The same by hand, in place of save and load: write into the pages what they lack, so that
     * they hold the state, and read it from them.  Not 0: it cannot, and the replica ends.
     * resume() alone is for a state that lives in pages and is remembered in part besides: it
     * drops what it remembers. */
    int (*settle)(struct vstamp_pages *pages, struct vstamp_diag *why);
    int (*resume)(const struct vstamp_pages *pages, struct vstamp_diag *why);

    /* Choose what an operation needs and cannot compute alike at every replica (4.4), such as a
     * random number.  Called at the primary only, before logging; what it writes to `prediction`,
     * at most VSTAMP_PREDICTION_BYTES, is logged with the operation and given to apply() at every
     * replica.  The state that it sees may lack operations that will run before.  `seed` is random,
     * but no secret.  The time needs no prediction: it is in the context. */
    void (*predict)(const struct vstamp_pages *pages, const uint64_t seed[VSTAMP_SEED_WORDS],
                    const uint8_t *operation, size_t size, struct vstamp_answer *prediction);

    /* Exactly these come next to apply(), in this order: whose state is behind a pipe can send them
     * together.  The bytes stay until the last of them was applied. */
    void (*announce)(struct vstamp_pages *pages, const struct vstamp_context *contexts,
                     const struct vstamp_operation *operations, size_t n);

    /* Has the instance come to an end, such as that of its process?  Asked after apply(), query()
     * and save().  A sentence, and this replica ends, without the answer; NULL: all is well. */
    const char *(*failure)(const void *instance);
};

/* A plug-in, for vstamp-replica --app, is a shared library that defines this. */
extern VSTAMP_API const struct vstamp_app vstamp_application;

#ifdef __cplusplus
}
#endif
#endif

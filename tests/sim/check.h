/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold.  After every turn of a replica: all replicas execute the same entries and reach
 * the same state, of as many pages (PROTOCOL 13.1 I1, I2, I18), the logs of one view are beginnings
 * of one log (I3) and none is shorter than when the view began (I7), one group forms, views and
 * commit-numbers never go back (I4, I5), no view has two primaries, be it two lives of one replica
 * (I6), nor begins under another's lease (I15).  At every frame sent: no acknowledgement against a
 * promise (I11), nor of a damaged entry.  At a restart from disk: nothing that was acknowledged or
 * promised is forgotten (I10), nor damaged that was mended.  Of every answer: it is not older than
 * what had been answered when it was asked for (I14).  A copy of the state is a state that was, and
 * as new as it must be.  At the end: each key's history is linearizable (I12, I14).  No witness
 * leads a view (PIT-7.3), or has forgotten, without saying so, what an active replica lacks
 * (PIT-7.1).  An epoch has one membership, and begins after one entry (I16); no entry of an epoch
 * lies before its begin or behind its end (I17).  The version of the protocol never falls in the
 * log, nor rises above what all members have spoken; nobody holds or is sent what it cannot read
 * (G1, G4: versions.c).  Its times lie within the clocks of a quorum (H2, H3: clocks.c).  A replica
 * whose state has turned in its memory is found at the next digest point, is silent from then on
 * and after any start from that disk, and no other is taken for one.  Clients carry a large request
 * no more often than they must (C9: heavy.c).  One of an older epoch is told where the group is by
 * each replica that it asks, also by one that was replaced, as long as that is there (E8). */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "base/endian.h"
#include "node/node.h"
#include "vr/replica.h"

struct sim;
struct sim_replica;

/* What kind of message a frame is, without looking into it. */
static inline uint16_t sim_command_of(struct bytes frame)
{
    return frame.size < WIRE_HEADER_SIZE ? 0 : load_u16(frame.data + 22);
}

/* What the group committed at one op-number. */
struct check_op {
    bool known, digested;
    struct vstamp_id checksum;
    struct vstamp_id digest; /* of the state after it */
    bool remembered;
    struct vstamp_id memory; /* and of what an application has in memory of its own */
    uint8_t version;
    uint64_t timestamp;      /* the entry's, for the application (6.4: agreed, and rising) */
};

/* Who led a view.  While a group forms, one may be formed by a replica that dies before any other
 * knows, and another after it; only one of them ever commits anything. */
struct check_view {
    bool known;
    struct vstamp_id group;
    uint8_t replica;
    uint32_t incarnation;
    uint64_t start_op, start_commit; /* its log when it began */
};

#define CHECK_EPOCHS_MAX 256u

/* An epoch, as the first replica that had moved to it says (I16). */
struct check_epoch {
    bool known;
    uint64_t op;
    struct vstamp_id checksum; /* of the entry it begins after */
    struct vstamp_id members;  /* of its members, in order */
    uint32_t nodes;            /* bitset: which replicas they are */
    uint8_t n, order[REPLICAS_MAX];
    uint32_t witnesses;        /* by that order */
    struct check_view *views;
    size_t n_views;
};

/* What stands in the logs of a view at an op-number, or stood while it was not yet committed. */
struct check_place {
    uint64_t log_view, op; /* op 0: a free place */
    uint32_t epoch;
    struct vstamp_id group, checksum;
};

/* What is known of one replica. */
struct check_replica {
    uint32_t durable_epoch; /* its disk knows at least of this one */
    uint32_t epoch; /* in which all that follows was */
    uint64_t view, log_view, commit, applied; /* after its last turn, this incarnation */
    uint64_t known; /* up to there it had told what is committed */
    bool bare; /* and it had passed over what it has not executed */
    uint32_t said_epoch;                      /* of the two below */
    uint64_t promised;                        /* newest view it sent a DO-VIEW-CHANGE for */
    uint64_t acked_view, acked_op;            /* newest PREPARE-OK, by (view, op) */
    bool grouped;                             /* it has state, and belongs to a group */
    uint64_t op;                              /* its log ended here, in log_view ... */
    struct vstamp_id head;                    /* ... with this entry */
    bool crashed;                   /* with a disk, on which it held of the committed entries ... */
    uint64_t held_after, held_upto; /* ... those between, and these that were not yet committed */
    uint32_t n_held_beyond;
    struct vstamp_id held_beyond[2 * PIPELINE_MAX];
    uint64_t durable_op;  /* when it crashed */
    uint64_t torn_view; /* plus 1: came back with a log half replaced by a later view's */
};

struct check {
    struct vstamp_id group; /* that commits */
    struct check_op *ops;
    size_t n_ops;
    struct check_epoch epochs[CHECK_EPOCHS_MAX];
    uint32_t epoch; /* newest one that anybody has moved to */
    struct check_place *places; /* open addressing */
    size_t n_places, places_size;
    struct check_replica replicas[REPLICAS_MAX];
    uint64_t highest_commit;
};

void check_crashed(struct sim *sim, struct sim_replica *replica); /* perhaps in mid-turn */
void check_started(struct sim *sim, struct sim_replica *replica);
void check_wiped(struct sim *sim, struct sim_replica *replica); /* it has lost what it knew */
/* The active members of the newest epoch, as a bitset. */
uint32_t check_active(const struct sim *sim);
/* Are those that live and are right enough to tell who is wrong? */
bool check_can_tell(const struct sim *sim);
/* Is it wrong, and said to be so or another, as most are right, but some have that from others? */
bool check_is_for_operator(const struct sim_replica *replica);
/* Is the image that it tells of the group's, as far as anybody knows?  Is that what it has? */
bool check_image(const struct sim *sim, const struct sim_replica *replica);
bool check_image_is_as_told(const struct sim_replica *replica);
struct check_op *check_op_at(struct check *check, uint64_t op);
/* states.c: its state, if it is that after an op-number. */
void check_state(struct sim *sim, struct sim_replica *replica, const struct vr *core);
/* Is whoever asks this to be told where the group is now (lib/vr/epoch.c, E3, E8)? */
bool check_must_tell(const struct sim_replica *replica, struct bytes frame);
void check_silent(struct sim *sim, const struct sim_replica *replica, struct bytes frame);
/* The marks of a start that came to nothing. */
void check_refused(struct sim *sim, struct sim_replica *replica);

void check_turn(struct sim *sim, struct sim_replica *replica);
void check_sent(struct sim *sim, struct sim_replica *replica, struct bytes frame);
/* Somebody copied the state: `last` is the newest entry in it. */
void check_copied(struct sim *sim, const struct wire_entry_header *last, struct vstamp_id digest);
/* An old copy of what it knew takes part in nothing. */
void check_idle(struct sim *sim, struct sim_replica *replica, struct bytes frame);
void check_history(struct sim *sim);

/* Which of the committed entries does a replica hold, up or down?  An active one from the first on,
 * as state or as entries.  False: that is not clear just now. */
bool check_holds(const struct sim *sim, uint8_t index, uint64_t *after, uint64_t *upto);
/* Does it hold that very entry on its disk, or as state? */
bool check_holds_entry(const struct sim *sim, uint8_t index,
                       const struct wire_entry_header *header);
void check_close(struct check *check);

bool check_is_member_of(const struct sim *sim, uint8_t index, uint32_t epoch);
/* Of the newest epoch. */
bool check_is_member(const struct sim *sim, uint8_t index);
/* Has it begun the newest epoch, as a member? */
bool check_has_begun(const struct sim *sim, uint8_t index);
uint64_t check_incarnation(const struct sim_replica *replica);

/* The core inside a node. */
const struct vr *check_core(const struct node *node);

#endif

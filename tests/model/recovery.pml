/* SPDX-License-Identifier: BSD-2-Clause */
/* View change, recovery with crash vectors, and restarts from a disk (lib/vr/view_change.c,
 * recovery.c, restart.c; paper sections 4.2 and 4.3, DISC 2017): a group of three in which a replica
 * may lose all it knows, or come back with all of it.  `make model` searches all
 * states within the bounds below (check-model.sh) for
 *
 *   - an acknowledged op that a primary of a later view begins without;
 *   - a view that begins twice, a promise given twice by one life;
 *   - two different ops acknowledged at one op-number, a backup whose log is not its primary's.
 *
 * With -DNO_CRASH_VECTORS it must find the published counterexample (PIT-3.1): a promise outlives
 * the replica that gave it, and a view begins without what that replica acknowledged after it came
 * back.  The other switches break one rule each, to show that the model would notice.
 *
 * Messages are not in channels: what was once sent may arrive at any later time, in any order, any
 * number of times or never, whether or not its sender lives.  A promise is kept for each view,
 * sender and life of the sender.  Of a view's START-VIEWs, PREPAREs and NEW-STATEs only the logs
 * are kept, first and last: all in between have been sent.
 *
 * One step of a replica is one step here.  Larger freedom than the code's, so that a proof holds
 * for the code all the more:
 *   - votes: a vote promises nothing (V1), so any replica may leave for any later view at any time;
 *   - a START-VIEW needs no check of the sender's life; a NEW-STATE that brings a later view needs
 *     no nonce (T3), unless the receiver is blank;
 *   - crash vectors are learned from where the argument needs them, not from START-VIEW, votes, and
 *     of a RECOVERY only the sender's own incarnation.  Who knows less ignores less;
 *   - a new primary can always fetch the log it chose.
 *
 * Not modelled:
 *   - groups of other sizes (with three, recovery needs both others; five is another search);
 *   - what is not yet on a disk, old copies of one: an intact disk is what a RESTARTS is about, a
 *     lost one, or a replica without, is what a crash here is;
 *   - forming; a blank replica that gives up and starts anew other than by a crash;
 *   - clients, sessions, reads, batches, checkpoints, epochs, state transfer within a view;
 *   - commit-numbers, so neither the guards that rest on them nor T2's early move of committed
 *     entries;
 *   - time, so no liveness: a run may end with all blank.
 *
 * RECOVERY-RESPONSEs, and the NEW-STATE a blank replica waits for, arrive when sent: nonces tie
 * them to one life, and until it has them all that life does nothing anyone sees.  A PREPARE-OK is
 * heard when sent or never: acknowledging later would only acknowledge less. */
#ifndef VIEWS
#define VIEWS 4 /* views 0 .. VIEWS - 1; the first replica is primary again in view 3 */
#endif
#ifndef CRASHES
#define CRASHES 3 /* of any replicas, at any moment; at most 3, see `counter` */
#endif
#ifndef OPS
#define OPS 1 /* op-numbers, 1 or 2; each view's primary has a request of its own for each */
#endif

#ifndef RESTARTS
#define RESTARTS 0 /* from an intact disk; with CRASHES at most 3 */
#endif

#define REPLICAS 3
#define LIVES (CRASHES + RESTARTS + 1) /* incarnations 0 .. CRASHES + RESTARTS */

/* What the switches break. */
#ifdef NO_CRASH_VECTORS
#define FORMER(known, stamp) false
#else
#define FORMER(known, stamp) ((stamp) < (known))
#endif
#ifdef NO_ACQUIRE
#define NOTED(life) 0
#else
#define NOTED(life) (life)
#endif
#ifdef NO_NOTE
#define NOTED_START(life) 0
#else
#define NOTED_START(life) (life)
#endif
#ifdef ANSWER_IN_VIEW_CHANGE
#define ANSWERS(x) (status[x] == NORMAL || status[x] == VIEW_CHANGE)
#else
#define ANSWERS(x) (status[x] == NORMAL)
#endif

/* --- values ----------------------------------------------------------------------------------- */

/* A log: the entry at op-number 1 in bits 0-2, at 2 in bits 3-5.  An entry is the view it was
 * prepared in, plus 1; 0 is none. */
#define LENGTH(l) ((l) == 0 -> 0 : ((l) < 8 -> 1 : 2))
#define IS_PREFIX(a, b) ((a) == 0 || (a) == (b) || ((a) < 8 && (a) == ((b) & 7)))
#define APPENDED(l, view) ((l) == 0 -> (view) + 1 : (l) | (((view) + 1) << 3))
#define ONE_MORE(a, b) ((a) == 0 -> ((b) & 7) : (b)) /* a prefix of b, one entry longer than a */

/* A crash vector: two bits for each replica. */
#define COUNTER(v, i) (((v) >> (2 * (i))) & 3)
#define WITH_COUNTER(i, n) ((n) << (2 * (i)))
#define LARGER(a, b, mask) (((a) & (mask)) > ((b) & (mask)) -> ((a) & (mask)) : ((b) & (mask)))
#define MERGED(a, b) (LARGER(a, b, 3) | LARGER(a, b, 12) | LARGER(a, b, 48))

#define PRIMARY(v) ((v) % REPLICAS)

/* --- state ------------------------------------------------------------------------------------ */

#define NORMAL 0
#define VIEW_CHANGE 1
#define STARTING 2  /* as primary: the log is chosen, and being fetched */
#define ASKING 3    /* blank: which incarnation is free? */
#define ACQUIRING 4 /* blank: note this incarnation */
#define RETURNING 5 /* from its disk: note this incarnation */

byte status[REPLICAS];
byte view[REPLICAS];
byte log_view[REPLICAS];
byte log[REPLICAS];
byte vector[REPLICAS];
byte chosen[REPLICAS];             /* STARTING: the log the view will begin with */
byte asked[REPLICAS];              /* ASKING: who answered, a bit each */
byte answers[REPLICAS * REPLICAS]; /* ACQUIRING: 0, or ANSWER */
byte crashes;
#if RESTARTS > 0
byte restarts;
#endif

#define ANSWER(view, length) (1 + (view) * 4 + (length)) /* the length if sent by the primary */
#define ANSWER_VIEW(a) (((a) - 1) / 4)
#define ANSWER_LENGTH(a) (((a) - 1) % 4)

/* Messages, for ever.  DO-VIEW-CHANGE by view, sender and incarnation of the sender; sent if not 0.
 * The log of view v as it began and as it is now stands for all START-VIEWs, NEW-STATEs and
 * PREPAREs of the view. */
#define SENDER(view, sender) (((sender) + REPLICAS - PRIMARY(view)) % REPLICAS - 1)
#define SLOT(view, sender, life)                                                                  \
    ((((view) - 1) * (REPLICAS - 1) + SENDER(view, sender)) * LIVES + (life))
#define SLOTS ((VIEWS - 1) * (REPLICAS - 1) * LIVES)
#define SENT 128 /* beside the crash vector */
byte promise_vector[SLOTS];
byte promise_log[SLOTS]; /* its log_view in bits 6 and 7 */
bool begun[VIEWS];
byte first_log[VIEWS];
byte last_log[VIEWS];

/* The longest log whose last op a primary has told a client of, and in which view it first did. */
byte acknowledged;
byte acknowledged_in[OPS];

byte x, y, best_view; /* within a step; 0 between two */

/* --- what happens ----------------------------------------------------------------------------- */

#define TAKES_PART(r) (status[r] <= STARTING)

/* r holds its log durably in its view, and says so.  With the primary itself that is a quorum; it
 * commits at once if it is still there to hear it: whoever commits later commits no more. */
inline acknowledge(r)
{
    x = PRIMARY(view[r]);
    if
    :: status[x] == NORMAL && view[x] == view[r] && log[x] == last_log[view[r]] ->
        assert(IS_PREFIX(log[r], log[x]));
        assert(IS_PREFIX(log[r], acknowledged) || IS_PREFIX(acknowledged, log[r]));
        if
        :: LENGTH(log[r]) > LENGTH(acknowledged) ->
            if
            :: LENGTH(acknowledged) == 0 -> acknowledged_in[0] = view[r]
            :: else
            fi;
            acknowledged = log[r];
            acknowledged_in[LENGTH(log[r]) - 1] = view[r];
            printf("MODEL op %d is acknowledged in view %d\n", LENGTH(log[r]), view[r])
        :: else
        fi
    :: else
    fi;
    x = 0
}

inline crash(r)
{
    crashes++;
    printf("MODEL replica %d crashes\n", r);
    status[r] = ASKING;
    view[r] = 0;
    log_view[r] = 0;
    log[r] = 0;
    vector[r] = 0;
    chosen[r] = 0;
    asked[r] = 0;
    answers[r * REPLICAS] = 0;
    answers[r * REPLICAS + 1] = 0;
    answers[r * REPLICAS + 2] = 0
}

/* With all it had.  One life has one number, and one that has promised nothing since its last start
 * keeps it (S5). */
inline restart(r)
{
    restarts++;
    vector[r] = vector[r] + WITH_COUNTER(r, 1);
    status[r] = RETURNING;
    chosen[r] = 0;
    answers[r * REPLICAS] = 0;
    answers[r * REPLICAS + 1] = 0;
    answers[r * REPLICAS + 2] = 0;
    printf("MODEL replica %d restarts as incarnation %d\n", r, COUNTER(vector[r], r))
}

inline hear_incarnation(r, from)
{
    vector[r] = MERGED(vector[r], vector[from]);
    asked[r] = asked[r] | (1 << from);
    if
    :: asked[r] == 7 - (1 << r) ->
        asked[r] = 0;
        vector[r] = vector[r] + WITH_COUNTER(r, 1);
        status[r] = ACQUIRING;
        printf("MODEL replica %d is incarnation %d\n", r, COUNTER(vector[r], r))
    :: else
    fi
}

/* `from` notes r's incarnation and answers.  What r learns of the third replica may void what that
 * one answered. */
inline hear_answer(r, from)
{
    y = REPLICAS - r - from; /* the third */
    vector[from] = MERGED(vector[from], WITH_COUNTER(r, NOTED(COUNTER(vector[r], r))));
    if
    :: FORMER(COUNTER(vector[from], y), COUNTER(vector[r], y)) ->
        answers[r * REPLICAS + y] = 0
    :: else
    fi;
    vector[r] = MERGED(vector[r], vector[from]);
    answers[r * REPLICAS + from] =
        ANSWER(view[from], (PRIMARY(view[from]) == from -> LENGTH(log[from]) : 0));
    y = 0
}

/* r becomes a backup of view v with the log y. */
inline join(r, v)
{
    status[r] = NORMAL;
    view[r] = v;
    log_view[r] = v;
    log[r] = y;
    chosen[r] = 0;
    answers[r * REPLICAS] = 0;
    answers[r * REPLICAS + 1] = 0;
    answers[r * REPLICAS + 2] = 0;
    printf("MODEL replica %d is normal in view %d with %d ops\n", r, v, LENGTH(y));
    y = 0;
    acknowledge(r)
}

inline enter(r, v)
{
    status[r] = VIEW_CHANGE;
    view[r] = v;
    chosen[r] = 0;
    if
    :: PRIMARY(v) != r ->
        x = SLOT(v, r, COUNTER(vector[r], r));
        assert(promise_vector[x] == 0); /* one life, one promise */
        promise_vector[x] = SENT | vector[r];
        promise_log[x] = (log_view[r] << 6) | log[r];
        x = 0
    :: else
    fi;
    printf("MODEL replica %d leaves for view %d with %d ops\n", r, v, LENGTH(log[r]))
}

/* `from`, which has state, has noted r's life; with r itself it is a quorum (S2). */
inline let_in(r, from)
{
    vector[from] = MERGED(vector[from], WITH_COUNTER(r, NOTED_START(COUNTER(vector[r], r))));
    vector[r] = MERGED(vector[r], vector[from]);
    status[r] = NORMAL;
    if
    :: PRIMARY(view[r]) == r -> y = view[r] + 1; enter(r, y)
    :: PRIMARY(view[r]) != r && view[r] > log_view[r] -> y = view[r]; enter(r, y)
    :: else
    fi;
    y = 0
}

#define REMEMBERS(x) (status[x] != ASKING && status[x] != ACQUIRING)
#define MAY_BE_LET_IN(r, from)                                                                     \
    (status[r] == RETURNING && REMEMBERS(from) &&                                                 \
     (PRIMARY(view[r]) != r || view[r] + 1 < VIEWS))

/* Is there a promise of that life of `from`, and does it count for r?  V7 */
#define HEARS(r, from, life)                                                                      \
    (status[r] == VIEW_CHANGE && PRIMARY(view[r]) == r &&                                         \
     promise_vector[SLOT(view[r], from, life)] != 0 &&                                            \
     !FORMER(COUNTER(vector[r], from), life))

/* Does what `from` knows leave the promise of that life of `other` standing? */
#define CONSISTENT(r, from, life, other, other_life)                                              \
    (!FORMER(COUNTER(promise_vector[SLOT(view[r], from, life)], other), other_life))

/* V3 */
inline take_promise(r, from, life)
{
    x = SLOT(view[r], from, life);
    vector[r] = MERGED(vector[r], promise_vector[x] & 63);
    if
    :: (promise_log[x] >> 6) > best_view ||
           ((promise_log[x] >> 6) == best_view &&
            LENGTH(promise_log[x] & 63) > LENGTH(chosen[r])) ->
        best_view = promise_log[x] >> 6;
        chosen[r] = promise_log[x] & 63
    :: else
    fi;
    printf("MODEL replica %d counts the promise of replica %d, incarnation %d\n", r, from, life);
    x = 0
}

inline choose_among_two(r, from, life)
{
    chosen[r] = log[r];
    best_view = log_view[r];
    take_promise(r, from, life);
    best_view = 0;
    status[r] = STARTING
}

inline choose_among_three(r, p, p_life, q, q_life)
{
    chosen[r] = log[r];
    best_view = log_view[r];
    take_promise(r, p, p_life);
    take_promise(r, q, q_life);
    best_view = 0;
    status[r] = STARTING
}

/* What was acknowledged before view v. */
#if OPS == 1
#define MUST_HOLD(v) (acknowledged_in[0] < (v) -> acknowledged : 0)
#else
#define MUST_HOLD(v)                                                                              \
    (acknowledged < 8 || acknowledged_in[1] < (v)                                                 \
         -> (acknowledged_in[0] < (v) -> acknowledged : 0)                                        \
         : (acknowledged_in[0] < (v) -> acknowledged & 7 : 0))
#endif

inline start(r)
{
    printf("MODEL replica %d begins view %d as primary with %d ops\n", r, view[r],
           LENGTH(chosen[r]));
    assert(!begun[view[r]]); /* one primary a view */
    assert(IS_PREFIX(MUST_HOLD(view[r]), chosen[r])); /* no acknowledged op is lost */
    begun[view[r]] = true;
    first_log[view[r]] = chosen[r];
    last_log[view[r]] = chosen[r];
    log[r] = chosen[r];
    log_view[r] = view[r];
    chosen[r] = 0;
    status[r] = NORMAL
}

/* May r, which takes part, begin view v as a backup? */
#define MAY_JOIN(r, v)                                                                            \
    (TAKES_PART(r) && begun[v] && PRIMARY(v) != r &&                                              \
     (view[r] < v || (view[r] == v && status[r] == VIEW_CHANGE)))

#define BEST_VIEW(r, p, q)                                                                        \
    (answers[r * REPLICAS + p] > answers[r * REPLICAS + q]                                        \
         -> ANSWER_VIEW(answers[r * REPLICAS + p])                                                \
         : ANSWER_VIEW(answers[r * REPLICAS + q]))

/* Steps 2 and 3: two answers, one of the primary of the largest view among them (PIT-3.3). */
#define ACQUIRED(r, p, q)                                                                         \
    (status[r] == ACQUIRING && answers[r * REPLICAS + p] != 0 &&                                  \
     answers[r * REPLICAS + q] != 0 && PRIMARY(BEST_VIEW(r, p, q)) != r &&                        \
     ANSWER_VIEW(answers[r * REPLICAS + PRIMARY(BEST_VIEW(r, p, q))]) == BEST_VIEW(r, p, q))

/* Step 3: from `peer` if that has what the answers told of. */
#define MAY_FETCH(r, p, q, peer)                                                                  \
    (ACQUIRED(r, p, q) && ANSWERS(peer) && PRIMARY(view[peer]) != r &&                            \
     (view[peer] > BEST_VIEW(r, p, q) ||                                                          \
      (view[peer] == BEST_VIEW(r, p, q) &&                                                        \
       LENGTH(log[peer]) >=                                                                       \
           ANSWER_LENGTH(answers[r * REPLICAS + PRIMARY(BEST_VIEW(r, p, q))]))))

#define HEARS_BOTH(r, p, p_life, q, q_life)                                                       \
    (HEARS(r, p, p_life) && HEARS(r, q, q_life) && CONSISTENT(r, p, p_life, q, q_life) &&         \
     CONSISTENT(r, q, q_life, p, p_life))

#define EITHER(from, life)                                                                        \
    :: d_step { HEARS(r, from, life) -> choose_among_two(r, from, life) }
#define BOTH(p_life, q_life)                                                                      \
    :: d_step                                                                                     \
    {                                                                                             \
        HEARS_BOTH(r, p, p_life, q, q_life) -> choose_among_three(r, p, p_life, q, q_life)        \
    }
#define ENTER(v)                                                                                  \
    :: d_step { TAKES_PART(r) && view[r] < v -> enter(r, v) }
#define JOIN(v)                                                                                   \
    :: d_step { MAY_JOIN(r, v) -> y = first_log[v]; join(r, v) }                                  \
    :: d_step { MAY_JOIN(r, v) && last_log[v] != first_log[v] -> y = last_log[v]; join(r, v) }    \
    :: d_step                                                                                     \
    {                                                                                             \
        MAY_JOIN(r, v) && LENGTH(last_log[v]) == LENGTH(first_log[v]) + 2 ->                      \
            y = ONE_MORE(first_log[v], last_log[v]); join(r, v)                                   \
    }

proctype replica(byte r, p, q)
{
    do
    :: d_step { crashes < CRASHES && status[r] != ASKING -> crash(r) }

#if RESTARTS > 0
    :: d_step { restarts < RESTARTS && REMEMBERS(r) && status[r] != RETURNING -> restart(r) }
    :: d_step { MAY_BE_LET_IN(r, p) -> let_in(r, p) }
    :: d_step { MAY_BE_LET_IN(r, q) -> let_in(r, q) }
#endif

    /* normal operation */
    :: d_step
    {
        status[r] == NORMAL && PRIMARY(view[r]) == r && LENGTH(log[r]) < OPS &&
            log[r] == last_log[view[r]] ->
            log[r] = APPENDED(log[r], view[r]);
            last_log[view[r]] = log[r];
            printf("MODEL replica %d prepares op %d in view %d\n", r, LENGTH(log[r]), view[r])
    }
    :: d_step
    {
        status[r] == NORMAL && PRIMARY(view[r]) != r && log[r] != last_log[view[r]] &&
            IS_PREFIX(log[r], last_log[view[r]]) ->
            log[r] = ONE_MORE(log[r], last_log[view[r]]);
            acknowledge(r)
    }

    /* view change */
    ENTER(1)
#if VIEWS > 2
    ENTER(2)
#endif
#if VIEWS > 3
    ENTER(3)
#endif
    EITHER(p, 0)
    EITHER(q, 0)
    BOTH(0, 0)
#if LIVES > 1
    EITHER(p, 1)
    EITHER(q, 1)
    BOTH(0, 1)
    BOTH(1, 0)
#endif
#if LIVES > 2
    EITHER(p, 2)
    EITHER(q, 2)
    BOTH(0, 2)
    BOTH(1, 1)
    BOTH(2, 0)
#endif
#if LIVES > 3
    EITHER(p, 3)
    EITHER(q, 3)
    BOTH(0, 3)
    BOTH(1, 2)
    BOTH(2, 1)
    BOTH(3, 0)
#endif
    :: d_step { status[r] == STARTING -> start(r) }
    JOIN(1)
#if VIEWS > 2
    JOIN(2)
#endif
#if VIEWS > 3
    JOIN(3)
#endif

    /* recovery */
    :: d_step
    {
        status[r] == ASKING && ANSWERS(p) && (asked[r] & (1 << p)) == 0 -> hear_incarnation(r, p)
    }
    :: d_step
    {
        status[r] == ASKING && ANSWERS(q) && (asked[r] & (1 << q)) == 0 -> hear_incarnation(r, q)
    }
    :: d_step
    {
        status[r] == ACQUIRING && ANSWERS(p) &&
            !FORMER(COUNTER(vector[p], r), COUNTER(vector[r], r)) -> hear_answer(r, p)
    }
    :: d_step
    {
        status[r] == ACQUIRING && ANSWERS(q) &&
            !FORMER(COUNTER(vector[q], r), COUNTER(vector[r], r)) -> hear_answer(r, q)
    }
    :: d_step { MAY_FETCH(r, p, q, p) -> y = log[p]; join(r, view[p]) }
    :: d_step { MAY_FETCH(r, p, q, q) -> y = log[q]; join(r, view[q]) }
    od
}

init
{
    atomic {
        begun[0] = true; /* the group has formed */
        run replica(0, 1, 2);
        run replica(1, 2, 0);
        run replica(2, 0, 1)
    }
}

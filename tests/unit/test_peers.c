/* SPDX-License-Identifier: BSD-2-Clause */
/* The connections to other replicas, as directories change: who is a peer, who is a stranger, and
 * what the node is told and given of either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "peered.h"

#define PATIENCE_MS 10000u /* for the rest of a frame */

/* --- peers ------------------------------------------------------------------------------------ */

static void who_comes_is_met_heard_and_sent_to(void **state)
{
    struct fixture *f = *state;
    int fd = come(f, "b:2");

    assert_story(f, "+1 ");
    assert_true(receive(f, fd) > 0);
    say(f, fd, a_frame());
    assert_story(f, "1 ");
    peers_send(&f->peers, 1, a_frame());
    peers_flush(&f->peers);
    assert_int_equal(receive(f, fd), a_frame().size);
    assert_int_equal(peers_dropped(&f->peers, 1), 0);
    leave(f, fd);
    assert_story(f, "-1 ");
    assert_null(f->peers.slots[1]->connection);
    assert_false(f->peers.slots[1]->told);
    peers_send(&f->peers, 1, a_frame());
    assert_int_equal(peers_dropped(&f->peers, 1), 1);
}

static void who_goes_while_it_is_greeted_was_never_there(void **state)
{
    struct fixture *f = *state;
    static const char *const addresses[] = {"b:2", "s:1"};

    for (int i = 0; i < 2; i++) {
        const struct wire_hello hello = hello_of(f, addresses[i]);
        struct bytes frame = encode(&hello);
        int fd;

        knock(f, &fd);
        assert_int_equal(write(fd, frame.data, frame.size), frame.size);
        leave(f, fd);
    }
    assert_story(f, "");
    assert_null(f->peers.slots[1]->connection);
    assert_int_equal(n_strangers(f), 0);
}

static void what_a_replica_does_not_read_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct bytes large = {f->received, FRAME_MAX};
    int fd = come(f, "b:2");

    receive(f, fd);
    for (int i = 0; i < 20; i++) peers_send(&f->peers, 1, large);
    assert_int_equal(peers_dropped(&f->peers, 1), 4);
    close(fd);
}

static void who_comes_again_replaces_the_rest_of_itself(void **state)
{
    struct fixture *f = *state;
    int before, fd;

    f->peers.started = true;
    before = come(f, "b:2");
    fd = come(f, "b:2");
    assert_story(f, "+1 -1 +1 ");
    assert_false(is_due(f, 1)); /* to be dialled */
    assert_true(is_closed(f, before));
    close(before);
    say(f, fd, a_frame());
    assert_story(f, "1 ");
    close(fd);
}

static void who_leaves_the_directory_is_a_stranger_and_may_be_a_peer_again(void **state)
{
    struct fixture *f = *state;
    int fd = come(f, "b:2"), other = come(f, "c:3");
    const struct connection *c = f->peers.slots[1]->connection;

    f->peers.started = true;
    assert_story(f, "+1 +2 ");
    change(f, "c:3", NULL); /* the same connection, in another slot */
    hosted_run(&f->hosted);
    assert_int_equal(n_strangers(f), 1);
    say(f, fd, a_frame());
    say(f, other, a_frame());
    assert_story(f, "? 1 ");

    change(f, "c:3", "b:2");
    assert_int_equal(n_strangers(f), 0);
    assert_ptr_equal(f->peers.slots[2]->connection, c);
    assert_story(f, "");
    hosted_run(&f->hosted); /* the node is told at the end of the turn, in which it told us */
    assert_story(f, "+2 ");
    assert_false(is_due(f, 1) || is_due(f, 2)); /* to be dialled */
    say(f, fd, a_frame());
    assert_story(f, "2 ");
    leave(f, fd);
    assert_story(f, "-2 ");
    peers_sweep(&f->peers);
    close(other);
}

static void who_goes_before_the_node_was_told_was_never_there(void **state)
{
    struct fixture *f = *state;
    int fd = come(f, "b:2");

    change(f, "c:3", NULL);
    change(f, "c:3", "b:2");
    peers_send(&f->peers, 2, a_frame());
    close(fd);
    f->story[0] = '\0';
    peers_flush(&f->peers); /* which finds out */
    assert_null(f->peers.slots[2]->connection);
    assert_story(f, "");
}

static void who_leaves_while_there_is_no_place_for_strangers_is_closed(void **state)
{
    struct fixture *f = *state;
    int fds[STRANGERS_MAX], fd = come(f, "b:2"), late;
    char address[32];

    for (unsigned i = 0; i < STRANGERS_MAX; i++) {
        snprintf(address, sizeof address, "s:%u", i + 1);
        fds[i] = come(f, address);
        assert_int_equal(n_strangers(f), i + 1);
    }
    late = come(f, "s:100");
    assert_true(is_closed(f, late));
    close(late);
    f->story[0] = '\0';
    change(f, "c:3", NULL);
    assert_true(is_closed(f, fd));
    assert_story(f, ""); /* it is the node that has dropped it */
    assert_int_equal(n_strangers(f), STRANGERS_MAX);
    close(fd);
    for (unsigned i = 0; i < STRANGERS_MAX; i++) close(fds[i]);
}

/* --- strangers -------------------------------------------------------------------------------- */

static void a_stranger_that_goes_or_comes_again_leaves_its_place(void **state)
{
    struct fixture *f = *state;
    int fd = come(f, "s:1"), again = come(f, "s:1");

    assert_int_equal(n_strangers(f), 1);
    assert_true(is_closed(f, fd));
    close(fd);
    say(f, again, a_frame());
    assert_story(f, "? ");
    leave(f, again);
    assert_int_equal(n_strangers(f), 0);
    peers_sweep(&f->peers);
}

static void a_stranger_has_an_address(void **state)
{
    struct fixture *f = *state;
    char address[ADDRESS_BYTES_MAX + 2] = "";
    int fd = come(f, address);

    assert_true(is_closed(f, fd));
    close(fd);
    memset(address, 'x', sizeof address - 1);
    fd = come(f, address);
    assert_true(is_closed(f, fd));
    close(fd);
    address[ADDRESS_BYTES_MAX] = '\0';
    fd = come(f, address);
    assert_int_equal(n_strangers(f), 1);
    close(fd);
}

static void an_answer_finds_the_stranger_who_asked_or_nobody(void **state)
{
    struct fixture *f = *state;
    int fd = come(f, "s:1"), next;
    uint64_t first;

    assert_false(peers_reply(&f->peers, UINT64_C(1) << 32, a_frame())); /* a client's */
    receive(f, fd);
    say(f, fd, a_frame());
    first = f->origin;
    assert_true(peers_reply(&f->peers, first, a_frame()));
    peers_flush(&f->peers);
    assert_int_equal(receive(f, fd), a_frame().size);
    leave(f, fd);
    assert_true(peers_reply(&f->peers, first, a_frame()));

    next = come(f, "s:2"); /* in the same place */
    receive(f, next);
    assert_true(peers_reply(&f->peers, first, a_frame()));
    peers_flush(&f->peers);
    assert_int_equal(receive(f, next), 0);
    say(f, next, a_frame());
    assert_true(peers_reply(&f->peers, f->origin, (struct bytes){f->received, FRAME_MAX}));
    peers_flush(&f->peers);
    assert_int_equal(receive(f, next), FRAME_MAX);
    close(next);
}

/* It was a peer when it was sent this. */
static void what_was_queued_for_a_peer_leaves_when_it_is_a_stranger(void **state)
{
    struct fixture *f = *state;
    int fd = come(f, "b:2");

    receive(f, fd);
    peers_send(&f->peers, 1, a_frame());
    change(f, "c:3", NULL);
    peers_flush(&f->peers);
    assert_int_equal(receive(f, fd), a_frame().size);
    close(fd);
}

/* --- held, and overdue ------------------------------------------------------------------------ */

static void who_keeps_a_frame_unfinished_is_closed(void **state)
{
    struct fixture *f = *state;
    int fds[] = {come(f, "b:2"), come(f, "s:1"), come(f, "c:3")};
    struct connection *both[] = {f->peers.slots[1]->connection, f->peers.strangers[0].connection};

    peers_sweep(&f->peers);
    for (int i = 0; i < 2; i++) {
        say(f, fds[i], (struct bytes){a_frame().data, 20});
        both[i]->partial_ms -= PATIENCE_MS;
    }
    peers_sweep(&f->peers);
    assert_true(is_closed(f, fds[0]));
    assert_true(is_closed(f, fds[1]));
    assert_false(is_closed(f, fds[2]));
    for (int i = 0; i < 3; i++) close(fds[i]);
}

static void who_was_held_is_fed_the_first_one_first(void **state)
{
    static const int orders[][3] = {{2, 0, 1}, {1, 0, 2}};
    static const char *const stories[] = {"1 2 ? ", "2 1 ? "};
    struct fixture *f = *state;
    int fds[] = {come(f, "b:2"), come(f, "c:3"), come(f, "s:1")};

    f->story[0] = '\0';
    for (int round = 0; round < 2; round++) {
        f->peers.owner.held = f->peers.stranger_owner.held = true;
        for (int i = 0; i < 3; i++) say(f, fds[orders[round][i]], a_frame());
        assert_story(f, "");
        f->peers.owner.held = f->peers.stranger_owner.held = false;
        assert_false(peers_resume(&f->peers));
        assert_story(f, stories[round]);
    }
    f->peers.stranger_owner.held = true; /* alone */
    say(f, fds[2], a_frame());
    f->peers.stranger_owner.held = false;
    peers_resume(&f->peers);
    assert_story(f, "? ");
    for (int i = 0; i < 3; i++) close(fds[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_comes_is_met_heard_and_sent_to),
        TEST(who_goes_while_it_is_greeted_was_never_there),
        TEST(what_a_replica_does_not_read_is_dropped),
        TEST(who_comes_again_replaces_the_rest_of_itself),
        TEST(who_leaves_the_directory_is_a_stranger_and_may_be_a_peer_again),
        TEST(who_goes_before_the_node_was_told_was_never_there),
        TEST(who_leaves_while_there_is_no_place_for_strangers_is_closed),
        TEST(a_stranger_that_goes_or_comes_again_leaves_its_place),
        TEST(a_stranger_has_an_address),
        TEST(an_answer_finds_the_stranger_who_asked_or_nobody),
        TEST(what_was_queued_for_a_peer_leaves_when_it_is_a_stranger),
        TEST(who_keeps_a_frame_unfinished_is_closed),
        TEST(who_was_held_is_fed_the_first_one_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Who of two replicas dials, when, and who is let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "peered.h"

/* --- dials ------------------------------------------------------------------------------------ */

static bool is_dialled(const struct fixture *f, uint8_t slot)
{
    return f->peers.slots[slot]->connection != NULL;
}

/* Who listens there, if anybody does, is no replica. */
#define LOWER  "127.0.0.1:1"
#define HIGHER "127.0.0.1:9"

static void members_dial_those_before_them_and_guests(void **state)
{
    struct fixture *f = *state;

    direct(f, (struct node_directory){.n_members = 2, .n_slots = 3, .self = 0,
                                      .addresses = {OURS, LOWER, HIGHER}});
    assert_false(is_due(f, 1) || is_due(f, 2)); /* nobody is dialled yet */
    peers_start(&f->peers);
    assert_false(is_dialled(f, 1));
    assert_true(is_dialled(f, 2));
    /* it may not know us */
    assert_in_range(uv_timer_get_due_in(&f->peers.slots[1]->timer), 1000, 1050);
}

static void who_is_no_member_dials_all(void **state)
{
    struct fixture *f = *state;

    direct(f, (struct node_directory){.n_members = 2, .n_slots = 2, .self = NOT_A_MEMBER,
                                      .addresses = {LOWER, HIGHER}});
    peers_start(&f->peers);
    assert_true(is_dialled(f, 0) && is_dialled(f, 1));
}

/* We dial the first of the two, who has not answered yet. */
static void dial(struct fixture *f, const char *address)
{
    direct(f, (struct node_directory){.n_members = 2, .n_slots = 2, .self = 1,
                                      .addresses = {address, OURS}});
    peers_start(&f->peers);
    assert_true(is_dialled(f, 0));
}

static void resolve(struct fixture *f, const struct peer *peer)
{
    while (peer->resolving) uv_run(&f->hosted.loop, UV_RUN_ONCE);
}

/* The replica at that address has come before anything else happens. */
static int have_come(struct fixture *f, const char *address)
{
    const struct wire_hello hello = hello_of(f, address);
    struct wire_message message;
    int fd;
    struct connection *c = knock(f, &fd);

    assert_int_equal(wire_frame_decode(encode(&hello), &message), 0);
    c->identified = true;
    assert_int_equal(peers_adopt(&f->peers, c, &message), 0);
    return fd;
}

static void of_two_dials_that_of_the_lower_address_stands(void **state)
{
    struct fixture *f = *state;
    const struct connection *c;
    int fd;

    dial(f, HIGHER);
    c = f->peers.slots[0]->connection;
    fd = come(f, HIGHER);
    assert_story(f, "");
    assert_ptr_equal(f->peers.slots[0]->connection, c);
    assert_true(is_closed(f, fd));
    close(fd);
}

static void it_is_theirs_if_their_address_is_lower(void **state)
{
    struct fixture *f = *state;
    int fd;

    dial(f, LOWER);
    fd = have_come(f, LOWER);
    assert_story(f, "+0 ");
    assert_int_equal(n_logged(f, "event=peer-unreachable"), 0);
    resolve(f, f->peers.slots[0]);
    assert_false(is_closed(f, fd));
    say(f, fd, a_frame());
    assert_story(f, "0 ");
    close(fd);
}

static void who_is_a_stranger_by_the_time_it_is_resolved_is_not_dialled(void **state)
{
    struct fixture *f = *state;
    const struct peer *peer;
    int fd;

    dial(f, LOWER);
    peer = f->peers.slots[0];
    fd = have_come(f, LOWER);
    change(f, "c:3", NULL);
    resolve(f, peer);
    assert_false(is_closed(f, fd));
    f->story[0] = '\0';
    say(f, fd, a_frame());
    assert_story(f, "? ");
    close(fd);
}

static void who_leaves_while_it_is_dialled_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct peer *peer;

    dial(f, HIGHER);
    peer = f->peers.slots[0];
    for (int i = 0; i < 100; i++) {
        change(f, i % 2 == 0 ? "v:1" : "x:1", i % 2 == 0 ? "w:1" : "y:1");
        for (int slot = 1; slot < 3; slot++) assert_ptr_not_equal(f->peers.slots[slot], peer);
    }
    assert_true(peer->resolving); /* so its place was not another's yet */
    assert_false(uv_is_active((uv_handle_t *)&peer->timer));
    assert_int_equal(n_strangers(f), 0);
    assert_int_equal(n_logged(f, "event=peer-unreachable"), 0);
    resolve(f, peer);
}

static void a_name_that_is_not_resolved_yet_is_not_asked_for_again(void **state)
{
    struct fixture *f = *state;
    struct peer *peer;

    dial(f, LOWER);
    peer = f->peers.slots[0];
    connection_close(peer->connection, "no answer");
    peers_start(&f->peers);
    assert_false(is_dialled(f, 0));
    assert_true(is_due(f, 0));
    resolve(f, peer);
    peers_start(&f->peers);
    assert_true(is_dialled(f, 0));
}

static void a_dial_that_fails_or_is_not_answered_is_over(void **state)
{
    struct fixture *f = *state;
    uv_timer_t *timer;

    dial(f, "255.255.255.255:9");
    resolve(f, f->peers.slots[0]);
    assert_false(is_dialled(f, 0));

    dial(f, LOWER);
    timer = &f->peers.slots[0]->timer;
    assert_in_range(uv_timer_get_due_in(timer), 1900, 2000);
    uv_timer_set_repeat(timer, 1);
    uv_timer_again(timer);
    while (is_dialled(f, 0)) uv_run(&f->hosted.loop, UV_RUN_ONCE);
    assert_true(is_due(f, 0));
}

/* It is not connected yet. */
static void who_is_dialled_is_not_resumed_with_those_who_were_held(void **state)
{
    struct fixture *f = *state;
    int fd = come(f, "s:1");

    dial(f, HIGHER);
    connection_hold(f->peers.strangers[0].connection);
    peers_resume(&f->peers);
    assert_false(f->peers.strangers[0].connection->held);
    assert_true(is_dialled(f, 0));
    close(fd);
}

/* Whom the group had among its members may never come, and is dialled seldom; once it is one again
 * it is dialled soon. */
static void who_is_a_member_again_is_dialled_soon(void **state)
{
    struct fixture *f = *state;
    struct node_directory d = {
        .n_members = 1, .n_slots = 2, .greets = true, .addresses = {OURS, "b:2"}};
    struct peer *peer;

    f->peers.started = true;
    peers_directory(&f->peers, &d);
    peer = f->peers.slots[1];
    for (int i = 0; i < 20; i++) {
        uv_timer_stop(&peer->timer);
        peers_directory(&f->peers, &d);
    }
    assert_int_equal(peer->backoff_ms, 60000);
    assert_in_range(uv_timer_get_due_in(&peer->timer), 29000, 60000);
    d.n_members = 2;
    peers_directory(&f->peers, &d);
    assert_in_range(uv_timer_get_due_in(&peer->timer), 1, 1050); /* it dials us, and is late */
}

static void who_was_there_is_dialled_soon_and_others_up_to_a_second_later(void **state)
{
    struct fixture *f = *state;
    struct node_directory d = {.n_members = 1, .n_slots = 2, .addresses = {OURS, "b:2"}};
    struct peer *peer = f->peers.slots[1];

    f->peers.started = true;
    for (int i = 0; i < 20; i++) {
        uv_timer_stop(&peer->timer);
        peers_directory(&f->peers, &d);
    }
    assert_int_equal(peer->backoff_ms, 1000); /* it is a guest, but was no member */
    leave(f, come(f, "b:2"));
    assert_in_range(uv_timer_get_due_in(&peer->timer), 1, 50);
    peers_directory(&f->peers, &d); /* which does not put it off */
    assert_int_equal(peer->backoff_ms, 100);
}

/* So often. */
static void dial_in_vain(struct fixture *f, struct peer *peer, unsigned n)
{
    for (n += peer->n_dials; peer->n_dials < n;) {
        peer->backoff_ms = 0; /* so that it is dialled again at once */
        uv_run(&f->hosted.loop, UV_RUN_ONCE);
    }
}

static void who_is_not_reached_is_logged_once(void **state)
{
    struct fixture *f = *state;

    dial(f, LOWER);
    dial_in_vain(f, f->peers.slots[0], 3);
    assert_int_equal(n_logged(f, "event=peer-unreachable"), 1);
}

static void who_has_gone_is_not_logged_as_not_reached_too(void **state)
{
    struct fixture *f = *state;

    direct(f, (struct node_directory){
                  .n_members = 2, .n_slots = 2, .self = 1, .addresses = {LOWER, OURS}});
    leave(f, come(f, LOWER));
    peers_start(&f->peers);
    assert_int_equal(n_logged(f, "event=peer-disconnected"), 1);
    dial_in_vain(f, f->peers.slots[0], 3);
    assert_int_equal(n_logged(f, "event=peer-unreachable"), 0);
}

static void who_may_never_come_is_not_logged(void **state)
{
    struct fixture *f = *state;

    direct(f, (struct node_directory){
                  .n_members = 1, .n_slots = 2, .greets = true, .addresses = {OURS, LOWER}});
    peers_start(&f->peers);
    dial_in_vain(f, f->peers.slots[1], 3);
    assert_int_equal(n_logged(f, "event=peer-unreachable"), 0);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void why_one_is_refused_is_told_until_it_is_over(void **state)
{
    struct fixture *f = *state;
    int fd = come_otherwise(f, "b:2"), again;

    assert_true(is_closed(f, fd));
    close(fd);
    assert_non_null(strstr(f->peers.refused, "the replica at b:2: durability is disk at b:2 and"));
    again = come(f, "c:3"); /* which says nothing of the other */
    assert_true(f->peers.refused[0] != '\0');
    close(again);
    again = come(f, "b:2");
    assert_string_equal(f->peers.refused, "");
    close(again);
    close(come_otherwise(f, "s:1"));
    assert_true(f->peers.refused[0] != '\0');
    close(come(f, "s:1"));
    assert_string_equal(f->peers.refused, "");

    close(come_otherwise(f, "b:2"));
    peers_sweep(&f->peers);
    assert_true(f->peers.refused[0] != '\0');
    f->peers.refused_ms -= 5001;
    peers_sweep(&f->peers);
    assert_string_equal(f->peers.refused, "");
}

/* Is it let in? */
static bool is_let_in(struct fixture *f, const struct wire_hello *hello)
{
    int fd = come_with(f, hello);
    bool is_in = !is_closed(f, fd);

    leave(f, fd);
    return is_in;
}

static void who_knows_no_group_lets_in_whom_it_may_be_in_one_with(void **state)
{
    struct fixture *f = *state;
    struct wire_hello hello = hello_of(f, "b:2");

    assert_true(is_let_in(f, &hello));
    hello.members.lo ^= 1;
    assert_false(is_let_in(f, &hello));
    hello.group.lo = 7; /* it may be moved there */
    assert_true(is_let_in(f, &hello));
    hello.group.lo = 0;
    hello.epoch++;
    assert_true(is_let_in(f, &hello));
    hello = hello_of(f, "s:1"); /* it waits for another group */
    hello.members.lo ^= 1;
    assert_false(is_let_in(f, &hello));
    hello = hello_of(f, OURS);
    assert_false(is_let_in(f, &hello));
}

static void a_group_lets_in_others_but_no_member_that_is_told_otherwise(void **state)
{
    struct fixture *f = *state;
    struct node_identity ours;
    struct wire_hello hello = hello_of(f, "b:2");

    node_identity(f->hosted.node, &ours);
    assert_true(ours.group.lo != 0);
    hello.members.lo ^= 1;
    assert_true(is_let_in(f, &hello)); /* who waits to be a member */
    hello.group.lo = ours.group.lo ^ 1;
    assert_true(is_let_in(f, &hello)); /* the node tells it */
    hello.group = ours.group;
    assert_false(is_let_in(f, &hello));

    change(f, "b:2", NULL);
    hello.group = (struct vstamp_id){0};
    assert_false(is_let_in(f, &hello));
    direct(f, (struct node_directory){.n_members = 1, .n_slots = 2, .addresses = {OURS, "b:2"}});
    assert_true(is_let_in(f, &hello)); /* it is to be a member, and is none yet */
    change(f, "b:2", NULL);
    hello.members = ours.members;
    assert_true(is_let_in(f, &hello));
    hello.group.lo = ours.group.lo ^ 1;
    assert_true(is_let_in(f, &hello));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_dial_those_before_them_and_guests),
        TEST(who_is_no_member_dials_all),
        TEST(of_two_dials_that_of_the_lower_address_stands),
        TEST(it_is_theirs_if_their_address_is_lower),
        TEST(who_is_a_stranger_by_the_time_it_is_resolved_is_not_dialled),
        TEST(who_leaves_while_it_is_dialled_is_forgotten),
        TEST(a_name_that_is_not_resolved_yet_is_not_asked_for_again),
        TEST(a_dial_that_fails_or_is_not_answered_is_over),
        TEST(who_is_dialled_is_not_resumed_with_those_who_were_held),
        TEST(who_is_a_member_again_is_dialled_soon),
        TEST(who_was_there_is_dialled_soon_and_others_up_to_a_second_later),
        TEST(who_is_not_reached_is_logged_once),
        TEST(who_has_gone_is_not_logged_as_not_reached_too),
        TEST(who_may_never_come_is_not_logged),
        TEST(why_one_is_refused_is_told_until_it_is_over),
        TEST(who_knows_no_group_lets_in_whom_it_may_be_in_one_with),
        cmocka_unit_test_setup_teardown(a_group_lets_in_others_but_no_member_that_is_told_otherwise,
                                        set_up_group, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection by itself: what comes and goes in pieces, who is held, and who keeps the other end
 * waiting.  That it is served well over the network is tested by tests/cli. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "connected.h"

/* --- in --------------------------------------------------------------------------------------- */

static void frames_are_fed_whole_however_they_come(void **state)
{
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 6000); /* more than is kept of one that is not known */

    for (size_t i = 0; i < frame.size; i++) {
        assert_int_equal(f->n_frames, 0);
        say(f, f->fd, (struct bytes){frame.data + i, 1});
    }
    assert_int_equal(f->n_frames, 1);
    assert_null(f->c->in.data); /* an idle one holds no buffer */

    assert_int_equal(write(f->fd, frame.data, frame.size), frame.size);
    say(f, f->fd, (struct bytes){frame.data, 100});
    assert_int_equal(f->n_frames, 2);
    assert_int_equal(write(f->fd, frame.data + 100, frame.size - 100), frame.size - 100);
    assert_int_equal(f->n_bytes, 2 * frame.size);
    frame = make_frame(f, 3000);
    assert_int_equal(write(f->fd, frame.data, frame.size), frame.size);
    say(f, f->fd, frame);
    assert_int_equal(f->n_frames, 5);
    assert_int_equal(f->n_over, 0);
}

static void a_frame_that_is_refused_ends_it_with_what_is_behind_it(void **state)
{
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 10);

    f->refusal = VSTAMP_E_OTHER_GROUP;
    assert_int_equal(write(f->fd, frame.data, frame.size), frame.size);
    say(f, f->fd, frame);
    assert_int_equal(f->n_frames, 1);
    assert_int_equal(f->n_over, 1);
    assert_string_equal(f->reason, "one of the two refuses the other");
    assert_int_equal(f->error, VSTAMP_E_OTHER_GROUP);
}

static void who_says_nothing_or_half_of_a_first_frame_is_overdue(void **state)
{
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 10);

    assert_false(connection_is_overdue(f->c));
    let_wait(f->c, PATIENCE_MS / 2);
    say(f, f->fd, (struct bytes){frame.data, 20}); /* which gives it no more time */
    assert_false(connection_is_overdue(f->c));
    let_wait(f->c, PATIENCE_MS / 2);
    assert_true(connection_is_overdue(f->c));
    say(f, f->fd, (struct bytes){frame.data + 20, frame.size - 20});
    let_wait(f->c, PATIENCE_MS);
    assert_false(connection_is_overdue(f->c)); /* it may be silent for ever */
}

static void later_who_goes_on_is_not_overdue(void **state)
{
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 10);

    say(f, f->fd, frame);
    for (size_t i = 0; i < 20; i++) {
        say(f, f->fd, (struct bytes){frame.data + i, 1});
        let_wait(f->c, PATIENCE_MS / 2);
        assert_false(connection_is_overdue(f->c));
    }
    let_wait(f->c, PATIENCE_MS / 2);
    assert_true(connection_is_overdue(f->c));
}

/* --- held ------------------------------------------------------------------------------------- */

static void who_is_held_is_neither_read_nor_fed_nor_overdue(void **state)
{
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 10);

    f->owner.held = true;
    say(f, f->fd, (struct bytes){frame.data, 20});
    assert_true(f->c->held);
    assert_ptr_equal(chain_first(&f->owner.held_ones), &f->c->queued);
    let_wait(f->c, PATIENCE_MS);
    assert_false(connection_is_overdue(f->c));

    say(f, f->fd, (struct bytes){frame.data + 20, frame.size - 20});
    assert_int_equal(f->c->in.size, 20); /* the rest waits in the socket */
    connection_resume(f->c);
    assert_true(f->c->held); /* since its owner is */
    assert_ptr_equal(chain_first(&f->owner.held_ones), &f->c->queued);

    f->owner.held = false;
    connection_resume(f->c);
    assert_null(chain_first(&f->owner.held_ones));
    assert_false(connection_is_overdue(f->c)); /* it was not its fault */
    hosted_run(&f->hosted);
    assert_int_equal(f->n_frames, 1);
}

/* Its frames are those of a size that nobody else's have. */
static void who_fills_a_turn_is_behind_the_others_in_the_next(void **state)
{
    struct fixture *f = *state;
    struct bytes frame;
    int fd;

    begin(f, &fd);
    f->owner.held = f->is_slow = true;
    frame = make_frame(f, 10);
    for (unsigned i = 0; i < 2 * LOOK; i++)
        assert_int_equal(write(f->fd, frame.data, frame.size), frame.size);
    hosted_run(&f->hosted);
    frame = make_frame(f, 500);
    say(f, fd, frame);
    f->owner.held = false;
    connection_resume_held(&f->owner);
    assert_int_equal(f->n_frames, LOOK);
    assert_true(f->n_bytes < LOOK * frame.size);
    hosted_run(&f->hosted);
    f->n_bytes = 0;
    hosted_run(&f->hosted);
    assert_int_equal(f->n_frames, 2 * LOOK);
    assert_true(f->n_bytes > frame.size);
    close(fd);
}

static void who_does_not_read_is_not_tried_again_and_again(void **state)
{
    struct fixture *f = *state;
    struct connection *c;
    int fd;

    f->owner.unread_max = 100;
    c = begin(f, &fd);
    f->c->write_busy = true; /* so that it has something to be read */
    assert_true(connection_send(f->c, (struct bytes){f->sent, 101}));
    connection_hold(f->c);
    connection_hold(c);
    assert_false(connection_resume_held(&f->owner));
    assert_true(f->c->held);
    assert_false(c->held);
    assert_null(chain_first(&f->owner.held_ones));
    assert_false(connection_resume_held(&f->owner));
    f->c->write_busy = false;
    close(fd);
}

static void who_is_held_waits_where_it_belongs(void **state)
{
    struct fixture *f = *state;

    connection_hold(f->c);
    connection_hold(f->c);
    assert_ptr_equal(chain_first(&f->owner.held_ones), &f->c->queued);
    connection_hand_over(f->c, &f->other);
    assert_null(chain_first(&f->owner.held_ones));
    assert_ptr_equal(chain_first(&f->other.held_ones), &f->c->queued);
    connection_close(f->c, "");
    connection_close(f->c, "");
    assert_null(chain_first(&f->other.held_ones));
    assert_int_equal(f->n_over, 1);
}

/* --- turns ------------------------------------------------------------------------------------ */

/* As much as the socket takes, in so few frames that nobody looks at the clock. */
static void fill(struct fixture *f, int fd)
{
    struct bytes frame = make_frame(f, 60000);

    while (write(fd, frame.data, frame.size) == (ssize_t)frame.size) continue;
}

static void nobody_reads_more_than_its_share_of_a_round(void **state)
{
    struct fixture *f = *state;
    struct bytes frame;
    size_t before;
    int fd;
    struct connection *c = begin(f, &fd);

    f->owner.share_max = CONNECTION_READ_SIZE;
    fill(f, fd);
    frame = make_frame(f, 2 * CONNECTION_READ_SIZE);
    say(f, f->fd, (struct bytes){frame.data, 100}); /* it would have room for all of it */
    say(f, f->fd, (struct bytes){frame.data + 100, frame.size - 100});
    assert_int_equal(f->c->share.bytes, CONNECTION_READ_SIZE);
    assert_in_range(c->share.bytes, CONNECTION_READ_SIZE, 2 * CONNECTION_READ_SIZE - 1);
    before = f->n_bytes;
    for (int i = 0; i < 2; i++) hosted_run(&f->hosted); /* the next ones */
    assert_true(f->n_bytes >= before + frame.size);
    close(fd);
}

static void a_full_turn_reads_no_more(void **state)
{
    struct fixture *f = *state;
    struct bytes frame;
    int fds[3];

    for (int i = 0; i < 3; i++) begin(f, &fds[i]);
    hosted_run(&f->hosted); /* from here on who says something first is heard first */
    for (int i = 0; i < 3; i++) fill(f, fds[i]);
    frame = make_frame(f, 10);
    say(f, f->fd, frame);
    assert_in_range(f->hosted.turn.fullest_bytes, TURN_BYTES_MAX,
                    TURN_BYTES_MAX + CONNECTION_READ_SIZE - 1);
    assert_int_equal(f->c->share.bytes, 0);
    for (int i = 0; i < 3; i++) hosted_run(&f->hosted);
    assert_int_equal(f->c->share.bytes, frame.size);
    for (int i = 0; i < 3; i++) close(fds[i]);
}

static void a_full_turn_feeds_no_more(void **state)
{
    struct fixture *f = *state;

    f->owner.held = true;
    say(f, f->fd, make_frame(f, 10));
    f->owner.held = false;
    turn_begin(&f->hosted.turn);
    f->hosted.turn.taken_bytes = TURN_BYTES_MAX;
    connection_resume(f->c);
    assert_true(f->c->held);
    assert_int_equal(f->n_frames, 0);
    for (int i = 0; i < 2; i++) hosted_run(&f->hosted);
    assert_int_equal(f->n_frames, 1);
}

static void a_turn_that_takes_long_feeds_no_more(void **state)
{
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 10);

    f->is_slow = true;
    for (unsigned i = 0; i < LOOK + 4; i++)
        assert_int_equal(write(f->fd, frame.data, frame.size), frame.size);
    hosted_run(&f->hosted);
    assert_int_equal(f->n_frames, LOOK);
    hosted_run(&f->hosted);
    assert_int_equal(f->n_frames, LOOK + 4);
}

/* More than libuv hands out at once, so that it asks for more of them in the same round. */
static void thousands_that_are_ready_at_once_are_gone_through_once(void **state)
{
    enum { CROWD = 1300 };
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 10);
    struct rlimit limit;
    int fds[CROWD];
    unsigned n_rounds = 0;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < 2 * CROWD + 100) skip();
    for (int i = 0; i < CROWD; i++) {
        begin(f, &fds[i]);
        assert_int_equal(write(fds[i], frame.data, frame.size), frame.size);
    }
    f->is_slow = true;
    hosted_run(&f->hosted);
    assert_int_equal(f->n_frames, LOOK);
    assert_in_range(f->hosted.turn.refused, CROWD - LOOK, CROWD + 2 * TURN_CROWD);
    while (f->n_frames < CROWD && n_rounds++ < CROWD) {
        hosted_run(&f->hosted);
        assert_in_range(f->hosted.turn.refused, 0, 3 * TURN_CROWD);
    }
    assert_in_range(n_rounds, CROWD / LOOK - 1, CROWD / LOOK + 2);
    for (int i = 0; i < 2; i++) hosted_run(&f->hosted);
    assert_null(chain_first(&f->owner.held_ones));
    assert_false(uv_is_active((uv_handle_t *)&f->hosted.turn.rest));
    for (int i = 0; i < CROWD; i++) close(fds[i]);
}

static void thousands_may_end_at_once(void **state)
{
    struct fixture *f = *state;
    int fds[LOOK + 4];

    f->is_slow = true;
    for (unsigned i = 0; i < LOOK + 4; i++) begin(f, &fds[i]);
    for (unsigned i = 0; i < LOOK + 4; i++) close(fds[i]);
    hosted_run(&f->hosted);
    assert_int_equal(f->n_over, LOOK);
    hosted_run(&f->hosted);
    assert_int_equal(f->n_over, LOOK + 4);
}

/* --- out -------------------------------------------------------------------------------------- */

static void what_gathers_while_a_write_takes_long_follows_it(void **state)
{
    struct fixture *f = *state;

    utter(f, 0, LARGE);
    assert_true(f->c->write_busy);
    utter(f, LARGE, 100);
    utter(f, LARGE + 100, LARGE / 2);
    assert_int_equal(hosted_receive(&f->hosted, f->fd, f->received, sizeof f->received),
                     LARGE + 100 + LARGE / 2);
    assert_memory_equal(f->received, f->sent, LARGE + 100 + LARGE / 2);
    assert_false(f->c->write_busy);
    assert_null(f->c->writing.data);
}

static void what_the_socket_does_not_take_at_all_leaves_later(void **state)
{
    struct fixture *f = *state;
    size_t before = 0;
    uv_os_fd_t fd;
    ssize_t n;

    assert_int_equal(uv_fileno((uv_handle_t *)&f->c->tcp, &fd), 0);
    while ((n = write(fd, f->sent, LARGE)) > 0) before += (size_t)n;
    utter(f, 0, 100);
    assert_int_equal(f->n_over, 0);
    assert_int_equal(hosted_receive(&f->hosted, f->fd, f->received, sizeof f->received),
                     before + 100);
    assert_memory_equal(f->received + before, f->sent, 100);
}

static void what_waits_for_the_socket_counts_against_the_bound(void **state)
{
    struct fixture *f = *state;

    f->c->out_max = LARGE + 100;
    utter(f, 0, LARGE);
    assert_false(connection_send(f->c, (struct bytes){f->sent, 101}));
    utter(f, LARGE, 100);
    assert_false(connection_send(f->c, (struct bytes){f->sent, 1}));
    assert_int_equal(hosted_receive(&f->hosted, f->fd, f->received, sizeof f->received),
                     LARGE + 100);
    utter(f, 0, LARGE);
}

static void what_was_sent_leaves_no_large_buffer(void **state)
{
    struct fixture *f = *state;

    utter(f, 0, 100);
    assert_non_null(f->c->out.data);
    utter(f, 0, 100u << 10);
    assert_null(f->c->out.data);
    assert_int_equal(hosted_receive(&f->hosted, f->fd, f->received, sizeof f->received),
                     100 + (100u << 10));
}

static void a_write_that_fails_ends_it_whether_it_took_long_or_not(void **state)
{
    struct fixture *f = *state;

    connection_hold(f->c); /* so that it does not read that the other end is gone */
    utter(f, 0, LARGE);
    close(f->fd);
    hosted_run(&f->hosted);
    assert_int_equal(f->n_over, 1);
    assert_string_equal(f->reason, uv_strerror(UV_EPIPE));

    f->c = begin(f, &f->fd);
    close(f->fd);
    f->fd = -1;
    utter(f, 0, 100);
    assert_int_equal(f->n_over, 2);
    assert_false(connection_send(f->c, (struct bytes){f->sent, 1}));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_are_fed_whole_however_they_come),
        TEST(a_frame_that_is_refused_ends_it_with_what_is_behind_it),
        TEST(who_says_nothing_or_half_of_a_first_frame_is_overdue),
        TEST(later_who_goes_on_is_not_overdue),
        TEST(who_is_held_is_neither_read_nor_fed_nor_overdue),
        TEST(who_is_held_waits_where_it_belongs),
        TEST(who_fills_a_turn_is_behind_the_others_in_the_next),
        TEST(who_does_not_read_is_not_tried_again_and_again),
        TEST(nobody_reads_more_than_its_share_of_a_round),
        TEST(a_full_turn_reads_no_more),
        TEST(a_full_turn_feeds_no_more),
        TEST(a_turn_that_takes_long_feeds_no_more),
        TEST(thousands_that_are_ready_at_once_are_gone_through_once),
        TEST(thousands_may_end_at_once),
        TEST(what_gathers_while_a_write_takes_long_follows_it),
        TEST(what_the_socket_does_not_take_at_all_leaves_later),
        TEST(what_waits_for_the_socket_counts_against_the_bound),
        TEST(what_was_sent_leaves_no_large_buffer),
        TEST(a_write_that_fails_ends_it_whether_it_took_long_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

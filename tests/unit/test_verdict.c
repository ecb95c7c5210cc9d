/* SPDX-License-Identifier: BSD-2-Clause */
/* From what replicas answer to whether the group serves.  Answers are written as each replica would
 * send them, so that reading them is tested with judging them. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admin/verdict.h"

#define VIEW_CHANGE_MS 200u
#define NEVER          (-1)

static struct address addresses[REPLICAS_MAX];
static struct answers answers;
static struct verdict verdict;

static int setup(void **state)
{
    (void)state;
    memset(&answers, 0, sizeof answers);
    answers.n = 3;
    for (size_t i = 0; i < REPLICAS_MAX; i++) {
        char text[16];
        snprintf(text, sizeof text, "h:%zu", i + 1);
        assert_int_equal(address_parse(&addresses[i], text, NULL), 0);
        answers.at[i].address = &addresses[i];
        snprintf(answers.at[i].error, sizeof answers.at[i].error, "Connection refused");
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    answers_close(&answers);
    return 0;
}

/* Replica `i` answers that it is `role` in `status` in `view`, led by `primary`; heard[j] is how
 * long ago it heard replica j. */
static void say(size_t i, const char *role, const char *status, uint64_t view, int primary,
                const int heard[])
{
    char body[2048];
    int n = snprintf(body, sizeof body,
                     "{\"replica\":%zu,\"status\":\"%s\",\"role\":\"%s\",\"view\":%" PRIu64
                     ",\"primary\":%d,\"reason\":\"\",\"commit_number\":7,"
                     "\"digest_number\":7,"
                     "\"state_digest\":\"000000000000000000000000000000a1\",\"peers\":[",
                     i, status, role, view, primary);
    const char *between = "";
    for (size_t j = 0; j < answers.n; j++) {
        if (j == i) continue;
        n += snprintf(body + n, sizeof body - (size_t)n,
                      "%s{\"replica\":%zu,\"last_contact_ms\":", between, j);
        n += heard[j] == NEVER ? snprintf(body + n, sizeof body - (size_t)n, "null}")
                               : snprintf(body + n, sizeof body - (size_t)n, "%d}", heard[j]);
        between = ",";
    }
    n += snprintf(body + n, sizeof body - (size_t)n, "]}");
    assert_true((size_t)n < sizeof body);
    answer_read(&answers.at[i], i, body, (size_t)n);
    assert_string_equal(answers.at[i].error, "");
    assert_true(answers.at[i].reachable);
}

static void primary_says(size_t i, uint64_t view, const int heard[])
{
    say(i, "primary", "normal", view, (int)i, heard);
}

static void backup_says(size_t i, uint64_t view, int primary, const int heard[])
{
    say(i, "backup", "normal", view, primary, heard);
}

static void judge(enum verdict_health health, int primary, size_t tolerates)
{
    verdict_reach(&verdict, &answers, VIEW_CHANGE_MS);
    assert_int_equal(verdict.health, health);
    assert_int_equal(verdict.primary, primary);
    assert_int_equal(verdict.tolerates, tolerates);
}

static void three_hear_each_other(void)
{
    primary_says(0, 3, (int[]){0, 10, 10});
    backup_says(1, 3, 0, (int[]){10, 0, 5});
    backup_says(2, 3, 0, (int[]){10, 5, 0});
}

static void three_that_hear_each_other_are_healthy_and_tolerate_one(void **state)
{
    (void)state;
    primary_says(0, 3, (int[]){0, 10, 900});
    backup_says(1, 3, 0, (int[]){10, 0, 5});
    backup_says(2, 3, 0, (int[]){10, 5, 0});
    judge(VERDICT_HEALTHY, 0, 1);
    assert_int_equal(verdict.view, 3);
    assert_int_equal(verdict.commit_number, 7);
    assert_int_equal(verdict.n_reasons, 0);
    assert_string_equal(verdict_word(&verdict), "HEALTHY");
}

static void one_whose_program_is_too_old_for_an_entry_degrades(void **state)
{
    (void)state;
    three_hear_each_other();
    answers.at[2].status.protocol_missed = 9;
    answers.at[2].status.reason = "a later program";
    judge(VERDICT_DEGRADED, 0, 1);
    assert_int_equal(verdict.n_reasons, 1);
    assert_string_equal(verdict.reasons[0], "replica 2 (h:3) waits for a later program");
}

static void one_that_cannot_execute_an_operation_degrades(void **state)
{
    (void)state;
    three_hear_each_other();
    answers.at[2].status.stuck_number = 9;
    answers.at[2].status.reason = "word of others";
    judge(VERDICT_DEGRADED, 0, 1);
    assert_string_equal(verdict.reasons[0], "replica 2 (h:3) waits for word of others");
}

/* It takes no other operation until it knows. */
static void a_primary_that_cannot_execute_an_operation_does_not_serve(void **state)
{
    (void)state;
    three_hear_each_other();
    answers.at[0].status.stuck_number = 9;
    answers.at[0].status.reason = "word of others";
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_int_equal(verdict.n_reasons, 1);
    assert_string_equal(verdict.reasons[0], "replica 0 (h:1) waits for word of others");
}

static void one_dead_backup_degrades(void **state)
{
    (void)state;
    primary_says(0, 3, (int[]){0, 10, 192000});
    backup_says(1, 3, 0, (int[]){10, 0, 192900});
    judge(VERDICT_DEGRADED, 0, 0);
    assert_int_equal(verdict.n_reasons, 1);
    assert_string_equal(verdict.reasons[0], "replica 2 (h:3) is down: Connection refused; "
                                            "last heard by replica 0 3m12s ago");
    assert_false(verdict.taking_part[2]);
}

/* What a process of which the system closed the connections leaves behind. */
static void who_lost_its_connection_and_does_not_answer_is_down_at_once(void **state)
{
    (void)state;
    static const char primary[] =
        "{\"replica\":0,\"status\":\"normal\",\"role\":\"primary\",\"view\":3,\"primary\":0,"
        "\"peers\":[{\"replica\":1,\"connected\":true,\"last_contact_ms\":10},"
        "{\"replica\":2,\"connected\":false,\"last_contact_ms\":10}]}";
    answer_read(&answers.at[0], 0, primary, strlen(primary));
    backup_says(1, 3, 0, (int[]){10, 0, 10});
    judge(VERDICT_DEGRADED, 0, 0);
    assert_string_equal(verdict.reasons[0], "replica 2 (h:3) is down: Connection refused; "
                                            "last heard by replica 0 10ms ago");
    backup_says(2, 3, 0, (int[]){10, 10, 0}); /* a connection that is being made again */
    judge(VERDICT_HEALTHY, 0, 1);
}

static void a_primary_alone_does_not_serve(void **state)
{
    (void)state;
    primary_says(0, 3, (int[]){0, 1001, NEVER});
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_string_equal(verdict.reasons[0],
                        "the primary, replica 0, is in contact with 1 of the 2 replicas it needs");
    assert_int_equal(verdict.n_reasons, 3);
    assert_string_equal(verdict.reasons[2], "replica 2 (h:3) is down: Connection refused");
}

static void a_recovering_replica_is_heard_but_does_not_count(void **state)
{
    (void)state;
    primary_says(0, 3, (int[]){0, 10, NEVER});
    say(1, "none", "recovering", 0, -1, (int[]){10, 0, NEVER});
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_string_equal(verdict.reasons[1], "replica 1 (h:2) is in status recovering");
}

static void a_refusal_tells_why_a_replica_is_not_normal(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) say(i, "none", "recovering", 0, -1, (int[]){10, 10, 10});
    answers.at[1].status.reason = "blank: waits for all 3 replicas";
    answers.at[1].status.refusal = "no contact with the replica at h:3: its configuration differs";
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_string_equal(verdict.reasons[2],
                        "replica 1 (h:2) is in status recovering: blank: waits for all 3 replicas; "
                        "no contact with the replica at h:3: its configuration differs");
    assert_int_equal(verdict.n_reasons, 4);
}

static void more_lost_than_can_be_brought_back_is_said_to_be_for_good(void **state)
{
    (void)state;
    primary_says(0, 3, (int[]){0, 10, 10});
    say(1, "none", "recovering", 0, -1, (int[]){10, 0, 10});
    say(2, "none", "recovering", 0, -1, (int[]){10, 10, 0});
    answers.at[1].status.reason = "recovery: 1 of 2 normal replicas answered";
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_int_equal(verdict.n_reasons, 3); /* who was not heard yet may be anything */
    answers.at[2].status.reason = answers.at[1].status.reason;
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_int_equal(verdict.n_reasons, 4);
    assert_string_equal(verdict.reasons[3],
                        "2 replicas are without their state, which is more than the others can "
                        "bring back: this does not end by itself; see \"When too much is lost\" in "
                        "vstamp(7)");
}

static void who_is_blank_forms_no_group_with_one_that_has_a_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        say(i, "none", "recovering", 0, -1, (int[]){10, 10, 10});
        answers.at[i].status.reason = "blank: waits for all 3 replicas, to form the group";
        answers.at[i].status.group = (struct vstamp_id){0, 0};
    }
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_int_equal(verdict.n_reasons, 4); /* they do by themselves */
    answers.at[1].status.reason = "waits for 1 other replica to answer to its start: 0 did";
    answers.at[1].status.group = (struct vstamp_id){7, 7};
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_int_equal(verdict.n_reasons, 4); /* it has just formed one with them */
    answers.at[1].status.op_number = 1;
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_int_equal(verdict.n_reasons, 5);
    assert_non_null(strstr(verdict.reasons[4], "2 replicas are without their state"));
}

static void one_of_two_that_is_lost_is_one(void **state)
{
    (void)state;
    answers.n = answers.members.n = 2;
    primary_says(0, 3, (int[]){0, 10});
    say(1, "none", "recovering", 0, -1, (int[]){10, 0});
    answers.at[1].status.reason = "recovery: 1 of 2 normal replicas answered";
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_non_null(strstr(verdict.reasons[verdict.n_reasons - 1],
                           "1 replica is without its state, which is more than the others"));
}

static void an_old_primary_is_outvoted_by_the_newer_view(void **state)
{
    (void)state;
    primary_says(0, 3, (int[]){0, 10, 10});
    primary_says(1, 4, (int[]){10, 0, 10});
    backup_says(2, 4, 1, (int[]){10, 10, 0});
    judge(VERDICT_DEGRADED, 1, 0);
    assert_int_equal(verdict.view, 4);
    assert_string_equal(verdict.reasons[0], "replica 0 (h:1) is in view 3 of epoch 0, the group in "
                                            "view 4 of epoch 0");
}

static void a_primary_that_only_can_not_be_asked_still_serves(void **state)
{
    (void)state;
    backup_says(1, 3, 0, (int[]){199, 0, 5});
    backup_says(2, 3, 0, (int[]){10, 5, 0});
    judge(VERDICT_DEGRADED, 0, 1);
    assert_string_equal(verdict.reasons[0], "replica 0 (h:1) takes part, but its status cannot be "
                                            "read: Connection refused");
}

static void backups_whose_primary_fell_silent_have_none(void **state)
{
    (void)state;
    backup_says(1, 3, 0, (int[]){201, 0, 5});
    backup_says(2, 3, 0, (int[]){200, 5, 0});
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_string_equal(verdict.reasons[0], "the primary of view 3, replica 0, has fallen silent");
    assert_int_equal(verdict.n_reasons, 2);
    assert_string_equal(verdict.reasons[1], "replica 0 (h:1) is down: Connection refused; "
                                            "last heard by replica 2 200ms ago");
}

static void a_backup_cut_off_from_the_primary_degrades(void **state)
{
    (void)state;
    primary_says(0, 3, (int[]){0, 10, 5000});
    backup_says(1, 3, 0, (int[]){10, 0, 5});
    backup_says(2, 3, 0, (int[]){10, 5, 0});
    judge(VERDICT_DEGRADED, 0, 0);
    assert_string_equal(verdict.reasons[0],
                        "replica 2 (h:3) is up, but the primary does not hear it");
}

static void during_a_view_change_nobody_serves(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        say(i, "none", "view-change", 5, -1, (int[]){10, 10, 10});
    }
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_string_equal(verdict.reasons[0], "no primary: no replica leads view 5");
    assert_int_equal(verdict.n_reasons, 4);
}

/* The view of those who serve is the group's, whoever has left it. */
static void one_that_waits_in_a_later_view_alone_degrades(void **state)
{
    (void)state;
    for (size_t away = 0; away < 3; away += 2) {
        size_t primary = 2 - away;
        setup(NULL);
        say(away, "none", "view-change", 9, -1, (int[]){10, 10, 10});
        primary_says(primary, 3, (int[]){10, 10, 10});
        backup_says(1, 3, (int)primary, (int[]){10, 10, 10});
        judge(VERDICT_DEGRADED, (int)primary, 0);
        assert_int_equal(verdict.view, 3);
        answers_close(&answers);
    }
}

static void a_group_of_one_tolerates_nothing(void **state)
{
    (void)state;
    answers.n = 1;
    primary_says(0, 0, (int[]){0});
    judge(VERDICT_HEALTHY, 0, 0);
}

static void of_five_two_may_fail(void **state)
{
    (void)state;
    answers.n = 5;
    primary_says(4, 4, (int[]){10, 10, 10, NEVER, 0});
    for (size_t i = 0; i < 3; i++) backup_says(i, 4, 4, (int[]){10, 10, 10, 10, 10});
    judge(VERDICT_DEGRADED, 4, 1);
    backup_says(3, 4, 4, (int[]){10, 10, 10, 0, 10});
    answers_close(&answers);
    for (size_t i = 0; i < 4; i++) backup_says(i, 4, 4, (int[]){10, 10, 10, 10, 10});
    primary_says(4, 4, (int[]){10, 10, 10, 10, 0});
    judge(VERDICT_HEALTHY, 4, 2);
}

static void replicas_that_differ_at_one_commit_are_named(void **state)
{
    (void)state;
    three_hear_each_other();
    answers.at[2].status.state_digest.lo++;
    judge(VERDICT_DEGRADED, 0, 1);
    assert_string_equal(verdict.reasons[0], "replicas 0 and 2 differ in their state at commit 7");
    answers.at[2].status.digest_number--; /* of another state: nothing to compare */
    judge(VERDICT_HEALTHY, 0, 1);
    answers.at[2].status.digest_number++;
    answers.at[2].status.state_digest = (struct vstamp_id){0}; /* it has none yet */
    judge(VERDICT_HEALTHY, 0, 1);
    answers.at[2].status.state_digest = (struct vstamp_id){8, 9};
    answers.at[2].status.status = "recovering"; /* what it holds counts for nothing */
    judge(VERDICT_DEGRADED, 0, 0);
    assert_int_equal(verdict.n_reasons, 1);
}

static void replicas_of_different_groups_are_named(void **state)
{
    (void)state;
    three_hear_each_other();
    answers.at[1].status.group = (struct vstamp_id){8, 9};
    judge(VERDICT_DEGRADED, 0, 1);
    assert_string_equal(verdict.reasons[0], "replicas 0 and 1 belong to different groups");
}

/* Its view may have any number. */
static void a_later_epoch_is_newer_than_any_view_of_the_one_before(void **state)
{
    (void)state;
    three_hear_each_other();
    answers.at[0].status.view = answers.at[0].status.epoch = 4;
    answers.at[1].status.epoch = answers.at[2].status.epoch = 5;
    answers.at[1].status.primary = answers.at[2].status.primary = 1;
    answers.at[1].status.role = "primary";
    judge(VERDICT_DEGRADED, 1, 0);
    assert_int_equal(verdict.epoch, 5);
    assert_int_equal(verdict.view, 3);
    assert_string_equal(verdict.reasons[0], "replica 0 (h:1) is in view 4 of epoch 4, the group in "
                                            "view 3 of epoch 5");
    answers.at[0].status.view = 3; /* the same number is another view */
    judge(VERDICT_DEGRADED, 1, 0);
}

static void a_disk_in_trouble_is_named(void **state)
{
    (void)state;
    three_hear_each_other();
    answers.at[1].status.disk_trouble = "no room";
    judge(VERDICT_DEGRADED, 0, 1);
    assert_string_equal(verdict.reasons[0], "replica 1 (h:2): no room");
}

static void a_witness_that_dropped_what_an_active_replica_lacks_degrades(void **state)
{
    (void)state;
    three_hear_each_other();
    answers.at[2].status.checkpoint_number = 9;
    answers.at[2].status.held_number = 8;
    judge(VERDICT_HEALTHY, 0, 1); /* an active replica has the state instead */
    answers.at[2].status.role = "witness";
    judge(VERDICT_DEGRADED, 0, 1);
    assert_non_null(strstr(verdict.reasons[0], "replica 2 (h:3), a witness, was short of room and "
                                               "dropped entries up to op 9, "));
    answers.at[2].status.held_number = 9;
    judge(VERDICT_HEALTHY, 0, 1);
}

static void versions_that_are_mixed_are_told_and_who_is_down_has_none(void **state)
{
    (void)state;
    three_hear_each_other();
    for (size_t i = 0; i < 3; i++) {
        answers.at[i].status.protocol = 8;
        answers.at[i].status.protocol_newest = i == 0 ? 10 : 9;
    }
    judge(VERDICT_HEALTHY, 0, 1);
    assert_int_equal(verdict.n_reasons, 1);
    assert_string_equal(verdict.reasons[0],
                        "versions are mixed: some replicas speak version 10 of the protocol, not "
                        "so 1, 2: the group stays in version 8 until all do");
    answers.at[1].status.protocol_newest = 10;
    answers.at[2].reachable = false;
    judge(VERDICT_DEGRADED, 0, 1);
    assert_int_equal(verdict.n_reasons, 1);
    answers.at[2].reachable = true;
    answers.at[2].status.protocol_newest = 0; /* it does not say */
    judge(VERDICT_HEALTHY, 0, 1);
    assert_int_equal(verdict.n_reasons, 0);
    answers.at[1].status.protocol_newest = 9;
    judge(VERDICT_HEALTHY, 0, 1);
    assert_non_null(strstr(verdict.reasons[0], ", not so 1: "));
}

static void certificates_that_end_are_told_and_are_no_trouble_yet(void **state)
{
    (void)state;
    three_hear_each_other();
    answers.at[1].status.certificate_trouble = "tls.crt: ends 2026-12-01 12:00 UTC: renew it";
    judge(VERDICT_HEALTHY, 0, 1);
    assert_int_equal(verdict.n_reasons, 1);
    assert_string_equal(verdict.reasons[0], "replica 1 (h:2): its certificate: tls.crt: ends "
                                            "2026-12-01 12:00 UTC: renew it");
}

static void a_primary_that_is_no_replica_is_none(void **state)
{
    (void)state;
    answers.n = 3;
    backup_says(1, 3, 3, (int[]){10, 0, 5});
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_string_equal(verdict.reasons[0], "no primary: no replica leads view 3");
    backup_says(2, 3, -1, (int[]){10, 5, 0});
    judge(VERDICT_UNAVAILABLE, -1, 0);
}

static void what_came_over_the_network_cannot_reach_a_terminal(void **state)
{
    (void)state;
    three_hear_each_other();
    answers.at[1].status.disk_trouble = "\033[2J";
    answers.at[1].status.reconfiguration = "to epoch \033[2J";
    judge(VERDICT_DEGRADED, 0, 1);
    assert_null(strchr(verdict.reasons[0], '\033'));
    assert_non_null(strstr(verdict.change, "to epoch "));
    assert_null(strchr(verdict.change, '\033'));
}

static void a_replica_whose_state_differs_is_named(void **state)
{
    (void)state;
    three_hear_each_other();
    answers.at[2].status.diverged = "replica 1 at op 4096";
    judge(VERDICT_DEGRADED, 0, 1);
    assert_non_null(strstr(verdict.reasons[0], "replica 1 at op 4096: another state than"));
    answers.at[2].status.diverged = "replicas 0,1 at op 4096";
    judge(VERDICT_DEGRADED, 0, 1);
    assert_non_null(strstr(verdict.reasons[0], "nobody can tell which one is right"));
}

/* The group goes by the others' clocks, and is as healthy as it was. */
static void a_clock_that_is_wrong_is_named(void **state)
{
    (void)state;
    three_hear_each_other();
    answers.at[0].status.clock_trouble = "replica 2 is 3600 s ahead";
    judge(VERDICT_HEALTHY, 0, 1);
    assert_string_equal(verdict.reasons[0],
                        "clocks are wrong: replica 2 is 3600 s ahead: set them right");
}

static void nobody_answering_is_unavailable_with_a_row_for_each(void **state)
{
    (void)state;
    judge(VERDICT_UNAVAILABLE, -1, 0);
    assert_int_equal(verdict.n_answered, 0);
    assert_string_equal(verdict.reasons[0], "no replica answers");
    assert_int_equal(verdict.n_reasons, 4);
}

static void answers_that_are_no_status_make_a_replica_unreachable(void **state)
{
    static const struct {
        const char *body, *error;
    } cases[] = {
        {"", "its answer is not a status"},
        {"[]", "its answer is not a status"},
        {"{", "its answer is not a status"},
        {"{\"replica\":1}", "its answer has no proper 'status'"},
        {"{\"replica\":1,\"status\":7}", "its answer has no proper 'status'"},
        {"{\"replica\":\"1\",\"status\":\"normal\"}", "its answer has no proper 'replica'"},
        {"{\"replica\":1,\"status\":\"normal\",\"view\":\"3\"}", "its answer has no proper 'view'"},
        {"{\"replica\":1,\"status\":\"normal\",\"group\":\"00\"}",
         "its answer has no proper 'group'"},
        {"{\"replica\":1,\"status\":\"normal\",\"peers\":{}}", "its answer has no proper 'peers'"},
        {"{\"replica\":1,\"status\":\"normal\",\"peers\":[1]}", "its answer has no proper 'peers'"},
        {"{\"replica\":1,\"status\":\"normal\",\"peers\":[{\"connected\":1}]}",
         "its answer has no proper 'connected'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer_read(&answers.at[1], 1, cases[i].body, strlen(cases[i].body));
        assert_false(answers.at[1].reachable);
        assert_null(answers.at[1].json);
        assert_string_equal(answers.at[1].error, cases[i].error);
    }
}

static void what_another_replica_says_is_kept_apart(void **state)
{
    static const char body[] = "{\"replica\":2,\"status\":\"normal\",\"members\":\"a:1/a:2\"}";
    struct answer *a = &answers.at[1];
    (void)state;
    answer_read(a, 1, body, sizeof body - 1);
    assert_false(a->reachable);
    assert_string_equal(a->error, "replica 2 answers there");
    assert_null(a->status.members);
    assert_string_equal(a->other.members, "a:1/a:2");
}

static void ages_have_two_units_at_most(void **state)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {
        {0, "0ms"},        {999, "999ms"},     {1000, "1.0s"},      {59999, "59.9s"},
        {60000, "1m0s"},   {192000, "3m12s"},  {3600000, "1h0m"},   {18180000, "5h3m"},
        {86400000, "1d0h"}, {187200000, "2d4h"}, {ANSWER_NEVER, "-"},
    };
    char text[VERDICT_AGE_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        verdict_print_age(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

#define JUDGED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JUDGED(three_that_hear_each_other_are_healthy_and_tolerate_one),
        JUDGED(one_that_cannot_execute_an_operation_degrades),
        JUDGED(a_primary_that_cannot_execute_an_operation_does_not_serve),
        JUDGED(one_dead_backup_degrades),
        JUDGED(one_whose_program_is_too_old_for_an_entry_degrades),
        JUDGED(who_lost_its_connection_and_does_not_answer_is_down_at_once),
        JUDGED(a_primary_alone_does_not_serve),
        JUDGED(a_recovering_replica_is_heard_but_does_not_count),
        JUDGED(a_refusal_tells_why_a_replica_is_not_normal),
        JUDGED(more_lost_than_can_be_brought_back_is_said_to_be_for_good),
        JUDGED(who_is_blank_forms_no_group_with_one_that_has_a_state),
        JUDGED(one_of_two_that_is_lost_is_one),
        JUDGED(an_old_primary_is_outvoted_by_the_newer_view),
        JUDGED(a_primary_that_only_can_not_be_asked_still_serves),
        JUDGED(backups_whose_primary_fell_silent_have_none),
        JUDGED(a_backup_cut_off_from_the_primary_degrades),
        JUDGED(during_a_view_change_nobody_serves),
        JUDGED(one_that_waits_in_a_later_view_alone_degrades),
        JUDGED(a_group_of_one_tolerates_nothing),
        JUDGED(of_five_two_may_fail),
        JUDGED(replicas_that_differ_at_one_commit_are_named),
        JUDGED(replicas_of_different_groups_are_named),
        JUDGED(a_later_epoch_is_newer_than_any_view_of_the_one_before),
        JUDGED(a_disk_in_trouble_is_named),
        JUDGED(a_witness_that_dropped_what_an_active_replica_lacks_degrades),
        JUDGED(certificates_that_end_are_told_and_are_no_trouble_yet),
        JUDGED(versions_that_are_mixed_are_told_and_who_is_down_has_none),
        JUDGED(a_primary_that_is_no_replica_is_none),
        JUDGED(what_came_over_the_network_cannot_reach_a_terminal),
        JUDGED(a_replica_whose_state_differs_is_named),
        JUDGED(a_clock_that_is_wrong_is_named),
        JUDGED(nobody_answering_is_unavailable_with_a_row_for_each),
        JUDGED(answers_that_are_no_status_make_a_replica_unreachable),
        JUDGED(what_another_replica_says_is_kept_apart),
        cmocka_unit_test(ages_have_two_units_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the group is, as a replica tells it, and what a reconfiguration would change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admin/plan.h"

static struct members members;

static void members_are_read_as_they_are_told(void **state)
{
    (void)state;
    assert_true(members_parse(&members, 7, "a:1/a:1001,[::1]:2/h:9/witness,b:3/b:1003"));
    assert_int_equal(members.epoch, 7);
    assert_int_equal(members.n, 3);
    assert_int_equal(members.witnesses, 2);
    assert_string_equal(members.addresses[1].text, "[::1]:2");
    assert_string_equal(members.status_addresses[1].text, "h:9");
    assert_string_equal(members.addresses[2].text, "b:3");
}

static void what_makes_no_sense_is_nobody(void **state)
{
    static const char *const texts[] = {
        "", ",", "a:1", "a:1/", "a:1/b", "a/b:1", "a:1/b:2/", "a:1/b:2/voter", "a:1/b:2,",
        "a:1/b:2/witness/", "a:1/b:2,,c:1/c:2", "a:0/b:1", "a:1/b:70000"};
    char long_text[2 * ADDRESS_BYTES_MAX];
    char many[(REPLICAS_MAX + 1) * sizeof "a:1/a:2,"];
    size_t used = 0;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (members_parse(&members, 1, texts[i])) fail_msg("'%s' passes", texts[i]);
    memset(long_text, 'a', sizeof long_text);
    memcpy(long_text + sizeof long_text - 9, ":1/b:1", 7);
    assert_false(members_parse(&members, 1, long_text));
    for (size_t i = 0; i <= REPLICAS_MAX; i++)
        used += (size_t)snprintf(many + used, sizeof many - used, "%sa:1/a:2", i > 0 ? "," : "");
    assert_false(members_parse(&members, 1, many));
}

/* --- the plan --------------------------------------------------------------------------------- */

static struct answers answers;
static struct verdict verdict;
static struct plan plan;

/* Each word of `text` is "ADDRESS/STATUS" of a member. */
static void say_members(struct members *into, const char *text)
{
    assert_true(members_parse(into, 0, text));
}

/* Three members that take part, of which replica 0 leads; and those who may come. */
static int setup(void **state)
{
    static struct address others[2];
    (void)state;
    memset(&answers, 0, sizeof answers);
    memset(&verdict, 0, sizeof verdict);
    say_members(&answers.members, "a:1/a:2,b:1/b:2,c:1/c:2");
    answers.told = true;
    answers.group = (struct vstamp_id){1, 2};
    answers.n = 3;
    answers.n_others = 2;
    assert_int_equal(address_parse(&others[0], "d:1", NULL), 0);
    assert_int_equal(address_parse(&others[1], "e:1", NULL), 0);
    for (size_t i = 0; i < 5; i++) {
        struct answer *a = &answers.at[i];
        a->address = i < 3 ? &answers.members.addresses[i] : &others[i - 3];
        a->reachable = true;
        a->status.status = i < 3 ? "normal" : "recovering";
        a->status.version = "1";
        a->status.durability = "disk";
        a->status.refusal = "";
        if (i < 3) a->status.group = answers.group;
        verdict.taking_part[i] = i < 3;
    }
    verdict.quorum = 2;
    return 0;
}

static bool check_fails(const char *words)
{
    for (size_t i = 0; i < plan.n_checks; i++)
        if (!plan.checks[i].ok && strstr(plan.checks[i].text, words) != NULL) return true;
    return false;
}

static void make(const char *next)
{
    static struct members to;
    say_members(&to, next);
    plan_make(&plan, &answers, &verdict, &to);
}

static void one_in_the_place_of_another_is_no_warning(void **state)
{
    (void)state;
    make("c:1/c:2,b:1/b:2,d:1/d:2");
    assert_true(plan.possible);
    assert_false(plan_is_done(&plan));
    assert_int_equal(plan.n_warnings, 0);
}

static void the_same_members_are_nothing_to_do(void **state)
{
    (void)state;
    make("a:1/a:2,b:1/b:2,c:1/c:2");
    assert_true(plan_is_done(&plan));
    assert_int_equal(plan.next.epoch, 0);
    make("b:1/b:2,a:1/a:2,c:1/c:2"); /* in another order they have other indices */
    assert_false(plan_is_done(&plan));
    assert_int_equal(plan.next.epoch, 1);
    make("a:1/a:2,b:1/b:2,c:1/c:3"); /* or tell their status elsewhere */
    assert_false(plan_is_done(&plan));
}

static void who_cannot_come_is_named(void **state)
{
    (void)state;
    answers.at[3].status.group = (struct vstamp_id){8, 9};
    answers.at[3].status.op_number = 5;
    make("a:1/a:2,b:1/b:2,d:1/d:2");
    assert_false(plan.possible);
    assert_true(check_fails("d:1 holds the state of another group"));

    answers.at[3].status.op_number = 0; /* it has formed one that was never used */
    make("a:1/a:2,b:1/b:2,d:1/d:2");
    assert_true(plan.possible);

    answers.at[3].status.status = "shut-down";
    make("a:1/a:2,b:1/b:2,d:1/d:2");
    assert_true(check_fails("d:1 was replaced, and is just ending"));
    answers.at[3].status.status = "recovering";

    answers.at[3].status.durability = "memory";
    make("a:1/a:2,b:1/b:2,d:1/d:2");
    assert_true(check_fails("d:1 was started with durability: memory, the group has disk"));
    answers.at[3].status.durability = "disk";

    answers.at[3].status.refusal = "no contact with the replica at e:1: it is another's";
    make("a:1/a:2,b:1/b:2,d:1/d:2");
    assert_true(plan.possible); /* e:1 is no member */
    answers.at[3].status.refusal = "no contact with the replica at b:1: batch_bytes differs";
    make("a:1/a:2,b:1/b:2,d:1/d:2");
    assert_true(check_fails("d:1 has no contact with the replica at b:1: batch_bytes differs"));
    answers.at[3].status.refusal = "";

    answers.at[1].status.protocol = 7;
    answers.at[3].status.protocol_newest = 7;
    make("a:1/a:2,b:1/b:2,d:1/d:2");
    assert_true(plan.possible);
    answers.at[3].status.protocol_newest = 6;
    make("a:1/a:2,b:1/b:2,d:1/d:2");
    assert_true(check_fails("d:1 speaks no version of the protocol above 6, the group is in 7"));

    answers.at[3].reachable = false;
    answers.at[3].other.address = "a:1"; /* there under another name */
    make("a:1/a:2,b:1/b:2,d:1/d:2");
    assert_true(check_fails("d:1 calls itself a:1: the new configuration must name it so"));
    answers.at[3].other.address = NULL;

    snprintf(answers.at[3].error, sizeof answers.at[3].error, "Connection refused");
    make("a:1/a:2,b:1/b:2,d:1/d:2");
    assert_true(check_fails("d:1 does not answer: Connection refused: start it first"));
}

static void too_few_who_are_up_cannot_move(void **state)
{
    (void)state;
    verdict.taking_part[1] = verdict.taking_part[2] = false;
    make("a:1/a:2,d:1/d:2,e:1/e:2");
    assert_true(check_fails("1 of the 3 members take part, 2 are needed"));
    setup(NULL);
    verdict.taking_part[1] = verdict.taking_part[2] = false;
    make("a:1/a:2,b:1/b:2,c:1/c:2,d:1/d:2");
    assert_true(check_fails("2 of the 4 members to be are up, 3 are needed"));
}

static void a_member_that_takes_no_part_has_its_status_in_its_row(void **state)
{
    char text[4096] = "";
    (void)state;
    answers.at[1].status.status = "recovering";
    make("a:1/a:2,b:1/b:2,d:1/d:2");
    FILE *into = fmemopen(text, sizeof text, "w");
    plan_print(&plan, into);
    fclose(into);
    assert_non_null(strstr(text, "   1  b:1  stays  recovering\n"));
    assert_non_null(strstr(text, "-  2  c:1  goes\n"));
}

static void a_member_may_change_its_part(void **state)
{
    (void)state;
    make("a:1/a:2,b:1/b:2,c:1/c:2/witness");
    assert_true(plan.possible);
    make("a:1/a:2,b:1/b:2,d:1/d:2/witness");
    assert_true(plan.possible);
}

static void what_is_unwise_is_a_warning(void **state)
{
    (void)state;
    make("a:1/a:2,b:1/b:2,c:1/c:2,d:1/d:2");
    assert_true(plan.possible);
    assert_int_equal(plan.n_warnings, 1);
    assert_string_equal(plan.warnings[0].text, "4 replicas tolerate no more failures than 3");
    make("d:1/d:2");
    assert_int_equal(plan.n_warnings, 2); /* fewer failures, and nobody stays */
}

static void read_config(struct config *config, const char *more)
{
    struct vstamp_diag diag = {0};
    char text[512];
    int n = snprintf(text, sizeof text, "replicas_addresses: [\"a:1\", \"b:1\"]\n%s", more);
    assert_int_equal(config_parse(config, "f", text, (size_t)n, &diag), 0);
}

static void what_no_reconfiguration_changes_is_a_warning(void **state)
{
    static struct config now, next;
    (void)state;
    read_config(&now, "");
    read_config(&next, "witnesses: []\nstatus_addresses: [\"a:8\", \"b:8\"]\n");
    make("a:1/a:8,b:1/b:8,c:1/c:8");
    plan_compare_keys(&plan, &now, &next);
    assert_int_equal(plan.n_warnings, 0);
    read_config(&next, "heartbeat_ms: 26\npipeline: 8\ndurability: memory\nlog_bytes: 128MiB\n");
    plan_compare_keys(&plan, &now, &next);
    assert_int_equal(plan.n_warnings, 2);
    assert_string_equal(plan.warnings[0].text,
                        "not changed by this: heartbeat_ms, log_bytes: restart each replica with "
                        "the new configuration, once the one before it is normal");
    assert_string_equal(plan.warnings[1].text,
                        "not changed by this: durability: a group keeps it as long as it lives: "
                        "restore a backup with the new configuration");
    assert_true(plan.possible);
}

int main(void)
{
#define PLANNED(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read_as_they_are_told),
        cmocka_unit_test(what_makes_no_sense_is_nobody),
        PLANNED(one_in_the_place_of_another_is_no_warning),
        PLANNED(the_same_members_are_nothing_to_do),
        PLANNED(who_cannot_come_is_named),
        PLANNED(too_few_who_are_up_cannot_move),
        PLANNED(a_member_that_takes_no_part_has_its_status_in_its_row),
        PLANNED(a_member_may_change_its_part),
        PLANNED(what_is_unwise_is_a_warning),
        PLANNED(what_no_reconfiguration_changes_is_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-admin view-change [--to INDEX]: the primary leads to another replica, without a time-out
 * (lib/vr/hand_over.c).
 *
 *   status of all -> the view, its primary --HAND-OVER--> the primary -> the view that follows it
 *
 * The request names the view that is to end, so it can be made again after any failure, to whoever
 * leads then, and moves the primary once.  If the view that follows has yet another primary than
 * the one that was named, that view is asked to end, too: either the named one leads then, or it
 * is refused, with the reason. */
#include <config.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "admin/admin.h"
#include "admin/answers.h"
#include "admin/notation.h"
#include "admin/talk.h"
#include "admin/verdict.h"
#include "program/clock.h"
#include "vr/witness.h"

#define PAUSE_MS 20 /* until the group is looked at again */
#define ANYBODY  UINT32_MAX

struct hand_over {
    const struct admin *admin;
    const struct config *config;
    struct tls *tls;
    const struct members *members; /* as they were told last */
    uint32_t to; /* an index, or ANYBODY */
    int from;
    uint64_t view; /* that is to end */
    bool sent;     /* so it may have begun */
    uint64_t began_us, took_us; /* from the first request to the answer */
    int primary;   /* afterwards; -1: nobody has said */
    uint64_t new_view;
};

static uint64_t now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

/* 0: another view has begun; VSTAMP_E_REFUSED: in words; else ask again, perhaps. */
static int take_answer(struct hand_over *h, const struct wire_message *m, struct vstamp_diag *diag)
{
    if (m->header.command == WIRE_reply && m->header.epoch != h->members->epoch) {
        vstamp_diag_printf(diag, "the group has moved to epoch %" PRIu32, m->header.epoch);
        return VSTAMP_E_NOT_RUN;
    }
    if (m->header.command == WIRE_reply) {
        h->new_view = m->header.view;
        h->primary = vr_primary_among((uint8_t)h->members->n,
                                      m->header.witnesses, m->header.view);
        return 0;
    }
    const struct wire_reject *reject = &m->as.reject;
    vstamp_diag_printf(diag, "is not the primary");
    if (m->header.command == WIRE_reject && reject->text.size > 0)
        vstamp_diag_printf(diag, "%.*s", (int)reject->text.size, (const char *)reject->text.data);
    bool refused = m->header.command == WIRE_reject && reject->reason == WIRE_REJECT_INVALID;
    return refused ? VSTAMP_E_REFUSED : VSTAMP_E_NOT_RUN;
}

/* To end h->view. */
static int ask(struct hand_over *h, int replica, struct vstamp_diag *diag)
{
    uint8_t target = (uint8_t)h->to;
    const struct wire_request request = {.kind = WIRE_KIND_HAND_OVER,
                                         .token = h->view,
                                         .body = {&target, h->to == ANYBODY ? 0 : 1}};
    struct wire_message answer;
    uint32_t timeout_ms = h->admin->timeout_ms;
    struct talk *talk = talk_open(&h->members->addresses[replica], h->tls, -1, timeout_ms, diag);
    int rv = VSTAMP_E_IO;
    if (talk != NULL)
        rv = talk_request(talk, (uint32_t)h->members->epoch, &request, timeout_ms, &answer, diag);
    if (rv != 0) vstamp_diag_wrap(diag, "%s", h->members->addresses[replica].text);
    if (talk != NULL && rv != VSTAMP_E_NOT_AUTHORISED) h->sent = true;
    if (rv == 0) rv = take_answer(h, &answer, diag); /* its words are in the connection's memory */
    talk_close(talk);
    return rv;
}

/* Who leads, and in which view?  -1: nobody, or nobody can tell. */
static int look(struct hand_over *h, uint64_t *view, struct vstamp_diag *diag)
{
    static struct answers answers;
    static struct verdict verdict;
    answers_ask(&answers, h->config, NULL, 0, h->admin->timeout_ms);
    verdict_reach(&verdict, &answers, h->config->view_change_ms);
    answers_close(&answers);
    h->members = &answers.members;
    *view = verdict.view;
    if (verdict.primary < 0)
        vstamp_diag_printf(diag, "%s: see 'vstamp-admin status'", verdict.reasons[0]);
    return verdict.primary;
}

static bool leads(const struct hand_over *h)
{
    return h->to == ANYBODY ? h->primary != h->from : h->primary == (int)h->to;
}

/* Whoever leads is to end that view.  0: another one has begun; VSTAMP_E_USAGE, VSTAMP_E_REFUSED:
 * that is the end; else try again, perhaps. */
static int try_once(struct hand_over *h, struct vstamp_diag *diag)
{
    uint64_t view;
    int primary = look(h, &view, diag);
    if (primary < 0) return VSTAMP_E_NOT_RUN;
    if (h->to != ANYBODY && h->to >= h->members->n) {
        vstamp_diag_printf(diag,
                           "view-change: --to: expected the index of a replica, 0 to %zu, "
                           "found %" PRIu32,
                           h->members->n - 1, h->to);
        return VSTAMP_E_USAGE;
    }
    if (h->from < 0) {
        h->from = primary;
        h->view = view;
        h->began_us = now_us();
    }
    int rv = ask(h, primary, diag);
    if (rv != 0) return rv;
    h->took_us = now_us() - h->began_us;
    h->view = h->new_view;
    return 0;
}

/* Until the one that was named leads, or, if none was, another one than before.  A primary that can
 * be asked is not waited for as long as an outcome is. */
static int hand_over(struct hand_over *h, struct vstamp_diag *diag)
{
    uint64_t first_us = now_us(), timeout_us = (uint64_t)h->admin->timeout_ms * 1000;
    int rv;
    do {
        rv = try_once(h, diag);
        if (rv == VSTAMP_E_USAGE || rv == VSTAMP_E_REFUSED || (rv == 0 && leads(h))) return rv;
        poll(NULL, 0, PAUSE_MS);
    } while (now_us() - first_us < timeout_us * (h->sent ? ADMIN_PATIENCE : 1));
    if (rv == VSTAMP_E_NOT_AUTHORISED && !h->sent) return rv;
    if (rv == 0 || !h->sent) return VSTAMP_E_NOT_RUN;
    struct vstamp_diag last = *diag;
    vstamp_diag_printf(diag, "asked, but nobody has said who leads since: %s: look at status",
                       last.text);
    return VSTAMP_E_UNKNOWN_OUTCOME;
}

/* Somebody leads; `why` is not empty if that is not as it was asked for. */
static void print(const struct hand_over *h, const char *why)
{
    bool moved = h->primary != h->from;
    if (h->admin->json) {
        json_t *object = json_pack("{s:b, s:i, s:i, s:I, s:f}", "moved", moved, "from", h->from,
                                   "to", h->primary, "view", (json_int_t)h->new_view, "ms",
                                   (double)h->took_us / 1e3);
        if (why[0] != '\0') json_object_set_new(object, "message", notation_text(why));
        notation_print_json(object);
    } else if (moved) {
        printf("primary moved from %d to %d in %.*f ms (view %" PRIu64 ")\n", h->from, h->primary,
               h->took_us < 10000 ? 1 : 0, (double)h->took_us / 1e3, h->new_view);
    } else {
        printf("replica %d %s (view %" PRIu64 ")\n", h->primary,
               leads(h) ? "is the primary already" : "leads again", h->new_view);
    }
}

int cmd_view_change(struct cli *cli, int argc, char **argv)
{
    static struct config config;
    const struct admin *admin = cli->context;
    struct hand_over h = {.admin = admin, .config = &config, .to = ANYBODY,
                          .from = -1, .primary = -1};
    struct vstamp_diag diag = {0};
    const struct cli_option options[] = {
        CLI_U32(0, "to", &h.to, 0, REPLICAS_MAX - 1, "INDEX",
                "this replica is to lead, by default the next one that is alive"),
        CLI_END,
    };
    int rv = cli_parse(cli, options, argc, argv, NULL, 0, NULL);
    if (rv != 0) return rv;
    rv = admin_find_group(admin, &config, &diag);
    if (rv == 0) rv = admin_open_tls(admin, &config, &h.tls, &diag);
    if (rv != 0) return admin_fail(cli, rv, &diag);
    rv = hand_over(&h, &diag);
    tls_close(h.tls);
    if (h.primary < 0) return admin_fail(cli, rv, &diag);
    if (leads(&h)) {
        print(&h, "");
        return CLI_OK;
    }
    if (rv == VSTAMP_E_NOT_RUN && h.to == ANYBODY)
        vstamp_diag_printf(&diag, "no other replica has taken over");
    else if (rv == VSTAMP_E_NOT_RUN)
        vstamp_diag_printf(&diag, "replica %d leads, not %" PRIu32, h.primary, h.to);
    print(&h, diag.text);
    int status = cli_fail(cli, rv, &diag);
    return rv == VSTAMP_E_REFUSED || rv == VSTAMP_E_NOT_RUN ? CLI_NO : status;
}

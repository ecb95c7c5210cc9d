/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-maelstrom: a replica of the key-value store as a node of Maelstrom, workload lin-kv.
 *
 * Messages come on standard input and go to standard output, the log to standard error; state is in
 * memory only.  Each turn of the loop takes what came, and writes all it has to say at once.  While
 * OUT_MAX bytes wait because nobody reads them, nothing more is read.  After the end of its input a
 * node answers what was asked, and ends. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "maelstrom/host.h"
#include "program/cli.h"

#define OUT_MAX (32u << 20)

static const char epilogue[] =
    "To try it out without Maelstrom:\n"
    "  printf '%s\\n' '{\"src\":\"c\",\"dest\":\"n\",\"body\":{\"type\":\"init\",\"msg_id\":1,"
    "\"node_id\":\"n\",\"node_ids\":[\"n\"]}}' \\\n"
    "      '{\"src\":\"c\",\"dest\":\"n\",\"body\":{\"type\":\"write\",\"msg_id\":2,\"key\":1,"
    "\"value\":2}}' |\n"
    "      vstamp-maelstrom\n";

/* 0, or the errno that ended it. */
static int serve(struct host *h)
{
    struct lines_in in = {.fd = STDIN_FILENO};
    int error = 0;
    while (error == 0 && (!in.ended || host_is_busy(h))) {
        size_t waiting = lines_waiting(&h->out);
        struct pollfd polls[2] = {
            {.fd = in.ended || waiting > OUT_MAX ? -1 : STDIN_FILENO, .events = POLLIN},
            {.fd = waiting > 0 ? STDOUT_FILENO : -1, .events = POLLOUT}};
        if (poll(polls, 2, host_patience_ms(h)) < 0 && errno != EINTR) return errno;
        if (polls[0].fd >= 0 && polls[0].revents != 0) lines_read(&in);
        host_turn(h, &in);
        error = lines_write(&h->out);
    }
    lines_in_release(&in);
    lines_out_release(&h->out);
    return error;
}

int main(int argc, char **argv)
{
    static struct host host = {.timeout_ms = 900, .view_change_ms = 200};
    enum log_level level = LOG_LEVEL_INFO;
    const struct cli_option options[] = {
        CLI_U32(0, "timeout", &host.timeout_ms, 1, 600000, "MS",
                "give a request up after this long; Maelstrom's clients wait 1000 ms or longer"),
        CLI_U32(0, "view-change", &host.view_change_ms, 10, 600000, "MS",
                "silence of the primary after which the backups replace it"),
        CLI_U32(0, "witnesses", &host.n_witnesses, 0, REPLICAS_MAX, "N",
                "the last N of the nodes vote and log, and hold no state"),
        CLI_WORD(0, "log-level", &level, LOG_LEVEL_ERROR, LOG_LEVEL_WORDS, "what is worth a line"),
        CLI_END,
    };
    struct cli cli = {
        .program = "vstamp-maelstrom",
        .version = PACKAGE_VERSION,
        .text = "A node of Maelstrom's workload lin-kv: one replica, its clients and no disk",
        .epilogue = epilogue,
        .options = options,
    };
    cli_take_streams();
    int rv = cli_parse(&cli, NULL, argc, argv, NULL, 0, NULL);
    if (rv != 0) return cli_end(&cli, rv);
    log_open(&host.log, level, LOG_FORMAT_LOGFMT, -1);
    signal(SIGPIPE, SIG_IGN);
    host.out.fd = STDOUT_FILENO;
    if (!isatty(STDOUT_FILENO)) /* a terminal's flags are the shell's too */
        fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
    rv = serve(&host);
    if (rv == 0) return CLI_OK;
    cli_complain(&cli, "standard input or output: %s", strerror(rv));
    return CLI_NO;
}

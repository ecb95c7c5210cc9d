/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE /* pipe2, close_range, strerrordesc_np */
#include "replica/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "program/clock.h"

#define PIECES_MAX   3u
#define LISTEN_BYTES 65536u /* at a time: one that never stops must not keep us */
#define END_WAIT_MS  200u   /* between the end of its output and its own */

static uint64_t now_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* --- start ------------------------------------------------------------------------------------ */

int child_init(struct child *c, char *const *words, void (*heard)(void *ctx, const char *line),
               void *ctx, struct vstamp_diag *diag)
{
    int says[2];

    *c = (struct child){.words = words, .to = -1, .from = -1, .heard = heard, .ctx = ctx};
    if (pipe2(says, O_CLOEXEC) != 0) {
        vstamp_diag_printf(diag, "cannot make a pipe: %s", strerror(errno));
        return VSTAMP_E_IO;
    }
    c->says = says[0];
    c->says_end = says[1];
    fcntl(c->says, F_SETFL, O_NONBLOCK);
    return 0;
}

/* In the new process: only what may be done between fork and exec in a program with threads. */
static _Noreturn void be_child(const struct child *c, int in, int out, pid_t parent)
{
    static const char problem[] = "cannot be executed: ";
    sigset_t none;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(c->says_end, STDERR_FILENO);
    close_range(STDERR_FILENO + 1, ~0u, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(c->words[0], c->words);
    const char *what = strerrordesc_np(errno);
    if (write(STDERR_FILENO, problem, sizeof problem - 1) >= 0 && what != NULL &&
        write(STDERR_FILENO, what, strlen(what)) >= 0 && write(STDERR_FILENO, "\n", 1) >= 0)
        _exit(127);
    _exit(126);
}

static enum child_trouble refuse(const char *what, struct vstamp_diag *why)
{
    vstamp_diag_printf(why, "cannot be started: %s: %s", what, strerror(errno));
    return CHILD_NO_ROOM;
}

enum child_trouble child_start(struct child *c, struct vstamp_diag *why)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    pid_t parent = getpid(), pid = -1;
    sigset_t all, former;

    assert(c->pid == 0);
    if (pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0) {
        sigfillset(&all); /* no handler of ours is to run in the child */
        sigprocmask(SIG_SETMASK, &all, &former);
        pid = fork();
        if (pid == 0) be_child(c, in[0], out[1], parent);
        sigprocmask(SIG_SETMASK, &former, NULL);
    }
    close_fd(&in[0]);
    close_fd(&out[1]);
    if (pid < 0) {
        close_fd(&in[1]);
        close_fd(&out[0]);
        return refuse("no process, or no pipe for it", why);
    }
    setpgid(pid, pid); /* whoever of the two comes first */
    c->pid = pid;
    c->to = in[1];
    c->from = out[0];
    fcntl(c->to, F_SETFL, O_NONBLOCK);
    fcntl(c->from, F_SETFL, O_NONBLOCK);
    return CHILD_WELL;
}

/* --- what it says ----------------------------------------------------------------------------- */

static void end_line(struct child *c)
{
    c->line[c->line_size] = '\0';
    if (c->line_size > 0) c->heard(c->ctx, c->line);
    c->line_size = 0;
}

void child_listen(struct child *c)
{
    char piece[4096];
    size_t total = 0;
    ssize_t n;

    while (total < LISTEN_BYTES && (n = read(c->says, piece, sizeof piece)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (piece[i] != '\n') c->line[c->line_size++] = piece[i] == '\0' ? ' ' : piece[i];
            if (piece[i] == '\n' || c->line_size == CHILD_LINE_MAX) end_line(c);
        }
        total += (size_t)n;
    }
}

/* --- exchange --------------------------------------------------------------------------------- */

bool child_has_ended(const struct child *c, struct vstamp_diag *how)
{
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
        return false;
    if (info.si_code == CLD_EXITED)
        vstamp_diag_printf(how, "ended with status %d", info.si_status);
    else
        vstamp_diag_printf(how, "was ended by signal %d (%s)", info.si_status,
                           strsignal(info.si_status));
    return true;
}

/* Until it has ended; gives whether it has. */
static bool wait_end(const struct child *c, uint32_t wait_ms, struct vstamp_diag *how)
{
    uint64_t end = now_ms() + wait_ms;

    while (!child_has_ended(c, how)) {
        if (now_ms() >= end) return false;
        poll(NULL, 0, 1);
    }
    return true;
}

static enum child_trouble closed(const struct child *c, const char *what, struct vstamp_diag *why)
{
    if (!wait_end(c, END_WAIT_MS, why)) vstamp_diag_printf(why, "has closed its standard %s", what);
    return CHILD_ENDED;
}

/* What the pipe takes.  Gives how many bytes are left, or SIZE_MAX if nobody reads them. */
static size_t write_some(struct child *c, struct bytes *out, size_t n_out, bool *moved)
{
    struct iovec vector[PIECES_MAX];
    size_t left = 0, i;

    assert(n_out <= PIECES_MAX);
    for (i = 0; i < n_out; i++) {
        vector[i] = (struct iovec){(void *)(uintptr_t)out[i].data, out[i].size};
        left += out[i].size;
    }
    if (left == 0) return 0;
    ssize_t n = writev(c->to, vector, (int)n_out);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? left : SIZE_MAX;
    *moved = true;
    left -= (size_t)n;
    for (i = 0; n > 0; i++) {
        size_t part = (size_t)n < out[i].size ? (size_t)n : out[i].size;

        out[i] = (struct bytes){out[i].data + part, out[i].size - part};
        n -= (ssize_t)part;
    }
    return left;
}

static enum child_trouble read_some(struct child *c, struct buffer *in, struct vstamp_diag *why)
{
    ssize_t n = read(c->from, in->data + in->size, in->capacity - in->size);

    if (n == 0) return closed(c, "output", why);
    if (n > 0) in->size += (size_t)n;
    return CHILD_WELL;
}

/* Read what there is, or wait until there is something to do, or the time is over. */
static enum child_trouble await(struct child *c, bool writes, struct buffer *in, uint64_t end,
                                uint32_t timeout_ms, struct vstamp_diag *why)
{
    struct pollfd watched[3] = {{.fd = c->from, .events = POLLIN},
                                {.fd = c->says, .events = POLLIN},
                                {.fd = writes ? c->to : -1, .events = POLLOUT}};
    enum child_trouble trouble = CHILD_WELL;
    size_t former = in->size;
    uint64_t now = now_ms();

    if (poll(watched, 3, now < end ? (int)(end - now) : 0) < 0) return CHILD_WELL;
    if (watched[1].revents != 0) child_listen(c);
    if (watched[0].revents != 0) trouble = read_some(c, in, why);
    if (trouble != CHILD_WELL || in->size > former || now < end) return trouble;
    if (child_has_ended(c, why)) return CHILD_ENDED; /* and somebody else has its output open */
    vstamp_diag_printf(why, "did nothing for %u ms", timeout_ms);
    return CHILD_SILENT;
}

enum child_trouble child_exchange(struct child *c, struct bytes *out, size_t n_out,
                                  struct buffer *in, uint32_t timeout_ms, struct vstamp_diag *why)
{
    enum child_trouble trouble = CHILD_WELL;
    uint64_t end = now_ms() + timeout_ms;
    size_t former = in->size;

    if (in->capacity == in->size && !buffer_reserve(in, 2 * in->size + CHILD_READ_MIN)) {
        vstamp_diag_printf(why, "cannot be read: out of memory");
        return CHILD_NO_ROOM;
    }
    while (trouble == CHILD_WELL && in->size == former) {
        bool moved = false;
        size_t left = write_some(c, out, n_out, &moved);

        if (left == SIZE_MAX) { /* what it wrote before tells more */
            trouble = read_some(c, in, why);
            return trouble != CHILD_WELL || in->size > former ? trouble : closed(c, "input", why);
        }
        if (moved) end = now_ms() + timeout_ms;
        trouble = await(c, left > 0, in, end, timeout_ms, why);
    }
    return trouble;
}

/* --- end -------------------------------------------------------------------------------------- */

void child_kill(struct child *c)
{
    if (c->pid == 0) return;
    kill(-c->pid, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) continue;
    c->pid = 0;
    close_fd(&c->to);
    close_fd(&c->from);
    child_listen(c);
    end_line(c);
}

void child_stop(struct child *c, uint32_t grace_ms)
{
    struct vstamp_diag how;

    if (c->pid == 0) return;
    close_fd(&c->to);
    if (!wait_end(c, grace_ms, &how)) {
        kill(-c->pid, SIGTERM);
        wait_end(c, grace_ms, &how);
    }
    child_kill(c);
}

void child_close(struct child *c)
{
    child_kill(c);
    close_fd(&c->says);
    close_fd(&c->says_end);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The parent writes a configuration, forks the replicas and waits.  Each replica is a process of
 * its own, so that one can be killed as a machine would fail; it is not started again, because
 * watching it be missed is the point.  Replicas tell that they are ready the way they tell a
 * supervisor (notify.h).  They are in process groups of their own: Ctrl-C reaches the parent only,
 * which ends them in order. */
#include "replica/local.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program/config.h"
#include "replica/listen.h"
#include "replica/notify.h"
#include "replica/serve.h"

#define FIRST_PORT  14621u
#define PORT_STEP   20u
#define PORT_TRIES  40u
#define GRACE_MS    500  /* to hand over, when all are stopped; then a second signal */
#define PATIENCE_MS 3000 /* then SIGKILL */

struct local {
    const struct local_options *options;
    struct config config;
    char folder[2048];
    char config_path[2048 + sizeof CONFIG_FILE_NAME + 1];
    char notify_name[64];
    char programs[2048]; /* "", or the folder to type before the names of programs */
    char load[PATH_MAX], exec[PATH_MAX]; /* of the options, for another folder, too; or "" */
    bool temporary;           /* the folder goes when we go */
    pid_t pids[REPLICAS_MAX]; /* 0: ended */
    uint32_t n_running, n_ready;
    bool told;
    int output_error; /* why standard output could not be written, or 0 */
    bool *all_end; /* shared with the replicas: that others are gone is not to be warned of */
    int signal_fd, notify_fd;
    sigset_t former_mask;
};

/* --- configuration ---------------------------------------------------------------------------- */

static bool is_free(uint16_t port)
{
    struct address address;
    char text[32];
    int fd;

    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)port);
    if (address_parse(&address, text, NULL) != 0 || listen_open(&address, 1, &fd, NULL) != 0)
        return false;
    close(fd);
    return true;
}

/* The first port of a row that is free, status ports too; 0 if there is none. */
static uint16_t find_ports(uint32_t n)
{
    unsigned k;

    for (unsigned i = 0; i < PORT_TRIES; i++) {
        uint16_t base = (uint16_t)(FIRST_PORT + i * PORT_STEP);

        for (k = 0; k < n; k++)
            if (!is_free((uint16_t)(base + k)) ||
                !is_free((uint16_t)(base + k + ADDRESS_STATUS_PORT_STEP)))
                break;
        if (k == n) return base;
    }
    return 0;
}

/* Who uses the configuration again may do so in another folder.  A name without a slash is looked
 * for along PATH. */
static int find_application(struct local *l, struct vstamp_diag *diag)
{
    const char *load = l->options->load, *exec = l->options->exec, *missing = NULL;

    if (load != NULL && realpath(load, l->load) == NULL) missing = load;
    if (exec != NULL && strchr(exec, '/') == NULL)
        snprintf(l->exec, sizeof l->exec, "%s", exec);
    else if (exec != NULL && realpath(exec, l->exec) == NULL)
        missing = exec;
    if (missing == NULL) return 0;
    vstamp_diag_printf(diag, "%s: %s", missing, strerror(errno));
    return VSTAMP_E_CONFIG;
}

/* Quoted, so that a name may have any characters. */
static void write_key(FILE *file, const char *key, const char *value)
{
    fprintf(file, "%s: \"", key);
    for (; *value != '\0'; value++)
        if (*value == '"' || *value == '\\')
            fprintf(file, "\\%c", *value);
        else if ((unsigned char)*value < ' ')
            fprintf(file, "\\x%02x", (unsigned char)*value);
        else
            fputc(*value, file);
    fprintf(file, "\"\n");
}

static void print_config(const struct local *l, uint16_t base, FILE *into)
{
    const struct local_options *o = l->options;

    fprintf(into, "replicas_addresses:\n");
    for (uint32_t i = 0; i < o->n_replicas; i++) fprintf(into, "  - 127.0.0.1:%u\n", base + i);
    fprintf(into, "durability: %s\n", l->temporary ? "memory" : "disk");
    write_key(into, "data_dir", l->folder);
    if (o->load != NULL) write_key(into, "app", l->load);
    if (o->exec != NULL) write_key(into, "app_exec", l->exec);
    if (o->argument != NULL) write_key(into, "app_argument", o->argument);
}

static int write_config(const struct local *l, struct vstamp_diag *diag)
{
    uint16_t base = find_ports(l->options->n_replicas);

    if (base == 0) {
        vstamp_diag_printf(diag, "no free ports on 127.0.0.1 from %u on", FIRST_PORT);
        return VSTAMP_E_IO;
    }
    FILE *file = fopen(l->config_path, "wxe");
    if (file != NULL) {
        print_config(l, base, file);
        if (ferror(file) == 0 && fclose(file) == 0) return 0;
    }
    vstamp_diag_printf(diag, "%s: cannot write: %s", l->config_path, strerror(errno));
    return VSTAMP_E_IO;
}

static int make_folder(struct local *l, struct vstamp_diag *diag)
{
    const char *wanted = l->options->data_dir, *tmp = getenv("TMPDIR");
    char here[1024];
    int n;

    l->temporary = wanted == NULL;
    if (l->temporary)
        n = snprintf(l->folder, sizeof l->folder, "%s/vstamp-local-XXXXXX",
                     tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
    else if (wanted[0] == '/' || getcwd(here, sizeof here) == NULL)
        n = snprintf(l->folder, sizeof l->folder, "%s", wanted);
    else
        n = snprintf(l->folder, sizeof l->folder, "%s/%s", here, wanted);
    if (n < 0 || (size_t)n >= sizeof l->folder) {
        errno = ENAMETOOLONG;
    } else if (l->temporary ? mkdtemp(l->folder) != NULL
                            : mkdir(l->folder, 0700) == 0 || errno == EEXIST) {
        snprintf(l->config_path, sizeof l->config_path, "%s/" CONFIG_FILE_NAME, l->folder);
        return 0;
    }
    vstamp_diag_printf(diag, "%s: cannot create the folder: %s", l->folder, strerror(errno));
    return VSTAMP_E_IO;
}

/* Whoever moves or copies the folder finds the place in its configuration, where nothing is, or the
 * data of the other one. */
static int check_place(const struct local *l, struct vstamp_diag *diag)
{
    struct stat here, there;

    if (stat(l->folder, &here) == 0 && stat(l->config.data_dir, &there) == 0 &&
        here.st_dev == there.st_dev && here.st_ino == there.st_ino)
        return 0;
    vstamp_diag_printf(diag, "%s: data_dir is \"%s\" there, which is another folder: if this one "
                       "was moved, mend that line", l->config_path, l->config.data_dir);
    return VSTAMP_E_CONFIG;
}

/* The data in a folder are those of one application. */
static int check_application(const struct local *l, struct vstamp_diag *diag)
{
    const struct {
        const char *key, *kept, *option, *said;
    } keys[] = {
        {"app", l->config.app, "--app", l->options->load != NULL ? l->load : NULL},
        {"app_exec", l->config.app_exec, "--app-exec", l->options->exec != NULL ? l->exec : NULL},
        {"app_argument", l->config.app_argument, "--app-argument", l->options->argument},
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].said == NULL || strcmp(keys[i].said, keys[i].kept) == 0) continue;
        vstamp_diag_printf(diag, "%s: %s is \"%s\" there: leave %s out, or use another folder",
                           l->config_path, keys[i].key, keys[i].kept, keys[i].option);
        return VSTAMP_E_CONFIG;
    }
    return 0;
}

/* A folder that was used before has its configuration in it: the data belong to those addresses. */
static int configure(struct local *l, struct vstamp_diag *diag)
{
    int rv = find_application(l, diag);

    if (rv == 0) rv = make_folder(l, diag);
    if (rv == 0 && access(l->config_path, F_OK) != 0) rv = write_config(l, diag);
    if (rv == 0) rv = config_load(&l->config, l->config_path, diag);
    if (rv == 0) rv = check_place(l, diag);
    if (rv == 0) rv = check_application(l, diag);
    if (rv != 0 || l->config.replicas_addresses.n == l->options->n_replicas) return rv;
    vstamp_diag_printf(diag, "%s: is of a group of %zu: use --local %zu or another folder",
                       l->config_path, l->config.replicas_addresses.n,
                       l->config.replicas_addresses.n);
    return VSTAMP_E_CONFIG;
}

/* --- children --------------------------------------------------------------------------------- */

static int open_notify(struct local *l, struct vstamp_diag *diag)
{
    struct sockaddr_un address;

    snprintf(l->notify_name, sizeof l->notify_name, "@vstamp-local-%ld", (long)getpid());
    socklen_t size = notify_address(l->notify_name, &address);
    l->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->notify_fd >= 0 && bind(l->notify_fd, (const struct sockaddr *)&address, size) == 0)
        return 0;
    vstamp_diag_printf(diag, "cannot make a socket: %s", strerror(errno));
    return VSTAMP_E_IO;
}

static int open_signals(struct local *l, struct vstamp_diag *diag)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGHUP);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, &l->former_mask);
    l->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (l->signal_fd >= 0) return 0;
    vstamp_diag_printf(diag, "cannot wait for signals: %s", strerror(errno));
    return VSTAMP_E_IO;
}

static int share_memory(struct local *l, struct vstamp_diag *diag)
{
    void *memory = mmap(NULL, sizeof *l->all_end, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory != MAP_FAILED) {
        l->all_end = memory;
        return 0;
    }
    vstamp_diag_printf(diag, "cannot share memory: %s", strerror(errno));
    return VSTAMP_E_IO;
}

static _Noreturn void be_replica(const struct local *l, uint32_t index, pid_t parent)
{
    const struct serve_options options = {
        .config = &l->config,
        .index = index,
        .log_level = l->options->log_level,
        .log_format = l->options->log_format,
        .no_warnings = l->all_end,
        .app = l->options->app,
        .may_load = l->options->may_load,
    };
    struct vstamp_diag diag = {0};

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(0);
    sigprocmask(SIG_SETMASK, &l->former_mask, NULL);
    close(l->signal_fd);
    close(l->notify_fd);
    setenv(NOTIFY_ENVIRONMENT, l->notify_name, 1);
    int rv = serve_run(&options, &diag);
    if (rv != 0) fprintf(stderr, "%s: replica %u: %s\n", l->options->name, index, diag.text);
    _exit(serve_exit(rv));
}

static int fork_all(struct local *l, struct vstamp_diag *diag)
{
    pid_t parent = getpid();

    for (uint32_t i = 0; i < l->options->n_replicas; i++) {
        pid_t pid = fork();

        if (pid == 0) be_replica(l, i, parent);
        if (pid < 0) {
            vstamp_diag_printf(diag, "cannot start a process: %s", strerror(errno));
            return VSTAMP_E_IO;
        }
        l->pids[i] = pid;
        l->n_running++;
    }
    return 0;
}

static void signal_all(const struct local *l, int number)
{
    for (uint32_t i = 0; i < l->options->n_replicas; i++)
        if (l->pids[i] != 0) kill(l->pids[i], number);
}

static void flush(struct local *l)
{
    if (fflush(stdout) != 0) l->output_error = errno;
}

static void tell_end(struct local *l, uint32_t index, pid_t pid, int status)
{
    if (WIFSIGNALED(status))
        printf("replica %u (pid %ld) was ended by signal %d (%s); to start it again:\n", index,
               (long)pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        printf("replica %u (pid %ld) ended with status %d; to start it again:\n", index, (long)pid,
               WEXITSTATUS(status));
    printf("    %s --config %s --index %u\n", l->options->program, l->config_path, index);
    flush(l);
}

static void reap(struct local *l, bool tell)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (uint32_t i = 0; i < l->options->n_replicas; i++) {
            if (l->pids[i] != pid) continue;
            l->pids[i] = 0;
            l->n_running--;
            if (tell) tell_end(l, i, pid, status);
        }
    }
}

static void stop_all(struct local *l)
{
    if (l->all_end != NULL) *l->all_end = true;
    signal_all(l, SIGTERM);
    for (int waited_ms = 0; l->n_running > 0 && waited_ms < PATIENCE_MS; waited_ms += 10) {
        poll(NULL, 0, 10);
        reap(l, false);
        if (waited_ms == GRACE_MS) signal_all(l, SIGTERM);
    }
    signal_all(l, SIGKILL);
}

/* --- the terminal ----------------------------------------------------------------------------- */

/* Who typed a folder before our name has to type it before the others' too, in whatever folder the
 * other terminal is. */
static void find_programs(struct local *l)
{
    char vstamp[sizeof l->programs + 8];

    if (strchr(l->options->program, '/') == NULL) return;
    ssize_t n = readlink("/proc/self/exe", l->programs, sizeof l->programs - 1);
    while (n > 0 && l->programs[n - 1] != '/') n--;
    l->programs[n > 0 ? n : 0] = '\0';
    snprintf(vstamp, sizeof vstamp, "%svstamp", l->programs);
    if (access(vstamp, X_OK) != 0) l->programs[0] = '\0';
}

static bool is_store(const struct local *l)
{
    return l->options->may_load && l->config.app[0] == '\0' && l->config.app_exec[0] == '\0';
}

static void tell_ready(struct local *l)
{
    uint32_t n = l->options->n_replicas;

    for (uint32_t i = 0; i < n; i++)
        printf("replica %u: pid %ld, %s, http://%s/status\n", i, (long)l->pids[i],
               l->config.replicas_addresses.at[i].text, l->config.status_addresses.at[i].text);
    printf("configuration: %s (durability: %s)\n\nIn another terminal:\n    %svstamp --replicas ",
           l->config_path, l->temporary ? "memory" : "disk", l->programs);
    for (uint32_t i = 0; i < n; i++)
        printf("%s%s", i > 0 ? "," : "", l->config.replicas_addresses.at[i].text);
    printf(" %s\n    %svstamp-admin --config %s status\n",
           is_store(l) ? "put greeting hello" : "call OPERATION", l->programs, l->config_path);
    if (n > 2) printf("    kill -9 %ld\nand look again.  ", (long)l->pids[0]);
    printf("Ctrl-C stops all.\n");
    flush(l);
}

static void on_notification(struct local *l)
{
    char message[512];
    ssize_t n;

    while ((n = recv(l->notify_fd, message, sizeof message - 1, 0)) > 0) {
        message[n] = '\0';
        if (strcmp(message, NOTIFY_READY) == 0) l->n_ready++;
    }
    if (l->n_ready < l->options->n_replicas || l->told) return;
    l->told = true;
    tell_ready(l);
}

/* True if it was one that ends us. */
static bool on_signals(struct local *l)
{
    struct signalfd_siginfo info;
    bool stop = false;

    while (read(l->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD) stop = true;
    reap(l, l->told && !stop);
    return stop;
}

/* Until a signal: 0. */
static int wait_for_end(struct local *l, struct vstamp_diag *diag)
{
    struct pollfd watched[2] = {
        {.fd = l->signal_fd, .events = POLLIN},
        {.fd = l->notify_fd, .events = POLLIN},
    };

    while (l->n_running > 0) {
        if (!l->told && l->n_running < l->options->n_replicas) break;
        if (poll(watched, 2, -1) < 0 && errno != EINTR) return 0;
        if ((watched[1].revents & POLLIN) != 0) on_notification(l);
        if ((watched[0].revents & POLLIN) != 0 && on_signals(l)) return 0;
    }
    vstamp_diag_printf(diag, l->told ? "no replica is left" : "a replica did not start");
    return l->told ? VSTAMP_E_APPLICATION : VSTAMP_E_IO;
}

static void clean_up(const struct local *l)
{
    if (!l->temporary) return;
    unlink(l->config_path);
    rmdir(l->folder);
}

int local_run(const struct local_options *options, struct vstamp_diag *diag)
{
    static struct local local; /* as long as the process; large */
    struct local *l = &local;

    l->options = options;
    find_programs(l);
    int rv = configure(l, diag);
    if (rv == 0) rv = open_notify(l, diag);
    if (rv == 0) rv = open_signals(l, diag);
    if (rv == 0) rv = share_memory(l, diag);
    if (rv == 0) rv = fork_all(l, diag);
    if (rv == 0) rv = wait_for_end(l, diag);
    stop_all(l);
    clean_up(l);
    errno = l->output_error; /* for cli_end */
    return rv;
}

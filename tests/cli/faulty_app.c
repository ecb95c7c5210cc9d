/* SPDX-License-Identifier: BSD-2-Clause */
/* A sum, as an application that is a process (vstamp-app-exec(5)), and one that fails when it is
 * told to: before each step it looks for a file FOLDER/STEP, and whoever of the replicas' processes
 * gets it, by renaming it to STEP.done, does what is in it.
 *
 *     faulty_app FOLDER       steps: start hello load apply applied tick query save
 *
 * Operations are numbers to add, answered by the sum; "told", answered by what came with it; "pid",
 * whose answer differs each time; and "poison", which kills, or stops if there is FOLDER/slow,
 * unless there is FOLDER/antidote.  If there is FOLDER/ticks when it starts, "later N" adds N a
 * second later by itself; until then that is in the state, too.  A tick that is to add 13 is
 * poison.  With FOLDER/renamed it calls itself something else. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POISON 13u

static const char *folder, *question = "0";
static bool ticks, pauses; /* in the midst of what it says */
static unsigned long sum, later, due; /* due 0: nothing is */

static void path_of(const char *name, const char *end, char path[static PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s%s", folder, name, end);
}

static bool is(const char *word, const char *other)
{
    return strcmp(word, other) == 0;
}

/* Each as a program might that is wrong, and then on as if nothing had been. */
static void fail(const char *fault)
{
    fprintf(stderr, "about to %s\n", fault);
    if (is(fault, "kill")) raise(SIGKILL);
    if (is(fault, "stop")) raise(SIGSTOP);
    if (is(fault, "exit")) exit(3);
    if (is(fault, "garbage")) printf("Traceback (most recent call last):\n");
    if (is(fault, "endless"))
        for (int i = 0; i < 300; i++) putchar('x');
    if (is(fault, "long")) printf("answer %s 1000000000\n", question);
    if (is(fault, "more")) printf("answer %s 257\n%0257d\n", question, 0); /* by one */
    if (is(fault, "extra")) printf("answer %s 2\n77\n", question);
    if (is(fault, "untimely")) printf("answer %s 1%s\n7\n", question, ticks ? "" : " 5");
    if (is(fault, "cut")) printf("answer %s 5\n1", question); /* then other bytes */
    if (is(fault, "close")) close(STDOUT_FILENO);
    if (is(fault, "leave")) { /* somebody behind who has its output open */
        if (fork() > 0) exit(3);
        alarm(60);
        pause();
    }
    pauses = is(fault, "pause");
    if (is(fault, "talk"))
        for (int i = 0; i < 150; i++) fprintf(stderr, "%01000d", 0); /* more than a pipe holds */
    fflush(stdout);
}

static void step(const char *name)
{
    char path[PATH_MAX], done[PATH_MAX], fault[40] = "";
    path_of(name, "", path);
    path_of(name, ".done", done);
    if (rename(path, done) != 0) return;
    FILE *file = fopen(done, "r");
    if (file != NULL && fscanf(file, "%39s", fault) == 1) fail(fault);
    if (file != NULL) fclose(file);
}

static bool read_body(const char *size, char *into, size_t capacity)
{
    size_t n = strtoul(size, NULL, 10);
    if (n + 1 > capacity || fread(into, 1, n + 1, stdin) != n + 1) return false;
    into[n] = '\0';
    return true;
}

/* What ends a line whose answer changes the state. */
static const char *when(void)
{
    static char text[24];
    if (!ticks) return "";
    if (due == 0) return " never";
    snprintf(text, sizeof text, " %lu", due);
    return text;
}

static void say(const char *word, const char *end, const char *body)
{
    size_t half = strlen(body) / 2;
    printf("%s %s %zu%s\n%.*s", word, question, strlen(body), end, (int)half, body);
    if (pauses) {
        fflush(stdout);
        usleep(20000);
    }
    printf("%s\n", body + half);
}

static void say_sum(const char *word, const char *end)
{
    char text[24];
    snprintf(text, sizeof text, "%lu", sum);
    say(word, end, text);
}

static void save(void)
{
    char text[80];
    snprintf(text, sizeof text, "%lu %lu %lu", sum, due, later);
    if (due == 0) *strchr(text, ' ') = '\0';
    say("state", "", text);
}

static void load(const char *state)
{
    due = later = 0;
    sscanf(state, "%lu %lu %lu", &sum, &due, &later);
    printf("loaded %s%s\n", question, when());
}

static bool is_there(const char *name)
{
    char path[PATH_MAX];
    path_of(name, "", path);
    return access(path, F_OK) == 0;
}

/* At each try, until there is an antidote. */
static void take_poison(void)
{
    if (is_there("antidote")) return;
    fprintf(stderr, "poisoned\n");
    raise(is_there("slow") ? SIGSTOP : SIGKILL);
}

static void tick(unsigned long now)
{
    if (due != 0 && due <= now && later == POISON) take_poison();
    if (due != 0 && due <= now) {
        sum += later;
        due = later = 0;
    }
    printf("ticked %s%s\n", question, when());
}

/* OP TIME ... */
static unsigned long time_of(const char *words)
{
    unsigned long time = 0;
    sscanf(words, "%*u %lu", &time);
    return time;
}

static void apply(const char *operation, const char *told)
{
    unsigned long now = time_of(told);
    char text[24];
    if (is(operation, "poison")) take_poison();
    if (is(operation, "pid")) {
        snprintf(text, sizeof text, "%ld", (long)getpid());
        say("answer", when(), text);
        return;
    } else if (is(operation, "told")) {
        say("answer", when(), told);
        return;
    } else if (sscanf(operation, "later %lu", &later) == 1) {
        due = now + 1000000;
    }
    sum += strtoul(operation, NULL, 10);
    say_sum("answer", when());
}

/* `rest` is what follows the number of the question. */
static void answer(const char *word, const char *rest, const char *body)
{
    if (is(word, "hello"))
        printf("hello 1 %s%s\n", is_there("renamed") ? "total" : "sum", ticks ? " ticks" : "");
    if (is(word, "load")) load(body);
    if (is(word, "apply")) apply(body, rest);
    if (is(word, "tick")) tick(time_of(rest));
    if (is(word, "query")) say_sum("answer", "");
    if (is(word, "save")) save();
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static char line[256], body[1 << 16];
    char *rest;
    if (argc != 2) return 2;
    folder = argv[1];
    ticks = is_there("ticks");
    step("start");
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *last = strrchr(line, ' ');
        char *word = strtok_r(line, " ", &rest);
        bool has_body = is(word, "apply") || is(word, "query") || is(word, "load");
        if (has_body && !read_body(last + 1, body, sizeof body)) return 1;
        question = strtok_r(NULL, " ", &rest);
        step(word);
        answer(word, rest, body);
        if (is(word, "apply")) step("applied");
    }
    return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A sum, as an application that is a process (vstamp-app-exec(5)), and one that fails when it is
 * told to: before each step it looks for a file FOLDER/STEP, and whoever of the replicas' processes
 * gets it, by renaming it to STEP.done, does what is in it.
 *
 *     faulty_app FOLDER       steps: start hello load apply applied query save
 *
 * Operations are numbers to add, answered by the sum; "pid", whose answer differs each time; and
 * "poison", which kills, unless there is FOLDER/antidote. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *folder, *question = "0";

static void path_of(const char *name, const char *end, char path[static PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s%s", folder, name, end);
}

/* Each as a program might that is wrong, and then on as if nothing had been. */
static void fail(const char *fault)
{
    fprintf(stderr, "about to %s\n", fault);
    if (strcmp(fault, "kill") == 0) raise(SIGKILL);
    if (strcmp(fault, "stop") == 0) raise(SIGSTOP);
    if (strcmp(fault, "exit") == 0) exit(3);
    if (strcmp(fault, "garbage") == 0) printf("Traceback (most recent call last):\n");
    if (strcmp(fault, "endless") == 0)
        for (int i = 0; i < 300; i++) putchar('x');
    if (strcmp(fault, "long") == 0) printf("answer %s 1000000000\n", question);
    if (strcmp(fault, "extra") == 0) printf("answer %s 2\n77\n", question);
    if (strcmp(fault, "cut") == 0) printf("answer %s 5\n1", question); /* then other bytes */
    if (strcmp(fault, "close") == 0) close(STDOUT_FILENO);
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

static void say(const char *word, const char *body)
{
    printf("%s %s %zu\n%s\n", word, question, strlen(body), body);
}

static unsigned long sum;

static void say_sum(const char *word)
{
    char text[24];
    snprintf(text, sizeof text, "%lu", sum);
    say(word, text);
}

static void apply(const char *operation)
{
    char path[PATH_MAX], text[24];
    path_of("antidote", "", path);
    if (strcmp(operation, "poison") == 0 && access(path, F_OK) != 0) {
        fprintf(stderr, "poisoned\n");
        raise(SIGKILL);
    } else if (strcmp(operation, "pid") == 0) {
        snprintf(text, sizeof text, "%ld", (long)getpid());
        say("answer", text);
        return;
    }
    sum += strtoul(operation, NULL, 10);
    say_sum("answer");
}

int main(int argc, char **argv)
{
    static char line[256], body[1 << 16];
    char *rest;
    if (argc != 2) return 2;
    folder = argv[1];
    step("start");
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *last = strrchr(line, ' ');
        char *word = strtok_r(line, " ", &rest);
        bool has_body = strcmp(word, "apply") == 0 || strcmp(word, "query") == 0 ||
                        strcmp(word, "load") == 0;
        if (has_body && !read_body(last + 1, body, sizeof body)) return 1;
        question = strtok_r(NULL, " ", &rest);
        step(word);
        if (strcmp(word, "hello") == 0) printf("hello 1 sum\n");
        if (strcmp(word, "load") == 0) {
            sum = strtoul(body, NULL, 10);
            printf("loaded %s\n", question);
        }
        if (strcmp(word, "apply") == 0) apply(body);
        if (strcmp(word, "query") == 0) say_sum("answer");
        if (strcmp(word, "save") == 0) say_sum("state");
        fflush(stdout);
        if (strcmp(word, "apply") == 0) step("applied");
    }
    return 0;
}

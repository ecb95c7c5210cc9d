/* SPDX-License-Identifier: BSD-2-Clause */
/* The least that an application can do that is a process (vstamp-app-exec(5)): it answers each
 * operation as the store answers a put, and has no state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    static char line[256], body[1 << 20];
    setvbuf(stdin, NULL, _IOFBF, 1 << 16);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char word[16];
        unsigned long long number;
        if (sscanf(line, "%15s %llu", word, &number) != 2) return 1;
        if (strcmp(word, "hello") == 0) printf("hello 1 done\n");
        if (strcmp(word, "save") == 0) printf("state %llu 0\n\n", number);
        if (strcmp(word, "apply") == 0 || strcmp(word, "query") == 0) {
            size_t size = strtoul(strrchr(line, ' ') + 1, NULL, 10) + 1;
            if (size > sizeof body || fread(body, 1, size, stdin) != size) return 1;
            printf("answer %llu 1\n", number);
            fwrite("\0\n", 1, 2, stdout);
        }
        fflush(stdout);
    }
    return 0;
}

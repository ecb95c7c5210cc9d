/* SPDX-License-Identifier: BSD-2-Clause */
/* A progress bar on standard error, as curl and rsync draw one: on a terminal only, a line that is
 * drawn over itself ten times a second at most and stays when it ends.  What is over in half a
 * second leaves no line.  Elsewhere nothing is printed: a log has no use for it. */
#ifndef PROGRAM_PROGRESS_H
#define PROGRAM_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    const char *what;
    bool wanted, drawn;
    uint64_t begun_ms, drawn_ms;
    uint64_t done, total;
};

/* `what` is kept by pointer ("backup").  Not `wanted`: never draw. */
void progress_begin(struct progress *p, const char *what, bool wanted);

/* So many bytes of so many; a total of 0 is not known yet. */
void progress_show(struct progress *p, uint64_t done, uint64_t total);

/* Leave the last state on its line, so that what is printed next begins a new one. */
void progress_end(struct progress *p);

/* The line itself, of less than `width` columns: the bar is left out where there is no room. */
void progress_line(char *line, size_t size, unsigned width, const struct progress *p,
                   uint64_t now_ms);

/* "17 B", "1.7 GB": decimal, as disks are sold. */
#define PROGRESS_SIZE_TEXT 32
void progress_print_size(char text[static PROGRESS_SIZE_TEXT], uint64_t bytes);

#endif

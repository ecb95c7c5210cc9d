/* SPDX-License-Identifier: BSD-2-Clause */
/* The protocol's rare branches by name (marks.def): one place that says what happened, to whoever
 * reads a trace, and that it happened, to whoever asks which branches were ever taken.  A mark
 * changes nothing in what a replica does. */
#ifndef VR_MARKS_H
#define VR_MARKS_H

#include <stdbool.h>

struct vr;

enum vr_mark {
    VR_MARK_NONE, /* of a function that tells why to ignore a message: it is not to be ignored */
#define MARK(name, sentence) VR_MARK_##name,
#define GUARD(name, sentence) VR_MARK_##name,
#include "vr/marks.def"
    VR_MARKS
};

#define VR_MARK_WORDS ((VR_MARKS + 63) / 64)

struct vr_mark_entry {
    const char *name, *sentence;
    bool guard;
};

extern const struct vr_mark_entry vr_mark_table[VR_MARKS]; /* from 1 on */

/* The branch is taken; the rest, as for printf, tells of the case at hand. */
void vr_mark(struct vr *r, enum vr_mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "vr/marks.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/bitset.h"
#include "vr/rooms.h"

const struct vr_mark_entry vr_mark_table[VR_MARKS] = {
#define MARK(name, sentence) [VR_MARK_##name] = {#name, sentence, false},
#define GUARD(name, sentence) [VR_MARK_##name] = {#name, sentence, true},
#include "vr/marks.def"
};

void vr_mark(struct vr *r, enum vr_mark mark, const char *format, ...)
{
    char detail[128];
    va_list args;
    assert(mark != VR_MARK_NONE && mark < VR_MARKS);
    bitset_add(r->marks, mark);
    if (r->sink.trace == NULL) return;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    vr_trace(r, "%s: %s", vr_mark_table[mark].sentence, detail);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What pages held at digest points, until the disk has it (trail.c). */
#ifndef VR_TRAIL_H
#define VR_TRAIL_H

#include "wire/schema.h"

#define TRAIL_FORMAT      1u    /* of the file */
#define TRAIL_ENTRIES     512u  /* that wait at most */
#define TRAIL_MANY        256u  /* so many are worth a write */
#define TRAIL_ENTRY_BYTES 12u   /* of one, in the file */

/* What an entry has in place of a page; its value is then: */
#define TRAIL_OP     UINT32_MAX       /* the op-number after which all was so */
#define TRAIL_ROTTEN (UINT32_MAX - 1) /* a page that had turned in memory */

/* What becomes of the file, once it has the entries that wait here (R4). */
enum trail_then {
    TRAIL_GOES_ON,
    TRAIL_TURNS,  /* it takes the place of the one before it, and another begins */
    TRAIL_IS_KEPT /* both are put aside, in place of those that were before, and another begins */
};

struct vr_trail {
    struct wire_trail_entry *entries; /* NULL: nobody wants them */
    uint32_t n;
    uint64_t place; /* how many there were before these, since the start */
    uint64_t op;    /* the point that is being told; 0: there is none, or all of it was */
    uint32_t page;  /* from this page on */
    bool due;       /* a checkpoint's point is among these: they are to be written, however few */
    enum trail_then then;
    uint64_t kept_op; /* if these and all before them are: states differ, as was found here */
};

#endif

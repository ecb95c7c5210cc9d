/* SPDX-License-Identifier: BSD-2-Clause */
/* Versions of the protocol, so that a group can be brought to another release one replica at a
 * time.
 *
 * One number counts what replicas say to each other, what they log, and what a logged entry means.
 * A program speaks a range of them.  A group is in one version: that of its newest committed entry,
 * which says so in its header (vr/version.c has how it rises).
 *
 *   G1  what a replica sends to others, logs and stores is in the version of its group, as far as
 *       it knows it; as long as it knows of none, in the oldest one that it speaks;
 *   G2  a message may gain fields, at its end, each with the version that it came with
 *       (messages.def); a frame says by which version it was written.  Records, which are parts of
 *       messages and of files, never change: what is to say more is a record of another name;
 *   G3  what clients, tools and replicas of other epochs are told, and tell, is in no version: its
 *       shape is for ever (FOR_EVER_BEGIN in messages.def).  So is the header of a frame;
 *   G4  the version of a group never falls, and rises no higher than all its members speak;
 *   G5  a replica that meets, in its folder or from its group, what is later than all that it
 *       speaks ends, and says which version that is, and up to which it speaks;
 *   G6  an entry that may yet be taken back does not end it: it says that it cannot take that, and
 *       wants another view. */
#ifndef WIRE_VERSION_H
#define WIRE_VERSION_H

#define WIRE_OLDEST 15u
#define WIRE_NEWEST 15u
#define WIRE_FOR_EVER 0u /* in place of a version: the shape is the same in all of them */

#endif

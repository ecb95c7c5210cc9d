/* SPDX-License-Identifier: BSD-2-Clause */
/* VSTAMP_API marks what libvstamp exports; everything else is hidden. */
#ifndef VSTAMP_API_H
#define VSTAMP_API_H

#define VSTAMP_API __attribute__((visibility("default")))

#endif

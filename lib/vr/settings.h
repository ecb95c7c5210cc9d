/* SPDX-License-Identifier: BSD-2-Clause */
/* What the configurations of all replicas must say alike in any epoch, since the form of the state
 * and the bounds of what is logged follow from it.  Each hello and each batch of a folder has it,
 * value by value, so that a refusal can name the key. */
#ifndef VR_SETTINGS_H
#define VR_SETTINGS_H

#include "vr/config.h"
#include "wire/schema.h"

struct vr_setting {
    const char *key;
    char theirs[32], ours[32];
};

/* Those of this configuration. */
struct wire_settings vr_settings(const struct vr_config *config);

/* Is this key of a configuration one of them? */
bool vr_settings_have(const char *key);

/* Which is the first that they say differently?  False: none. */
bool vr_settings_differ(const struct wire_settings *theirs, const struct wire_settings *ours,
                        struct vr_setting *which);

#endif

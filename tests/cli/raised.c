/* SPDX-License-Identifier: BSD-2-Clause */
/* With the objects of vstamp-replica: the same program, but it speaks one version of the protocol
 * more, as a release that comes after this one will.  That version has nothing new; all that is
 * sent, logged and stored in it says so by number, and is refused by that. */
#include <config.h>

#include "program/config.h"
#include "wire/version.h"

#define RAISED "-raised"

/* The linker's --wrap. */
int __real_config_to_vr(const struct config *config, uint32_t index, const char *version,
                        struct vr_config *vr, struct vstamp_diag *diag);
int __wrap_config_to_vr(const struct config *config, uint32_t index, const char *version,
                        struct vr_config *vr, struct vstamp_diag *diag);

int __wrap_config_to_vr(const struct config *config, uint32_t index, const char *version,
                        struct vr_config *vr, struct vstamp_diag *diag)
{
    int rv = __real_config_to_vr(config, index, version, vr, diag);
    vr->oldest = WIRE_OLDEST;
    vr->newest = WIRE_NEWEST + 1;
    vr->version = PACKAGE_VERSION RAISED;
    return rv;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-replica(8): the daemon with the key-value store, or with an application that is named to
 * it. */
#include <config.h>

#include "kv/kv.h"
#include "replica/command.h"

int main(int argc, char **argv)
{
    return command_run(argc, argv, kv_app(), true);
}

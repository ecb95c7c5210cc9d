/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vr/id_hash.h"

#define CLIENTS 1024u
#define PLACES  (2 * CLIENTS)

/* In an open table, as those of clients are, the walk of one that leaves goes to the end of its
 * row. */
static void clients_in_a_row_do_not_lie_in_a_row(void **state)
{
    uint8_t is_taken[PLACES] = {0};
    uint32_t row = 0, longest = 0;
    (void)state;
    for (uint64_t i = 0; i < CLIENTS; i++) {
        uint32_t at = id_hash((struct vstamp_id){.hi = 0x1234, .lo = 0xfedc + i}) % PLACES;
        while (is_taken[at]) at = (at + 1) % PLACES;
        is_taken[at] = 1;
    }
    for (uint32_t i = 0; i < PLACES; i++) {
        row = is_taken[i] ? row + 1 : 0;
        if (row > longest) longest = row;
    }
    assert_in_range(longest, 1, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_in_a_row_do_not_lie_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

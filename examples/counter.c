/* SPDX-License-Identifier: BSD-2-Clause */
/* A replicated daemon of one's own, whole: a counter.
 *
 *     cc $(pkg-config --cflags vstamp-replica) counter.c $(pkg-config --libs vstamp-replica)
 *     ./a.out --local 3
 *     vstamp --replicas ... call 5            adds 5 and prints the sum
 *     vstamp --replicas ... call --read ''    prints it
 *
 * The state is a number at the beginning of the first page. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <vstamp/replica.h>

static void print(uint64_t value, struct vstamp_answer *answer)
{
    answer->size = (size_t)snprintf((char *)answer->data, answer->capacity, "%" PRIu64 "\n", value);
}

static bool parse(const uint8_t *text, size_t size, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        *value = *value * 10 + (text[i] - '0');
    }
    return size > 0 && size < 19;
}

static int check(const struct vstamp_limits *limits, const uint8_t *operation, size_t size,
                 struct vstamp_diag *why)
{
    uint64_t value;
    (void)limits;
    if (parse(operation, size, &value)) return 0;
    vstamp_diag_printf(why, "a number is expected");
    return VSTAMP_E_INVALID;
}

static void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    uint64_t *counter = vstamp_page_write(pages, 0), value;
    (void)context;
    if (parse(operation, size, &value)) *counter += value;
    print(*counter, answer);
}

static void query(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
                  struct vstamp_answer *answer)
{
    const uint64_t *counter = vstamp_page_read(pages, 0);
    (void)operation;
    (void)size;
    print(*counter, answer);
}

static const struct vstamp_app counter = {.abi = VSTAMP_APP_ABI,
                                          .name = "counter",
                                          .check = check,
                                          .apply = apply,
                                          .query = query};

int main(int argc, char **argv)
{
    return vstamp_replica_main(argc, argv, &counter);
}

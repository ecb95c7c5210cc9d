/* SPDX-License-Identifier: BSD-2-Clause */
/* Two trails of hostile content: what is read fits into what was said to be enough, and comparing
 * them ends, and says the same the other way round.
 *
 * The input is parts, each as u8 kind, u8 size, bytes.  A part is a record that checks, of the
 * first trail or the second, or bytes as they are. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "fuzz/fuzz.h"
#include "node/journal.h"
#include "node/trail.h"

#define FILE_MAX 65536u
#define PAGES    1024u /* else comparing takes memory that a test has not */

const char fuzz_aim[] = "two trails differ";
unsigned long fuzz_hits;
const unsigned fuzz_copies = 300;

static uint8_t files[2][FILE_MAX];

static void put_record(struct writer *into, struct bytes part)
{
    static const struct vstamp_id group = {1, 1};
    uint8_t buffer[256];
    struct reader in = reader_over(part.data, part.size);
    struct wire_list_builder list;
    struct wire_trail record = {.format = TRAIL_FORMAT, .group = group, .place = read_u8(&in)};
    wire_list_begin(&list, &wire_shape_trail_entry, buffer, sizeof buffer);
    while (in.left >= 3) {
        struct wire_trail_entry entry = {.page = read_u16(&in), .value = read_u8(&in)};
        entry.page = entry.page > UINT16_MAX - 4 ? UINT32_MAX - (UINT16_MAX - entry.page)
                                                 : entry.page % PAGES;
        wire_list_add(&list, &entry);
    }
    record.entries = wire_list_end(&list);
    journal_put(into, 0, 0, JOURNAL_TRAIL, &wire_shape_trail, &record);
}

static void read_trail(struct trail *t, struct bytes file)
{
    struct vstamp_diag diag = {0};
    size_t lost, n = trail_entries_max(file.size);
    *t = (struct trail){.entries = malloc(n * sizeof t->entries[0])};
    assert(t->entries != NULL);
    int rv = trail_read(t, file, &lost, &diag);
    assert(rv == 0 || diag.text[0] != '\0');
    assert(t->n <= n && lost <= file.size);
}

static struct trail_difference compare(const struct trail *a, const struct trail *b)
{
    struct trail_difference d;
    void *memory = calloc(1, trail_compare_memory(a, b) + 1);
    assert(memory != NULL);
    trail_compare(a, b, memory, &d);
    free(memory);
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = reader_over(data, size);
    struct writer into[2] = {writer_over(files[0], FILE_MAX), writer_over(files[1], FILE_MAX)};
    struct trail a, b;
    while (in.left > 0) {
        uint8_t kind = read_u8(&in);
        struct bytes part = read_raw(&in, read_u8(&in));
        if (!in.ok) break;
        if (kind % 4 < 2) put_record(&into[kind % 2], part);
        else write_raw(&into[kind % 2], part.data, part.size);
    }
    read_trail(&a, (struct bytes){files[0], into[0].size});
    read_trail(&b, (struct bytes){files[1], into[1].size});
    struct trail_difference d = compare(&a, &b), mirrored = compare(&b, &a);
    assert(d.op == mirrored.op && d.n_points == mirrored.n_points);
    if (d.op != 0) fuzz_hits++;
    assert(d.op == 0 || (d.n_pages > 0 && d.after != d.op));
    free(a.entries);
    free(b.entries);
    return 0;
}

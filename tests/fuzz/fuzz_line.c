/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a line of the shell.  The words of a line that is understood, printed as the shell
 * would have them typed, are understood as the same words. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "client/line.h"
#include "fuzz/fuzz.h"
#include "program/escape.h"

const char fuzz_aim[] = "a line is taken apart";
unsigned long fuzz_hits;
const unsigned fuzz_copies = 1000;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct line line, again;
    if (line_parse(&line, (struct bytes){data, size}) == NULL) {
        fuzz_hits++;
        char *text = NULL;
        size_t text_size;
        FILE *into = open_memstream(&text, &text_size);
        assert(into != NULL);
        for (size_t i = 0; i < line.n_words; i++) {
            escape_print(into, line.words[i], ESCAPE_WORD);
            putc(' ', into);
        }
        fclose(into);
        const char *wrong = line_parse(&again, (struct bytes){(uint8_t *)text, text_size});
        assert(wrong == NULL && again.n_words == line.n_words);
        for (size_t i = 0; i < line.n_words; i++)
            assert(bytes_equal(line.words[i], again.words[i]));
        line_release(&again);
        free(text);
    }
    line_release(&line);
    return 0;
}

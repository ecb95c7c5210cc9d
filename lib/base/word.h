/* SPDX-License-Identifier: BSD-2-Clause */
/* The names in our .def files are C identifiers in capitals; what people and scripts see is the
 * same word in lower case with '-' for '_'.  WORD("NOT_RUN") is the initializer of a
 * `const char [WORD_SIZE]` that holds "not-run", computed by the compiler, so that no list has to
 * spell a name twice and nobody has to convert one at run time. */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#define WORD_SIZE 20

/* Beyond the literal's end the index is brought back to 0, so that no compiler sees it overrun. */
#define WORD_RAW(s, i) ((i) < sizeof(s) ? (s)[(i) < sizeof(s) ? (i) : 0] : 0)
#define WORD_AT(s, i)                                                                              \
    (WORD_RAW(s, i) == '_'                               ? '-'                                     \
     : WORD_RAW(s, i) >= 'A' && WORD_RAW(s, i) <= 'Z' ? WORD_RAW(s, i) - 'A' + 'a'                 \
                                                         : WORD_RAW(s, i))
#define WORD_4(s, i) WORD_AT(s, i), WORD_AT(s, (i) + 1), WORD_AT(s, (i) + 2), WORD_AT(s, (i) + 3)

/* Say WORD_FITS of each name too: a longer one would lose its end. */
#define WORD(s)                                                                                    \
    {                                                                                              \
        WORD_4(s, 0), WORD_4(s, 4), WORD_4(s, 8), WORD_4(s, 12), WORD_4(s, 16)                     \
    }
#define WORD_FITS(s) _Static_assert(sizeof(s) <= WORD_SIZE, s " is too long a name")

#endif

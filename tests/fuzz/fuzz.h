/* SPDX-License-Identifier: BSD-2-Clause */
/* What a fuzzer offers, to libFuzzer or, under make check, to run_corpus.c. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0; an assert or a sanitizer tells what is wrong. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What inputs are for, as a sentence; the target counts here the times that it comes so far.  Under
 * make check a quarter of the corpus' files must: formats change, and inputs that are refused at
 * the door show nothing any more. */
extern const char fuzz_aim[];
extern unsigned long fuzz_hits;

/* Damaged copies of each file of the corpus that make check tries too: what a second allows. */
extern const unsigned fuzz_copies;

#endif

/*
 * fuzz.h - a fuzz target is one function over bytes. Built by the preset `fuzz` (clang) it is
 * driven by libFuzzer; in the other presets by fuzz_replay.c, which runs it over the corpus and
 * over mutations of it, so that ctest walks it everywhere.
 */
#ifndef KK_TESTS_FUZZ_H
#define KK_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

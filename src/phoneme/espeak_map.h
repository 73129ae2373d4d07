/* espeak_map.h - espeak-ng's IPA to the model's symbols. */
#ifndef KK_PHONEME_ESPEAK_MAP_H
#define KK_PHONEME_ESPEAK_MAP_H

#include "base/arena.h"
#include "base/str.h"
#include "text/text.h"

/*
 * `ipa` is espeak-ng's output with '^' as tie and with stress marks. Language-switch marks like
 * (fr) are taken out. In the arena; NULL when memory is out; "" when nothing was left. Source:
 * misaki's EspeakFallback.
 */
const char *kk_espeak_map(kk_arena *arena, kk_slice ipa, enum kk_language language);

#endif

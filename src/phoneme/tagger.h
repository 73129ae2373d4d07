/*
 * tagger.h - parts of speech, as far as pronunciation hangs on them: he has READ it, to USE and the
 * USE, THAT book.
 *
 * Tags are those of the Penn Treebank, because the lexicon's readings are filed under them.
 */
#ifndef KK_PHONEME_TAGGER_H
#define KK_PHONEME_TAGGER_H

#include "text/text.h"

/* X(tag, its name in the lexicon or NULL, its parent's name or NULL) */
#define KK_TAG_MAP(X)                                                                              \
    X(NONE, NULL, NULL)                                                                            \
    X(NN, "NN", "NOUN")                                                                            \
    X(NNP, "NNP", "NOUN")                                                                          \
    X(VB, "VB", "VERB")                                                                            \
    X(VBD, "VBD", "VERB")                                                                          \
    X(VBG, "VBG", "VERB")                                                                          \
    X(VBN, "VBN", "VERB")                                                                          \
    X(VBP, "VBP", "VERB")                                                                          \
    X(VBZ, "VBZ", "VERB")                                                                          \
    X(JJ, "JJ", "ADJ")                                                                             \
    X(RB, "RB", "ADV")                                                                             \
    X(IN, "IN", NULL)                                                                              \
    X(RP, "RP", NULL)                                                                              \
    X(DT, "DT", NULL)                                                                              \
    X(PRP, "PRP", NULL)                                                                            \
    X(MD, "MD", NULL)                                                                              \
    X(TO, "TO", NULL)                                                                              \
    X(CC, "CC", NULL)                                                                              \
    X(CD, "CD", NULL)                                                                              \
    X(WH, "WDT", NULL)                                                                             \
    X(POS, "POS", NULL)                                                                            \
    X(PUNCT, NULL, NULL)

enum kk_tag {
#define KK_X(tag, name, parent) KK_TAG_##tag,
    KK_TAG_MAP(KK_X)
#undef KK_X
        KK_N_TAGS
};

/* tags[n] of a sentence's tokens. */
void kk_tag_sentence(const kk_text_token *tokens, size_t n, enum kk_tag *tags);

/* "VBD" and "VERB"; NULL where there is none. */
const char *kk_tag_name(enum kk_tag tag);
const char *kk_tag_parent(enum kk_tag tag);

#endif

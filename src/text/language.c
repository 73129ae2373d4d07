/* language.c - names of languages, as people and clients write them. */
#include "text/text.h"

#include "base/status.h"

#include <string.h>

const char *kk_language_code(enum kk_language language)
{
    static const char *const codes[KK_N_LANGUAGES] = {
#define KK_X(name, code) [KK_LANG_##name] = code,
        KK_LANGUAGE_MAP(KK_X)
#undef KK_X
    };
    return codes[language];
}

int kk_language_parse(const char *text, enum kk_language *out, kokoro_error *err)
{
    /* "a" and "b" are Kokoro's own letters; en_US and en-US are one. */
    static const struct {
        const char *alias;
        enum kk_language language;
    } rows[] = {{"en-us", KK_LANG_EN_US},   {"en", KK_LANG_EN_US},        {"a", KK_LANG_EN_US},
                {"english", KK_LANG_EN_US}, {"en-us-001", KK_LANG_EN_US}, {"en-gb", KK_LANG_EN_GB},
                {"b", KK_LANG_EN_GB},       {"en-uk", KK_LANG_EN_GB}};
    char name[16];
    size_t len = strlen(text);
    if (len < sizeof(name)) {
        for (size_t i = 0; i <= len; i++)
            name[i] = text[i] == '_' ? '-' : text[i];
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            if (kk_slice_equal_nocase(kk_slice_of(name), kk_slice_of(rows[i].alias))) {
                *out = rows[i].language;
                return KOKORO_OK;
            }
        }
    }
    return kk_fail(err, KOKORO_LANGUAGE,
                   "language '%.20s' is not supported; supported are en-us and en-gb", text);
}

/* Text: what is written becomes words, in sentences, each with its place in the original. */
#include "check.h"

#include "base/alloc.h"
#include "text/text.h"

#include <stdlib.h>

/* The tokens of a text in a row: words by spaces, marks as they are, sentences by " | ". */
static void render(kk_buf *dst, const kk_text *text)
{
    for (size_t i = 0; i < text->n_sentences; i++) {
        const kk_sentence *s = &text->sentences[i];
        kk_buf_append_str(dst, i > 0 ? " | " : "");
        for (size_t k = 0; k < s->n_tokens; k++) {
            if (k > 0 && s->tokens[k - 1].space_after)
                kk_buf_append_char(dst, ' ');
            kk_buf_append_slice(dst, s->tokens[k].text);
        }
    }
}

static void check_reading(const char *text, enum kk_language language, const char *want)
{
    kk_arena arena = KK_ARENA_INIT;
    kk_text out;
    kokoro_error err = {0, ""};
    kk_buf got = KK_BUF_INIT;
    CHECK_INT(kk_text_read(&arena, kk_slice_of(text), language, &out, &err), KOKORO_OK);
    render(&got, &out);
    CHECK_STR(kk_buf_str(&got), want);
    kk_buf_fini(&got);
    kk_arena_fini(&arena);
}

typedef struct row {
    const char *text, *want;
} row;

static void check_rows(const row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_reading(rows[i].text, KK_LANG_EN_US, rows[i].want);
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

TEST(numbers)
{
    static const row rows[] = {
        {"0", "zero"},
        {"7 cats", "seven cats"},
        {"13", "thirteen"},
        {"40", "forty"},
        {"99", "ninety nine"},
        {"100", "one hundred"},
        {"342 men", "three hundred forty two men"},
        {"1,000", "one thousand"},
        {"12,345", "twelve thousand three hundred forty five"},
        {"1,000,000", "one million"},
        {"999999999999999999",
         "nine hundred ninety nine quadrillion nine hundred ninety nine trillion nine hundred "
         "ninety nine billion nine hundred ninety nine million nine hundred ninety nine thousand "
         "nine hundred ninety nine"},
        {"3.14", "three point one four"},
        {".5 of it", "point five of it"},
        {"-5", "minus five"},
        {"007", "zero zero seven"},
        {"1st", "first"},
        {"2nd", "second"},
        {"3rd", "third"},
        {"11th", "eleventh"},
        {"12th", "twelfth"},
        {"20th", "twentieth"},
        {"21st", "twenty first"},
        {"105th", "one hundred fifth"},
        {"#5", "number five"},
        {"No. 5 is", "Number five is"},
        {"5%", "five percent"},
        {"12.5%", "twelve point five percent"},
    };
    CHECK_ROWS(rows);
}

TEST(years_and_dates)
{
    static const row rows[] = {
        {"in 1984", "in nineteen eighty four"},
        {"in 1905", "in nineteen oh five"},
        {"in 1900", "in nineteen hundred"},
        {"in 2000", "in two thousand"},
        {"in 2005", "in two thousand five"},
        {"in 2026", "in twenty twenty six"},
        {"in 1066", "in ten sixty six"},
        {"the 1990s", "the nineteen nineties"},
        {"the 90s", "the nineties"},
        {"the '90s", "the nineties"},
        {"1990\xE2\x80\x93"
         "95",
         "nineteen ninety to ninety five"},
        {"2021-03-05", "March fifth twenty twenty one"},
        {"3/5/2021", "March fifth twenty twenty one"},
        {"25/12/2021", "December twenty fifth twenty twenty one"},
        {"on Jan. 3rd", "on January third"},
    };
    CHECK_ROWS(rows);
    check_reading("3/5/2021", KK_LANG_EN_GB, "May third twenty twenty one");
}

TEST(times)
{
    static const row rows[] = {
        {"at 3:30", "at three thirty"},
        {"at 3:05pm", "at three oh five P.M"},
        {"at 10:00", "at ten o'clock"},
        {"at 10:00 a.m. sharp", "at ten a.m sharp"},
        {"at 5 p.m. today", "at five p.m today"},
        {"at 3:30 pm", "at three thirty P.M"},
        {"at 7am", "at seven A.M"},
        {"at 14:00", "at fourteen hundred"},
        {"at 00:15", "at zero fifteen"},
    };
    CHECK_ROWS(rows);
}

TEST(money)
{
    static const row rows[] = {
        {"$5", "five dollars"},
        {"$1", "one dollar"},
        {"$5.20", "five dollars and twenty cents"},
        {"$0.99", "ninety nine cents"},
        {"$1.01", "one dollar and one cent"},
        {"$5.00", "five dollars"},
        {"$1,234", "one thousand two hundred thirty four dollars"},
        {"$5 million", "five million dollars"},
        {"$2.5bn", "two point five billion dollars"},
        {"\xC2\xA3"
         "3.50",
         "three pounds and fifty pence"},
        {"\xE2\x82\xAC"
         "10",
         "ten euros"},
        {"-$5", "minus five dollars"},
        {"$5-$10", "five to ten dollars"},
        {"$5-10", "five to ten dollars"},
        {"50\xC2\xA2", "fifty cents"},
        {"\xC2\xA5"
         "500",
         "five hundred yen"},
    };
    CHECK_ROWS(rows);
}

TEST(quantities)
{
    static const row rows[] = {
        {"5 km", "five kilometers"},
        {"1 km", "one kilometer"},
        {"5m", "five meters"},
        {"16GB", "sixteen gigabytes"},
        {"3mV", "three millivolts"},
        {"3MW", "three megawatts"},
        {"100 mph", "one hundred miles per hour"},
        {"40\xC2\xB0"
         "C",
         "forty degrees Celsius"},
        {"90\xC2\xB0 today", "ninety degrees today"},
        {"1/2 cup", "one half cup"},
        {"3/4", "three quarters"},
        {"2/3", "two thirds"},
        {"10-20 men", "ten to twenty men"},
        {"5-10%", "five to ten percent"},
        {"555-1234", "five five five one two three four"},
        {"(555) 123-4567", "(five five five) one two three four five six seven"},
        {"+1 555 123 4567", "plus one five five five one two three four five six seven"},
        {"24/7", "twenty four seven"},
        {"2 1/2 cups", "two and a half cups"},
        {"2\xC2\xBD cups", "two and a half cups"},
        {"5'10\" tall", "five foot ten tall"},
        {"1920x1080", "nineteen twenty by ten eighty"},
        {"5-10km", "five to ten kilometers"},
        {"5 m\xC2\xB2", "five square meters"},
        {"90 km/h", "ninety kilometers per hour"},
        {"1-800-555-0199", "one eight zero zero five five five zero one nine nine"},
        {"B2B", "B two B"},
        {"COVID-19", "COVID nineteen"},
        {"4K", "four K"},
        {"v1.2.3", "v one point two point three"},
    };
    CHECK_ROWS(rows);
}

TEST(abbreviations_and_signs)
{
    static const row rows[] = {
        {"Dr. Smith", "Doctor Smith"},
        {"Mr. and Mrs. Lee", "Mister and Mrs Lee"},
        {"St. Paul", "Saint Paul"},
        {"Baker St. is", "Baker Street is"},
        {"e.g. this", "for example this"},
        {"i.e. that", "that is that"},
        {"you vs. me", "you versus me"},
        {"Vol. 3, p. 5", "Volume three, page five"},
        {"Ph.D. in", "Ph.D in"},
        {"on Tues. at", "on Tuesday at"},
        {"C++ and C#", "C plus plus and C sharp"},
        {"<5 or ~20", "less than five or about twenty"},
        {"II III", "II III"},
        {"Lynx\xE2\x84\xA2", "Lynx"},
        {"a & b", "a and b"},
        {"a+b", "a plus b"},
        {"2 + 2 = 4", "two plus two equals four"},
        {"and/or", "and or"},
        {"World War II", "World War two"},
        {"Henry VIII", "Henry the eighth"},
        {"Chapter IV", "Chapter four"},
        {"I am", "I am"},
        {"x@y.org", "x at y dot org"},
        {"www.example.com", "www dot example dot com"},
        {"See www.a.org/b?c=1.", "See www dot a dot org slash b question mark c equals one."},
        {"https://a.org/b", "a dot org slash b"},
    };
    CHECK_ROWS(rows);
}

TEST(folding)
{
    static const row rows[] = {
        {"don\xE2\x80\x99t", "don't"},
        {"\xEF\xBC\xA1\xEF\xBC\xA2", "AB"},
        {"\xEF\xAC\x81ne", "fine"},
        {"caf\xC3\xA9", "caf\xC3\xA9"},
        {"cafe\xCC\x81", "caf\xC3\xA9"},
        {"a\xE2\x80\x8B"
         "b",
         "ab"},
        {"\xEF\xBB\xBFhello", "hello"},
        {"a\tb\x01"
         "c",
         "a bc"},
        {"so\xE2\x80\xA6 well", "so\xE2\x80\xA6 well"},
        {"so... well", "so... well"},
        {"wait -- no", "wait \xE2\x80\x94 no"},
        {"wait - no", "wait \xE2\x80\x94 no"},
        {"\"yes,\" he said", "\xE2\x80\x9Cyes,\xE2\x80\x9D he said"},
        {"'yes' he said", "yes he said"},
        {"'tis", "'tis"},
        {"*bold* _it_", "bold it"},
        {"smile \xF0\x9F\x98\x80 now", "smile now"},
        {"(aside)", "(aside)"},
    };
    CHECK_ROWS(rows);
}

TEST(sentences)
{
    static const row rows[] = {
        {"One. Two! Three? Four", "One. | Two! | Three? | Four"},
        {"Mr. Hill left. He ran.", "Mister Hill left. | He ran."},
        {"J. R. R. Tolkien wrote.", "J R R Tolkien wrote."},
        {"It cost 3.50. Fine.", "It cost three point five zero. | Fine."},
        {"He said \"Stop.\" Then he left.",
         "He said \xE2\x80\x9CStop.\xE2\x80\x9D | Then he left."},
        {"Wait... what?", "Wait... what?"},
        {"He left. Dr. Hill came.", "He left. | Doctor Hill came."},
        {"J.R.R. Tolkien wrote.", "J.R.R Tolkien wrote."},
        {"The pro-U.S. side", "The pro-U.S side"},
        {"Until 5 p.m. The sun set.", "Until five p.m. | The sun set."},
        {"I ate a fig. They left.", "I ate a fig. | They left."},
        {"He left.She stayed.", "He left. | She stayed."},
        {"\xE6\x97\xA5\xE3\x80\x82\xE6\x9C\xAC\xEF\xBC\x81", "\xE6\x97\xA5. | \xE6\x9C\xAC!"},
        {"Wait... What?", "Wait... | What?"},
        {"The U.S. Army", "The U.S Army"},
        {"We saw the U.S. It was big.", "We saw the U.S. | It was big."},
        {"apples, pears, etc.", "apples, pears, etc."},
        {"one\n\ntwo", "one | two"},
        {"one\ntwo", "one two"},
        {"Hello!!! You", "Hello!!! | You"},
        {"...", ""},
        {"?!", ""},
        {"", ""},
        {" \n\n ", ""},
    };
    CHECK_ROWS(rows);
}

TEST(bad_utf8_is_refused_by_its_place)
{
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {{"ab\xFF", "byte 2"},
                {"\xC3", "byte 0"},
                {"ok \xED\xA0\x80", "byte 3"},
                {"\xC0\x80", "byte 0"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        kk_arena arena = KK_ARENA_INIT;
        kk_text out;
        kokoro_error err;
        CHECK_INT(kk_text_read(&arena, kk_slice_of(rows[i].text), KK_LANG_EN_US, &out, &err),
                  KOKORO_BAD_TEXT);
        CHECK_HAS(err.message, rows[i].message);
        kk_arena_fini(&arena);
    }
}

/* Spans lie in the text and never run backwards. */
static void check_spans(const kk_text *text, size_t len)
{
    size_t last = 0;
    for (size_t i = 0; i < text->n_sentences; i++) {
        const kk_sentence *s = &text->sentences[i];
        CHECK(s->n_tokens > 0 && s->offset + s->len <= len);
        for (size_t k = 0; k < s->n_tokens; k++) {
            const kk_text_token *t = &s->tokens[k];
            if (t->offset < last || t->offset + t->len > len || t->text.len == 0)
                CHECK_INT(t->offset, -1);
            last = t->offset;
        }
    }
}

TEST(spans_point_into_the_original)
{
    kk_arena arena = KK_ARENA_INIT;
    kk_text out;
    static const char text[] = "I paid $5.20 to Dr. Lee.";
    CHECK_INT(kk_text_read(&arena, kk_slice_of(text), KK_LANG_EN_US, &out, NULL), KOKORO_OK);
    CHECK_INT(out.n_sentences, 1);
    const kk_text_token *five = &out.sentences[0].tokens[2];
    CHECK(kk_slice_equal(five->text, KK_SLICE("five")));
    CHECK_INT(five->offset, 7);
    CHECK_INT(five->len, 5);
    CHECK_INT(five->flags, KK_TOKEN_NUMBER);
    kk_arena_fini(&arena);
}

TEST(any_text_is_read_without_loss_of_its_letters)
{
    static const char *const pieces[] = {
        "word",     " ", "3",  ".", ",",     "$",    "'",  "-", "\"", "\n", "\n\n",
        "A.B",      "é", "日", "%", "/",     ":",    "@",  "(", ")",  "th", "st",
        "\xC2\xA0", "…", "—",  "😀", "1990s", "e.g.", "II", "_", "&",  "#",  "+"};
    srand(11);
    for (int round = 0; round < 3000; round++) {
        kk_arena arena = KK_ARENA_INIT;
        kk_buf text = KK_BUF_INIT;
        int n = rand() % 30, n_words = 0;
        for (int i = 0; i < n; i++) {
            size_t k = (size_t)rand() % (sizeof(pieces) / sizeof(pieces[0]));
            kk_buf_append_str(&text, pieces[k]);
            n_words += k == 0;
        }
        kk_text out;
        kokoro_error err;
        CHECK_INT(kk_text_read(&arena, (kk_slice){kk_buf_str(&text), text.len}, KK_LANG_EN_US, &out,
                               &err),
                  KOKORO_OK);
        check_spans(&out, text.len);
        kk_buf all = KK_BUF_INIT;
        render(&all, &out);
        int n_found = 0;
        for (const char *at = kk_buf_str(&all); (at = strstr(at, "word")) != NULL; at += 4)
            n_found++;
        if (n_found != n_words) {
            CHECK_INT(n_found, n_words);
            printf("  in: %s\n  out: %s\n", kk_buf_str(&text), kk_buf_str(&all));
        }
        kk_buf_fini(&all);
        kk_buf_fini(&text);
        kk_arena_fini(&arena);
    }
}

TEST(random_bytes_are_read_or_refused)
{
    srand(12);
    for (int round = 0; round < 3000; round++) {
        char bytes[64];
        size_t n = (size_t)rand() % sizeof(bytes);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(round % 2 == 0 ? rand() % 128 : rand() % 256);
        kk_arena arena = KK_ARENA_INIT;
        kk_text out;
        int status = kk_text_read(&arena, (kk_slice){bytes, n}, KK_LANG_EN_GB, &out, NULL);
        CHECK(status == KOKORO_OK || status == KOKORO_BAD_TEXT);
        if (status == KOKORO_OK)
            check_spans(&out, n);
        kk_arena_fini(&arena);
    }
}

TEST(a_long_text_without_spaces_is_read_whole)
{
    enum { LEN = 200000 };
    char *text = malloc(LEN);
    memset(text, 'a', LEN);
    kk_arena arena = KK_ARENA_INIT;
    kk_text out;
    CHECK_INT(kk_text_read(&arena, (kk_slice){text, LEN}, KK_LANG_EN_US, &out, NULL), KOKORO_OK);
    size_t len = 0;
    for (size_t i = 0; i < out.n_sentences; i++) {
        for (size_t k = 0; k < out.sentences[i].n_tokens; k++)
            len += out.sentences[i].tokens[k].text.len;
    }
    CHECK_INT(len, LEN);
    kk_arena_fini(&arena);
    free(text);
}

TEST(languages_have_aliases)
{
    static const char *const us[] = {"en-us", "en", "a", "en_US", "EN-us", "en-US"};
    static const char *const gb[] = {"en-gb", "b", "en_GB", "en-GB"};
    enum kk_language language;
    for (size_t i = 0; i < sizeof(us) / sizeof(us[0]); i++)
        CHECK(kk_language_parse(us[i], &language, NULL) == KOKORO_OK && language == KK_LANG_EN_US);
    for (size_t i = 0; i < sizeof(gb) / sizeof(gb[0]); i++)
        CHECK(kk_language_parse(gb[i], &language, NULL) == KOKORO_OK && language == KK_LANG_EN_GB);
    kokoro_error err;
    CHECK_INT(kk_language_parse("klingon", &language, &err), KOKORO_LANGUAGE);
    CHECK_HAS(err.message, "en-us and en-gb");
    CHECK_INT(kk_language_parse("", &language, &err), KOKORO_LANGUAGE);
}

TEST(every_failed_allocation_is_reported)
{
    static const char text[] =
        "On 3/5/2021 Dr. Lee paid $5.20, i.e. \"much\". See www.example.com!\n\nHenry VIII left.";
    int status = KOKORO_NO_MEMORY;
    for (size_t k = 1; status != KOKORO_OK && k < 2000; k++) {
        kk_arena arena = KK_ARENA_INIT;
        kk_text out;
        kokoro_error err = {0, ""};
        kk_alloc_fail_at(k, 0);
        status = kk_text_read(&arena, kk_slice_of(text), KK_LANG_EN_US, &out, &err);
        kk_alloc_fail_at(0, 0);
        if (status != KOKORO_OK && err.status != KOKORO_NO_MEMORY)
            CHECK_INT(err.status, KOKORO_NO_MEMORY);
        kk_arena_fini(&arena);
    }
    CHECK_INT(status, KOKORO_OK);
}

TEST_MAIN(T(numbers), T(years_and_dates), T(times), T(money), T(quantities),
          T(abbreviations_and_signs), T(folding), T(sentences), T(bad_utf8_is_refused_by_its_place),
          T(spans_point_into_the_original), T(any_text_is_read_without_loss_of_its_letters),
          T(random_bytes_are_read_or_refused), T(a_long_text_without_spaces_is_read_whole),
          T(languages_have_aliases), T(every_failed_allocation_is_reported))

/*
 * test_bench_report.c - the report and its files: what stands in them, that text from outside is no
 * markup, that nothing is half written, that live figures replace their own section and no more.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/utf8.h"
#include "bench/choice.h"
#include "bench/report.h"
#include "bench/result_json.h"
#include "bench_fixture.h"
#include "check.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static kk_bench_result result;
static kokoro_error error;
static char dir[] = "/tmp/kokoro-test-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static const char *read_back(kk_buf *text, const char *name)
{
    kk_buf_clear(text);
    CHECK_INT(kk_file_read(text, in_dir(name), 1 << 22, &error), KOKORO_OK);
    return kk_buf_str(text);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_dir(name), "wb");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* Files in the directory; each is removed. */
static size_t count_and_remove(void)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    for (const struct dirent *entry; (entry = readdir(d)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        n++;
        (void)unlink(in_dir(entry->d_name));
    }
    (void)closedir(d);
    return n;
}

static void make(void)
{
    const kk_choice_rule rule = {5.0, 1.0, {"onnxruntime", "file", 2}, false};
    fixture_make(&result);
    CHECK_INT(kk_choose(&result, &rule, &error), KOKORO_OK);
}

static kk_history_figure figures[4][3];
static kk_history_run runs[4];
static kk_history_change change;

/* Four earlier runs of three ways; the last was slower. */
static kk_history_view make_history(void)
{
    for (size_t i = 0; i < 4; i++) {
        for (size_t w = 0; w < 3; w++)
            figures[i][w] = (kk_history_figure){result.ways[w].way,
                                                "medium",
                                                0.4 + 0.5 * (double)w - 0.02 * (double)i,
                                                0.1,
                                                5.0,
                                                10};
        runs[i] = (kk_history_run){.number = (long long)(9 - i),
                                   .started_at_s = 1790000000.0 - 90000.0 * (double)i,
                                   .mode = "full",
                                   .version = "0.1.0",
                                   .voice = "af_heart",
                                   .machine = "AMD",
                                   .busy = "",
                                   .deciding_text = "medium",
                                   .is_comparable = i < 3,
                                   .recommended = result.ways[0].way,
                                   .figures = figures[i],
                                   .n_figures = 3};
    }
    change = (kk_history_change){result.ways[0].way, "medium", 0.4, 0.44, 10.0, 0.00032, 3};
    return (kk_history_view){.runs = runs,
                             .n_runs = 4,
                             .changes = &change,
                             .n_changes = 1,
                             .n_regressions = 1,
                             .n_compared = 3};
}

/* ---- a checker of XML: tags nest, attributes are quoted, no bare & or < ------------------------
 */

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == ':' || c == '_';
}

static bool is_reference(const char *at)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strncmp(at, known[i], strlen(known[i])) == 0)
            return true;
    return false;
}

/* Behind a tag's name: NULL, or what follows its >. */
static const char *skip_attributes(const char *at, bool *is_empty)
{
    for (;;) {
        while (isspace((unsigned char)*at))
            at++;
        *is_empty = *at == '/';
        if (*at == '/' || *at == '>')
            return at[*is_empty] == '>' ? at + *is_empty + 1 : NULL;
        const char *name = at;
        while (is_name(*at))
            at++;
        if (at == name || *at++ != '=' || *at++ != '"')
            return NULL;
        for (; *at != '"'; at++)
            if (*at == '\0' || *at == '<' || (*at == '&' && !is_reference(at)))
                return NULL;
        at++;
    }
}

/* Number of elements; 0 when it is not well-formed. */
static size_t count_elements(const char *at)
{
    const char *open[16] = {NULL};
    size_t depth = 0, n = 0;
    if (strncmp(at, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", 39) != 0)
        return 0;
    at += 39;
    while (*at != '\0') {
        if (*at == '&' && !is_reference(at))
            return 0;
        if (*at != '<') {
            if (depth == 0 && !isspace((unsigned char)*at))
                return 0;
            at++;
            continue;
        }
        const bool closes = at[1] == '/';
        const char *name = at + 1 + closes;
        size_t len = 0;
        while (is_name(name[len]))
            len++;
        at = name + len;
        if (len == 0)
            return 0;
        if (closes) {
            if (depth == 0 || strncmp(open[depth - 1], name, len) != 0 ||
                is_name(open[depth - 1][len]) || *at++ != '>')
                return 0;
            depth--;
            continue;
        }
        bool is_empty = false;
        at = skip_attributes(at, &is_empty);
        if (at == NULL || depth == 16 || (depth == 0 && n > 0))
            return 0;
        n++;
        if (!is_empty)
            open[depth++] = name;
    }
    return depth == 0 ? n : 0;
}

TEST(the_checker_of_xml_can_fail)
{
#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    CHECK_INT(count_elements(HEAD "<a b=\"1\"><c/>x &amp; y</a>\n"), 2);
    CHECK_INT(count_elements(HEAD "<a><c></a></c>"), 0);
    CHECK_INT(count_elements(HEAD "<a>x & y</a>"), 0);
    CHECK_INT(count_elements(HEAD "<a b=1></a>"), 0);
    CHECK_INT(count_elements(HEAD "<a>"), 0);
    CHECK_INT(count_elements(HEAD "<a/><b/>"), 0);
    CHECK_INT(count_elements("<a/>"), 0);
}

/* ---- the report ------------------------------------------------------------------------------ */

TEST(sections_and_figures)
{
    kk_buf text = KK_BUF_INIT;
    make();
    const kk_history_view history = make_history();
    CHECK_INT(kk_report_write(&result, &history, in_dir("benchmark_results.md"), &error),
              KOKORO_OK);
    const char *md = read_back(&text, "benchmark_results.md");
    static const char *const wanted[] = {
        "# Kokoro TTS Benchmark Results\n\nGenerated: 2026-09-21 14:16:27 UTC\n",
        "## System Information\n",
        "| CPU | AMD EPYC 9R14 |",
        "| Limits of the control group | 1.50 CPUs at once |",
        "| Load average (1 min), before and after | 0.31, 2.02 |",
        "### Providers\n",
        "| openvino f32, 2 threads |  |  | failed: the process was ended by signal 11 |",
        "| coreml | only on Apple's systems; nothing can be installed on this one |",
        "## Performance Benchmark Results\n",
        "| Way | Inference Time | RTF | Relative Performance | Status |",
        "| native bf16, 2 threads | 0.418 s | 0.084 | 1.00x | fastest, recommended |",
        "| native f32, 2 threads | 0.631 s | 0.126 | 1.51x | slower |",
        "| openvino f32, 2 threads | - | - | - | failed: the process was ended by signal 11 |",
        "![Time for a second of speech, by text and way](benchmark_results_timing.svg)",
        "- Current selection: onnxruntime file, 2 threads\n",
        "**long**: 39 characters, 20.5 s of speech\n",
        "| native bf16, 2 threads | 1.681 | 1.712 | 1.739 | 1.4 % | 0.084 | 1.849 | 0.342 | 10 |",
        "### Memory Usage\n",
        "| native bf16, 2 threads | 210 MB | 260 MB |",
        "### Quality\n",
        "| native f32, 2 threads | 0 | 0.00 dB | 0.00 dB | the reference |",
        "| onnxruntime file, 2 threads | 3 of 321 | 0.20 dB | 0.25 dB | within the limit |",
        "## Configuration Recommendations\n\n**Recommended: native bf16, 2 threads**\n",
        "The improvement is significant.",
        "\nKOKORO_PROVIDER=native\nKOKORO_PRECISION=bf16\nKOKORO_THREADS=2\n"
        "KOKORO_MIN_IMPROVEMENT_PERCENT=5\nKOKORO_MAX_QUALITY_DB=1\n",
        "## Runtime Performance Tracking\n",
        "No live figures yet",
        "## History\n",
        "- **Regression**: native bf16, 2 threads on \"medium\" takes 0.440 s, +10.0 % beside "
        "0.400 "
        "s in the last 3 comparable runs (p = 0.00032)",
        "| 9 | 2026-09-21 14:13:20 UTC | full | 0.1.0 | native bf16, 2 threads | 0.400 s | yes |",
        "## Technical Notes\n",
        "[benchmark_results.json](benchmark_results.json)",
    };
    const char *at = md;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        const char *found = strstr(at, wanted[i]);
        CHECK_HAS(at, wanted[i]);
        at = found != NULL ? found : at;
    }
    CHECK_INT(kk_utf8_valid_len(kk_slice_of(md)), strlen(md));
    kk_bench_result back;
    CHECK_INT(kk_result_read(&back, in_dir("benchmark_results.json"), &error), KOKORO_OK);
    CHECK_INT(back.n_ways, FIXTURE_N_WAYS);
    kk_bench_result_fini(&back);
    CHECK_INT(count_and_remove(), 5);
    kk_buf_fini(&text);
    kk_bench_result_fini(&result);
}

TEST(bands_of_the_comparison)
{
    kk_buf text = KK_BUF_INIT;
    make();
    result.ways[FIXTURE_BF16].timings[1].inference_s = fixture_samples(&result, 1.0, 1);
    result.ways[FIXTURE_F32].timings[1].inference_s = fixture_samples(&result, 1.19, 1);
    result.ways[FIXTURE_ORT].timings[1].inference_s = fixture_samples(&result, 1.49, 1);
    CHECK_INT(kk_report_write(&result, NULL, in_dir("r.md"), &error), KOKORO_OK);
    const char *md = read_back(&text, "r.md");
    CHECK_HAS(md, "| 1.190 s | 0.238 | 1.19x | excellent |");
    CHECK_HAS(md, "| 1.490 s | 0.298 | 1.49x | good |");
    CHECK_HAS(md, "There is no earlier run.");
    CHECK_HAS(md, "in **2 groups**, since memory was short for all at once");
    CHECK_HAS(md, "Not measured:");
    CHECK_HAS(md, "| openvino bf16, 2 threads | no time was left \\| at all |");
    CHECK_INT(count_and_remove(), 4);
    kk_buf_fini(&text);
    kk_bench_result_fini(&result);
}

TEST(what_was_spoken_once_and_what_was_passed_over)
{
    kk_buf text = KK_BUF_INIT;
    make();
    const kk_choice_rule rule = {5.0, 0.1, {"", "", 0}, false};
    CHECK_INT(kk_choose(&result, &rule, &error), KOKORO_OK);
    result.busy = "a compiler";
    for (size_t i = 0; i < result.n_ways; i++)
        result.ways[i].timings[0].inference_s.n = 0;
    CHECK_INT(kk_report_write(&result, NULL, in_dir("r.md"), &error), KOKORO_OK);
    const char *md = read_back(&text, "r.md");
    CHECK_HAS(md, "| native f32, 2 threads | - | - | - | - | 0.136 | 0.307 | 0.057 | 0 |");
    CHECK_HAS(md, "**The machine was busy; the times are longer and less certain than on an idle "
                  "one**: a compiler\n");
    CHECK_HAS(md, "**Recommended: native f32, 2 threads**");
    CHECK_HAS(md, "- native bf16, 2 threads is faster (0.418 s), but its sound is 0.30 dB from");
    CHECK(strstr(read_back(&text, "r_timing.svg"), ">short<") == NULL);
    CHECK_INT(count_and_remove(), 4);
    kk_buf_fini(&text);
    kk_bench_result_fini(&result);
}

/* A runtime that could tell where it puts the nodes, and had no time to: that is said. */
TEST(a_placement_that_is_not_known)
{
    static const char *const modes[] = {"full", "quick"};
    for (int i = 0; i < 2; i++) {
        kk_buf text = KK_BUF_INIT;
        make();
        const char *known = result.ways[FIXTURE_ORT].placement;
        result.mode = modes[i];
        CHECK_INT(kk_report_write(&result, NULL, in_dir("known.md"), &error), KOKORO_OK);
        CHECK_HAS(read_back(&text, "known.md"), known);
        CHECK(strstr(kk_buf_str(&text), "was not found out") == NULL);
        result.ways[FIXTURE_ORT].placement = "";
        kk_buf_clear(&text);
        CHECK_INT(kk_report_write(&result, NULL, in_dir("r.md"), &error), KOKORO_OK);
        const char *md = read_back(&text, "r.md");
        CHECK_HAS(md, i == 0 ? "where its nodes are placed was not found out |"
                             : "was not found out; a full run has time to ask |");
        CHECK(strstr(md, "not found out") != NULL &&
              strstr(strstr(md, "not found out") + 1, "not found out") == NULL);
        CHECK_INT(count_and_remove(), 8);
        kk_buf_fini(&text);
        kk_bench_result_fini(&result);
    }
}

TEST(nothing_ran)
{
    kk_buf text = KK_BUF_INIT;
    kk_bench_result_init(&result);
    CHECK_INT(kk_report_write(&result, NULL, in_dir("r.md"), &error), KOKORO_OK);
    const char *md = read_back(&text, "r.md");
    CHECK_HAS(md, "**Warning: no way to run the model gave figures");
    CHECK_HAS(md, "Nothing can be recommended.");
    CHECK(count_elements(read_back(&text, "r_timing.svg")) > 3);
    CHECK(count_elements(read_back(&text, "r_memory.svg")) > 3);
    CHECK_INT(count_and_remove(), 4);
    kk_buf_fini(&text);
}

TEST(plots_are_well_formed)
{
    kk_buf text = KK_BUF_INIT;
    make();
    kk_history_view history = make_history();
    CHECK_INT(kk_report_write(&result, &history, in_dir("r.md"), &error), KOKORO_OK);
    const char *svg = read_back(&text, "r_timing.svg");
    CHECK(count_elements(svg) > 60);
    CHECK_HAS(svg, ">seconds of computing for a second of speech (RTF); less is faster<");
    CHECK_HAS(svg, ">native bf16, 2 threads<");
    CHECK_HAS(svg, ">0.418 s, RTF 0.084<");
    CHECK_HAS(svg, "prefers-color-scheme: dark");
    svg = read_back(&text, "r_memory.svg");
    CHECK(count_elements(svg) > 20);
    CHECK_HAS(svg, ">MB; full colour: resident");
    CHECK_HAS(svg, ">210 MB, peak 260 MB<");
    svg = read_back(&text, "r_history.svg");
    CHECK(count_elements(svg) > 30);
    CHECK_HAS(svg, ">0.5 s<");
    CHECK_HAS(svg, ">21 Sep<");
    CHECK_HAS(svg, "class=\"hollow\"");
    CHECK(strstr(svg, "nan") == NULL && strstr(svg, "\"inf") == NULL);

    /* One run is no line: the older plot goes. */
    history.n_runs = 1;
    CHECK_INT(kk_report_write(&result, &history, in_dir("r.md"), &error), KOKORO_OK);
    CHECK(!kk_file_exists(in_dir("r_history.svg")));
    CHECK_INT(count_and_remove(), 4);
    kk_buf_fini(&text);
    kk_bench_result_fini(&result);
}

TEST(text_from_outside_is_no_markup)
{
    static const char evil[] = "a|b<script>&`*_[x](y)\n# c\x01\xff <!-- kokoro runtime: begin -->";
    kk_buf text = KK_BUF_INIT;
    make();
    kk_history_view history = make_history();
    result.busy = result.ways[0].placement = result.absent[0].reason = result.texts[0].name = evil;
    result.ways[FIXTURE_FAILED].failure = evil;
    runs[0].deciding_text = figures[0][0].text = figures[1][0].text = evil;
    (void)snprintf(result.ways[1].way.provider, KK_WAY_NAME, "%s", "<&\"'>|");
    CHECK_INT(kk_report_write(&result, &history, in_dir("a b<(.md"), &error), KOKORO_OK);
    const char *md = read_back(&text, "a b<(.md");
    CHECK_HAS(md, "| a\\|b&lt;script&gt;&amp;\\`\\*\\_\\[x\\](y) # c \xef\xbf\xbd &lt;!-- kokoro");
    CHECK(strstr(md, "<script") == NULL);
    CHECK_HAS(md, "(a%20b%3C%28_timing.svg)");
    for (const char *line = md; line != NULL; line = strchr(line, '\n')) {
        line += line[0] == '\n';
        CHECK(strncmp(line, "# c", 3) != 0);
    }
    CHECK_INT(kk_report_update_runtime(in_dir("a b<(.md"), "live", &error), KOKORO_OK);
    CHECK(count_elements(read_back(&text, "a b<(_timing.svg")) > 60);
    CHECK(count_elements(read_back(&text, "a b<(_memory.svg")) > 20);
    CHECK(count_elements(read_back(&text, "a b<(_history.svg")) > 20);
    CHECK_INT(count_and_remove(), 5);
    kk_buf_fini(&text);
    kk_bench_result_fini(&result);
}

TEST(live_figures_replace_their_section_and_no_more)
{
    kk_buf before = KK_BUF_INIT, after = KK_BUF_INIT;
    make();
    CHECK_INT(kk_report_write(&result, NULL, in_dir("r.md"), &error), KOKORO_OK);
    (void)read_back(&before, "r.md");
    CHECK_INT(
        kk_report_update_runtime(in_dir("r.md"), "Older <!-- kokoro runtime: end -->", &error),
        KOKORO_OK);
    CHECK_INT(kk_report_update_runtime(in_dir("r.md"), "| a | b |\n|---|---|\n", &error),
              KOKORO_OK);
    const char *md = read_back(&after, "r.md");
    CHECK(strstr(md, "Older") == NULL && strstr(md, "No live figures") == NULL);
    const char *old = strstr(kk_buf_str(&before), "No live figures");
    const char *new = strstr(md, "| a | b |\n|---|---|\n<!-- kokoro runtime: end -->\n");
    CHECK(old != NULL && new != NULL);
    if (old != NULL && new != NULL) {
        CHECK_INT(old - before.data, new - md);
        CHECK(memcmp(before.data, md, (size_t)(new - md)) == 0);
        CHECK_STR(strstr(new, "<!--"), strstr(old, "<!--"));
    }
    /* The next report keeps them. */
    CHECK_INT(kk_report_write(&result, NULL, in_dir("r.md"), &error), KOKORO_OK);
    CHECK_STR(read_back(&before, "r.md"), md);
    CHECK_INT(count_and_remove(), 4);
    kk_buf_fini(&before);
    kk_buf_fini(&after);
    kk_bench_result_fini(&result);
}

/* The reference system looked for a heading that was not there and cut the report off. */
TEST(a_report_without_its_section_is_left_alone)
{
#define BEGIN "<!-- kokoro runtime: begin -->\n"
#define END "<!-- kokoro runtime: end -->\n"
    static const char *const texts[] = {"",        "# Notes\n",     BEGIN,        END,
                                        END BEGIN, BEGIN END BEGIN, BEGIN END END};
    kk_buf text = KK_BUF_INIT;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_file("r.md", texts[i]);
        CHECK_INT(kk_report_update_runtime(in_dir("r.md"), "live", &error), KOKORO_BAD_DATA);
        CHECK_HAS(error.message, "is left alone");
        CHECK_STR(read_back(&text, "r.md"), texts[i]);
    }
    write_file("r.md", BEGIN END "tail without an end");
    CHECK_INT(kk_report_update_runtime(in_dir("r.md"), "live", &error), KOKORO_OK);
    CHECK_STR(read_back(&text, "r.md"), BEGIN "live\n" END "tail without an end");
    CHECK_INT(kk_report_update_runtime(in_dir("none.md"), "live", &error), KOKORO_NOT_FOUND);
    CHECK_INT(count_and_remove(), 1);
    kk_buf_fini(&text);
}

TEST(what_cannot_be_written)
{
    make();
    CHECK_INT(kk_report_write(&result, NULL, "", &error), KOKORO_IO);
    CHECK_INT(kk_report_write(&result, NULL, in_dir(""), &error), KOKORO_IO);
    CHECK_INT(kk_report_write(&result, NULL, "/dev/null/x/r.md", &error), KOKORO_IO);
    CHECK_HAS(error.message, "/dev/null/x");
    CHECK_INT(kk_report_write(&result, NULL, "/proc/r.md", &error) == KOKORO_OK, 0);
    CHECK_HAS(error.message, "/proc/r");
    /* Where the report cannot take its name, nothing temporary is left. */
    CHECK_INT(mkdir(in_dir("r.md"), 0700), 0);
    CHECK_INT(kk_report_write(&result, NULL, in_dir("r.md"), &error), KOKORO_IO);
    CHECK_INT(rmdir(in_dir("r.md")), 0);
    CHECK_INT(count_and_remove(), 3);
    /* Directories are made. */
    CHECK_INT(kk_report_write(&result, NULL, in_dir("a/b/r"), &error), KOKORO_OK);
    CHECK(kk_file_exists(in_dir("a/b/r_timing.svg")));
    static const char *const made[] = {"a/b/r", "a/b/r.json", "a/b/r_timing.svg",
                                       "a/b/r_memory.svg"};
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
        CHECK_INT(unlink(in_dir(made[i])), 0);
    CHECK_INT(rmdir(in_dir("a/b")), 0);
    CHECK_INT(rmdir(in_dir("a")), 0);
    kk_bench_result_fini(&result);
}

/* A file may grow no more, as on a full disk: all files of the old report stay as they are. */
TEST(a_full_disk)
{
    static const char *const names[] = {"r.md", "r.json", "r_timing.svg", "r_memory.svg"};
    enum { N = sizeof(names) / sizeof(names[0]) };
    kk_buf before[N] = {KK_BUF_INIT, KK_BUF_INIT, KK_BUF_INIT, KK_BUF_INIT}, text = KK_BUF_INIT;
    struct rlimit old;
    size_t longest = 0;
    make();
    CHECK_INT(kk_report_write(&result, NULL, in_dir("r.md"), &error), KOKORO_OK);
    for (size_t i = 0; i < N; i++) {
        (void)read_back(&before[i], names[i]);
        longest = before[i].len > longest ? before[i].len : longest;
    }
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    result.mode = "quick";
    for (size_t part = 0; part < 16; part++) {
        const struct rlimit tight = {(rlim_t)(longest * part / 16), old.rlim_max};
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &tight), 0);
        const int status = kk_report_write(&result, NULL, in_dir("r.md"), &error);
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
        CHECK_INT(status, KOKORO_IO);
        CHECK_HAS(error.message, "/r");
        for (size_t i = 0; i < N; i++)
            CHECK_STR(read_back(&text, names[i]), kk_buf_str(&before[i]));
    }
    CHECK_INT(kk_report_write(&result, NULL, in_dir("r.md"), &error), KOKORO_OK);
    CHECK(strcmp(read_back(&text, "r.md"), kk_buf_str(&before[0])) != 0);
    CHECK_INT(count_and_remove(), N);
    for (size_t i = 0; i < N; i++)
        kk_buf_fini(&before[i]);
    kk_buf_fini(&text);
    kk_bench_result_fini(&result);
}

TEST(memory_is_out_at_every_place)
{
    kk_buf good = KK_BUF_INIT, text = KK_BUF_INIT;
    make();
    const kk_history_view history = make_history();
    CHECK_INT(kk_report_write(&result, &history, in_dir("r.md"), &error), KOKORO_OK);
    (void)read_back(&good, "r.md");
    int status = KOKORO_NO_MEMORY;
    for (size_t k = 1; status == KOKORO_NO_MEMORY && k < 10000; k++) {
        kk_alloc_fail_at(k, 0);
        status = kk_report_write(&result, &history, in_dir("r.md"), &error);
        kk_alloc_fail_at(0, 0);
        CHECK_STR(read_back(&text, "r.md"), kk_buf_str(&good));
    }
    CHECK_INT(status, KOKORO_OK);
    CHECK_INT(count_and_remove(), 5);
    kk_buf_fini(&good);
    kk_buf_fini(&text);
    kk_bench_result_fini(&result);
}

TEST(set_up)
{
    CHECK(mkdtemp(dir) != NULL);
}

TEST(tear_down)
{
    CHECK_INT(rmdir(dir), 0);
}

TEST_MAIN(T(set_up), T(the_checker_of_xml_can_fail), T(sections_and_figures),
          T(bands_of_the_comparison), T(what_was_spoken_once_and_what_was_passed_over),
          T(a_placement_that_is_not_known), T(nothing_ran), T(plots_are_well_formed),
          T(text_from_outside_is_no_markup), T(live_figures_replace_their_section_and_no_more),
          T(a_report_without_its_section_is_left_alone), T(what_cannot_be_written), T(a_full_disk),
          T(memory_is_out_at_every_place), T(tear_down))

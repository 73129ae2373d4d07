/* Settings: their sources in order, .env as text, good messages for bad values, derived paths. */
#include "check.h"

#include "base/alloc.h"
#include "config/config.h"
#include "config/dotenv.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/kokoro-config-XXXXXX";
static char dotenv[64];
static char warnings[4096];
static kokoro_error error;

static void keep_warning(void *user, const char *line)
{
    (void)user;
    size_t len = strlen(warnings);
    (void)snprintf(warnings + len, sizeof(warnings) - len, "%s\n", line);
}

/* An environment in which only HOME is set. */
static void clean(void)
{
    for (size_t i = 0; i < KK_N_SETTINGS; i++)
        CHECK_INT(unsetenv(kk_settings[i].variable), 0);
    CHECK_INT(unsetenv("XDG_DATA_HOME"), 0);
    CHECK_INT(setenv("HOME", "/home/ann", 1), 0);
    warnings[0] = '\0';
    error.message[0] = '\0';
    (void)unlink(dotenv);
}

static void write_dotenv(const char *text, size_t len)
{
    FILE *file = fopen(dotenv, "wb");
    CHECK(file != NULL && fwrite(text, 1, len, file) == len);
    CHECK(file != NULL && fclose(file) == 0);
}

static int load(kk_config *config)
{
    return kk_config_load(config, dotenv, keep_warning, NULL, &error);
}

/* The value of `id` when .env holds `text`; the message when it cannot be used. */
static const char *from_dotenv(enum kk_setting_id id, const char *text)
{
    static char result[600];
    kk_config config;
    kk_config_init(&config);
    write_dotenv(text, strlen(text));
    (void)snprintf(result, sizeof(result), "%s",
                   load(&config) == KOKORO_OK ? kk_config_text(&config, id) : error.message);
    kk_config_fini(&config);
    return result;
}

TEST(set_up)
{
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(dotenv, sizeof(dotenv), "%s/.env", dir);
}

TEST(every_setting_is_whole)
{
    for (size_t i = 0; i < KK_N_SETTINGS; i++) {
        const kk_setting *setting = &kk_settings[i];
        CHECK(strncmp(setting->variable, "KOKORO_", 7) == 0);
        CHECK(setting->help[0] != '\0');
        CHECK(setting->type != KK_SETTING_PATH || !setting->safe);
        bool is_number = setting->type == KK_SETTING_INT || setting->type == KK_SETTING_REAL;
        CHECK(is_number == (setting->min < setting->max));
        CHECK(setting->type == KK_SETTING_REAL ||
              (setting->type == KK_SETTING_CHOICE) == (setting->choices[0] != '\0'));
        for (size_t k = 0; k < i; k++) {
            CHECK(strcmp(setting->variable, kk_settings[k].variable) != 0);
            CHECK(setting->option[0] == '\0' || strcmp(setting->option, kk_settings[k].option));
        }
    }
}

TEST(defaults_are_the_documented_ones)
{
    kk_config config;
    kokoro_options options;
    clean();
    kk_config_init(&config);
    CHECK_INT(load(&config), KOKORO_OK);
    CHECK_STR(kk_config_text(&config, KK_SET_HOST), "127.0.0.1");
    CHECK_INT(kk_config_int(&config, KK_SET_PORT), 8000);
    CHECK_STR(kk_config_text(&config, KK_SET_VOICE), "af_heart");
    CHECK_INT(kk_config_int(&config, KK_SET_MAX_INPUT_CHARS), 100000);
    CHECK_INT(kk_config_choice(&config, KK_SET_LOG_LEVEL), KOKORO_LOG_INFO);
    CHECK_INT(kk_config_choice(&config, KK_SET_CPU_MASK), -1);
    CHECK(!kk_config_bool(&config, KK_SET_LOG_JSON));
    CHECK_INT(config.origin[KK_SET_PORT], KK_FROM_DEFAULT);
    kk_config_engine_options(&config, &options);
    CHECK_INT(options.struct_size, sizeof(options));
    CHECK_STR(options.model_path, "/home/ann/.local/share/kokoro/" KK_HOME_MODEL);
    CHECK_STR(options.voices_path, "/home/ann/.local/share/kokoro/" KK_HOME_VOICES);
    CHECK_STR(options.lexicon_path, "/home/ann/.local/share/kokoro/" KK_HOME_LEXICON);
    CHECK_STR(options.ort_library, "/home/ann/.local/share/kokoro/" KK_HOME_ORT_LIBRARY);
    CHECK_STR(options.openvino_library, "/home/ann/.local/share/kokoro/" KK_HOME_OPENVINO_LIBRARY);
    CHECK_STR(options.espeak_helper, "/home/ann/.local/share/kokoro/" KK_HOME_ESPEAK_HELPER);
    CHECK_STR(options.cache_dir, "/home/ann/.local/share/kokoro/cache");
    CHECK_STR(options.provider, "auto");
    CHECK_INT(options.n_threads, 0);
    kk_config_fini(&config);
}

TEST(option_then_environment_then_dotenv)
{
    static const char text[] = "KOKORO_PORT=1\nKOKORO_VOICE=dot\nKOKORO_HOST=::1\n";
    kk_config config;
    clean();
    write_dotenv(text, sizeof(text) - 1);
    CHECK_INT(setenv("KOKORO_PORT", "2", 1), 0);
    CHECK_INT(setenv("KOKORO_VOICE", "env", 1), 0);
    kk_config_init(&config);
    CHECK_INT(kk_config_set_option(&config, KK_SET_PORT, "9", &error), KOKORO_OK);
    CHECK_INT(kk_config_set_option(&config, KK_SET_PORT, "3", &error), KOKORO_OK);
    CHECK_INT(load(&config), KOKORO_OK);
    CHECK_INT(kk_config_int(&config, KK_SET_PORT), 3);
    CHECK_INT(config.origin[KK_SET_PORT], KK_FROM_OPTION);
    CHECK_STR(kk_config_text(&config, KK_SET_VOICE), "env");
    CHECK_INT(config.origin[KK_SET_VOICE], KK_FROM_ENVIRONMENT);
    CHECK_STR(kk_config_text(&config, KK_SET_HOST), "::1");
    CHECK_INT(config.origin[KK_SET_HOST], KK_FROM_DOTENV);
    kk_config_fini(&config);
}

TEST(words_and_numbers_of_the_benchmark)
{
    static const struct {
        const char *line, *kept, *problem;
        enum kk_setting_id id;
    } cases[] = {
        {"KOKORO_BENCHMARK_FREQUENCY=manual", "manually", NULL, KK_SET_BENCHMARK_FREQUENCY},
        {"KOKORO_BENCHMARK_FREQUENCY=Manually", "manually", NULL, KK_SET_BENCHMARK_FREQUENCY},
        {"KOKORO_BENCHMARK_FREQUENCY=month", NULL,
         "must be one of daily, weekly, monthly, manually, not 'month'",
         KK_SET_BENCHMARK_FREQUENCY},
        {"KOKORO_MIN_IMPROVEMENT_PERCENT=2.5", "2.5", NULL, KK_SET_MIN_IMPROVEMENT_PERCENT},
        {"KOKORO_MAX_QUALITY_DB=-0.5", NULL, "must be a number from 0 to 100, not '-0.5'",
         KK_SET_MAX_QUALITY_DB},
        {"KOKORO_LOUDNESS=-16.5", "-16.5", NULL, KK_SET_LOUDNESS},
        {"KOKORO_LOUDNESS=0", "0", NULL, KK_SET_LOUDNESS},
        {"KOKORO_LOUDNESS=", "0", NULL, KK_SET_LOUDNESS},
        {"KOKORO_LOUDNESS=-5", NULL, "must be a number from -40 to -10 or 0, not '-5'",
         KK_SET_LOUDNESS},
        {"KOKORO_LOUDNESS=16", NULL, "must be a number from -40 to -10 or 0, not '16'",
         KK_SET_LOUDNESS},
        {"KOKORO_LOUDNESS=loud", NULL, "must be a number from -40 to -10 or 0, not 'loud'",
         KK_SET_LOUDNESS},
        {"KOKORO_MAX_QUALITY_DB=nan", NULL, "must be a number from 0 to 100, not 'nan'",
         KK_SET_MAX_QUALITY_DB},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kk_config config;
        write_dotenv(cases[i].line, strlen(cases[i].line));
        kk_config_init(&config);
        int status = kk_config_load(&config, dotenv, NULL, NULL, &error);
        CHECK(status == (cases[i].kept != NULL ? KOKORO_OK : KOKORO_INVALID));
        if (status == KOKORO_OK)
            CHECK(strcmp(kk_config_text(&config, cases[i].id), cases[i].kept) == 0);
        else
            CHECK(strstr(error.message, cases[i].problem) != NULL);
        kk_config_fini(&config);
    }
    (void)unlink(dotenv);
}

TEST(dotenv_reads_the_usual_forms)
{
    clean();
    CHECK_STR(from_dotenv(KK_SET_VOICE, "KOKORO_VOICE=a\nKOKORO_VOICE=b\n"), "b");
    CHECK_STR(from_dotenv(KK_SET_VOICE, "KOKORO_VOICE=a\nKOKORO_VOICE=\n"), "af_heart");
    CHECK_STR(from_dotenv(KK_SET_VOICE, "export  KOKORO_VOICE = a b \t\r\n"), "a b");
    CHECK_STR(from_dotenv(KK_SET_VOICE, "\xef\xbb\xbfKOKORO_VOICE=a"), "a");
    CHECK_STR(from_dotenv(KK_SET_VOICE, "KOKORO_VOICE='a # \\n' # note\r\n"), "a # \\n");
    CHECK_STR(from_dotenv(KK_SET_VOICE, "KOKORO_VOICE=\"a \\\"#\\\" \\\\\"\n"), "a \"#\" \\");
    CHECK_STR(from_dotenv(KK_SET_VOICE, "KOKORO_VOICE=a#b #c\n"), "a#b");
    CHECK_STR(from_dotenv(KK_SET_VOICE, "# KOKORO_VOICE=x\n#\n\n  #\t\r\n \r\n"), "af_heart");
    CHECK_STR(from_dotenv(KK_SET_VOICE, "XKOKORO_VOICE=x\nKOKORO_VOICES2=y\n"), "af_heart");
    CHECK_STR(from_dotenv(KK_SET_LOG_LEVEL, "KOKORO_LOG_LEVEL=WARNING"), "warning");
    CHECK_STR(warnings, "");
}

/* What is told of a .env that holds `text`. */
static const char *told_of(const char *text, size_t len)
{
    kk_config config;
    clean();
    write_dotenv(text, len);
    kk_config_init(&config);
    CHECK_INT(load(&config), KOKORO_OK);
    kk_config_fini(&config);
    return warnings;
}

TEST(lines_that_assign_nothing_are_told)
{
#define TOLD(text) told_of(text, sizeof(text) - 1)
    CHECK_HAS(TOLD("A=1\n\nKOKORO_BENCHMARK_FREQUENC"),
              ".env line 3 is no assignment NAME=value; the rest of the file counts\n");
    CHECK_HAS(TOLD("<html>\n<a href=\"x\">\n# note\nexport KOKORO_VOICE\nKOKORO_VOICE=a\n"),
              ".env line 1 and 2 more are no assignments NAME=value;");
    CHECK_HAS(TOLD("=\n"), ".env line 1 is no assignment");
    CHECK_HAS(TOLD("A=1\nB\0=2\n"), ".env is damaged: line 2 is no text in UTF-8;");
    CHECK_HAS(TOLD("\xff\xfeK\0O\0"), ".env is damaged: line 1 is no text in UTF-8;");
    CHECK_HAS(TOLD("\n\n# caf\xe9\nKOKORO_VOICE=a\n"), ".env is damaged: line 3 is no text");
    CHECK(strchr(warnings, '\n') == strrchr(warnings, '\n')); /* it is one */
    /* What other programs write is no concern of ours, also not over several lines. */
    CHECK_STR(TOLD("\xef\xbb\xbfOTHER_TOOL=1\r\nexport a.b-c = '2' # x\r\nC=# \xc3\xa9\r\n"), "");
    CHECK_STR(TOLD("KEY=\"-----BEGIN\nMIIB+/x\nyz==\n--END-- \"\nB=2\n"), "");
    CHECK_HAS(TOLD("KEY='a\nb\nc'\nMIIB+/x\n"), "line 4 is no assignment");
#undef TOLD
}

TEST(settings_are_read_again_behind_the_options)
{
    kk_config first, second;
    write_dotenv("KOKORO_VOICE=af_sky\nKOKORO_PORT=1\n", 34);
    kk_config_init(&first);
    CHECK_INT(kk_config_set_option(&first, KK_SET_PORT, "2", &error), KOKORO_OK);
    CHECK_INT(kk_config_load(&first, dotenv, NULL, NULL, &error), KOKORO_OK);
    write_dotenv("KOKORO_VOICE=af_bella\nKOKORO_PORT=3\n", 36);
    CHECK_INT(kk_config_load_again(&second, &first, dotenv, NULL, NULL, &error), KOKORO_OK);
    CHECK_STR(kk_config_text(&first, KK_SET_VOICE), "af_sky");
    CHECK_STR(kk_config_text(&second, KK_SET_VOICE), "af_bella");
    CHECK_STR(kk_config_text(&second, KK_SET_PORT), "2");
    kk_config_fini(&second);
    kk_config_fini(&first);
    (void)unlink(dotenv);
}

/* A file that was cut, or is another's now, takes nothing back: the settings stay as they were. */
TEST(a_damaged_dotenv_takes_no_setting_back)
{
    static const struct {
        const char *text;
        size_t len;
        const char *problem; /* NULL: it counts */
    } cases[] = {
        {"KOKORO_VOICE=af_sky\nKOKORO_BENCHMARK_FREQUENC", 45,
         ".env line 2 is no assignment NAME=value, and nothing in it sets "
         "KOKORO_BENCHMARK_FREQUENCY any more"},
        {"K\0O\0K\0", 6, ".env is damaged: line 1 is no text in UTF-8, and nothing in it sets"},
        {"KOKORO_VOICE=af_bella\n", 22, NULL},
        {"note\nKOKORO_VOICE=af_bella\nKOKORO_BENCHMARK_FREQUENCY=weekly\n", 61, NULL},
        {"", 0, NULL},
    };
    static const char good[] = "KOKORO_VOICE=af_sky\nKOKORO_BENCHMARK_FREQUENCY=daily\n";
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kk_config first, second;
        clean();
        write_dotenv(good, sizeof(good) - 1);
        kk_config_init(&first);
        CHECK_INT(load(&first), KOKORO_OK);
        write_dotenv(cases[i].text, cases[i].len);
        const int status =
            kk_config_load_again(&second, &first, dotenv, keep_warning, NULL, &error);
        CHECK_INT(status, cases[i].problem != NULL ? KOKORO_INVALID : KOKORO_OK);
        if (cases[i].problem != NULL)
            CHECK_HAS(error.message, cases[i].problem);
        CHECK_INT(warnings[0] != '\0', strncmp(cases[i].text, "note", 4) == 0);
        kk_config_fini(&second);
        kk_config_fini(&first);
    }
    clean();
}

TEST(options_are_passed_on)
{
    static const enum kk_setting_id except[] = {KK_SET_PORT};
    kk_config config;
    kk_arena arena = KK_ARENA_INIT;
    const char *arguments[KK_N_SETTINGS] = {NULL};
    size_t n = 0;
    kk_config_init(&config);
    CHECK_INT(kk_config_set_option(&config, KK_SET_PORT, "2", &error), KOKORO_OK);
    CHECK_INT(kk_config_set_option(&config, KK_SET_VOICE, "af sky", &error), KOKORO_OK);
    CHECK_INT(kk_config_load(&config, NULL, NULL, NULL, &error), KOKORO_OK);
    CHECK_INT(kk_config_arguments(&config, except, 1, &arena, arguments, &n), KOKORO_OK);
    CHECK(n == 1 && strcmp(arguments[0], "--voice=af sky") == 0);
    kk_arena_fini(&arena);
    kk_config_fini(&config);
}

TEST(dotenv_must_not_choose_what_is_loaded)
{
    kk_config config;
    static const char text[] = "A=1\nKOKORO_ORT_LIBRARY=/tmp/evil.so\nKOKORO_HOME=/tmp/evil\n";
    clean();
    write_dotenv(text, sizeof(text) - 1);
    kk_config_init(&config);
    CHECK_INT(load(&config), KOKORO_OK);
    CHECK_STR(kk_config_text(&config, KK_SET_HOME), "/home/ann/.local/share/kokoro");
    CHECK(strstr(kk_config_text(&config, KK_SET_ORT_LIBRARY), "evil") == NULL);
    CHECK_HAS(warnings, "line 2: KOKORO_ORT_LIBRARY is ignored");
    CHECK_HAS(warnings, "line 3: KOKORO_HOME is ignored");
    kk_config_fini(&config);
}

TEST(an_unreadable_dotenv_is_a_warning)
{
    kk_config config;
    clean();
    char *big = kk_calloc(1, (1 << 20) + 1);
    CHECK(big != NULL);
    write_dotenv("KOKORO_PORT=81\n", 15);
    kk_config before;
    kk_config_init(&before);
    CHECK_INT(load(&before), KOKORO_OK);
    write_dotenv(big, (1 << 20) + 1);
    kk_free(big);
    CHECK_INT(kk_config_load_again(&config, &before, dotenv, keep_warning, NULL, &error),
              KOKORO_INVALID);
    CHECK_HAS(error.message, "bytes, and nothing in it sets KOKORO_PORT any more");
    CHECK_STR(warnings, "");
    kk_config_fini(&config);
    kk_config_fini(&before);
    kk_config_init(&config);
    CHECK_INT(load(&config), KOKORO_OK);
    CHECK_HAS(warnings, "is ignored");
    CHECK_HAS(warnings, "larger than");
    kk_config_fini(&config);

    clean();
    kk_config_init(&config);
    CHECK_INT(kk_config_load(&config, dir, keep_warning, NULL, &error), KOKORO_OK);
    CHECK_HAS(warnings, "not a regular file");
    kk_config_fini(&config);
}

TEST(bad_values_name_place_value_and_remedy)
{
    kk_config config;
    clean();
    kk_config_init(&config);
    CHECK_INT(kk_config_set_option(&config, KK_SET_PORT, "70000", &error), KOKORO_INVALID);
    CHECK_STR(error.message, "--port must be a whole number from 0 to 65535, not '70000'");
    CHECK_INT(kk_config_set_option(&config, KK_SET_PORT, "", &error), KOKORO_INVALID);
    CHECK_INT(kk_config_set_option(&config, KK_SET_LOG_JSON, "maybe", &error), KOKORO_INVALID);
    CHECK_STR(error.message, "--log-json must be true or false, not 'maybe'");
    CHECK_INT(kk_config_set_option(&config, KK_SET_THREADS, "-1", &error), KOKORO_INVALID);
    CHECK_INT(kk_config_set_option(&config, KK_SET_THREADS, "2x", &error), KOKORO_INVALID);
    kk_config_fini(&config);

    CHECK_INT(setenv("KOKORO_LOG_LEVEL", "loud", 1), 0);
    kk_config_init(&config);
    CHECK_INT(load(&config), KOKORO_INVALID);
    CHECK_STR(error.message, "KOKORO_LOG_LEVEL in the environment must be one of error, warning, "
                             "info, debug, not 'loud'");
    kk_config_fini(&config);

    clean();
    CHECK_HAS(from_dotenv(KK_SET_PORT, "\nKOKORO_PORT=x\n"),
              ".env line 2: KOKORO_PORT must be a whole number from 0 to 65535, not 'x'");
    CHECK_HAS(from_dotenv(KK_SET_PORT, "KOKORO_PORT='1\n"),
              ".env line 1: the value of KOKORO_PORT cannot be read: its quote is not closed");
    CHECK_HAS(from_dotenv(KK_SET_PORT, "KOKORO_PORT=\"1\"2\n"), "text follows its closing quote");
    CHECK_STR(from_dotenv(KK_SET_PORT, "KOKORO_PORT=x\nKOKORO_PORT=5\n"), "5");
    CHECK_INT(setenv("KOKORO_PORT", "6", 1), 0);
    CHECK_STR(from_dotenv(KK_SET_PORT, "KOKORO_PORT=x\n"), "6");
}

TEST(paths_hang_on_each_other)
{
    kk_config config;
    clean();
    CHECK_INT(setenv("XDG_DATA_HOME", "/xdg", 1), 0);
    kk_config_init(&config);
    CHECK_INT(load(&config), KOKORO_OK);
    CHECK_STR(kk_config_text(&config, KK_SET_MODEL), "/xdg/kokoro/" KK_HOME_MODEL);
    kk_config_fini(&config);

    CHECK_INT(setenv("XDG_DATA_HOME", "relative", 1), 0);
    CHECK_INT(setenv("KOKORO_CACHE", "/c", 1), 0);
    kk_config_init(&config);
    CHECK_INT(kk_config_set_option(&config, KK_SET_VOICES, "v.pack", &error), KOKORO_OK);
    CHECK_INT(load(&config), KOKORO_OK);
    CHECK_STR(kk_config_text(&config, KK_SET_HOME), "/home/ann/.local/share/kokoro");
    CHECK_STR(kk_config_text(&config, KK_SET_CACHE), "/c");
    CHECK_STR(kk_config_text(&config, KK_SET_VOICES), "v.pack");
    kk_config_fini(&config);

    clean();
    CHECK_INT(unsetenv("HOME"), 0);
    kk_config_init(&config);
    CHECK_INT(load(&config), KOKORO_INVALID);
    CHECK_HAS(error.message, "set KOKORO_HOME");
    kk_config_fini(&config);
    kk_config_init(&config);
    CHECK_INT(kk_config_set_option(&config, KK_SET_HOME, "/data/", &error), KOKORO_OK);
    CHECK_INT(load(&config), KOKORO_OK);
    CHECK_STR(kk_config_text(&config, KK_SET_MODEL), "/data/" KK_HOME_MODEL);
    kk_config_fini(&config);
}

TEST(the_helper_stands_beside_the_program)
{
    char path[512];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 32);
    if (len <= 0)
        SKIP("no /proc/self/exe");
    path[len] = '\0';
    (void)strcpy(strrchr(path, '/') + 1, KK_ESPEAK_HELPER_NAME);
    bool mine = access(path, F_OK) != 0;
    FILE *file = mine ? fopen(path, "w") : NULL;
    if (file != NULL)
        (void)fclose(file);
    if (access(path, F_OK) != 0)
        SKIP("the program's directory cannot be written");
    CHECK_INT(chmod(path, 0755), 0);
    kk_config config;
    clean();
    kk_config_init(&config);
    CHECK_INT(load(&config), KOKORO_OK);
    CHECK_STR(kk_config_text(&config, KK_SET_ESPEAK_HELPER), path);
    kk_config_fini(&config);
    if (mine)
        CHECK_INT(unlink(path), 0);
}

TEST(every_failed_allocation_is_an_error)
{
    static const char text[] = "KOKORO_PORT=81\nKOKORO_VOICE='x'\nKOKORO_MODEL=m\n";
    clean();
    write_dotenv(text, sizeof(text) - 1);
    CHECK_INT(setenv("KOKORO_THREADS", "2", 1), 0);
    int status = KOKORO_NO_MEMORY;
    size_t k = 0;
    while (status != KOKORO_OK && k < 1000) {
        kk_config config;
        kk_config_init(&config);
        kk_alloc_fail_at(++k, 0);
        status = kk_config_set_option(&config, KK_SET_HOST, "h", &error);
        if (status == KOKORO_OK)
            status = load(&config);
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || status == KOKORO_NO_MEMORY);
        if (status == KOKORO_OK)
            CHECK_INT(kk_config_int(&config, KK_SET_PORT), 81);
        kk_config_fini(&config);
    }
    CHECK(k > 5 && k < 1000);
}

static int count_line(void *user, const kk_dotenv_line *line)
{
    *(size_t *)user += 1;
    CHECK(line->name.len > 0);
    CHECK(line->problem == NULL || line->value[0] == '\0');
    return (int)(strlen(line->value) >= 64);
}

/* Any bytes at all: nothing outside the text is read or written (the sanitizers watch). */
TEST(dotenv_survives_any_bytes)
{
    static const char alphabet[] = "A=\"'\\ \t\r\n#\0export \xff";
    unsigned state = 12345;
    size_t n_lines = 0, n_strays = 0;
    for (int round = 0; round < 20000; round++) {
        size_t len = (state >> 16) % 48;
        char *text = kk_alloc(len + 1);
        CHECK(text != NULL);
        for (size_t i = 0; i < len; i++) {
            state = state * 1664525u + 1013904223u;
            text[i] = alphabet[(state >> 16) % (sizeof(alphabet) - 1)];
        }
        text[len] = '\0';
        state = state * 1664525u + 1013904223u;
        kk_dotenv_strays strays;
        CHECK_INT(kk_dotenv_read(text, len, count_line, &n_lines, &strays), 0);
        CHECK((strays.n > 0) == (strays.first > 0) && strays.n <= 48);
        n_strays += strays.n;
        kk_free(text);
    }
    CHECK(n_lines > 1000 && n_strays > 1000);
}

TEST(tear_down)
{
    clean();
    CHECK_INT(rmdir(dir), 0);
}

TEST_MAIN(T(set_up), T(every_setting_is_whole), T(defaults_are_the_documented_ones),
          T(option_then_environment_then_dotenv), T(words_and_numbers_of_the_benchmark),
          T(dotenv_reads_the_usual_forms), T(lines_that_assign_nothing_are_told),
          T(settings_are_read_again_behind_the_options), T(a_damaged_dotenv_takes_no_setting_back),
          T(options_are_passed_on), T(dotenv_must_not_choose_what_is_loaded),
          T(an_unreadable_dotenv_is_a_warning), T(bad_values_name_place_value_and_remedy),
          T(paths_hang_on_each_other), T(the_helper_stands_beside_the_program),
          T(every_failed_allocation_is_an_error), T(dotenv_survives_any_bytes), T(tear_down))

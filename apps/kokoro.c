/*
 * kokoro.c - the program: its table of subcommands, and the way from the command line to one.
 */
#define _XOPEN_SOURCE 700 /* SIGXFSZ */
#include "cli.h"

#include "base/clock.h"
#include "bench/child.h"
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define OPTIONS(table) (table), sizeof(table) / sizeof((table)[0])

static int run_serve(kk_app *app)
{
    return kk_app_serve(&app->config);
}

static const kk_option say_options[] = {
    [KK_SAY_FILE] = {"file", 'f', "FILE", "speak the text of FILE; - is standard input", 0},
    [KK_SAY_VOICE] = {"voice", 'v', "VOICE", "a voice, or a blend such as af_bella(2)+af_sky(1)",
                      KK_SET_VOICE + 1},
    [KK_SAY_OUTPUT] = {"output", 'o', "FILE", "write the sound to FILE; - is standard output", 0},
    [KK_SAY_FORMAT] = {"format", 0, "FORMAT",
                       "mp3, opus, aac, flac, wav or pcm; default: by the ending of FILE, else wav",
                       0},
    [KK_SAY_BITRATE] = {"bitrate", 0, "KBPS", "kbit/s of mp3, opus or aac; default: what suits", 0},
    [KK_SAY_SAMPLE_RATE] = {"sample-rate", 0, "HZ",
                            "8000, 12000, 16000, 22050, 24000 (default), 32000, 44100 or 48000", 0},
    [KK_SAY_VOLUME] = {"volume", 0, "V", "0 to 2; 1 is as the model made it", 0},
    [KK_SAY_LOUDNESS] = {"loudness", 0, "LUFS",
                         "-40 to -10: bring the voice to this loudness; 0: as it is",
                         KK_SET_LOUDNESS + 1},
    [KK_SAY_SPEED] = {"speed", 0, "S", "0.25 to 4; 1 is the voice's own", 0},
    [KK_SAY_LANG] = {"lang", 0, "LANG", "en-us or en-gb; default: that of the voice", 0},
    [KK_SAY_SENTENCE_PAUSE] = {"sentence-pause", 0, "SECONDS",
                               "silence to add between sentences, 0 to 10", 0},
    [KK_SAY_PARAGRAPH_PAUSE] = {"paragraph-pause", 0, "SECONDS",
                                "the same between paragraphs, where the longer of the two counts",
                                0},
    [KK_SAY_TIMESTAMPS] = {"timestamps", 0, "FILE",
                           "when each word is heard: .json; as captions: .srt or .vtt", 0},
    [KK_SAY_PHONEMES] = {"phonemes", 0, NULL, "the text is phonemes of the model, not words", 0},
    [KK_SAY_PIECES] = {"pieces", 0, NULL,
                       "give out the sound in pieces while it is made (provider native)", 0},
    [KK_SAY_REPEAT] = {"repeat", 0, "N",
                       "speak N times; --stats then shows the first, best and median time", 0},
    [KK_SAY_PLAY] = {"play", 0, NULL, "play the sound through pw-play, aplay or ffplay", 0},
    [KK_SAY_STATS] = {"stats", 0, NULL, "figures of the run as one JSON line on standard error", 0},
};

static const kk_option phonemize_options[] = {
    [KK_PHONEMIZE_FILE] = {"file", 'f', "FILE", "read the lines of FILE; - is standard input", 0},
    [KK_PHONEMIZE_LANG] = {"lang", 0, "LANG", "en-us or en-gb; default: that of the voice", 0},
    [KK_PHONEMIZE_JSON] = {"json", 0, NULL,
                           "a JSON object a line, with each word's phonemes and source", 0},
};

static const kk_option json_options[] = {
    [KK_LIST_JSON] = {"json", 0, NULL, "as JSON", 0},
};

static const kk_option benchmark_options[] = {
    [KK_BENCHMARK_QUICK] = {"quick", 0, NULL, "short texts and few runs: at most 30 s on two cores",
                            0},
    [KK_BENCHMARK_COMPREHENSIVE] =
        {"comprehensive", 0, NULL,
         "the full benchmark, and the running server with 1, 2, 4 and 8 streams at once", 0},
    [KK_BENCHMARK_WARM_UPS] = {"warmup-runs", 0, "N",
                               "runs of each text before those that count [1]", 0},
    [KK_BENCHMARK_RUNS] = {"runs", 0, "N",
                           "runs of each text that count, however long they take [5 when quick, "
                           "else 7, fewer where time is short]",
                           0},
    [KK_BENCHMARK_CONSISTENCY_RUNS] = {"consistency-runs", 0, "N", "the same", 0},
    [KK_BENCHMARK_ENABLE_LONG] = {"enable-long-text", 0, NULL,
                                  "a text of 400 characters too [not when quick]", 0},
    [KK_BENCHMARK_DISABLE_LONG] = {"disable-long-text", 0, NULL, "without that text", 0},
    [KK_BENCHMARK_TEXT_FILE] = {"text-file", 0, "FILE",
                                "the lines of FILE instead of the own texts", 0},
    [KK_BENCHMARK_OUTPUT_FILE] = {"output-file", 0, "PATH",
                                  "the report [benchmark_results.md]; its JSON and plots stand "
                                  "beside it",
                                  0},
    [KK_BENCHMARK_CONTINUE] = {"continue-on-error", 0, NULL,
                               "go on with the others when one fails, and end well if any ran", 0},
    [KK_BENCHMARK_VALIDATE] = {"validate-only", 0, NULL,
                               "see that everything needed is there, and measure nothing", 0},
    [KK_BENCHMARK_COMPARE] = {"compare", 0, "BASELINE",
                              "compare with an earlier benchmark_results.json, or a run of the "
                              "history by its number",
                              0},
    [KK_BENCHMARK_HISTORY] = {"history", 0, NULL,
                              "show the last runs, 10 or N, and measure nothing", 0},
    [KK_BENCHMARK_KERNELS] = {"kernels", 0, NULL, "the kernels of the provider native, one by one",
                              0},
    [KK_BENCHMARK_VERBOSE] = {"verbose", 0, NULL, "each sample, and where the time goes", 0},
    [KK_BENCHMARK_JSON] = {"json", 0, NULL, "the result as JSON on standard output", 0},
    [KK_BENCHMARK_PROGRESS] = {"progress-json", 0, NULL, "", 0},
    [KK_BENCHMARK_NICE] = {"nice", 0, "N", "", 0},
    [KK_BENCHMARK_INHERITED] = {"inherited", 0, NULL, "", 0},
};

static const kk_option frequency_options[] = {
    [KK_FREQUENCY_SHOW] = {"show-current", 0, NULL, "show what is set, and the record under it", 0},
    [KK_FREQUENCY_SET] = {"frequency", 0, "FREQUENCY",
                          "write it to ./.env: daily, weekly, monthly or manual", 0},
    [KK_FREQUENCY_JSON] = {"json", 0, NULL, "as JSON", 0},
};

static const kk_option cache_options[] = {
    [KK_CACHE_STATUS] = {"status", 0, NULL, "show the record's state; also without any option", 0},
    [KK_CACHE_CLEAR] = {"clear", 0, NULL, "remove the record", 0},
    [KK_CACHE_FORCE] = {"force-benchmark", 0, NULL, "measure now, whatever the record says", 0},
    [KK_CACHE_INSPECT] = {"inspect", 0, NULL, "show all that is in the record", 0},
    [KK_CACHE_JSON] = {"json", 0, NULL, "as one JSON document", 0},
};

static const kk_option cleanup_options[] = {
    [KK_CLEANUP_STATS] = {"stats", 0, NULL, "show what lies in the cache, and remove nothing", 0},
    [KK_CLEANUP_AGGRESSIVE] = {"aggressive", 0, NULL, "with half of each limit", 0},
    [KK_CLEANUP_JSON] = {"json", 0, NULL, "as one JSON document", 0},
    [KK_CLEANUP_WATCH] = {"watch", 0, NULL, "with --stats: again every second, until Ctrl-C", 0},
};

static const kk_option keys_options[] = {
    [KK_KEYS_FILE] = {"file", 0, "FILE", "the file of keys [KOKORO_API_KEYS_FILE]", 0},
    [KK_KEYS_REQUESTS] = {"requests", 0, "N", "of a new key: requests a minute [any number]", 0},
    [KK_KEYS_CHARS] = {"chars", 0, "N", "of a new key: characters a minute [any number]", 0},
    [KK_KEYS_STREAMS] = {"streams", 0, "N", "of a new key: answers at once [any number]", 0},
    [KK_KEYS_JSON] = {"json", 0, NULL, "list as JSON", 0},
};

static const kk_command commands[] = {
    {"say", "[TEXT ... | -f FILE | -]", "Speak text",
     "Several words are joined by spaces. Without -o the sound goes to standard output as WAV\n"
     "(16 bit, 24 kHz, mono); on a terminal it is played.",
     OPTIONS(say_options), kk_app_say},
    {"voices", "[--json]", "List the voices", "", OPTIONS(json_options), kk_app_voices},
    {"phonemize", "[TEXT ... | -f FILE | -]", "Show the phonemes of text, line by line", "",
     OPTIONS(phonemize_options), kk_app_phonemize},
    {"providers", "[--json]", "List what can run the model here, or why not", "",
     OPTIONS(json_options), kk_app_providers},
    {"doctor", "[--json]", "Check that everything works",
     "Exit status 0 when everything needed works; what is only useful is a note.",
     OPTIONS(json_options), kk_app_doctor},
    {"benchmark", "[--quick | --comprehensive | --kernels | --history [N]] [OPTION ...]",
     "Measure which way to run the model is fastest here, and remember it",
     "Every provider that is there runs in a process of its own; they take turns. --provider and\n"
     "--threads restrict what is tried; then the record that provider auto follows stays as it\n"
     "is. Else the result goes there, and always into the history and the report. Exit status 1\n"
     "when a provider failed.\n"
     "--kernels needs no model: medians of interleaved rounds, on one thread and on all, by the\n"
     "threads' processor time, beside what the registers of the CPU do in the same moment.\n"
     "KOKORO_CPU_MASK chooses a lower instruction set.",
     OPTIONS(benchmark_options), kk_app_benchmark},
    {KK_CHILD_COMMAND, "", "", "", NULL, 0, kk_app_benchmark_child},
    {"benchmark-frequency", "[--show-current | --frequency FREQUENCY]",
     "Choose how long the result of a benchmark is good",
     "Without an option it explains the choices, recommends one for this machine and asks.\n"
     "The choice goes to .env of the working directory.",
     OPTIONS(frequency_options), kk_app_benchmark_frequency},
    {"benchmark-cache", "[--status] [--clear] [--force-benchmark] [--inspect]",
     "Show, remove or renew the result of the last benchmark",
     "Several options are carried out in this order.", OPTIONS(cache_options),
     kk_app_benchmark_cache},
    {"cleanup-cache", "[--stats [--watch]] [--aggressive] [--json]",
     "Keep the cache directory small",
     "Removed are, in this order: files that nothing needs, older than\n"
     "KOKORO_CACHE_MAX_AGE_HOURS; temporary directories over KOKORO_CACHE_MAX_TEMP_DIRS; the\n"
     "oldest files while all is over KOKORO_CACHE_MAX_MB, down to 80 % of it; files whose names\n"
     "match KOKORO_CACHE_PATTERNS; empty directories. The models that this program opens, the\n"
     "benchmark's record, and what other programs have open or locked are kept; they count, but\n"
     "leave a fifth of the size to the rest.",
     OPTIONS(cleanup_options), kk_app_cleanup_cache},
    {"serve", "", "Serve speech over HTTP, as the OpenAI API does", "", NULL, 0, run_serve},
    {"keys", "add NAME | list | remove NAME", "Make, list and remove the keys of the server",
     "With KOKORO_API_KEYS_FILE set the server wants one of its keys for speech, benchmarks,\n"
     "caches and figures. A new key is printed once; the file holds its hash alone.",
     OPTIONS(keys_options), kk_app_keys},
    {"pack", "voices SRC [DST] | lexicon SRC [DST] | model",
     "Make the packed files that set-up needs",
     "voices: a directory of <voice>.bin into one file.\n"
     "lexicon: a directory of {us,gb}_{gold,silver}.json into one file.\n"
     "model: open the model once, so that its optimised form is in the cache.\n"
     "DST is by default where the other commands look.",
     NULL, 0, kk_app_pack},
};

/* Were 0, 1 or 2 closed, the next file opened would take its number and get what is meant for it.
 * Standard output that cannot be written makes its writer fail, as it should. */
static void hold_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY);
    }
}

static void keep_warning(void *user, const char *line)
{
    kk_app *app = user;
    kk_buf_appendf(&app->warnings, "%s\n", line);
}

/* doctor lists the warnings among its findings. */
static void show_warnings(const kk_app *app)
{
    const char *at = kk_buf_str(&app->warnings);
    while (*at != '\0' && app->command->run != kk_app_doctor) {
        size_t len = strcspn(at, "\n");
        kk_complain("%.*s", (int)len, at);
        at += len + 1;
    }
}

/* Where the settings come from beside options and environment. A run that a server or a command
 * started has all of them from there, and so have the children of a benchmark by the questions:
 * .env may be another than their parent's by now, or wrong. */
static const char *dotenv_path(const kk_app *app)
{
    const bool is_run = app->command->run == kk_app_benchmark;
    const bool is_child = app->command->run == kk_app_benchmark_child;
    if ((is_run && app->values[KK_BENCHMARK_INHERITED] != NULL) || (is_child && app->n_words == 0))
        return NULL;
    return KK_DOTENV_PATH;
}

static int run(kk_app *app, int argc, char **argv)
{
    kokoro_error error;
    int status = kk_cli_parse(app, argc, argv);
    if (status != KK_EXIT_OK)
        return status;
    if (app->wants_help) {
        kk_cli_help(app, app->command, stdout);
        return kk_app_flush();
    }
    if (app->wants_version) {
        (void)printf("kokoro %s\n", kokoro_version());
        return kk_app_flush();
    }
    if (app->command == NULL) {
        kk_cli_help(app, NULL, stderr);
        return KK_EXIT_USAGE;
    }
    /* It loads the settings itself, since it can mend a .env that cannot be loaded. */
    if (app->command->run == kk_app_benchmark_frequency)
        return app->command->run(app);
    int loaded = kk_config_load(&app->config, dotenv_path(app), keep_warning, app, &error);
    show_warnings(app);
    if (loaded != KOKORO_OK)
        return kk_complain_of(&error);
    return app->command->run(app);
}

/* Whether the command was to give one JSON document. The words themselves are looked at, since the
 * parser stops at the first that is wrong. */
static bool wants_document(const kk_app *app, int argc, char **argv)
{
    bool can = false;
    /* Its lines are documents of their own. */
    if (app->command == NULL || app->command->run == kk_app_phonemize)
        return false;
    for (size_t i = 0; i < app->command->n_options; i++)
        can = can || strcmp(app->command->options[i].name, "json") == 0;
    for (int i = 1; can && i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    kk_app app = {.commands = commands,
                  .n_commands = sizeof(commands) / sizeof(commands[0]),
                  .start_s = kk_now_s(),
                  .warnings = KK_BUF_INIT};
    hold_standard_files();
    /* A reader that goes away and a file over the limit are failed writes, told in a message. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    kk_config_init(&app.config);
    int status = run(&app, argc, argv);
    if (status != KK_EXIT_OK && wants_document(&app, argc, argv))
        kk_app_print_failure();
    kk_cli_fini(&app);
    return status;
}

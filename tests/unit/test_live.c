/* test_live.c - when a running server opens its engine anew because the record changed. */
#include "server/live.h"

#include "check.h"

static const kk_record record = {.recommended = {"native", "bf16", 2},
                                 .reason = "native bf16 is 4.1 times as fast as onnxruntime."};
static const kk_record other = {.recommended = {"onnxruntime", "file", 2},
                                .reason = "onnxruntime is 1.5 times as fast as native bf16."};

static kokoro_engine_info engine(const char *choice, const char *reason)
{
    return (kokoro_engine_info){.struct_size = sizeof(kokoro_engine_info),
                                .provider = "native",
                                .precision = "bf16",
                                .n_threads = 2,
                                .choice = choice,
                                .choice_reason = reason};
}

static bool is_old(const char *choice, const char *reason, enum kk_record_state state,
                   const kk_record *now)
{
    const kokoro_engine_info info = engine(choice, reason);
    const kk_record_view view = {.state = state};
    kokoro_options options;
    kokoro_options_init(&options);
    return kk_live_choice_is_old(&info, &view, now, &options);
}

TEST(what_the_record_recommends_stays)
{
    CHECK(!is_old("measured", record.reason, KK_RECORD_VALID, &record));
    CHECK(!is_old("measured", record.reason, KK_RECORD_EXPIRED, &record));
    CHECK(is_old("measured", record.reason, KK_RECORD_VALID, &other));
    /* What was asked for by its name hangs on no record. */
    CHECK(!is_old("asked", "it was asked for by its name", KK_RECORD_VALID, &other));
}

/* Another reason for the same way is shown too. */
TEST(a_new_reason_is_told)
{
    CHECK(is_old("measured", "native bf16 is the fastest.", KK_RECORD_VALID, &record));
    CHECK(is_old("expired", record.reason, KK_RECORD_VALID, &record));
    CHECK(is_old("unmeasured", "there is no benchmark record", KK_RECORD_VALID, &record));
    CHECK(is_old("fallback", "the recommended provider onnxruntime cannot be used: gone",
                 KK_RECORD_VALID, &record));
}

TEST(without_a_record_that_may_be_used_nothing_was_measured)
{
    static const enum kk_record_state states[] = {KK_RECORD_MISSING, KK_RECORD_CHANGED,
                                                  KK_RECORD_DAMAGED};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        CHECK(is_old("measured", record.reason, states[i], &record));
        CHECK(is_old("expired", record.reason, states[i], &record));
        CHECK(is_old("fallback", "it cannot be used", states[i], &other));
        CHECK(!is_old("unmeasured", "there is no benchmark record", states[i], &record));
    }
}

TEST_MAIN(T(what_the_record_recommends_stays), T(a_new_reason_is_told),
          T(without_a_record_that_may_be_used_nothing_was_measured))

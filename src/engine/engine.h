/*
 * engine.h - the engine behind kokoro.h: the stages' data, opened once, and the turns that requests
 * take at the model.
 */
#ifndef KK_ENGINE_ENGINE_H
#define KK_ENGINE_ENGINE_H

#include "base/arena.h"
#include "base/log.h"
#include "engine/choose.h"
#include "engine/schedule.h"
#include "kokoro/kokoro.h"
#include "model/model.h"
#include "phoneme/phoneme.h"
#include "voice/voice.h"

struct kokoro_engine {
    kk_log log;
    kk_phonemizer *phonemizer;
    kk_voices *voices; /* NULL: a phonemizer only */
    kk_model *model;   /* likewise */
    kk_schedule schedule;
    int n_threads;
    kk_choice_made choice;
};

#endif

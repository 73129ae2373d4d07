#include "server/speech/speech_loudness.h"

#include "base/utf8.h"

#include "server/server_state.h"

/* Once: whoever asks for that voice may do so all day. */
static void tell(kk_server *server, const char *voice)
{
    char shown[120];
    (void)pthread_mutex_lock(&server->mutex);
    const bool is_told = server->has_told_loudness;
    server->has_told_loudness = true;
    (void)pthread_mutex_unlock(&server->mutex);
    if (!is_told)
        kk_log_write(&server->log, KOKORO_LOG_WARNING,
                     "KOKORO_LOUDNESS is not followed by the voice %s, which was never measured; "
                     "others like it are not told of",
                     kk_text_shown(shown, sizeof(shown), voice));
}

int kk_speech_gain(kk_server *server, const kokoro_engine *engine, const char *voice, double lufs,
                   bool is_asked, double *gain_db, kokoro_error *err)
{
    double voice_lufs;
    *gain_db = 0.0;
    if (!(lufs < 0.0))
        return KOKORO_OK;
    int status = kokoro_voice_loudness(engine, voice, &voice_lufs, err);
    if (status == KOKORO_OK) {
        *gain_db = lufs - voice_lufs;
    } else if (status == KOKORO_LOUDNESS && !is_asked) {
        tell(server, voice);
        status = KOKORO_OK;
    }
    return status;
}

int kk_speech_set_gain(kk_server *server, const kokoro_engine *engine, kk_speech_request *request,
                       kokoro_error *err)
{
    return kk_speech_gain(server, engine, request->speak.voice, request->loudness_lufs,
                          request->asks_loudness, &request->encoding.gain_db, err);
}

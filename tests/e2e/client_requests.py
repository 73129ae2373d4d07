"""What programs that speak OpenAI's API really send, and what each needs of the answer.

Raw requests, as they stand on the wire but for Host and the length of the body, which are put in when
they are sent. `needs` names functions of test_clients.py.
"""

TEXT = "Hello, this is a test. It has two sentences."
JSON = "Content-Type: application/json"

# name, request line, headers, body, what the client needs
REQUESTS = [
    # Open WebUI: one POST a sentence, several at once; it stores what it gets as .mp3. Its lists are
    # fetched without the key.
    ("open_webui_speech", "POST /v1/audio/speech",
     [JSON, "Authorization: Bearer sk-anything", "X-OpenWebUI-User-Name: Ann%20B",
      "X-OpenWebUI-User-Id: 7", "X-OpenWebUI-User-Email: a@b.c", "X-OpenWebUI-User-Role: admin"],
     {"model": "tts-1", "input": TEXT, "voice": "alloy"}, ["mp3"]),
    ("open_webui_speech_with_parameters", "POST /v1/audio/speech", [JSON, "Authorization: Bearer x"],
     {"model": "kokoro", "input": TEXT, "voice": "af_heart", "speed": 1.1, "response_format": "mp3",
      "volume_multiplier": 1.5, "lang_code": "a"}, ["mp3"]),
    ("open_webui_models", "GET /v1/audio/models", [], None, ["models_of_objects"]),
    ("open_webui_voices", "GET /v1/audio/voices", [], None, ["voices_of_objects"]),
    ("open_webui_error", "POST /v1/audio/speech", [JSON],
     {"model": "tts-1", "input": TEXT, "voice": "nobody"}, ["error_in_json"]),
    # SillyTavern: the whole URL is the user's, the key may be empty.
    ("sillytavern", "POST /v1/audio/speech", [JSON, "Authorization: Bearer "],
     {"input": TEXT, "response_format": "mp3", "voice": "nova", "speed": 1, "model": "tts-1"}, ["mp3"]),
    ("sillytavern_without_v1", "POST /audio/speech", [JSON, "Authorization: Bearer"],
     {"input": TEXT, "response_format": "mp3", "voice": "nova", "speed": 1, "model": "tts-1-hd"},
     ["mp3"]),
    # LibreChat: a field of its own; model and voice may be missing; reads a stream of mp3.
    ("librechat", "POST /v1/audio/speech", [JSON, "Authorization: Bearer k"],
     {"input": TEXT, "model": "tts-1", "voice": "echo", "backend": "tts"}, ["mp3", "streamed"]),
    ("librechat_bare", "POST /v1/audio/speech", [JSON], {"input": TEXT, "backend": None}, ["mp3"]),
    # LiveKit: opens the connection beforehand with any GET of the base URL, then wants events.
    ("livekit_prewarm", "GET /v1/", ["Connection: keep-alive"], None, ["any_status"]),
    ("livekit_prewarm_of_the_host", "GET /", ["Connection: keep-alive"], None, ["status_200"]),
    ("livekit", "POST /v1/audio/speech",
     [JSON, "Accept: application/octet-stream", "Authorization: Bearer k", "X-Stainless-Lang: python",
      "X-Stainless-Retry-Count: 0", "X-Stainless-Raw-Response: stream"],
     {"input": TEXT, "model": "gpt-4o-mini-tts", "voice": "ash", "response_format": "mp3", "speed": 1.0,
      "instructions": "Speak kindly.", "stream_format": "sse"}, ["events_of_mp3"]),
    ("livekit_tts_1", "POST /v1/audio/speech",
     [JSON, "Accept: application/octet-stream", "Authorization: Bearer k"],
     {"input": TEXT, "model": "tts-1", "voice": "ash", "response_format": "mp3", "speed": 1.0},
     ["mp3", "streamed"]),
    # pipecat: raw samples, 24 kHz; the status must be exactly 200.
    ("pipecat", "POST /v1/audio/speech",
     [JSON, "Accept: application/octet-stream", "Authorization: Bearer k"],
     {"input": TEXT, "model": "gpt-4o-mini-tts", "voice": "cedar", "response_format": "pcm",
      "instructions": "x", "speed": 1.0}, ["pcm", "streamed"]),
    # Home Assistant's openai_tts: no key, no header; its own fields beside; asks for voices beside the
    # URL of speech; reads WAV with Python's wave, joins mp3 frames.
    ("home_assistant_wav", "POST /v1/audio/speech", [JSON],
     {"model": "tts-1", "input": TEXT, "voice": "shimmer", "response_format": "wav", "speed": 1.0,
      "stream": False, "normalization_options": {"normalize": True}}, ["wav_that_python_reads"]),
    ("home_assistant_wav_streamed", "POST /v1/audio/speech", [JSON],
     {"model": "tts-1", "input": TEXT, "voice": "shimmer", "response_format": "wav", "speed": 1.0},
     ["wav_that_python_opens"]),
    ("home_assistant_mp3", "POST /v1/audio/speech", [JSON],
     {"model": "tts-1", "input": TEXT, "voice": "af_bella(2)+af_sky(1)", "response_format": "mp3",
      "speed": 1.0, "instructions": "Calm."}, ["mp3"]),
    ("home_assistant_voices", "GET /v1/audio/voices?limit=100", [], None, ["voices_of_objects"]),
    # wyoming_openai: what it takes for another server must not be here; a WAV's header must come whole
    # in the first write.
    ("wyoming_openai_is_it_localai", "GET /v1/readyz", [], None, ["status_404"]),
    ("wyoming_openai_is_it_speaches", "GET /health", [], None, ["not_plain_ok"]),
    ("wyoming_openai_is_it_fastapi", "GET /v1/test", [], None, ["status_404"]),
    ("wyoming_openai_models", "GET /v1/models", ["Authorization: Bearer k"], None, ["model_list"]),
    ("wyoming_openai_speech", "POST /v1/audio/speech",
     [JSON, "Accept: application/octet-stream", "Authorization: Bearer k"],
     {"input": TEXT, "model": "tts-1", "voice": "alloy", "response_format": "wav", "speed": 1.0},
     ["wav_header_in_the_first_write"]),
    # LangChain and others through the SDKs; LiteLLM; OpenReader; read-aloud; epub_to_audiobook; amica.
    ("litellm", "POST /v1/audio/speech", [JSON, "Authorization: Bearer sk-1234"],
     {"input": TEXT, "model": "tts-1", "voice": {"id": "alloy"}, "user": "someone",
      "metadata": {"a": 1}}, ["mp3"]),
    ("openreader", "GET /v1/audio/voices", ["Accept: */*"], None, ["voices_of_objects"]),
    ("old_kokoro_clients", "GET /v1/audio/voices?legacy=true", [], None, ["voices_of_strings"]),
    ("read_aloud", "GET /v1/models", ["Accept: application/json"], None, ["model_list"]),
    ("epub_to_audiobook", "POST /v1/audio/speech", [JSON, "Authorization: Bearer k"],
     {"input": TEXT, "model": "gpt-4o-mini-tts", "voice": "ballad", "response_format": "aac",
      "instructions": "Read it as a narrator."}, ["aac"]),
    ("amica", "POST /audio/speech", [JSON, "Authorization: Bearer default"],
     {"model": "tts-1", "input": TEXT, "voice": "nova"}, ["mp3"]),
    ("charset_in_the_type", "POST /v1/audio/speech", ["Content-Type: application/json; charset=utf-8"],
     {"model": "tts-1", "input": TEXT, "voice": "onyx", "response_format": "opus"}, ["opus"]),
]

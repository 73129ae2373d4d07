"""Every endpoint from outside: shapes, statuses, headers."""

import math

import pytest
from audio import (FAST, LONG, LONG_S, SENTINEL, SHORT, check_whole_mp3, check_whole_wav, loudness,
                   wav_sizes)
from conftest import error_of, wait_until


def test_health(server):
    answer = server.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "online", "model_ready": True}
    assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate"
    assert answer.headers["content-type"] == "application/json"


def test_startup_progress(server):
    progress = server.get("/startup-progress").json()
    assert progress["status"] == "online"
    assert progress["progress"] == 100
    assert progress["started_at"] <= progress["completed_at"]
    assert isinstance(progress["message"], str)


def test_voices_of_the_guide(server):
    body = server.get("/voices").json()
    assert body["total_voices"] == len(body["voices"]) > 0
    assert body["model_loaded"] is True
    assert sum(body["voice_categories"].values()) == body["total_voices"]
    assert all(key.endswith("_*") for key in body["voice_categories"])
    assert body["recommended_voices"]
    assert set(body["recommended_voices"].values()) <= set(body["voices"])


@pytest.mark.parametrize("path", ["/v1/audio/voices", "/audio/voices", "/v1/audio/voices?limit=100"])
def test_audio_voices(server, path):
    voices = server.get(path).json()["voices"]
    assert {"id": "af_heart", "name": "af_heart"} in voices


def test_audio_voices_as_strings(server):
    assert "af_heart" in server.get("/v1/audio/voices?legacy=true").json()["voices"]


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
def test_models(server, path):
    body = server.get(path).json()
    assert body["object"] == "list"
    names = [model["id"] for model in body["data"]]
    assert names == ["kokoro", "tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15"]
    for model in body["data"]:
        assert server.get(f"{path}/{model['id']}").json() == model


def test_audio_models(server):
    for path in ("/v1/audio/models", "/audio/models"):
        assert {"id": "kokoro"} in server.get(path).json()["models"]


def test_unknown_model(server):
    error_of(server.get("/v1/models/whisper-1"), 404, "model", "model_not_found")


# Clients guess other servers by these.
@pytest.mark.parametrize("path", ["/v1/readyz", "/v1/test", "/v1", "/health%00", "/%00health", "/v1/models/", "/v1/models/a/b",
                                  "/health/", "/v1/audio/speech/", "/%00", "/%ff", "/%0aforged", "/%1b[2J", "/" + "a" * 2000])
def test_unknown_paths(server, path):
    error_of(server.get(path), 404, code="unknown_url")


@pytest.mark.parametrize("method,path,allowed", [
    ("GET", "/v1/audio/speech", "POST, OPTIONS"),
    ("PUT", "/v1/audio/speech", "POST, OPTIONS"),
    ("POST", "/health", "GET, HEAD, OPTIONS"),
    ("DELETE", "/v1/models/kokoro", "GET, HEAD, OPTIONS"),
])
def test_wrong_methods(server, method, path, allowed):
    import httpx
    answer = httpx.request(method, server.url + path)
    error_of(answer, 405, code="method_not_allowed")
    assert answer.headers["allow"] == allowed


def test_head(server):
    import httpx
    for path in ("/health", "/voices", "/v1/models"):
        answer = httpx.head(server.url + path)
        assert answer.status_code == 200
        assert answer.content == b""
        assert int(answer.headers["content-length"]) == len(server.get(path).content)


def test_request_ids(server):
    assert server.get("/health", headers={"X-Request-Id": "abc-1:2.3_4"}).headers[
        "x-request-id"] == "abc-1:2.3_4"
    made = {server.get("/health").headers["x-request-id"] for _ in range(5)}
    assert len(made) == 5
    for bad in ("a b", "x" * 129, 'a"b', "<script>"):
        assert server.get("/health", headers={"X-Request-Id": bad}).headers["x-request-id"] != bad


def test_nothing_can_be_forged_in_the_log(server):
    server.get("/a%0a2000-01-01T00:00:00%20invented%1b[2J")
    line = server.wait_log("invented")
    assert line.split()[2:4] == ["GET", "/a?2000-01-01T00:00:00"]
    assert "\x1b" not in line


# --- speech ---


def test_one_chunk_is_exact_even_when_streamed(server):
    answer = server.post({"input": SHORT, "response_format": "wav"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert 0.5 < check_whole_wav(answer.content) < 5
    assert loudness(answer.content[44:]) > 1000


def test_many_chunks_are_streamed(server):
    answer = server.post({"input": LONG, "response_format": "wav", **FAST})
    assert answer.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in answer.headers
    assert wav_sizes(answer.content) == (SENTINEL, SENTINEL)
    assert "g2p;dur=" in answer.headers["server-timing"]


def test_not_streamed_is_exact_and_the_same_sound(server):
    whole = server.post({"input": LONG, "response_format": "wav", "stream": False, **FAST})
    assert int(whole.headers["content-length"]) == len(whole.content)
    assert check_whole_wav(whole.content) > LONG_S
    for name in ("queue", "g2p", "model", "first-audio"):
        assert f"{name};dur=" in whole.headers["server-timing"]
    streamed = server.post({"input": LONG, "response_format": "pcm", "skip_silence": False, **FAST})
    assert streamed.headers["content-type"] == "audio/pcm"
    assert len(streamed.content) == len(whole.content) - 44


def test_silence_in_front_is_left_out_of_a_streamed_answer(server):
    body = {"input": SHORT, "response_format": "pcm"}
    streamed = server.post(body).content
    kept = server.post({**body, "skip_silence": False}).content
    left_out = len(kept) - len(streamed)
    assert left_out > 0.1 * 48000
    assert loudness(kept[:left_out]) < 40
    assert loudness(streamed[: 48 * 50]) > 40
    assert server.post({**body, "stream": False}).content == kept
    assert server.post({**body, "stream": False, "skip_silence": True}).content == streamed


def test_body_of_the_guide(server):
    answer = server.post({"text": SHORT}, path="/audio/speech")
    assert answer.headers["content-type"] == "audio/L16;rate=24000;channels=1"
    assert len(answer.content) % 2 == 0
    wav = server.post({"text": SHORT, "format": "wav", "lang": "en-us", "voice": "af_heart"})
    check_whole_wav(wav.content)
    assert wav.content[44:] == answer.content


def test_openai_voices_are_mapped(server):
    own = server.post({"input": SHORT, "voice": "af_alloy"}).content
    assert server.post({"input": SHORT, "voice": "alloy"}).content == own
    assert server.post({"input": SHORT, "voice": {"id": "alloy"}}).content == own
    assert server.post({"input": SHORT, "voice": "af_bella"}).content != own


def test_blends_and_speed(server):
    blend = {"input": SHORT, "voice": "af_bella(2)+af_sky(1)", "response_format": "wav"}
    slow, fast = server.post({**blend, "speed": 0.5}), server.post({**blend, "speed": 2})
    assert check_whole_wav(slow.content) > 1.5 * check_whole_wav(fast.content)


def test_fields_of_clients(server):
    """What Open WebUI, SillyTavern, LibreChat and Home Assistant send."""
    for body, headers in [
        ({"model": "tts-1", "input": SHORT, "voice": "alloy"}, {"X-OpenWebUI-User-Id": "u"}),
        ({"input": SHORT, "voice": "nova", "speed": 1, "model": "tts-1"}, {"Authorization": ""}),
        ({"input": SHORT, "model": "tts-1", "voice": "alloy", "backend": "x"}, {}),
        ({"model": "gpt-4o-mini-tts", "input": SHORT, "voice": "ash", "instructions": "calm",
          "response_format": "wav", "speed": 1.0}, {"Authorization": "Bearer anything"}),
        ({"input": SHORT}, {"Content-Type": "application/json; charset=utf-8"}),
    ]:
        answer = server.post(body, headers=headers)
        assert answer.status_code == 200, answer.text
        (check_whole_wav if "response_format" in body else check_whole_mp3)(answer.content)


@pytest.mark.parametrize("body,param", [
    ({"input": ""}, "input"),
    ({"input": "   "}, "input"),
    ({"text": ""}, "text"),
    ({"input": "?!... --"}, "input"),
    ({"input": "\U0001F600\U0001F680"}, "input"),
    ({"input": "a", "text": "b"}, "input"),
    ({"input": 3}, "input"),
    ({}, "input"),
    ({"input": SHORT, "voice": "nobody"}, "voice"),
    ({"input": SHORT, "voice": "af_bella(0)"}, "voice"),
    ({"input": SHORT, "voice": "../../etc/passwd"}, "voice"),
    ({"input": SHORT, "lang": "tlh"}, "lang"),
    ({"input": SHORT, "speed": 0}, "speed"),
    ({"input": SHORT, "speed": 99}, "speed"),
    ({"input": SHORT, "speed": "1"}, "speed"),
    ({"input": SHORT, "response_format": "ogg"}, "response_format"),
    ({"text": SHORT, "format": "aiff"}, "format"),
    ({"input": SHORT, "bitrate": 65}, "bitrate"),
    ({"text": SHORT, "bitrate": 64}, "bitrate"),
    ({"input": SHORT, "sample_rate": 11025}, "sample_rate"),
    ({"input": SHORT, "volume": 2.5}, "volume"),
    ({"input": SHORT, "loudness": -5}, "loudness"),
    ({"input": SHORT, "loudness": "-16"}, "loudness"),
    ({"input": SHORT, "stream_format": "ws"}, "stream_format"),
    ({"input": "word " * 25000}, "input"),
])
def test_bad_speech(server, body, param):
    error_of(server.post(body), 400, param)


def test_bad_formats_name_the_good_ones(server):
    message = error_of(server.post({"input": SHORT, "response_format": "m4a"}), 400,
                       "response_format")
    assert "mp3, opus, aac, flac, wav, pcm" in message


def test_unknown_speech_model(server):
    error_of(server.post({"input": SHORT, "model": "tts-9"}), 404, "model", "model_not_found")


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b'{"input":"a","input":"b"}', b'{"input":"\xff"}', b'{"input":NaN}',
    b'{"input":"a","speed":NaN}', b"[" * 100000, b'{"a":' * 50000, b"\x00\x01\x02", b'{"input":"\\u0000"}',
])
def test_bad_json(server, body):
    import httpx
    answer = httpx.post(server.url + "/v1/audio/speech", content=body,
                        headers={"Content-Type": "application/json"})
    error_of(answer, 400, code="invalid_json")


@pytest.mark.parametrize("headers,status", [
    ({"Content-Type": "text/plain"}, 415),
    ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
    ({"Content-Type": "application/json", "Origin": "http://evil.example"}, 403),
    ({"Content-Type": "application/json", "Origin": "null"}, 403),
    ({"Content-Type": "application/json", "Host": "evil.example"}, 403),
    ({"Content-Type": "application/json", "Host": "evil.example:8000",
      "Origin": "http://evil.example:8000"}, 403),
])
def test_refused_headers(server, headers, status):
    import httpx
    answer = httpx.post(server.url + "/v1/audio/speech", content=b'{"input":"Hi."}', headers=headers)
    error_of(answer, status)


def test_an_empty_body_may_have_any_type(server):
    """Clients put a type there by habit: curl -d '', urllib, forms."""
    import httpx
    for kind in ("application/x-www-form-urlencoded", "text/plain", ""):
        headers = {"Content-Type": kind}
        assert httpx.post(server.url + "/cache-cleanup", headers=headers).status_code == 200
        error_of(httpx.post(server.url + "/v1/audio/speech", headers=headers), 400, code="invalid_json")


def test_own_origins(server):
    for headers in ({"Origin": f"http://localhost:{server.port}"}, {"Origin": "http://127.0.0.1:3000"},
                    {"Host": "localhost"}, {"Host": f"[::1]:{server.port}"}):
        assert server.post({"input": "Hi."}, headers=headers).status_code == 200


def test_too_large_bodies(server):
    error_of(server.post({"input": "a" * 2_000_000}), 413, code="body_too_large")
    assert server.get("/health").status_code == 200


# --- /status ---


def test_status(server):
    before = wait_until(server.status, lambda s: s["onnx_providers"], 60, "providers")
    answer = server.post({"input": "The quick brown fox.", "response_format": "wav",
                          "stream": False})
    server.post({"input": "", "stream": False})
    after = server.status()
    assert set(after) >= {
        "model_loaded", "onnx_providers", "performance", "patch_status", "hardware",
        "warning_suppression", "tts_processing", "startup_timings", "scheduled_benchmark",
        "memory_fragmentation", "errors", "queue", "caches", "versions", "providers"}
    assert after["model_loaded"] is True
    assert after["onnx_providers"]
    p, q = before["performance"], after["performance"]
    assert q["total_inferences"] == p["total_inferences"] + 1
    assert q["total_requests"] == p["total_requests"] + 2
    assert q["completed_count"] == p["completed_count"] + 1
    assert math.isclose(q["audio_seconds_total"] - p["audio_seconds_total"],
                        check_whole_wav(answer.content), abs_tol=1e-3)
    assert 0 < q["average_inference_time"] < 100
    assert q["provider_used"] == after["tts_processing"]["active_provider"] == "native"
    assert "native" in after["onnx_providers"]
    assert after["providers"]["asked_for"] == "auto"
    assert after["providers"]["used"] == "native"
    assert after["providers"]["precision"] in ("bf16", "f32")
    known = {provider["name"]: provider for provider in after["providers"]["known"]}
    assert after["versions"]["runtime"] == known["native"]["version"]
    assert q["coreml_inferences"] == 0
    assert 0 <= q["success_rate"] <= 1
    assert q["cpu_inferences"] + q["coreml_inferences"] == q["total_inferences"]
    assert sum(q["g2p_sources"].values()) >= sum(p["g2p_sources"].values()) + 4
    assert after["errors"]["by_kind"]["request"] == before["errors"]["by_kind"]["request"] + 1
    assert after["queue"]["limit"] == 64
    assert after["memory_fragmentation"]["current_memory_mb"] > 50
    assert after["hardware"]["cpu_cores"] >= 1
    assert after["scheduled_benchmark"]["scheduler_active"] is False
    for key, kind in {"applied": bool, "patch_errors": list, "original_functions_stored": int}.items():
        assert isinstance(after["patch_status"][key], kind)


def test_status_of_the_runtime(needs_data, start):
    server = start("--port", "0", "--provider", "onnxruntime").wait_ready()
    assert loudness(server.post({"input": SHORT, "response_format": "pcm"}).content) > 1000
    status = server.status()
    assert status["performance"]["provider_used"] == "CPUExecutionProvider"
    assert status["performance"]["cpu_inferences"] >= 1
    assert status["providers"]["asked_for"] == status["providers"]["used"] == "onnxruntime"
    assert status["providers"]["precision"] == "file"
    assert server.stop() == 0


def test_a_lower_instruction_set(needs_data, start):
    server = start("--port", "0", environment={"KOKORO_CPU_MASK": "avx2"}).wait_ready()
    assert loudness(server.post({"input": SHORT, "response_format": "pcm"}).content) > 1000
    status = server.status()
    assert status["versions"]["runtime"] in ("avx2", "neon", "ref")
    assert status["providers"]["precision"] == "f32"
    assert server.stop() == 0


def test_text_is_never_logged(server):
    secret = "Zanzibar pelican umbrella."
    server.post({"input": secret})
    server.post({"input": secret, "voice": "nobody"})
    server.post({"input": secret + "\x00"})
    server.wait_log("nobody|POST .* 400")
    log = "\n".join(server.log)
    for word in ("Zanzibar", "pelican", "umbrella"):
        assert word not in log

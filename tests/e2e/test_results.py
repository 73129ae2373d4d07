"""Answers that are kept: a hit is what the miss was, and nothing that differs is taken for it; and the
model that is closed when nobody speaks."""

import base64
import json
import os
import shutil
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest
from audio import FAST, LONG, check_whole_wav, wav_sizes
from conftest import error_of

TEXT = "Kept."
MEMORY = {"KOKORO_RESULT_CACHE_MEMORY_MB": "32"}


@pytest.fixture
def serve(needs_data, start):
    """A ready server that keeps answers."""

    def serve_one(**settings):
        return start("--port", "0", environment={**MEMORY, **settings}).wait_ready()

    return serve_one


@pytest.fixture
def keeping(serve):
    return serve()


def ask(server, outcome, text=TEXT, **fields):
    answer = server.post({"input": text, **fields})
    assert answer.status_code == 200, answer.text
    assert answer.headers.get("x-cache") == outcome, (fields, answer.headers)
    return answer


def wait_for(condition, limit_s=60):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("form", ["wav", "pcm", "mp3", "opus", "flac"])
def test_a_hit_is_what_the_miss_was(keeping, form):
    miss = ask(keeping, "miss", response_format=form, stream=False)
    before = keeping.status()
    hit = ask(keeping, "hit", response_format=form, stream=False)
    after = keeping.status()
    assert hit.content == miss.content
    assert hit.headers["content-length"] == str(len(hit.content))
    assert hit.headers["content-type"] == miss.headers["content-type"]
    assert "cache" in hit.headers["server-timing"]
    assert hit.headers["x-request-id"] != miss.headers["x-request-id"]
    # Counted as an answer, and as nothing that tells how fast speech is made.
    was, now = before["performance"], after["performance"]
    assert now["cache_hits"] == was["cache_hits"] + 1
    assert now["cache_misses"] == was["cache_misses"]
    assert now["total_requests"] == was["total_requests"] + 1
    assert now["completed_count"] == was["completed_count"] + 1
    for field in ("total_inferences", "average_inference_time", "ttfa_average", "rtf_average",
                  "efficiency_average", "audio_seconds_total"):
        assert now[field] == was[field], field
    assert after["queue"]["average_wait_ms"] == before["queue"]["average_wait_ms"]
    results = after["caches"]["results"]
    assert results["enabled"] and results["memory"]["entries"] == 1
    assert results["memory"]["size_mb"] > len(hit.content) / 2**20
    assert f'kokoro_cache_hits_total {now["cache_hits"]}' in keeping.get("/metrics").text


def test_streamed_answers_are_kept_too(keeping):
    text = "The first part is here. " * 3
    for form, head in (("pcm", 0), ("mp3", 0), ("wav", 44)):
        miss = ask(keeping, "miss", text, response_format=form, **FAST)
        hit = ask(keeping, "hit", text, response_format=form, **FAST)
        assert hit.content[head:] == miss.content[head:]
        assert hit.headers["content-length"] == str(len(hit.content))
        if form == "wav":
            check_whole_wav(hit.content)
    # Whole ones are others.
    ask(keeping, "miss", text, response_format="pcm", stream=False, **FAST)


def test_a_long_streamed_wav_has_exact_sizes_when_it_comes_again(keeping):
    miss = ask(keeping, "miss", LONG, response_format="wav", **FAST)
    hit = ask(keeping, "hit", LONG, response_format="wav", **FAST)
    assert wav_sizes(miss.content) == (0xFFFFFFFF, 0xFFFFFFFF)
    check_whole_wav(hit.content)
    assert hit.content[44:] == miss.content[44:]


def test_events_and_times_of_words_are_kept(keeping):
    events = {"stream_format": "sse", "response_format": "pcm"}
    miss = ask(keeping, "miss", **events)
    hit = ask(keeping, "hit", **events)
    assert hit.content == miss.content
    assert hit.headers["content-type"] == miss.headers["content-type"] == "text/event-stream"
    assert hit.headers["cache-control"] == miss.headers["cache-control"]
    assert b"speech.audio.done" in hit.content
    miss = ask(keeping, "miss", timestamps=True, response_format="wav")
    hit = ask(keeping, "hit", timestamps=True, response_format="wav")
    assert hit.content == miss.content
    check_whole_wav(base64.b64decode(hit.json()["audio"]))
    # The places of words are those in the client's own text.
    ask(keeping, "miss", "  " + TEXT, timestamps=True, response_format="wav")


def test_no_cache_neither_looks_nor_keeps(keeping):
    ask(keeping, None, no_cache=True, stream=False)
    ask(keeping, "miss", stream=False)
    before = keeping.status()["performance"]
    ask(keeping, None, no_cache=True, stream=False)
    after = keeping.status()["performance"]
    assert after["total_inferences"] == before["total_inferences"] + 1
    assert after["cache_misses"] == before["cache_misses"]
    ask(keeping, "hit", stream=False)


def test_without_room_nothing_is_looked_for(serve):
    server = serve(KOKORO_RESULT_CACHE_MEMORY_MB="0")
    ask(server, None, stream=False)
    ask(server, None, stream=False)
    results = server.status()["caches"]["results"]
    assert not results["enabled"] and results["hits"] == 0 and results["misses"] == 0


# What may be asked for, against a request with none of it.
OPTIONS = [
    {},
    {"voice": "af_sky"},
    {"voice": "af_sky+af_heart"},
    {"voice": "af_sky(2)+af_heart"},
    {"lang": "en-gb"},
    {"speed": 1.25},
    {"response_format": "wav"},
    {"response_format": "pcm"},
    {"response_format": "opus"},
    {"response_format": "flac"},
    {"sample_rate": 16000},
    {"bitrate": 64},
    {"volume": 0.5},
    {"loudness": -16},
    {"stream": False},
    {"stream_format": "sse"},
    {"timestamps": True},
    {"sentence_pause": 0.5},
    {"paragraph_pause": 0.5},
    {"skip_silence": False},
    {"unknown_option": 1},
]
# Fields that leave the answer as it is.
WITHOUT_BEARING = {"model": "tts-1", "instructions": "Whisper.", "no_cache": False}


def test_what_differs_is_not_taken_for_it(keeping):
    made = [ask(keeping, "miss", **fields).content for fields in OPTIONS]
    for fields, content in zip(OPTIONS, made):
        hit = ask(keeping, "hit", **fields)
        assert hit.content == content or fields.get("response_format") in ("wav", "flac")
    ask(keeping, "hit", **WITHOUT_BEARING)
    ask(keeping, "miss", TEXT + "!")
    ask(keeping, "hit", f"  {TEXT}\n")
    ask(keeping, "hit", voice="af_sky(4) + af_heart(2)")


def test_every_field_is_in_one_of_the_lists_above(keeping):
    """A new field must be told here, and so thought of."""
    answer = keeping.get("/openapi.json")
    if answer.status_code == 404:
        pytest.skip("the server does not describe itself")
    schema = json.loads(answer.text)
    request = schema["paths"]["/v1/audio/speech"]["post"]["requestBody"]
    known = {"input", "text", "format", *WITHOUT_BEARING, *(name for o in OPTIONS for name in o)}

    def properties(node):
        found = set()
        if isinstance(node, dict):
            if "$ref" in node:
                target = schema
                for part in node["$ref"].removeprefix("#/").split("/"):
                    target = target[part]
                found |= properties(target)
            found |= set(node.get("properties", {}))
            for name in ("schema", "allOf", "anyOf", "oneOf"):
                found |= properties(node.get(name))
        elif isinstance(node, list):
            for item in node:
                found |= properties(item)
        return found

    fields = properties(request["content"]["application/json"])
    assert "input" in fields
    assert fields <= known, fields - known


def test_the_same_asked_at_once_is_made_once(keeping):
    before = keeping.status()["performance"]
    body = {"input": LONG, "stream": False, **FAST}
    answers = [None] * 6

    def post(i):
        answers[i] = keeping.post(body)

    threads = [threading.Thread(target=post, args=(i,)) for i in range(len(answers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = keeping.status()
    assert [a.status_code for a in answers] == [200] * 6
    assert len({a.content for a in answers}) == 1
    assert sorted(a.headers["x-cache"] for a in answers) == ["hit"] * 5 + ["miss"]
    made = ask(keeping, None, LONG, no_cache=True, stream=False, **FAST)
    assert made.content == answers[0].content
    again = keeping.status()["performance"]["total_inferences"]
    inferences = after["performance"]["total_inferences"]
    assert inferences - before["total_inferences"] == again - inferences
    assert after["caches"]["results"]["waiting"] == 0


def test_who_waits_for_one_that_is_cancelled_is_made_himself(keeping):
    body = {"input": LONG, "stream": False, **FAST}
    answers = []

    def leave():
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(keeping.url + "/v1/audio/speech", json=body, timeout=httpx.Timeout(60, read=0.2))

    first = threading.Thread(target=leave)
    first.start()
    wait_for(lambda: keeping.status()["queue"]["running"] > 0, 5)
    waiting = [threading.Thread(target=lambda: answers.append(keeping.post(body))) for _ in range(2)]
    for thread in waiting:
        thread.start()
    for thread in (first, *waiting):
        thread.join()
    assert [a.status_code for a in answers] == [200, 200]
    assert answers[0].content == answers[1].content


def test_half_an_answer_is_never_kept(keeping):
    body = {"input": LONG, "response_format": "pcm", **FAST}
    with httpx.stream("POST", keeping.url + "/v1/audio/speech", json=body, timeout=300) as answer:
        next(answer.iter_raw(1000))
    keeping.wait_idle()
    assert keeping.status()["caches"]["results"]["memory"]["entries"] == 0
    ask(keeping, "miss", LONG, response_format="pcm", **FAST)


def test_errors_are_not_kept(keeping):
    for _ in range(2):
        error_of(keeping.post({"input": "...", "stream": False}), 400, "input")
        error_of(keeping.post({"input": TEXT, "voice": "nobody"}), 400, "voice", "unknown_voice")
    assert keeping.status()["caches"]["results"]["memory"]["entries"] == 0


def test_the_room_is_kept_to(serve):
    server = serve(KOKORO_RESULT_CACHE_MEMORY_MB="1")
    large = {"response_format": "wav", "sample_rate": 48000, "stream": False}
    for i in range(16):
        ask(server, "miss", f"{i}.", **large)
    memory = server.status()["caches"]["results"]["memory"]
    assert memory["size_mb"] <= memory["max_mb"] == 1
    assert memory["evicted"] > 0 and memory["entries"] + memory["evicted"] == memory["stored"] == 16
    ask(server, "hit", "15.", **large)
    ask(server, "miss", "0.", **large)


def test_a_cleanup_lets_go(keeping):
    ask(keeping, "miss", stream=False)
    before = keeping.get("/cache-status").json()["results"]
    assert before["memory"]["entries"] == 1 and before["misses"] == 1
    assert keeping.post(None, "/cache-cleanup").json()["cleanup_result"]["freed_memory_mb"] == 0
    ask(keeping, "hit", stream=False)
    done = keeping.post(None, "/cache-cleanup?aggressive=true").json()["cleanup_result"]
    assert done["freed_memory_mb"] > 0
    assert keeping.get("/cache-status").json()["results"]["memory"]["entries"] == 0
    ask(keeping, "miss", stream=False)


def resident_mb(server):
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise AssertionError


def test_slow_readers_share_one_answer(keeping):
    body = {"response_format": "wav", "sample_rate": 48000, "stream": False}
    size = len(ask(keeping, "miss", LONG, **body).content)
    assert size > 2_000_000
    sent = json.dumps({"input": LONG, **body}).encode()
    head = (b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(sent))
    before = resident_mb(keeping)
    hits = keeping.status()["performance"]["cache_hits"]
    readers = []
    for _ in range(60):
        reader = socket.create_connection((keeping.host, keeping.port))
        reader.sendall(head + sent)
        readers.append(reader)
    wait_for(lambda: keeping.status()["performance"]["cache_hits"] == hits + len(readers))
    assert resident_mb(keeping) - before < len(readers) * size / 2**20 / 4
    # And each can have it all.
    data = b""
    while len(data) < size:
        data += readers[-1].recv(1 << 20)
    for reader in readers:
        reader.close()
    ask(keeping, "hit", LONG, **body)


# --- on disk ---


@pytest.fixture
def on_disk(serve, tmp_path):
    """Servers that share a directory for answers; its path."""
    # Packed models of the usual cache are taken over, so that none need be made.
    usual = Path(os.environ.get("KOKORO_CACHE") or Path(os.environ["KOKORO_HOME"]) / "cache")
    if (usual / "native").is_dir():
        shutil.copytree(usual / "native", tmp_path / "native", copy_function=os.link)

    def serve_one(**settings):
        return serve(KOKORO_CACHE=str(tmp_path), KOKORO_RESULT_CACHE_DISK_MB="8", **settings)

    return tmp_path / "audio", serve_one


def wait_stored(server, n):
    wait_for(lambda: server.status()["caches"]["results"]["disk"]["stored"] >= n)


def test_answers_outlive_the_server(on_disk):
    directory, serve_one = on_disk
    server = serve_one()
    miss = ask(server, "miss", response_format="wav", stream=False)
    wait_stored(server, 1)
    assert server.stop() == 0
    files = list(directory.iterdir())
    assert len(files) == 1 and files[0].stat().st_mode & 0o777 == 0o600
    server = serve_one()
    hit = ask(server, "hit", response_format="wav", stream=False)
    assert hit.content == miss.content
    status = server.status()
    assert status["performance"]["total_inferences"] == 0
    assert status["caches"]["results"]["disk"]["hits"] == 1
    assert server.get("/cache-status").json()["kinds"]["audio_results"]["files"] == 1
    # In memory by now.
    ask(server, "hit", response_format="wav", stream=False)
    assert server.status()["caches"]["results"]["disk"]["hits"] == 1


def test_servers_share_a_directory(on_disk):
    _, serve_one = on_disk
    first, second = serve_one(), serve_one()
    miss = ask(first, "miss", stream=False)
    wait_stored(first, 1)
    assert ask(second, "hit", stream=False).content == miss.content
    # And without any room in memory.
    third = serve_one(KOKORO_RESULT_CACHE_MEMORY_MB="0")
    assert ask(third, "hit", stream=False).content == miss.content
    assert third.status()["caches"]["results"]["memory"]["entries"] == 0


def test_damaged_files_are_made_anew(on_disk):
    directory, serve_one = on_disk
    server = serve_one(KOKORO_RESULT_CACHE_MEMORY_MB="0")
    miss = ask(server, "miss", stream=False)
    wait_stored(server, 1)
    (file,) = directory.iterdir()
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert ask(server, "miss", stream=False).content == miss.content
    wait_stored(server, 2)
    assert server.status()["caches"]["results"]["disk"]["damaged"] == 1
    assert ask(server, "hit", stream=False).content == miss.content


def test_a_directory_of_others_is_not_used(on_disk):
    directory, serve_one = on_disk
    directory.mkdir()
    directory.chmod(0o777)
    server = serve_one()
    ask(server, "miss", stream=False)
    ask(server, "hit", stream=False)
    assert not list(directory.iterdir())
    assert not server.status()["caches"]["results"]["disk"]["enabled"]
    server.wait_log("answers are not kept on disk: .*mode 0700")


def test_a_cleanup_while_it_serves(on_disk):
    directory, serve_one = on_disk
    server = serve_one(KOKORO_RESULT_CACHE_MEMORY_MB="0", KOKORO_CACHE_MAX_AGE_HOURS="1")
    miss = ask(server, "miss", stream=False)
    wait_stored(server, 1)
    (file,) = directory.iterdir()
    os.utime(file, (1, 1))
    ask(server, "hit", stream=False)  # which renews its time
    server.post(None, "/cache-cleanup")
    assert ask(server, "hit", stream=False).content == miss.content
    os.utime(file, (1, 1))
    server.post(None, "/cache-cleanup")
    assert not file.exists()
    assert server.status()["caches"]["results"]["disk"]["entries"] == 0
    assert ask(server, "miss", stream=False).content == miss.content


# --- the model closed and opened again ---


def wait_unloaded(server):
    wait_for(lambda: server.status()["model_state"] == "unloaded")


def test_the_model_is_closed_and_opened_again(serve):
    server = serve(KOKORO_UNLOAD_AFTER_S="1")
    assert server.status()["model_state"] == "loaded"
    miss = ask(server, "miss", stream=False)
    wait_unloaded(server)
    health = server.get("/health")
    assert health.status_code == 200
    assert health.json()["model_ready"] is True and health.json()["model_loaded"] is False
    assert "next request" in health.json()["message"]
    assert server.status()["model_loaded"] is False
    assert len(server.get("/v1/audio/voices").json()["voices"]) > 1
    voices = server.get("/voices").json()
    assert voices["total_voices"] > 1 and voices["model_loaded"] is False
    # What is kept needs no model.
    assert ask(server, "hit", stream=False).content == miss.content
    assert server.status()["model_state"] == "unloaded"
    error_of(server.post({"input": TEXT, "voice": "nobody"}), 400, "voice", "unknown_voice")
    wait_unloaded(server)
    made = ask(server, None, stream=False, no_cache=True)
    assert made.content == miss.content
    status = server.status()
    assert status["model_state"] == "loaded"
    model = status["caches"]["model"]
    assert model["unloads"] == 2 and model["reloads"] == 2 and model["failed_reloads"] == 0
    assert model["last_reload_ms"] > 0
    assert server.get("/health").json() == {"status": "online", "model_ready": True}
    wait_unloaded(server)
    assert server.stop() == 0


def test_those_who_come_at_once_wait_for_one_load(serve):
    server = serve(KOKORO_UNLOAD_AFTER_S="1")
    wait_unloaded(server)
    answers = []
    threads = [
        threading.Thread(target=lambda i=i: answers.append(server.post({"input": f"Number {i}."})))
        for i in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.status_code for a in answers] == [200] * 6
    assert server.status()["caches"]["model"]["reloads"] == 1


def test_a_model_that_is_gone_is_a_503_and_comes_back(serve, tmp_path):
    home = Path(os.environ["KOKORO_HOME"])
    model = tmp_path / "model.onnx"
    target = os.environ.get("KOKORO_MODEL") or home / "model" / "kokoro-v1.0.int8.onnx"
    model.symlink_to(target)
    server = serve(KOKORO_UNLOAD_AFTER_S="1", KOKORO_MODEL=str(model))
    wait_unloaded(server)
    model.unlink()
    message = error_of(server.post({"input": TEXT}), 503, None, "model_unavailable")
    assert "model.onnx" in message
    assert server.get("/health").status_code == 200
    assert server.status()["caches"]["model"]["failed_reloads"] == 1
    model.symlink_to(target)
    ask(server, "miss")
    assert server.status()["model_state"] == "loaded"


def test_who_speaks_keeps_the_model(serve):
    server = serve(KOKORO_UNLOAD_AFTER_S="1")
    end = time.monotonic() + 5
    while time.monotonic() < end:
        ask(server, None, no_cache=True, **FAST)
        assert server.status()["caches"]["model"]["unloads"] == 0
        time.sleep(0.1)

"""The cache directory over HTTP: what it shows, what a clean-up does while the server speaks."""

import fcntl
import os
import shutil
import subprocess
import threading
import time

import pytest
from conftest import error_of

HOUR = 3600
KINDS = {"packed_models", "optimised_models", "openvino", "benchmark_record", "audio_results",
         "temporary", "other"}
POLICIES = {
    "age": {"removed_files", "removed_dirs", "freed_space_mb", "errors"},
    "temp_dirs": {"removed_dirs", "freed_space_mb", "errors"},
    "size": {"removed_files", "freed_space_mb", "message"},
    "patterns": {"removed_files", "freed_space_mb", "patterns_processed", "errors"},
}


def put(path, age_h=0.0, size=1000):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    then = time.time() - age_h * HOUR
    os.utime(path, (then, then))
    return path


@pytest.fixture
def serve(needs_data, start, tmp_path):
    """A ready server with a cache of its own; the directory and the server."""

    def serve_one(**settings):
        environment = {"KOKORO_CACHE": str(tmp_path), "KOKORO_SKIP_BENCHMARKING": "true", **settings}
        return tmp_path, start("--port", "0", environment=environment).wait_ready()

    return serve_one


def wait_for_cleanup(server, n=1):
    """Until so many clean-ups have ended; the record of them, newest first."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        cleanups = server.get("/cache-status").json()["cleanups"]
        if cleanups["count"] >= n:
            return cleanups
        time.sleep(0.05)
    raise AssertionError(cleanups)


def test_status_has_the_shape_of_the_guide(serve):
    cache, server = serve()
    for path in ("/cache-status", "/v1/cache-status"):
        answer = server.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"].startswith("no-cache")
        body = answer.json()
        stats, advice = body["cache_statistics"], body["cleanup_recommendations"]
        assert {"total_size_mb", "file_count", "dir_count", "temp_dirs", "cache_path",
                "needs_cleanup"} <= set(stats)
        assert stats["cache_path"] == str(cache)
        assert set(advice) == {"needs_cleanup", "size_mb", "temp_dirs", "recommended_action"}
        assert advice["recommended_action"] == "none"
        assert set(body["kinds"]) == KINDS
        assert body["kinds"]["packed_models"]["files"] >= 1
        assert body["preserved"]["files"] >= 1  # the model that this server has mapped
        assert body["limits"]["max_mb"] == 500
        assert body["cleanups"] == {"count": 0, "total_freed_mb": 0, "recent": []}
    for _ in range(2):
        for i in range(11):
            put(cache / f"tmp{i}" / "x")
        body = server.get("/cache-status").json()
        if body["cleanups"]["count"] == 0:
            break  # else the clean-up of the start came late and took one: it comes once
    assert body["cleanup_recommendations"] == {
        "needs_cleanup": True, "size_mb": body["cache_statistics"]["total_size_mb"],
        "temp_dirs": 11, "recommended_action": "cleanup"}
    assert server.stop() == 0


def test_cleanup_has_the_shape_of_the_guide_and_keeps_what_is_in_use(serve):
    cache, server = serve()
    models = [*cache.glob("native/*"), *cache.glob("ort/*")]
    for model in models:
        os.utime(model, (1, 1))
    put(cache / "native" / "0000000000000000.pack", 100)
    put(cache / "old.bin", 25, 1 << 20)
    put(cache / "benchmark" / "record.json", 900)
    half = put(cache / "half.bin", 13)
    answer = server.get("/cache-cleanup")
    error_of(answer, 405)
    for value in ("maybe", "", "2", "true%20"):
        error_of(server.post(None, f"/cache-cleanup?aggressive={value}"), 400, "aggressive")
    assert (cache / "old.bin").exists()
    body = server.post(None, "/cache-cleanup").json()
    assert list(body) == ["success", "cleanup_result", "message"]
    assert body["success"] is True
    result = body["cleanup_result"]
    assert {"initial_size_mb", "final_size_mb", "total_freed_mb"} <= set(result)
    assert {name: set(policy) for name, policy in result["cleanup_results"].items()} == POLICIES
    assert result["cleanup_results"]["age"]["removed_files"] == 2
    assert result["total_freed_mb"] == pytest.approx(1, abs=0.01)
    assert "freed 1.0MB" in body["message"]
    assert all(model.exists() for model in models) and half.exists()
    assert (cache / "benchmark" / "record.json").exists()
    assert server.post(None, "/v1/cache-cleanup?aggressive=True").json()["success"] is True
    assert not half.exists()
    assert all(model.exists() for model in models)
    recent = server.get("/cache-status").json()["cleanups"]["recent"]
    assert [(c["cause"], c["aggressive"]) for c in recent] == [("request", True), ("request", False)]
    assert server.post({"input": "Still here.", "response_format": "wav"}).status_code == 200
    assert server.stop() == 0


def test_cleanups_of_the_command_and_of_an_earlier_server_are_shown(serve):
    cache, server = serve()
    assert server.post(None, "/cache-cleanup").json()["success"] is True
    assert server.post({"input": "Before.", "response_format": "wav"}).status_code == 200
    put(cache / "old.bin", 25, 1 << 20)
    command = [os.environ["KOKORO_PROGRAM"], "cleanup-cache", "--aggressive"]
    subprocess.run(command, env={**os.environ, "KOKORO_CACHE": str(cache)}, check=True,
                   stdout=subprocess.DEVNULL)

    def shown():
        cleanups = server.get("/cache-status").json()["cleanups"]
        return cleanups["count"], cleanups["recent"]

    count, (theirs, own) = shown()
    assert (count, own["source"], own["cause"]) == (1, "server", "request")
    assert (theirs["source"], theirs["cause"], theirs["aggressive"]) == ("command", "command", True)
    assert theirs["freed_mb"] == 1 and theirs["removed_files"] == 1 and theirs["elapsed_ms"] > 0
    assert theirs["performance_impact"]["before"]["requests"] == 1
    assert set(theirs) == set(own)
    assert server.stop() == 0
    _, server = serve()
    count, recent = shown()
    assert count == 0
    assert [c["source"] for c in recent] == ["command", "server"]
    assert recent[0]["performance_impact"] is None  # it was not there
    assert recent[1]["performance_impact"]["before"] == own["performance_impact"]["before"]
    assert recent[1]["started_at"] == own["started_at"]
    assert server.stop() == 0


def test_a_second_cleanup_and_a_foreign_page_are_refused(serve):
    cache, server = serve()
    lock = os.open(cache, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    error_of(server.post(None, "/cache-cleanup"), 409, code="cleanup_running")
    os.close(lock)
    error_of(server.post(None, "/cache-cleanup", headers={"Origin": "http://example.com"}), 403)
    assert server.post(None, "/cache-cleanup").status_code == 200
    recent = server.get("/cache-status").json()["cleanups"]["recent"]
    assert "another clean-up" in recent[1]["error"] and recent[0]["error"] is None
    assert server.stop() == 0


def test_the_start_cleans_only_what_is_over_a_limit(serve, tmp_path):
    old = put(tmp_path / "old.bin", 100)
    cache, server = serve()
    time.sleep(0.5)
    assert server.get("/cache-status").json()["cleanups"]["count"] == 0 and old.exists()
    assert server.stop() == 0
    for i in range(12):
        put(tmp_path / f"tmp{i}" / "x")
    cache, server = serve()
    cleanup = wait_for_cleanup(server)["recent"][0]
    assert (cleanup["cause"], cleanup["running"], cleanup["error"]) == ("start", False, None)
    assert not old.exists() and len(list(cache.glob("tmp*"))) == 10
    assert [*cache.glob("native/*")]
    server.wait_log("Cache cleanup completed")
    assert server.stop() == 0


def test_a_directory_that_is_no_cache_is_refused(serve, tmp_path):
    voices = tmp_path / "voices.pack"
    shutil.copy(os.path.join(os.environ["KOKORO_HOME"], "voices", "voices.pack"), voices)
    os.utime(voices, (1, 1))
    _, server = serve(KOKORO_VOICES=str(voices))
    message = error_of(server.post(None, "/cache-cleanup"), 409, code="cache_dir_refused")
    assert "voices.pack lies there" in message and voices.exists()
    assert server.stop() == 0


def test_what_a_cleanup_costs_the_speech_is_shown(serve):
    cache, server = serve()
    body = {"input": "The rain falls, the wind blows, and nobody minds. " * 6,
            "response_format": "wav", "stream": False}
    assert server.post({**body, "input": "Before."}).status_code == 200
    answers = []
    speaker = threading.Thread(target=lambda: answers.append(server.post(body)))
    speaker.start()
    while server.status()["queue"]["running"] == 0:
        time.sleep(0.01)
    for i in range(2000):
        put(cache / "old" / f"{i}", 100, 10)
    assert server.post(None, "/cache-cleanup").json()["cleanup_result"]["cleanup_results"]["age"][
        "removed_files"] == 2000
    assert server.get("/health").status_code == 200
    speaker.join(300)
    assert answers[0].status_code == 200
    cleanup = server.get("/cache-status").json()["cleanups"]["recent"][0]
    assert cleanup["removed_files"] == 2000 and cleanup["elapsed_ms"] > 0
    impact = cleanup["performance_impact"]
    assert impact["before"]["requests"] == 1 and impact["during"]["requests"] == 1
    for part in impact.values():
        assert 0 < part["first_sound_mean_ms"] <= part["total_mean_ms"]
        assert part["first_sound_p95_ms"] >= part["first_sound_mean_ms"] - 0.001
    assert impact["during"]["total_mean_ms"] > impact["before"]["total_mean_ms"]
    assert server.stop() == 0


def test_cleaning_while_many_speak_harms_nobody(serve):
    cache, server = serve()
    failures = []

    def speak(number):
        for turn in range(3):
            answer = server.post({"input": f"Number {number}, turn {turn}.",
                                  "response_format": "wav"})
            if answer.status_code != 200:
                failures.append(answer.text)

    speakers = [threading.Thread(target=speak, args=(i,)) for i in range(4)]
    for speaker in speakers:
        speaker.start()
    statuses = set()
    while any(speaker.is_alive() for speaker in speakers):
        put(cache / "tmpjunk" / "x", 100)
        statuses.add(server.post(None, "/cache-cleanup?aggressive=true").status_code)
        statuses.add(server.get("/cache-status").status_code)
    assert failures == [] and statuses <= {200, 409}
    assert [*cache.glob("native/*")]
    assert server.stop() == 0

"""Many clients at once: what is accepted comes whole, what is refused says when to come again, what is cut leaves nothing."""

import os
import threading
import time

import cancel
import pytest
from conftest import SLOW
from load import ask, left_of, overload, soak, text_of

import random

# Of a soak; KOKORO_SOAK_REQUESTS=10000 for a long one.
REQUESTS = int(os.environ.get("KOKORO_SOAK_REQUESTS", "150"))


def test_a_full_queue_is_refused_and_the_accepted_come_whole(start):
    server = start("--port", "0", environment={"KOKORO_MAX_QUEUE": "3"}).wait_ready()
    seen = overload(server.port, server.process.pid, clients=26, seconds=1, speed=4)
    assert seen["other"] == [] and seen["cut"] == 0
    assert seen["accepted"] >= 16 and seen["refused"] > 0
    low, high = seen["retry_after_s"]
    assert 1 <= low <= high <= 120
    assert server.status()["errors"]["by_kind"]["busy"] == seen["refused"]
    server.wait_idle()


@SLOW
def test_an_overload_is_borne(start, needs_data):
    """Far more clients than can be served: memory has an end, and who is not refused gets every byte. bench/README.md
    has a minute of it, 389 MB at the peak."""
    server = start("--port", "0", environment={"KOKORO_MAX_QUEUE": "16"}).wait_ready()
    seen = overload(server.port, server.process.pid, clients=64, seconds=10, speed=2)
    assert seen["other"] == [] and seen["cut"] == 0
    assert seen["accepted"] >= 32 and seen["refused"] > 0
    assert seen["retry_after_s"][0] >= 1
    assert seen["peak_mb"] < 700
    status = server.status()
    assert status["queue"]["peak_waiting"] == 16 and status["queue"]["peak_running"] == 16
    assert status["errors"]["by_kind"]["busy"] == seen["refused"]
    server.wait_idle()
    assert left_of(server.process.pid)["descriptors"] <= seen["before"]["descriptors"] + 2


# From when the server saw that its client is gone to the end of the work for him, as the server counts it: 1 to 2 ms on
# an idle machine. Other programs on the processor may hold up half of the twenty; a server that is too slow would be it
# every time.
@SLOW
@pytest.mark.parametrize("moment", ["in_a_sentence", "in_a_long_chunk"])
def test_the_work_for_who_leaves_ends_within_50_ms(moment, needs_data):
    tried = []
    while not tried or (tried[-1]["p50"] > 50 and len(tried) < 4):
        tried.append(cancel.measure(moment, 1, 20, []))
        assert tried[-1]["cancelled"] >= 15
    assert tried[-1]["p50"] <= 50, tried


@SLOW
def test_mixed_requests_leave_nothing(start, tmp_path):
    server = start("--port", "0", environment={"KOKORO_CACHE": str(tmp_path / "cache"), "KOKORO_RESULT_CACHE_MEMORY_MB": "4",
                                               "KOKORO_RESULT_CACHE_DISK_MB": "4"}).wait_ready()
    pid = server.process.pid
    soak(server.port, pid, 60, seed=2)  # every thread and buffer that there will be
    server.wait_idle()
    seen = soak(server.port, pid, REQUESTS, cache=tmp_path / "cache")
    server.wait_idle()
    assert set(seen["answers"]) <= {"200", "400", "None"}
    assert seen["answers"]["200"] > REQUESTS / 3 and seen["answers"]["400"] > 0
    end = time.monotonic() + 30
    while time.monotonic() < end and left_of(pid)["descriptors"] > seen["before"]["descriptors"]:
        time.sleep(0.2)
    left = left_of(pid, tmp_path / "cache")
    assert left["descriptors"] <= seen["before"]["descriptors"]
    # Each of the sixteen inferences that may be under way keeps a thread of the model for the next.
    assert left["threads"] <= seen["before"]["threads"] + 16
    assert left["temporary"] == 0
    assert server.get("/health").status_code == 200
    if REQUESTS >= 5000:
        assert seen["slope_mb_an_hour"] < 50


def test_who_leaves_while_others_wait_frees_the_model(start):
    """The queue is full of clients who left: the one who stayed is served as though he were alone."""
    server = start("--port", "0").wait_ready()
    rng = random.Random(5)
    long = {"input": " ".join(text_of(rng, 30) for _ in range(40)), "no_cache": True, "stream": False}
    leavers = [threading.Thread(target=ask, args=(server.port, long), kwargs={"stop_after": 0}) for _ in range(40)]
    for leaver in leavers:
        leaver.start()
    for leaver in leavers:
        leaver.join()
    status, n, _ = ask(server.port, {"input": "Here I am.", "response_format": "pcm", "no_cache": True})
    assert status == 200 and n > 10000
    server.wait_idle(20)  # forty times twenty seconds of work would have been waiting
    assert server.status()["errors"]["by_kind"]["cancelled"] >= 40

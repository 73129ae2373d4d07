"""What was wrong in the Kokoro-ONNX TTS API's monitoring, benchmark and caches cannot happen here.

A test for each of the nineteen defects that were found by reading it, M1 to M19, from outside; where the
arithmetic is the point, a unit test has it too (named at the test).
"""

import concurrent.futures
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from conftest import SLOW, make_place, start_in, wait_until

pytestmark = SLOW

QUICK = ("benchmark", "--quick", "--provider", "native", "--runs", "3", "--json")


@pytest.fixture
def kokoro(place):
    """Runs a subcommand in the place; the finished process."""
    work, home = place

    def run(*arguments, directory=work, **environment):
        variables = {k: v for k, v in os.environ.items() if not k.startswith("KOKORO_")}
        return subprocess.run(
            [os.environ["KOKORO_PROGRAM"], *arguments],
            cwd=directory,
            env={**variables, "KOKORO_HOME": str(home), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def measured(tmp_path_factory, needs_data):
    """What one whole quick run left: its record, and its results. A number of runs that is asked for is made
    whatever time it takes: on a busy machine a quick run by itself leaves ways out."""
    work, home = make_place(tmp_path_factory.mktemp("measured"))
    variables = {k: v for k, v in os.environ.items() if not k.startswith("KOKORO_")}
    subprocess.run(
        [os.environ["KOKORO_PROGRAM"], "benchmark", "--quick", "--continue-on-error", "--runs", "3"],
        cwd=work,
        env={**variables, "KOKORO_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=400,
    )
    record = (home / "cache/benchmark/record.json").read_bytes()
    return record, json.loads((work / "benchmark_results.json").read_text())


def put_record(place, measured):
    path = record_path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(measured[0])


def record_path(place):
    return place[1] / "cache/benchmark/record.json"


def change_record(place, **changes):
    path = record_path(place)
    record = {**json.loads(path.read_text()), **changes}
    new = path.with_suffix(".new")
    new.write_text(json.dumps(record))
    new.rename(path)


def scheduled(server):
    return server.status()["scheduled_benchmark"]


def test_m1_one_record_for_server_and_commands(kokoro, start, place, measured):
    put_record(place, measured)
    server = start_in(start, place, KOKORO_BENCHMARK_FREQUENCY="manually").wait_ready()
    ours = json.loads(kokoro("benchmark-cache", "--inspect", "--json").stdout)
    recommended = scheduled(server)["record"]["recommended"]
    assert recommended["provider"] in json.dumps(ours)
    assert "valid" in kokoro("benchmark-cache", "--status").stdout
    assert kokoro("benchmark-cache", "--clear").returncode == 0
    wait_until(
        lambda: scheduled(server)["record"]["state"], lambda s: s == "unmeasured", 5, "not cleared"
    )


def test_m2_results_expire(kokoro, start, place, measured):
    put_record(place, measured)
    day = 86400.0
    change_record(place, benchmark_date=time.time() - 8 * day, refreshed_after=0.0)
    assert "expired" in kokoro("benchmark-cache", "--status").stdout
    monthly = kokoro("benchmark-cache", "--status", KOKORO_BENCHMARK_FREQUENCY="monthly")
    assert "expired" not in monthly.stdout and "valid" in monthly.stdout
    longer = kokoro("benchmark-cache", "--status", KOKORO_DEVELOPMENT_MODE="true")
    assert "expired" not in longer.stdout and "valid" in longer.stdout
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true").wait_ready()
    wait_until(
        lambda: scheduled(server)["record"]["state"], lambda s: s == "expired", 5, "not expired"
    )


def test_m3_forcing_measures(kokoro, place, measured):
    put_record(place, measured)
    before = json.loads(record_path(place).read_text())["benchmark_date"]
    done = kokoro("benchmark-cache", "--force-benchmark")
    assert done.returncode == 0, done.stderr
    assert json.loads(record_path(place).read_text())["benchmark_date"] > before


def test_m4_the_faster_one_is_chosen(measured):
    """The rule's sign and threshold are in unit_bench_choice; here it holds on real figures."""
    result = measured[1]
    assert len(result["ways"]) > 1 and not result["left_out"]
    times = {}
    for way in result["ways"]:
        timing = next(t for t in way["timings"] if t["text"] == result["deciding_text"])
        if timing["inference_s"] and way["quality"]["log_mel_db"] <= 1.0:
            times[name_of(way)] = timing["median_s"]
    assert times[name_of(result["choice"]["recommended"])] <= 1.06 * min(times.values())


def name_of(way):
    return way["provider"], way["precision"], way["threads"]


def test_m5_options_change_the_run(kokoro):
    plain = json.loads(kokoro(*QUICK).stdout)
    more = json.loads(kokoro(*QUICK, "--warmup-runs", "3", "--enable-long-text").stdout)
    assert more["warm_ups"] == 3 != plain["warm_ups"]
    assert len(more["texts"]) > len(plain["texts"])
    five = json.loads(kokoro("benchmark", "--quick", "--provider", "native", "--consistency-runs", "5",
                             "--json").stdout)
    assert len(five["ways"][0]["timings"][0]["inference_s"]) == 5


def test_m6_status_starts_a_benchmark(start, place):
    server = start_in(start, place, KOKORO_BENCHMARK_IDLE_S="3600").wait_ready()
    wait_until(lambda: scheduled(server)["state"], lambda s: s == "running", 10, "never began")


def test_m7_m8_m9_work_is_counted_where_it_was_done(start, place):
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true").wait_ready()
    first = server.status()
    assert server.post({"input": "One sentence. And a second one.", "stream": True}).status_code == 200
    assert server.post({"input": "The cat sat.", "stream": False}).status_code == 200
    now = server.status()["performance"]
    assert now["provider_used"] == "native"
    assert now["total_inferences"] - first["performance"]["total_inferences"] >= 2
    assert now["coreml_inferences"] == 0 and now["cpu_inferences"] == now["total_inferences"]
    assert now["average_inference_time"] > 0.005  # no cache hit was taken for an inference
    assert now["phonemizer_fallbacks"] == first["performance"]["phonemizer_fallbacks"] == 0
    assert server.post({"input": "Xqzvbnk wrtplgh."}).status_code == 200
    after = server.status()
    assert after["performance"]["phonemizer_fallbacks"] >= 1
    assert 0 < after["performance"]["phonemizer_fallback_rate"] < 100
    assert server.post({"input": ""}).status_code == 400
    assert server.status()["errors"]["total"] == after["errors"]["total"] + 1
    assert server.status()["memory_fragmentation"]["cleanup_count"] <= 2


def test_m10_a_hit_moves_the_rates(start, place):
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true", KOKORO_RESULT_CACHE_MEMORY_MB="32")
    server.wait_ready()

    def cache():
        return server.status()["tts_processing"]["inference_cache"]

    assert cache()["hit_rate"] == cache()["miss_rate"] == 0.0
    rates = []
    for _ in range(4):
        assert server.post({"input": "The same again.", "stream": False}).status_code == 200
        now = cache()
        rates.append((now["hit_rate"], now["miss_rate"]))
    assert rates == [(0.0, 1.0), (0.5, 0.5), (pytest.approx(2 / 3, abs=1e-5), pytest.approx(1 / 3, abs=1e-5)),
                     (0.75, 0.25)]
    assert cache()["total_entries"] == 1 and cache()["cache_size_mb"] > 0


def test_m11_no_section_breaks(start, place):
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true").wait_ready()
    for number in range(15):
        assert server.post({"input": f"Number {number}."}).status_code == 200
    for name, section in server.status().items():
        assert not (isinstance(section, dict) and "error" in section), (name, section)


def test_m12_the_report_keeps_what_the_server_does_not_write(kokoro, start, place):
    assert kokoro(*QUICK).returncode == 0
    report = place[0] / "benchmark_results.md"
    before = report.read_text()
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true").wait_ready()
    assert server.post({"input": "Something to count."}).status_code == 200
    after = wait_until(report.read_text, lambda text: text != before, 10, "nothing was written")
    assert [h for h in before.splitlines() if h.startswith("#")] == [
        h for h in after.splitlines() if h.startswith("#")
    ]
    heading = "Runtime Performance Tracking"
    parts = [re.split(rf"(?m)^#+ .*{heading}.*$", text) for text in (before, after)]
    assert parts[0][0] == parts[1][0]
    tails = [re.split(r"(?m)^## ", part[1])[1:] for part in parts]
    assert tails[0] == tails[1]


def test_m13_nothing_is_told_that_is_not_known(start, place):
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true").wait_ready()
    for path in ("/security-status", "/warning-stats", "/optimization-status"):
        assert server.get(path).status_code == 404


def test_m14_a_clean_up_keeps_what_is_in_use(kokoro, start, place, measured):
    assert kokoro(*QUICK).returncode == 0
    put_record(place, measured)
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true").wait_ready()
    cache = place[1] / "cache"
    kept = {p for p in cache.rglob("*") if p.is_file() and ".tmp" not in p.name}
    old = time.time() - 40 * 86400
    for path in kept:
        os.utime(path, (old, old))
    junk = cache / "tmpjunk"
    junk.mkdir()
    (junk / "file").write_bytes(b"x")
    os.utime(junk / "file", (old, old))
    os.utime(junk, (old, old))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        speech = pool.submit(server.post, {"input": "A sentence while it cleans up. " * 5})
        answers = [server.post({}, "/cache-cleanup?aggressive=true") for _ in range(3)]
        assert speech.result().status_code == 200
    assert answers[0].json()["success"] is True
    assert not junk.exists()
    for path in kept:
        assert path.exists(), path
    assert record_path(place).exists() and (place[1] / "history.db").exists()


def test_m15_a_benchmark_freezes_nothing_and_a_failure_is_remembered(start, place):
    server = start_in(start, place).wait_ready()
    wait_until(lambda: scheduled(server)["state"], lambda s: s == "running", 15, "never began")
    # A benchmark takes both cores for seconds; who froze with it would answer after it.
    times = []
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for _ in range(50):
            begin = time.monotonic()
            assert client.get("/health").status_code == 200
            times.append(time.monotonic() - begin)
            time.sleep(0.02)
    assert scheduled(server)["state"] == "running"
    times.sort()
    assert times[25] < 0.25 and times[-1] < 2, times
    # Its child dies: that is told, counted, and not tried again before its time.
    pids = [int(p.name) for p in Path("/proc").glob("[0-9]*") if is_child_of(p, server.process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    last = wait_until(lambda: server.get("/benchmark").json()["last"], bool, 10, "no end")
    assert last["success"] is False and "137" in last["message"]
    time.sleep(4)
    assert scheduled(server)["state"] == "idle"
    assert server.stop() == 0
    again = start_in(start, place, KOKORO_BENCHMARK_IDLE_S="0").wait_ready()
    time.sleep(4)
    now = scheduled(again)
    assert now["state"] == "idle" and now["last_attempt"] is not None
    assert now["due_for_benchmark"] is False and now["next_scheduled_run"] is not None


def is_child_of(process, parent):
    """A benchmark that the server started; its helper for unknown words is none."""
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        return int(fields[1]) == parent and b"benchmark" in (process / "cmdline").read_bytes()
    except OSError:
        return False


def test_m16_a_fresh_directory_works_and_a_failure_is_a_failure(kokoro, place, start, tmp_path):
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    done = kokoro(*QUICK, directory=fresh)
    assert done.returncode == 0, done.stderr
    assert (fresh / "benchmark_results.md").exists()
    assert kokoro(*QUICK, KOKORO_MODEL=str(tmp_path / "none.onnx")).returncode == 1
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true").wait_ready()
    assert {server.get("/health").status_code for _ in range(150)} == {200}


def test_m17_a_start_does_not_read_the_whole_model(start, place):
    """How much of the file the fingerprint reads is in unit_record_time: 64 blocks, and nothing when asked again."""
    start_in(start, place, KOKORO_SKIP_BENCHMARKING="true").wait_ready().stop()
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true").wait_ready()
    read = int(re.search(r"rchar: (\d+)", Path(f"/proc/{server.process.pid}/io").read_text())[1])
    model = (place[1] / "model/kokoro-v1.0.int8.onnx").stat().st_size
    for _ in range(5):
        server.status()
        time.sleep(1)
    later = int(re.search(r"rchar: (\d+)", Path(f"/proc/{server.process.pid}/io").read_text())[1])
    assert read < model / 2 and later - read < model / 2


def test_m18_runs_are_remembered_and_compared(kokoro, place):
    for _ in range(2):
        result = json.loads(kokoro(*QUICK).stdout)
    assert result["hardware"]["cpu_model"] and "load_before" in result
    assert result["ways"][0]["peak_mb"] > 50
    report = (place[0] / "benchmark_results.md").read_text()
    for word in ("p95", "spread", "Memory", "History"):
        assert word.lower() in report.lower(), word
    history = json.loads(kokoro("benchmark", "--history", "--json").stdout)
    assert len(history["runs"]) == 2
    compared = kokoro("benchmark", "--quick", "--provider", "native", "--runs", "3", "--compare",
                      str(place[0] / "benchmark_results.json"))
    assert compared.returncode == 0 and "p " in compared.stdout.lower()


def test_m19_skipping_skips(start, place):
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true", KOKORO_BENCHMARK_IDLE_S="0")
    server.wait_ready()
    for _ in range(5):
        assert scheduled(server)["state"] == "idle"
        time.sleep(1)
    assert not (place[1] / "cache/benchmark/attempts").exists()

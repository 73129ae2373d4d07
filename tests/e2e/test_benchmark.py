"""The server's own benchmarks, and what it does when .env and the record change under it."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from conftest import SLOW, error_of, start_in, wait_until

SENTENCE = "The quick brown fox jumps over the lazy dog, and then it runs back into the forest."
pytestmark = SLOW

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


def section(server):
    return server.status()["scheduled_benchmark"]


def recommend(record, provider, precision):
    """Another way, as a process writes it that found it to be the best. It stands among the results,
    as record.h has it, also where a quick run on a busy machine had no time to measure it."""
    threads = record["recommended"]["threads"]
    way = {"provider": provider, "precision": precision, "threads": threads}
    name = f"{provider} {precision}, {threads} thread{'' if threads == 1 else 's'}"
    if name not in record["benchmark_results"]:
        record["benchmark_results"][name] = 0.01
        record["results"].insert(0, {**way, "quality_db": 1.0})
    record["recommended"], record["recommended_provider"] = way, provider


def test_status_starts_one_that_makes_way_for_speech(start, place):
    work, home = place
    server = start_in(start, place).wait_ready()
    first = section(server)
    assert first["record"]["state"] == "unmeasured"
    assert first["last_run"] is None and first["due_for_benchmark"] in (True, False)
    wait_until(lambda: section(server)["state"], lambda s: s == "running", 15, "never began")
    assert len(list((home / "cache/benchmark/attempts").iterdir())) == 1

    # A second one is refused, and a request finds the processor free.
    error_of(server.post({}, "/benchmark"), 409, code="benchmark_running")
    with httpx.stream(
        "POST", server.url + "/v1/audio/speech", timeout=300,
        json={"input": f"{SENTENCE} " * 12, "response_format": "pcm"},
    ) as answer:
        assert answer.status_code == 200
        assert section(server)["state"] == "paused"
        sound = answer.read()
    assert len(sound) > 24000 * 2 * 30
    wait_until(lambda: section(server)["state"], lambda s: s in ("running", "idle"), 15, "stopped")

    # Progress only grows; then all is remembered, reported and in use.
    progress = []

    def look():
        answer = server.get("/benchmark").json()
        if answer["run"] is not None:
            progress.append(answer["run"]["progress"])
        return answer

    done = wait_until(look, lambda a: a["status"] == "idle", 500, "no end")
    assert progress == sorted(progress) and 0 <= progress[0] and progress[-1] <= 1
    assert done["last"]["success"], done["last"]
    assert done["last"]["results"]["mode"] == "quick"
    report = Path(done["last"]["results_file"])
    assert report.parent.parent == home / "reports"
    for name in ("benchmark_results.json", "benchmark_results_timing.svg"):
        assert (work / name).read_bytes() == (report.parent / name).read_bytes()
    # The one that people read is kept up: the server writes its own figures into it.
    heading = "## Runtime Performance Tracking"
    ours, kept = (path.read_text() for path in (work / report.name, report))
    assert ours.partition(heading)[0] == kept.partition(heading)[0]
    # At once, though nobody has spoken since.
    wait_until(
        lambda: (work / report.name).read_text(), lambda t: "since the start" in t, 5, "no figures"
    )
    now = section(server)
    assert now["record"]["state"] == "valid"
    assert ISO.match(now["last_run"]) and ISO.match(now["next_scheduled_run"])
    assert now["due_for_benchmark"] is False
    assert 0 <= now["time_since_last_hours"] < 0.2
    time.sleep(3)
    assert section(server)["state"] == "idle"

    # The record recommends another way: the server follows, and nobody notices.
    record_path = home / "cache/benchmark/record.json"
    record = json.loads(record_path.read_text())
    used = server.status()["providers"]["used"]
    assert used == record["recommended"]["provider"]
    recommend(record, "onnxruntime", "file")
    # Its form of the model is there, so that it is opened at once, as after a run that measured it.
    subprocess.run(
        [os.environ["KOKORO_PROGRAM"], "say", "--provider", "onnxruntime", "-o", str(work / "a.wav"), "Hi."],
        env={**os.environ, "KOKORO_HOME": str(home)}, check=True,
    )
    other = record_path.with_suffix(".new")
    other.write_text(json.dumps(record))
    other.rename(record_path)
    wait_until(
        lambda: server.status()["providers"],
        lambda p: p["used"] == "onnxruntime",
        120,
        "the server does not follow the record",
    )
    assert server.post({"input": "Still here."}).status_code == 200
    assert server.stop() == 0


def measure_shortly(place):
    """A record of this machine, by a run of a second or two."""
    work, home = place
    (work / "text").write_text("Hello.\n")
    words = ("--quick", "--runs", "1", "--warmup-runs", "0", "--text-file", str(work / "text"))
    subprocess.run(
        [os.environ["KOKORO_PROGRAM"], "benchmark", *words], cwd=work, check=True, capture_output=True,
        env={**os.environ, "KOKORO_HOME": str(home), "KOKORO_OPENVINO_LIBRARY": str(home / "none.so")})
    return home / "cache/benchmark/record.json"


def test_a_record_that_goes_or_mends_is_followed(start, place):
    _, home = place
    path = measure_shortly(place)
    measured = path.read_text()
    library = {"KOKORO_OPENVINO_LIBRARY": str(home / "none.so")}

    def put(reason, provider=None):
        record = json.loads(measured)
        record["reason"] = reason
        if provider is not None:
            recommend(record, provider, "file")
        other = path.with_suffix(".new")
        other.write_text(json.dumps(record))
        other.rename(path)

    def choice(server, wanted):
        def read():
            providers = server.status()["providers"]
            return providers["choice"], providers["used"], providers["choice_reason"]
        return wait_until(read, lambda got: wanted in (got[0], got[2]), 5, wanted)

    put("onnxruntime won.", "onnxruntime")
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true", **library).wait_ready()
    assert choice(server, "measured") == ("measured", "onnxruntime", "onnxruntime won.")
    subprocess.run([os.environ["KOKORO_PROGRAM"], "benchmark-cache", "--clear"], check=True,
                   capture_output=True, env={**os.environ, "KOKORO_HOME": str(home)})
    assert choice(server, "unmeasured") == ("unmeasured", "native", "there is no benchmark record")
    put("native won.")
    assert choice(server, "native won.")[:2] == ("measured", "native")
    put("native won again.")
    assert choice(server, "native won again.")[:2] == ("measured", "native")
    path.write_text("{")
    assert choice(server, "unmeasured")[1] == "native"
    put("nobody won.", "nobody")
    assert choice(server, "fallback")[1] == "native"
    put("native won at last.")
    assert choice(server, "native won at last.")[:2] == ("measured", "native")
    assert server.post({"input": "Still here."}).status_code == 200
    assert server.stop() == 0


def test_one_starts_by_itself_when_nobody_asks(start, place):
    server = start_in(start, place, KOKORO_BENCHMARK_IDLE_S="2").wait_ready()
    server.wait_log(r"benchmark: quick run begins", 30)
    assert section(server)["state"] == "running"
    assert server.stop() == 0


def test_one_waits_for_the_idle_time(start, place):
    server = start_in(start, place, KOKORO_BENCHMARK_IDLE_S="3600").wait_ready()
    time.sleep(6)
    assert not [line for line in server.log if "run begins" in line]
    assert not (place[1] / "cache/benchmark/attempts").exists()
    assert server.stop() == 0


def test_what_was_found_outlives_failures_and_the_server(start, place):
    work, home = place
    server = start_in(start, place, KOKORO_BENCHMARK_FREQUENCY="manual").wait_ready()
    assert server.get("/benchmark").json()["last"] is None

    def run(server):
        assert server.post({}, "/benchmark").status_code == 202
        wait_until(lambda: section(server)["state"], lambda s: s == "running", 15, "never began")

    def end(server):
        return wait_until(lambda: server.get("/benchmark").json(), lambda a: a["status"] == "idle", 500, "no end")

    run(server)
    first = end(server)["last"]
    assert first["success"] and first["results"]["choice"]["reason"] == first["message"] != "done"
    assert section(server)["results_file"] == first["results_file"]
    # While the next one runs, and when that was killed.
    time.sleep(1.1)
    run(server)
    during = server.get("/benchmark").json()
    assert during["last"] == first and during["last_good"] is None
    assert section(server)["results_file"] == first["results_file"]
    for pid in children_of(server.process.pid):
        os.kill(pid, 9)
    failed = end(server)
    assert failed["last"]["success"] is False and failed["last"]["results_file"] is None
    assert failed["last_good"] == first and Path(first["results_file"]).exists()
    assert server.stop() == 0
    again = start_in(start, place, KOKORO_BENCHMARK_FREQUENCY="manual").wait_ready()
    last = again.get("/benchmark").json()["last"]
    for key in ("success", "message", "results_file", "results"):
        assert last[key] == first[key]
    assert ISO.match(last["ended_at"])
    assert section(again)["results_file"] == first["results_file"]
    assert again.stop() == 0


def children_of(parent):
    """Benchmarks that the server started."""
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and b"benchmark" in (directory / "cmdline").read_bytes():
                yield int(directory.name)
        except OSError:
            continue


def test_forced_ones_and_the_end(start, place):
    work, home = place
    server = start_in(start, place, KOKORO_BENCHMARK_FREQUENCY="manual").wait_ready()
    now = section(server)
    assert now["frequency"] == "manually" and now["scheduler_active"] is False
    time.sleep(4)
    now = section(server)
    assert now["state"] == "idle" and now["next_scheduled_run"] is None
    error_of(server.post({}, "/benchmark?mode=slow"), 400, param="mode", code="invalid_mode")
    answer = server.post({}, "/benchmark?mode=full")
    assert answer.status_code == 202 and answer.json()["mode"] == "full"
    wait_until(lambda: section(server)["state"], lambda s: s == "running", 15, "never began")

    # The server's end is the benchmark's end too, with nothing half written.
    assert server.stop() == 0
    left = [p for p in home.rglob("*") if p.name.endswith(".tmp")]
    assert not left and not (home / "cache/benchmark/record.json").exists()
    time.sleep(0.5)
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            line = (directory / "cmdline").read_bytes()
        except OSError:
            continue
        assert str(home).encode() not in line, line


def test_skipping(start, place):
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true", KOKORO_BENCHMARK_IDLE_S="0")
    server.wait_ready()
    time.sleep(4)
    now = section(server)
    assert now["skip_benchmarking"] is True and now["scheduler_active"] is False
    assert now["state"] == "idle" and now["next_scheduled_run"] is None


def test_settings_are_followed(start, place):
    work, _ = place
    dotenv = work / ".env"
    dotenv.write_text("KOKORO_BENCHMARK_FREQUENCY=manual\nKOKORO_VOICE=af_sky\n")
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true").wait_ready()
    assert section(server)["frequency"] == "manually"
    text = {"input": "One voice.", "response_format": "wav"}
    before = server.post(text).content
    dotenv.write_text("KOKORO_BENCHMARK_FREQUENCY=monthly\nKOKORO_VOICE=am_michael\n")
    wait_until(lambda: section(server)["frequency"], lambda f: f == "monthly", 5, "not followed")
    assert server.post(text).content != before
    assert server.post({**text, "voice": "af_sky"}).content == before

    # How long a record is good is no reason to open the model again.
    dotenv.write_text("KOKORO_BENCHMARK_FREQUENCY=daily\nKOKORO_DEVELOPMENT_MODE=true\nKOKORO_VOICE=am_michael\n")
    wait_until(lambda: section(server)["frequency"], lambda f: f == "daily", 5, "not followed")
    time.sleep(2)
    assert not [line for line in server.log if "the model now runs on" in line]
    dotenv.write_text("KOKORO_BENCHMARK_FREQUENCY=monthly\nKOKORO_VOICE=am_michael\n")
    wait_until(lambda: section(server)["frequency"], lambda f: f == "monthly", 5, "not followed")

    # What cannot be read changes nothing, and is told.
    dotenv.write_text("KOKORO_BENCHMARK_FREQUENCY=hourly\n")
    server.wait_log(r"settings stay as they were: .*daily, weekly, monthly, manually", 5)
    assert section(server)["frequency"] == "monthly"
    dotenv.write_text("KOKORO_VOICE=am_michael\nKOKORO_BENCHMARK_FREQUENC")
    server.wait_log(r"settings stay as they were: \.env line 2 is no assignment", 5)
    assert section(server)["frequency"] == "monthly"
    dotenv.write_text("KOKORO_BENCHMARK_FREQUENCY=monthly\nKOKORO_PROVIDER=nobody\n")
    server.wait_log(r"provider stays as it was: .*unknown provider 'nobody'", 5)
    assert server.post(text).status_code == 200
    dotenv.write_text("KOKORO_BENCHMARK_FREQUENCY=monthly\nKOKORO_THREADS=1\n")
    wait_until(lambda: server.status()["providers"]["threads"], lambda n: n == 1, 10, "threads")
    assert [line for line in server.log if "the model now runs on" in line]
    assert server.stop() == 0


def test_a_wrong_dotenv_costs_no_benchmark(start, place):
    work, _ = place
    dotenv = work / ".env"
    dotenv.write_text("KOKORO_VOICE=af_sky\nKOKORO_BENCHMARK_MAX_S=8\nKOKORO_BENCHMARK_IDLE_S=3\n")
    server = start_in(start, place).wait_ready()
    dotenv.write_text("KOKORO_BENCHMARK_FREQUENCY=yearly\n")
    server.wait_log("settings stay as they were", 5)
    server.wait_log("run begins", 20)
    last = wait_until(lambda: server.get("/benchmark").json()["last"], lambda l: l is not None, 200, "no end")
    assert last["success"], last
    assert last["results"]["voice"] == "af_sky"
    assert section(server)["record"]["state"] == "valid"
    assert server.stop() == 0


def test_streams_of_a_server_with_keys(place):
    work, home = place
    program, keys = os.environ["KOKORO_PROGRAM"], str(work / "keys")
    key = subprocess.run([program, "keys", "add", "me", "--file", keys], text=True, check=True,
                         capture_output=True).stdout.split()[-1]
    (work / "text").write_text("Hello.\n")
    variables = {k: v for k, v in os.environ.items() if not k.startswith("KOKORO_")}

    def measure(**environment):
        return subprocess.run(
            [program, "benchmark", "--comprehensive", "--provider", "native", "--precision", "f32",
             "--text-file", str(work / "text"), "--runs", "1", "--json", "--port", "0"],
            cwd=work, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=400, check=False,
            env={**variables, "KOKORO_HOME": str(home), "KOKORO_API_KEYS_FILE": keys, **environment})

    refused = measure()
    assert refused.returncode == 1, refused.stderr
    assert "32 of 32 streams failed, the first by status 401" in refused.stderr
    assert "KOKORO_API_KEY" in refused.stderr
    assert [level["failed"] for level in json.loads(refused.stdout)["streams"]] == [8, 8, 8, 8]
    heard = measure(KOKORO_API_KEY=key)
    assert heard.returncode == 0, heard.stderr
    assert [level["failed"] for level in json.loads(heard.stdout)["streams"]] == [0, 0, 0, 0]
    assert key not in heard.stderr + heard.stdout


def test_a_library_that_crashes_when_it_is_loaded_leaves_the_server_alone(start, place):
    work, _ = place
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no compiler")
    (work / "fall.c").write_text(
        "#include <stdlib.h>\n__attribute__((constructor)) static void fall(void) { abort(); }\n")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", work / "fall.so", work / "fall.c"],
                   check=True)
    server = start_in(start, place, KOKORO_ORT_LIBRARY=str(work / "fall.so")).wait_ready()
    status = wait_until(server.status, lambda s: s["providers"]["known"], 60, "providers")
    found = {provider["name"]: provider for provider in status["providers"]["known"]}
    assert found["native"]["available"] and not found["onnxruntime"]["available"]
    assert "signal 6" in found["onnxruntime"]["reason"]
    assert server.post({"input": "Still there.", "response_format": "pcm"}).status_code == 200

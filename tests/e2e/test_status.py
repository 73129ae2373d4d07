"""GET /status and GET /metrics, field by field: docs/STATUS.md is the table that both must agree with."""

import fnmatch
import math
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest
from audio import FAST, LONG, SHORT, check_whole_wav
from conftest import Server, wait_until

ROOT = Path(__file__).resolve().parents[2]
QUIET = {"KOKORO_SKIP_BENCHMARKING": "true"}
TYPES = {"bool": bool, "int": int, "float": float, "str": str, "object": dict, "null": type(None)}


@pytest.fixture(scope="module")
def server(needs_data):
    """One that does not measure by itself, and gives memory back after a second."""
    running = Server("--port", "0", environment={**QUIET, "KOKORO_TRIM_AFTER_S": "1",
                                                 "KOKORO_TTFA_TARGET_MS": "60000"}).wait_ready()
    yield running
    assert running.stop() == 0, "\n".join(running.log[-20:])


def tables(columns):
    """Rows of the document's table whose head has these columns; no row of code is more than one line."""
    rows, inside = [], False
    for line in (ROOT / "docs" / "STATUS.md").read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells == columns:
            inside = True
        elif not cells:
            inside = False
        elif inside and not cells[0].startswith("---"):
            rows.append([cell.replace("\\|", "|") for cell in cells])
    assert rows
    return rows


def documented():
    """{pattern of a path: (its types, whether it is always there)}"""
    fields = {}
    for name, kind, _, _ in tables(["field", "type", "unit", "meaning"]):
        assert name.strip("`") not in fields, name
        kinds = {TYPES[word] for word in kind.rstrip("?").split("|")}
        fields[name.strip("`")] = (kinds, not kind.endswith("?"))
    return fields


def matches(pattern, path):
    parts, wanted = path.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(
        part.endswith("[]") == want.endswith("[]") and
        fnmatch.fnmatchcase(part.removesuffix("[]"), want.removesuffix("[]"))
        for part, want in zip(parts, wanted))


def leaves(value, path, stops):
    """(path, value) of all that is no container, or that the document does not look into."""
    if isinstance(value, dict) and path not in stops:
        for key, inner in value.items():
            assert "." not in key
            yield from leaves(inner, f"{path}.{key}" if path else key, stops)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path + "[]", stops)
    else:
        yield path, value


def check_shape(status):
    fields = documented()
    stops = {path for path, (kinds, _) in fields.items() if dict in kinds}
    seen = set()
    for path, value in leaves(status, "", stops):
        rows = [pattern for pattern in fields if matches(pattern, path)]
        assert rows, f"docs/STATUS.md does not list {path}"
        assert type(value) in fields[rows[0]][0], (path, value)
        seen.update(rows)
    missing = [path for path, (_, always) in fields.items() if always and path not in seen]
    assert not missing, missing
    return seen, fields


def wait_cleanup(server, count):
    """Until there were more clean-ups than `count`."""
    end = time.monotonic() + 60
    while server.status()["memory_fragmentation"]["cleanup_count"] <= count:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_shape_of_a_new_server(needs_data, start):
    running = start("--port", "0", environment=QUIET).wait_ready()
    status = wait_until(running.status, lambda s: s["onnx_providers"], 60, "providers")
    check_shape(status)
    p = status["performance"]
    assert p["total_inferences"] == p["total_requests"] == p["completed_count"] == 0
    assert p["average_inference_time"] == p["ttfa_average"] == p["rtf_average"] == 0.0
    assert p["provider_used"] == status["tts_processing"]["active_provider"]
    assert p["ttfa_target"] == 250
    assert status["memory_fragmentation"]["watchdog_active"] is True
    assert running.stop() == 0


def test_shape_after_work(server):
    server.post({"input": SHORT, "stream": False})
    server.post({"input": ""})
    wait_cleanup(server, 0)
    seen, fields = check_shape(server.status())
    # What is there only when there is something to tell, is there now.
    optional = {path for path, (_, always) in fields.items() if not always}
    assert optional - seen <= {"patch_status.patch_errors[]", "hardware.accelerators[]"}


def test_before_the_model_is_there(needs_data, start):
    running = start("--port", "0", environment=QUIET).wait_bound()
    status = running.status()
    if not status["model_loaded"]:
        assert status["performance"]["provider_used"] == "unknown"
        assert status["patch_status"]["applied"] is False
        assert status["patch_status"]["application_time"] is None
        assert status["providers"]["choice"] == "none"
    running.wait_ready()
    assert running.status()["patch_status"]["applied"] is True
    assert running.stop() == 0


@pytest.mark.parametrize("path", [".", ".performance", ".performance.average_inference_time",
                                  ".performance.provider_used", ".patch_status", ".hardware"])
def test_the_guide_asks(server, path):
    jq = shutil.which("jq")
    if jq is None:
        pytest.skip("jq is not installed")
    for route in ("/status", "/v1/status"):
        asked = subprocess.run([jq, "-e", path], input=server.get(route).text, text=True,
                               capture_output=True, check=True)
        assert asked.stdout.strip() not in ("", "null")


def test_a_good_request(server):
    before = server.status()["performance"]
    answer = server.post({"input": SHORT, "response_format": "wav", "stream": False})
    length = check_whole_wav(answer.content)
    after = server.status()["performance"]
    assert after["total_inferences"] == before["total_inferences"] + 1
    assert after["cpu_inferences"] == before["cpu_inferences"] + 1
    assert after["coreml_inferences"] == 0
    assert after["total_requests"] == before["total_requests"] + 1
    assert after["completed_count"] == before["completed_count"] + 1
    assert after["audio_seconds_total"] == pytest.approx(before["audio_seconds_total"] + length, abs=1e-3)
    assert after["cache_hits"] == after["cache_misses"] == 0
    by = after["inferences_by_provider"]
    assert sum(one["inferences"] for one in by.values()) == after["total_inferences"]
    assert sum(one["percent"] for one in by.values()) == pytest.approx(100)
    assert set(by) == {after["provider_used"]}
    assert 0 <= after["success_rate"] <= 1
    for window in after["windows"].values():
        assert window["total_requests"] == window["completed_count"] + window["error_count"]
        for name, unit in {"inference_time": "average_inference_time", "ttfa": "ttfa_average",
                           "rtf": "rtf_average"}.items():
            spread = window[name]
            assert 0 < spread["p50"] <= spread["p95"] <= spread["p99"]
            # A mean lies between the extremes: no quantile can be all above or below it by more than its error.
            assert window[unit] <= spread["p99"] * 1.1
    all_time = after["windows"]["since_start"]
    for name in ("total_requests", "completed_count", "success_count", "total_inferences", "ttfa_average",
                 "rtf_average", "average_inference_time"):
        assert all_time[name] == after[name]
    assert after["windows"]["last_5_min"]["total_requests"] <= after["total_requests"]


def test_success_is_a_matter_of_targets(needs_data, start):
    running = start("--port", "0", environment={**QUIET, "KOKORO_TTFA_TARGET_MS": "1"}).wait_ready()
    assert running.post({"input": SHORT}).status_code == 200
    p = running.status()["performance"]
    assert p["ttfa_target"] == 1
    assert p["completed_count"] == 1
    assert p["success_count"] == 0 and p["success_rate"] == 0.0
    assert running.status()["errors"]["total"] == 0
    assert running.stop() == 0


def test_a_stream_of_chunks_counts_each(server):
    before = server.status()["performance"]
    assert server.post({"input": LONG, **FAST}).status_code == 200
    after = server.status()["performance"]
    assert after["total_inferences"] >= before["total_inferences"] + 2
    assert after["completed_count"] == before["completed_count"] + 1
    assert after["efficiency_average"] > 0
    assert after["g2p_sources"]["gold"] > before["g2p_sources"]["gold"]


def test_fallbacks(server):
    before = server.status()["performance"]
    server.post({"input": "Hello zxqvbrt."})
    after = server.status()["performance"]
    assert after["phonemizer_fallbacks"] == before["phonemizer_fallbacks"] + 1
    words = sum(after["g2p_sources"].values())
    assert after["phonemizer_fallback_rate"] == pytest.approx(100 * after["phonemizer_fallbacks"] / words, abs=1e-4)
    # A word that the lexicon knows is none.
    server.post({"input": "Hello world."})
    assert server.status()["performance"]["phonemizer_fallbacks"] == after["phonemizer_fallbacks"]


def test_bad_requests(server):
    before = server.status()
    server.post({"input": ""})
    server.post({"input": SHORT, "voice": "nobody"})
    server.get("/nowhere")
    server.post({"input": SHORT}, headers={"Origin": "http://evil.example"})
    after = server.status()
    was, now = before["errors"], after["errors"]
    assert now["by_kind"]["request"] == was["by_kind"]["request"] + 2
    assert now["total"] == was["total"] + 2 == sum(now["by_kind"].values())
    assert now["rejections"] == was["rejections"] + 1
    assert now["http_4xx"] >= was["http_4xx"] + 4
    assert now["by_http_status"]["403"] == was["by_http_status"].get("403", 0) + 1
    assert now["by_http_status"]["404"] == was["by_http_status"].get("404", 0) + 1
    assert now["error_rate"] == pytest.approx(now["total"] / after["performance"]["total_requests"], abs=1e-6)
    for name in ("total_inferences", "completed_count", "average_inference_time"):
        assert after["performance"][name] == before["performance"][name]


def test_a_cancelled_request(server):
    before = server.status()
    body = {"input": LONG * 4, "response_format": "pcm", **FAST}
    with httpx.stream("POST", server.url + "/v1/audio/speech", json=body, timeout=300) as answer:
        # More than the first chunk, which alone would be an inference that did not end.
        next(answer.iter_raw(400_000))
    server.wait_idle()
    after = server.status()
    assert after["errors"]["cancellations"] == before["errors"]["cancellations"] + 1
    assert after["errors"]["by_kind"]["cancelled"] == before["errors"]["by_kind"]["cancelled"] + 1
    assert after["performance"]["completed_count"] == before["performance"]["completed_count"]
    assert after["performance"]["total_inferences"] > before["performance"]["total_inferences"]


def test_rejected_requests_and_peaks(server):
    gauge = server.status()["queue"]
    body = b'{"input": "One two three four five six seven eight nine ten.", "speed": 4}'
    request = (b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    clients = [socket.create_connection((server.host, server.port))
               for _ in range(gauge["workers"] + gauge["limit"] + 10)]
    try:
        for client in clients:
            client.sendall(request)
        end = time.monotonic() + 60
        while server.status()["queue"]["rejected"] == gauge["rejected"]:
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        for client in clients:
            client.close()
    server.wait_idle()
    after = server.status()
    assert after["queue"]["peak_running"] == gauge["workers"]
    assert after["queue"]["peak_waiting"] == gauge["limit"]
    assert after["queue"]["rejected"] == after["errors"]["by_kind"]["busy"]
    assert after["errors"]["rejections"] >= after["queue"]["rejected"]


def test_the_other_systems_view_of_the_same(server):
    status = server.status()
    p, queue = status["performance"], status["queue"]
    sessions = p["session_utilization"]
    assert sessions["total_requests"] == p["total_inferences"]
    assert sessions["cpu_requests"] == p["cpu_inferences"] and sessions["ane_requests"] == 0
    assert sessions["max_concurrent_segments"] == queue["workers"]
    assert sessions["sessions_available"] == {"ane": False, "gpu": False, "cpu": True}
    nested, memory = p["memory_fragmentation"], status["memory_fragmentation"]
    assert nested.keys() == memory.keys()
    assert nested["cleanup_events"] == memory["cleanup_events"]
    assert not [name for name in p if name.startswith("fast_path")]


def test_memory_is_given_back(server):
    server.post({"input": LONG, **FAST})
    before = server.status()["memory_fragmentation"]
    wait_cleanup(server, before["cleanup_count"])
    status = server.status()
    after = status["memory_fragmentation"]
    event = after["cleanup_events"][0]
    assert after["cleanup_count"] == status["performance"]["memory_cleanup_count"]
    assert event["freed_bytes"] == pytest.approx((event["before_mb"] - event["after_mb"]) * 2**20, abs=2)
    assert after["freed_bytes_total"] >= event["freed_bytes"] > 0
    assert after["peak_memory_mb"] >= event["before_mb"] - 1
    assert len(after["cleanup_events"]) == min(8, after["cleanup_count"])
    time.sleep(3)  # once, until somebody speaks again
    assert server.status()["memory_fragmentation"]["cleanup_count"] == after["cleanup_count"]
    assert server.post({"input": SHORT}).status_code == 200


def resident_mb(server):
    """Of the packed weights, and of the process without them."""
    maps = Path(f"/proc/{server.process.pid}/smaps").read_text()
    parts = re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", maps)[1:]
    weights = others = 0
    for part in parts:
        resident = int(re.search(r"(?m)^Rss: +(\d+) kB", part)[1]) / 1024
        if re.search(r"/native/.*\.pack$", part.splitlines()[0]):
            weights += resident
        else:
            others += resident
    return weights, others


def test_an_idle_server_holds_its_weights_and_little_else(server):
    talkers = [threading.Thread(target=server.post, args=({"input": LONG, "no_cache": True, **FAST},))
               for _ in range(3)]
    for talker in talkers:
        talker.start()
    for talker in talkers:
        talker.join()
    server.wait_idle()
    # The sanitizer of addresses keeps what is freed for a while, to see who uses it still.
    is_checked = "libasan" in Path(f"/proc/{server.process.pid}/maps").read_text()
    little = math.inf if is_checked else 48
    assert resident_mb(server)[0] > 32
    wait_until(lambda: resident_mb(server), lambda mb: mb[1] < little, 20, "weights, others")
    # And after a while without speech not even them.
    wait_until(lambda: resident_mb(server), lambda mb: mb[0] < 8 and mb[1] < little, 60,
               "weights, others")


def test_measures(server, start):
    measures = {one["name"]: one for one in server.status()["patch_status"]["measures"]}
    assert measures["unnamed_weights"]["applied"] and measures["strict_requests"]["applied"]
    running = start("--port", "0", "--provider", "onnxruntime", environment=QUIET).wait_ready()
    patches = running.status()["patch_status"]
    measures = {one["name"]: one for one in patches["measures"]}
    assert measures["durations_output"]["applied"] and measures["telemetry_off"]["applied"]
    assert "unnamed_weights" not in measures
    assert patches["patch_errors"] == []
    assert running.stop() == 0


def test_status_while_it_speaks(server):
    """Answers come while the model runs; the time is printed, not judged: the machine may be busy."""
    times, results = [], []
    thread = threading.Thread(target=lambda: results.append(server.post({"input": LONG, "stream": False, **FAST})))
    thread.start()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        while thread.is_alive():
            begin = time.monotonic()
            assert client.get("/status").status_code == 200
            times.append(time.monotonic() - begin)
    assert results[0].status_code == 200
    times.sort()
    print(f"/status while speaking: {len(times)} times, median {1e3 * times[len(times) // 2]:.2f} ms, "
          f"p99 {1e3 * times[len(times) * 99 // 100]:.2f} ms")


# --- /metrics ---


def read_metrics(text):
    """{name: type}, {(name, labels): value}; the shape of the text is promtool's matter."""
    types, samples = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types
            types[name] = kind
        elif not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in samples
            samples[name] = float(value)
    return types, samples


def labels(samples, name, value):
    """The labels of a family's samples with this value."""
    return [key.split('"')[1] for key, number in samples.items()
            if key.startswith(name + "{") and number == value]


def test_metrics_are_those_of_the_document(server):
    answer = server.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    types, samples = read_metrics(answer.text)
    rows = {name.strip("`"): (kind, label.strip("`"))
            for name, kind, label, _ in tables(["metric", "type", "label", "meaning"])}
    assert types == {name: kind for name, (kind, _) in rows.items()}
    for sample in samples:
        name, _, label = sample.partition("{")
        if rows.get(name, ("histogram",))[0] != "histogram":
            assert label.partition("=")[0] == rows[name][1]
    assert read_metrics(server.get("/v1/metrics").text)[0] == types


def test_metrics_and_status_say_the_same(server):
    server.post({"input": SHORT})
    server.wait_idle()
    status, samples = server.status(), read_metrics(server.get("/metrics").text)[1]
    p = status["performance"]
    assert samples['kokoro_speech_requests_total{result="ok"}'] == p["completed_count"]
    for kind, count in status["errors"]["by_kind"].items():
        assert samples[f'kokoro_speech_requests_total{{result="{kind}"}}'] == count
    for source, count in p["g2p_sources"].items():
        assert samples[f'kokoro_words_total{{source="{source}"}}'] == count
    assert samples["kokoro_speech_on_target_total"] == p["success_count"]
    assert samples["kokoro_inference_seconds_count"] == p["total_inferences"]
    assert samples['kokoro_inference_seconds_bucket{le="+Inf"}'] == p["total_inferences"]
    assert samples["kokoro_inference_seconds_sum"] == pytest.approx(
        p["average_inference_time"] * p["total_inferences"], abs=1e-3)
    assert samples["kokoro_audio_seconds_total"] == pytest.approx(p["audio_seconds_total"], abs=1e-3)
    assert samples["kokoro_first_sound_target_seconds"] == p["ttfa_target"] / 1000
    assert samples["kokoro_requests_active_peak"] == status["queue"]["peak_running"]
    assert samples["kokoro_rejections_total"] == status["errors"]["rejections"]
    h, memory, benchmark = (status[name] for name in ("hardware", "memory_fragmentation", "scheduled_benchmark"))
    assert samples["kokoro_cpu_threads"] == h["cpu_threads"]
    assert samples.get("kokoro_cpu_limit_cores") == h["cpu_limit"]
    assert samples.get("kokoro_memory_limit_bytes") == (h["memory_limit_gb"] and pytest.approx(h["memory_limit_gb"] * 2**30))
    assert labels(samples, "kokoro_cpu_instruction_set_info", 1) == h["instruction_sets"]
    assert labels(samples, "kokoro_accelerator_info", 1) == h["accelerators"]
    assert labels(samples, "kokoro_kernels_info", 1) == [h["instruction_set"]]
    assert labels(samples, "kokoro_cpu_info", 1) == [h["cpu_model"]]
    assert labels(samples, "kokoro_memory_trend", 1) == [memory["memory_trend"]]
    assert labels(samples, "kokoro_benchmark_state", 1) == [benchmark["state"]]
    assert labels(samples, "kokoro_benchmark_record_state", 1) == [benchmark["record"]["state"]]
    assert samples["kokoro_benchmark_due"] == benchmark["due_for_benchmark"]
    for name in ("inference_seconds", "first_sound_seconds", "real_time_factor"):
        counts = [value for key, value in samples.items() if key.startswith(f"kokoro_{name}_bucket")]
        assert counts == sorted(counts) and counts[-1] == samples[f"kokoro_{name}_count"]


def test_promtool(server):
    tool = os.environ.get("KOKORO_PROMTOOL") or shutil.which("promtool")
    if not tool or not Path(tool).exists():
        pytest.skip("promtool is not there: KOKORO_PROMTOOL names none")
    checked = subprocess.run([tool, "check", "metrics"], input=server.get("/metrics").text, text=True,
                             capture_output=True)
    assert checked.returncode == 0 and not checked.stdout and not checked.stderr, checked
    # It does find fault.
    bad = subprocess.run([tool, "check", "metrics"], input="# TYPE a counter\na 1\n", text=True, capture_output=True)
    assert bad.returncode != 0

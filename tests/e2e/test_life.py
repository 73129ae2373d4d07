"""Start, stop, load, disconnects: what happens around the requests."""

import json
import os
import selectors
import signal
import socket
import statistics
import subprocess
import threading
import time

import httpx
import pytest
from audio import FAST, LONG, SHORT, check_whole_wav
from conftest import error_of


def speak_in_thread(server, body, results):
    def run():
        try:
            results.append(server.post(body))
        except httpx.HTTPError as problem:
            results.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait_running(server, n=1):
    end = time.monotonic() + 60
    while server.status()["queue"]["running"] < n:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_health_while_it_speaks(server):
    results, times = [], []
    threads = [speak_in_thread(server, {"input": LONG, "stream": False, **FAST}, results)
               for _ in range(2)]
    wait_running(server)
    with httpx.Client(base_url=server.url, timeout=60) as client:
        while any(thread.is_alive() for thread in threads):
            start = time.monotonic()
            assert client.get("/health").status_code == 200
            times.append(time.monotonic() - start)
            time.sleep(0.02)
    assert all(result.status_code == 200 for result in results)
    print(f"/health while speaking: {len(times)} times, median {1e3 * statistics.median(times):.1f} ms, "
          f"worst {1e3 * max(times):.1f} ms")
    # Meant to be 50 ms at worst; the bound allows for sanitizers and a busy machine.
    assert statistics.median(times) < 0.25


def test_disconnect_cancels(server):
    before = server.status()["errors"]["by_kind"]["cancelled"]
    body = {"input": LONG * 4, "response_format": "pcm", **FAST}
    with httpx.stream("POST", server.url + "/v1/audio/speech", json=body, timeout=300) as answer:
        assert answer.status_code == 200
        next(answer.iter_raw(1000))
    server.wait_idle()
    status = server.status()
    assert status["errors"]["by_kind"]["cancelled"] == before + 1
    server.wait_log(r"POST /v1/audio/speech 499")


def test_disconnect_before_the_first_sound(server):
    before = server.status()["errors"]["by_kind"]["cancelled"]
    for stream in (True, False):
        body = json.dumps({"input": LONG, "stream": stream, **FAST}).encode()
        with socket.create_connection((server.host, server.port)) as connection:
            connection.sendall(b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\n"
                               b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    server.wait_idle()
    assert server.status()["errors"]["by_kind"]["cancelled"] == before + 2


def test_disconnect_among_unknown_words(server):
    """Thousands of words for the helper, in one sentence: they end too, not after the last."""
    def words():
        return sum(server.status()["performance"]["g2p_sources"].values())

    before, spoken = server.status()["errors"]["by_kind"]["cancelled"], words()
    body = json.dumps({"input": " ".join(f"blorf{chr(97 + i % 26)}ak{chr(97 + i // 26 % 26)}" for i in range(9000))})
    with socket.create_connection((server.host, server.port)) as connection:
        connection.sendall(b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                           % (len(body), body.encode()))
    server.wait_idle()
    errors = server.status()["errors"]
    assert errors["by_kind"]["cancelled"] == before + 1
    assert words() == spoken
    assert 0 < errors["cancel_time"]["p50"] <= errors["cancel_time"]["p99"]


def test_a_full_queue_refuses(server):
    """Clients beyond workers and queue get 429 and a time to come back."""
    gauge = server.status()["queue"]
    assert gauge["limit"] == 64  # before the first request, too
    body = json.dumps({"input": LONG, "no_cache": True}).encode()
    request = (b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
               % (len(body), body))
    clients = [socket.create_connection((server.host, server.port))
               for _ in range(gauge["workers"] + gauge["limit"] + 20)]
    refused = None
    try:
        for client in clients:
            client.sendall(request)
        selector = selectors.DefaultSelector()
        for client in clients:  # those that are being answered stay, and keep their places
            selector.register(client, selectors.EVENT_READ)
        end = time.monotonic() + 120
        while refused is None:
            assert time.monotonic() < end
            for key, _ in selector.select(1):
                client = key.fileobj
                answer = client.recv(4096)
                selector.unregister(client)
                if answer.startswith(b"HTTP/1.1 429"):
                    while b"}}" not in answer and (more := client.recv(4096)):
                        answer += more
                    refused = answer
        assert server.get("/health").status_code == 200
    finally:
        for client in clients:
            client.close()
    head, _, text = refused.partition(b"\r\n\r\n")
    assert b"\r\nRetry-After: " in head
    assert json.loads(text)["error"]["code"] == "queue_full"
    server.wait_idle()
    assert server.status()["queue"]["rejected"] > gauge["rejected"]
    assert server.post({"input": SHORT}).status_code == 200


def test_term_finishes_what_runs(needs_data, start):
    server = start("--port", "0").wait_ready()
    results = []
    threads = [speak_in_thread(server, {"input": LONG, "response_format": "wav", "stream": False, **FAST},
                               results) for _ in range(2)]
    wait_running(server, 2)
    assert server.stop() == 0
    for thread in threads:
        thread.join()
    assert [result.status_code for result in results] == [200, 200]
    for result in results:
        check_whole_wav(result.content)


def test_while_it_stops(needs_data, start):
    server = start("--port", "0").wait_ready()
    results = []
    with httpx.Client(base_url=server.url, timeout=60) as kept:
        assert kept.get("/health").status_code == 200
        thread = speak_in_thread(server, {"input": LONG, "stream": False, **FAST}, results)
        wait_running(server)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        error_of(kept.post("/v1/audio/speech", json={"input": SHORT}), 503, code="shutting_down")
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.url + "/health")
    assert server.process.wait(120) == 0
    thread.join()
    assert results[0].status_code == 200


def test_who_sends_half_a_body_does_not_hold_up_the_end(needs_data, start):
    server = start("--port", "0", environment={"KOKORO_DRAIN_S": "2"}).wait_ready()
    with socket.create_connection((server.host, server.port), timeout=20) as half:
        half.sendall(b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\n"
                     b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        time.sleep(0.3)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        head, _, body = half.makefile("rb").read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert json.loads(body)["error"]["code"] == "shutting_down"
        assert server.process.wait(20) == 0
        assert time.monotonic() - begun < 15  # not the 30 s in which a request must come


def ask_without_end(server, failures):
    """/status over one connection, kept open for as long as the server keeps it."""
    try:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            while client.get("/status").headers.get("connection") != "close":
                pass
    except httpx.HTTPError:
        pass  # the end came while it asked
    except Exception as problem:  # pragma: no cover
        failures.append(problem)


def test_it_stops_while_status_is_asked(needs_data, start, tmp_path):
    """Whoever asks to the very end, and the housekeeping that keeps up a report, finds everything
    there that it reads; and who asks again and again does not hold up the end."""
    (tmp_path / "benchmark_results.md").write_text("# Report\n")
    for _ in range(3):
        server = start("--port", "0", directory=tmp_path).wait_ready()
        failures = []
        threads = [threading.Thread(target=ask_without_end, args=(server, failures))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        assert server.post({"input": SHORT, "no_cache": True}).status_code == 200
        assert server.stop() == 0, "\n".join(server.log[-20:])
        for thread in threads:
            thread.join()
        assert failures == []
        assert not [line for line in server.log if "KOKORO_DRAIN_S" in line], "it was held up"


def test_second_signal_ends_at_once(needs_data, start):
    server = start("--port", "0").wait_ready()
    results = []
    thread = speak_in_thread(server, {"input": LONG * 20, "stream": False, **FAST}, results)
    wait_running(server)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 1
    thread.join()
    assert isinstance(results[0], httpx.HTTPError)


def test_interrupt(needs_data, start):
    server = start("--port", "0").wait_ready()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(60) == 0


def test_term_while_it_loads(needs_data, start):
    server = start("--port", "0").wait_bound()
    assert server.stop() == 0


def test_kill_and_restart_on_the_same_port(needs_data, start):
    first = start("--port", "0").wait_ready()
    with httpx.stream("POST", first.url + "/v1/audio/speech", json={"input": LONG, **FAST}, timeout=300) as answer:
        next(answer.iter_raw(100))
        first.kill()
    second = start("--port", str(first.port)).wait_ready()
    assert second.port == first.port
    assert second.post({"input": SHORT}).status_code == 200
    assert second.stop() == 0


def test_port_in_use(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = start("--port", str(port))
        assert server.process.wait(60) == 1
        line = server.wait_log(str(port))
        assert "in use" in line and "--port" in line


def test_strange_hosts(start):
    for host in ("no.such.host.invalid", "192.0.2.1"):
        server = start("--host", host, "--port", "0")
        assert server.process.wait(60) == 1
        assert "--host" in server.wait_log("--host")


def test_wide_host_warns(needs_data, start):
    server = start("--host", "0.0.0.0", "--port", "0").wait_ready()
    server.wait_log("warning: other machines can reach this server")
    url = f"http://127.0.0.1:{server.port}/v1/audio/speech"
    body = {"input": "Hi."}
    assert httpx.post(url, json=body, headers={"Host": "box.lan"}, timeout=60).status_code == 200
    assert httpx.post(url, json=body, headers={"Origin": "http://evil.example"}).status_code == 403
    assert server.stop() == 0


def test_ipv6(needs_data, start):
    try:
        socket.socket(socket.AF_INET6).bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    server = start("--host", "::1", "--port", "0").wait_ready()
    assert server.host == "[::1]"
    assert server.post({"input": "Hi."}).status_code == 200
    assert server.stop() == 0


def test_model_that_cannot_be_loaded(needs_data, start, tmp_path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"this is no model" * 100)
    for path, word in ((bad, "bad.onnx"), (tmp_path / "absent.onnx", "absent.onnx")):
        server = start("--port", "0", "--model", str(path))
        assert server.process.wait(60) == 1
        server.wait_log(word)


def test_unknown_default_voice(needs_data, start):
    server = start("--port", "0", environment={"KOKORO_VOICE": "nobody"})
    assert server.process.wait(60) != 0
    server.wait_log("nobody")


def test_before_it_is_ready(needs_data, start):
    """Until the model is loaded the server answers, and says so."""
    server = start("--port", "0").wait_bound()
    seen = []
    while True:
        answer = server.get("/health")
        if answer.status_code == 200:
            break
        assert answer.status_code == 503
        seen.append(answer.json())
        speech = server.post({"input": SHORT})
        if speech.status_code == 503:
            error_of(speech, 503, code="model_loading")
            assert int(speech.headers["retry-after"]) >= 1
        progress = server.get("/startup-progress").json()
        assert set(progress) == {"status", "progress", "message", "started_at", "completed_at"}
        assert server.get("/status").status_code == 200
    for body in seen:
        assert body["model_ready"] is False
        assert body["status"] in ("starting", "initializing")
    assert server.stop() == 0


def test_log_lines(needs_data, start):
    server = start("--port", "0", "--log-json").wait_ready()
    server.post({"input": SHORT}, headers={"X-Request-Id": "id-of-mine"})
    line = json.loads(server.wait_log("id-of-mine"))
    assert line["method"] == "POST"
    assert line["path"] == "/v1/audio/speech"
    assert line["status"] == 200
    assert line["ms"] > 0 and line["audio_s"] > 0.5
    assert abs(line["time"] - time.time()) < 60
    assert server.stop() == 0


def test_closed_standard_error(needs_data):
    """Nobody reads the log: the server goes on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([os.environ["KOKORO_PROGRAM"], "serve", "--port", str(port)],
                               stderr=subprocess.PIPE)
    process.stderr.close()
    try:
        end = time.monotonic() + 120
        while True:
            assert time.monotonic() < end and process.poll() is None
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()

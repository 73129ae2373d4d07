"""Keys, pages of other sites, proxies; signals, and what they leave."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import time

import httpx
import pytest
from audio import FAST, LONG, SHORT
from conftest import error_of, wait_until

SAY = {"input": SHORT, "response_format": "pcm"}


def keys(path, *words, status=0):
    done = subprocess.run([os.environ["KOKORO_PROGRAM"], "keys", *words, "--file", str(path)],
                          capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return done.stdout.strip()


def bearer(key):
    return {"Authorization": f"Bearer {key}".strip()}


def ask_for_much(server):
    """A connection on which minutes of speech have been asked for."""
    body = json.dumps({"input": LONG * 8, "response_format": "pcm"}).encode()
    connection = socket.create_connection((server.host, server.port), timeout=60)
    connection.sendall(b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                       % (len(body), body))
    return connection


@pytest.fixture
def locked(tmp_path, start, needs_data):
    """A server with a key of no limits, its file and that key."""
    path = tmp_path / "keys"
    key = keys(path, "add", "first")
    return start("--port", "0", environment={"KOKORO_API_KEYS_FILE": str(path)}).wait_ready(), path, key


def test_the_file_of_keys(tmp_path):
    path = tmp_path / "keys"
    first = keys(path, "add", "first", "--requests", "7")
    second = keys(path, "add", "second")
    assert re.fullmatch(r"kokoro_[0-9a-f]{64}", first) and first != second
    assert path.stat().st_mode & 0o777 == 0o600
    assert first not in path.read_text()
    keys(path, "add", "first", status=2)
    keys(path, "add", "a b", status=2)
    keys(path, "add", "third", "--chars", "-1", status=2)
    path.write_text("# kept\n" + path.read_text())
    keys(path, "remove", "second")
    keys(path, "remove", "second", status=1)
    assert [k["name"] for k in json.loads(keys(path, "list", "--json"))] == ["first"]
    assert path.read_text().startswith("# kept\nfirst:sha256:")
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["keys", "keys.lock"]


def test_two_who_change_the_file_at_once_lose_nothing(tmp_path):
    path = tmp_path / "keys"
    keys(path, "add", "old")
    command = [os.environ["KOKORO_PROGRAM"], "keys", "add"]
    started = [subprocess.Popen([*command, f"new{i}", "--file", str(path)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True) for i in range(24)]
    keys(path, "remove", "old")
    shown = [p.communicate()[0].strip() for p in started]
    assert [p.returncode for p in started] == [0] * 24
    assert len(set(shown)) == 24
    assert {k["name"] for k in json.loads(keys(path, "list", "--json"))} == {f"new{i}" for i in range(24)}
    assert sorted(os.listdir(tmp_path)) == ["keys", "keys.lock"]


def test_who_holds_the_file_of_keys_is_waited_for(tmp_path):
    path, lock = tmp_path / "keys", tmp_path / "keys.lock"
    with open(lock, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        adding = subprocess.Popen([os.environ["KOKORO_PROGRAM"], "keys", "add", "new", "--file", str(path)],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with pytest.raises(subprocess.TimeoutExpired):
            adding.wait(0.5)
        assert not path.exists()
        assert keys(path, "list", "--json") == "[]"  # reading needs no lock
    adding.communicate()
    assert adding.returncode == 0 and "new:sha256:" in path.read_text()


def test_what_needs_a_key(locked):
    server, _, key = locked
    for path in ("/health", "/startup-progress", "/v1/models", "/v1/audio/models", "/v1/audio/voices", "/voices"):
        assert server.get(path).status_code == 200, path
    for path in ("/status", "/metrics", "/cache-status", "/benchmark", "/v1/status"):
        for headers in ({}, bearer(""), bearer(key + "x"), bearer(key[:-1]), {"Authorization": key}):
            answer = server.get(path, headers=headers)
            error_of(answer, 401, code="invalid_api_key")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert httpx.head(server.url + path).status_code == 401
        assert server.get(path, headers=bearer(key)).status_code == 200
    for path in ("/v1/audio/speech", "/cache-cleanup", "/benchmark"):
        error_of(server.post(SAY, path), 401, code="invalid_api_key")
    assert server.post(SAY, headers=bearer(key)).status_code == 200
    assert server.post(SAY, headers={"X-API-Key": key}).status_code == 200
    assert server.post(SAY, headers={"Authorization": f"bearer {key}"}).status_code == 200
    # An unknown route is no secret.
    assert server.get("/nothing").status_code == 404
    line = server.wait_log(r"POST /v1/audio/speech 200 .* key first$")
    assert "from 127.0.0.1" in line
    assert not any(key in line for line in server.log)


def test_a_body_is_not_read_without_a_key(locked):
    server, _, _ = locked
    with socket.create_connection((server.host, server.port), timeout=20) as connection:
        connection.sendall(b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_limits_of_a_key(tmp_path, start, needs_data):
    path = tmp_path / "keys"
    few = keys(path, "add", "few", "--requests", "2")
    short = keys(path, "add", "short", "--chars", "100")
    one = keys(path, "add", "one", "--streams", "1")
    server = start("--port", "0", environment={"KOKORO_API_KEYS_FILE": str(path)}).wait_ready()

    def refused(answer):
        error_of(answer, 429, code="rate_limit_exceeded")
        return int(answer.headers["retry-after"])

    for _ in range(2):
        assert server.post(SAY, headers=bearer(few)).status_code == 200
    assert 1 <= refused(server.post(SAY, headers=bearer(few))) <= 30
    assert server.post(SAY, headers=bearer(short)).status_code == 200
    used = len(SHORT)
    wait_s = refused(server.post({**SAY, "input": "a" * 100}, headers=bearer(short)))
    assert wait_s <= used * 60 / 100 + 1
    body = {"input": LONG, "response_format": "pcm", **FAST}
    with httpx.stream("POST", server.url + "/v1/audio/speech", json=body, headers=bearer(one), timeout=60) as answer:
        assert answer.status_code == 200
        assert refused(server.post(SAY, headers=bearer(one))) == 1
    wait_until(lambda: server.post(SAY, headers=bearer(one)).status_code, lambda status: status == 200, 20,
               "the stream still counts")


def test_a_file_that_is_no_file_of_keys_is_no_open_door(tmp_path, needs_data):
    path = tmp_path / "keys"
    for text, what in ((None, "no such file"), ("secret\n", "line 1")):
        if text is not None:
            path.write_text(text)
        done = subprocess.run([os.environ["KOKORO_PROGRAM"], "serve", "--port", "0"], capture_output=True, text=True,
                              env={**os.environ, "KOKORO_API_KEYS_FILE": str(path)}, timeout=60)
        assert done.returncode == 1 or done.returncode == 2
        assert what in done.stderr.lower() or str(path) in done.stderr
        assert "secret" not in done.stderr


def test_sighup_reads_keys_and_settings(tmp_path, start, needs_data):
    path = tmp_path / "keys"
    old = keys(path, "add", "old")
    server = start("--port", "0", directory=tmp_path, environment={"KOKORO_API_KEYS_FILE": str(path)}).wait_ready()
    new = keys(path, "add", "new")
    keys(path, "remove", "old")
    assert server.get("/status", headers=bearer(new)).status_code == 401
    (tmp_path / ".env").write_text("KOKORO_ALLOW_ORIGINS=https://example.org\n")
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("key new is new")
    server.wait_log("key old is no longer valid")
    server.wait_log("KOKORO_ALLOW_ORIGINS is now 'https://example.org'")
    wait_until(lambda: server.get("/status", headers=bearer(new)).status_code, lambda status: status == 200, 10, "new")
    assert server.get("/status", headers=bearer(old)).status_code == 401
    path.write_text("not a key\n")
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("stay as they were: .*line 1")
    assert server.get("/status", headers=bearer(new)).status_code == 200
    assert server.stop() == 0


def test_sighup_changes_the_log_and_the_time_to_finish(tmp_path, start, needs_data):
    server = start("--port", "0", directory=tmp_path).wait_ready()

    def settings(*lines):
        (tmp_path / ".env").write_text("\n".join(lines) + "\n")
        server.process.send_signal(signal.SIGHUP)

    settings("KOKORO_LOG_JSON=true")
    server.wait_log("KOKORO_LOG_JSON is now 'true'")
    wait_until(lambda: (server.get("/health"), server.log[-1])[1], lambda line: line.startswith('{"time":'), 10, "no JSON")
    assert json.loads(server.log[-1])["path"] == "/health"
    settings("KOKORO_LOG_JSON=true", "KOKORO_DRAIN_S=1", "KOKORO_MAX_CONNECTIONS=99", "KOKORO_WYOMING_PORT=10201",
             "KOKORO_WYOMING_ANNOUNCE=true")
    server.wait_log("KOKORO_DRAIN_S is now '1'")
    for name, value in (("KOKORO_MAX_CONNECTIONS", 99), ("KOKORO_WYOMING_PORT", 10201), ("KOKORO_WYOMING_ANNOUNCE", "true")):
        assert json.loads(server.wait_log(f"{name} will be '{value}' from the next start on"))["level"] == "warning"
    with pytest.raises(OSError):
        socket.create_connection((server.host, 10201), timeout=5).close()
    settings("KOKORO_LOG_LEVEL=warning", "KOKORO_DRAIN_S=1")
    server.wait_log("KOKORO_LOG_LEVEL is now 'warning'")

    def is_silent():
        n = len(server.log)
        server.get("/health")
        time.sleep(0.2)
        return len(server.log) == n

    wait_until(is_silent, bool, 10, "the log goes on")
    with ask_for_much(server) as connection:
        connection.recv(100)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    server.wait_log("some answers took longer than 1 s")


def test_without_keys_any_key_will_do(server):
    for headers in ({}, bearer(""), bearer("anything"), {"X-API-Key": "x"}):
        assert server.get("/status", headers=headers).status_code == 200


# --- pages of other sites ---

LISTED = "https://app.example.org"


def test_pages_of_listed_origins(start, needs_data):
    server = start("--port", "0", environment={"KOKORO_ALLOW_ORIGINS": f"{LISTED}, http://other.example"}).wait_ready()

    def options(origin, path="/v1/audio/speech"):
        return httpx.request("OPTIONS", server.url + path, headers={
            "Origin": origin, "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type"})

    answer = options(LISTED)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == LISTED
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in answer.headers
    assert set(answer.headers["vary"].split(", ")) == {"Origin", "Access-Control-Request-Headers"}
    for body in ({**SAY, "instructions": "Softly."}, {**SAY, "stream": False}, {"input": ""}):
        answer = server.post(body, headers={"Origin": LISTED})
        assert answer.status_code == (200 if body["input"] else 400)
        assert answer.headers["access-control-allow-origin"] == LISTED
        assert answer.headers["vary"] == "Origin"
        shown = answer.headers["access-control-expose-headers"].lower().split(", ")
        assert {name for name in answer.headers if name.startswith("x-")} <= set(shown)
    for origin in ("https://evil.example", "http://app.example.org", "null", LISTED + ".evil.example"):
        answer = options(origin)
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["vary"] == "Origin"
        answer = server.post(SAY, headers={"Origin": origin})
        error_of(answer, 403, code="foreign_origin")
        assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in server.get("/health").headers


def test_a_listed_page_may_send_the_headers_of_its_client(start, needs_data):
    """The official client for JavaScript tells of itself in headers, which a browser asks for first."""
    server = start("--port", "0", environment={"KOKORO_ALLOW_ORIGINS": LISTED}).wait_ready()

    def allowed(asked, origin=LISTED):
        answer = httpx.request("OPTIONS", server.url + "/v1/audio/speech", headers={
            "Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked})
        assert answer.status_code == 204
        return answer, {name.strip().lower() for name in answer.headers.get("access-control-allow-headers", "").split(",")}

    always = {"authorization", "content-type", "x-api-key", "x-request-id"}
    # Of the npm package openai, versions 4, 5 and 6; sorted and in lower case, as browsers send it.
    client = {"authorization", "content-type", "x-stainless-arch", "x-stainless-lang", "x-stainless-os",
              "x-stainless-package-version", "x-stainless-retry-count", "x-stainless-runtime",
              "x-stainless-runtime-version", "x-stainless-timeout"}
    answer, names = allowed(",".join(sorted(client)))
    assert names == client | always
    assert answer.headers["access-control-allow-origin"] == LISTED
    # What can be no name of a header is passed over, and there is an end to it.
    assert allowed("x-one, ,x two,x(three, x-four,\"x\",x:5,")[1] == always | {"x-one", "x-four"}
    answer, names = allowed(",".join(f"x-{i}-{'a' * 90}" for i in range(100)))
    assert 5 < len(names) < 30 and answer.headers["access-control-allow-origin"] == LISTED
    assert allowed("a" * 5000)[1] == always == allowed("")[1]
    assert allowed("x-one", "https://evil.example")[1] == {""}


def test_an_origin_must_have_a_name(start):
    server = start("--port", "0", environment={"KOKORO_ALLOW_ORIGINS": "*"})
    assert server.process.wait(60) != 0
    server.wait_log("KOKORO_ALLOW_ORIGINS must list origins")


# --- proxies ---

def test_forwarded_headers_count_from_listed_proxies_only(start, needs_data):
    via = {"X-Forwarded-For": "6.6.6.6, 192.0.2.7", "X-Forwarded-Host": "speech.example.org"}
    page = {**via, "Host": "inside.lan", "Origin": "https://speech.example.org"}
    server = start("--port", "0", environment={"KOKORO_TRUSTED_PROXIES": "127.0.0.0/8"}).wait_ready()
    assert server.get("/health", headers={**via, "X-Request-Id": "one"}).status_code == 200
    assert server.wait_log(" one GET /health").endswith("from 192.0.2.7")
    assert server.post(SAY, headers=page).status_code == 200
    error_of(server.post(SAY, headers={**page, "Origin": "https://evil.example"}), 403, code="foreign_origin")
    server.stop()
    server = start("--port", "0").wait_ready()
    assert server.get("/health", headers={**via, "X-Request-Id": "two"}).status_code == 200
    assert server.wait_log(" two GET /health").endswith("from 127.0.0.1")
    error_of(server.post(SAY, headers=page), 403, code="foreign_host")


# --- connections and signals ---

def test_over_the_limit_of_an_address(start, needs_data):
    server = start("--port", "0", environment={"KOKORO_MAX_CONNECTIONS_PER_ADDRESS": "5"}).wait_ready()
    held = [socket.create_connection((server.host, server.port), timeout=20) for _ in range(5)]
    for connection in held:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    with socket.create_connection((server.host, server.port), timeout=20) as sixth:
        try:
            sixth.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sixth.recv(100) == b""
        except ConnectionError:
            pass
    for connection in held:
        connection.close()
    wait_until(lambda: answers(server), bool, 10, "no connection is free again")


def answers(server):
    try:
        return server.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def test_idle_connections_make_room(start, needs_data):
    """When all are taken by clients that say nothing, one that says something need not wait long."""
    server = start("--port", "0", environment={"KOKORO_MAX_CONNECTIONS": "40"}).wait_ready()
    silent = []
    for _ in range(60):
        silent.append(socket.create_connection((server.host, server.port), timeout=20))
    assert server.get("/health").status_code == 200
    for connection in silent:
        connection.close()


def test_stop_cuts_what_takes_too_long(start, needs_data):
    server = start("--port", "0", environment={"KOKORO_DRAIN_S": "1"}).wait_ready()
    connections = [ask_for_much(server) for _ in range(3)]
    connections[0].recv(100)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0
    server.wait_log("KOKORO_DRAIN_S")
    for connection in connections:
        data = b""
        try:
            while piece := connection.recv(65536):
                data += piece
        except ConnectionError:
            pass
        assert not data.endswith(b"0\r\n\r\n")


def test_a_second_signal_ends_at_once(start, needs_data):
    server = start("--port", "0").wait_ready()
    with ask_for_much(server) as connection:
        connection.recv(100)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 1


def test_after_a_kill_all_is_as_before(start, place):
    work, home = place
    environment = {"KOKORO_HOME": str(home), "KOKORO_CACHE": str(home / "cache")}
    server = start("--port", "0", directory=work, environment=environment).wait_ready()
    port = server.port
    with ask_for_much(server) as connection:
        connection.recv(100)
        server.kill()
    again = start("--port", str(port), directory=work, environment=environment).wait_ready()
    assert again.post(SAY).status_code == 200
    assert not [line for line in again.log if "warning" in line.lower()]
    assert not [name for name in os.listdir(home / "cache") if "tmp" in name]
    assert again.stop() == 0

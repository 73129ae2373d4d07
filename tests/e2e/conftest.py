"""The real program, started from outside on a free port.

KOKORO_PROGRAM  the program to test (required)
KOKORO_HOME     its data; without it only what needs no model is tested
"""

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

START_S = 120

# What measures for minutes runs with one program only: KOKORO_E2E_SLOW says with which.
SLOW = pytest.mark.skipif("KOKORO_E2E_SLOW" not in os.environ, reason="KOKORO_E2E_SLOW is not set")
ADDRESS = re.compile(r"(loading the model for|listening on) http://(.+):(\d+)$")


class Server:
    """A running server; `log` holds the lines of its standard error so far."""

    def __init__(self, *options, environment=None, directory=None):
        program = os.environ["KOKORO_PROGRAM"]
        self.log = []
        self._lines = queue.Queue()
        self.process = subprocess.Popen(
            [program, "serve", *options],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=directory,
            # A server that is busy with itself would disturb what most tests look at, and so would
            # an answer that an earlier test had made.
            env={
                **os.environ,
                "KOKORO_SKIP_BENCHMARKING": "true",
                "KOKORO_RESULT_CACHE_MEMORY_MB": "0",
                **(environment or {}),
            },
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))
            self._lines.put(self.log[-1])
        self._lines.put(None)

    def _wait_for_address(self, what):
        end = time.monotonic() + START_S
        while True:
            line = self._lines.get(timeout=max(0.1, end - time.monotonic()))
            assert line is not None, "the server ended:\n" + "\n".join(self.log)
            match = ADDRESS.search(line)
            if match and match[1] == what:
                self.host, self.port = match[2], int(match[3])
                self.url = f"http://{self.host}:{self.port}"
                return self

    def wait_bound(self):
        return self._wait_for_address("loading the model for")

    def wait_ready(self):
        return self._wait_for_address("listening on")

    def get(self, path, **options):
        return httpx.get(self.url + path, timeout=60, **options)

    def post(self, body, path="/v1/audio/speech", **options):
        return httpx.post(self.url + path, json=body, timeout=300, **options)

    def status(self):
        return self.get("/status").json()

    def wait_idle(self, limit_s=120):
        """Until no request waits or runs."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            gauge = self.status()["queue"]
            if gauge["waiting"] == 0 and gauge["running"] == 0:
                return
            time.sleep(0.05)
        raise AssertionError(f"still busy: {gauge}")

    def wait_log(self, pattern, limit_s=60):
        """The first line of the log that matches."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            for line in list(self.log):
                if re.search(pattern, line):
                    return line
            time.sleep(0.02)
        raise AssertionError(f"no line like {pattern} in:\n" + "\n".join(self.log))

    def stop(self, limit_s=120):
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(limit_s)
        self._reader.join(10)
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._reader.join(10)


def error_of(answer, status, param=None, code=None):
    """Check the error object's four keys and what is known of it; its message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    body = json.loads(answer.text)
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["param"] == param
    if code is not None:
        assert body["error"]["code"] == code
    assert body["error"]["message"]
    return body["error"]["message"]


def _has_data():
    home = os.environ.get("KOKORO_HOME")
    return home is not None and (Path(home) / "voices" / "voices.pack").exists()


@pytest.fixture(scope="session")
def needs_data():
    if not _has_data():
        if os.environ.get("KOKORO_REQUIRE_DATA"):
            pytest.fail("KOKORO_HOME has no data")
        pytest.skip("KOKORO_HOME has no data")


@pytest.fixture(scope="module")
def server(needs_data):
    """A ready server for the tests of a module; it must end well too."""
    running = Server("--port", "0").wait_ready()
    yield running
    assert running.process.poll() is None, "the server died:\n" + "\n".join(running.log)
    assert running.stop() == 0, "\n".join(running.log[-20:])


@pytest.fixture
def start():
    """Start servers of one's own; what is left of them is killed."""
    started = []

    def start_one(*options, **more):
        started.append(Server(*options, **more))
        return started[-1]

    yield start_one
    for running in started:
        if running.process.poll() is None:
            running.kill()


def make_place(directory):
    """A working directory, and a data directory that shares all but cache, reports and history."""
    source, home, work = Path(os.environ["KOKORO_HOME"]), directory / "home", directory / "work"
    home.mkdir()
    work.mkdir()
    for name in ("model", "voices", "lexicon", "lib", "bin", "sources", "test"):
        if (source / name).exists():
            (home / name).symlink_to(source / name)
    if (source / ".setup").exists():  # its stamps are changed by whoever packs
        shutil.copytree(source / ".setup", home / ".setup")
    return work, home


@pytest.fixture
def place(tmp_path, needs_data):
    return make_place(tmp_path)


def start_in(start, place, **environment):
    work, home = place
    variables = {"KOKORO_HOME": str(home), "KOKORO_SKIP_BENCHMARKING": "false"}
    return start("--port", "0", directory=work, environment={**variables, **environment})


def wait_until(read, is_right, limit_s, what):
    """The first value of read() that is right."""
    end = time.monotonic() + limit_s
    while True:
        value = read()
        if is_right(value):
            return value
        assert time.monotonic() < end, f"{what}: {value}"
        time.sleep(0.1)

"""The description of the API, and whether the server is as it says."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Server

# Each path once: those without /v1 are the same endpoints.
PATHS = "^(/|/docs|/v1/.*)$"


@pytest.fixture(scope="module")
def described(needs_data):
    """Short texts, so that what it makes up is soon spoken; no benchmark begins."""
    running = Server("--port", "0", environment={"KOKORO_MAX_INPUT_CHARS": "40",
                                                 "KOKORO_BENCHMARK_IDLE_S": "3600"}).wait_ready()
    yield running
    assert running.stop() == 0, "\n".join(running.log[-20:])


def check_with_schemathesis(server, directory, *options):
    """Requests made up from the description, right and wrong ones; every answer is compared."""
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", server.url + "/openapi.json",
               "--include-path-regex", PATHS, "--phases", "coverage,fuzzing", "--max-examples", "12",
               "--seed", "1", "--request-timeout", "120", "--no-color", "--continue-on-failure",
               *options]
    ended = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=900)
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
    assert "No issues found" in ended.stdout


def test_every_get_is_as_described(described, tmp_path):
    check_with_schemathesis(described, tmp_path, "--exclude-method", "POST", "--checks", "all")


def test_every_post_is_as_described(described, tmp_path):
    """All checks but one: a string that fits the description may hold nothing to speak, or be no
    voice."""
    check_with_schemathesis(described, tmp_path, "--exclude-method", "GET",
                            "--exclude-checks", "positive_data_acceptance")


def test_names_and_limits_are_the_servers(described):
    api = described.get("/openapi.json").json()
    schemas = api["components"]["schemas"]
    fields = schemas["SpeechFields"]["properties"]
    assert api["openapi"].startswith("3.1.")
    assert api["info"]["version"] == described.get("/").json()["version"]
    assert schemas["ModelName"]["enum"] == [
        model["id"] for model in described.get("/v1/models").json()["data"]]
    assert (fields["speed"]["minimum"], fields["speed"]["maximum"]) == (0.25, 4)
    for name in schemas["Format"]["enum"]:
        answer = described.post({"input": "Hi.", "response_format": name})
        kind = answer.headers["content-type"]
        assert answer.status_code == 200 or "library" in answer.json()["error"]["message"]
        assert kind in api["paths"]["/v1/audio/speech"]["post"]["responses"]["200"]["content"]
    too_long = described.post({"input": "a" * (1 + schemas["SpeechRequest"]["allOf"][1]["properties"]
                                               ["input"]["maxLength"])})
    assert too_long.json()["error"]["code"] == "string_above_max_length"


def test_the_page_needs_nothing_from_outside(described):
    answer = described.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for word in ("http://", "https://", "//cdn", "@import", "src="):
        assert word not in answer.text


def test_the_root_answers(described):
    answer = described.get("/")
    assert answer.status_code == 200
    for name in ("speech", "docs", "openapi", "health", "status"):
        path = answer.json()[name]
        assert described.get(path).status_code == (405 if name == "speech" else 200)


@pytest.mark.parametrize("path", ["/v1/readyz", "/v1/test", "/test", "/v1", "/v1/", "/models/a/b", "//",
                                  "/docs/", "/v1/models/"])
def test_paths_that_are_not_there(described, path):
    answer = described.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_url"

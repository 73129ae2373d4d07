"""The official Node client of OpenAI's API against this server, and the page at /docs.

KOKORO_NODE  a directory with its node_modules; without it the test is skipped
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def test_every_part_of_the_sdk(server):
    folder = os.environ.get("KOKORO_NODE")
    if folder is None or shutil.which("node") is None:
        if os.environ.get("KOKORO_REQUIRE_DATA"):
            pytest.fail("KOKORO_NODE is not set, or there is no node")
        pytest.skip("KOKORO_NODE is not set, or there is no node")
    script = Path(__file__).parent / "node" / "sdk.js"
    ended = subprocess.run(["node", script, server.url, folder], capture_output=True, text=True,
                           timeout=600)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("ok ") == script.read_text().count("  async ") > 8
    server.wait_idle()


def test_the_page_shows_every_operation(server):
    if shutil.which("node") is None:
        if os.environ.get("KOKORO_REQUIRE_DATA"):
            pytest.fail("there is no node")
        pytest.skip("there is no node")
    script = Path(__file__).parent / "node" / "page.js"
    ended = subprocess.run(["node", script, server.url], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    api = server.get("/openapi.json").json()
    for path, item in api["paths"].items():
        for operation in item.values():
            assert path in ended.stdout and operation["summary"] in ended.stdout
    for name in api["components"]["schemas"]["SpeechFields"]["properties"]:
        assert f"{name}\n" in ended.stdout

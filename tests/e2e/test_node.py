"""The official Node client of OpenAI's API against this server.

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

"""The lines of the Benchmarking and Monitoring Guide, typed as they stand, and what they print.

    KOKORO_PROGRAM=build/release/apps/kokoro python tests/e2e/guide.py docs/GUIDE.md

runs all of them against a server of its own on port 8000 and writes their output into the document,
between its fences; test_guide.py types them again and compares.
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = "~~~"

# In the guide's order; a line that is typed more than once there stands here once.
LINES = [
    "python scripts/run_benchmark.py --verbose",
    "cat benchmark_results.md",
    "curl http://localhost:8000/status",
    "curl http://localhost:8000/status | jq '.'",
    "curl http://localhost:8000/status | jq '.performance'",
    "curl http://localhost:8000/status | jq '.performance.average_inference_time'",
    "curl http://localhost:8000/status | jq '.performance.provider_used'",
    "curl http://localhost:8000/status | jq '.patch_status'",
    "curl http://localhost:8000/status | jq '.hardware'",
    "python scripts/configure_benchmark_frequency.py",
    "python scripts/configure_benchmark_frequency.py --show-current",
    "python scripts/configure_benchmark_frequency.py --frequency weekly",
    "export KOKORO_BENCHMARK_FREQUENCY=weekly",
    'echo "KOKORO_BENCHMARK_FREQUENCY=weekly" >> .env',
    "python scripts/manage_benchmark_cache.py --status",
    "python scripts/manage_benchmark_cache.py --clear",
    "python scripts/manage_benchmark_cache.py --force-benchmark",
    "python scripts/manage_benchmark_cache.py --inspect",
    "python scripts/cleanup_cache.py --stats",
    "python scripts/cleanup_cache.py",
    "python scripts/cleanup_cache.py --aggressive",
    "curl http://localhost:8000/cache-status",
    "curl -X POST http://localhost:8000/cache-cleanup",
    "python scripts/run_benchmark.py --quick",
    "python scripts/run_benchmark.py",
]


def read_blocks(text):
    """[(command, output)] of a document's console blocks."""
    blocks = []
    for body in re.findall(rf"^{FENCE}console\n(.*?)^{FENCE}$", text, re.S | re.M):
        command, _, output = body.partition("\n")
        assert command.startswith("$ "), command
        blocks.append((command[2:], output))
    return blocks


class Shell:
    """Types commands into one working directory that looks like a checkout's root."""

    def __init__(self, directory, address, environment):
        self.directory = Path(directory)
        self.address = address
        self.environment = {**os.environ, **environment}
        (self.directory / "scripts").symlink_to(ROOT / "scripts")

    def type(self, command):
        """(exit status, output). What the person exports stays exported."""
        exported = re.fullmatch(r"export (\w+)=(\S+)", command)
        if exported:
            self.environment[exported[1]] = exported[2]
        typed = command.replace("localhost:8000", self.address)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", typed.replace("curl ", "curl -sS ")],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=900,
        )
        return done.returncode, done.stdout.decode()


def write(path):
    """Run all lines and put their output into the document's blocks."""
    import tempfile

    program = str(Path(os.environ["KOKORO_PROGRAM"]).resolve())
    text = Path(path).read_text()
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen(
            [program, "serve"], cwd=directory, stderr=subprocess.PIPE, text=True
        )
        for line in server.stderr:
            if line.startswith("listening on"):
                break
        subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)
        shell = Shell(directory, "localhost:8000", {"KOKORO_PROGRAM": program})
        try:
            body = json.dumps({"input": "A sentence, so that there is something to see."})
            subprocess.run(
                ["curl", "-sS", "-o", "/dev/null", "-H", "Content-Type: application/json"]
                + ["-d", body, "http://localhost:8000/v1/audio/speech"],
                check=True,
            )
            for command, _ in read_blocks(text):
                status, output = shell.type(command)
                print(f"{status} {command}", file=sys.stderr)
                output = output.replace(directory, "~/kokoro").replace(str(ROOT), "~/kokoro")
                home = os.environ.get("KOKORO_HOME")
                if home:
                    output = output.replace(home, "~/.local/share/kokoro")
                output = "".join(f"{line.rstrip()}\n" for line in output.splitlines())
                pattern = rf"^{FENCE}console\n\$ {re.escape(command)}\n.*?^{FENCE}$"
                block = f"{FENCE}console\n$ {command}\n{output}{FENCE}"
                text = re.sub(pattern, lambda _: block, text, count=1, flags=re.S | re.M)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
    Path(path).write_text(text)


if __name__ == "__main__":
    write(sys.argv[1])

#!/usr/bin/env python3
"""Time "Hello world." from the start of the process to the file on disk: kokoro against kokoro-onnx, in turn.

    start_to_file.py PROGRAM PYTHON MODEL VOICES_NPZ [--rounds 7]

PYTHON is an interpreter with kokoro-onnx and soundfile; VOICES_NPZ its voices file. Prints one JSON line with medians of the
wall time, peak memory, and the ratio per round.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

PEER = """
import sys
from kokoro_onnx import Kokoro
import soundfile as sf
k = Kokoro(sys.argv[1], sys.argv[2])
a, rate = k.create("Hello world.", voice="af_heart", speed=1.0, lang="en-us")
sf.write(sys.argv[3], a, rate)
"""


def run(command):
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, (command, status)
    return time.perf_counter() - start, usage.ru_maxrss // 1024


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("program")
    ap.add_argument("python")
    ap.add_argument("model")
    ap.add_argument("voices")
    ap.add_argument("--rounds", type=int, default=7)
    a = ap.parse_args()
    tmp = tempfile.mkdtemp()
    ours = [a.program, "say", "Hello world.", "-o", f"{tmp}/ours.wav"]
    theirs = [a.python, "-c", PEER, a.model, a.voices, f"{tmp}/theirs.wav"]
    run(ours), run(theirs)  # warm the page cache
    rows = [(run(ours), run(theirs)) for _ in range(a.rounds)]
    med = lambda v: round(statistics.median(v), 3)
    print(json.dumps({"ours_s": med(o[0] for o, _ in rows), "kokoro_onnx_s": med(t[0] for _, t in rows),
                      "ratio_median": med(o[0] / t[0] for o, t in rows),
                      "ratios": [round(o[0] / t[0], 3) for o, t in rows],
                      "peak_mb": [max(o[1] for o, _ in rows), max(t[1] for _, t in rows)]}))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Compare the provider onnxruntime with ONNX Runtime driven from Python: the same file, the same phonemes.

    compare_ort.py PROGRAM PYTHON MODEL VOICES_DIR [--voices a,b] [--rounds 5] [--texts FILE]

PROGRAM is kokoro; PYTHON an interpreter that has onnxruntime and numpy; MODEL the ONNX file; VOICES_DIR raw <voice>.bin.
Part 1, samples: every text in every voice, length and SNR (the WAV's 16 bits bound it to some 70 dB).
Part 2, speed: model time of three lengths, the two programs in turn, ratio per round, median over rounds.
Prints JSON lines. Standard library only in this process.
"""
import argparse
import json
import math
import os
import statistics
import struct
import subprocess
import sys
import tempfile

RUNNER = r"""
import json, sys, time, resource
import numpy as np, onnxruntime as ort
model, threads = sys.argv[1], int(sys.argv[2])
so = ort.SessionOptions(); so.intra_op_num_threads = threads
s = ort.InferenceSession(model, so, providers=["CPUExecutionProvider"])
for line in sys.stdin:
    job = json.loads(line)
    style = np.fromfile(job["voice"], "<f4").reshape(510, 256)[len(job["ids"]) - 1][None]
    x = {"tokens": np.array([[0] + job["ids"] + [0]], np.int64), "style": style, "speed": np.array([1.0], np.float32)}
    times = []
    for _ in range(job["repeat"]):
        t = time.perf_counter(); y = np.asarray(s.run(None, x)[0]).ravel(); times.append(time.perf_counter() - t)
    if job.get("out"): y.astype("<f4").tofile(job["out"])
    print(json.dumps({"n": int(y.size), "best_s": min(times), "median_s": float(np.median(times)),
                      "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}), flush=True)
"""

# The vocabulary of Kokoro-82M v1.0's config.json, by code point.
VOCABULARY = {chr(int(a, 16)): int(b) for a, b in (
    row for row in __import__("re").findall(
        r"\{0x([0-9A-F]+), (\d+)\}",
        open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "token", "vocabulary.c")).read()))}


def wav_samples(data):
    at = data.index(b"data") + 8
    n = (len(data) - at) // 2
    return [v / 32767 for v in struct.unpack(f"<{n}h", data[at:at + 2 * n])]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("program")
    ap.add_argument("python")
    ap.add_argument("model")
    ap.add_argument("voices_dir")
    ap.add_argument("--voices", default="af_heart,am_michael,bf_emma,bm_george,af_nicole")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--texts", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "texts.txt"))
    ap.add_argument("--skip-samples", action="store_true")
    a = ap.parse_args()
    texts = [t.strip() for t in open(a.texts, encoding="utf-8") if t.strip()]
    phonemes = subprocess.run([a.program, "phonemize", "-f", a.texts], capture_output=True, text=True,
                              check=True).stdout.splitlines()
    assert len(phonemes) == len(texts), (len(phonemes), len(texts))
    ids = lambda p: [VOCABULARY[c] for c in p if c in VOCABULARY]
    peer = subprocess.Popen([a.python, "-c", RUNNER, a.model, str(a.threads)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)

    def ask(job):
        peer.stdin.write(json.dumps(job) + "\n")
        peer.stdin.flush()
        return json.loads(peer.stdout.readline())

    tmp = tempfile.mkdtemp()
    raw = os.path.join(tmp, "peer.f32")
    worst, bad = math.inf, 0
    for voice in a.voices.split(",") if not a.skip_samples else []:
        lowest = math.inf
        for p in phonemes:
            ask({"ids": ids(p), "voice": f"{a.voices_dir}/{voice}.bin", "repeat": 1, "out": raw})
            ref = struct.unpack(f"<{os.path.getsize(raw) // 4}f", open(raw, "rb").read())
            ref = [max(-1.0, min(1.0, x)) for x in ref]  # as a 16-bit file holds it
            got = wav_samples(subprocess.run([a.program, "say", "--phonemes", "-v", voice, "-o", "-", "--provider",
                                              "onnxruntime", p], capture_output=True, check=True).stdout)
            if len(got) != len(ref):
                bad += 1
                print(json.dumps({"voice": voice, "phonemes": p, "samples": [len(ref), len(got)]}))
                continue
            err = sum((x - y) ** 2 for x, y in zip(ref, got))
            lowest = min(lowest, 10 * math.log10(sum(x * x for x in ref) / err) if err else math.inf)
        worst = min(worst, lowest)
        print(json.dumps({"voice": voice, "texts": len(texts), "lowest_snr_db": round(lowest, 1)}), flush=True)
    if not a.skip_samples:
        print(json.dumps({"of_unequal_length": bad, "lowest_snr_db": round(worst, 1)}), flush=True)

    lengths = {"short": phonemes[1], "medium": " ".join(phonemes[:2]), "long": " ".join(phonemes[:6])}
    for name, p in lengths.items() if a.rounds > 0 else ():
        ratios, ours_s, theirs_s, rss = [], [], [], 0
        for _ in range(a.rounds):
            theirs = ask({"ids": ids(p), "voice": f"{a.voices_dir}/af_heart.bin", "repeat": 3})
            run = subprocess.run([a.program, "say", "--phonemes", "-o", "/dev/null", "--repeat", "3", "--stats", "--threads",
                                  str(a.threads), "--provider", "onnxruntime", p], capture_output=True, text=True, check=True)
            ours = json.loads(run.stderr.strip().splitlines()[-1])
            ratios.append(ours["best_s"] / theirs["best_s"])
            ours_s.append(ours["best_s"])
            theirs_s.append(theirs["best_s"])
            rss = max(rss, ours["rss_mb"])
        print(json.dumps({"text": name, "audio_s": round(ours["audio_s"], 2), "ours_s": round(statistics.median(ours_s), 3),
                          "onnxruntime_python_s": round(statistics.median(theirs_s), 3),
                          "ratio_median": round(statistics.median(ratios), 3),
                          "ratios": [round(r, 3) for r in ratios], "rss_mb": [round(rss), theirs["rss_mb"]]}), flush=True)
    peer.stdin.close()
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()

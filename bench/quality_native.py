#!/usr/bin/env python3
"""Measure how near the native engine's sound is to the float32 reference.

    quality_native.py PROGRAM BLOCKS --model INT8.onnx --voices DIR --work DIR [--json FILE]
                      [--texts FILE] [--only N ...] [--runs NAME ...]

PROGRAM is kokoro (its phonemes), BLOCKS the program native_blocks of this build. The reference is
ONNX Runtime, optimisation level basic, on the model as tests/golden/expand_model.py expands it;
its tensors are kept in the work directory. Needs the packages of tests/golden/requirements.txt.

For each sentence: the whole chain in bf16 and in f32; then each block alone on the reference's
tensors, everything behind it in float, so that a row says what that block costs in sound. Prints a
table in Markdown, then each duration that differs with its raw value.
"""
import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "golden"))

import make_reference as reference  # noqa: E402
from distance import log_mel_distance_db, snr_db  # noqa: E402

# Name, precision of decoder and generator (or of the whole), tensors taken from the reference.
TEXT = "durations,text_aligned"
CURVES = f"{TEXT},f0,energy"
WHOLE, OWN_PITCH, OWN_SOURCE = "whole, bf16", "pitch into the source", "source and spectrum"
RUNS = (
    (WHOLE, ("infer", "bf16")),
    ("whole, f32", ("infer", "f32")),
    (OWN_PITCH, ("blocks", "f32", "f32", "durations,decoder_3")),
    ("pitch and energy into the decoder", ("blocks", "f32", "f32", f"{TEXT},source_stft")),
    (OWN_SOURCE, ("blocks", "f32", "f32", f"{CURVES},decoder_3")),
    ("decoder, f32", ("blocks", "f32", "f32", f"{CURVES},source_stft")),
    ("decoder, bf16", ("blocks", "bf16", "f32", f"{CURVES},source_stft")),
    ("generator, f32", ("blocks", "f32", "f32", f"{CURVES},decoder_3,source_stft")),
    ("generator, bf16", ("blocks", "f32", "bf16", f"{CURVES},decoder_3,source_stft")),
)


def read_cases(args):
    """The sentences as cases of make_reference: name, voice, phonemes, speed."""
    rows = [line.split(" ", 1) for line in args.texts.read_text(encoding="utf-8").splitlines()]
    cases = []
    for number, (voice, text) in enumerate(rows, 1):
        language = "en-gb" if voice[0] == "b" else "en-us"
        command = [args.program, "phonemize", "--lang", language, text]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        cases.append({"name": f"{number:02}", "text": text, "phonemes": done.stdout.strip(),
                      "voice": voice, "speed": 1.0})
    return [case for case in cases if not args.only or int(case["name"]) in args.only]


def make_references(args, cases):
    """Write the reference's tensors of each case that has none yet for these phonemes."""
    def is_stale(case):
        path = args.work / "reference" / case["name"] / "case.json"
        if not path.exists():
            return True
        kept = json.loads(path.read_text(encoding="utf-8"))
        return any(kept[key] != value for key, value in case.items())

    stale = [case for case in cases if is_stale(case)]
    if not stale:
        return
    vocabulary = reference.read_vocabulary()
    path = reference.expanded_model(args.model, args.work / "cache")
    session = reference.open_session(path, 2)
    for case in stale:
        ids = reference.phoneme_ids(case, vocabulary)
        style = reference.read_style(args.voices, case["voice"], len(ids) - 2)
        tensors = reference.run_case(session, case, ids, style)
        reference.write_case(args.work / "reference" / case["name"], case, ids, tensors, {})
        print(f"reference {case['name']}", file=sys.stderr, flush=True)


class Blocks:
    """The program native_blocks, kept alive."""

    def __init__(self, args):
        self.process = subprocess.Popen([args.blocks, str(args.model)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def run(self, source, target, job):
        target.mkdir(parents=True, exist_ok=True)
        self.process.stdin.write(" ".join([str(source), str(target), *job]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise ValueError(f"{source.name}: {' '.join(job)}: {answer}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def folder_of(work, run):
    return work / run.replace(", ", "_").replace(" ", "_")


def tensor(folder, name):
    return np.fromfile(folder / f"{name}.f32", "<f4").astype(np.float64)


def relative_rms(got, want):
    return float(np.sqrt(np.sum((got - want) ** 2) / np.sum(want ** 2)))


def compare_durations(case, source, target):
    """Tokens whose duration differs: place, symbol, both durations, raw values."""
    want, got = tensor(source, "durations"), tensor(target, "durations")
    raw = tensor(source, "duration_raw")
    symbols = ["pad", *case["phonemes"], "pad"]
    return [{"case": case["name"], "token": int(at), "symbol": symbols[at], "reference": int(want[at]),
             "native": int(got[at]), "raw": float(raw[at]),
             "to_boundary": abs(float(raw[at]) % 1 - 0.5)} for at in np.flatnonzero(want != got)]


def measure(args, blocks, case):
    source, work = args.work / "reference" / case["name"], args.work / "native" / case["name"]
    sound = tensor(source, "audio")
    result = {key: case[key] for key in ("name", "voice", "text")}
    result["audio_s"] = sound.size / reference_rate()
    result["runs"] = {}
    for name, job in args.runs:
        target = folder_of(work, name)
        blocks.run(source, target, job)
        got = tensor(target, "audio")
        result["runs"][name] = {"samples": [sound.size, got.size],
                                "log_mel_db": log_mel_distance_db(sound, got),
                                "snr_db": snr_db(sound, got)}
    whole, own, given = (folder_of(work, name) for name in (WHOLE, OWN_PITCH, OWN_SOURCE))
    if WHOLE in result["runs"]:
        result["durations"] = compare_durations(case, source, whole)
    if OWN_PITCH in result["runs"]:
        errors = np.abs(tensor(own, "duration_raw") - tensor(source, "duration_raw"))
        result["raw_duration_error"] = float(errors.max())
        result["f0_error"] = relative_rms(tensor(own, "f0"), tensor(source, "f0"))
    if OWN_SOURCE in result["runs"]:
        for key, name in (("source_equal", "source"), ("spectrum_equal", "source_stft")):
            result[key] = bool(np.array_equal(tensor(given, name), tensor(source, name)))
    return result


def reference_rate():
    return reference.SAMPLES_PER_FRAME * 40


def print_report(results, names):
    print("| run | log-mel dB: mean | median | worst (sentence) | over 0.3 | over 0.5 "
          "| SNR dB: lowest | median |\n|---|---|---|---|---|---|---|---|")
    for name in names:
        rows = [(result["runs"][name], result["name"]) for result in results]
        mel = [row["log_mel_db"] for row, _ in rows]
        snr = [row["snr_db"] for row, _ in rows]
        worst = max(rows, key=lambda row: row[0]["log_mel_db"])
        print(f"| {name} | {statistics.mean(mel):.4f} | {statistics.median(mel):.4f} "
              f"| {worst[0]['log_mel_db']:.4f} ({worst[1]}) | {sum(d > 0.3 for d in mel)} "
              f"| {sum(d > 0.5 for d in mel)} | {min(snr):.1f} | {statistics.median(snr):.1f} |")
    print("\n| sentence | voice | s | " + " | ".join(names) + " | f0 error |")
    print("|---" * (len(names) + 4) + "|")
    for result in sorted(results, key=lambda r: -r["runs"][names[0]]["log_mel_db"]):
        runs = " | ".join(f"{result['runs'][name]['log_mel_db']:.3f}" for name in names)
        print(f"| {result['name']} | {result['voice']} | {result['audio_s']:.2f} | {runs} "
              f"| {result.get('f0_error', math.nan):.1e} |")
    lengths = sum(len(set(result["runs"][names[0]]["samples"])) == 1 for result in results)
    print(f"\nEqual lengths: {lengths} of {len(results)}.")
    if OWN_PITCH in names:
        worst = max(result["raw_duration_error"] for result in results)
        print(f"Largest error of a raw duration: {worst:.1e} frames.")
    if OWN_SOURCE in names:
        source, spectrum = (sum(result[key] for result in results)
                            for key in ("source_equal", "spectrum_equal"))
        print(f"Equal source, given equal pitch: {source}. Equal spectrum: {spectrum}.")
    differing = [row for result in results for row in result.get("durations", [])]
    print(f"Tokens with another duration: {len(differing)}.")
    for row in differing:
        print(json.dumps(row, ensure_ascii=False))


def main():
    ap = argparse.ArgumentParser(description="Measure the native engine's distance to the reference.")
    ap.add_argument("program")
    ap.add_argument("blocks")
    ap.add_argument("--model", type=pathlib.Path, required=True, help="the published int8 export")
    ap.add_argument("--voices", type=pathlib.Path, required=True, help="a folder of raw VOICE.bin")
    ap.add_argument("--work", type=pathlib.Path, required=True)
    ap.add_argument("--texts", type=pathlib.Path, default=HERE / "quality_texts.txt")
    ap.add_argument("--only", type=int, nargs="+", help="numbers of sentences")
    ap.add_argument("--runs", nargs="+", help="names of runs; default: all")
    ap.add_argument("--json", type=pathlib.Path)
    args = ap.parse_args()
    args.runs = [run for run in RUNS if not args.runs or run[0] in args.runs]
    try:
        if not args.runs:
            raise ValueError(f"no such run; there are: {'; '.join(name for name, _ in RUNS)}")
        cases = read_cases(args)
        make_references(args, cases)
        blocks = Blocks(args)
        results = [measure(args, blocks, case) for case in cases]
        blocks.close()
        if args.json:
            args.json.write_text(json.dumps(results, ensure_ascii=False, indent=4) + "\n")
        print_report(results, [name for name, _ in args.runs])
    except (OSError, ValueError, subprocess.CalledProcessError) as err:
        sys.exit(f"quality_native.py: {err}")


if __name__ == "__main__":
    main()

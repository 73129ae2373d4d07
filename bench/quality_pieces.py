#!/usr/bin/env python3
"""Compare speech in pieces with the same speech made whole: how soon it begins, and how near it is.

    quality_pieces.py PIECE_TIMES --home KOKORO_HOME [--threads 2] [--rounds 5] [--json FILE]
                      [--texts FILE]

PIECE_TIMES is that program of this build (bench/piece_times.c); a line of FILE is a voice and a
sentence. What is too short for pieces is left out. Columns: seconds of sound; the first piece's time over the whole's, of the model, in
turns in one warm process; all pieces' time over the whole's; log-mel distance of all and of the
first second, in dB; the largest seam: the largest step within 2 ms of a joint over the 99.9th
percentile of all steps. Needs numpy.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "golden"))

from distance import RATE_HZ, log_mel_distance_db, read_wav  # noqa: E402

LARGEST = {"first_ratio": "first / whole", "pieces_ratio": "all / whole", "all_db": "all, dB",
           "second_db": "first second, dB", "seam": "seam"}


def largest_seam(samples, seams):
    step = np.abs(np.diff(samples))
    top, near = np.percentile(step, 99.9), RATE_HZ // 500
    return max((float(step[max(0, t - near):t + near].max() / top) for t in seams), default=0.0)


def compare(row, folder):
    whole, pieces = (read_wav(folder / f"{name}.f32") for name in ("whole", "pieces"))
    if whole.size != pieces.size:
        sys.exit(f"lengths differ: {whole.size} and {pieces.size} samples")
    row["all_db"] = log_mel_distance_db(whole, pieces)
    row["second_db"] = log_mel_distance_db(whole[:RATE_HZ], pieces[:RATE_HZ])
    row["seam"] = largest_seam(pieces, row["seams"])
    row["whole_seam"] = largest_seam(whole, row["seams"])
    row["first_ratio"] = row["first_s"] / row["whole_s"]
    row["pieces_ratio"] = row["pieces_s"] / row["whole_s"]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--home", required=True, type=pathlib.Path)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--rounds", default="5")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--texts", type=pathlib.Path, default=HERE / "quality_texts.txt")
    args = parser.parse_args()
    command = [args.program, *(str(args.home / name) for name in (
        "model/kokoro-v1.0.int8.onnx", "voices/voices.pack", "lexicon/english.pack", "cache")), args.threads, args.rounds]
    rows = []
    with tempfile.TemporaryDirectory() as work, \
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for line in args.texts.read_text(encoding="utf-8").splitlines():
            voice, text = line.split(maxsplit=1)
            process.stdin.write(f"{work} {voice} {text}\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                sys.exit("the program ended")
            row = {"voice": voice, "text": text, **json.loads(line)}
            if row["seams"]:
                rows.append(compare(row, pathlib.Path(work)))
        process.stdin.close()
    print("| voice, seconds | first, ms | whole, ms | " + " | ".join(LARGEST.values()) + " | the whole there |")
    print("|---" * (4 + len(LARGEST)) + "|")
    for row in sorted(rows, key=lambda r: r["audio_s"]):
        print(f"| {row['voice']} {row['audio_s']:.1f} | {1e3 * row['first_s']:.0f} | {1e3 * row['whole_s']:.0f} | "
              + " | ".join(f"{row[key]:.3f}" for key in LARGEST) + f" | {row['whole_seam']:.2f} |")
    for name, of in (("median", statistics.median), ("mean", statistics.mean), ("largest", max)):
        print(f"| {name} | | | " + " | ".join(f"{of(row[key] for row in rows):.3f}" for key in LARGEST) + " | |")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Compare sounds, or whole sets of tensors, with a reference.

    compare.py REF.wav OTHER.wav            (also raw NAME.f32): length, SNR, log-mel distance
    compare.py REF_FOLDER OTHER_FOLDER      each NAME.f32 of both: SNR, largest relative error

Prints one line of JSON for each pair. An error is relative to the largest value of the tensor.
"""
import argparse
import json
import pathlib
import sys

import numpy as np

from distance import log_mel_distance_db, read_wav, snr_db


def rounded(value):
    return round(value, 4) if np.isfinite(value) else str(value)


def compare_sounds(reference, other):
    first, second = read_wav(reference), read_wav(other)
    return {
        "samples": [first.size, second.size],
        "snr_db": rounded(snr_db(first, second)),
        "log_mel_rms_db": rounded(log_mel_distance_db(first, second)),
    }


def compare_tensors(reference, other):
    first, second = (np.fromfile(path, "<f4").astype(np.float64) for path in (reference, other))
    if first.size != second.size or first.size == 0:
        return {"tensor": reference.stem, "values": [first.size, second.size]}
    worst, top = np.abs(first - second).max(), np.abs(first).max()
    return {
        "tensor": reference.stem,
        "snr_db": rounded(snr_db(first, second)),
        "relative_error": float(f"{worst / (top or 1.0):.3g}"),
    }


def main():
    ap = argparse.ArgumentParser(description="Compare sounds or tensors with a reference.")
    ap.add_argument("reference", type=pathlib.Path)
    ap.add_argument("other", type=pathlib.Path)
    args = ap.parse_args()
    try:
        if args.reference.is_dir():
            paths = sorted(args.reference.glob("*.f32"))
            pairs = [(path, args.other / path.name) for path in paths]
            pairs = [pair for pair in pairs if pair[1].exists()]
            if not pairs:
                raise ValueError("the folders have no tensor in common")
            for pair in pairs:
                print(json.dumps(compare_tensors(*pair)))
        else:
            print(json.dumps(compare_sounds(args.reference, args.other)))
    except (OSError, ValueError) as err:
        sys.exit(f"compare.py: {err}")


if __name__ == "__main__":
    main()

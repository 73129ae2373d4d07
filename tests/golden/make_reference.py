#!/usr/bin/env python3
"""Write the reference tensors that the native engine is compared with.

    make_reference.py --model INT8.onnx --voices PACK|DIR --out DIR
                      [--cache DIR] [--cases FILE] [--only NAME ...] [--threads N]

Expands the model to float32 (expand_model.py; kept in the cache directory under the hash of the
model and of the scripts), runs it in ONNX Runtime for each case of cases.json, and writes one
folder a case: NAME.f32 for each tensor of tensors.py and of the inputs, raw little-endian float32,
time-major; and case.json. README.md describes them.
"""
import argparse
import hashlib
import json
import pathlib
import re
import shutil
import struct
import sys

import numpy as np
import onnxruntime

from expand_model import expand_model
from tensors import TENSORS, time_major

HERE = pathlib.Path(__file__).resolve().parent
VOCABULARY = HERE.parent.parent / "src" / "token" / "vocabulary.c"
SAMPLES_PER_FRAME = 600
VOICE_ROWS, STYLE_SIZE = 510, 256
VOICES_HEAD, VOICE_NAME, VOICES_ALIGN = 64, 64, 4096  # of the packed voices


def read_vocabulary():
    """The engine's own table, symbol to id."""
    rows = re.findall(r"\{0x([0-9A-F]+), (\d+)\}", VOCABULARY.read_text(encoding="utf-8"))
    return {chr(int(code_point, 16)): int(number) for code_point, number in rows}


def read_voice(voices, voice):
    """A voice's table: from the packed voices (src/voice/voices_file.h), or from a folder of raw
    files."""
    if voices.is_dir():
        return np.fromfile(voices / f"{voice}.bin", dtype="<f4")
    with open(voices, "rb") as file:
        magic, _, n_voices = struct.unpack("<8sII", file.read(16))
        if magic != b"KKVOICES":
            raise ValueError(f"{voices} is not a packed voices file")
        file.seek(VOICES_HEAD)
        names = [file.read(VOICE_NAME).rstrip(b"\0").decode() for _ in range(n_voices)]
        if voice not in names:
            raise ValueError(f"{voices} has no voice {voice}")
        end = VOICES_HEAD + n_voices * VOICE_NAME
        start = -(-end // VOICES_ALIGN) * VOICES_ALIGN
        file.seek(start + names.index(voice) * VOICE_ROWS * STYLE_SIZE * 4)
        return np.frombuffer(file.read(VOICE_ROWS * STYLE_SIZE * 4), dtype="<f4")


def read_style(voices, voice, n_phonemes):
    """The row of a voice that belongs to so many phonemes."""
    values = read_voice(voices, voice)
    if values.size != VOICE_ROWS * STYLE_SIZE:
        raise ValueError(f"{voice}: {values.size} numbers, {VOICE_ROWS * STYLE_SIZE} expected")
    return values.reshape(VOICE_ROWS, STYLE_SIZE)[n_phonemes - 1]


def file_hash(*paths):
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def expanded_model(model, cache):
    """The path of the float32 model; it is made when the model or the scripts have changed."""
    key = file_hash(model, HERE / "expand_model.py", HERE / "tensors.py")[:16]
    path = cache / f"kokoro-f32-{key}.onnx"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        print("\n".join(expand_model(str(model), str(part))))
        part.rename(path)
    return path


def open_session(path, threads):
    """Level basic: no fusions that change the order of sums inside a layer."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def phoneme_ids(case, vocabulary):
    unknown = sorted(set(case["phonemes"]) - vocabulary.keys())
    if unknown:
        raise ValueError(f"case {case['name']}: the model does not know the symbols {unknown}")
    return [0, *(vocabulary[symbol] for symbol in case["phonemes"]), 0]


def run_case(session, case, ids, style):
    """All tensors of a case by name, time-major; checked for size and for numbers that are none."""
    inputs = {
        "tokens": np.array([ids], dtype=np.int64),
        "style": style[None],
        "speed": np.array([case["speed"]], dtype=np.float32),
    }
    found = session.run([name for _, name, _ in TENSORS], inputs)
    tensors = {
        "tokens": time_major(ids, "T"),
        "style": time_major(style, "T"),
        "speed": time_major(inputs["speed"], "T"),
    }
    for (name, _, layout), values in zip(TENSORS, found):
        tensors[name] = time_major(values, layout)
        if not np.isfinite(tensors[name]).all():
            raise ValueError(f"case {case['name']}: {name} has values that are no numbers")
    samples = int(tensors["durations"].sum()) * SAMPLES_PER_FRAME
    if tensors["audio"].size != samples or len(tensors["durations"]) != len(ids):
        found = tensors["audio"].size
        raise ValueError(f"case {case['name']}: {found} samples, {samples} expected")
    return tensors


def one_line(array):
    """A JSON array of numbers without its line breaks."""
    return "[" + " ".join(array.group()[1:-1].split()) + "]"


def write_case(folder, case, ids, tensors, facts):
    """Replace a case's folder by a whole new one."""
    part = folder.with_name(folder.name + ".part")
    for old in (part, folder):
        if (old / "case.json").exists():
            shutil.rmtree(old)
    part.mkdir(parents=True)
    for name, values in tensors.items():
        values.tofile(part / f"{name}.f32")
    record = {
        **case,
        "ids": ids,
        "style_row": len(ids) - 3,
        "durations": [int(value) for value in tensors["durations"]],
        "duration_raw": [float(value) for value in tensors["duration_raw"]],
        "tensors": {name: list(values.shape) for name, values in tensors.items()},
        **facts,
    }
    text = json.dumps(record, ensure_ascii=False, indent=4)
    text = re.sub(r"\[[^\[\]{}]*\]", one_line, text)
    (part / "case.json").write_text(text + "\n", encoding="utf-8")
    part.rename(folder)


def main():
    ap = argparse.ArgumentParser(description="Write the reference tensors.")
    ap.add_argument("--model", type=pathlib.Path, required=True, help="the published int8 export")
    ap.add_argument("--voices", type=pathlib.Path, required=True,
                    help="the packed voices, or a folder of raw VOICE.bin")
    ap.add_argument("--out", type=pathlib.Path, required=True)
    ap.add_argument("--cache", type=pathlib.Path, help="of the expanded model (OUT/cache)")
    ap.add_argument("--cases", type=pathlib.Path, default=HERE / "cases.json")
    ap.add_argument("--only", nargs="+", help="names of cases")
    ap.add_argument("--threads", type=int, default=1)
    args = ap.parse_args()
    try:
        cases = json.loads(args.cases.read_text(encoding="utf-8"))
        unknown = set(args.only or []) - {case["name"] for case in cases}
        if unknown:
            raise ValueError(f"no such case: {', '.join(sorted(unknown))}")
        vocabulary = read_vocabulary()
        path = expanded_model(args.model, args.cache or args.out / "cache")
        session = open_session(path, args.threads)
        facts = {"model_sha256": file_hash(args.model), "onnxruntime": onnxruntime.__version__}
        for case in cases:
            if args.only and case["name"] not in args.only:
                continue
            ids = phoneme_ids(case, vocabulary)
            style = read_style(args.voices, case["voice"], len(ids) - 2)
            tensors = run_case(session, case, ids, style)
            write_case(args.out / case["name"], case, ids, tensors, facts)
            frames = int(tensors["durations"].sum())
            print(f"{case['name']}: {len(ids)} tokens, {frames} frames, {len(tensors)} tensors")
    except (OSError, ValueError) as err:
        sys.exit(f"make_reference.py: {err}")


if __name__ == "__main__":
    main()

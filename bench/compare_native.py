#!/usr/bin/env python3
"""Compare the native engine's speed with ONNX Runtime and OpenVINO: same phonemes, voice, threads.

    compare_native.py PROGRAM PYTHON --int8 MODEL.onnx --f32 MODEL.onnx --voices DIR
                      [--rounds 7] [--repeat 3] [--threads 2] [--texts short,medium,long]
                      [--without NAME,...] [--json FILE]

PROGRAM is kokoro, set up by KOKORO_HOME; PYTHON an interpreter with onnxruntime, openvino and
numpy; --f32 the export as tests/golden/expand_model.py --plain expands it; --voices a folder of raw
<voice>.bin.

In each round every engine takes its turn with every text, in an order that rotates, and runs it
--repeat times; its time is the best of them, of the model alone. The peers' processes stay alive
and warm; ours is a process of `kokoro say --repeat` for each turn, warmed by its own first run. A
ratio is of two times of one round; medians are over the rounds. On a machine that others use too,
the ratio of the best times of all rounds tells more: it is given beside. Standard library only in
this process.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

VOCABULARY = pathlib.Path(__file__).resolve().parent.parent / "src" / "token" / "vocabulary.c"
TEXTS = {
    "short": "Hello world.",
    "medium": "The quick brown fox jumps over the lazy dog, and then it runs far away into the forest "
              "to sleep.",
    "long": "Speech synthesis is the artificial production of human speech. A computer system used for "
            "this purpose is called a speech synthesizer, and can be implemented in software or "
            "hardware products. A text to speech system converts normal language text into speech; "
            "other systems render symbolic linguistic representations like phonetic transcriptions "
            "into speech.",
}
# Ours: settings of the environment. Peers: runtime, file, precision.
OURS = {
    "native bf16": {"KOKORO_PRECISION": "bf16"},
    "native f32": {"KOKORO_PRECISION": "f32"},
    "native f32, avx2": {"KOKORO_PRECISION": "f32", "KOKORO_CPU_MASK": "avx2"},
}
PEERS = {
    "ONNX Runtime, int8 file": ("onnxruntime", "int8", "file"),
    "ONNX Runtime, f32 file": ("onnxruntime", "f32", "file"),
    "OpenVINO f32": ("openvino", "f32", "f32"),
    "OpenVINO bf16": ("openvino", "f32", "bf16"),
}
RUNNER = r"""
import json, sys, time
import numpy as np
runtime, model, precision, threads, voice = sys.argv[1:6]
start = time.perf_counter()
if runtime == "onnxruntime":
    import onnxruntime
    start = time.perf_counter()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    version = onnxruntime.__version__
    infer = lambda x: session.run(None, x)[0]
else:
    import openvino
    start = time.perf_counter()
    settings = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": int(threads)}
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    version = openvino.__version__.split("-")[0]
    infer = lambda x: list(request.infer(x).values())[0]
print(json.dumps({"load_s": time.perf_counter() - start, "version": version}), flush=True)
styles = np.fromfile(voice, "<f4").reshape(510, 256)
def peak_mb():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
for line in sys.stdin:
    job = json.loads(line)
    ids = job["ids"]
    x = {"tokens": np.array([[0, *ids, 0]], np.int64), "style": styles[len(ids) - 1][None],
         "speed": np.array([1.0], np.float32)}
    times = []
    for _ in range(job["repeat"]):
        start = time.perf_counter()
        audio = np.asarray(infer(x)).ravel()
        times.append(time.perf_counter() - start)
    print(json.dumps({"best_s": min(times), "audio_s": audio.size / 24000, "rss_mb": peak_mb()}),
          flush=True)
"""


class Peer:
    """A runtime in a process that stays alive."""

    def __init__(self, args, runtime, file, precision):
        model = {"int8": args.int8, "f32": args.f32}[file]
        voice = os.path.join(args.voices, f"{args.voice}.bin")
        command = [args.python, "-c", RUNNER, runtime, model, precision, str(args.threads), voice]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.facts = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise ValueError(f"a peer ended: {self.process.args[3:6]}")
        return json.loads(line)

    def turn(self, args, phonemes, ids):
        self.process.stdin.write(json.dumps({"ids": ids, "repeat": args.repeat}) + "\n")
        self.process.stdin.flush()
        return {**self.answer(), "load_s": self.facts["load_s"]}

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ours:
    """The program, a process a turn."""

    def __init__(self, args, settings):
        self.environment = {**os.environ, **settings}
        command = [args.program, "providers", "--json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        providers = json.loads(done.stdout)
        rows = providers if isinstance(providers, list) else providers["providers"]
        native = next(row for row in rows if row["name"] == "native")
        self.facts = {"version": native.get("version", "")}
        wanted = settings.get("KOKORO_CPU_MASK")
        if wanted and self.facts["version"] != wanted:
            raise ValueError(f"no level {wanted}: the mask gives {self.facts['version']}")

    def turn(self, args, phonemes, ids):
        command = [args.program, "say", "--provider", "native", "--phonemes", "--voice", args.voice,
                   "--threads", str(args.threads), "--repeat", str(args.repeat + 1), "--stats",
                   "-o", os.devnull, phonemes]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        stats = json.loads(done.stderr.strip().splitlines()[-1])
        if stats["chunks"] != 1:
            raise ValueError("the program cut the phonemes into chunks; the peers do not")
        self.facts["precision"] = stats["precision"]
        return {key: stats[key] for key in ("best_s", "audio_s", "rss_mb")} | {
            "load_s": stats["load_ms"] / 1e3}

    def close(self):
        pass


def read_phonemes(args):
    """Per text: phonemes, and the ids of the model's vocabulary."""
    rows = re.findall(r"\{0x([0-9A-F]+), (\d+)\}", VOCABULARY.read_text(encoding="utf-8"))
    vocabulary = {chr(int(code_point, 16)): int(number) for code_point, number in rows}
    found = {}
    for name in args.texts.split(","):
        done = subprocess.run([args.program, "phonemize", TEXTS[name]], capture_output=True, text=True,
                              check=True)
        phonemes = " ".join(done.stdout.split())
        found[name] = (phonemes, [vocabulary[symbol] for symbol in phonemes])
    return found


def open_engines(args):
    without = args.without.split(",") if args.without else []
    engines = {}
    for name, settings in OURS.items():
        try:
            if name not in without:
                engines[name] = Ours(args, settings)
        except ValueError as err:
            print(f"left out: {name}: {err}", file=sys.stderr)
    for name, settings in PEERS.items():
        if name not in without:
            engines[name] = Peer(args, *settings)
    return engines


def run_rounds(args, engines, texts):
    """[text][engine] -> a turn's result for each round. A first round warms and is not kept."""
    results = {text: {engine: [] for engine in engines} for text in texts}
    names = list(engines)
    for number in range(args.rounds + 1):
        for text, (phonemes, ids) in texts.items():
            for at in range(len(names)):
                name = names[(at + number) % len(names)]
                turn = engines[name].turn(args, phonemes, ids)
                if number > 0:
                    results[text][name].append(turn)
        print(f"round {number} of {args.rounds}", file=sys.stderr, flush=True)
    return results


def summarise(results):
    """Medians of each engine, and for each of ours the ratios of the others' times to its own."""
    table = {}
    for text, engines in results.items():
        table[text] = {}
        for name, turns in engines.items():
            time_s = statistics.median(turn["best_s"] for turn in turns)
            row = {"time_s": time_s, "audio_s": turns[0]["audio_s"],
                   "rtf": time_s / turns[0]["audio_s"], "times_s": [t["best_s"] for t in turns],
                   "rss_mb": max(turn["rss_mb"] for turn in turns),
                   "load_s": statistics.median(turn["load_s"] for turn in turns), "ratios": {}}
            for ours in OURS:
                if ours in engines and ours != name:
                    each = [theirs["best_s"] / own["best_s"] for theirs, own in zip(turns, engines[ours])]
                    best = min(row["times_s"]) / min(turn["best_s"] for turn in engines[ours])
                    row["ratios"][ours] = {"median": statistics.median(each), "all": each, "best": best}
            table[text][name] = row
    return table


def print_table(table):
    ours = [name for name in OURS if name in next(iter(table.values()))]
    for text, engines in table.items():
        audio_s = next(iter(engines.values()))["audio_s"]
        print(f"\n{text}, {audio_s:.2f} s of sound; times of the model: median, best; and how many times "
              "as long as each of ours: median (all rounds), of the best times\n")
        print("| engine | s | best s | best RTF | " + " | ".join(f"/ {name}" for name in ours) + " | peak MB | load s |")
        print("|---" * (len(ours) + 6) + "|")
        for name, row in engines.items():
            best_s = min(row["times_s"])
            cells = [f"{row['time_s']:.3f}", f"{best_s:.3f}", f"{best_s / row['audio_s']:.4f}"]
            for base in ours:
                ratio = row["ratios"].get(base)
                cells.append("" if ratio is None else f"{ratio['median']:.2f} "
                             f"({min(ratio['all']):.2f} to {max(ratio['all']):.2f}), {ratio['best']:.2f}")
            print(f"| {name} | " + " | ".join(cells) + f" | {row['rss_mb']:.0f} | {row['load_s']:.3f} |")
    print("\nPeak memory of a peer covers the texts before too.")


def main():
    ap = argparse.ArgumentParser(description="Compare the native engine's speed with other runtimes.")
    ap.add_argument("program")
    ap.add_argument("python")
    ap.add_argument("--int8", required=True)
    ap.add_argument("--f32", required=True)
    ap.add_argument("--voices", required=True)
    ap.add_argument("--voice", default="af_heart")
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--repeat", type=int, default=3)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--texts", default=",".join(TEXTS))
    ap.add_argument("--without", default="", help="names of engines, joined by commas and no space")
    ap.add_argument("--json", type=pathlib.Path)
    args = ap.parse_args()
    engines = {}
    try:
        texts = read_phonemes(args)
        engines = open_engines(args)
        table = summarise(run_rounds(args, engines, texts))
        if args.json:
            facts = {name: engine.facts for name, engine in engines.items()}
            record = {"engines": facts, "threads": args.threads, "repeat": args.repeat, "texts": table}
            args.json.write_text(json.dumps(record, indent=4) + "\n", encoding="utf-8")
        print_table(table)
    except (OSError, ValueError, subprocess.CalledProcessError) as err:
        sys.exit(f"compare_native.py: {getattr(err, 'stderr', None) or err}")
    finally:
        for engine in engines.values():
            engine.close()


if __name__ == "__main__":
    main()

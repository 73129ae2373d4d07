#!/usr/bin/env python3
"""First sound of a server's answers with and without its own benchmark in the background.

    python3 bench/benchmark_in_background.py PROGRAM [--requests N] [--rounds N]

In each round N sentences are asked for without a benchmark and N while one waits or runs (it is
forced again when it ends), in turn. Between requests the client waits 0.2 to 3 s, so that the
benchmark goes on between some and is stopped for all. The time counts from the request to the first
byte of sound behind a WAV's header. Prints a line of JSON: medians and 95th percentiles in ms.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

SUBJECTS = "The river;A small boat;Her brother;The old clock;Every window".split(";")
VERBS = "waits near;turns towards;listens to;remembers;slowly leaves".split(";")
OBJECTS = "the quiet harbour;the last train;a garden of stones;the evening market".split(";")


def sentence(number):
    pick = random.Random(number)
    return f"{pick.choice(SUBJECTS)} {pick.choice(VERBS)} {pick.choice(OBJECTS)}, number {number}."


def call(url, data=None, method=None):
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    return urllib.request.urlopen(request, timeout=120)


def first_sound_ms(url, number):
    body = json.dumps({"input": sentence(number), "response_format": "wav", "no_cache": True})
    start = time.monotonic()
    with call(url + "/v1/audio/speech", body.encode()) as answer:
        answer.read(46)
        elapsed = time.monotonic() - start
        answer.read()
    return 1e3 * elapsed


def keep_benchmarking(url):
    try:
        call(url + "/benchmark?mode=quick", method="POST").close()
    except urllib.error.HTTPError as refused:
        if refused.code != 409:
            raise


def percentile_95(values):
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def measure(url, n_requests, n_rounds):
    times = {"without": [], "with": []}
    pauses = random.Random(1)
    number = 0
    for round_number in range(n_rounds):
        while round_number > 0 and json.load(call(url + "/benchmark"))["status"] != "idle":
            time.sleep(1)
        for way, samples in times.items():
            for _ in range(n_requests):
                if way == "with":
                    keep_benchmarking(url)
                time.sleep(pauses.choice([0.2, 0.7, 1.5, 3.0]))
                samples.append(first_sound_ms(url, number))
                number += 1
    return {
        way: {"median_ms": statistics.median(t), "p95_ms": percentile_95(t), "n": len(t)}
        for way, t in times.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen(
            [os.path.abspath(options.program), "serve", "--port", "0"],
            cwd=directory,
            env={**os.environ, "KOKORO_BENCHMARK_FREQUENCY": "manually"},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            for line in server.stderr:
                if line.startswith("listening on "):
                    url = line.split()[-1]
                    break
            else:
                raise SystemExit("the server did not start")
            # What it logs from here on is not wanted, and must not fill the pipe.
            subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)
            for number in range(-3, 0):
                first_sound_ms(url, number)
            print(json.dumps(measure(url, options.requests, options.rounds)))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Many clients of a running server: an overload, and a soak of mixed requests half of which are cut.

    load.py overload --port 8000 --pid PID [--clients 64] [--seconds 60]
    load.py soak --port 8000 --pid PID [--requests 10000] [--clients 12]

Prints one JSON object. The overload counts answers by status and looks whether each accepted stream
has as many bytes as the same text has at once; the soak tells the slope of the process's memory over its second half, and what is left
of threads, descriptors and temporary files when all is over. Standard library only.
"""
import argparse
import http.client
import json
import os
import random
import socket
import statistics
import threading
import time
from pathlib import Path

WORDS = ("river", "lamp", "winter", "morning", "garden", "seven", "letter", "silver", "mountain", "boat", "quiet", "road",
         "answer", "window", "paper", "summer", "market", "bridge", "candle", "harbour")


def text_of(rng, n_words):
    """A sentence that nobody has asked for before."""
    return f"{' '.join(rng.choice(WORDS) for _ in range(n_words))}.".capitalize()


def memory_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def left_of(pid, cache=None):
    """Threads, descriptors, and what lies in the cache's temporary folder."""
    left = {"threads": len(os.listdir(f"/proc/{pid}/task")), "descriptors": len(os.listdir(f"/proc/{pid}/fd"))}
    if cache is not None:
        left["temporary"] = sum(1 for path in Path(cache).rglob("*") if ".tmp" in path.name)
    return left


def ask(port, body, timeout=300, stop_after=None):
    """The status and the bytes of an answer. With stop_after the connection is closed after so many bytes (0: at once)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", "/v1/audio/speech", json.dumps(body), {"Content-Type": "application/json"})
        if stop_after == 0:
            return None, 0, None
        answer = connection.getresponse()
        n = 0
        while stop_after is None or n < stop_after:
            data = answer.read1(65536)
            if not data:
                break
            n += len(data)
        return answer.status, n, answer.headers.get("Retry-After")
    finally:
        connection.close()


class Watch(threading.Thread):
    """The memory of a process, every quarter of a second."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.samples, self.ends = pid, [], threading.Event()
        self.start()

    def run(self):
        while not self.ends.wait(0.25):
            self.samples.append((time.monotonic(), memory_mb(self.pid)))

    def end(self):
        self.ends.set()
        self.join()
        return self.samples


def slope(samples):
    """MB an hour, of the line through the second half."""
    half = samples[len(samples) // 2:]
    if len(half) < 2:
        return 0.0
    times, values = zip(*half)
    return 3600 * statistics.linear_regression(times, values).slope


def run_threads(n, work):
    threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def whole_lengths(port, texts, **more):
    """What each text has to give, by its answer that is not streamed. Its silence in front stays, so that a stream of it
    has as many bytes, whatever its pieces."""
    return [(body, ask(port, {**body, "stream": False})[1])
            for body in ({"input": text, "response_format": "pcm", "skip_silence": False, "no_cache": True, **more}
                         for text in texts)]


def overload(port, pid, clients=64, seconds=60, seed=1, speed=1):
    """Every client asks again and again, and soon after a refusal. Each accepted stream must have all of its bytes."""
    rng = random.Random(seed)
    known = whole_lengths(port, [text_of(rng, n_words) for n_words in (4, 8, 12, 16, 20, 24)], speed=speed)
    end, lock = time.monotonic() + seconds, threading.Lock()
    seen = {"accepted": 0, "refused": 0, "cut": 0, "other": [], "retry_after": []}
    before, watch = left_of(pid), Watch(pid)

    def work(index):
        rng = random.Random(seed * 1000 + index)
        while time.monotonic() < end:
            body, length = rng.choice(known)
            try:
                status, n, retry = ask(port, body)
                with lock:
                    if status == 200 and n == length:
                        seen["accepted"] += 1
                    elif status == 429:
                        seen["refused"] += 1
                        seen["retry_after"].append(int(retry or 0))
                    else:
                        seen["other"].append([status, n, length])
                if status == 429:
                    time.sleep(0.05)
            except (http.client.HTTPException, OSError) as problem:
                with lock:
                    seen["cut"] += 1
                    seen["other"].append(repr(problem))

    run_threads(clients, work)
    samples = [mb for _, mb in watch.end()]
    retry = seen.pop("retry_after")
    return {**seen, "retry_after_s": [min(retry), max(retry)] if retry else None, "first_mb": round(samples[0]),
            "peak_mb": round(max(samples)), "before": before, "left": left_of(pid)}


def mixed(rng):
    """A request of some kind, and after how many bytes its client leaves (None: never)."""
    # Mostly short: it is the ways through the server that are tried, not the arithmetic of the model.
    body = {"input": text_of(rng, rng.choice((1, 1, 2, 2, 3, 4, 6, 12))), "speed": rng.choice((1, 4, 4, 4))}
    body["response_format"] = rng.choice(("mp3", "wav", "pcm", "flac", "opus"))
    body["stream"] = rng.random() < 0.7
    if rng.random() < 0.1:
        body["stream_format"] = "sse"
    if rng.random() < 0.5:
        body["no_cache"] = True
    if rng.random() < 0.1:
        body = rng.choice(({"input": ""}, {"input": "x", "voice": "nobody"}, {"input": "x", "speed": 99}, {"nothing": 1}))
    return body, rng.choice((0, 1, 500, 20000, None, None, None, None))


def soak(port, pid, requests=10000, clients=12, seed=1, cache=None):
    before, lock = left_of(pid, cache), threading.Lock()
    seen, done = {}, [0]
    watch = Watch(pid)

    def work(index):
        rng = random.Random(seed * 1000 + index)
        while True:
            with lock:
                if done[0] >= requests:
                    return
                done[0] += 1
            body, stop_after = mixed(rng)
            try:
                status, _, _ = ask(port, body, stop_after=stop_after)
                if rng.random() < 0.02:
                    socket.create_connection(("127.0.0.1", port)).close()
            except (http.client.HTTPException, OSError) as problem:
                status = repr(problem)
            with lock:
                seen[str(status)] = seen.get(str(status), 0) + 1

    begun = time.monotonic()
    run_threads(clients, work)
    samples = watch.end()
    return {"answers": seen, "seconds": round(time.monotonic() - begun), "slope_mb_an_hour": round(slope(samples), 1),
            "first_mb": round(samples[0][1]), "last_mb": round(samples[-1][1]), "peak_mb": round(max(mb for _, mb in samples)),
            "before": before, "left": left_of(pid, cache)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("overload", "soak"))
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--clients", type=int)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--requests", type=int, default=10000)
    parser.add_argument("--cache")
    args = parser.parse_args()
    if args.what == "overload":
        result = overload(args.port, args.pid, args.clients or 64, args.seconds)
    else:
        result = soak(args.port, args.pid, args.requests, args.clients or 12, cache=args.cache)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

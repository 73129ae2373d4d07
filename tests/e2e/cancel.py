#!/usr/bin/env python3
"""How soon the work for a client ends who goes away: at random moments, in every part of a request.

    KOKORO_PROGRAM=build/release/apps/kokoro cancel.py [--rounds 40] [--clients 1 4] [--only MOMENT ...]

Each moment has a server of its own. Prints a JSON line a moment and number of clients: the quantiles
in milliseconds as the server has them in errors.cancel_time of /status, and `longest_ms`, the
longest from the client's side: from its close() to a /status that knows of it. Standard library only.
"""
import argparse
import http.client
import json
import os
import random
import re
import socket
import subprocess
import threading
import time

WORDS = ("river", "lamp", "winter", "morning", "garden", "seven", "letter", "silver", "mountain", "boat", "quiet", "road",
         "answer", "window", "paper", "summer", "market", "bridge", "candle", "harbour")


def sentence(rng, n_words):
    return f"{' '.join(rng.choice(WORDS) for _ in range(n_words))}.".capitalize()


def unknown(rng, n_words, mark=" "):
    """Words that stand in no lexicon."""
    return mark.join("".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(4))
                     for _ in range(n_words))


# name: (text, other fields of the request, seconds after which the client goes at the latest)
MOMENTS = {
    "at_once": (lambda rng: sentence(rng, 20), {}, 0.0),
    "in_the_text": (lambda rng: " ".join(sentence(rng, 12) for _ in range(1200)), {}, 0.1),
    "in_unknown_words": (lambda rng: ". ".join(unknown(rng, 10) for _ in range(400)), {}, 0.5),
    "in_one_long_sentence": (lambda rng: unknown(rng, 8000), {}, 0.5),
    "in_a_sentence": (lambda rng: sentence(rng, 40), {}, 0.3),
    "in_a_long_chunk": (lambda rng: sentence(rng, 80), {"stream": False}, 0.6),
    "between_sentences": (lambda rng: " ".join(sentence(rng, 3) for _ in range(60)), {}, 1.0),
    "in_an_encoder": (lambda rng: " ".join(sentence(rng, 12) for _ in range(20)),
                      {"response_format": "mp3", "sample_rate": 16000}, 1.0),
}


class Server:
    def __init__(self, options):
        self.process = subprocess.Popen(
            [os.environ["KOKORO_PROGRAM"], "serve", "--port", "0", *options], stderr=subprocess.PIPE, text=True,
            env={**os.environ, "KOKORO_SKIP_BENCHMARKING": "true", "KOKORO_RESULT_CACHE_MEMORY_MB": "0",
                 "KOKORO_LOG_LEVEL": "warning"})
        for line in self.process.stderr:
            if match := re.search(r"listening on http://.*:(\d+)$", line):
                self.port = int(match[1])
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def status(self):
        self.connection.request("GET", "/status")
        return json.loads(self.connection.getresponse().read())

    def stop(self):
        self.process.terminate()
        return self.process.wait(60)


def leave(port, rng, moment):
    """One request, and its client's going away; when that was."""
    text, more, limit_s = MOMENTS[moment]
    body = json.dumps({"input": text(rng), "response_format": "pcm", "no_cache": True, **more}).encode()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                       % (len(body), body))
        end = time.monotonic() + rng.uniform(0.0, limit_s)
        while (left := end - time.monotonic()) > 0:
            client.settimeout(left)
            try:
                if not client.recv(1 << 16):
                    break
            except TimeoutError:
                pass
    return time.monotonic()


def wait_idle(server):
    while True:
        status = server.status()
        if status["queue"]["running"] == status["queue"]["waiting"] == 0:
            return status
        time.sleep(0.002)


def measure(moment, n_clients, n_rounds, options):
    server, rng = Server(options), random.Random(5)
    seeds = [random.Random(rng.random()) for _ in range(n_clients)]
    leave(server.port, rng, "at_once")
    wait_idle(server)
    longest_s = 0.0
    for _ in range(n_rounds):
        left = [0.0] * n_clients

        def run(i):
            left[i] = leave(server.port, seeds[i], moment)

        clients = [threading.Thread(target=run, args=(i,)) for i in range(n_clients)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        wait_idle(server)
        longest_s = max(longest_s, time.monotonic() - max(left))
    errors = wait_idle(server)["errors"]
    assert server.stop() == 0
    figures = {name: round(value, 2) for name, value in errors["cancel_time"].items()}
    return {"moment": moment, "clients": n_clients, "cancelled": errors["by_kind"]["cancelled"], **figures,
            "longest_ms": round(1e3 * longest_s, 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--only", nargs="+", default=list(MOMENTS), choices=list(MOMENTS))
    parser.add_argument("--options", default="", help="of the server")
    arguments = parser.parse_args()
    for n_clients in arguments.clients:
        for moment in arguments.only:
            print(json.dumps(measure(moment, n_clients, arguments.rounds, arguments.options.split())), flush=True)


if __name__ == "__main__":
    main()

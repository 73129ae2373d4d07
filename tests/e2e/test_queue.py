"""One queue for every speech: whole texts, texts that arrive while they are spoken, Wyoming."""

import json
import re
import socket

import pytest
from audio import LONG, loudness
from conftest import Server, wait_until
from test_access import bearer, keys
from test_stream_input import PATH, PCM, Duplex
from test_wyoming import SPOKEN, Raw, start_wyoming

WORKERS = LIMIT = 16  # of the queue
PATIENT = WORKERS // 2  # so many answers that nobody hears before their end are made at once
SENTENCE = {"text": "The first sentence is said. The"}


@pytest.fixture(scope="module")
def server(needs_data):
    running = start_wyoming(Server, environment={"KOKORO_MAX_QUEUE": str(LIMIT)}).wait_ready()
    gauge = queue(running)
    assert gauge["workers"] == WORKERS and gauge["limit"] == LIMIT
    yield running
    assert running.process.poll() is None, "the server died:\n" + "\n".join(running.log)
    assert running.stop() == 0, "\n".join(running.log[-20:])


def queue(server):
    return server.status()["queue"]


def wait_for_queue(server, running, waiting):
    wait_until(lambda: queue(server), lambda q: q["running"] == running and q["waiting"] == waiting, 60,
               f"not {running} and {waiting}")


class Crowd:
    """Clients who want so many long answers."""

    def __init__(self, server, n, is_streamed):
        self.server, self.clients = server, []
        body = json.dumps({"input": LONG * 2, "no_cache": True, "stream": is_streamed}).encode()
        for _ in range(n):
            client = socket.create_connection((server.host, server.port))
            client.sendall(b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                           % (len(body), body))
            self.clients.append(client)

    def leave(self):
        while self.clients:
            self.clients.pop().close()


@pytest.fixture
def crowd(server):
    made = []

    def make(n, is_streamed):
        made.append(Crowd(server, n, is_streamed))
        return made[-1]

    yield make
    for one in made:
        one.leave()
    server.wait_idle()


def refused(request):
    """The error of a streamed text that found the queue full."""
    answer = request.answer()
    error = json.loads(answer.read())["error"]
    assert answer.status == 429 and error["code"] == "queue_full", error
    assert int(answer.headers["retry-after"]) >= 1
    assert "KOKORO_MAX_QUEUE" in error["message"]
    request.close()


def test_a_full_queue_refuses_whoever_comes(server, crowd):
    early = Duplex(server).send(PCM)  # its text comes when the queue is full
    begun = Duplex(server).send(PCM, SENTENCE)
    answer = begun.answer()
    assert len(answer.read(4800)) == 4800
    server.wait_idle()
    rejected = queue(server)["rejected"]
    crowd(PATIENT, False)
    wait_for_queue(server, PATIENT, 0)
    crowd(LIMIT, False)
    wait_for_queue(server, PATIENT, LIMIT)

    refused(Duplex(server).send(PCM))
    refused(early.send({"text": "It comes too late. It"}))
    raw = Raw(server).send({"type": "synthesize", "data": {"text": "Hello there."}})
    event = raw.event()
    assert event["type"] == "error" and event["data"]["code"] == "queue_full"
    assert "try again in" in event["data"]["text"]
    assert raw.event() is None
    raw.close()
    raw = Raw(server).send({"type": "synthesize-start"}, {"type": "synthesize-chunk", "data": {"text": "Hello. "}},
             {"type": "synthesize-stop"})
    assert raw.error() == "queue_full"
    assert raw.event()["type"] == "synthesize-stopped"
    raw.close()
    assert queue(server)["rejected"] >= rejected + 4
    assert f"\nkokoro_requests_queued {LIMIT}\n" in server.get("/metrics").text

    # Who is being listened to goes on, whoever waits.
    begun.send({"text": " second one comes late."}).end()
    assert loudness(answer.read()) > 1000
    assert queue(server)["waiting"] > 0
    begun.close()


def test_a_turn_is_waited_for(server, crowd):
    """What comes while every worker is busy waits; who leaves meanwhile is forgotten."""
    listeners = crowd(WORKERS, True)
    wait_for_queue(server, WORKERS, 0)
    before = server.status()["errors"]["cancellations"]
    text = Duplex(server).send(PCM, SENTENCE, {"done": True})
    home = Raw(server).send({"type": "synthesize", "data": {"text": "Hello there."}})
    leaving = [Duplex(server).send(PCM, SENTENCE),
               Raw(server).send({"type": "synthesize", "data": {"text": "Hello there."}})]
    whole = [crowd(2, True), crowd(2, False)]
    wait_for_queue(server, WORKERS, 8)
    for one in leaving:
        one.close()
    for some in whole:
        some.leave()
    wait_for_queue(server, WORKERS, 2)
    wait_until(lambda: server.status()["errors"]["cancellations"], lambda n: n == before + 6, 10, "not counted")
    listeners.leave()
    answer = text.answer()
    assert answer.status == 200 and loudness(answer.read()) > 1000
    assert float(re.search(r"queue;dur=([0-9.]+)", answer.headers["server-timing"])[1]) > 1
    assert [home.event()["type"] for _ in range(2)] == SPOKEN[:2]
    text.close()
    home.close()


def test_who_does_not_read_has_no_place(server):
    """More listeners than there are workers take nothing of what is made for them."""
    # Cheap to make and long to send: each has more than waits for one client here and on the way.
    body = json.dumps({"input": "Go. " * 24, "speed": 4, "sentence_pause": 10, "sample_rate": 48000,
                       "response_format": "pcm", "stream_format": "sse", "no_cache": True}).encode()
    deaf = []
    for _ in range(WORKERS + 2):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((server.host, server.port))
        client.sendall(b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                       % (len(body), body))
        deaf.append(client)
    wait_until(lambda: queue(server)["running"], lambda n: n == WORKERS, 60, "not begun")
    wait_until(lambda: queue(server), lambda q: q["running"] + q["waiting"] == 0, 120, "no place is free")
    answer = server.post({"input": "Hello there.", "response_format": "pcm", "no_cache": True})
    assert answer.status_code == 200 and loudness(answer.content) > 1000
    # One of them reads on, to the end.
    deaf[0].settimeout(60)
    tail = b""
    while b"speech.audio.done" not in tail:
        got = deaf[0].recv(1 << 20)
        assert got, tail
        tail = (tail + got)[-4096:]
    for client in deaf:
        client.close()
    server.wait_idle()


def test_who_waits_for_text_has_no_place(server):
    """More texts than there are workers, all begun and none whole: the places are free."""
    requests = [Duplex(server).send(PCM, SENTENCE) for _ in range(10)]
    raws = [Raw(server).send({"type": "synthesize-start"}, {"type": "synthesize-chunk", "data": SENTENCE})
            for _ in range(8)]
    answers = [request.answer() for request in requests]
    for answer in answers:
        assert len(answer.read(4800)) == 4800
    for raw in raws:
        assert raw.event()["type"] == "audio-start"
    server.wait_idle()
    assert queue(server)["text_streams"] == 10
    assert server.status()["wyoming"]["speaking"] == 8
    assert server.post({"input": "Hello there.", "response_format": "pcm"}).status_code == 200
    for client in answers + requests + raws:
        client.close()
    wait_until(lambda: queue(server)["text_streams"], lambda n: n == 0, 60, "still open")


def test_the_limits_of_a_key_hold_for_streamed_text(tmp_path, start, needs_data):
    path = tmp_path / "keys"
    one = bearer(keys(path, "add", "one", "--streams", "1"))
    running = start("--port", "0", environment={"KOKORO_API_KEYS_FILE": str(path)}).wait_ready()
    request = Duplex(running, **one).send(PCM, SENTENCE)
    answer = request.answer()
    assert len(answer.read(4800)) == 4800

    def post():
        return running.post({"input": "Hello there.", "response_format": "pcm"}, headers=one)

    more = Duplex(running, **one)
    again = more.answer()  # before any text
    assert again.status == 429 and int(again.headers["retry-after"]) >= 1
    assert json.loads(again.read())["error"]["code"] == "rate_limit_exceeded"
    more.close()
    assert post().status_code == 429
    request.end()
    answer.read()
    request.close()
    wait_until(lambda: post().status_code, lambda status: status == 200, 20, "still refused")
    running.wait_log(rf"POST {PATH} 200 .*one")
    assert running.stop() == 0

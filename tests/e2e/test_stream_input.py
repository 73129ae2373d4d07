"""POST /v1/audio/speech/stream: the text arrives while its speech goes out."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from audio import SENTINEL, loudness, wav_sizes
from conftest import error_of, wait_until

ROOT = Path(__file__).resolve().parents[2]
PATH = "/v1/audio/speech/stream"
TEXT = "When the rain falls on the roof, it is loud in here. Nobody can sleep. Dr. Smith reads a book."
PCM = {"response_format": "pcm"}


def lines(*objects):
    return b"".join(json.dumps(one).encode() + b"\n" for one in objects)


class Duplex:
    """A request whose body is sent piece by piece, and its answer meanwhile."""

    def __init__(self, server, path=PATH, **headers):
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=120)
        self.connection.putrequest("POST", path)
        self.connection.putheader("Transfer-Encoding", "chunked")
        self.connection.putheader("Content-Type", "application/x-ndjson")
        for name, value in headers.items():
            self.connection.putheader(name, value)
        self.connection.endheaders()
        # The module lets go of its socket when the answer says that the connection will close.
        self.socket = self.connection.sock

    def send(self, *objects):
        data = b"".join(one if isinstance(one, bytes) else lines(one) for one in objects)
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))
        return self

    def end(self):
        self.socket.sendall(b"0\r\n\r\n")
        return self

    def answer(self):
        self.response = self.connection.getresponse()
        return self.response

    def close(self):
        self.connection.close()
        self.socket.close()


def words(text):
    return [{"text": word + " "} for word in text.split(" ")]


def whole(server, text=TEXT, **fields):
    answer = server.post({"input": text, **PCM, "stream": False, **fields})
    assert answer.status_code == 200
    return answer.content


def post(server, *objects, path=PATH, **headers):
    import httpx

    return httpx.post(server.url + path, content=lines(*objects), timeout=120,
                      headers={"Content-Type": "application/x-ndjson", **headers})


def test_a_body_over_the_limit_is_refused_before_the_first_clause(server):
    request = Duplex(server).send(PCM)
    for _ in range(16):  # with its braces over a megabyte, without any text
        request.send({"note": " " * 65530})
    request.send({"note": " "})
    time.sleep(0.5)  # all is read, so that closing takes nothing of the answer back
    answer = request.answer()
    assert answer.status == 413
    assert answer.getheader("X-Request-Id")
    error = json.loads(answer.read())["error"]
    assert error["code"] == "body_too_large"
    request.close()


def test_first_sound_before_the_last_text(server):
    request = Duplex(server).send({**PCM, "voice": "af_heart"})
    request.send({"text": "The first sentence is said. The"})
    answer = request.answer()
    assert answer.status == 200
    assert answer.headers["content-type"] == "audio/pcm"
    first = answer.read(4800)
    assert len(first) == 4800
    request.send({"text": " second one comes late."}).end()
    pcm = first + answer.read()
    both = whole(server, "The first sentence is said. The second one comes late.")
    assert loudness(pcm) > 1000
    assert 0.75 * len(both) < len(pcm) < 1.3 * len(both)
    request.close()


@pytest.mark.parametrize("texts", [["It began to rain.\n\n", "Nobody had an umbrella."],
                                   ["It began to rain.\n", "\nNobody had an umbrella."]])
def test_a_blank_line_between_texts_is_a_pause_of_paragraphs(server, texts):
    def seconds(**fields):
        request = Duplex(server).send({**PCM, **fields}, {"text": texts[0]})
        answer = request.answer()
        first = answer.read(4800)  # spoken before the next text is there
        request.send({"text": texts[1]}).end()
        n = len(first + answer.read())
        request.close()
        return n / 48000

    none = seconds()
    assert seconds(paragraph_pause=2) == pytest.approx(none + 2, abs=0.5)
    assert seconds(paragraph_pause=2, sentence_pause=3) == pytest.approx(none + 3, abs=0.5)


def test_word_by_word_sounds_like_the_whole(server):
    request = Duplex(server).send(PCM)

    def send():
        for word in words(TEXT):
            request.send(word)
            time.sleep(0.02)
        request.end()

    sender = threading.Thread(target=send)
    sender.start()
    pcm = request.answer().read()
    sender.join()
    expected = whole(server)
    assert 0.8 * len(expected) < len(pcm) < 1.25 * len(expected)
    request.close()


def test_a_pause_ends_a_sentence(server):
    request = Duplex(server).send(PCM, {"text": "It may be over now."})
    answer = request.answer()
    assert len(answer.read(4800)) == 4800
    request.end()
    answer.read()
    request.close()


def test_done_ends_the_text(server):
    request = Duplex(server).send(PCM, {"text": "It is over now."}, {"done": True})
    pcm = request.answer().read()
    assert loudness(pcm) > 1000
    request.close()


@pytest.mark.parametrize("path", [PATH, "/audio/speech/stream"])
def test_all_at_once(server, path):
    answer = post(server, PCM, *words(TEXT), path=path)
    assert answer.status_code == 200 and answer.headers["x-request-id"]
    expected = whole(server)
    assert abs(len(answer.content) - len(expected)) < 0.1 * len(expected)


def test_options_with_the_first_text(server):
    answer = post(server, {**PCM, "input": "Hello there. ", "speed": 2}, {"text": "Who is it?"})
    slow = post(server, PCM, {"text": "Hello there. Who is it?"})
    assert answer.status_code == slow.status_code == 200
    assert 0.4 * len(slow.content) < len(answer.content) < 0.8 * len(slow.content)


def test_no_options(server):
    answer = post(server, {"text": "Hello there."})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/mpeg"
    assert len(answer.content) > 5000


def test_one_encoder(server):
    answer = post(server, {"response_format": "wav"}, *words(TEXT))
    assert answer.headers["content-type"] == "audio/wav"
    assert wav_sizes(answer.content)[1] == SENTINEL
    assert answer.content.count(b"RIFF") == 1
    flac = post(server, {"response_format": "flac"}, *words(TEXT)).content
    assert flac[:4] == b"fLaC" and flac.count(b"fLaC") == 1


def test_events(server):
    answer = post(server, {**PCM, "stream_format": "sse"}, *words(TEXT))
    assert answer.headers["content-type"] == "text/event-stream"
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert events[-1]["type"] == "speech.audio.done"
    assert events[-1]["usage"]["input_tokens"] > 50


def test_pauses(server):
    text = [{"text": "This is one sentence. "}, {"text": "This is another one. "}]
    request = Duplex(server).send({**PCM, "sentence_pause": 2}, text[0], {"text": "This"})
    answer = request.answer()
    first = answer.read(4800)
    request.send({"text": " is another one."}).end()
    apart = first + answer.read()
    request.close()
    together = post(server, PCM, *text).content
    assert len(apart) - len(together) > 1.5 * 48000


def test_pauses_have_a_limit_together(server):
    """That of all that is spoken in turn, each of which alone is far below it: what is over it cuts."""
    request = Duplex(server).send({**PCM, "sentence_pause": 10, "speed": 4})
    request.send({"text": "It is so. " * 200}).end()
    answer = request.answer()
    assert answer.status == 200
    received = 0
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        while data := answer.read(1 << 20):
            received += len(data)
    assert 1700 < received / 48000 < 1950  # 1800 s of pauses and the sentences between them
    request.close()


def test_a_text_over_the_limit_is_refused_before_the_first_sound(server):
    """Also where it comes in pieces, none of which is over it."""
    request = Duplex(server).send(PCM)
    for _ in range(11):  # no clause ends before the limit does
        request.send({"text": "*" * 10000})
    answer = request.answer()
    assert answer.status == 400
    error = json.loads(answer.read())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["param"], error["code"]) == ("text", "string_above_max_length")
    assert error["type"] == "invalid_request_error" and "100000" in error["message"]
    request.close()


def test_errors_before_the_first_sound(server):
    def refused(status, param, code, *objects, **headers):
        return error_of(post(server, *objects, **headers), status, param, code)

    refused(400, "voice", "unknown_voice", {"voice": "nobody"}, {"text": "Hi."})
    refused(400, "speed", "invalid_speed", {"speed": 9}, {"text": "Hi."})
    refused(400, "response_format", "unsupported_format", {"response_format": "ogg"}, {"text": "Hi."})
    refused(404, "model", "model_not_found", {"model": "tts-99"})
    refused(400, "stream", "unsupported_value", {"stream": False}, {"text": "Hi."})
    refused(400, "timestamps", "unsupported_value", {"timestamps": True}, {"text": "Hi."})
    refused(400, None, "invalid_json", [])
    refused(400, "text", "invalid_text", PCM, {"text": 1})
    refused(400, "text", "invalid_text", PCM, "hello")
    refused(400, "text", "nothing_to_speak", PCM)
    refused(400, "text", "nothing_to_speak", PCM, {"text": " ... \n"})
    refused(400, "text", "nothing_to_speak")
    refused(400, "text", "string_above_max_length", PCM, {"text": "a" * 100001})
    refused(415, None, "unsupported_content_type", PCM, **{"Content-Type": "text/html"})
    refused(403, None, "foreign_origin", PCM, Origin="http://evil.example")
    assert server.get(PATH).status_code == 405


def test_an_error_after_the_first_sound_cuts(server):
    request = Duplex(server).send(PCM, {"text": "The first sentence is said. The"})
    answer = request.answer()
    assert answer.status == 200
    answer.read(4800)
    request.send(b"hello\n")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
        request.end()
        answer.read()
    request.close()
    server.wait_log(rf"POST {PATH} 400 ")  # the client's fault, also where its status was 200


def test_a_client_that_leaves(server):
    before = server.status()["errors"]["cancellations"]
    request = Duplex(server).send(PCM, *words(TEXT * 20))
    request.answer().read(4800)
    request.close()
    request.response.close()
    waiting = Duplex(server).send(PCM, {"text": "It is so. But"})
    waiting.close()
    wait_until(lambda: server.status()["errors"]["cancellations"], lambda n: n >= before + 2, 20,
               "not cancelled")


def test_many_at_once(server):
    """More than there are workers, all slow: whole texts are spoken beside them."""
    requests = [Duplex(server).send(PCM, {"text": f"This is number {n}. And"}) for n in range(20)]
    answers = [request.answer() for request in requests]
    assert all(answer.status == 200 for answer in answers)
    assert loudness(whole(server, "Hello there.")) > 1000
    for request in requests:
        request.send({"text": " that is it."}).end()
    for answer in answers:
        assert loudness(answer.read()) > 1000
    for request in requests:
        request.close()


def test_counted(server):
    before = server.status()
    post(server, PCM, *words(TEXT))
    after = server.status()
    assert after["performance"]["total_inferences"] > before["performance"]["total_inferences"]
    server.wait_log(rf"POST {PATH} 200 ")


def test_drain(start, needs_data):
    """A text that is being spoken comes to its end; a new one is refused."""
    running = start("--port", "0").wait_ready()
    request = Duplex(running).send(PCM, {"text": "The first sentence is said. The"})
    answer = request.answer()
    answer.read(4800)
    waiting = [Duplex(running).send(PCM, {"text": "Nothing is"}), Duplex(running).send(b"{")]
    time.sleep(0.3)
    running.process.terminate()
    for other in waiting:  # nothing is lost with them, and who is told can go to another server
        refused = other.answer()
        assert refused.status == 503 and json.load(refused)["error"]["code"] == "shutting_down"
        other.close()
    request.send({"text": " second one too."}).end()
    assert loudness(answer.read()) > 1000
    request.close()
    assert running.stop() == 0


def example(language, **replaced):
    """The one of docs/API.md in this language, with the address of the server."""
    text = (ROOT / "docs" / "API.md").read_text()
    section = text[text.index("## POST /v1/audio/speech/stream"):]
    code = re.search(rf"```{language}\n(.*?)```", section, re.S)[1]
    for old, new in replaced.items():
        assert old in code
        code = code.replace(old, new)
    return code


def test_example_for_curl(server, tmp_path):
    code = example("sh").replace("http://127.0.0.1:8000", server.url)
    subprocess.run(["bash", "-c", code], cwd=tmp_path, check=True, timeout=120)
    assert (tmp_path / "speech.mp3").stat().st_size > 5000


def test_example_for_python(server, tmp_path):
    code = example("python").replace("127.0.0.1:8000", f"{server.host}:{server.port}")
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120,
                   env={**os.environ, "PYTHONPATH": ""})
    assert wav_sizes((tmp_path / "speech.wav").read_bytes())[1] == SENTINEL
    assert (tmp_path / "speech.wav").stat().st_size > 48000


def test_a_body_that_never_comes(server):
    with socket.create_connection((server.host, server.port), timeout=30) as raw:
        raw.sendall(f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
        assert b" 400 " in raw.recv(4096).split(b"\r\n")[0]

"""Replays client_requests.py, and asks of each answer what its client asks."""

import base64
import http.client
import io
import json
import socket
import wave

import pytest
from audio import loudness
from client_requests import REQUESTS


class Reply:
    def __init__(self, response, first_bytes):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.first_bytes = first_bytes
        self.body = first_bytes + response.read()
        self.json = lambda: json.loads(self.body)


def send(server, line, headers, body):
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"{line} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(data)}")
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + data)
        response = http.client.HTTPResponse(connection, method=line.split()[0])
        response.begin()
        return Reply(response, response.read1())


def status_200(reply):
    assert reply.status == 200, reply.body


def status_404(reply):
    assert reply.status == 404


def any_status(reply):
    assert reply.status in (200, 404)


def not_plain_ok(reply):
    status_200(reply)
    assert reply.body.strip() != b"OK"
    assert isinstance(reply.json(), dict)


def streamed(reply):
    assert reply.headers.get("transfer-encoding") == "chunked"


def check_frames(data):
    """MPEG frames back to back, from the first byte to the last: no tag, no index."""
    assert data[:3] != b"ID3" and b"Xing" not in data[:200] and b"Info" not in data[:200]
    rates = {1: [44100, 48000, 32000], 0: [22050, 24000, 16000]}
    kbit = {1: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
            0: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]}
    at = n_frames = 0
    while at < len(data):
        assert data[at] == 0xFF and data[at + 1] & 0xE6 == 0xE2, f"no frame at {at}"
        version = data[at + 1] >> 3 & 1
        rate = rates[version][data[at + 2] >> 2 & 3]
        length = (144 if version else 72) * 1000 * kbit[version][data[at + 2] >> 4] // rate
        at += length + (data[at + 2] >> 1 & 1)
        n_frames += 1
    assert at == len(data)
    assert n_frames * 0.024 > 1


def mp3(reply):
    status_200(reply)
    assert reply.headers["content-type"] == "audio/mpeg"
    check_frames(reply.body)


def opus(reply):
    status_200(reply)
    assert reply.headers["content-type"] == "audio/ogg"
    assert reply.body[:4] == b"OggS" and b"OpusHead" in reply.body[:100]


def aac(reply):
    """Made through a library that need not be there; then the client must be told."""
    if reply.status == 400:
        error_in_json(reply)
        assert "libavcodec" in reply.json()["error"]["message"]
        return
    status_200(reply)
    assert reply.body[0] == 0xFF and reply.body[1] & 0xF6 == 0xF0


def pcm(reply):
    status_200(reply)
    assert reply.headers["content-type"] == "audio/pcm"
    assert len(reply.body) % 2 == 0 and len(reply.body) > 48000
    assert loudness(reply.body) > 1000


def wav_that_python_opens(reply):
    status_200(reply)
    assert reply.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(reply.body)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 24000)
        assert sound.getnframes() > 24000
        assert loudness(sound.readframes(24000)) > 1000


def wav_that_python_reads(reply):
    wav_that_python_opens(reply)
    with wave.open(io.BytesIO(reply.body)) as sound:
        assert 2 * sound.getnframes() == len(reply.body) - 44 == len(sound.readframes(10**9))


def wav_header_in_the_first_write(reply):
    wav_that_python_opens(reply)
    assert len(reply.first_bytes) >= 44
    assert reply.first_bytes[:4] == b"RIFF" and reply.first_bytes[36:40] == b"data"


def events_of_mp3(reply):
    """As LiveKit reads them: lines that begin with 'data: ', one JSON object each."""
    status_200(reply)
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in reply.body.decode().splitlines()
              if line.startswith("data: ") and line[6:] != "[DONE]"]
    sound = b"".join(base64.b64decode(event["audio"]) for event in events
                     if event["type"] == "speech.audio.delta")
    check_frames(sound)
    assert [event["type"] for event in events].count("speech.audio.done") == 1
    usage = events[-1]["usage"]
    assert usage["input_tokens"] > 0 and usage["output_tokens"] > 0


def error_in_json(reply):
    assert reply.status == 400
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}


def models_of_objects(reply):
    status_200(reply)
    assert "tts-1" in [model["id"] for model in reply.json()["models"]]


def model_list(reply):
    status_200(reply)
    body = reply.json()
    assert body["object"] == "list"
    assert all(set(model) == {"id", "object", "created", "owned_by"} for model in body["data"])


def voices_of_objects(reply):
    status_200(reply)
    voices = reply.json()["voices"]
    assert len(voices) > 20 and all(voice["id"] and voice["name"] for voice in voices)


def voices_of_strings(reply):
    status_200(reply)
    assert "af_heart" in reply.json()["voices"]


@pytest.mark.parametrize("name, line, headers, body, needs", REQUESTS, ids=[row[0] for row in REQUESTS])
def test_request(server, name, line, headers, body, needs):
    reply = send(server, line, headers, body)
    for need in needs:
        globals()[need](reply)


def test_requests_share_a_connection(server):
    """A connection that was opened beforehand is used for what follows."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    for line, headers, body in [(row[1], row[2], row[3]) for row in REQUESTS
                                if row[0].startswith("livekit")]:
        method, path = line.split()
        fields = dict(header.split(": ", 1) for header in headers)
        connection.request(method, path, None if body is None else json.dumps(body), fields)
        sock = connection.sock
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (200, 404)
        assert connection.sock is sock
    connection.close()

"""Speech as server-sent events, and with the times of its words."""

import base64
import json

import httpx
import pytest
from audio import LONG, SHORT, check_whole_wav

TEXT = "  The 42 dogs \u2014 don\u2019t they? \u2014 cost $5.20. Caf\u00e9 it is, for a while and a little more."
WORDS = ["The", "42", "dogs", "don\u2019t", "they", "cost", "$5.20", "Caf\u00e9", "it", "is", "for", "a",
         "while", "and", "a", "little", "more"]


def events_of(text):
    """The objects of a stream of events."""
    assert text.endswith("\n\n")
    blocks = text[:-2].split("\n\n")
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [json.loads(block[6:]) for block in blocks]


def read_events(answer):
    """Checks the stream; its sound and its words."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-cache"
    *deltas, done = events_of(answer.text)
    assert deltas and all(event["type"] == "speech.audio.delta" for event in deltas)
    assert set(done) == {"type", "usage"} and done["type"] == "speech.audio.done"
    usage = done["usage"]
    assert set(usage) == {"input_tokens", "output_tokens", "total_tokens"}
    assert usage["input_tokens"] > 0 and usage["output_tokens"] > 0
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    sound = b"".join(base64.b64decode(event["audio"], validate=True) for event in deltas)
    words = [word for event in deltas for word in event.get("timestamps", [])]
    for event, heard in zip(deltas, heard_until(deltas)):
        assert all(word["end"] <= heard + 0.05 for word in event.get("timestamps", []))
    return sound, words, usage


def heard_until(deltas):
    """Seconds of sound up to the end of each event, as of pcm."""
    n = 0
    for event in deltas:
        n += len(base64.b64decode(event["audio"]))
        yield n / 48000


def check_words(words, seconds):
    assert [word["word"] for word in words] == WORDS
    time = 0
    for word in words:
        assert set(word) == {"word", "start", "end", "offset", "length"}
        assert TEXT[word["offset"]:word["offset"] + word["length"]] == word["word"]
        assert time <= word["start"] < word["end"]
        time = word["end"]
    assert time <= seconds


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("format", ["pcm", "wav"])
def test_events_hold_the_sound(server, stream, format):
    body = {"input": LONG, "speed": 4, "response_format": format, "stream": stream}
    sound, words, usage = read_events(server.post({**body, "stream_format": "sse"}))
    bare = server.post(body).content
    assert words == []
    if format == "wav":
        sound, bare = sound[44:], bare[44:]
    assert abs(len(sound) - len(bare)) < 4800  # pieces may differ in the silence of their ends
    assert usage["output_tokens"] == -(-len(sound) // 1200)


def test_events_come_while_it_speaks(server):
    n_pieces = 0
    with httpx.stream("POST", server.url + "/v1/audio/speech", timeout=300, json={
            "input": LONG, "speed": 4, "stream_format": "sse", "response_format": "pcm"}) as answer:
        assert "content-length" not in answer.headers
        for line in answer.iter_lines():
            assert len(line) < 65536
            n_pieces += line.startswith("data: ")
    assert n_pieces > 3


@pytest.mark.parametrize("model", ["tts-1", "tts-1-hd", "gpt-4o-mini-tts", "kokoro"])
def test_every_model_makes_events(server, model):
    read_events(server.post({"input": SHORT, "model": model, "stream_format": "sse"}))


def test_a_refusal_is_no_event(server):
    answer = server.post({"input": SHORT, "voice": "nobody", "stream_format": "sse"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "voice"


def test_timestamps(server):
    answer = server.post({"input": TEXT, "timestamps": True, "response_format": "wav"})
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"audio", "format", "sample_rate", "timestamps"}
    assert (body["format"], body["sample_rate"]) == ("wav", 24000)
    check_words(body["timestamps"], check_whole_wav(base64.b64decode(body["audio"])))
    for name, asked, told in (("wav", 16000, 16000), ("pcm", 44100, 44100), ("opus", 16000, 48000), ("opus", None, 48000)):
        other = server.post({"input": TEXT, "timestamps": True, "response_format": name, "sample_rate": asked}).json()
        assert other["sample_rate"] == told
        assert other["timestamps"] == body["timestamps"]
        if name == "wav":
            assert base64.b64decode(other["audio"])[24:28] == told.to_bytes(4, "little")
            assert abs(len(base64.b64decode(other["audio"])) / len(base64.b64decode(body["audio"])) - told / 24000) < 0.01


def test_timestamps_of_a_whole_answer_in_events(server):
    sound, words, _ = read_events(server.post({"input": TEXT, "timestamps": True, "stream": False,
                                               "stream_format": "sse", "response_format": "pcm"}))
    check_words(words, len(sound) / 48000)


def test_timestamps_in_events(server):
    sound, words, _ = read_events(server.post(
        {"input": TEXT, "timestamps": True, "stream_format": "sse", "response_format": "pcm"}))
    check_words(words, len(sound) / 48000)
    whole = server.post({"input": TEXT, "timestamps": True, "response_format": "pcm",
                         "stream": False}).json()
    silence = whole["timestamps"][0]["start"] - words[0]["start"]
    for one, other in zip(words, whole["timestamps"]):
        assert one["start"] + silence == pytest.approx(other["start"], abs=0.002)
        assert one["end"] + silence == pytest.approx(other["end"], abs=0.002)


def test_pauses(server):
    body = {"input": "One is here.\n\nTwo is here. Three is here.", "response_format": "wav",
            "stream": False}
    plain = check_whole_wav(server.post(body).content)
    paused = check_whole_wav(server.post({**body, "paragraph_pause": 1.25}).content)
    assert paused == pytest.approx(plain + 1.25, abs=1e-6)
    words = server.post({**body, "sentence_pause": 2, "timestamps": True}).json()["timestamps"]
    for before, after in ((2, 3), (5, 6)):
        assert words[after]["start"] - words[before]["end"] > 2


def test_pauses_have_a_limit_together(server):
    """Known, and told, before anything is spoken."""
    for more in ({}, {"stream": False}):
        answer = server.post({"input": "It is so. " * 200, "sentence_pause": 10, **more})
        error = answer.json()["error"]
        assert answer.status_code == 400 and error["code"] == "invalid_pause", error
        assert "1990 seconds" in error["message"] and "1800" in error["message"]


def test_ignored_instructions_are_told(server):
    body = {"input": SHORT, "response_format": "pcm"}
    assert "x-kokoro-ignored" not in server.post(body).headers
    for more in ({}, {"stream": False}, {"stream_format": "sse"}, {"timestamps": True}):
        answer = server.post({**body, **more, "instructions": "Speak softly."})
        assert answer.headers["x-kokoro-ignored"] == "instructions"

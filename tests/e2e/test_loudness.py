"""Every voice at one loudness: measured, as the standard says, in the samples that clients get."""

import base64
import json
import math
import os
import shutil
import signal
import struct
import subprocess
from pathlib import Path

import httpx
import pytest
from audio import SHORT, loudness, lufs
from conftest import error_of, wait_until
from test_wyoming import SPOKEN, say, start_wyoming, talk

TEXT = ("The museum opens at ten o'clock on weekdays and rather later on Sundays. "
        "Nobody had told the new captain that the lighthouse was closed for repairs.")
# A loud and a quiet one.
LOUD, QUIET = "bf_isabella", "af_nova"
NEAR = 1.5  # LU
PCM = {"response_format": "pcm", "sample_rate": 48000, "stream": False}


def speak(server, **fields):
    answer = server.post({"input": TEXT, **PCM, **fields})
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.fixture(scope="module")
def plain(server):
    return {voice: speak(server, voice=voice) for voice in (LOUD, QUIET)}


def test_the_meter():
    """A sine of full scale at 997 Hz has -3.01 LUFS; silence in front does not count."""
    sine = [round(32767 * math.sin(2 * math.pi * 997 * n / 48000)) for n in range(96000)]
    assert lufs(struct.pack("<96000h", *sine)) == pytest.approx(-3.01, abs=0.02)
    assert lufs(bytes(192000) + struct.pack("<96000h", *sine)) == pytest.approx(-3.01, abs=0.4)


def test_two_voices_at_one_loudness(server, plain):
    before = [lufs(plain[voice]) for voice in (LOUD, QUIET)]
    assert before[0] - before[1] > 4, "these two show nothing"
    for voice in (LOUD, QUIET):
        assert lufs(speak(server, voice=voice, loudness=-20)) == pytest.approx(-20, abs=NEAR)
        assert lufs(speak(server, voice=voice, loudness=-30)) == pytest.approx(-30, abs=NEAR)


def test_the_gain_is_one_for_the_whole_answer(server, plain):
    """Each sample by the same factor, where nothing is too loud."""
    made = speak(server, voice=LOUD, loudness=-30)
    assert len(made) == len(plain[LOUD])
    pairs = list(zip(struct.iter_unpack("<h", plain[LOUD]), struct.iter_unpack("<h", made)))
    factor = sum(a * b for (a,), (b,) in pairs) / sum(a * a for (a,), _ in pairs)
    assert 0.1 < factor < 1
    assert max(abs(factor * a - b) for (a,), (b,) in pairs) <= 1


@pytest.mark.parametrize("voice", [LOUD, QUIET])
def test_streamed_as_whole(server, voice):
    """Bit for bit, of a text that is too short for pieces: those of longer ones differ in their last bits, with a
    gain and without."""
    body = {"input": SHORT, "voice": voice, "response_format": "pcm", "loudness": -12, "skip_silence": False}
    whole = server.post({**body, "stream": False})
    streamed = server.post({**body, "stream": True})
    assert streamed.headers["transfer-encoding"] == "chunked" and "content-length" in whole.headers
    assert streamed.content == whole.content
    assert whole.content != server.post({**body, "loudness": 0, "stream": False}).content
    long = server.post({**body, "input": TEXT, "stream": True, "sample_rate": 48000, "loudness": -20}).content
    assert lufs(long) == pytest.approx(-20, abs=NEAR)


def test_both_forms_and_every_frame(server):
    body = {"voice": QUIET, "loudness": -20, "skip_silence": False, "stream": False, "no_cache": True}
    want = server.post({"input": SHORT, "response_format": "pcm", **body}).content
    assert server.post({"text": SHORT, **body}).content == want
    object_ = server.post({"text": SHORT, "timestamps": True, **body}).json()
    assert base64.b64decode(object_["audio"]) == want
    events = server.post({"text": SHORT, "stream_format": "sse", **body}).text
    told = [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data: ")]
    assert b"".join(base64.b64decode(event["audio"]) for event in told if "audio" in event) == want


def test_the_volume_is_on_top(server, plain):
    at_20 = speak(server, voice=QUIET, loudness=-30)
    half = speak(server, voice=QUIET, loudness=-30, volume=0.5)
    assert lufs(half) == pytest.approx(lufs(at_20) - 6.02, abs=0.05)
    assert loudness(speak(server, voice=QUIET, loudness=-16, volume=0)) == 0
    # The most that can be asked for is limited, not cut off: at the top are single samples, no rows of them.
    loudest = [value for (value,) in struct.iter_unpack("<h", speak(server, voice=QUIET, loudness=-10, volume=2))]
    assert max(map(abs, loudest)) > 30000
    assert not any(abs(a) == abs(b) == abs(c) == 32767 for a, b, c in zip(loudest, loudest[1:], loudest[2:]))
    error_of(server.post({"input": TEXT, "loudness": -20, "volume": 2.5}), 400, "volume")


def test_text_that_arrives_in_pieces(server):
    first = {"voice": QUIET, "loudness": -20, **PCM}
    del first["stream"]
    lines = [first, *({"text": word + " "} for word in TEXT.split(" "))]
    answer = httpx.post(server.url + "/v1/audio/speech/stream", timeout=120,
                        content="".join(json.dumps(line) + "\n" for line in lines),
                        headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text
    assert lufs(answer.content) == pytest.approx(-20, abs=NEAR)
    wrong = httpx.post(server.url + "/v1/audio/speech/stream", content=json.dumps({"loudness": -5, "text": "Hi."}),
                       headers={"Content-Type": "application/x-ndjson"})
    error_of(wrong, 400, "loudness", "invalid_loudness")


@pytest.mark.parametrize("value,code,has", [
    (-9, "invalid_loudness", "from -40 to -10 LUFS, or 0"),
    (-41, "invalid_loudness", "not -41"),
    ("-16", "invalid_type", "a number"),
    ([-16], "invalid_type", "an array"),
])
def test_what_cannot_be_asked_for(server, value, code, has):
    for name in ("input", "text"):
        assert has in error_of(server.post({name: SHORT, "loudness": value}), 400, "loudness", code)


@pytest.fixture(scope="module")
def own_voices(needs_data, tmp_path_factory):
    """A voices file with one that is nowhere measured."""
    folder = tmp_path_factory.mktemp("voices")
    source = Path(os.environ["KOKORO_HOME"]) / "sources" / "voices"
    shutil.copy(source / "af_heart.bin", folder / "af_heart.bin")
    shutil.copy(source / "af_heart.bin", folder / "af_own.bin")
    pack = folder / "own.pack"
    subprocess.run([os.environ["KOKORO_PROGRAM"], "pack", "voices", str(folder), str(pack)], check=True)
    return {"KOKORO_VOICES": str(pack)}


def test_a_voice_that_was_never_measured(start, own_voices):
    server = start("--port", "0", environment=own_voices).wait_ready()
    plain = server.post({"input": SHORT, "voice": "af_own", "response_format": "pcm"})
    assert plain.status_code == 200
    for voice in ("af_own", "af_heart+af_own"):
        for body in ({"input": SHORT}, {"text": SHORT}, {"input": SHORT, "stream_format": "sse"}):
            message = error_of(server.post({**body, "voice": voice, "loudness": -20}), 400, "loudness",
                               "unknown_loudness")
            assert "the voice af_own was never measured" in message and "choose a volume" in message
    line = httpx.post(server.url + "/v1/audio/speech/stream", headers={"Content-Type": "application/x-ndjson"},
                      content=json.dumps({"voice": "af_own", "loudness": -20, "text": SHORT}))
    error_of(line, 400, "loudness", "unknown_loudness")
    error_of(server.post({"input": SHORT, "voice": "af_owm", "loudness": -20}), 400, "voice", "unknown_voice")
    off = server.post({"input": SHORT, "voice": "af_own", "loudness": 0, "response_format": "pcm"})
    assert off.content == plain.content
    assert server.stop() == 0


def test_while_the_model_is_closed(start, own_voices):
    """The voice is looked at when the model is there again."""
    server = start("--port", "0", environment={**own_voices, "KOKORO_UNLOAD_AFTER_S": "0.5"}).wait_ready()

    def wait_closed():
        wait_until(lambda: server.get("/health").json(), lambda body: body.get("model_loaded") is False, 60,
                   "the model stays open")

    body = {"input": SHORT, "response_format": "pcm", "sample_rate": 48000, "loudness": -35}
    wait_closed()
    assert lufs(server.post(body).content) == pytest.approx(-35, abs=2)
    wait_closed()
    error_of(server.post({**body, "voice": "af_own"}), 400, "loudness", "unknown_loudness")
    assert server.stop() == 0


def test_the_setting_leaves_such_a_voice_as_it_is(start, own_voices):
    server = start("--port", "0", "--loudness", "-30",
                   environment={**own_voices, "KOKORO_RESULT_CACHE_MEMORY_MB": "32"}).wait_ready()
    body = {"input": SHORT, "response_format": "pcm", "sample_rate": 48000}
    made = [server.post({**body, "voice": "af_own", "speed": speed}) for speed in (1, 1, 1.1)]
    assert [answer.status_code for answer in made] == [200, 200, 200]
    assert lufs(made[0].content) > -27
    assert lufs(server.post({**body, "voice": "af_heart"}).content) == pytest.approx(-30, abs=2)
    # A kept answer of the setting is none for who asks.
    error_of(server.post({**body, "voice": "af_own", "loudness": -30}), 400, "loudness", "unknown_loudness")
    server.wait_log("KOKORO_LOUDNESS is not followed by the voice af_own")
    assert server.stop() == 0
    assert sum("KOKORO_LOUDNESS is not" in line for line in server.log) == 1


def test_the_setting(start, needs_data, tmp_path):
    """It holds where nothing is asked for, over Wyoming too, and follows .env."""
    (tmp_path / ".env").write_text("KOKORO_LOUDNESS=-30\n")
    server = start_wyoming(start, directory=tmp_path).wait_ready()
    body = {"input": TEXT, **PCM, "voice": QUIET}
    quiet = server.post(body).content
    assert lufs(quiet) == pytest.approx(-30, abs=NEAR)
    assert server.post({**body, "loudness": -30, "no_cache": True}).content == quiet
    assert lufs(server.post({**body, "loudness": -20}).content) == pytest.approx(-20, abs=NEAR)
    as_it_is = server.post({**body, "loudness": 0}).content

    async def conversation(client):
        return await say(client, TEXT, voice=None)

    types, spoken = talk(server, conversation)
    assert types == SPOKEN
    heard = loudness(spoken)
    (tmp_path / ".env").write_text("KOKORO_LOUDNESS=0\n")
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("KOKORO_LOUDNESS is now '0'")
    assert server.post(body).content == as_it_is
    _, louder = talk(server, conversation)
    assert loudness(louder) > 1.5 * heard
    assert server.stop() == 0

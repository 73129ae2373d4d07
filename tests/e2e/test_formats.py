"""Every format from outside: what it says it is, what a decoder makes of it, whole and cut short."""

import shutil
import subprocess

import pytest
from audio import FAST, LONG, SHORT, check_whole_mp3, check_whole_wav, loudness, wav_sizes
from conftest import error_of

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
TYPES = {"mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac",
         "wav": "audio/wav", "pcm": "audio/pcm"}
MAGIC = {"audio/mpeg": b"\xff\xf3", "audio/ogg": b"OggS", "audio/aac": b"\xff\xf1",
         "audio/flac": b"fLaC", "audio/wav": b"RIFF"}
# What a decoder gives more than there was: three frames at most.
LONGER = {"mp3": 3 * 576, "aac": 3 * 1024}
RATES = (8000, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed")


def decode(data, container, rate=24000):
    """16-bit samples as ffmpeg gives them, at the rate of the file; what it complains of."""
    if container == "pcm":
        return data, ""
    name = {"opus": "ogg"}.get(container, container)
    done = subprocess.run([FFMPEG, "-v", "error", "-f", name, "-i", "-", "-f", "s16le", "-"], input=data,
                          capture_output=True, timeout=60)
    return done.stdout, done.stderr.decode()


def rate_of(container, rate):
    return 48000 if container == "opus" else rate


@pytest.fixture(scope="module")
def speech(server):
    """The samples that the model gives for SHORT."""
    return server.post({"input": SHORT, "response_format": "pcm"}).content


@pytest.fixture(scope="module")
def long_speech(server):
    """The samples of LONG as they are streamed, with the silence in front."""
    answer = server.post({"input": LONG, "response_format": "pcm", "skip_silence": False, **FAST})
    assert answer.headers["transfer-encoding"] == "chunked"
    return answer.content


@pytest.mark.parametrize("name", FORMATS)
def test_type_and_magic(server, name):
    for body in ({"input": SHORT, "response_format": name},
                 {"input": SHORT, "response_format": name, "stream": False},
                 {"text": SHORT, "format": name}):
        answer = server.post(body)
        assert answer.status_code == 200, answer.text
        if name != "pcm":
            assert answer.headers["content-type"] == TYPES[name]
            assert answer.content.startswith(MAGIC[TYPES[name]])
        elif "text" in body:
            assert answer.headers["content-type"] == "audio/L16;rate=24000;channels=1"
        else:
            assert answer.headers["content-type"] == "audio/pcm"


def test_mp3_is_the_default(server):
    answer = server.post({"input": SHORT})
    assert answer.headers["content-type"] == "audio/mpeg"
    check_whole_mp3(answer.content)


@needs_ffmpeg
@pytest.mark.parametrize("name", FORMATS)
def test_decoded_length(server, speech, name):
    answer = server.post({"input": SHORT, "response_format": name})
    sound, complaints = decode(answer.content, name)
    assert complaints == ""
    want = len(speech) // 2 * rate_of(name, 24000) // 24000
    assert want <= len(sound) // 2 <= want + LONGER.get(name, 0)
    if name in ("wav", "pcm", "flac"):
        assert sound == speech
    assert loudness(sound) > 1000


@needs_ffmpeg
@pytest.mark.parametrize("name", FORMATS)
def test_many_chunks_are_one_stream(server, long_speech, name):
    """To the sample the length of the whole, where the silence in front stays: that is cut by what the samples are,
    and those of pieces differ in their last bits."""
    body = {"input": LONG, "response_format": name, "skip_silence": False, **FAST}
    streamed, whole = server.post(body), server.post({**body, "stream": False})
    assert streamed.headers["transfer-encoding"] == "chunked"
    assert int(whole.headers["content-length"]) == len(whole.content)
    want = len(long_speech) // 2 * rate_of(name, 24000) // 24000
    for answer in (whole, streamed):
        sound, complaints = decode(answer.content, name)
        assert complaints == ""
        assert want <= len(sound) // 2 <= want + LONGER.get(name, 0)
    shorter, complaints = decode(server.post({**body, "skip_silence": None}).content, name)
    assert complaints == ""
    second = 2 * rate_of(name, 24000)
    assert len(sound) - second < len(shorter) < len(sound)


@needs_ffmpeg
@pytest.mark.parametrize("name", FORMATS)
def test_a_beginning_can_be_heard(server, name):
    """A listener who has a third of a streamed answer hears about a third of it."""
    data = server.post({"input": LONG, "response_format": name, **FAST}).content
    whole, _ = decode(data, name)
    third, _ = decode(data[:len(data) // 3], name)
    # A second more or less: the bitrate varies.
    second = 2 * rate_of(name, 24000)
    assert len(whole) // 3 - second < len(third) < len(whole) // 3 + second
    assert len(third) > second / 2


@needs_ffmpeg
@pytest.mark.parametrize("name", FORMATS)
def test_sample_rates(server, speech, name):
    for rate in RATES:
        answer = server.post({"input": SHORT, "response_format": name, "sample_rate": rate})
        assert answer.status_code == 200, answer.text
        sound, complaints = decode(answer.content, name)
        assert complaints == ""
        hz = rate_of(name, rate)
        want = (len(speech) // 2 * hz + 12000) // 24000
        assert want <= len(sound) // 2 <= want + (3 * 1152 if name == "mp3" else LONGER.get(name, 0))
        if name == "wav":
            assert wav_sizes(answer.content) == (len(answer.content) - 8, 2 * want)
            assert answer.content[24:28] == rate.to_bytes(4, "little")
    raw = server.post({"text": SHORT, "sample_rate": 16000})
    assert raw.headers["content-type"] == "audio/L16;rate=16000;channels=1"


def test_sizes_of_a_collected_answer_at_another_rate(server):
    wav = server.post({"input": LONG, "response_format": "wav", "sample_rate": 16000,
                       "stream": False, **FAST}).content
    assert wav_sizes(wav) == (len(wav) - 8, len(wav) - 44)
    flac = server.post({"input": LONG, "response_format": "flac", "sample_rate": 16000,
                        "stream": False, **FAST}).content
    assert int.from_bytes(flac[21:26], "big") & (1 << 36) - 1 == (len(wav) - 44) // 2
    assert any(flac[26:42]), "no MD5"


@pytest.mark.parametrize("name,low,high", [("mp3", 32, 160), ("opus", 12, 96), ("aac", 32, 128)])
def test_bitrate(server, name, low, high):
    small, large = (server.post({"input": LONG, "response_format": name, "bitrate": kbps, **FAST,
                                 "stream": False}).content for kbps in (low, high))
    assert 1.8 < len(large) / len(small) < 1.3 * high / low


def test_volume(server, speech):
    half = server.post({"input": SHORT, "response_format": "pcm", "volume": 0.5}).content
    assert loudness(half) == pytest.approx(loudness(speech) / 2, abs=1)
    silent = server.post({"input": SHORT, "response_format": "wav", "volume": 0}).content
    assert loudness(silent[44:]) == 0
    assert check_whole_wav(silent) == len(speech) / 48000
    double = server.post({"input": SHORT, "response_format": "pcm", "volume": 2}).content
    assert loudness(double) == pytest.approx(min(32767, 2 * loudness(speech)), abs=2)


@pytest.mark.parametrize("body,param,has", [
    ({"response_format": "mp3", "bitrate": 65}, "bitrate", "56, 64, 80"),
    ({"response_format": "mp3", "bitrate": 320}, "bitrate", "144 or 160"),
    ({"response_format": "opus", "bitrate": 512}, "bitrate", "from 6 to 256"),
    ({"response_format": "flac", "bitrate": 64}, "bitrate", "flac has no bitrate"),
    ({"response_format": "opus", "sample_rate": 11025}, "sample_rate", "44100 or 48000"),
    ({"response_format": "wav", "sample_rate": 96000}, "sample_rate", "44100 or 48000"),
    ({"sample_rate": "24k"}, "sample_rate", "a whole number"),
    ({"volume": -1}, "volume", "from 0 to 2"),
    ({"volume": "1"}, "volume", "a number"),
])
def test_what_cannot_be_made(server, body, param, has):
    assert has in error_of(server.post({"input": SHORT, **body}), 400, param)


def test_aac_without_its_library(start, needs_data, tmp_path):
    (tmp_path / "libavcodec.so.59").touch()  # stands in front of one that is there
    server = start("--port", "0", environment={"LD_LIBRARY_PATH": str(tmp_path)}).wait_ready()
    for body, field in (({"input": SHORT, "response_format": "aac"}, "response_format"),
                        ({"text": SHORT, "format": "aac"}, "format")):
        message = error_of(server.post(body), 400, field, "unsupported_format")
        assert "libavcodec.so.59" in message and "apt-get install libavcodec59" in message
    assert server.post({"input": SHORT, "response_format": "opus"}).status_code == 200
    assert server.stop() == 0

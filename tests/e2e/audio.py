"""What the tests know of sound."""

import io
import struct
import wave

SENTINEL = 0xFFFFFFFF

SHORT = "Hello world."
# Several chunks. Spoken at the highest speed where the sound itself does not matter: the work grows
# with the length of the sound.
LONG = " ".join(
    f"This is sentence number {number}, and it goes on for a while so that the model has something "
    "to do before the next one comes along and the listener may take a short breath."
    for number in ("one", "two", "three")
)
LONG_S = 6  # its sound at that speed has at least so many seconds
FAST = {"speed": 4}


def wav_sizes(data):
    """The sizes that the header tells: of the RIFF chunk, of the samples."""
    assert data[:4] == b"RIFF" and data[8:16] == b"WAVEfmt " and data[36:40] == b"data"
    return struct.unpack("<I", data[4:8])[0], struct.unpack("<I", data[40:44])[0]


def check_whole_wav(data):
    """A WAV with exact sizes that Python can read; its seconds."""
    riff, samples = wav_sizes(data)
    assert riff == len(data) - 8
    assert samples == len(data) - 44
    with wave.open(io.BytesIO(data)) as sound:
        assert sound.getparams()[:3] == (1, 2, 24000)
        return sound.getnframes() / 24000


def loudness(pcm):
    """Largest sample of 16-bit little-endian PCM."""
    return max(abs(value) for (value,) in struct.iter_unpack("<h", pcm))

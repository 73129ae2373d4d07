"""What the tests know of sound."""

import io
import math
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


# kbit/s of MPEG 2 layer III, which 16000 to 24000 Hz are.
_MP3_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


def check_whole_mp3(data):
    """Bare frames of 24 kHz mono from the first byte to the last; the seconds a decoder gives."""
    at = frames = 0
    while at < len(data):
        head = struct.unpack(">I", data[at:at + 4])[0]
        assert head >> 17 == 0x7FF9, f"no frame of MPEG 2 layer III at {at}"
        assert head >> 10 & 3 == 1 and head >> 6 & 3 == 3, "not 24 kHz mono"
        at += 72 * 1000 * _MP3_KBPS[head >> 12 & 15] // 24000 + (head >> 9 & 1)
        frames += 1
    assert at == len(data), "the last frame is cut"
    return frames * 576 / 24000


def loudness(pcm):
    """Largest sample of 16-bit little-endian PCM."""
    return max(abs(value) for (value,) in struct.iter_unpack("<h", pcm))


def _filtered(samples, b, a):
    """A filter of second order, in its direct form."""
    x1 = x2 = y1 = y2 = 0.0
    for x in samples:
        y = b[0] * x + b[1] * x1 + b[2] * x2 - a[0] * y1 - a[1] * y2
        x1, x2, y1, y2 = x, x1, y, y1
        yield y


def lufs(pcm):
    """Integrated loudness (ITU-R BS.1770-4) of 16-bit mono at 48 kHz, for which the standard has the numbers."""
    samples = (value / 32768 for (value,) in struct.iter_unpack("<h", pcm))
    shelf = _filtered(samples, (1.53512485958697, -2.69169618940638, 1.19839281085285),
                      (-1.69065929318241, 0.73248077421585))
    squares = [y * y for y in _filtered(shelf, (1, -2, 1), (-1.99004745483398, 0.99007225036621))]
    steps = [sum(squares[at:at + 4800]) / 4800 for at in range(0, len(squares) - 4799, 4800)]
    blocks = [sum(steps[at:at + 4]) / 4 for at in range(len(steps) - 3)]
    for gate in (lambda _: -70, lambda mean: mean - 10):
        mean = -0.691 + 10 * math.log10(sum(blocks) / len(blocks))
        blocks = [block for block in blocks if block > 0 and -0.691 + 10 * math.log10(block) > gate(mean)]
    return -0.691 + 10 * math.log10(sum(blocks) / len(blocks))

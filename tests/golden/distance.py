"""How far a sound is from its reference: signal to noise ratio, and log-mel RMS distance.

The distance compares what is heard: power spectra of 1024 samples (Hann) every 256, gathered in 80
mel bands up to half the rate, in dB over a floor of -60 dB; the RMS over the bands, and of that the
mean over the frames. Sounds of unequal length are compared as far as the shorter goes; where
durations differ, the frames do not line up and the distance says little.
"""
import math
import pathlib
import struct

import numpy as np

RATE_HZ = 24000
FFT_SIZE, HOP, BANDS = 1024, 256, 80
FLOOR = 1e-6  # of power: -60 dB
PCM, FLOAT = 1, 3
LONGEST_SIZE = 0xFFFFFFFF  # written by programs that cannot know the length


def read_wav(path):
    """The samples of a mono WAV (24 kHz, 16-bit or float32) or of raw float32 (NAME.f32)."""
    data = pathlib.Path(path).read_bytes()
    if pathlib.Path(path).suffix == ".f32":
        return np.frombuffer(data, "<f4").astype(np.float64)
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path}: not a WAV file")
    at, form = 12, None
    while at + 8 <= len(data):
        name, size = data[at:at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if name == b"fmt ":
            form = struct.unpack_from("<HHIIHH", data, at + 8)
        elif name == b"data":
            break
        at += 8 + size + size % 2
    else:
        raise ValueError(f"{path}: no samples")
    body = data[at + 8:] if size == LONGEST_SIZE else data[at + 8:at + 8 + size]
    if form is None or form[1] != 1 or form[2] != RATE_HZ:
        raise ValueError(f"{path}: mono at {RATE_HZ} Hz expected")
    if (form[0], form[5]) == (PCM, 16):
        return np.frombuffer(body[:len(body) // 2 * 2], "<i2") / 32768.0
    if (form[0], form[5]) == (FLOAT, 32):
        return np.frombuffer(body[:len(body) // 4 * 4], "<f4").astype(np.float64)
    raise ValueError(f"{path}: 16-bit or float32 samples expected")


def mel_filters():
    """[bands][bins]: triangles with equal steps on the mel scale, straight between bins."""
    n_bins = FFT_SIZE // 2 + 1
    bin_mel = 2595 * np.log10(1 + np.arange(n_bins) * (RATE_HZ / FFT_SIZE) / 700)
    corners = np.interp(np.linspace(0, bin_mel[-1], BANDS + 2), bin_mel, np.arange(n_bins))
    filters = np.zeros((BANDS, n_bins))
    for band in range(BANDS):
        left, middle, right = corners[band:band + 3]
        rise = (np.arange(n_bins) - left) / (middle - left)
        fall = (right - np.arange(n_bins)) / (right - middle)
        filters[band] = np.clip(np.minimum(rise, fall), 0, None)
    return filters


def log_mel(samples):
    """[frames][bands] in dB; silence in front and behind, so that a sample counts in 4 frames."""
    padded = np.pad(np.asarray(samples, dtype=np.float64), FFT_SIZE)
    n_frames = (padded.size - FFT_SIZE) // HOP + 1
    frames = np.stack([padded[i * HOP:i * HOP + FFT_SIZE] for i in range(n_frames)])
    power = np.abs(np.fft.rfft(frames * np.hanning(FFT_SIZE), axis=1)) ** 2
    return 10 * np.log10(power @ mel_filters().T + FLOOR)


def log_mel_distance_db(reference, other):
    first, second = log_mel(reference), log_mel(other)
    n = min(len(first), len(second))
    return float(np.mean(np.sqrt(np.mean((first[:n] - second[:n]) ** 2, axis=1))))


def snr_db(reference, other):
    """Infinite for equal sounds."""
    n = min(len(reference), len(other))
    first = np.asarray(reference[:n], dtype=np.float64)
    noise = float(np.sum((first - np.asarray(other[:n], dtype=np.float64)) ** 2))
    signal = float(np.sum(first ** 2))
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf

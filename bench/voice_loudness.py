#!/usr/bin/env python3
"""Measure how loud each voice speaks: the table of src/voice/loudness.c, and what it is worth.

    voice_loudness.py KOKORO [--work DIR] [--part check table others blends speeds normalised]
                      [--every N] [--jobs N] [--json FILE]

KOKORO is the program, which finds its data by KOKORO_HOME. Loudness is that of ITU-R BS.1770-4: K-weighted, of
blocks of 0.4 s every 0.1 s, those under -70 LUFS and then those 10 LU under the rest left out. A voice's is that of
ten sentences of quality_texts.txt together (the second of each five), spoken at speed 1, in English whatever its
language. DIR keeps the sound, so that a second run is quick. Needs numpy; ffmpeg, where it is there, is asked too.

    check        the meter itself: the standard's sine, and ffmpeg
    table        a row a voice, as C, and how far its single sentences lie from it
    others       how far ten other sentences (the fourth of each five) do
    blends       a dozen blends against three rules
    speeds       the same voices faster and slower
    normalised   the ten others at -16 and -23 LUFS through the program itself: the error, and how often the limiter works
"""
import argparse
import concurrent.futures
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
RATE_HZ = 24000
SPEEDS = (0.5, 0.75, 1.5, 2)
SPEED_VOICES = ("af_heart", "af_nicole", "am_michael", "bm_george")
BLENDS = ("af_heart+af_nicole", "af_heart+am_michael", "af_bella(2)+af_sky(1)", "af_nicole+am_onyx",
          "af_nicole(3)+bm_george(1)", "bf_emma+bm_george", "am_puck+am_fenrir", "af_sky+am_adam",
          "bf_isabella(1)+am_santa(2)", "af_heart+af_bella+am_michael", "jf_alpha+zm_yunxi", "af_nova(1)+am_liam(4)")


# --- the meter ---

def k_weighting(frequency_hz):
    """Response of the standard's two filters, by its coefficients for 48 kHz. They are applied to the spectrum, so
    sound of any rate gets what they do at its frequencies, as if it had been resampled without loss."""
    z = np.exp(-2j * np.pi * frequency_hz / 48000)

    def response(b, a):
        return np.polyval(b[::-1], z) / np.polyval(a[::-1], z)

    shelf = response((1.53512485958697, -2.69169618940638, 1.19839281085285), (1, -1.69065929318241, 0.73248077421585))
    return shelf * response((1, -2, 1), (1, -1.99004745483398, 0.99007225036621))


def blocks(samples, rate_hz=RATE_HZ):
    """Mean square of the K-weighted sound of each block."""
    size = samples.size + rate_hz  # a second of silence behind it: what wraps around has died away
    spectrum = np.fft.rfft(samples, size)
    weighted = np.fft.irfft(spectrum * k_weighting(np.fft.rfftfreq(size) * rate_hz), size)[:samples.size]
    total = np.concatenate(([0.0], np.cumsum(weighted ** 2)))
    length, step = rate_hz * 4 // 10, rate_hz // 10
    starts = np.arange(0, max(samples.size - length, -1) + 1, step)
    return (total[starts + length] - total[starts]) / length


def gated(powers):
    """LUFS of blocks."""
    def lufs(power):
        return -0.691 + 10 * np.log10(power)

    powers = powers[powers > 10 ** ((-70 + 0.691) / 10)]
    return lufs(np.mean(powers[lufs(powers) > lufs(np.mean(powers)) - 10]))


def loudness(samples, rate_hz=RATE_HZ):
    return float(gated(blocks(samples, rate_hz)))


def ffmpeg_loudness(samples):
    done = subprocess.run(["ffmpeg", "-hide_banner", "-f", "f32le", "-ar", str(RATE_HZ), "-ac", "1", "-i", "-", "-af",
                           "ebur128=framelog=verbose", "-f", "null", "-"], input=samples.astype("<f4").tobytes(),
                          capture_output=True, check=True)
    return float(done.stderr.decode().rsplit("I:", 1)[1].split()[0])


# --- the speech ---

class Speaker:
    def __init__(self, program, work, n_jobs):
        self.program, self.work, self.n_jobs = program, work, n_jobs
        lines = (HERE / "quality_texts.txt").read_text().splitlines()
        texts = [line.split(" ", 1)[1] for line in lines]
        self.texts, self.others = texts[1::5], texts[3::5]
        listed = json.loads(subprocess.run([program, "voices", "--json"], capture_output=True, check=True).stdout)
        self.voices = [voice["id"] for voice in listed]

    def prepare(self, voices, texts, *options):
        """Speaks side by side what is asked for one by one afterwards. Samples do not depend on the threads."""
        with concurrent.futures.ThreadPoolExecutor(self.n_jobs) as pool:
            list(pool.map(lambda pair: self.say(*pair, *options), [(v, t) for v in voices for t in texts]))

    def say(self, voice, text, *options):
        """Samples of full scale 1."""
        name = "_".join((voice, f"{abs(hash_of(text)):08x}", *options)).replace("/", "_")
        kept = self.work / f"{name}.pcm"
        if not kept.exists():
            lang = () if voice[0] in "ab" else ("--lang", "en-us")
            done = subprocess.run([self.program, "say", text, "--voice", voice, "--format", "pcm", "-o", "-",
                                   "--threads", "1", *lang, *options], capture_output=True, check=True)
            kept.write_bytes(done.stdout)
        return np.frombuffer(kept.read_bytes(), "<i2") / 32767

    def voice_loudness(self, voice, *options):
        return float(gated(np.concatenate([blocks(self.say(voice, text, *options)) for text in self.texts])))


def hash_of(text):
    value = 0
    for byte in text.encode():
        value = (value * 31 + byte) & 0xFFFFFFFF
    return value


# --- the parts ---

def spread(errors):
    size = np.abs(errors)
    return {"n": len(errors), "mean": float(np.mean(errors)), "sd": float(np.std(errors)),
            "median": float(np.median(size)), "p90": float(np.percentile(size, 90)), "max": float(size.max()),
            "within_1": float(np.mean(size <= 1)), "within_1.5": float(np.mean(size <= 1.5)),
            "within_2": float(np.mean(size <= 2))}


def shown(name, figures):
    print(f"{name}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))


def check(speaker, _):
    result = {}
    for rate_hz in (RATE_HZ, 48000):
        sine = np.sin(2 * np.pi * 997 * np.arange(20 * rate_hz) / rate_hz)
        result[f"sine of 997 Hz at {rate_hz} Hz"] = loudness(sine, rate_hz)
    for name, value in result.items():
        print(f"{name}: {value:.3f} LUFS (-3.01)")
        if abs(value + 3.01) > 0.01:
            sys.exit("the meter is wrong")
    if shutil.which("ffmpeg"):
        for voice in SPEED_VOICES:
            samples = np.concatenate([speaker.say(voice, text) for text in speaker.texts])
            ours, theirs = loudness(samples), ffmpeg_loudness(samples)
            print(f"{voice}: {ours:.2f} LUFS, ffmpeg {theirs:.1f}")
            result[f"{voice} over ffmpeg"] = ours - theirs
    return result


def table(speaker, _):
    own, rows = [], {}
    speaker.prepare(speaker.voices, speaker.texts)
    for voice in speaker.voices:
        level = rows[voice] = speaker.voice_loudness(voice)
        own += [loudness(speaker.say(voice, text)) - level for text in speaker.texts]
        print(f'    {{"{voice}", {level:.1f}}},')
    shown("own sentences", spread(own))
    return {"voices": rows, "own sentences": spread(own)}


def others(speaker, args):
    voices, errors = speaker.voices[::args.every], {}
    speaker.prepare(voices, speaker.texts + speaker.others)
    for voice in voices:
        level = round(speaker.voice_loudness(voice), 1)
        errors[voice] = [loudness(speaker.say(voice, text)) - level for text in speaker.others]
    result = {"other sentences": spread(sum(errors.values(), [])), "largest of a voice": {
        voice: max(map(abs, errors[voice])) for voice in sorted(voices, key=lambda v: -max(map(abs, errors[v])))[:5]}}
    for name, figures in result.items():
        shown(name, figures)
    return result


def blends(speaker, _):
    errors = {"mean of LUFS": [], "LUFS of the mean power": [], "LUFS of the mean amplitude": []}
    rows = {}
    speaker.prepare(BLENDS, speaker.texts)
    for blend in BLENDS:
        parts = [(part.split("(")[0], float(part.split("(")[1][:-1]) if "(" in part else 1.0)
                 for part in blend.split("+")]
        weights = np.array([weight for _, weight in parts])
        weights /= weights.sum()
        levels = np.array([speaker.voice_loudness(voice) for voice, _ in parts])
        rows[blend] = measured = speaker.voice_loudness(blend)
        guesses = (weights @ levels, 10 * np.log10(weights @ 10 ** (levels / 10)),
                   20 * np.log10(weights @ 10 ** (levels / 20)))
        for name, guess in zip(errors, guesses):
            errors[name].append(measured - guess)
        print(f"{blend}: {measured:.2f}, of " + ", ".join(f"{level:.2f}" for level in levels) + "; error " +
              ", ".join(f"{measured - guess:+.2f}" for guess in guesses), flush=True)
    result = {"measured": rows, **{name: spread(values) for name, values in errors.items()}}
    for name in errors:
        shown(name, result[name])
    return result


def speeds(speaker, _):
    result = {}
    for speed in SPEEDS:
        speaker.prepare(SPEED_VOICES, speaker.texts, "--speed", str(speed))
    for voice in SPEED_VOICES:
        level = speaker.voice_loudness(voice)
        result[voice] = {str(speed): speaker.voice_loudness(voice, "--speed", str(speed)) - level for speed in SPEEDS}
        shown(f"{voice}, at each speed over speed 1, LU", result[voice])
    return result


def normalised(speaker, args):
    result, voices = {}, speaker.voices[::args.every]
    for target in (-16, -23):
        errors, n_over, share, lost = [], 0, [], []
        speaker.prepare(voices, speaker.others, "--loudness", str(target))
        for voice in voices:
            gain_db = target - round(speaker.voice_loudness(voice), 1)
            for text in speaker.others:
                plain, made = speaker.say(voice, text), speaker.say(voice, text, "--loudness", str(target))
                over = np.abs(plain) * 10 ** (gain_db / 20) > 1
                errors.append(loudness(made) - target)
                n_over += bool(over.any())
                share.append(float(over.mean()))
                lost.append(loudness(plain) + gain_db - loudness(made))
        result[str(target)] = {**spread(errors), "answers with a peak too loud": n_over / len(errors),
                               "samples too loud": statistics.mean(share), "lost, mean": statistics.mean(lost),
                               "most": max(lost)}
        shown(f"at {target} LUFS", result[str(target)])
    return result


PARTS = {part.__name__: part for part in (check, table, others, blends, speeds, normalised)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("voice_loudness"))
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--every", type=int, default=1, help="other sentences of each n-th voice only")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    speaker = Speaker(args.program, args.work, args.jobs)
    result = {}
    for part in args.part:
        result[part] = PARTS[part](speaker, args)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

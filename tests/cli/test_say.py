"""`kokoro say` and its neighbours with the real model: bytes, figures, and what failure leaves."""

import json
import os
import pty
import signal
import struct
import subprocess
import time

import cli

HELLO = "həlˈO wˈɜɹld."
# A chunk a paragraph.
PARAGRAPHS = "One.\n\nTwo.\n\nThree.\n"


class Say(cli.Case):
    needs_data = True

    def check_wav(self, data):
        """Samples of a WAV whose sizes are exact."""
        self.assertEqual(data[:4] + data[8:16] + data[36:40], b"RIFFWAVEfmt data")
        self.assertEqual(struct.unpack("<HHIIHH", data[20:36]), (1, 1, 24000, 48000, 2, 16))
        self.assertEqual(struct.unpack("<I", data[4:8])[0], len(data) - 8)
        self.assertEqual(struct.unpack("<I", data[40:44])[0], len(data) - 44)
        self.check_sound(data[44:])
        return data[44:]

    def say(self, *words, **options):
        done = self.run_kokoro("say", *words, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_one_sound_in_every_way_out(self):
        self.say("Hello", "world.", "-o", "a.wav")
        samples = self.check_wav((self.dir / "a.wav").read_bytes())
        self.assertGreater(len(samples), 24000)
        self.assertEqual(len(samples) % 1200, 0)
        self.assertEqual(self.check_wav(self.say("Hello world.").stdout), samples)
        (self.dir / "text").write_text("Hello world.\n")
        self.say("-f", "text", "-o", "b.PCM")
        self.assertEqual((self.dir / "b.PCM").read_bytes(), samples)
        done = self.say("-", "--format", "pcm", "-o", "-", input=b"Hello world.")
        self.assertEqual((done.stdout, done.stderr), (samples, ""))
        os.mkfifo(self.dir / "pipe.wav")
        with subprocess.Popen(["cat", "pipe.wav"], cwd=self.dir, stdout=subprocess.PIPE) as cat:
            self.say("Hello world.", "-o", "pipe.wav")
            self.assertEqual(self.check_wav(cat.communicate()[0]), samples)
        self.check_only("a.wav", "b.PCM", "text", "pipe.wav")

    def test_every_format(self):
        doctor = json.loads(self.run_kokoro("doctor", "--json").stdout)
        made = [check["detail"] for check in doctor["checks"]
                if check["name"] == "formats" and check["status"] == "ok"][0].split(", ")
        for ending, name, magic in (("mp3", "mp3", b"\xff\xf3"), ("opus", "opus", b"OggS"),
                                    ("ogg", "opus", b"OggS"), ("AAC", "aac", b"\xff\xf1"),
                                    ("flac", "flac", b"fLaC"), ("wav", "wav", b"RIFF")):
            if name not in made:
                continue
            self.say("Hello world.", "-o", f"a.{ending}")
            data = (self.dir / f"a.{ending}").read_bytes()
            self.assertTrue(data.startswith(magic), ending)
            self.assertGreater(len(data), 3000)
            # The same in a pipe, but for what FLAC knows last and the numbers of Ogg streams.
            if name != "opus":
                front = 42 if name == "flac" else 0
                self.assertEqual(self.say("Hello world.", "--format", name).stdout[front:], data[front:])

    def test_the_rate_and_volume_of_the_sound(self):
        self.say(PARAGRAPHS, "-o", "a.pcm")
        full = (self.dir / "a.pcm").read_bytes()
        # In a pipe the length is not known before the end: the sizes are exact all the same.
        data = self.say(PARAGRAPHS, "--sample-rate", "16000", "--volume", "0.5").stdout
        self.assertEqual(struct.unpack("<IIHH", data[24:36]), (16000, 32000, 2, 16))
        self.assertEqual(struct.unpack("<I", data[40:44])[0], len(data) - 44)
        self.assertEqual(struct.unpack("<I", data[4:8])[0], len(data) - 8)
        self.assertEqual((len(data) - 44) // 2, round(len(full) / 2 * 16 / 24))
        half = self.say(PARAGRAPHS, "--format", "pcm", "--volume", "0.5").stdout
        loudest = [max(map(abs, struct.unpack(f"<{len(sound) // 2}h", sound))) for sound in (full, half)]
        self.assertAlmostEqual(loudest[0] / 2, loudest[1], delta=1)
        # A file of FLAC says how long it is although that was known last.
        self.say(PARAGRAPHS, "-o", "a.flac", "--sample-rate", "16000")
        flac = (self.dir / "a.flac").read_bytes()
        self.assertEqual(int.from_bytes(flac[21:26], "big") & (1 << 36) - 1, (len(data) - 44) // 2)

    def test_one_gain_for_all_of_it(self):
        def samples(*options):
            data = self.say(PARAGRAPHS, "--format", "pcm", *options).stdout
            return [value for (value,) in struct.iter_unpack("<h", data)]

        def factor(of, plain):
            """By which each sample was multiplied."""
            ratio = sum(a * b for a, b in zip(plain, of)) / sum(a * a for a in plain)
            self.assertEqual(len(of), len(plain))
            self.assertLessEqual(max(abs(ratio * a - b) for a, b in zip(plain, of)), 1)
            return ratio

        plain = samples()
        quiet = factor(samples("--loudness", "-36"), plain)
        self.assertAlmostEqual(factor(samples("--loudness", "-30"), plain) / quiet, 10 ** 0.3, delta=0.01)
        self.assertAlmostEqual(factor(samples("--loudness", "-30", "--volume", "0.5"), plain) / quiet,
                               10 ** 0.3 / 2, delta=0.01)
        self.assertEqual(samples("--loudness", "0"), plain)
        self.env["KOKORO_LOUDNESS"] = "-36"
        self.assertAlmostEqual(factor(samples(), plain), quiet, delta=1e-6)
        self.assertEqual(samples("--loudness", "0"), plain)

    def test_a_voice_that_was_never_measured(self):
        os.mkdir(self.dir / "own")
        source = os.path.join(self.env["KOKORO_HOME"], "sources", "voices", "af_heart.bin")
        os.symlink(source, self.dir / "own" / "af_own.bin")
        self.run_kokoro("pack", "voices", "own", "own.pack")
        options = ("Hi.", "--voices", "own.pack", "--voice", "af_own")
        self.check_fails(2, "the voice af_own was never measured", "say", *options, "-o", "a.wav", "--loudness", "-20")
        self.check_only("own", "own.pack")
        plain = self.say(*options).stdout
        self.env["KOKORO_LOUDNESS"] = "-30"
        done = self.say(*options)
        self.assertEqual(done.stdout, plain)
        self.assertIn("KOKORO_LOUDNESS is not followed by the voice af_own", done.stderr)

    def test_captions(self):
        text = "It costs $5 & more, \u201cI think\u201d. A <second> one.\n\nThere."
        for ending in ("json", "srt", "VTT"):
            self.say(text, "-o", "a.wav", "--timestamps", f"words.{ending}")
        words = json.loads((self.dir / "words.json").read_text())["timestamps"]
        self.assertEqual([word["word"] for word in words],
                         ["It", "costs", "$5", "&", "more", "I", "think", "A", "second", "one", "There"])
        for word in words:
            self.assertEqual(text[word["offset"]:word["offset"] + word["length"]], word["word"])
        times = [time for word in words for time in (word["start"], word["end"])]
        self.assertEqual(times, sorted(times))
        seconds = len(self.check_wav((self.dir / "a.wav").read_bytes())) / 48000
        self.assertLessEqual(times[-1], seconds)
        captions = (self.dir / "words.srt").read_text()
        self.assertRegex(captions, r"^1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\nIt costs \$5 & more, "
                                   "\u201cI think\u201d\\.\n\n2\n.*\nA <second> one\\.\n\n3\n.*\nThere\\.\n\n$")
        captions = (self.dir / "words.VTT").read_text()
        self.assertRegex(captions, r"^WEBVTT\n\n00:00:00\.\d{3} --> .*\nIt costs \$5 &amp; more, ")
        self.assertIn("A &lt;second&gt; one.", captions)
        self.check_only("a.wav", "words.json", "words.srt", "words.VTT")
        for wrong in (["--timestamps", "words.txt"], ["--timestamps", "w.srt", "--phonemes"]):
            done = self.run_kokoro("say", "Hi.", "-o", "b.wav", *wrong)
            self.assertEqual((done.returncode, done.stdout), (2, b""))

    def test_pauses(self):
        def seconds(*options):
            return len(self.check_wav(self.say(PARAGRAPHS, *options).stdout)) / 48000

        plain = seconds()
        self.assertAlmostEqual(seconds("--paragraph-pause", "1.5"), plain + 3.0, places=4)
        # Each is a sentence too, and the longer pause counts.
        self.assertAlmostEqual(seconds("--paragraph-pause", "0.5", "--sentence-pause", "1"), plain + 2.0,
                               places=4)
        for wrong in ("-1", "11", "nan", "long"):
            done = self.run_kokoro("say", "Hi.", "--sentence-pause", wrong)
            self.assertEqual(done.returncode, 2)
            self.assertIn("from 0 to 10", done.stderr)

    def test_several_chunks_are_the_same_in_file_and_pipe(self):
        done = self.say(PARAGRAPHS, "--stats", "-o", "a.wav")
        self.assertEqual(json.loads(done.stderr)["chunks"], 3)
        samples = self.check_wav((self.dir / "a.wav").read_bytes())
        done = self.say(PARAGRAPHS)
        self.assertEqual((self.check_wav(done.stdout), done.stderr), (samples, ""))
        self.check_only("a.wav")

    def test_pieces_are_as_long_as_the_whole(self):
        text = "It was a quiet street with tall trees, narrow houses, and one small shop."
        whole = self.check_wav(self.say(text).stdout)
        pieces = self.check_wav(self.say(text, "--pieces").stdout)
        self.assertEqual(len(pieces), len(whole))
        self.assertNotEqual(pieces, whole)
        self.assertEqual(self.check_wav(self.say(text, "--pieces").stdout), pieces)
        self.assertEqual(len(self.check_wav(self.say(PARAGRAPHS, "--pieces").stdout)) % 2, 0)
        # The runtime makes no pieces: all at once is the same sound.
        at_once = self.say("Hello.", "--provider", "onnxruntime", "--pieces").stdout
        self.assertEqual(at_once, self.say("Hello.", "--provider", "onnxruntime").stdout)

    def test_a_link_is_followed(self):
        (self.dir / "real.wav").write_bytes(b"old")
        os.symlink("real.wav", self.dir / "link.wav")
        self.say("--phonemes", HELLO, "-o", "link.wav")
        self.assertTrue((self.dir / "link.wav").is_symlink())
        self.check_wav((self.dir / "real.wav").read_bytes())

    def test_the_figures(self):
        done = self.say("Hello world.", "-o", "a.wav", "--stats", "--repeat", "3")
        stats = json.loads(done.stderr)
        self.assertEqual(set(stats), {
            "audio_s", "g2p_ms", "model_ms", "load_ms", "pack_ms", "first_audio_ms", "rtf",
            "provider", "precision", "threads", "rss_mb", "chunks", "g2p_sources",
            "unknown_symbols", "first_s", "best_s", "median_s"})
        samples = (len((self.dir / "a.wav").read_bytes()) - 44) / 2
        self.assertAlmostEqual(stats["audio_s"], samples / 24000, places=3)
        self.assertAlmostEqual(stats["rtf"], stats["model_ms"] / 1e3 / stats["audio_s"], places=4)
        self.assertEqual(set(stats["g2p_sources"]),
                         {"gold", "silver", "rule", "oov", "espeak", "letters"})
        self.assertEqual(stats["g2p_sources"]["gold"], 2)
        self.assertEqual((stats["provider"], stats["chunks"]), ("native", 1))
        self.assertIn(stats["precision"], ("bf16", "f32"))
        self.assertAlmostEqual(stats["first_s"], stats["model_ms"] / 1e3, places=4)
        self.assertLessEqual(stats["best_s"], stats["median_s"])
        self.assertGreater(stats["first_audio_ms"], stats["model_ms"])
        self.assertGreater(stats["rss_mb"], 50)

    def test_the_runtime_speaks_when_it_is_asked_for(self):
        done = self.say("--phonemes", HELLO, "--provider", "onnxruntime", "--stats", "-o", "a.wav")
        stats = json.loads(done.stderr)
        self.assertEqual((stats["provider"], stats["precision"]), ("onnxruntime", "file"))
        theirs = self.check_wav((self.dir / "a.wav").read_bytes())
        ours = self.check_wav(self.say("--phonemes", HELLO).stdout)
        self.assertLessEqual(abs(len(ours) - len(theirs)), 1200)
        self.assertNotEqual(ours, theirs)

    def test_speed_and_voice_change_the_sound(self):
        plain = self.say("--phonemes", HELLO).stdout
        self.assertLess(len(self.say("--phonemes", HELLO, "--speed", "2").stdout), len(plain) * 0.7)
        self.assertNotEqual(self.say("--phonemes", HELLO, "-v", "bm_george").stdout, plain)
        bella = self.say("--phonemes", HELLO, "-v", "af_bella").stdout
        blend = self.say("--phonemes", HELLO, "-v", "af_bella(2)+af_sky(1)").stdout
        self.assertNotIn(blend, (plain, bella))

    def test_unknown_symbols_are_counted(self):
        done = self.say("--phonemes", "həlˈO ☃☃", "-o", "a.wav")
        self.assertIn("2 phoneme symbols", done.stderr)

    def test_what_the_engine_refuses(self):
        self.check_fails(2, "unknown voice 'nobody'", "say", "hello", "-v", "nobody", "-o", "a.wav")
        self.check_fails(2, "language 'xx'", "say", "hello", "--lang", "xx", "-o", "a.wav")
        self.check_fails(2, "unknown provider", "say", "hello", "--provider", "x", "-o", "a.wav")
        self.check_fails(1, "no word", "say", "?!… 🎉", "-o", "a.wav")
        (self.dir / "bad.onnx").write_bytes(b"no model" * 100)
        self.check_fails(1, "bad.onnx", "say", "hello", "--model", "bad.onnx", "-o", "a.wav")
        self.check_fails(1, "bad.onnx", "say", "hello", "--voices", "bad.onnx", "-o", "a.wav")
        self.check_only("bad.onnx")

    def test_a_place_that_fills_up(self):
        if os.path.exists("/dev/full"):
            self.check_fails(1, "cannot write /dev/full", "say", "--phonemes", HELLO, "-o",
                             "/dev/full")
            with open("/dev/full", "wb") as full:
                self.check_fails(1, "No space left", "say", "--phonemes", HELLO, stdout=full)
        self.check_fails(1, "standard output", "say", "--phonemes", HELLO, stdout=None,
                         preexec_fn=lambda: os.close(1))
        self.check_only()

    def test_a_reader_that_goes_away(self):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            self.check_fails(1, "Broken pipe", "say", "--phonemes", HELLO, stdout=pipe)

    def test_a_signal_leaves_no_file(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with subprocess.Popen([cli.PROGRAM, "say", PARAGRAPHS * 20, "-o", "a.wav"],
                                  cwd=self.dir, env=self.env) as process:
                deadline = time.monotonic() + 60
                while not list(self.dir.iterdir()) and time.monotonic() < deadline:
                    time.sleep(0.01)
                self.assertEqual(len(list(self.dir.iterdir())), 1)
                process.send_signal(number)
                self.assertEqual(process.wait(60), -number)
            self.check_only()

    def test_players(self):
        player = self.dir / "bin" / "aplay"
        player.parent.mkdir()
        self.env["PATH"] = f"{player.parent}:/usr/bin:/bin"
        player.write_text('#!/bin/sh\necho "$@" > arguments\nexec cat > played.wav\n')
        player.chmod(0o755)
        self.say("--phonemes", HELLO, "--play", "-o", "a.wav")
        self.assertEqual((self.dir / "arguments").read_text(), "-q -\n")
        self.assertEqual((self.dir / "played.wav").read_bytes(),
                         (self.dir / "a.wav").read_bytes())
        player.write_text("#!/bin/sh\ncat > /dev/null\nexit 3\n")
        self.check_fails(1, "aplay failed with status 3", "say", "--phonemes", HELLO, "--play")
        player.write_text("#!/bin/sh\nexit 0\n")
        self.check_fails(1, "aplay stopped", "say", PARAGRAPHS, "--play")

    def test_no_player(self):
        self.env["PATH"] = str(self.dir)
        self.check_fails(1, "pw-play, aplay, ffplay", "say", "hello", "--play")
        self.check_fails(2, "-o FILE", "say", "hello", stdout=self.terminal()[1])

    def terminal(self):
        ends = pty.openpty()
        for end in ends:
            self.addCleanup(os.close, end)
        return ends

    def test_progress_on_a_terminal(self):
        ours, theirs = self.terminal()
        done = subprocess.run([cli.PROGRAM, "say", PARAGRAPHS, "-o", "a.wav"],
                              cwd=self.dir, env=self.env, stderr=theirs, timeout=300, check=False)
        self.assertEqual(done.returncode, 0)
        shown = os.read(ours, 65536).decode()
        self.assertIn("chunk 1 of 3", shown)
        self.assertTrue(shown.endswith("\r\033[K"))


class Lists(cli.Case):
    needs_data = True

    def test_voices(self):
        lines = self.run_kokoro("voices").stdout.decode().splitlines()
        voices = json.loads(self.run_kokoro("voices", "--json").stdout)
        self.assertEqual(len(voices), 54)
        self.assertIn({"id": "bf_emma", "language": "en-gb", "gender": "female"}, voices)
        self.assertEqual([line.split() for line in lines],
                         [[v["id"], v["language"], v["gender"]] for v in voices])

    def test_providers(self):
        native, runtime, openvino = json.loads(self.run_kokoro("providers", "--json").stdout)
        self.assertEqual((native["name"], runtime["name"], openvino["name"]),
                         ("native", "onnxruntime", "openvino"))
        if openvino["available"]:  # set-up installs it only when asked for
            self.assertEqual(openvino["execution_providers"], ["OpenVINO:CPU"])
        else:
            self.assertIn("./run setup --with openvino", openvino["reason"])
        self.assertTrue(native["available"] and runtime["available"])
        self.assertIn("CPUExecutionProvider", runtime["execution_providers"])

    def test_the_doctor_is_content(self):
        done = self.run_kokoro("doctor", "--json")
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0, report)
        self.assertTrue(report["ok"])
        self.assertNotIn("fail", [check["status"] for check in report["checks"]])
        names = [check["name"] for check in report["checks"]]
        for name in ("model", "voices", "lexicon", "espeak", "provider", "speech", "port", "formats"):
            self.assertIn(name, names)


class Phonemize(cli.Case):
    needs_data = True

    def test_a_line_for_a_line(self):
        done = self.run_kokoro("phonemize", "-", input=b"Hello world.\n\nyes\r\n\n12")
        lines = done.stdout.decode().split("\n")
        self.assertEqual((done.returncode, len(lines)), (0, 6))
        self.assertEqual(lines[0], HELLO)
        self.assertEqual([bool(line) for line in lines], [True, False, True, False, True, False])
        (self.dir / "text").write_bytes(b"Hello world.\n\nyes\r\n\n12\n")
        self.assertEqual(self.run_kokoro("phonemize", "-f", "text").stdout, done.stdout)
        self.assertEqual(self.run_kokoro("phonemize", "Hello", "world.").stdout.decode(),
                         HELLO + "\n")

    def test_a_bad_line_keeps_its_place(self):
        done = self.check_fails(1, "line 2: the text is not valid UTF-8", "phonemize", "-",
                                input=b"yes\n\xff\nyes\n")
        lines = done.stdout.decode().split("\n")
        self.assertEqual(lines[0], lines[2])
        self.assertEqual(lines[1], "")

    def test_lines_come_as_they_are_read(self):
        with subprocess.Popen([cli.PROGRAM, "phonemize", "-"], cwd=self.dir, env=self.env,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            for _ in range(3):
                process.stdin.write(b"Hello world.\n")
                process.stdin.flush()
                self.assertEqual(process.stdout.readline().decode(), HELLO + "\n")
            process.stdin.close()
            self.assertEqual(process.wait(60), 0)

    def test_json_tells_each_word(self):
        text = "Hello, world."
        done = self.run_kokoro("phonemize", "--json", text)
        line = json.loads(done.stdout)
        self.assertEqual(line["text"], text)
        self.assertEqual([w["text"] for w in line["words"]], ["Hello", "world"])
        for word in line["words"]:
            self.assertEqual(set(word), {"text", "phonemes", "source", "offset", "len"})
            self.assertEqual(word["source"], "gold")
            self.assertEqual(text[word["offset"]:word["offset"] + word["len"]], word["text"])
            self.assertIn(word["phonemes"], line["phonemes"])

    def test_language(self):
        us = self.run_kokoro("phonemize", "tomato").stdout
        gb = self.run_kokoro("phonemize", "--lang", "en-gb", "tomato").stdout
        self.assertNotEqual(us, gb)
        self.assertEqual(self.run_kokoro("phonemize", "-v", "x").returncode, 2)
        self.assertEqual(self.run_kokoro("phonemize", "--voice", "bf_emma", "tomato").stdout, gb)
        self.check_fails(2, "language 'xx'", "phonemize", "--lang", "xx", "tomato")


if __name__ == "__main__":
    cli.main()

"""The command line without any data: help, wrong options, wrong values, missing files."""

import json
import os
import socket

import cli


class Help(cli.Case):
    def test_version(self):
        done = self.run_kokoro("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout.decode(), r"^kokoro \d+\.\d+\.\d+\n$")

    def test_every_command_has_help_in_three_ways(self):
        listed = self.run_kokoro("--help").stdout.decode()
        for name in ("say", "voices", "phonemize", "providers", "doctor", "benchmark", "benchmark-frequency",
                     "benchmark-cache", "serve", "keys", "pack"):
            self.assertRegex(listed, rf"(?m)^  {name} ")
            texts = [self.run_kokoro(*words) for words in
                     ((name, "--help"), ("help", name), (name, "-h"))]
            for done in texts:
                self.assertEqual(done.returncode, 0)
                self.assertEqual(done.stderr, "")
                self.assertIn(f"Usage: kokoro {name}", done.stdout.decode())
                self.assertEqual(done.stdout, texts[0].stdout)

    def test_help_shows_every_option_with_its_variable(self):
        text = self.run_kokoro("say", "--help").stdout.decode()
        for word in ("--speed", "-o, --output FILE", "--port N", "KOKORO_PORT, 8000",
                     "KOKORO_CPU_MASK"):
            self.assertIn(word, text)
        self.assertLessEqual(max(map(len, text.splitlines())), 100)

    def test_nothing_to_do_shows_the_help_as_talk(self):
        done = self.run_kokoro()
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn("Usage:", done.stderr)


class Mistakes(cli.Case):
    def test_the_nearest_word_is_named(self):
        self.check_fails(2, "did you mean say?", "sya", "hello")
        self.check_fails(2, "did you mean --speed?", "say", "hello", "--sped", "1")
        self.check_fails(2, "did you mean --port?", "serve", "--prot=1")
        self.check_fails(2, "did you mean doctor?", "help", "docter")
        self.check_fails(2, "unknown command", "qqqqqqqqqqqq")

    def test_options_take_what_they_take(self):
        self.check_fails(2, "-o needs a value", "say", "hello", "-o")
        self.check_fails(2, "--play takes no value", "say", "hello", "--play=yes")
        self.check_fails(2, "behind --", "say", "-5")
        self.check_fails(2, "takes no argument", "voices", "all")

    def test_values_out_of_range(self):
        for value in ("0", "nan", "99", "abc", "", "inf", "1x"):
            self.check_fails(2, "from 0.25 to 4", "say", "hello", "--speed", value)
        for value in ("0", "-1", "x", "1.5"):
            self.check_fails(2, "--repeat must be", "say", "hello", "--repeat", value)
        self.check_fails(2, "from 0 to 1024, not 'many'", "say", "hello", "--threads", "many")
        self.check_fails(2, "from 0 to 65535, not '65536'", "serve", "--port", "65536")
        self.check_fails(2, "error, warning, info, debug", "voices", "--log-level", "loud")

    def test_formats_that_are_not_made(self):
        self.check_fails(2, "made are mp3, opus, aac, flac, wav, pcm", "say", "hello", "--format", "aiff")
        self.check_fails(2, "the ending .xyz", "say", "hello", "-o", "a.xyz")
        self.check_only()

    def test_formats_that_are_not_made_so(self):
        for has, *options in (
                ("--bitrate: wav has no bitrate", "--bitrate", "64"),
                ("--bitrate: flac has no bitrate", "-o", "a.flac", "--bitrate", "64"),
                ("--bitrate: the bitrate of mp3 at 24000 Hz must be 8, 16", "-o", "a.mp3", "--bitrate", "320"),
                ("from 6 to 256 kbit/s, not 300", "-o", "a.opus", "--bitrate", "300"),
                ("--bitrate must be a whole number", "-o", "a.mp3", "--bitrate", "64k"),
                ("--sample-rate: the sample rate of wav must be 8000, 12000", "--sample-rate", "11025"),
                ("44100 or 48000 Hz, not 11025", "-o", "a.ogg", "--sample-rate", "11025"),
                ("--sample-rate must be a whole number", "--sample-rate", "0"),
                ("--volume: the volume must be from 0 to 2, not 3", "--volume", "3"),
                ("--volume must be a number from 0 to 2", "--volume", "loud"),
                ("--loudness must be a number from -40 to -10 or 0, not 'loud'", "--loudness", "loud"),
                ("-10 or 0, not '-9'", "--loudness", "-9"), ("or 0, not '16'", "--loudness=16"),
                ("or 0, not 'nan'", "--loudness", "nan"), ("needs a value", "--loudness")):
            self.check_fails(2, has, "say", "hello", *options)
        self.check_only()

    def test_a_format_whose_library_is_missing(self):
        os.mkdir(self.dir / "lib")
        (self.dir / "lib" / "libavcodec.so.59").touch()  # stands in front of one that is there
        self.env["LD_LIBRARY_PATH"] = str(self.dir / "lib")
        done = self.check_fails(2, "apt-get install libavcodec59", "say", "hello", "-o", "a.aac")
        self.assertIn("libavcodec.so.59", done.stderr)
        doctor = json.loads(self.run_kokoro("doctor", "--json").stdout)
        formats = {check["status"]: check["detail"] for check in doctor["checks"] if check["name"] == "formats"}
        self.assertEqual(formats["ok"], "mp3, opus, flac, wav, pcm")
        self.assertIn("libavcodec.so.59", formats["note"])
        self.check_only("lib")

    def test_text_must_be_given_once(self):
        self.check_fails(2, "no text", "say")
        self.check_fails(2, "no text", "phonemize")
        self.check_fails(2, "given twice", "say", "hello", "-f", "text")

    def test_text_that_cannot_be_spoken(self):
        self.check_fails(1, "empty", "say", "")
        self.check_fails(1, "empty", "say", "-", input=b" \n\t\r\n")
        self.check_fails(1, "not valid UTF-8 at byte 2", "say", "-", input=b"ab\xffcd")
        self.check_fails(1, "over the limit of 3 characters", "say", "four",
                         "--max-input-chars", "3")
        self.check_fails(1, "over the limit of 100000", "say", "-", input=b"a" * 100001)
        self.check_fails(1, "over the limit of 100000", "say", "-", input=b"a" * 5000000)

    def test_files_that_cannot_be_read_or_written(self):
        self.check_fails(1, "No such file", "say", "-f", "absent")
        self.check_fails(1, "Is a directory", "say", "-f", ".")
        self.check_fails(1, "Is a directory", "say", "hello", "-o", ".")
        self.check_fails(1, "No such file", "say", "hello", "-o", "absent/a.wav")
        self.check_only()

    def test_missing_data_names_the_way_to_it(self):
        for words in (("say", "hello", "-o", "a.wav"), ("voices",)):
            done = self.check_fails(1, "./run setup", *words)
            self.assertIn(str(self.dir), done.stderr)
        self.check_only()

    def test_a_benchmark_has_checked_options(self):
        self.check_fails(2, "takes no argument", "benchmark", "--kernels", "all")
        self.check_fails(2, "did you mean --kernels?", "benchmark", "--kernel")
        self.check_fails(2, "exclude each other", "benchmark", "--quick", "--comprehensive")
        self.check_fails(2, "exclude each other", "benchmark", "--enable-long-text",
                         "--disable-long-text")
        self.check_fails(2, "its own texts", "benchmark", "--text-file", "a", "--enable-long-text")
        self.check_fails(2, "give one of them", "benchmark", "--runs", "3",
                         "--consistency-runs", "3")
        for words in (("--warmup-runs", "-1"), ("--consistency-runs", "0"), ("--runs", "x")):
            self.check_fails(2, f"{words[0]} must be a whole number", "benchmark", *words)
        self.check_fails(1, "./run setup", "benchmark", "--quick")
        self.check_fails(2, "for kokoro benchmark alone", "benchmark-child")
        self.env["KOKORO_CPU_MASK"] = "sse9"
        self.check_fails(2, "KOKORO_CPU_MASK", "benchmark", "--kernels")
        self.assertNotIn("-child", self.run_kokoro("--help").stdout.decode())
        self.assertNotIn("--nice", self.run_kokoro("benchmark", "--help").stdout.decode())
        self.check_only()

    def test_pack_says_what_it_packs(self):
        self.check_fails(2, "voices, lexicon and model", "pack")
        self.check_fails(2, "cannot pack 'shoes'", "pack", "shoes")
        self.check_fails(2, "source directory", "pack", "voices")
        self.check_fails(1, "absent", "pack", "voices", "absent", "out.pack")
        self.check_fails(1, "absent", "pack", "lexicon", "absent", "out.pack")
        self.check_only()


class Settings(cli.Case):
    def test_dotenv_is_read_and_judged(self):
        (self.dir / ".env").write_text("KOKORO_PORT=x\n")
        self.check_fails(2, ".env line 1: KOKORO_PORT must be", "providers")
        (self.dir / ".env").write_text("KOKORO_MODEL=/x\n")
        done = self.run_kokoro("providers")
        self.assertIn(".env line 1: KOKORO_MODEL is ignored", done.stderr)
        self.assertEqual(done.returncode, 0)

    def test_a_damaged_dotenv_is_told(self):
        """One message; the command runs, and what other programs assign is no concern of ours."""
        dotenv, told = self.dir / ".env", "kokoro: .env is damaged: line 1 is no text in UTF-8;"
        for text, words in ((b"OTHER_TOOL=1\n\n# note\n", ""), (bytes(range(256)), told),
                            ("KOKORO_VOICE=af_sky\n".encode("utf-16"), told),
                            (b"<html>\n<body>\n", "kokoro: .env line 1 and 1 more are no assign"),
                            (b"A=1\nKOKORO_BENCHMARK_FREQUENC", "kokoro: .env line 2 is no ")):
            dotenv.write_bytes(text)
            done = self.run_kokoro("benchmark-frequency", "--show-current")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(done.stderr.startswith(words), done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1 if words else 0, done.stderr)

    def test_an_option_beats_the_environment(self):
        self.env["KOKORO_LOG_LEVEL"] = "loud"
        self.check_fails(2, "KOKORO_LOG_LEVEL in the environment", "providers")
        self.assertEqual(self.run_kokoro("--log-level", "debug", "providers").returncode, 0)

    def test_no_home(self):
        del self.env["HOME"]
        self.check_fails(2, "set KOKORO_HOME", "voices")


class Lists(cli.Case):
    def test_the_kernels_beside_their_peak(self):
        done = self.run_kokoro("benchmark", "--kernels", "--json", "--threads", "2")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        report = json.loads(done.stdout)
        self.assertEqual(report["threads"], 2)
        kernels = {figure["kernel"]: figure for figure in report["kernels"]}
        self.assertEqual(kernels["conv_pairs"]["unit"], "GMAC/s")
        self.assertGreater(kernels["conv_pairs"]["one_thread_of_peak"], 0)
        self.assertEqual(kernels["sin"]["unit"], "Gvalues/s")
        self.assertNotIn("one_thread_of_peak", kernels["sin"])

    def test_an_absent_provider_says_why(self):
        done = self.run_kokoro("providers", "--json")
        self.assertEqual(done.returncode, 0)
        known = {p["name"]: p for p in json.loads(done.stdout)}
        for name, help in (("onnxruntime", "./run setup"), ("openvino", "./run setup --with openvino")):
            self.assertFalse(known[name]["available"])
            self.assertIn(help, known[name]["reason"])
        self.assertIn(b"not available", self.run_kokoro("providers").stdout)

    def test_the_doctor_finds_what_is_missing(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            done = self.run_kokoro("doctor", "--json", "--port", str(taken.getsockname()[1]))
        self.assertEqual(done.returncode, 1)
        report = json.loads(done.stdout)
        checks = {check["name"]: check for check in report["checks"]}
        self.assertFalse(report["ok"])
        for name in ("model", "voices", "speech"):
            self.assertEqual(checks[name]["status"], "fail")
        self.assertEqual(checks["port"]["status"], "note")
        self.assertIn("setup", checks["model"]["remedy"])
        text = self.run_kokoro("doctor").stdout.decode()
        self.assertRegex(text, r"(?m)^FAIL +model ")
        self.check_only()


class Output(cli.Case):
    def test_a_full_or_closed_standard_output_is_told(self):
        if os.path.exists("/dev/full"):
            with open("/dev/full", "wb") as full:
                self.check_fails(1, "No space left", "--help", stdout=full)
        self.check_fails(1, "standard output", "--help", stdout=None,
                         preexec_fn=lambda: os.close(1))


if __name__ == "__main__":
    cli.main()

"""The provider native from outside: which kernels run, and its packed file in every state."""

import json
import os
import re
import resource
import signal
import struct
import subprocess
import time

import cli

HELLO = "həlˈO wˈɜɹld."
LEVELS = ("ref", "avx2", "avx512", "avx512bf16")
HEADER = 64  # of a packed file: magic, panel, rows, length, checksum, name


class Native(cli.Case):
    """Tests with a cache directory of their own."""

    needs_data = True

    def setUp(self):
        super().setUp()
        self.cache = self.dir / "cache"
        self.env["KOKORO_CACHE"] = str(self.cache)

    def say(self, *options, words="Yes.", **more):
        """Figures and samples of one sound; what was logged is in figures["log"]."""
        done = self.run_kokoro("say", words, *options, "--stats", "--format", "pcm", **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        log, _, line = done.stderr.rstrip("\n").rpartition("\n")
        self.check_sound(done.stdout)
        return {**json.loads(line), "log": log}, done.stdout

    def packed(self):
        """The one packed file; nothing half made lies beside it."""
        (path,) = (self.cache / "native").iterdir()
        self.assertEqual(path.suffix, ".pack")
        return path

    def instruction_set(self):
        done = self.run_kokoro("providers", "--json")
        (native,) = [p for p in json.loads(done.stdout) if p["name"] == "native"]
        self.assertTrue(native["available"])
        self.assertEqual((native["execution_providers"], native["reason"]), (["native"], ""))
        return native["version"]


class Kernels(Native):
    def test_the_instruction_set_is_shown_and_can_be_lowered(self):
        best = self.instruction_set()
        self.assertIn(f"available, version {best}: native",
                      self.run_kokoro("providers").stdout.decode())
        self.env["KOKORO_CPU_MASK"] = "ref"
        self.assertEqual(self.instruction_set(), "ref")
        if best not in LEVELS:
            return
        for mask in LEVELS:
            self.env["KOKORO_CPU_MASK"] = mask
            self.assertEqual(self.instruction_set(), min(best, mask, key=LEVELS.index))

    def test_an_unknown_instruction_set_is_refused(self):
        self.env["KOKORO_CPU_MASK"] = "sse4"
        for words in (("providers",), ("say", "hello", "-o", "a.wav")):
            self.check_fails(2, "KOKORO_CPU_MASK in the environment must be one of ref, avx2, "
                             "avx512, avx512bf16, neon, not 'sse4'", *words)
        self.check_only()

    def test_each_level_speaks(self):
        whole, samples = self.say(words="Hello world.")
        self.assertEqual(whole["provider"], "native")
        for mask in LEVELS[1:]:
            self.env["KOKORO_CPU_MASK"] = mask
            has_bf16 = self.instruction_set() == "avx512bf16"
            figures, lowered = self.say(words="Hello world.")
            self.assertEqual(figures["precision"], "bf16" if has_bf16 else "f32")
            self.assertEqual(len(lowered), len(samples))
            self.assertEqual(figures["log"], "")

    def test_precision(self):
        figures, samples = self.say()
        self.env["KOKORO_PRECISION"] = "f32"
        exact, theirs = self.say()
        self.assertEqual(exact["precision"], "f32")
        self.assertEqual(len(theirs), len(samples))
        self.assertEqual(theirs == samples, figures["precision"] == "f32")
        self.assertEqual(self.say("--precision", "auto")[1], samples)
        self.env["KOKORO_PRECISION"] = "int4"
        self.check_fails(2, "KOKORO_PRECISION in the environment must be one of auto, f32, bf16, "
                         "not 'int4'", "providers")
        self.env["KOKORO_PRECISION"] = "bf16"
        self.env["KOKORO_CPU_MASK"] = "ref"
        self.check_fails(1, "use auto or f32", "say", "hello", "--provider", "native")


class PackedFile(Native):
    def test_it_is_made_once(self):
        first, samples = self.say()
        self.assertGreater(first["pack_ms"], 0)
        self.assertGreaterEqual(first["load_ms"], first["pack_ms"])
        path = self.packed()
        before = path.stat()
        second, again = self.say()
        self.assertEqual((second["pack_ms"], second["log"]), (0, ""))
        self.assertEqual(again, samples)
        self.assertEqual(path.stat().st_ino, before.st_ino)

    def test_set_up_makes_it(self):
        self.assertEqual(self.run_kokoro("pack", "model").returncode, 0)
        self.packed()
        self.assertEqual(self.say()[0]["pack_ms"], 0)

    def test_damage_is_told_and_mended(self):
        _, samples = self.say()
        path = self.packed()
        whole = path.read_bytes()

        def put(at, text):
            return whole[:at] + text + whole[at + len(text):]

        middle = len(whole) // 2
        for what, damaged in {
                "half": whole[:middle],
                "a head": whole[:HEADER],
                "less than a head": whole[:10],
                "nothing": b"",
                "one byte more": whole + b"\0",
                "another magic": put(0, b"KKPACK\0\0"),
                "another panel": put(8, struct.pack("<Q", 32)),
                "a changed byte": put(middle, bytes([whole[middle] ^ 1])),
                "a changed last byte": put(len(whole) - 1, bytes([whole[-1] ^ 128])),
                "a changed table": put(HEADER + 8, struct.pack("<Q", len(whole))),
                "another file": b"RIFF....WAVEfmt " * 1000}.items():
            with self.subTest(what):
                path.write_bytes(damaged)
                figures, again = self.say()
                self.assertIn("it is made anew", figures["log"])
                self.assertIn(str(path), figures["log"])
                self.assertGreater(figures["pack_ms"], 0)
                self.assertEqual(again, samples)
                self.assertEqual(self.packed().read_bytes(), whole)
        self.assertEqual(self.say()[0]["pack_ms"], 0)

    def test_that_of_another_model_or_instruction_set_is_not_taken(self):
        os.symlink(self.env["KOKORO_HOME"] + "/model/kokoro-v1.0.int8.onnx", self.dir / "same.onnx")
        self.say()
        path = self.packed()
        other = path.read_bytes()
        path.unlink()
        (self.dir / "other.onnx").write_bytes((self.dir / "same.onnx").read_bytes())
        self.say("--model", "other.onnx")
        mine = self.packed()
        self.assertNotEqual(mine.name, path.name)
        mine.write_bytes(other)
        figures, _ = self.say("--model", "other.onnx")
        self.assertIn("of another model; it is made anew", figures["log"])
        self.assertEqual(self.say("--model", "other.onnx")[0]["pack_ms"], 0)

    def test_without_a_place_for_it(self):
        _, samples = self.say()
        name = self.packed().name
        (self.dir / "file").write_text("")
        (self.dir / "taken" / "native" / name / "x").mkdir(parents=True)
        places = ["/proc/no-such-place", str(self.dir / "file"), str(self.dir / "taken")]
        if os.geteuid() != 0:  # whom no mode of a directory keeps out
            (self.dir / "locked").mkdir(mode=0o500)
            places.append(str(self.dir / "locked"))
        for place in places:
            with self.subTest(place):
                self.env["KOKORO_CACHE"] = place
                figures, again = self.say()
                self.assertIn("the packed model is not kept", figures["log"])
                self.assertEqual(again, samples)
        self.assertEqual(os.listdir(self.dir / "taken" / "native"), [name])

    def test_a_disk_that_fills_up(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        figures, samples = self.say(preexec_fn=limit)
        self.assertIn("the packed model is not kept: cannot write", figures["log"])
        self.assertEqual(os.listdir(self.cache / "native"), [])
        self.assertEqual(self.say()[1], samples)

    def start(self):
        return subprocess.Popen([cli.PROGRAM, "say", "Yes.", "--format", "pcm"], cwd=self.dir,
                                env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_two_at_once(self):
        both = [self.start(), self.start()]
        ends = [process.communicate(timeout=300) for process in both]
        self.assertEqual([process.returncode for process in both], [0, 0])
        self.assertEqual(ends[0], ends[1])
        self.assertEqual(ends[0][1], b"")
        self.packed()
        figures, samples = self.say()
        self.assertEqual((figures["pack_ms"], figures["log"]), (0, ""))
        self.assertEqual(samples, ends[0][0])

    def test_killed_while_it_is_written(self):
        folder = self.cache / "native"
        left = []
        for _ in range(20):  # until one was killed between creating the file and renaming it
            with self.start() as process:
                while process.poll() is None and not (folder.exists() and os.listdir(folder)):
                    time.sleep(0.001)
                process.kill()
            left = os.listdir(folder)
            if left and left[0].endswith(".tmp"):
                break
            for name in left:
                (folder / name).unlink()
        (name,) = left
        self.assertRegex(name, r"^[0-9a-f]{16}\.pack\.\d+\.\d+\.tmp$")
        figures, _ = self.say()
        self.assertGreater(figures["pack_ms"], 0)
        self.assertEqual(figures["log"], "")
        self.assertEqual(self.say()[0]["pack_ms"], 0)
        # It may be another process's that still writes; an hour later it is not.
        self.assertIn(name, os.listdir(folder))
        (path,) = folder.glob("*.pack")
        path.write_bytes(b"damaged")
        os.utime(folder / name, (time.time() - 7200,) * 2)
        self.say()
        self.packed()


class Models(Native):
    """The published model with some names exchanged everywhere: another runtime computes the same
    with it, but who looks for a weight by its name finds another or none."""

    def write_model(self, *exchanges):
        with open(self.env["KOKORO_HOME"] + "/model/kokoro-v1.0.int8.onnx", "rb") as file:
            model = file.read()
        for a, b in exchanges:
            self.assertEqual(len(a), len(b))
            self.assertIn(a, model)
            names = {a: b, b: a}
            model = re.sub(re.escape(a) + b"|" + re.escape(b), lambda m: names[m[0]], model)
        (self.dir / "other.onnx").write_bytes(model)

    def check_refused(self, *words):
        """By name it is an error with these words; auto says them and takes the runtime."""
        done = self.check_fails(1, words[0], "say", "Yes.", "--model", "other.onnx",
                                "--provider", "native")
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertFalse(list((self.cache / "native").iterdir()))
        figures, samples = self.say("--model", "other.onnx")
        self.assertEqual(figures["provider"], "onnxruntime")
        self.assertIn("provider native: ", figures["log"])
        for word in words:
            self.assertIn(word, figures["log"])
        self.assertEqual(self.say("--provider", "onnxruntime")[1], samples)

    def test_a_missing_node_is_named(self):
        self.write_model((b"/cnn.1.0/Conv", b"/cnn.1.0/Kong"))
        self.check_refused("the model has no node /encoder/text_encoder/cnn.1/cnn.1.0/Conv")

    def test_a_missing_tensor_is_named(self):
        self.write_model((b"encoder.bert_encoder.bias", b"encoder.bert_encoder.bent"))
        self.check_refused("the model has no tensor encoder.bert_encoder.bias")

    def test_a_wrong_shape_is_shown_beside_the_right_one(self):
        self.write_model((b"/decoder/decoder/generator/resblocks.0/convs1.0/Conv",
                          b"/decoder/decoder/generator/resblocks.3/convs1.0/Conv"))
        self.check_refused("/decoder/decoder/generator/resblocks.0/convs1.0/Conv",
                           "has the shape [128, 128, 3], not [256, 256, 3]")

    def test_another_dilation_is_shown_beside_the_right_one(self):
        self.write_model((b"/decoder/decoder/generator/resblocks.4/convs1.0/Conv",
                          b"/decoder/decoder/generator/resblocks.4/convs1.1/Conv"))
        self.check_refused("node /decoder/decoder/generator/resblocks.4/convs1.0/Conv has dilations 3, not 1")

    def test_a_wrong_size_is_shown_beside_the_right_one(self):
        self.write_model((b"decoder.decoder.generator.resblocks.0.alpha1.0",
                          b"decoder.decoder.generator.resblocks.3.alpha1.0"))
        self.check_refused("tensor decoder.decoder.generator.resblocks.0.alpha1.0 has 128 values, "
                           "not 256")


if __name__ == "__main__":
    cli.main()

"""What the command-line tests share: the program run from outside, in a directory of its own."""

import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "kokoro"
NEEDED = ("model/kokoro-v1.0.int8.onnx", "voices/voices.pack", "lexicon/english.pack",
          "lib/libonnxruntime.so")


def data_home():
    """The data directory, as the program finds it; None where a file of it is missing."""
    share = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    home = os.path.abspath(os.environ.get("KOKORO_HOME") or os.path.join(share, "kokoro"))
    return home if all(os.path.exists(os.path.join(home, name)) for name in NEEDED) else None


class Case(unittest.TestCase):
    """A test with an empty working directory and an environment without settings."""

    needs_data = False

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kokoro-cli-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("KOKORO_") and k != "XDG_DATA_HOME"}
        self.env["HOME"] = str(self.dir)
        if self.needs_data:
            home = data_home()
            if home is None and "KOKORO_REQUIRE_DATA" in os.environ:
                self.fail("the fetched data is missing")
            if home is None:
                self.skipTest("the fetched data is missing")
            self.env["KOKORO_HOME"] = home

    def run_kokoro(self, *arguments, input=b"", **options):
        """The finished program, with stdout as bytes and stderr as text."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("env", self.env)
        if "stdin" not in options:
            options["input"] = input
        done = subprocess.run([PROGRAM, *arguments], cwd=self.dir, stderr=subprocess.PIPE,
                              timeout=300, check=False, **options)
        done.stderr = done.stderr.decode()
        self.assertNotIn("Sanitizer", done.stderr)
        return done

    def check_fails(self, status, words, *arguments, **options):
        """The program ends with `status` and one message that has `words` in it."""
        done = self.run_kokoro(*arguments, **options)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertTrue(done.stderr.startswith("kokoro: "), done.stderr)
        self.assertIn(words, done.stderr)
        return done

    def check_sound(self, samples):
        """16-bit samples that are no silence and not all at the limits."""
        peak = max(abs(value) for (value,) in struct.iter_unpack("<h", samples))
        self.assertGreater(peak, 1000)
        self.assertLess(peak, 32767)

    def check_only(self, *names):
        """Nothing else lies in the working directory: no partial file was left."""
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), sorted(names))


def main():
    """Run the tests; status 77, which ctest shows as skipped, when every one was."""
    result = unittest.main(argv=sys.argv[:1] + sys.argv[2:], exit=False, verbosity=2).result
    if not result.wasSuccessful() or result.testsRun == 0:
        sys.exit(1)
    sys.exit(77 if len(result.skipped) == result.testsRun else 0)

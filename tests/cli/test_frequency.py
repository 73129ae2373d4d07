"""`kokoro benchmark-frequency`: shown, set by an option, and asked for on a terminal."""

import json
import os
import pty
import select
import subprocess
import time
import unittest

import cli
import record

VARIABLE = "KOKORO_BENCHMARK_FREQUENCY"


class Frequency(cli.Case):
    def setUp(self):
        super().setUp()
        self.dotenv = self.dir / ".env"
        self.env["KOKORO_CACHE"] = str(self.dir / "cache")

    def frequency(self, *options, **env):
        done = self.run_kokoro("benchmark-frequency", *options, env={**self.env, **env})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def on_terminal(self, *answers, wait_for=": "):
        """Answers given one by one at a terminal, each when a question stands there."""
        main, other = pty.openpty()
        process = subprocess.Popen([cli.PROGRAM, "benchmark-frequency"], cwd=self.dir, env=self.env,
                                   stdin=other, stdout=other, stderr=other, start_new_session=True)
        os.close(other)
        self.addCleanup(os.close, main)
        shown, left, end = b"", list(answers), time.monotonic() + 60
        asked = 0
        while time.monotonic() < end:
            if select.select([main], [], [], 0.05)[0]:
                try:
                    shown += os.read(main, 65536)
                except OSError:  # the other end is closed: it has ended
                    break
            elif process.poll() is not None:
                break
            elif left and shown[asked:].rstrip(b"\r").endswith(wait_for.encode()):
                asked = len(shown)
                os.write(main, left.pop(0).encode())
        self.assertEqual(left, [])
        return process.wait(timeout=60), shown.decode()

    def test_set_by_an_option(self):
        for word, stored in (("daily", "daily"), ("Weekly", "weekly"), ("monthly", "monthly"),
                             ("manual", "manually"), ("manually", "manually")):
            self.dotenv.write_text(f"# mine\nexport {VARIABLE}='x' # why\nA=1")
            done = self.frequency("--frequency", word)
            self.assertEqual(self.dotenv.read_text(),
                             f"# mine\nexport {VARIABLE}={stored} # why\nA=1\n")
            self.assertIn(stored, done.stdout.decode())
        self.check_only(".env")

    def test_made_where_there_is_none(self):
        done = self.frequency("--frequency=monthly", "--json")
        self.assertEqual(json.loads(done.stdout)["frequency"], "monthly")
        self.assertEqual(self.dotenv.read_text(), f"{VARIABLE}=monthly\n")

    def test_unknown_frequency(self):
        self.dotenv.write_text("A=1\n")
        done = self.check_fails(2, "daily, weekly, monthly, manual", "benchmark-frequency",
                                "--frequency", "hourly")
        self.assertIn("'hourly'", done.stderr)
        self.assertEqual(self.dotenv.read_text(), "A=1\n")
        self.check_fails(2, "needs a value", "benchmark-frequency", "--frequency")
        self.check_fails(2, "two commands", "benchmark-frequency", "--frequency", "daily",
                         "--show-current")
        self.check_fails(2, "'weekly'", "benchmark-frequency", "weekly")

    def test_a_failure_is_a_document_too(self):
        for words in (("--frequency", "hourly"), ("--frequency",), ("weekly",), (),
                      ("--show-current", "--frequency", "daily"), ("--colour",)):
            done = self.run_kokoro("benchmark-frequency", "--json", *words)
            self.assertEqual(done.returncode, 2)
            document = json.loads(done.stdout)
            self.assertEqual((document["success"], document["error"]),
                             (False, done.stderr.removeprefix("kokoro: ").rstrip("\n")))
        self.dotenv.mkdir()
        done = self.run_kokoro("benchmark-frequency", "--frequency", "daily", "--json")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not a regular file", json.loads(done.stdout)["error"])

    def test_a_wrong_one_is_mended(self):
        self.dotenv.write_text(f"{VARIABLE}=hourly\n")
        self.check_fails(2, "hourly", "benchmark-frequency", "--show-current")
        self.frequency("--frequency", "weekly")
        self.assertEqual(self.dotenv.read_text(), f"{VARIABLE}=weekly\n")
        self.frequency("--show-current")

    def test_a_wrong_one_is_mended_answer_by_answer(self):
        self.dotenv.write_text(f"A=1\n{VARIABLE}=hourly # often\n")
        status, shown = self.on_terminal("2\n", "y\n")
        self.assertEqual(status, 0, shown)
        self.assertIn(f".env line 2: {VARIABLE} must be one of daily", shown)
        self.assertIn("'hourly'", shown)
        self.assertNotIn("now set", shown)
        self.assertEqual(self.dotenv.read_text(), f"A=1\n{VARIABLE}=weekly # often\n")
        # One in the environment is told too, and that it goes before .env.
        self.env[VARIABLE] = "hourly"
        status, shown = self.on_terminal("1\n", "y\n")
        self.assertEqual(status, 0, shown)
        self.assertIn("in the environment must be one of", shown)
        self.assertIn("goes before .env", shown)
        self.assertEqual(self.dotenv.read_text(), f"A=1\n{VARIABLE}=daily # often\n")
        # Another wrong setting is none that this command mends.
        del self.env[VARIABLE]
        self.dotenv.write_text(f"KOKORO_THREADS=many\n{VARIABLE}=hourly\n")
        self.check_fails(2, "KOKORO_THREADS", "benchmark-frequency")

    def test_what_cannot_be_written(self):
        self.dotenv.mkdir()
        self.check_fails(1, "not a regular file", "benchmark-frequency", "--frequency", "daily")
        self.dotenv.rmdir()
        if os.geteuid() != 0:
            self.dir.chmod(0o500)
            self.addCleanup(self.dir.chmod, 0o700)
            self.check_fails(1, ".env", "benchmark-frequency", "--frequency", "daily")

    def test_exported_variable_overrides(self):
        done = self.frequency("--frequency", "monthly", **{VARIABLE: "daily"})
        self.assertIn(f"{VARIABLE}=daily", done.stderr)
        done = self.frequency("--frequency", "daily", **{VARIABLE: "daily"})
        self.assertEqual(done.stderr, "")
        done = self.frequency("--show-current", "--json", **{VARIABLE: "weekly"})
        shown = json.loads(done.stdout)
        self.assertEqual((shown["frequency"], shown["environment_variable"]), ("weekly", "weekly"))

    def test_show_current(self):
        text = self.frequency("--show-current").stdout.decode()
        for words in ("weekly", "168 hours (7 days)", "Not set", "no record yet", "record.json"):
            self.assertIn(words, text)
        record.write(self.dir / "cache", record.record(3600.0))
        self.dotenv.write_text(f"{VARIABLE}=monthly\nKOKORO_DEVELOPMENT_MODE=true\n")
        text = self.frequency("--show-current").stdout.decode()
        for words in ("monthly (from ./.env)", "1440 hours (60 days)", "development mode", "valid",
                      "1.0 hours", "native bf16, 2 threads"):
            self.assertIn(words, text)
        shown = json.loads(self.frequency("--show-current", "--json").stdout)
        self.assertEqual(shown["cache_duration_days"], 60.0)
        self.assertEqual(shown["cache"]["recommended_provider"], "native")
        self.assertIsNone(shown["environment_variable"])
        self.dotenv.write_text(f"{VARIABLE}=manual\n")
        shown = json.loads(self.frequency("--show-current", "--json").stdout)
        self.assertEqual(shown["frequency"], "manually")
        self.assertIsNone(shown["cache_duration_hours"])

    def test_on_a_terminal(self):
        for answer, stored in (("1\n", "daily"), ("2\n", "weekly"), ("3\n", "monthly"),
                               ("4\n", "manually"), ("manual\n", "manually")):
            status, shown = self.on_terminal(answer, "y\n")
            self.assertEqual(status, 0)
            self.assertEqual(self.dotenv.read_text(), f"{VARIABLE}={stored}\n")
        for words in ("24 hours", "7 days", "30 days", "Start-up:", "Battery:", "Suits:",
                      "recommended", "Recommended here:", "now set"):
            self.assertIn(words, shown)

    def test_development_mode_is_advised_daily(self):
        self.env["KOKORO_DEVELOPMENT_MODE"] = "true"
        status, shown = self.on_terminal("0\n")
        self.assertEqual(status, 0)
        self.assertIn("Recommended here: daily", shown)

    def test_wrong_answers_are_asked_again(self):
        status, _ = self.on_terminal("5\n", "-1\n", "x\n", "\n", "2.0\n", "3\n", "perhaps\n", "YES\n",
                                     wait_for=": ")
        self.assertEqual(status, 0)
        self.assertEqual(self.dotenv.read_text(), f"{VARIABLE}=monthly\n")

    def test_cancelled(self):
        self.dotenv.write_text("A=1")
        for answers in (("0\n",), ("2\n", "n\n"), ("\x04",), ("2\n", "\x04"), ("3\n", "no\n")):
            status, shown = self.on_terminal(*answers)
            self.assertEqual(status, 0, shown)
            self.assertIn("Nothing was changed", shown)
            self.assertEqual(self.dotenv.read_text(), "A=1")

    def test_without_a_terminal(self):
        done = self.frequency()  # an empty standard input
        self.assertIn("Nothing was changed", done.stdout.decode())
        self.check_only()
        done = self.run_kokoro("benchmark-frequency", stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0)
        self.check_only()


if __name__ == "__main__":
    cli.main()

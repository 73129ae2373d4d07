"""`kokoro benchmark-cache`: state, removal, renewal and contents of the benchmark's record."""

import fcntl
import json
import os
import shutil
import subprocess
import unittest

import cli
import record

DAY = 86400.0
EXTENDED = {"KOKORO_DEVELOPMENT_MODE": "true"}


class Cache(cli.Case):
    def setUp(self):
        super().setUp()
        self.cache = self.dir / "cache"
        self.env["KOKORO_CACHE"] = str(self.cache)

    def ask(self, *options, **env):
        done = self.run_kokoro("benchmark-cache", "--json", *options, env={**self.env, **env})
        return done.returncode, json.loads(done.stdout)

    def text(self, *options, **env):
        done = self.run_kokoro("benchmark-cache", *options, env={**self.env, **env})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def state(self, **env):
        code, document = self.ask("--status", **env)
        self.assertEqual(code, 0)
        return document["status"]

    def test_without_a_record(self):
        self.assertEqual(self.state()["state"], "missing")
        text = self.text()
        for words in ("weekly", "168 hours (7 days)", "Development mode: no", "missing",
                      "30 seconds", str(self.cache)):
            self.assertIn(words, text)
        self.assertFalse(self.cache.exists(), "to look makes nothing")

    def test_status_of_a_record(self):
        record.write(self.cache, record.record(age_s=2 * DAY))
        state = self.state()
        self.assertEqual(state["state"], "valid")
        self.assertAlmostEqual(state["age_hours"], 48.0, delta=0.1)
        self.assertAlmostEqual(state["expires_in_hours"], 120.0, delta=0.1)
        self.assertEqual(state["recommended_provider"], "native bf16, 2 threads")
        self.assertEqual(state["benchmark_results"]["native bf16, 2 threads"], 0.412)
        self.assertEqual(state["configuration"]["cache_duration_days"], 7.0)
        text = self.text()
        for words in ("valid", "48.0 hours (2.0 days)", "120.0 hours", "0.412 s", "1.875 s",
                      "Next benchmark:", "4.6 times", "prolongs"):
            self.assertIn(words, text)

    def test_every_frequency(self):
        for frequency, days, extended in (("daily", 1, 7), ("weekly", 7, 14), ("monthly", 30, 60)):
            for env, period in (({}, days), (EXTENDED, extended),
                                ({"KOKORO_FAST_STARTUP": "1"}, extended)):
                env = {**env, "KOKORO_BENCHMARK_FREQUENCY": frequency}
                for age, used, want in ((period - 0.01, 0, "valid"), (period + 0.01, 0, "expired"),
                                        (1.5 * period, period, "valid"),
                                        (3.9 * period, 3.5 * period, "valid"),
                                        (4.1 * period, 4.0 * period, "expired"),
                                        (-400.0, 0, "valid")):
                    record.write(self.cache, record.record(age * DAY, used * DAY))
                    state = self.state(**env)
                    self.assertEqual(state["state"], want, (frequency, env, age))
                    self.assertGreaterEqual(state["age_hours"], 0.0)
        record.write(self.cache, record.record(2000 * DAY))
        state = self.state(KOKORO_BENCHMARK_FREQUENCY="manual")
        self.assertEqual(state["state"], "valid")
        self.assertIsNone(state["expires_in_hours"])
        self.assertIsNone(state["next_benchmark"])
        self.assertIn("until you ask", self.text(KOKORO_BENCHMARK_FREQUENCY="manually"))

    def test_expired_says_since_when(self):
        record.write(self.cache, record.record(8 * DAY))
        self.assertIn("24.0 hours ago", self.text())
        self.assertIn("Next benchmark:   due", self.text())

    def test_damaged(self):
        good = json.dumps(record.record()).encode()
        for contents in (b"", b"\x00" * 64, good[:-20], b"[]", good.replace(b"native", b"nat/ive"),
                         json.dumps({"recommended_provider": "CPUExecutionProvider",
                                     "benchmark_date": 1.0, "current_provider": "x",
                                     "benchmark_results": {}}).encode()):
            path = record.write(self.cache, contents)
            state = self.state()
            self.assertEqual(state["state"], "damaged")
            self.assertIn("record.json", state["problem"])
            self.assertIn("damaged", self.text("--inspect"))
            self.assertEqual(path.read_bytes(), contents, "to look changes nothing")

    def test_clear(self):
        path = record.write(self.cache, record.record())
        code, document = self.ask("--clear")
        self.assertEqual(code, 0)
        self.assertTrue(document["clear"]["removed"])
        self.assertFalse(path.exists())
        code, document = self.ask("--clear")
        self.assertEqual(code, 0)
        self.assertFalse(document["clear"]["removed"])
        self.assertIn("nothing was to be removed", self.text("--clear"))

    def test_clear_fails(self):
        path = record.write(self.cache, record.record())
        path.unlink()
        path.mkdir()
        code, document = self.ask("--clear")
        self.assertEqual(code, 1)
        self.assertFalse(document["clear"]["success"])
        self.assertIn("record.json", document["clear"]["error"])
        self.check_fails(1, "record.json", "benchmark-cache", "--clear")

    def test_order_of_the_parts(self):
        record.write(self.cache, record.record())
        code, document = self.ask("--inspect", "--clear", "--status")
        self.assertEqual(code, 0)
        self.assertEqual(list(document), ["status", "clear", "inspect"])
        self.assertEqual(document["status"]["state"], "valid")
        self.assertFalse(document["inspect"]["exists"])

    def test_inspect(self):
        path = record.write(self.cache, {**record.record(), "colour": ["blue"]})
        code, document = self.ask("--inspect")
        self.assertEqual(code, 0)
        self.assertEqual(document["inspect"]["contents"], json.loads(path.read_text()))
        self.assertEqual(document["inspect"]["size_bytes"], path.stat().st_size)
        text = self.text("--inspect")
        for words in (str(path), "recommended_provider: native", "colour:", "1: blue",
                      "native bf16, 2 threads: 0.412", "hardware: ?"):
            self.assertIn(words, text)
        self.assertRegex(text, r"benchmark_date: \d+\.\d+ \(20\d\d-")

    def test_nothing_in_a_record_steers_the_terminal(self):
        bell = "\x1b]0;title\x07\x9b31m\x7f\r"
        good = record.record()
        for contents in ({**good, "reason": bell}, {**good, "mode": bell[:4]}, {**good, bell: [{bell: bell}]},
                         {**good, "recommended_provider": bell[:6]}, {**good, "format": bell}):
            record.write(self.cache, contents)
            text = self.text("--inspect", "--status") + \
                self.run_kokoro("benchmark-frequency", "--show-current").stdout.decode()
            self.assertFalse([c for c in text if c != "\n" and (c < " " or "\x7f" <= c < "\xa0")], text)
        self.assertIn("?]0;title", text)
        record.write(self.cache, b'{"format": \x1b[31m}')
        self.assertNotIn("\x1b", self.text("--inspect", "--status"))

    def test_who_measures_now(self):
        path = record.write(self.cache, record.record())
        lock = path.parent / "lock"
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            held.write(f"{os.getpid()}\n")
            held.flush()
            self.assertEqual(self.state()["running_process"], os.getpid())
            self.assertIn(f"in process {os.getpid()}", self.text())
        self.assertEqual(self.state()["running_process"], 0)

    def test_force_without_a_model(self):
        path = record.write(self.cache, record.record())
        before = path.read_bytes()
        self.env["KOKORO_HOME"] = str(self.dir / "none")
        done = self.run_kokoro("benchmark-cache", "--force-benchmark", "--json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout), {"force_benchmark": {
            "success": False, "failed": [],
            "error": f"the benchmark failed: there is no model {self.dir}/none/model/kokoro-v1.0.int8.onnx; "
                     "kokoro doctor tells what is missing, and ./run setup fetches it"}})
        self.assertIn("there is no model", done.stderr)
        self.assertEqual(path.read_bytes(), before)

    def test_force_for_one_command_alone(self):
        path = record.write(self.cache, record.record())
        before = path.read_bytes()
        for option in ("--threads=1", "--model=x.onnx", "--ort-library=x.so"):
            code, document = self.ask("--force-benchmark", option)
            self.assertEqual(code, 2)
            self.assertIn(option.split("=")[0], document["force_benchmark"]["error"])
        self.assertEqual(path.read_bytes(), before)

    def test_a_server_that_may_not_measure_has_no_next_benchmark(self):
        record.write(self.cache, record.record())
        self.env["KOKORO_SKIP_BENCHMARKING"] = "true"
        self.assertIsNone(self.state()["next_benchmark"])
        self.assertRegex(self.text(), "Next benchmark: .*KOKORO_SKIP_BENCHMARKING turns the "
                                      "server's own off")

    def test_usage(self):
        self.check_fails(2, "--clear", "benchmark-cache", "--cleer")
        self.check_fails(2, "'now'", "benchmark-cache", "now")


class RealCache(cli.Case):
    """With the model: a real benchmark, then what the program makes of its record."""

    needs_data = True

    def test_force_while_another_measures(self):
        self.env["KOKORO_CACHE"] = str(self.dir / "cache")
        path = record.write(self.dir / "cache", record.record())
        before = path.read_bytes()
        with (path.parent / "lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            held.write(f"{os.getpid()}\n")
            held.flush()
            done = self.run_kokoro("benchmark-cache", "--force-benchmark")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"process {os.getpid()}", done.stderr)
        self.assertEqual(path.read_bytes(), before)

    def test_a_provider_that_fails_keeps_no_other_from_the_record(self):
        self.env["KOKORO_CACHE"] = str(self.dir / "cache")
        self.env["KOKORO_OPENVINO_LIBRARY"] = str(self.dir / "none.so")
        # A library that can tell its version, and no more than that.
        compiler = shutil.which("cc")
        if compiler is None:
            self.skipTest("no compiler")
        real = os.path.join(self.env["KOKORO_HOME"], "lib", "libonnxruntime.so")
        library, source = self.dir / "libonnxruntime.so", self.dir / "library.c"
        source.write_text("""
            #include <dlfcn.h>
            #include <stdlib.h>
            #include <sys/stat.h>
            const void *OrtGetApiBase(void)
            {
                struct stat st;
                if (fstat(3, &st) == 0 && S_ISREG(st.st_mode))
                    abort();
                return ((const void *(*)(void))dlsym(dlopen(REAL, RTLD_NOW), "OrtGetApiBase"))();
            }""")
        subprocess.run([compiler, "-shared", "-fPIC", f'-DREAL="{real}"', "-o", library, source,
                        "-ldl"], check=True)
        self.env["KOKORO_ORT_LIBRARY"] = str(library)
        (self.dir / "cache" / "ort").mkdir(parents=True)  # so that it is expected to load quickly
        (self.dir / "cache" / "ort" / "some.ort").write_bytes(b"")
        done = self.run_kokoro("benchmark-cache", "--force-benchmark", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        forced = json.loads(done.stdout)["force_benchmark"]
        self.assertIs(forced["success"], True)
        if not forced["failed"]:
            self.skipTest("the machine is too busy to get to ONNX Runtime")
        (failed,) = forced["failed"]
        self.assertEqual(failed["provider"], "onnxruntime")
        self.assertIn("signal 6", failed["error"])
        self.assertIn("onnxruntime", done.stderr)

    def test_a_record_that_cannot_be_stored_is_the_cause(self):
        self.env["KOKORO_CACHE"] = str(self.dir / "cache")
        for name in ("KOKORO_ORT_LIBRARY", "KOKORO_OPENVINO_LIBRARY"):  # native alone is quicker
            self.env[name] = str(self.dir / "none.so")
        (self.dir / "cache" / "benchmark" / "record.json" / "full").mkdir(parents=True)
        done = self.run_kokoro("benchmark-cache", "--force-benchmark", "--json")
        self.assertEqual(done.returncode, 1, done.stderr)
        forced = json.loads(done.stdout)["force_benchmark"]
        self.assertIs(forced["success"], False)
        self.assertRegex(forced["error"], "^the benchmark failed: .*record.json")

    def test_a_benchmark_and_its_use(self):
        self.env["KOKORO_CACHE"] = str(self.dir / "cache")
        for name in ("KOKORO_ORT_LIBRARY", "KOKORO_OPENVINO_LIBRARY"):  # native alone is quicker
            self.env[name] = str(self.dir / "none.so")
        done = self.run_kokoro("benchmark-cache", "--force-benchmark", "--json", "--inspect")
        self.assertEqual(done.returncode, 0, done.stderr)
        document = json.loads(done.stdout)
        forced, contents = document["force_benchmark"], document["inspect"]["contents"]
        self.assertTrue(forced["success"])
        self.assertIn(contents["recommended_provider"], forced["recommended_provider"])
        self.assertGreater(forced["slowest_seconds"], 0.0)
        self.assertGreaterEqual(forced["slowest_seconds"], forced["fastest_seconds"])
        self.assertIsNone(contents["current_provider"])
        self.assertNotIn("", contents["fingerprint"].values())

        def state():
            done = self.run_kokoro("benchmark-cache", "--json")
            return json.loads(done.stdout)["status"]

        self.assertEqual(state()["state"], "valid")
        said = self.run_kokoro("say", "-o", "a.wav", "--phonemes", "a")
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertEqual(state()["current_provider"], forced["recommended_provider"])
        # Another instruction set: what was measured says nothing there, and nothing prolongs it.
        self.env["KOKORO_CPU_MASK"] = "avx2" if contents["fingerprint"]["instruction_set"] != "avx2" \
            else "ref"
        self.assertEqual((state()["state"], state()["changed"]), ("changed", "instruction set"))
        text = self.run_kokoro("benchmark-cache").stdout.decode()
        self.assertIn("another instruction set", text)
        self.assertIn("Next benchmark:   due", text)  # it has no period any more
        self.assertNotIn("Expires in", text)
        doctor = json.loads(self.run_kokoro("doctor", "--json", "--port", "0").stdout)
        notes = {check["name"]: check["detail"] for check in doctor["checks"]}
        self.assertIn("another instruction set", notes["benchmark"])


if __name__ == "__main__":
    cli.main()

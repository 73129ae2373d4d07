"""`kokoro benchmark`: real runs, short ones; each option changes the run; what stops it leaves nothing."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import cli
import record

TEXT = "Good day."


class Benchmark(cli.Case):
    needs_data = True

    @classmethod
    def setUpClass(cls):
        # Packing a model takes seconds, and is not what is tested: once for all.
        cls.cache = pathlib.Path(tempfile.mkdtemp(prefix="kokoro-cli-"))
        cls.addClassCleanup(shutil.rmtree, cls.cache)

    def setUp(self):
        super().setUp()
        # The history is KOKORO_HOME's: a home of links to the data and with nothing else in it.
        data = pathlib.Path(self.env["KOKORO_HOME"])
        self.home = self.dir / "home"
        self.home.mkdir()
        for name in ("model", "voices", "lexicon", "lib"):
            (self.home / name).symlink_to(data / name)
        self.env["KOKORO_HOME"] = str(self.home)
        shutil.rmtree(self.cache / "benchmark", ignore_errors=True)
        self.env["KOKORO_CACHE"] = str(self.cache)
        (self.dir / "text").write_text(TEXT + "\n")
        self.work = self.dir / "work"
        self.work.mkdir()

    def benchmark(self, *words, **options):
        """One way on one short text, unless the words say else."""
        self.dir, kept = self.work, self.dir
        try:
            return self.run_kokoro("benchmark", *words, **options)
        finally:
            self.dir = kept

    def short(self, *words, provider="native", **options):
        return self.benchmark("--quick", "--provider", provider, "--text-file",
                              str(self.dir / "text"), *words, **options)

    def start(self, *words, **options):
        return subprocess.Popen([cli.PROGRAM, "benchmark", *words], cwd=self.work, env=self.env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **options)

    def steps(self, done, kind):
        return [line for line in done.stderr.splitlines() if f" s  {kind} " in line]

    def names(self):
        return sorted(path.name for path in self.work.iterdir())

    def record(self):
        return self.cache / "benchmark" / "record.json"

    def children(self, pid):
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(path.parent.name))
        return found


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it never came true")


class Runs(Benchmark):
    def test_a_run_is_measured_kept_and_shown(self):
        done = self.short("--runs", "2", "--precision", "f32", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)  # one document and nothing else
        self.assertIs(report["success"], True)
        self.assertNotIn("error", report)
        self.assertEqual(done.stderr, "")
        (way,) = report["ways"]
        self.assertEqual((way["provider"], way["precision"]), ("native", "f32"))
        (timing,) = way["timings"]
        self.assertEqual(len(timing["inference_s"]), 2)
        self.assertGreater(min(timing["inference_s"]), 0)
        self.assertGreater(timing["audio_s"], 0.3)
        self.assertEqual(report["mode"], "quick")
        for name in ("benchmark_results.md", "benchmark_results.json"):
            self.assertIn(name, self.names())
        self.assertFalse([name for name in self.names() if "tmp" in name])
        self.assertTrue((self.home / "history.db").exists())
        # One provider in one precision says nothing of the others.
        self.assertFalse(self.record().exists())
        # The run can be shown, and be a baseline.
        shown = json.loads(self.benchmark("--history", "--json").stdout)
        self.assertEqual(len(shown["runs"]), 1)
        done = self.short("--runs", "1", "--warmup-runs", "0", "--precision", "f32", "--compare",
                          "1", "--output-file", "deep/er/mine.md", "--verbose")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((self.work / "deep/er/mine.md").exists())
        self.assertEqual(len(self.steps(done, "inference")), 1)
        self.assertEqual(self.steps(done, "warm-up"), [])
        self.assertIn("time spent:", done.stderr)
        self.assertIn("too few samples", done.stdout.decode())

    def test_all_providers_make_the_record(self):
        done = self.short("--runs", "1", "--warmup-runs", "2", "--verbose", provider="auto")
        self.assertEqual(done.returncode, 0, done.stderr)
        record = json.loads(self.record().read_text())
        names = list(record["benchmark_results"])
        self.assertTrue(any(name.startswith("onnxruntime") for name in names), names)
        self.assertEqual(record["recommended_provider"], "native")
        report = json.loads((self.work / "benchmark_results.json").read_text())
        ways = [way for way in report["ways"] if way["provider"] == "onnxruntime"]
        self.assertGreater(ways[0]["quality"]["tokens"], 5)
        self.assertLess(ways[0]["quality"]["log_mel_db"], 10)
        self.assertEqual(len(self.steps(done, "warm-up")), 2 * len(names))
        self.assertIn(b"Recommended: native", done.stdout)
        self.assertEqual(self.benchmark("--validate-only").returncode, 0)

    def test_what_an_option_changes_is_not_what_the_record_is_for(self):
        for name in ("KOKORO_ORT_LIBRARY", "KOKORO_OPENVINO_LIBRARY"):  # native alone is quicker
            self.env[name] = str(self.dir / "none.so")
        one = ("--runs", "1", "--warmup-runs", "0")
        done = self.short(*one, "--threads", "1", provider="auto")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"goes on as before: --threads holds for this run alone", done.stdout)
        self.assertFalse(self.record().exists())
        done = self.short(*one, "--json", "--model", str(self.home / "model/kokoro-v1.0.int8.onnx"),
                          provider="auto")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("stays as it is: --model", done.stderr)
        self.assertFalse(self.record().exists())
        # In the environment it is what other programs have too; an inherited option likewise.
        self.env["KOKORO_THREADS"] = "1"
        self.assertEqual(self.short(*one, provider="auto").returncode, 0)
        settings = json.loads(self.record().read_text())["fingerprint"]["settings"]
        self.assertEqual(settings, "precision auto, threads 1")
        del self.env["KOKORO_THREADS"]
        done = self.short(*one, "--threads", "2", "--inherited", provider="auto")
        self.assertEqual(done.returncode, 0, done.stderr)
        settings = json.loads(self.record().read_text())["fingerprint"]["settings"]
        self.assertEqual(settings, "precision auto, threads 2")

    def test_an_inherited_run_reads_no_dotenv(self):
        for name in ("KOKORO_ORT_LIBRARY", "KOKORO_OPENVINO_LIBRARY"):
            self.env[name] = str(self.dir / "none.so")
        (self.work / ".env").write_text("KOKORO_BENCHMARK_FREQUENCY=yearly\n")
        one = ("--runs", "1", "--warmup-runs", "0")
        done = self.short(*one)
        self.assertEqual(done.returncode, 2)
        self.assertIn("yearly", done.stderr)
        # What it needs its parent gave it, also for its own children.
        done = self.short(*one, "--inherited", provider="auto")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.record().exists())

    def test_a_record_of_other_conditions_is_no_word_of_what_is_in_use(self):
        for name in ("KOKORO_ORT_LIBRARY", "KOKORO_OPENVINO_LIBRARY"):
            self.env[name] = str(self.dir / "none.so")
        record.write(self.cache, record.record())  # of no machine
        done = self.short("--runs", "1", "--warmup-runs", "0", "--json", provider="auto")
        self.assertEqual(done.returncode, 0, done.stderr)
        choice = json.loads(done.stdout)["choice"]
        self.assertIn("what auto opens without a benchmark", choice["reason"])
        self.assertEqual(choice["before"]["provider"], "native")
        self.assertIsNone(json.loads(self.record().read_text())["current_provider"])

    def test_samples_of_a_run_that_was_stopped_are_taken_again(self):
        run = self.start("--quick", "--provider", "native", "--precision", "f32", "--text-file",
                         str(self.dir / "text"), "--runs", "3", "--json", "--progress-json",
                         start_new_session=True)
        # Stopped whenever a step was told: then the next one has begun, or is about to.
        for _ in range(3):
            run.stderr.readline()
            time.sleep(0.1)
            os.killpg(run.pid, signal.SIGSTOP)
            time.sleep(0.1)
            os.killpg(run.pid, signal.SIGCONT)
        out, words = run.communicate(timeout=120)
        self.assertEqual(run.returncode, 0, words)
        report = json.loads(out)
        self.assertGreater(report["discarded_samples"], 0)
        self.assertEqual(len(report["ways"][0]["timings"][0]["inference_s"]), 3)

    def test_the_server_under_streams(self):
        done = self.benchmark("--comprehensive", "--provider", "native", "--text-file",
                              str(self.dir / "text"), "--runs", "1", "--json", "--port", "0")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["mode"], "comprehensive")
        self.assertEqual([level["streams"] for level in report["streams"]], [1, 2, 4, 8])
        for level in report["streams"]:
            self.assertEqual((level["failed"], len(level["first_sound_s"])), (0, 8))
            self.assertGreater(min(level["first_sound_s"]), 0)
            self.assertGreater(level["audio_s"], 8)

    def test_progress_for_the_server(self):
        done = self.short("--runs", "1", "--precision", "f32", "--progress-json", "--nice", "5")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        self.assertIn("native f32", lines[-1]["step"])
        self.assertGreater(lines[-1]["percent"], lines[0]["percent"] - 1e-9)
        self.assertGreaterEqual(lines[-1]["left_s"], 0)


class Failures(Benchmark):
    def test_validate_only_measures_nothing(self):
        done = self.benchmark("--validate-only", "--provider", "native")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"ready     native f32", done.stdout)
        self.assertEqual(self.names(), [])
        self.assertFalse(self.record().exists() or (self.home / "history.db").exists())
        (self.work / "file").write_text("")
        for path in (".", "file/report.md", "file/er/report.md", "/proc/report.md", "/sys/er/report.md"):
            done = self.benchmark("--validate-only", "--output-file", path)
            self.assertEqual(done.returncode, 1)
            self.assertTrue(done.stderr.startswith("kokoro: "), done.stderr)
            done = self.benchmark("--validate-only", "--output-file", path, "--json")
            document = json.loads(done.stdout)
            self.assertIs(document["success"], False)
            self.assertIn(path, document["error"])

    def test_validation_makes_nothing_and_tells_the_patches(self):
        words = ("--validate-only", "--provider", "onnxruntime", "--output-file", "deep/er/mine.md")
        done = self.benchmark(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout.decode(), r"  patch   durations_output, for [^:]+: (applied|not needed)")
        self.assertEqual(self.names(), [])
        document = json.loads(self.benchmark(*words, "--json").stdout)
        self.assertIs(document["success"], True)
        self.assertEqual(document["report"], "deep/er/mine.md")
        (way,) = document["ways"]
        self.assertEqual((way["provider"], way["ready"], way["failure"]), ("onnxruntime", True, None))
        measures = {measure["name"]: measure for measure in way["measures"]}
        self.assertEqual(set(measures["durations_output"]),
                         {"name", "target", "applied", "detail", "error"})
        self.assertEqual(self.names(), [])

    def test_a_failure_is_a_document_too(self):
        self.env["KOKORO_MODEL"] = str(self.dir / "none.onnx")
        for words in ((), ("--validate-only",), ("--quick", "--comprehensive"), ("--runs", "0"),
                      ("--history", "many"), ("again",), ("--colour",)):
            done = self.benchmark("--json", *words)
            self.assertIn(done.returncode, (1, 2))
            document = json.loads(done.stdout)
            self.assertEqual(list(document), ["success", "error"])
            self.assertIs(document["success"], False)
            self.assertIn(document["error"], done.stderr)

    def test_what_is_not_there_is_an_error_before_any_measuring(self):
        self.env["KOKORO_ORT_LIBRARY"] = str(self.dir / "absent.so")
        done = self.short(provider="onnxruntime")
        self.assertEqual(done.returncode, 1)
        self.assertIn("onnxruntime is not available", done.stderr)
        done = self.short(provider="native2")
        self.assertEqual(done.returncode, 2)
        self.assertIn("unknown provider", done.stderr)
        done = self.short("--voice", "nobody")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nobody", done.stderr)
        (self.dir / "text").write_text("\n")
        self.assertIn("no line with text", self.short().stderr)
        (self.dir / "text").unlink()  # which the set-up does not bring
        done = self.short()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, f"kokoro: the texts: cannot open file {self.dir}/text: "
                         "No such file or directory\n")

    def library(self, text, *flags):
        """A shared library of that C, in ONNX Runtime's place."""
        compiler = shutil.which("cc")
        if compiler is None:
            self.skipTest("no compiler")
        library = self.dir / "libonnxruntime.so"
        source = self.dir / "library.c"
        source.write_text(text)
        subprocess.run([compiler, "-shared", "-fPIC", *flags, "-o", library, source, "-ldl"],
                       check=True)
        self.env["KOKORO_ORT_LIBRARY"] = str(library)

    def check_left_out(self, words):
        """Whoever asks what there is goes on without ONNX Runtime, and says why."""
        listed = self.run_kokoro("providers", "--json")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        found = {row["name"]: row for row in json.loads(listed.stdout)}
        self.assertTrue(found["native"]["available"])
        self.assertFalse(found["onnxruntime"]["available"])
        self.assertIn(words, found["onnxruntime"]["reason"])
        self.assertIn("openvino", found)

    def test_a_library_that_crashes_when_it_is_loaded_is_left_out(self):
        self.library("""
            #include <stdio.h>
            #include <stdlib.h>
            __attribute__((constructor)) static void fall(void)
            {
                fputs("no such moon\\n", stderr);
                abort();
            }""")
        self.env["KOKORO_OPENVINO_LIBRARY"] = str(self.dir / "absent.so")  # it would take longest
        self.check_left_out("signal 6 (Aborted); it said: no such moon")
        doctor = self.run_kokoro("doctor")
        self.assertEqual(doctor.returncode, 0, doctor.stdout)
        self.assertIn(b"no such moon", doctor.stdout)
        self.assertEqual(self.run_kokoro("cleanup-cache").returncode, 0)
        done = self.short("--runs", "1", "--json", provider="auto")
        self.assertEqual(done.returncode, 0, done.stderr)
        absent = {row["provider"]: row["reason"] for row in json.loads(done.stdout)["absent"]}
        self.assertIn("signal 6", absent["onnxruntime"])
        self.assertEqual(json.loads(self.record().read_text())["recommended_provider"], "native")
        done = self.short("--runs", "1", provider="onnxruntime")
        self.assertEqual(done.returncode, 1)
        self.assertIn("onnxruntime is not available: ", done.stderr)
        self.assertIn("no such moon", done.stderr)

    def test_a_library_that_hangs_when_it_is_loaded_is_left_out(self):
        self.library("""
            #include <unistd.h>
            __attribute__((constructor)) static void hang(void)
            {
                for (;;)
                    pause();
            }""")
        self.check_left_out("no answer within")

    def test_a_provider_that_crashes_ends_the_run_or_not(self):
        # ONNX Runtime, but where it is to speak: there the third file is one for sound.
        real = self.home / "lib" / "libonnxruntime.so"
        self.library("""
            #include <dlfcn.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <sys/stat.h>
            const void *OrtGetApiBase(void)
            {
                struct stat st;
                if (fstat(3, &st) == 0 && S_ISREG(st.st_mode)) {
                    fputs("no more memory on the moon\\n", stderr);
                    abort();
                }
                void *real = dlopen(REAL, RTLD_NOW);
                return ((const void *(*)(void))dlsym(real, "OrtGetApiBase"))();
            }""", f'-DREAL="{real}"')
        done = self.short("--runs", "1", provider="auto")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("onnxruntime file", done.stderr)
        self.assertIn("signal 6", done.stderr)
        self.assertIn("on the moon", done.stderr)
        self.assertIn("benchmark_results.md", self.names())
        self.assertFalse(self.record().exists())
        # Alone: then no text was measured because of that, and not for want of time.
        alone = self.short("--runs", "1", provider="onnxruntime")
        self.assertEqual(alone.returncode, 1, alone.stderr)
        self.assertRegex(alone.stdout.decode(), r"\nnot measured: onnxruntime file.* failed: .*signal 6")
        self.assertNotIn(b"the time was over", alone.stdout)
        done = self.short("--runs", "1", "--continue-on-error", provider="auto")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("signal 6", done.stderr)
        record = json.loads(self.record().read_text())
        self.assertEqual(record["recommended_provider"], "native")
        self.assertFalse([n for n in record["benchmark_results"] if n.startswith("onnx")])

    def test_a_provider_that_hangs_is_named_and_the_others_are_measured(self):
        # ONNX Runtime with another Run, the tenth of its functions.
        real = self.home / "lib" / "libonnxruntime.so"
        self.library("""
            #include <dlfcn.h>
            #include <stdint.h>
            #include <string.h>
            #include <unistd.h>
            struct base { void *const *(*get_api)(uint32_t); const char *(*get_version)(void); };
            static const struct base *real;
            static void *slots[200];
            static void *hang(void)
            {
                for (;;)
                    pause();
            }
            static void *const *get_api(uint32_t version)
            {
                if (version != 17)
                    return real->get_api(version);
                memcpy(slots, real->get_api(version), sizeof(slots));
                slots[9] = (void *)hang;
                return slots;
            }
            const void *OrtGetApiBase(void)
            {
                static struct base ours;
                real = ((const struct base *(*)(void))dlsym(dlopen(REAL, RTLD_NOW), "OrtGetApiBase"))();
                ours = (struct base){get_api, real->get_version};
                return &ours;
            }""", f'-DREAL="{real}"')
        self.env["KOKORO_OPENVINO_LIBRARY"] = str(self.dir / "absent.so")
        done = self.benchmark("--quick", "--continue-on-error", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertLess(report["duration_s"], 30)
        ways = {way["provider"]: way for way in report["ways"]}
        self.assertRegex(ways["onnxruntime"]["failure"], r"^it gave no answer within \d+ s")
        for timing in ways["native"]["timings"]:
            self.assertGreater(len(timing["inference_s"]), 1)
        self.assertEqual(report["left_out"], [])
        self.assertEqual(json.loads(self.record().read_text())["recommended_provider"], "native")
        # And where it is the only one.
        begin = time.monotonic()
        done = self.benchmark("--quick", "--provider", "onnxruntime")
        self.assertLess(time.monotonic() - begin, 35)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"onnxruntime file, .* failed: it gave no answer within")

    def test_a_report_that_cannot_be_written_costs_the_rest_nothing(self):
        self.env["KOKORO_OPENVINO_LIBRARY"] = str(self.dir / "absent.so")
        run = self.start("--quick", "--runs", "1", "--warmup-runs", "0", "--text-file",
                         str(self.dir / "text"), "--output-file", "late.md")
        wait_until(lambda: self.children(run.pid))
        (self.work / "late.md").mkdir()  # the path was looked at before
        shown, words = run.communicate(timeout=120)
        self.assertEqual(run.returncode, 1, words)
        self.assertIn(b"late.md", words)
        self.assertIn(b"Recommended: native", shown)
        self.assertNotIn(b"Report: ", shown)
        self.assertEqual(json.loads(self.record().read_text())["recommended_provider"], "native")
        history = json.loads(self.benchmark("--history", "--json").stdout)
        self.assertEqual(len(history["runs"]), 1)
        self.assertFalse([name for name in self.names() if "tmp" in name])

    def test_what_could_not_be_kept_is_in_the_document(self):
        """A whole result, and before it what failed; a run that is not in the history failed too."""
        for name in ("KOKORO_ORT_LIBRARY", "KOKORO_OPENVINO_LIBRARY"):  # native alone is quicker
            self.env[name] = str(self.dir / "none.so")
        (self.home / "history.db").mkdir()
        (self.record() / "full").mkdir(parents=True)  # no record can take its place
        run = self.start("--quick", "--runs", "1", "--warmup-runs", "0", "--text-file",
                         str(self.dir / "text"), "--output-file", "late.md", "--json")
        wait_until(lambda: self.children(run.pid))
        (self.work / "late.md").mkdir()  # the path was looked at before
        shown, words = run.communicate(timeout=120)
        self.assertEqual(run.returncode, 1, words)
        document = json.loads(shown)
        self.assertEqual(list(document)[:3], ["success", "error", "format"])
        self.assertIs(document["success"], False)
        for name in ("the history does not have this run", "late.md", "record.json"):
            self.assertIn(name, document["error"])
        self.assertEqual(document["choice"]["recommended"]["provider"], "native")
        done = self.short("--runs", "1", "--warmup-runs", "0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the history does not have this run", done.stderr)
        self.assertIn(b"Report: ", done.stdout)

    def test_a_second_benchmark_is_refused(self):
        first = self.start("--quick", "--provider", "native", "--runs", "1000", "--json")
        try:
            wait_until(lambda: self.children(first.pid))
            done = self.short("--runs", "1")
            self.assertEqual(done.returncode, 1)
            self.assertIn(str(first.pid), done.stderr)
        finally:
            children = self.children(first.pid)
            first.send_signal(signal.SIGINT)
            _, words = first.communicate(timeout=30)
        self.assertEqual(first.returncode, 1)
        self.assertIn(b"stopped", words)
        self.assertTrue(children)
        for pid in children:
            self.assertFalse(pathlib.Path(f"/proc/{pid}").exists())
        self.assertEqual(self.names(), [])
        self.assertFalse(self.record().exists() or (self.home / "history.db").exists())

    def test_children_end_with_their_parent(self):
        run = self.start("--quick", "--provider", "native", "--runs", "1000", "--json")
        children = wait_until(lambda: self.children(run.pid))
        run.kill()
        run.communicate(timeout=30)
        wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in children))
        self.assertEqual(self.names(), [])


if __name__ == "__main__":
    cli.main()

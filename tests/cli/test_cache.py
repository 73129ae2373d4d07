"""The cache directory from the command line: what is shown, what a clean-up removes and what it keeps."""

import fcntl
import json
import os
import pathlib
import pty
import signal
import subprocess
import time

import cli
import record

HOUR = 3600
MB = 1 << 20
LOG = "cleanups.json"
STATISTICS = ["total_size_mb", "file_count", "dir_count", "temp_dirs", "cache_path", "needs_cleanup"]
KINDS = ["packed_models", "optimised_models", "openvino", "benchmark_record", "audio_results",
         "temporary", "other"]


class Cache(cli.Case):
    def setUp(self):
        super().setUp()
        self.cache = self.dir / "cache"
        self.cache.mkdir()
        self.env["KOKORO_CACHE"] = str(self.cache)

    def put(self, name, age_h=0.0, size=1000):
        """A file of the cache that nobody changed for so long."""
        path = self.cache / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size)
        self.age(path, age_h)
        return path

    def age(self, path, age_h):
        then = time.time() - age_h * HOUR
        os.utime(path, (then, then), follow_symlinks=False)

    def names(self):
        """All that lies in the cache, but for the list of clean-ups."""
        return sorted(p.name for p in self.cache.iterdir() if p.name != LOG)

    def run_json(self, *options, status=0):
        done = self.run_kokoro("cleanup-cache", "--json", *options)
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout)


class Statistics(Cache):
    def test_the_fields_of_the_guide_and_ours(self):
        self.put("native/a.pack", 30, 3 * MB)
        self.put("audio/b.wav", 1, MB)
        self.put("tmp1/tmp2/c", 0, 10)
        stats = self.run_json("--stats")
        self.assertEqual(list(stats)[:6], STATISTICS)
        self.assertEqual((stats["total_size_mb"], stats["file_count"]), (4.0, 3))
        self.assertEqual((stats["dir_count"], stats["temp_dirs"]), (4, 2))
        self.assertEqual(stats["cache_path"], str(self.cache))
        self.assertIs(stats["needs_cleanup"], False)
        self.assertEqual(list(stats["kinds"]), KINDS)
        self.assertEqual(stats["kinds"]["packed_models"], {"size_mb": 3.0, "files": 1})
        self.assertEqual(stats["kinds"]["temporary"]["files"], 1)
        self.assertAlmostEqual(stats["oldest_file_hours"], 30, delta=0.1)
        self.assertEqual(stats["limits"], {
            "max_mb": 500, "max_temp_dirs": 10, "max_age_hours": 24,
            "patterns": "tmp* *.tmp *.log.* benchmark_*.log coreml_context_*"})
        text = self.run_kokoro("cleanup-cache", "--stats").stdout.decode()
        for line in (r"Total size +4\.00 MB of 500 MB", r"Files +3\n", r"Directories +4\n",
                     r"Temp dirs +2 of 10\n", r"Needs cleanup +no\n", r"packed models +3\.00 MB +1 files"):
            self.assertRegex(text, line)
        self.assertIn(str(self.cache), text)

    def test_what_needs_a_cleanup(self):
        for i in range(11):
            self.put(f"tmp{i}/x")
        self.assertIs(self.run_json("--stats")["needs_cleanup"], True)
        self.env["KOKORO_CACHE_MAX_TEMP_DIRS"] = "11"
        self.assertIs(self.run_json("--stats")["needs_cleanup"], False)
        self.assertIs(self.run_json("--stats", "--aggressive")["needs_cleanup"], True)
        self.put("big", 0, 501 * MB)
        self.assertIs(self.run_json("--stats")["needs_cleanup"], True)
        self.assertIn("yes; kokoro cleanup-cache",
                      self.run_kokoro("cleanup-cache", "--stats").stdout.decode())

    def test_a_directory_that_is_not_there(self):
        self.cache.rmdir()
        self.assertEqual(self.run_json("--stats")["file_count"], 0)
        self.assertEqual(self.run_json()["total_freed_mb"], 0)
        self.assertFalse(self.cache.exists())

    def test_watching_in_a_pipe_is_a_line_a_second_until_a_signal(self):
        process = subprocess.Popen([cli.PROGRAM, "cleanup-cache", "--stats", "--watch"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)
        first = process.stdout.readline().decode()
        self.put("new", 0, 2 * MB)
        lines = [process.stdout.readline().decode() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual((process.returncode, err), (0, b""))
        self.assertRegex(first, r"^\S+ 0\.00 MB 0 files 0 dirs 0 temp dirs, .*needs cleanup: no\n$")
        self.assertIn(" 2.00 MB 1 files", lines[1])
        self.assertNotIn(b"\033", out)

    def test_a_reader_that_goes_away_ends_the_watch(self):
        process = subprocess.Popen([cli.PROGRAM, "cleanup-cache", "--stats", "--watch"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(process.wait(30), 0)
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()

    def test_watching_on_a_terminal_draws_the_same_place(self):
        leader, follower = pty.openpty()
        process = subprocess.Popen([cli.PROGRAM, "cleanup-cache", "--stats", "--watch"],
                                   stdout=follower, stderr=follower, env=self.env)
        os.close(follower)
        drawn = b""
        while drawn.count(b"\033[H\033[2J") < 2:
            drawn += os.read(leader, 4096)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 0)
        os.close(leader)
        self.assertIn(b"Cache statistics", drawn)


class CleanUp(Cache):
    def test_each_policy_and_the_shape_of_its_result(self):
        self.put("old.bin", 25, MB)
        self.put("old/dir.bin", 25, MB)
        self.put("young.bin", 23, MB)
        for i in range(12):
            self.age(self.put(f"tmp{i:02}/x", i / 10 + 1, 10).parent, i / 10 + 1)
        self.put("server.log.1", 0, 10)
        result = self.run_json()
        self.assertEqual(list(result)[:4], ["initial_size_mb", "final_size_mb", "total_freed_mb",
                                            "cleanup_results"])
        by = result["cleanup_results"]
        self.assertEqual(by["age"], {"removed_files": 2, "removed_dirs": 0, "freed_space_mb": 2.0,
                                     "errors": []})
        self.assertEqual((by["temp_dirs"]["removed_dirs"], by["temp_dirs"]["errors"]), (2, []))
        self.assertEqual((by["size"]["removed_files"], by["size"]["freed_space_mb"]), (0, 0))
        self.assertIn("within its limits", by["size"]["message"])
        self.assertEqual((by["patterns"]["removed_files"], by["patterns"]["patterns_processed"]),
                         (1, 5))
        self.assertAlmostEqual(result["total_freed_mb"], 2, delta=0.001)
        self.assertAlmostEqual(result["initial_size_mb"] - result["final_size_mb"],
                               result["total_freed_mb"], places=5)
        self.assertEqual(self.names(), [f"tmp{i:02}" for i in range(10)] + ["young.bin"])

    def test_aggressive_halves_the_limits(self):
        self.put("half.bin", 13)
        for i in range(8):
            self.age(self.put(f"tmp{i}/x", i / 10).parent, i / 10)
        self.put("big.bin", 0, 260 * MB)
        self.assertEqual(self.run_json()["total_freed_mb"], 0)
        result = self.run_json("--aggressive")
        self.assertEqual(result["cleanup_results"]["age"]["removed_files"], 1)
        self.assertEqual(result["cleanup_results"]["temp_dirs"]["removed_dirs"], 3)
        size = result["cleanup_results"]["size"]
        self.assertEqual((size["target_size_mb"], size["removed_files"]), (200, 1))
        self.assertLess(size["current_size_mb"], 1)

    def test_limits_are_settings(self):
        self.env.update(KOKORO_CACHE_MAX_MB="10", KOKORO_CACHE_MAX_AGE_HOURS="0.5",
                        KOKORO_CACHE_MAX_TEMP_DIRS="0", KOKORO_CACHE_PATTERNS="*.junk")
        self.put("old", 0.6)
        self.put("tmpx/x")
        self.put("a.junk", 0, 0)
        for i in range(11):
            self.put(f"f{i:02}", 0.01 * (i + 1), MB)
        result = self.run_json()["cleanup_results"]
        self.assertEqual(result["age"]["removed_files"], 1)
        self.assertEqual(result["temp_dirs"]["removed_dirs"], 1)
        self.assertEqual(result["size"]["removed_files"], 3)
        self.assertEqual(result["patterns"]["removed_files"], 1)
        self.assertEqual(self.names(), [f"f{i:02}" for i in range(8)])
        (self.dir / ".env").write_text("KOKORO_CACHE_MAX_MB=4\n")
        del self.env["KOKORO_CACHE_MAX_MB"]
        self.assertEqual(self.run_json()["cleanup_results"]["size"]["removed_files"], 5)

    def test_each_is_noted_for_the_server(self):
        path = self.cache / LOG
        began = time.time()
        self.put("old.bin", 25, 2 * MB)
        self.run_json()
        self.run_json("--aggressive")
        document = json.loads(path.read_text())
        first, second = document["cleanups"]
        self.assertEqual((first["source"], first["cause"], first["aggressive"], second["aggressive"]),
                         ("command", "command", False, True))
        self.assertEqual((first["freed_mb"], first["removed_files"], second["removed_files"]), (2, 1, 0))
        self.assertTrue(began - 1 < first["started_at"] <= second["started_at"] < time.time() + 1)
        self.assertGreater(first["elapsed_ms"], 0)
        # Only the last are kept, no clean-up takes them, and what is damaged is begun anew.
        document["cleanups"] = [second] * 40 + [{"started_at": "now"}]
        path.write_text(json.dumps(document))
        self.age(path, 900)
        self.env["KOKORO_CACHE_PATTERNS"] = "*"
        self.run_json("--aggressive")
        self.assertEqual(len(json.loads(path.read_text())["cleanups"]), 32)
        for damaged in (b"", b"\xff", b"[]", b'{"format": "other", "cleanups": [1]}', bytes(1 << 19)):
            path.write_bytes(damaged)
            self.run_json()
            self.assertEqual(len(json.loads(path.read_text())["cleanups"]), 1)
        # To look notes nothing; neither does one that was refused.
        before = path.read_bytes()
        self.run_json("--stats")
        lock = os.open(self.cache, os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.run_json(status=1)
        self.assertEqual(path.read_bytes(), before)
        fcntl.flock(lock, fcntl.LOCK_UN)
        # A name that leads elsewhere, or is no file, is not written to: the clean-up is none the worse.
        path.unlink()
        (self.dir / "outside").write_text("mine")
        path.symlink_to(self.dir / "outside")
        del self.env["KOKORO_CACHE_PATTERNS"]
        done = self.run_kokoro("cleanup-cache")
        self.assertEqual(done.returncode, 0)
        self.assertIn("is not noted", done.stderr)
        self.assertEqual((self.dir / "outside").read_text(), "mine")

    def test_several_at_once_are_all_noted(self):
        started = [subprocess.Popen([cli.PROGRAM, "cleanup-cache"], env=self.env,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(8)]
        for process in started:
            process.communicate(timeout=60)
        done = sum(process.returncode == 0 for process in started)
        self.assertEqual(len(json.loads((self.cache / LOG).read_text())["cleanups"]), done)
        self.assertGreater(done, 0)

    def test_text_for_people(self):
        self.put("old.bin", 25, 2 * MB)
        text = self.run_kokoro("cleanup-cache").stdout.decode()
        for line in (r"Initial size +2\.00 MB", r"Final size +0\.00 MB", r"Freed +2\.00 MB",
                     r"by age +2\.00 MB +1 files"):
            self.assertRegex(text, line)
        self.assertNotIn("by pattern", text)

    def test_record_and_what_others_use_stay(self):
        kept = [self.put("benchmark/record.json", 900), self.put("benchmark/lock", 900, 0),
                self.put("native/only.pack", 900), self.put("young.tmp", 0.5)]
        held = self.put("audio/held.wav", 900)
        gone = self.put("audio/gone.wav", 900)
        with held.open("rb"):
            self.run_json("--aggressive")
        self.assertTrue(all(p.exists() for p in kept + [held]))
        self.assertFalse(gone.exists())
        self.run_json()
        self.assertFalse(held.exists())

    def test_of_openvino_the_precision_in_use_stays(self):
        blobs = [self.put(f"openvino/{i}.{precision}.blob", 900 - i)
                 for i, precision in enumerate(("f32", "f32", "bf16"))]

        def clean(**env):
            for i, path in enumerate(blobs):
                self.put(path.relative_to(self.cache), 900 - i)
            done = self.run_kokoro("cleanup-cache", env={**self.env, **env})
            self.assertEqual(done.returncode, 0, done.stderr)
            return [path.exists() for path in blobs]

        self.assertEqual(clean(), [False, False, True])  # nothing tells: the newest
        asked = {"KOKORO_PROVIDER": "openvino", "KOKORO_PRECISION": "f32"}
        self.assertEqual(clean(**asked), [False, True, False])
        contents = record.record()
        way = {"provider": "openvino", "precision": "f32", "threads": 2}
        contents["recommended"] = way
        contents["recommended_provider"] = "openvino"
        contents["results"][0].update(way)
        seconds = list(contents["benchmark_results"].values())
        contents["benchmark_results"] = dict(zip(("openvino f32, 2 threads", record.text(*record.WAYS[1][:3])),
                                                 seconds))
        record.write(self.cache, contents)
        self.assertEqual(clean(), [False, True, False])
        self.assertEqual(clean(KOKORO_PRECISION="bf16"), [False, False, True])

    def test_history_and_reports_are_no_cache(self):
        home = self.dir / "home"
        self.env["KOKORO_HOME"] = str(home)
        del self.env["KOKORO_CACHE"]
        (home / "cache").mkdir(parents=True)
        (home / "reports").mkdir()
        for name in ("history.db", "reports/old.md", "cache/old"):
            (home / name).write_bytes(b"x")
            self.age(home / name, 900)
        self.run_json()
        self.assertTrue((home / "history.db").exists() and (home / "reports/old.md").exists())
        self.assertFalse((home / "cache/old").exists())

    def test_links_lead_nowhere(self):
        outside = self.dir / "outside"
        outside.mkdir()
        (outside / "x.tmp").write_bytes(b"x")
        self.age(outside / "x.tmp", 900)
        (self.cache / "link").symlink_to(outside)
        (self.cache / "up").symlink_to("..")
        for name in ("link", "up"):
            self.age(self.cache / name, 900)
        self.run_json()
        self.assertTrue((outside / "x.tmp").exists())
        self.assertEqual(self.names(), [])

    def test_directories_that_are_no_cache(self):
        home = self.dir / "data"
        (home / "model").mkdir(parents=True)
        model = home / "model" / "kokoro-v1.0.int8.onnx"
        model.write_bytes(b"x")
        self.age(model, 900)
        for place in ("/", "/tmp", str(home), str(home / "model"), str(self.dir), "cache/.."):
            self.env.update(KOKORO_HOME=str(home), KOKORO_CACHE=place)
            self.check_fails(1, "is not cleaned up", "cleanup-cache")
            done = self.run_kokoro("cleanup-cache", "--json")
            self.assertIs(json.loads(done.stdout)["success"], False)
        self.assertTrue(model.exists())

    def test_two_at_once(self):
        lock = os.open(self.cache, os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.check_fails(1, "another clean-up", "cleanup-cache")
        self.assertIn("another clean-up", self.run_json(status=1)["error"])
        self.assertEqual(self.run_json("--stats")["file_count"], 0)

    def test_a_signal_leaves_a_sound_state(self):
        for i in range(5000):
            self.put(f"d{i % 50}/{i}", 900, 1)
        process = subprocess.Popen([cli.PROGRAM, "cleanup-cache", "--json"], env=self.env,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while sum(1 for p in self.cache.glob("d*/*") if p.is_file()) == 5000:
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(err, b"")
        result = json.loads(out)
        left = sum(1 for p in self.cache.glob("d*/*") if p.is_file())
        self.assertEqual(result["cleanup_results"]["age"]["removed_files"], 5000 - left)
        self.assertEqual(process.returncode, -signal.SIGINT if result["stopped_early"] else 0)
        self.run_json()
        self.assertEqual(self.names(), [])


class Mistakes(Cache):
    def test_options(self):
        self.check_fails(2, "takes no argument", "cleanup-cache", "all")
        self.check_fails(2, "give --stats", "cleanup-cache", "--watch")
        self.check_fails(2, "one document", "cleanup-cache", "--stats", "--watch", "--json")
        self.check_fails(2, "did you mean --aggressive?", "cleanup-cache", "--agressive")
        self.check_fails(2, "--stats takes no value", "cleanup-cache", "--stats=yes")

    def test_settings(self):
        for name, value in (("MAX_MB", "0"), ("MAX_MB", "many"), ("MAX_TEMP_DIRS", "-1"),
                            ("MAX_AGE_HOURS", "nan")):
            self.env["KOKORO_CACHE_" + name] = value
            self.check_fails(2, "KOKORO_CACHE_" + name, "cleanup-cache")
            del self.env["KOKORO_CACHE_" + name]

    def test_a_cache_that_is_a_file(self):
        self.cache.rmdir()
        self.cache.write_bytes(b"")
        self.check_fails(1, "Not a directory", "cleanup-cache", "--stats")
        self.check_fails(1, "Not a directory", "cleanup-cache")


class Models(Cache):
    needs_data = True

    def test_the_models_that_are_opened_stay_and_older_ones_go(self):
        self.run_kokoro("say", "--phonemes", "a", "-o", "a.wav", "--provider", "native")
        self.run_kokoro("say", "--phonemes", "a", "-o", "a.wav", "--provider", "onnxruntime")
        current = [*self.cache.glob("native/*.pack"), *self.cache.glob("ort/*.ort")]
        self.assertEqual(len(current), 2)
        for path in current:
            self.age(path, 10000)
        stale = [self.put("native/0123456789abcdef.pack", 100), self.put("ort/0123456789abcdef.ort", 100)]
        self.env.update(KOKORO_CACHE_MAX_MB="10", KOKORO_CACHE_PATTERNS="*")
        result = self.run_json("--aggressive")
        self.assertTrue(all(p.exists() for p in current))
        self.assertFalse(any(p.exists() for p in stale))
        self.assertEqual(result["preserved"]["files"], 2)
        self.assertEqual(self.run_json("--stats")["preserved"]["files"], 3)  # and the list of clean-ups
        # Another instruction set has another packed model; this one is then the stale one.
        self.env["KOKORO_CPU_MASK"] = "ref"
        self.run_json()
        self.assertFalse(current[0].exists())
        self.assertTrue(current[1].exists())


if __name__ == "__main__":
    cli.main()

"""The guide's scripts: which program they become, with which arguments, and where."""

import pathlib
import shutil
import subprocess
import sys
import unittest

import cli

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"
SUBCOMMANDS = {"run_benchmark.py": "benchmark",
               "configure_benchmark_frequency.py": "benchmark-frequency",
               "manage_benchmark_cache.py": "benchmark-cache",
               "cleanup_cache.py": "cleanup-cache"}


class Scripts(cli.Case):
    def setUp(self):
        super().setUp()
        self.root = self.dir / "a checkout"
        (self.root / "scripts").mkdir(parents=True)
        for path in SCRIPTS.glob("*.py"):
            shutil.copy(path, self.root / "scripts")
        self.elsewhere = self.dir / "elsewhere"
        self.elsewhere.mkdir()
        self.env["PATH"] = f"{self.dir}/bin:/usr/bin:/bin"

    def stand_in(self, path, name):
        """A program that says its name, place and arguments, and ends with status 7."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\necho {name}\npwd\nfor a in "$@"; do echo "<$a>"; done\nexit 7\n')
        path.chmod(0o755)

    def run_script(self, script, *arguments, cwd=None, path=None):
        done = subprocess.run([sys.executable, path or f"scripts/{script}", *arguments],
                              cwd=cwd or self.root, env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()

    def test_arguments_and_status_pass(self):
        self.stand_in(self.root / "run", "run")
        for script, subcommand in SUBCOMMANDS.items():
            status, lines, _ = self.run_script(script, "--quick", "a b", "", "--x=*")
            self.assertEqual(status, 7)
            self.assertEqual(lines, ["run", str(self.root), f"<{subcommand}>", "<--quick>", "<a b>",
                                     "<>", "<--x=*>"])
        self.assertFalse((self.root / "scripts" / "__pycache__").exists())

    def test_from_elsewhere(self):
        self.stand_in(self.root / "run", "run")
        link = self.dir / "link.py"
        link.symlink_to(self.root / "scripts" / "run_benchmark.py")
        for path in ("../a checkout/scripts/run_benchmark.py", str(link)):
            status, lines, errors = self.run_script(None, cwd=self.elsewhere, path=path)
            self.assertEqual((status, errors), (7, ""))
            self.assertEqual(lines, ["run", str(self.elsewhere), "<benchmark>"])

    def test_order_of_the_places(self):
        self.stand_in(self.dir / "bin" / "kokoro", "installed")
        status, lines, _ = self.run_script("run_benchmark.py")
        self.assertEqual((status, lines[0]), (7, "installed"))
        self.stand_in(self.root / "build" / "release" / "apps" / "kokoro", "built")
        self.assertEqual(self.run_script("run_benchmark.py")[1][0], "built")
        self.stand_in(self.root / "run", "run")
        self.assertEqual(self.run_script("run_benchmark.py")[1][0], "run")
        (self.root / "run").chmod(0o644)
        self.assertEqual(self.run_script("run_benchmark.py")[1][0], "built")

    def test_nothing_is_there(self):
        for script in SUBCOMMANDS:
            status, lines, errors = self.run_script(script)
            self.assertEqual((status, lines), (1, []))
            self.assertIn("./run setup", errors)
            self.assertEqual(errors.count("\n"), 1)
        broken = self.root / "run"
        broken.write_text("#!/nowhere/sh\n")
        broken.chmod(0o755)
        status, _, errors = self.run_script("run_benchmark.py")
        self.assertEqual(status, 1)
        self.assertIn(f"cannot start {broken}", errors)


if __name__ == "__main__":
    cli.main()

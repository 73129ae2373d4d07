"""What the scripts of the guide share: find the program `kokoro` and become it.

The working directory stays the caller's, since .env and benchmark_results.md belong there.
"""

import os
import pathlib
import shutil
import sys


def find():
    """The checkout's `run`, which sets up what is missing; else what it built; else the installed one."""
    root = pathlib.Path(__file__).resolve().parent.parent
    places = [root / "run", root / "build" / "release" / "apps" / "kokoro"]
    for path in places:
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    installed = shutil.which("kokoro")
    if installed is None:
        sys.exit(f"kokoro: the program is missing: there is neither {places[0]} nor {places[1]} nor a kokoro "
                 "in PATH; in a checkout, ./run setup makes it")
    return installed


def become(subcommand):
    """Run the subcommand in place of this process, with this script's arguments."""
    program = find()
    sys.stdout.flush()
    try:
        os.execv(program, [program, subcommand, *sys.argv[1:]])
    except OSError as error:
        sys.exit(f"kokoro: cannot start {program}: {error.strerror}")

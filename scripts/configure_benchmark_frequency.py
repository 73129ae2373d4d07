#!/usr/bin/env python3
"""Choose how long the result of a benchmark is good: `kokoro benchmark-frequency`."""

import sys

sys.dont_write_bytecode = True
import kokoro_program  # noqa: E402

kokoro_program.become("benchmark-frequency")

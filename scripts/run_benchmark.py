#!/usr/bin/env python3
"""Measure how fast this machine is: `kokoro benchmark`."""

import sys

sys.dont_write_bytecode = True
import kokoro_program  # noqa: E402

kokoro_program.become("benchmark")

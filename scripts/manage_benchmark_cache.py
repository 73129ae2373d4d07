#!/usr/bin/env python3
"""Show, remove or renew the result of the last benchmark: `kokoro benchmark-cache`."""

import sys

sys.dont_write_bytecode = True
import kokoro_program  # noqa: E402

kokoro_program.become("benchmark-cache")

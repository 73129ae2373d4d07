#!/usr/bin/env python3
"""Show and clean up the cached files: `kokoro cleanup-cache`."""

import sys

sys.dont_write_bytecode = True
import kokoro_program  # noqa: E402

kokoro_program.become("cleanup-cache")

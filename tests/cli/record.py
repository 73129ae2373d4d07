"""A benchmark record as the program writes it, for the tests of the commands about it."""

import json
import time

WAYS = [("native", "bf16", 2, 0.412, 0.31), ("onnxruntime", "file", 2, 1.875, 0.0)]


def text(provider, precision, threads):
    return f"{provider} {precision}, {threads} thread{'' if threads == 1 else 's'}"


def record(age_s=60.0, used_after_s=0.0):
    """Measured so many seconds ago, on a machine that nobody compares with: no model is set."""
    way = {"provider": "native", "precision": "bf16", "threads": 2}
    return {
        "recommended_provider": "native",
        "current_provider": "native",
        "benchmark_date": round(time.time() - age_s, 3),
        "benchmark_results": {text(*w[:3]): w[3] for w in WAYS},
        "format": "kokoro benchmark record 1",
        "recommended": way,
        "current": way,
        "refreshed_after": used_after_s,
        "mode": "quick",
        "reason": "native bf16 is 4.6 times as fast as onnxruntime.",
        "is_over_quality": False,
        "results": [{"provider": p, "precision": r, "threads": n, "quality_db": q}
                    for p, r, n, _, q in WAYS],
        "fingerprint": {name: "?" for name in ("hardware", "system", "model", "libraries",
                                               "instruction_set", "settings")},
    }


def write(cache, contents):
    """The record's file below a cache directory (a pathlib.Path); `contents` is a dict or bytes."""
    path = cache / "benchmark" / "record.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents if isinstance(contents, bytes) else json.dumps(contents).encode())
    return path

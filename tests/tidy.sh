#!/usr/bin/env bash
# tidy.sh BUILD - clang-tidy over the library and the program, by .clang-tidy, on all cores.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 1
command -v clang-tidy >/dev/null || { echo "clang-tidy is missing: install clang-tidy"; exit 1; }
if words=$(find src apps -name '*.c' -print0 |
    xargs -0 -P "$(nproc)" -n 1 clang-tidy -p "$1" --quiet --warnings-as-errors='*' 2>&1); then
    echo "clang-tidy: nothing to mend"
else
    grep -E 'error:|warning:' <<<"$words" | sort -u | head -40
    exit 1
fi

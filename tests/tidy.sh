#!/usr/bin/env bash
# tidy.sh BUILD - clang-tidy over the library and the program, by .clang-tidy, on all cores.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 1
command -v clang-tidy >/dev/null || { echo "clang-tidy is missing: install clang-tidy"; exit 1; }
# What this machine compiles: files for another processor mean nothing to its compiler.
files=$(sed -n "s|^ *\"file\": \"$PWD/\(.*\.c\)\".*|\1|p" "$1/compile_commands.json" | grep -E '^(src|apps)/' | sort -u)
[ -n "$files" ] || { echo "no files in $1/compile_commands.json"; exit 1; }
if words=$(tr '\n' '\0' <<<"$files" |
    xargs -0 -P "$(nproc)" -n 1 clang-tidy -p "$1" --quiet --warnings-as-errors='*' 2>&1); then
    echo "clang-tidy: nothing to mend"
else
    grep -E 'error:|warning:' <<<"$words" | sort -u | head -40
    exit 1
fi

#!/usr/bin/env bash
# style.sh - the style of the house, as far as a machine can see it.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 1
bad=0

complain() {
    if [ -n "$2" ]; then
        printf '%s:\n%s\n' "$1" "$2"
        bad=1
    fi
}

mapfile -t files < <(git ls-files -- '*.c' '*.h' '*.sh' '*.py' '*.txt' '*.cmake' '*.md' run LAYERS .ci/run)
mapfile -t sources < <(git ls-files -- '*.c' '*.h')
complain "tabs" "$(grep -nP '\t' -- "${sources[@]}" | head -5)"
complain "white space at the end of a line" "$(grep -nP '[ \t]+$' -- "${files[@]}" | head -5)"
complain "no newline at the end" "$(for f in "${files[@]}"; do [ -s "$f" ] && [ -n "$(tail -c 1 -- "$f")" ] && echo "$f"; done)"
complain "forbidden flags" "$(grep -nE -e '-ffast-math|-march=native' -- CMakeLists.txt cmake/* src/*/CMakeLists.txt apps/CMakeLists.txt | head -5)"
complain "a source file is included" "$(grep -nE '#include ".*\.c"' -- "${sources[@]}" | head -5)"
complain "over 1000 lines" "$(wc -l -- "${sources[@]}" | awk '$2 != "total" && $1 > 1000')"
complain "README.md is over 150 lines" "$(wc -l <README.md | awk '$1 > 150')"
complain "unfinished work" "$(grep -nwE 'TODO|FIXME|XXX|HACK' -- "${sources[@]}" | head -5)"
complain "the library must not exit, abort or print" \
    "$(git ls-files -- 'src/*.c' | xargs grep -nE '\b(exit|abort|_exit|printf|puts|perror|assert)\(|\bf(printf|puts)\((stdout|stderr)' | grep -vE '^src/base/log|^src/server/' | head -5)"
complain "no header guard" "$(git ls-files -- '*.h' | while read -r f; do grep -q '^#ifndef K' "$f" || echo "$f"; done)"
if command -v clang-format >/dev/null; then
    complain "clang-format would change" "$(clang-format --dry-run -Werror -- "${sources[@]}" 2>&1 | grep -oE '^[^:]+:[0-9]+' | head -10)"
elif [ -n "${KOKORO_REQUIRE_DATA-}" ]; then
    complain "clang-format is missing" "install clang-format"
fi
if command -v shellcheck >/dev/null; then
    complain "shellcheck" "$(git ls-files -- run '*.sh' .ci/run | xargs shellcheck -S warning 2>&1 | head -20)"
fi
[ $bad -eq 0 ] && echo "style: nothing to mend in ${#files[@]} files"
exit $bad

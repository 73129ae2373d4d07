#!/usr/bin/env bash
# style.sh - the style of the house, as far as a machine can see it, in the files that git knows (in an unpacked archive:
# in all files outside build directories). KOKORO_REQUIRE_DATA: a missing tool is a failure.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 1

complain() {
    if [ -n "$2" ]; then
        printf '%s:\n%s\n' "$1" "$2"
        bad=1
    fi
}

list_files() {
    git -c safe.directory="$PWD" ls-files 2>/dev/null ||
        find . -type f ! -path './.git/*' ! -path './build*' -printf '%P\n'
}

ends_without_newline() {
    local file
    for file in "$@"; do
        if [ -s "$file" ] && [ -n "$(tail -c 1 -- "$file")" ]; then echo "$file"; fi
    done
}

# grep that finds nothing in no files.
look() {
    local pattern=$1
    shift
    [ $# -eq 0 ] || grep -HnP -e "$pattern" -- "$@" | head -n 5
}

need() {
    if command -v "$1" >/dev/null; then return 0; fi
    if [ -n "${KOKORO_REQUIRE_DATA-}" ]; then complain "$1 is missing" "install it, or unset KOKORO_REQUIRE_DATA"; fi
    return 1
}

# Check the tree in the working directory; its complaints on standard output, its status in `bad`.
check_tree() {
    local file
    local -a files=() sources=() headers=() library=() scripts=() builds=()
    bad=0
    while IFS= read -r file; do
        [ -f "$file" ] || continue # removed, not yet committed
        case $file in
        *.c | *.h) sources+=("$file") ;;
        *.sh | run | .ci/run) scripts+=("$file") ;;
        *CMakeLists.txt | *.cmake | CMakePresets.json) builds+=("$file") ;;
        *.py | *.txt | *.md | LAYERS | NOTICE | *.manifest) ;;
        *) continue ;;
        esac
        case $file in *.h) headers+=("$file") ;; src/*.c) library+=("$file") ;; esac
        case $file in tests/fuzz/corpus/*) ;; *) files+=("$file") ;; esac
    done < <(list_files)

    complain "no files to check" "$([ ${#sources[@]} -gt 0 ] || echo "$PWD")"
    complain "tabs" "$(look '\t' "${files[@]}")"
    complain "white space at the end of a line" "$(look '[ \r]+$' "${files[@]}")"
    complain "no newline at the end" "$(ends_without_newline "${files[@]}")"
    complain "forbidden flags" "$(look '-ffast-math|-march=native' "${builds[@]}")"
    complain "a source file is included" "$(look '^\s*#\s*include\s*["<].*\.c[">]' "${sources[@]}")"
    complain "over 1000 lines" "$(wc -l -- "${sources[@]}" | awk '$2 != "total" && $1 > 1000')"
    complain "README.md is over 150 lines" "$([ ! -f README.md ] || wc -l <README.md | awk '$1 > 150')"
    complain "unfinished work" "$(look '\b(TODO|FIXME|XXX|HACK)\b' "${sources[@]}" "${builds[@]}")"
    complain "the library must not exit, abort, assert or print" \
        "$(look '\b(exit|abort|_exit|printf|puts|putchar|perror|assert)\(|\bf(printf|puts)\((stdout|stderr)' "${library[@]}" |
            grep -v '^src/base/log')"
    complain "no header guard" "$([ ${#headers[@]} -eq 0 ] || grep -LE '^#ifndef K' -- "${headers[@]}")"
    if need clang-format; then
        complain "clang-format would change" \
            "$(clang-format --dry-run -Werror -- "${sources[@]}" 2>&1 | grep -oE '^[^:]+:[0-9]+' | head -n 10)"
    fi
    if need shellcheck && [ ${#scripts[@]} -gt 0 ]; then
        complain "shellcheck" "$(shellcheck -S warning -- "${scripts[@]}" 2>&1 | head -n 20)"
    fi
    n=${#files[@]}
}

check_tree
[ $bad -eq 0 ] || exit 1
looked=$n

# The check itself can fail: each planted fault is found.
plant=$(mktemp -d)
trap 'rm -rf -- "$plant"' EXIT
cp .clang-format "$plant/"
cd -- "$plant" || exit 1
mkdir -p src/text
printf 'int f(void)\n{\n\treturn 1;\n}\n' >src/text/a.c
printf '#include "a.c"\n#include <stdio.h>\nvoid g(void) { printf("x"); } // TODO\n' >src/text/b.c
printf 'int h; \nint i;' >src/text/c.h
yes '' | head -n 1001 >src/text/d.c
yes x | head -n 151 >README.md
printf 'add_compile_options(-ffast-math)\n' >CMakeLists.txt
printf '#!/bin/bash\necho "$unset"\n' >e.sh
words=$(check_tree)
faults=(tabs 'white space' 'no newline' forbidden 'source file is included' 'over 1000' 'over 150' unfinished
    'must not exit' 'header guard')
if command -v clang-format >/dev/null; then faults+=('clang-format would change'); fi
if command -v shellcheck >/dev/null; then faults+=(shellcheck); fi
for fault in "${faults[@]}"; do
    if [[ $words != *"$fault"* ]]; then
        echo "style.sh does not find the planted fault: $fault"
        exit 1
    fi
done
echo "style: nothing to mend in $looked files"

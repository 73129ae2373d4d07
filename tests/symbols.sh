#!/usr/bin/env bash
# symbols.sh BUILD - what the built files show the world: the library only kokoro_*, no writable globals but those listed,
# and nothing under the GPL linked into library or program.
set -euo pipefail
build=$1
bad=0
library=$(echo "$build"/src/libkokoro.so)

shown=$(nm -D --defined-only "$library" | awk '{ print $3 }' | grep -v '^kokoro_' || true)
if [ -n "$shown" ]; then
    echo "libkokoro.so shows more than kokoro_*:" $shown
    bad=1
fi
declared=$(grep -oE '\bkokoro_[a-z_]+\(' include/kokoro/kokoro.h | tr -d '(' | sort -u)
exported=$(nm -D --defined-only "$library" | awk '{ print $3 }' | sort -u)
for name in $exported; do
    grep -qx "$name" <<<"$declared" || { echo "$name is exported but not in kokoro.h"; bad=1; }
done

# Writable data of our objects: the failure switch of the allocation tests, and counters that name temporary
# files and requests.
allowed='^(fail_at|fail_on|count|serial|counter)(\.[0-9]+)?$'
# (Constant tables with addresses in them lie in .data.rel.ro, which is read-only once the program has started.)
writable=$(nm -f sysv "$build"/src/libkk_all.a 2>/dev/null | awk -F'|' '{ gsub(/ /, "", $1); gsub(/ /, "", $7) }
    $7 ~ /^\.(data|bss)(\.[^r]|$)|^\*COM\*/ && $1 !~ /^\./ { print $1 }' | grep -vE "$allowed" || true)
if [ -n "$writable" ]; then
    echo "writable globals in the library:" $writable
    bad=1
fi

for file in "$library" "$build/apps/kokoro"; do
    linked=$(ldd "$file")
    if [[ $linked == *espeak* ]]; then
        echo "$file links espeak-ng, which is GPL-3: only kokoro-espeak may"
        bad=1
    fi
done
linked=$(ldd "$build/apps/kokoro-espeak")
[[ $linked == *espeak* ]] || { echo "kokoro-espeak does not link espeak-ng"; bad=1; }
[ $bad -eq 0 ] && echo "symbols: the library shows kokoro_* only"
exit $bad

#!/usr/bin/env bash
# symbols.sh BUILD - what the built files show the world: the library only kokoro_*, no writable globals but those listed,
# and nothing under the GPL linked into library or program.
set -euo pipefail
build=$(cd -- "${1:?symbols.sh BUILD}" && pwd -P)
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
bad=0
library=$build/src/libkokoro.so

complain() {
    if [ -n "$2" ]; then
        printf '%s: %s\n' "$1" "$(tr '\n' ' ' <<<"$2")"
        bad=1
    fi
}

# Lines of the first list that the second lacks.
without() { comm -23 <(sort -u <<<"$1") <(sort -u <<<"$2"); }

exported=$(nm -D --defined-only "$library" | awk '{ print $3 }')
declared=$(grep -oE '\bkokoro_[a-z0-9_]+\(' include/kokoro/kokoro.h | tr -d '(' | grep -v '_fn$') # _fn: types
complain "libkokoro.so shows what kokoro.h does not declare" "$(without "$exported" "$declared")"
complain "kokoro.h declares what libkokoro.so does not show" "$(without "$declared" "$exported")"

# Writable data of our objects. Allowed: the failure switch of the allocation tests, and counters that name temporary
# files and requests. (Constant tables with addresses in them lie in .data.rel.ro, which is read-only once the program
# has started; thread-local data is .tdata and .tbss.)
allowed='^(fail_at|fail_on|count|serial|counter)(\.[0-9]+)?$'
writable() {
    nm -f sysv "$1" 2>/dev/null | awk -F'|' '{ gsub(/ /, "", $1); gsub(/ /, "", $7) }
        $7 ~ /^\.(data|bss)(\.[^r]|$)|^\*COM\*/ && $1 !~ /^\./ { print $1 }'
}
complain "writable globals in the library" "$(writable "$build/src/libkk_all.a" | grep -vE "$allowed" || true)"

for file in "$library" "$build/apps/kokoro"; do
    linked=$(ldd "$file")
    [[ $linked != *espeak* ]] || complain "links espeak-ng, which is GPL-3 (only kokoro-espeak may)" "$file"
done
if [ -e "$build/apps/kokoro-espeak" ]; then
    linked=$(ldd "$build/apps/kokoro-espeak")
    [[ $linked == *espeak* ]] || complain "does not link espeak-ng" "$build/apps/kokoro-espeak"
fi

# The looks at writable data and at the exports can fail: a planted object shows both.
plant=$(mktemp -d)
trap 'rm -rf -- "$plant"' EXIT
printf 'int stray = 1; int table[9]; int stray_function(void); int stray_function(void) { return table[stray]; }\n' >"$plant/a.c"
"${CC:-cc}" -fPIC -shared -o "$plant/a.so" "$plant/a.c"
[ "$(writable "$plant/a.so" | grep -cxE 'stray|table')" = 2 ] || { echo "symbols.sh does not see writable data"; exit 1; }
shown=$(nm -D --defined-only "$plant/a.so" | awk '{ print $3 }')
[[ $(without "$shown" "$declared") == *stray_function* ]] || { echo "symbols.sh does not see an export"; exit 1; }

[ $bad -eq 0 ] && echo "symbols: the library shows what kokoro.h declares, and keeps no state of its own"
exit $bad

#!/usr/bin/env bash
# layers.sh - LAYERS is true: every room includes only what it may. With an argument: the tree to check.
set -euo pipefail
root=${1:-$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)}

check_tree() {
    local tree=$1 bad=0 room file line target allowed
    local -A may=()
    while IFS=: read -r room allowed; do
        case $room in '' | '#'*) continue ;; esac
        may[$room]=" $allowed "
    done <"$tree/LAYERS"
    for file in "$tree"/src/*/ "$tree"/apps/; do
        room=$(basename "$file")
        if [ -z "${may[$room]+there}" ]; then
            echo "room $room stands in no line of LAYERS"
            bad=1
        fi
    done
    while IFS=: read -r file line; do
        target=$(sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' <<<"$line")
        [ -n "$target" ] || continue
        room=${file#"$tree"/}
        case $room in
        src/*) room=${room#src/} room=${room%%/*} ;;
        apps/*) room=apps ;;
        esac
        case $target in
        kokoro/kokoro.h) continue ;;
        *.c) echo "$file includes $target, a source file" && bad=1 && continue ;;
        */*) target=${target%%/*} ;;
        *) # a header beside the file: only apps do that
            if [ "$room" = apps ] && [ -f "$tree/apps/$target" ]; then continue; fi
            echo "$file includes \"$target\" without naming its room"
            bad=1
            continue
            ;;
        esac
        if [ "$target" != "$room" ] && [[ "${may[$room]-}" != *" $target "* ]]; then
            echo "$file: room $room may not include $target (LAYERS)"
            bad=1
        fi
    done < <(grep -rHE '^ *# *include *"' "$tree/src" "$tree/apps" --include='*.c' --include='*.h')
    return $bad
}

check_tree "$root"

# The check itself can fail: a planted violation is found.
plant=$(mktemp -d)
trap 'rm -rf "$plant"' EXIT
mkdir -p "$plant/src/base" "$plant/src/text" "$plant/apps"
printf 'base:\ntext: base\napps: base\n' >"$plant/LAYERS"
echo '#include "base/str.h"' >"$plant/src/text/good.c"
check_tree "$plant" >/dev/null || { echo "layers.sh finds fault with a good tree"; exit 1; }
echo '#include "text/text.h"' >"$plant/src/base/bad.c"
if check_tree "$plant" >/dev/null; then echo "layers.sh does not find a planted violation"; exit 1; fi
echo "layers: every include is allowed"

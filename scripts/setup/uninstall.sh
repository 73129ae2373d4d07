#!/usr/bin/env bash
# uninstall.sh - remove what set-up made: the data directory and the checkout's build directory. Debian packages stay:
# other programs may use them.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$root/scripts/setup/common.sh"

case "$*" in
'' | --yes) ;;
*) usage_error "uninstall takes no '$*'; it is: ./run uninstall [--yes]" ;;
esac

# Only what set-up itself makes below the data directory, so that a mistaken KOKORO_HOME costs nobody a home.
made=(model voices lexicon lib sources test cache reports .setup)
found=()
for name in "${made[@]}"; do
    if [ -e "$home/$name" ]; then found+=("$home/$name"); fi
done
if [ -e "$root/build" ]; then found+=("$root/build"); fi
if [ ${#found[@]} -eq 0 ]; then
    tell "there is nothing to remove in $home or $root/build"
    exit 0
fi
du -sh -- "${found[@]}" >&2
if [ "${1-}" != --yes ]; then
    tell "nothing was removed; to remove all of the above: ./run uninstall --yes"
    exit 0
fi
rm -rf -- "${found[@]}"
rmdir -- "$home" 2>/dev/null || true
tell "removed; Debian packages were left, because other programs may use them"

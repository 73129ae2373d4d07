# common.sh - what every part of set-up shares: places, words, and the quick look whether anything is missing.
# Sourced by `run`; `root` is the checkout.
# shellcheck shell=bash

die() {
    printf 'kokoro: %s\n' "$*" >&2
    exit 1
}

usage_error() {
    printf 'kokoro: %s\n' "$*" >&2
    exit 2
}

# A line for a person who watches; nothing in a pipe.
say() {
    if [ -t 2 ]; then printf '%s\n' "$*" >&2; fi
}

# A line that also a log should have.
tell() {
    printf 'kokoro: %s\n' "$*" >&2
}

find_home() {
    if [ -n "${KOKORO_HOME-}" ]; then
        home=$KOKORO_HOME
    elif [ -n "${XDG_DATA_HOME-}" ]; then
        home=$XDG_DATA_HOME/kokoro
    elif [ -n "${HOME-}" ]; then
        home=$HOME/.local/share/kokoro
    else
        die "no place for the data: set KOKORO_HOME to a directory (neither it nor XDG_DATA_HOME nor HOME is set)"
    fi
    case $home in
    /*) ;;
    *) home=$PWD/$home ;;
    esac
}

machine=$(uname -m)
manifest=${KOKORO_MANIFEST:-$root/packages.manifest}
build=$root/build/release
program=$build/apps/kokoro
find_home
state=$home/.setup

# The manifest's lines of a part for this machine, as one string: the part's pin.
read_manifest() {
    local part kind name version arch sha
    declare -gA pins=()
    while read -r part kind name version arch sha; do
        case $part in '' | '#'*) continue ;; esac
        if [ "$arch" = any ] || [ "$arch" = "$machine" ]; then
            pins[$part]+="$kind $name $version $sha"$'\n'
        fi
    done <"$manifest"
}

# The layout number that a header of the sources defines; packs of another layout are made anew.
layout_of() {
    local text
    text=$(<"$root/$1")
    [[ $text =~ $2\ =\ ([0-9]+) ]] && layout=${BASH_REMATCH[1]} || layout=0
}

# What the parts make, below the data directory, and the setting that supplies each instead.
part_files() {
    case $1 in
    model) files=(model/kokoro-v1.0.int8.onnx) setting=KOKORO_MODEL ;;
    voices) files=(sources/voices/af_heart.bin) setting=KOKORO_VOICES ;;
    lexicon) files=(sources/misaki/us_gold.json sources/misaki/us_silver.json sources/misaki/gb_gold.json
        sources/misaki/gb_silver.json) setting=KOKORO_LEXICON ;;
    ort) files=(lib/libonnxruntime.so) setting=KOKORO_ORT_LIBRARY ;;
    openvino) files=(lib/openvino/libopenvino_c.so) setting=KOKORO_OPENVINO_LIBRARY ;;
    header) files=(test/onnxruntime_c_api.h) setting= ;;
    esac
}

# Whether a part's stamp holds its pin and its files are there, each of the size that the stamp says.
part_is_done() {
    local part=$1 file text
    part_files "$part"
    if [ -n "$setting" ] && [ -n "${!setting-}" ]; then
        return 0 # the user brings this one
    fi
    [ -f "$state/$part" ] || return 1
    text=$(<"$state/$part")
    [[ $text == "${pins[$part]-}"* ]] || return 1
    for file in "${files[@]}"; do
        [ -s "$home/$file" ] || return 1
    done
    sized+=("$part")
}

# One look at the sizes of all files that the stamps in `sized` name; `damaged` are those stamps of which a file is gone
# or was cut short.
sizes_are_right() {
    local stamp name size rest
    local -a paths=()
    local -A want=() owner=() right=()
    damaged=()
    for stamp in "${sized[@]}"; do
        while read -r name size rest; do
            if [ "$name" = size ]; then
                want[$home/$rest]=$size
                owner[$home/$rest]=$stamp
                paths+=("$home/$rest")
            fi
        done <"$state/$stamp"
    done
    [ ${#paths[@]} -gt 0 ] || return 0
    while read -r size name; do
        if [ "${want[$name]-}" = "$size" ]; then right[$name]=1; fi
    done < <(stat -c '%s %n' -- "${paths[@]}" 2>/dev/null)
    for name in "${paths[@]}"; do
        if [ -z "${right[$name]-}" ] && [[ " ${damaged[*]-} " != *" ${owner[$name]} "* ]]; then
            damaged+=("${owner[$name]}")
        fi
    done
    [ ${#damaged[@]} -eq 0 ]
}

pack_is_done() {
    local part=$1 file=$2 setting=$3 pin=$4
    if [ -n "${!setting-}" ]; then return 0; fi
    [ -s "$home/$file" ] && [ -f "$state/pack-$part" ] || return 1
    [[ $(<"$state/pack-$part") == "$pin"* ]] || return 1
    sized+=("pack-$part")
}

pack_pins() {
    layout_of src/voice/voices_file.h KK_VOICES_LAYOUT
    voices_pin="${pins[voices]-}layout $layout"$'\n'
    layout_of src/phoneme/lexicon_file.h KK_LEXICON_LAYOUT
    lexicon_pin="${pins[lexicon]-}layout $layout"$'\n'
    layout_of src/model/native/packed_file.c LAYOUT
    model_pin="${pins[model]-}layout $layout cache ${KOKORO_CACHE:-$home/cache}"
}

packs_are_done() {
    pack_pins
    pack_is_done voices voices/voices.pack KOKORO_VOICES "$voices_pin" &&
        pack_is_done lexicon lexicon/english.pack KOKORO_LEXICON "$lexicon_pin" || return 1
    if [ -z "${KOKORO_MODEL-}" ]; then
        [ -f "$state/pack-model" ] && [ "$(<"$state/pack-model")" = "$model_pin" ] || return 1
    fi
}

# The program stands for the checkout as it is now: built here, and no source or folder of sources is newer.
build_is_done() {
    [ -x "$program" ] && [ -f "$build/.built" ] && [ "$(<"$build/.built")" = "$root" ] || return 1
    [ -z "$(find "$root/CMakeLists.txt" "$root/CMakePresets.json" "$root/cmake" "$root/src" "$root/include" \
        "$root/apps" -newer "$build/.built" -print -quit)" ]
}

# A build directory of another place (a copied or moved checkout) holds paths that are not ours.
clear_foreign_build() {
    if [ -f "$1/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$1/CMakeCache.txt"; then
        rm -rf -- "$1"
    fi
}

parts=(model voices lexicon ort)

all_is_done() {
    local part
    sized=()
    for part in "${parts[@]}"; do
        part_is_done "$part" || return 1
    done
    packs_are_done && sizes_are_right && build_is_done
}

set_up() {
    if [ -n "${KOKORO_SETUP_TESTS-}" ]; then parts+=(header); fi
    # Fetched when asked for and for tests; once there it is kept whole and as pinned.
    if [ -n "${KOKORO_SETUP_TESTS-}" ] || [ -f "$state/openvino" ]; then
        [[ " ${parts[*]} " == *' openvino '* ]] || parts+=(openvino)
    fi
    [ -r "$manifest" ] || die "cannot read $manifest"
    read_manifest
    if all_is_done && [ -z "${KOKORO_SETUP_TESTS-}" ] && programs_start; then
        return 0
    fi
    # shellcheck source=scripts/setup/install.sh
    . "$root/scripts/setup/install.sh"
    install_all
}

# The libraries that the programs were linked with may have been removed since; starting both takes 30 ms. The helper ends
# at once where there is nothing to ask.
programs_start() {
    "$program" --version >/dev/null 2>&1 </dev/null || return 1
    [ ! -x "$build/apps/kokoro-espeak" ] || "$build/apps/kokoro-espeak" >/dev/null 2>&1 </dev/null
}

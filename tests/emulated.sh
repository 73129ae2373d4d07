#!/usr/bin/env bash
# emulated.sh - the kernels' tests on machines that are not there: an x86 CPU without AVX, where the choice must come out
# at plain C and no other instruction may run, and 64-bit ARM, cross-compiled. Needs qemu-user-static and, for ARM,
# gcc-aarch64-linux-gnu; what is missing is skipped (status 77 when all is), or with KOKORO_REQUIRE_DATA fails. The
# argument: the build directory.
# (QEMU 7.2 cannot stand in for a CPU with AVX2 here: its masked loads touch the masked part too.)
set -euo pipefail
build=$1
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
ran=0

fail() {
    cat "$work/out"
    exit 1
}

missing() {
    echo "skip: no $1"
    [ -z "${KOKORO_REQUIRE_DATA-}" ] || exit 1
}

if [ "$(uname -m)" = x86_64 ] && command -v qemu-x86_64-static >/dev/null; then
    for test in kernels kernels_conv kernels_math kernels_toom; do
        qemu-x86_64-static -cpu Nehalem "$build/tests/unit/test_unit_$test" >"$work/out" || fail
        if grep -E '^ +(avx|neon)' "$work/out"; then
            echo "a CPU without AVX ran that table"
            exit 1
        fi
    done
    ran=1
    echo "x86 without AVX: ok"
elif [ "$(uname -m)" = x86_64 ]; then
    missing qemu-x86_64-static
fi

if command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64-static >/dev/null; then
    sources=("$root"/src/kernels/*.c "$root"/src/kernels/ref/*.c "$root"/src/kernels/arm/*.c "$root/src/hardware/cpu.c")
    # The warnings of cmake/Flags.cmake. Without -O3, at which GCC 12 for ARM fails on a loop of the tests.
    flags=(-std=c11 -O2 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wdouble-promotion -Wvla
        -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Werror -ffp-contract=off -D_POSIX_C_SOURCE=200809L
        -DKK_SWEEP_STRIDE=10007 -I"$root/src" -I"$root/include" -I"$root/tests")
    (cd -- "$work" && aarch64-linux-gnu-gcc "${flags[@]}" -c "${sources[@]}")
    for test in kernels kernels_conv kernels_math kernels_toom; do
        aarch64-linux-gnu-gcc "${flags[@]}" -static "$root/tests/unit/test_$test.c" "$work"/*.o -lm -o "$work/$test"
        qemu-aarch64-static "$work/$test" >"$work/out" || fail
        [ "$test" = kernels_conv ] || grep -q '^ *neon' "$work/out" || {
            echo "64-bit ARM did not run its own table"
            exit 1
        }
    done
    ran=1
    echo "64-bit ARM: ok"
elif [ "$(uname -m)" != aarch64 ]; then
    missing "aarch64-linux-gnu-gcc or no qemu-aarch64-static"
fi
[ $ran = 1 ] || exit 77

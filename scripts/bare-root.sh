#!/usr/bin/env bash
# bare-root.sh - prove that a new user on a bare Debian 12 needs one command: a root made by debootstrap (minbase), this
# checkout cloned into it, and `./run` there. Needs root, debootstrap, git and about 4 GB. Takes some minutes.
#
#   scripts/bare-root.sh [--tests] [--keep] [DIR]
#
# --tests also runs every test in it; --keep leaves DIR for a look. The packages come from the mirror that this
# machine's own apt uses, and pip, npm and proxy settings of this machine are copied into the new root.
set -euo pipefail
checkout=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

tests=0
keep=0
dir=
for arg in "$@"; do
    case $arg in
    --tests) tests=1 ;;
    --keep) keep=1 ;;
    -*) echo "bare-root.sh: no option $arg; there are --tests and --keep" >&2 && exit 2 ;;
    *) dir=$arg ;;
    esac
done
[ "$(id -u)" = 0 ] || { echo "bare-root.sh: must be root, for debootstrap and chroot" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "bare-root.sh: install debootstrap first" >&2; exit 1; }
[ -n "$dir" ] || dir=$(mktemp -d)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd -P)
[ -z "$(ls -A "$dir")" ] || { echo "bare-root.sh: $dir is not empty" >&2; exit 1; }

clean_up() {
    local m
    for m in dev/shm dev/pts dev proc sys; do
        mountpoint -q "$dir/$m" && umount -l "$dir/$m"
    done
    [ $keep = 1 ] || rm -rf --one-file-system "$dir"
}
trap clean_up EXIT

# The first Debian mirror that apt here knows.
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(CREATED_BY)' 2>/dev/null | awk '$2 ~ /^bookworm$/ && $3 == "Packages" { print $1; exit }')
[ -n "$mirror" ] || mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -oE '(https?|mirror\+[a-z]+)://[^ ]+' | head -n 1)
[ -n "$mirror" ] || { echo "bare-root.sh: apt has no Debian mirror" >&2; exit 1; }
echo "== debootstrap --variant=minbase bookworm"
log=$(mktemp)
debootstrap --variant=minbase bookworm "$dir" "$mirror" >"$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }
rm -f "$log"

# How this machine reaches its packages: apt's sources, certificates, clients' settings.
cp -a /etc/apt/sources.list* /etc/apt/apt.conf.d /etc/apt/preferences.d "$dir/etc/apt/" 2>/dev/null || true
# The certificates go where installing Debian's own does not overwrite them: a proxy's must still be trusted after that.
mkdir -p "$dir/root" "$dir/etc/ssl/certs"
cp -aL /etc/ssl/certs/ca-certificates.crt "$dir/etc/ssl/machine.crt"
cp -aL /etc/ssl/certs/ca-certificates.crt "$dir/etc/ssl/certs/"
cp -aL /etc/resolv.conf "$dir/etc/resolv.conf" 2>/dev/null || true
for file in /etc/pip.conf /root/.pip/pip.conf /root/.config/pip/pip.conf /root/.npmrc /usr/local/etc/npmrc /etc/npmrc; do
    [ -f "$file" ] && mkdir -p "$dir$(dirname "$file")" && cp -aL "$file" "$dir$file"
done
if command -v npm >/dev/null; then
    npm config get registry 2>/dev/null | sed 's/^/registry=/' >>"$dir/root/.npmrc"
fi
if command -v pip3 >/dev/null && [ ! -f "$dir/etc/pip.conf" ]; then
    { echo "[global]"; pip3 config list 2>/dev/null | sed -n "s/^global\.\([a-z-]*\)='\(.*\)'$/\1 = \2/p" | grep -v '^cert'; } >"$dir/etc/pip.conf"
fi

mount -t proc proc "$dir/proc"
mount -t sysfs sysfs "$dir/sys" || true
mount --bind /dev "$dir/dev"
for m in dev/pts dev/shm; do # the tests open terminals
    if mountpoint -q "/$m"; then mount --bind "/$m" "$dir/$m"; fi
done

inside() {
    local -a settings=(PIP_CERT=/etc/ssl/machine.crt NODE_EXTRA_CA_CERTS=/etc/ssl/machine.crt
        SSL_CERT_FILE=/etc/ssl/machine.crt npm_config_cafile=/etc/ssl/machine.crt)
    local name
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL PIP_TRUSTED_HOST \
        PIP_DEFAULT_TIMEOUT NPM_CONFIG_REGISTRY npm_config_registry; do
        if [ -n "${!name-}" ]; then settings+=("$name=${!name}"); fi
    done
    chroot "$dir" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "${settings[@]}" "$@"
}

# git is what a user needs to get the checkout; the clone is made here and moved in.
git clone -q "$checkout" "$dir/root/kokoro"
echo "== ./run say"
inside /bin/bash -c 'cd /root/kokoro && ./run say -o /root/hello.wav "Hello world."' </dev/null
size=$(stat -c %s "$dir/root/hello.wav")
[ "$size" -gt 20000 ] || { echo "bare-root.sh: hello.wav has only $size bytes" >&2; exit 1; }
echo "== ./run, answering over HTTP"
inside /bin/bash -c '
    cd /root/kokoro
    ./run serve --port 0 2>/root/serve.log </dev/null &
    pid=$!
    for i in $(seq 100); do grep -q "listening on" /root/serve.log && break; sleep 0.2; done
    port=$(sed -n "s/.*listening on http:..[^:]*:\([0-9]*\).*/\1/p" /root/serve.log | head -n 1)
    [ -n "$port" ] || { cat /root/serve.log >&2; exit 1; }
    for i in $(seq 100); do
        exec 3<>/dev/tcp/127.0.0.1/$port
        printf "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" >&3
        answer=$(cat <&3)
        case $answer in *online*) break ;; esac
        sleep 0.2
    done
    case $answer in *online*) ;; *) echo "$answer" >&2; exit 1 ;; esac
    kill -TERM $pid
    wait $pid' || { echo "bare-root.sh: the server did not come up and end well" >&2; exit 1; }
if [ $tests = 1 ]; then
    echo "== .ci/run, which is ./run test on a clean checkout"
    inside CI=true /bin/bash -c 'cd /root/kokoro && bash .ci/run' </dev/null
fi
echo "bare root: passed"

#!/bin/bash
# fresh/run.sh   Do both of the README's commands work on a machine that nobody prepared? They run in a minimal Debian, from a clone of the
# commit that is checked out here, with this machine's kernel, Rust and Go. Package registries are reached as this machine reaches them.
# Environment: RELEASE (bookworm): trixie runs the demo alone. FRESH (all): demo or test, a part of it.
#              FRESH_ROOT (/var/tmp/ci-bootstrap-fresh): where it is made, and deleted when all went well.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) repository=$(cd "$(dirname "$0")/../.." && pwd)
release=${RELEASE:-bookworm} part=${FRESH:-all} root=${FRESH_ROOT:-/var/tmp/ci-bootstrap-fresh}/${RELEASE:-bookworm}
die() { echo "fresh: $*" >&2; exit 1; }
say() { echo "fresh: $*"; }

make_root() { # what the installer's smallest choice has, and make
  local mirror; mirror=$(. "$repository/tests/lab/lib.sh"; debian_mirror)
  [ ! -d "$root" ] || rm -rf --one-file-system "$root"
  mkdir -p "${root%/*}"
  mmdebstrap --quiet --variant=minbase --include=make "$release" "$root" "$mirror"
  mkdir -p "$root"/{old,src}
  git clone -q "file://$repository" "$root/src/ci-bootstrap"
}

# This machine's way to package registries: a site has its own, so none is written down here.
copy_settings() {
  local file machine; machine=$(. /etc/os-release; echo "$VERSION_CODENAME"); rm -f "$root/etc/apt/sources.list"
  for file in /etc/hosts /etc/resolv.conf /etc/pip.conf /root/.cargo/config.toml /root/.config/go/env /root/.config/pip/pip.conf \
    /etc/ssl/certs/ca-certificates.crt /etc/apt/auth.conf; do
    [ ! -f "$file" ] || install -D -m"$(stat -Lc %a "$file")" "$file" "$root$file"   # some hold logins
  done
  for file in /etc/apt/auth.conf.d /etc/apt/sources.list /etc/apt/sources.list.d /usr/local/share/ca-certificates \
    $(grep -lE 'Acquire::(https?|Check)' /etc/apt/apt.conf.d/* 2>/dev/null); do
    [ ! -e "$file" ] || { mkdir -p "$root${file%/*}"; rm -rf "${root:?}$file"; cp -rL "$file" "$root${file%/*}/"; }
  done
  find "$root"/etc/apt/sources.list* -type f -exec sed -i "s/\b$machine\b/$release/g" {} +
}

enter() { # COMMAND   as root of that machine, in mount and process namespaces of its own: with it ends all that it started
  local sysroot go kept name; sysroot=$(rustc --print sysroot) go=$(go env GOROOT); kept=()
  for name in $(compgen -e | grep -iE '^(https?|no|all)_proxy$|^GO(PROXY|SUMDB|NOSUMDB|PRIVATE)$|^PIP_(INDEX_URL|CERT)$|^SSL_CERT_(FILE|DIR)$'); do
    kept+=("$name=${!name}")
  done
  env -i "${kept[@]}" HOME=/root LANG=C.UTF-8 TERM=dumb CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 \
    PATH="$sysroot/bin:$go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    unshare --mount --propagation private --pid --fork --kill-child "$here/enter.sh" "$root" "$sysroot" "$go" "$1"
}

demo() {
  say "make demo on $release"
  enter "make demo && cluster=\$(LAB_NAME=demo tests/lab/lab ssh 1 kubectl --kubeconfig /etc/kubernetes/admin.conf get pods -A) && grep jenkins-0 <<<\"\$cluster\" && make demo-down"
}

tests() {
  say "make test on $release"
  cat "$repository/.ci/skips" "$here/skips" > "$root/src/skips"
  enter "SKIPS_ALLOWED=/src/skips make test"
}

[ "$(id -u)" = 0 ] || die "it makes a machine of its own and needs root: sudo --preserve-env=PATH make fresh"
case $part in all|demo|test) ;; *) die "FRESH=$part: demo, test, or nothing for both" ;; esac
[ "$release" = bookworm ] || [ "$part" != test ] || die "the tests run on bookworm only: FRESH=demo"
for tool in mmdebstrap rustc go git; do command -v "$tool" >/dev/null || die "$tool is missing"; done
began=$SECONDS
make_root; copy_settings
[ "$part" = test ] || demo
[ "$part" = demo ] || [ "$release" != bookworm ] || tests
rm -rf --one-file-system "$root"
say "$release is fit as it comes ($(((SECONDS - began) / 60)) min)"

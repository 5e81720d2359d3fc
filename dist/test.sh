#!/bin/bash
# dist/test.sh   Do the packages of target/dist install on bare hosts of both families, does the program start there, and does
# nothing stay when they are removed? Hosts are those of the lab (`lab prepare`, `lab rhel prepare`), in a chroot over an overlay.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lab/lib.sh
. tests/lab/checks.sh
out=target/dist work=$(mktemp -d)
leave() { ! mountpoint -q "$work/root" || umount "$work/root"; }
trap 'leave; rm -rf "$work"' EXIT

on() { chroot "$work/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 sh -euc "$1"; }
# What there is, without what package managers keep about themselves.
files() { on 'find / -xdev -path /proc -prune -o -path /var/lib/dpkg -prune -o -path /var/lib/rpm -prune -o -path /var/log -prune -o -path /var/cache -prune -o -print' | sort; }

bare() { # kind of host
  leave
  rm -rf "$work"/{up,wd,root}; mkdir -p "$work"/{up,wd,root}
  [ -d "$ROOTFS/$1" ] || die "no host of the kind '$1': see 'lab help'"
  mount -t overlay overlay -o "lowerdir=$ROOTFS/$1,upperdir=$work/up,workdir=$work/wd" "$work/root"
}

try() { # kind of host, package, command that installs, command that removes
  bare "$1"; files > "$work/before"
  cp "$2" "$work/root/root/package"
  check "$1: ${2##*/} installs" on "$3"
  check "$1: the program starts" on 'ci-bootstrap --version | grep -q "^ci-bootstrap "'
  check "$1: the example inventory passes check" on 'ci-bootstrap check /usr/share/doc/ci-bootstrap/inventory.example.yaml'
  check "$1: pages and completions are there" on 'ls /usr/share/man/man1/ci-bootstrap-apply.1.gz /usr/share/bash-completion/completions/ci-bootstrap >/dev/null'
  check "$1: it is removed" on "$4"
  rm "$work/root/root/package"; files > "$work/after"
  check "$1: nothing is left" diff "$work/before" "$work/after"
}

( cd "$out" && sha256sum --quiet -c SHA256SUMS ) || die "SHA256SUMS does not fit the files"
echo "ok    SHA256SUMS"
# The lab's hosts leave documents out, as container images do.
try bookworm "$(ls "$out"/*_amd64.deb)" 'dpkg --path-include="/usr/share/*/ci-bootstrap*" -i /root/package' 'dpkg --purge ci-bootstrap'
# The lab's packages have Debian's names; the dependency is looked at and not resolved.
try rocky9 "$(ls "$out"/*.x86_64.rpm)" 'rpm -qp --requires /root/package | grep -q openssh-clients && rpm -i --nodeps /root/package' 'rpm -e ci-bootstrap'
if [ -e "$out/SHA256SUMS.sig" ]; then
  [ -n "${DIST_KEY:-}" ] || die "SHA256SUMS is signed: DIST_KEY names the key, whose public half is beside it"
  printf 'release %s\n' "$(cut -d' ' -f1,2 "$DIST_KEY.pub")" > "$work/signers"
  check "the signature fits" bash -c "ssh-keygen -Y verify -f '$work/signers' -I release -n ci-bootstrap-release -s '$out/SHA256SUMS.sig' < '$out/SHA256SUMS'"
fi
echo "the release is as it should be"

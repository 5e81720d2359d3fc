#!/bin/bash
# fresh/enter.sh ROOT RUST GO COMMAND   Makes ROOT the root of this mount namespace, with the machine's kernel interfaces and both toolchains, and
# runs a shell command in the clone there. A real root and no chroot: systemd-nspawn makes roots of its own in it.
set -euo pipefail
root=$1 rust=$2 go=$3 command=$4
mount --bind "$root" "$root"
for dir in "$rust" "$go"; do
  mkdir -p "$root$dir"; mount --bind "$dir" "$root$dir"; mount -o remount,bind,ro "$root$dir"
done
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"   # with cgroups: hosts get their own in the machine's
mount -t tmpfs -o mode=755 tmpfs "$root/run"
cd "$root"; pivot_root . old
umount -l /old
cd /src/ci-bootstrap
exec bash -o pipefail -c "$command" </dev/null

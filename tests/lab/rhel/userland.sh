#!/bin/bash
# rhel/userland.sh   The bare host plus dnf, rpm and what a RHEL has from the start, still with its dpkg -> $LAB_ROOT/rhel-userland
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
dst=$LAB_ROOT/rhel-userland new=$LAB_ROOT/rhel-userland.new
packages="dnf dnf-plugins-core rpm firewalld iptables nftables chrony curl gnupg selinux-utils policycoreutils"

stamp=$( { cat "$0" "$LAB_ROOT/stamps/rootfs"; } | hash_of)
[ -d "$dst" ] && is_done rhel-userland "$stamp" && exit 0
t0=$(now); rm -rf "$new"; cp -a "$ROOTFS/$LAB_SUITE" "$new"
# shellcheck disable=SC2086  # one word per package
"$LAB_HERE/fetch-debs.sh" "$ROOTFS/$LAB_SUITE" "$new/debs" $packages
chroot "$new" sh -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /debs/*.deb' > "$LAB_ROOT/rhel-userland.log" 2>&1 \
  || die "installing dnf into $new failed: $(tail -3 "$LAB_ROOT/rhel-userland.log")"
rm -rf "$new/debs" "$LAB_ROOT/rhel-userland.log" "$dst"; mv "$new" "$dst"
mark_done rhel-userland "$stamp"; say "RHEL-like userland: $(since "$t0"), $(du -sm "$dst" | cut -f1) MiB"

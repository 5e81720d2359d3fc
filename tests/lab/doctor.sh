#!/bin/bash
# doctor.sh [--quiet|--install|--packages]   What this machine lacks to run the lab, each with the command that fixes it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin   # where a user's shell doesn't look
# program:Debian package, and file:Debian package
programs="mmdebstrap:mmdebstrap systemd-nspawn:systemd-container busybox:busybox-static git:git openssl:openssl nft:nftables ip:iproute2 xz:xz-utils
  zstd:zstd gpg:gnupg apt-ftparchive:apt-utils dpkg-deb:dpkg ssh:openssh-client sshd:openssh-server sudo:sudo curl:curl unshare:util-linux mount:mount
  sysctl:procps modprobe:kmod mke2fs:e2fsprogs python3:python3 gcc:gcc
  update-ca-certificates:ca-certificates"
files="/usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring /usr/include/stdlib.h:libc6-dev"
bad=0
report() { bad=$((bad + 1)); echo "lab: $1" >&2; echo "     fix: $2" >&2; }
# The NFS client of the container hosts is built against libfuse, where nobody has built it before.
built_before() { [ -x "$BIN/$1" ] || compgen -G "${LAB_ARTIFACTS:-/nowhere}/$1-*.xz" >/dev/null; }
lacking() {
  local pair; built_before mount.nfs || files+=" /usr/include/fuse3/fuse.h:libfuse3-dev"
  for pair in $programs; do command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"; done
  for pair in $files; do [ -e "${pair%%:*}" ] || echo "${pair#*:}"; done
}

if [ "${1:-}" = --packages ]; then # all that a machine needs, whether it has them or not
  for pair in $programs $files; do echo "${pair#*:}"; done | sort -u
  exit 0
fi
if [ "${1:-}" = --install ]; then
  packages=$(lacking)
  # No part of the lab: `make lint` runs it.
  command -v shellcheck >/dev/null || packages="$packages shellcheck"
  [ -n "$packages" ] || { echo "nothing is missing"; exit 0; }
  apt-get -q update
  # shellcheck disable=SC2086  # one word per package
  DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $packages
  packages=$(lacking | tr '\n' ' '); [ -z "$packages" ] || die "still missing after their installation: what the packages $packages should have brought"
  exit 0
fi

[ "$(id -u)" = 0 ] || report "needs root: it makes network namespaces, cgroups and mounts" "run it as root"
[ -f /etc/debian_version ] || report "needs Debian: it makes its hosts with apt and mmdebstrap" "use a Debian 12 machine or VM"
packages=$(lacking | tr '\n' ' '); [ -z "$packages" ] || report "something is missing of the packages: $packages" "$LAB_HERE/lab install-deps"
if has_cgroup_v2; then
  for controller in $CONTROLLERS; do
    grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers || report "cgroup v2 has no controller '$controller'" "boot the machine without cgroup_disable=$controller, or use one that is no container"
  done
else
  [ -e /sys/fs/cgroup/unified/cgroup.procs ] || report "/sys/fs/cgroup is neither cgroup v2 nor cgroup v1 with the v2 hierarchy at /sys/fs/cgroup/unified" \
    "boot with systemd.unified_cgroup_hierarchy=1"
fi
probe=cilab-doctor-$$
{ ip netns add $probe && ip netns del $probe; } 2>/dev/null || report "network namespaces can't be made" "give this machine or container CAP_SYS_ADMIN and CAP_NET_ADMIN"
grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || report "the kernel has no overlayfs" "use a kernel with CONFIG_OVERLAY_FS"
for device in kmsg fuse; do [ -e /dev/$device ] || report "/dev/$device is missing" "modprobe $device, or mknod it"; done
mkdir -p "$LAB_ROOT"; free=$(df -Pm "$LAB_ROOT" | awk 'END {print $4}')
[ "$free" -gt 4000 ] || report "$LAB_ROOT has $free MiB free; a cluster of three hosts needs 4000" "set LAB_ROOT to a larger file system"
[ -n "${LAB_ARTIFACTS:-}" ] || [ -e "$BIN/kube" ] || command -v go >/dev/null || report "neither LAB_ARTIFACTS nor go: no programs to put into packages and images" "export LAB_ARTIFACTS=FOLDER, or install go 1.26"
[ "$bad" = 0 ] || exit 1
[ "${1:-}" = --quiet ] || echo "this machine is fit for the lab"

#!/bin/bash
# rhel.sh   Hosts with dnf, rpm, firewalld and signed repositories instead of apt. Otherwise ordinary hosts of the lab.
set -euo pipefail
. "$(dirname "$0")/lib.sh"; . "$LAB_HERE/rhel/rpm.sh"
tools="rpmbuild:rpm rpmsign:rpm createrepo_c:createrepo-c gpg:gnupg"

usage() { cat <<U
lab rhel install-deps       the Debian packages that 'prepare' needs: rpm, createrepo-c
lab rhel prepare            rpm repositories and the host's file system, cached in $LAB_ROOT (after 'lab prepare')
lab rhel up N...            start RHEL-like hosts and wait for ssh; then they are hosts like all others:
                            lab host reboot|poweroff|kill|wait|down N, lab ssh N, lab down
lab rhel down N...          the same as 'lab host down' for each
lab rhel inventory-host N   its line for \`hosts:\` of an inventory
lab rhel inventory-packages the part of \`packages:\` that names the rpm repositories

Example: lab up 1; lab rhel prepare; lab rhel up 40; lab ssh 40 dnf repolist
U
}

missing() { local pair; for pair in $tools; do command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"; done | sort -u | tr '\n' ' '; }

install_deps() {
  local packages; packages=$(missing)
  [ -n "$packages" ] || { echo "nothing is missing"; return; }
  apt-get -q update
  # shellcheck disable=SC2086  # one word per package
  DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $packages
}

prepare() {
  local packages step; packages=$(missing)
  [ -z "$packages" ] || die "programs are missing, of the packages: ${packages}- run '$LAB_HERE/lab rhel install-deps'"
  [ -f "$LAB_ROOT/stamps/debs" ] && [ -d "$REPOS/debian" ] || die "there is nothing to make rpms of: run '$LAB_HERE/lab prepare' first"
  exec 9>"$LAB_ROOT/prepare.lock"; flock -n 9 || { say "waiting for another 'lab prepare'"; flock 9; }
  for step in userland repos rootfs; do "$LAB_HERE/rhel/$step.sh" 9>&-; done
}

up() { # N...
  local n
  [ -d "$ROOTFS/$RHEL_KIND" ] || die "no RHEL-like host yet: run '$LAB_HERE/lab rhel prepare'"
  "$LAB_HERE/services.sh" up   # the repositories may be newer than the lab
  for n in "$@"; do LAB_HOST_KIND=$RHEL_KIND "$LAB_HERE/host.sh" up "$n"; done
  for n in "$@"; do "$LAB_HERE/host.sh" wait "$n" 120; done
}

inventory_packages() {
  local name
  echo "  rpm:"
  for name in kubernetes containerd; do echo "    $name: { url: $HTTP/rpm/$name/, key: { file: $KEYS/rpm-vendor.asc } }"; done
}

command=${1:-help}; shift || true
case $command in
  install-deps) install_deps ;;
  prepare) prepare ;;
  up) need_lab; [ $# -gt 0 ] || die "usage: lab rhel up N..."; up "$@" ;;
  down) [ $# -gt 0 ] || die "usage: lab rhel down N..."; for n in "$@"; do "$LAB_HERE/host.sh" down "$n"; done ;;
  inventory-host) need_host "${1:-}"; echo "  - { name: el$1, address: $(node_ip "$1"), roles: [worker] }" ;;
  inventory-packages) inventory_packages ;;
  help|-h|--help) usage ;;
  *) usage >&2; exit 2 ;;
esac

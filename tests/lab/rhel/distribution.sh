#!/bin/bash
# rhel/distribution.sh   The part of the distribution that ci-bootstrap may meet, under RHEL's package names -> $RPMS.new/base
# Made of Debian's files: the names, the dependencies and the database are rpm's, the programs inside are not RHEL's.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"; . "$LAB_HERE/rhel/rpm.sh"
userland=$LAB_ROOT/rhel-userland debs=$LAB_ROOT/rhel-debs

debian_version() { # package: without epoch and Debian's revision
  awk -v p="$1" '$1 == "Package:" {on = ($2 == p)} on && $1 == "Version:" {print $2; exit}' "${2:-$userland/var/lib/dpkg/status}" \
    | sed -E 's/^[0-9]+://; s/-[^-]*$//; s/[^0-9A-Za-z.]/./g'
}
owned_files() { cat "$userland/var/lib/dpkg/info/$1.list" 2>/dev/null || cat "$userland/var/lib/dpkg/info/$1:amd64.list"; }

from_userland() { # pattern package...: the files of installed packages whose path matches
  local pattern=$1 package; shift
  for package in "$@"; do owned_files "$package"; done | grep -E "$pattern" | while read -r path; do
    [ -d "$userland$path" ] || [ ! -e "$userland$path" ] || (cd "$userland" && cp -a --parents ".$path" "$files/")
  done
}
from_debian() { # package...: with all that they need beyond the userland
  local deb; rm -rf "$debs"
  "$LAB_HERE/fetch-debs.sh" "$userland" "$debs" "$@" >/dev/null
  for deb in "$debs"/*.deb; do dpkg -x "$deb" "$files"; done
  version=$(dpkg-deb -f "$(ls "$debs/$1"_*.deb)" Version | sed -E 's/^[0-9]+://; s/-[^-]*$//; s/[^0-9A-Za-z.]/./g')
}

# Is there from the start: its rpm is for the database and the repository.
preinstalled() { from_userland . "${@:2}"; preinstalled_as "$@"; } # name Debian-package...
preinstalled_as() { pack base "$1" "$(debian_version "$2")" 1.el9 "$1"; echo "$1" >> "$RPMS.new/preinstalled"; }
# Can be installed. The rootfs loses the files of those that are made of the userland.
available() { local name=$1; shift; from_debian "$@"; pack base "$name" "$version" 1.el9 "$name"; }
taken_out() { # name pattern Debian-package
  from_userland "$2" "$3"; pack base "$1" "$(debian_version "$3")" 1.el9 "$1"; echo "$1" >> "$RPMS.new/taken-out"
}
user() { post+=("id $1 >/dev/null 2>&1 || useradd -r -M -d $2 -s /usr/sbin/nologin $1 || :"); }

release() {
  tree; provides=("system-release = 9.4" "system-release(releasever) = 9" "redhat-release = 9.4"); mkdir -p "$files/etc"
  printf '%s\n' 'NAME="Rocky Linux"' 'VERSION="9.4 (Blue Onyx)"' 'ID="rocky"' 'ID_LIKE="rhel centos fedora"' 'VERSION_ID="9.4"' \
    'PLATFORM_ID="platform:el9"' 'PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"' 'ANSI_COLOR="0;32"' 'SUPPORT_END="2032-05-31"' > "$files/etc/os-release"
  echo 'Rocky Linux release 9.4 (Blue Onyx)' > "$files/etc/redhat-release"
  pack base rocky-release 9.4 1.el9 "Release files"; echo rocky-release >> "$RPMS.new/preinstalled"
}

chrony() { # RHEL's name of the service and place of its configuration
  tree; from_userland . chrony
  merge_usr; local units=$files/usr/lib/systemd/system
  sed -E -i '/^Alias=/d; s,^(ExecStart=.*chronyd)( .*)?$,\1 -f /etc/chrony.conf -F 1,' "$units/chrony.service"; mv "$units/chrony.service" "$units/chronyd.service"
  rm -rf "$files"/etc/{chrony,default,init.d} "$units"/chrony-dnssrv*
  printf 'pool 2.rocky.pool.ntp.org iburst\ndriftfile /var/lib/chrony/drift\nmakestep 1.0 3\nrtcsync\n' > "$files/etc/chrony.conf"
  services=(chronyd.service); user _chrony /var/lib/chrony; post+=("install -d -o _chrony -g _chrony /var/lib/chrony || :")
  pack base chrony "$(debian_version chrony)" 1.el9 "NTP client and server"; echo chrony >> "$RPMS.new/taken-out"
}

base() {
  local name
  release; chrony
  for name in sudo procps kmod util-linux nftables policycoreutils dnf rpm curl; do tree; preinstalled "${name/procps/procps-ng}" "$name"; done
  tree; preinstalled firewalld firewalld python3-firewall
  tree; provides=(/bin/sh); preinstalled bash bash dash
  tree; from_userland . openssh-server; rm -f "$files"/lib/systemd/system/ssh.*; preinstalled_as openssh-server openssh-server   # its unit is called sshd here
  tree; preinstalled gnupg2 gnupg gpg
  tree; from_userland . iproute2; rm -f "$files"/{,s}bin/tc "$files"/usr/{,s}bin/tc; preinstalled_as iproute iproute2
  tree; provides=(iptables); preinstalled iptables-nft iptables
  tree; preinstalled libselinux-utils selinux-utils
  tree; requires=(iproute); taken_out iproute-tc '/s?bin/tc$' iproute2
  tree; taken_out python3-dnf-plugin-versionlock '/versionlock\.(py|conf|list)$' dnf-plugins-core
  tree; provides=(conntrack); available conntrack-tools conntrack
  for name in socat ethtool ipset ipvsadm jq rsync; do tree; available "$name" "$name"; done
  tree; services=(nfs-server.service rpcbind.service); user _rpc /run/rpcbind; user statd /var/lib/nfs
  available nfs-utils nfs-common nfs-kernel-server
  tree; mkdir -p "$files/usr/share/selinux/packages"; pack base container-selinux 2.229.0 1.el9 "Empty here: there is no SELinux in the lab's kernel"
}

mkdir -p "$RPMS.new/base"; base; rm -rf "$debs"

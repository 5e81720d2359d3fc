#!/bin/bash
# rhel/rootfs.sh   The RHEL-like host: the userland with rpm's database, RHEL's files, and no trace of apt and dpkg -> $ROOTFS/rocky9
set -euo pipefail
. "$(dirname "$0")/../lib.sh"; . "$LAB_HERE/rhel/rpm.sh"
dst=$ROOTFS/$RHEL_KIND new=$ROOTFS/$RHEL_KIND.new

stamp=$( { cat "$0"; cat "$LAB_ROOT/stamps/rhel-repos"; } | hash_of)
[ -d "$dst" ] && is_done rhel-rootfs "$stamp" && exit 0

package_database() { # rpm knows what is there; what a fresh RHEL has not is taken away, to be installed from the repository
  local name path
  mkdir -p "$new"/etc/{rpm,pki/rpm-gpg} "$new/var/lib/rpm" "$new/rpms"
  echo '%_dbpath /var/lib/rpm' > "$new/etc/rpm/macros.dbpath"
  cp "$KEYS/rpm-distribution.asc" "$new/etc/pki/rpm-gpg/RPM-GPG-KEY-lab-distribution"
  while read -r name; do cp "$RPMS/base/$name"-[0-9]*.rpm "$new/rpms/"; done < "$RPMS/preinstalled"
  while read -r name; do
    rpm -qpl "$RPMS/base/$name"-[0-9]*.rpm 2>/dev/null | while read -r path; do [ -d "$new$path" ] || rm -f "$new$path"; done
  done < "$RPMS/taken-out"
  chroot "$new" rm -rf /etc/chrony /usr/lib/systemd/system/chrony.service /etc/systemd/system/{chronyd.service,multi-user.target.wants/chrony.service}
  rm -f "$new"/etc/{os-release,debian_version} "$new/usr/lib/os-release"
  chroot "$new" sh -ec 'rpm --import /etc/pki/rpm-gpg/RPM-GPG-KEY-lab-distribution; rpm -i --nodeps --force-debian /rpms/rocky-release-*.rpm
    rm /rpms/rocky-release-*.rpm; rpm -i --justdb --nodeps --noscripts --force-debian /rpms/*.rpm' > "$new/rpms/log" 2>&1 \
    || die "filling rpm's database failed: $(tail -3 "$new/rpms/log")"
  rm -rf "$new/rpms"
}

release_files() {
  ln -s ../../etc/os-release "$new/usr/lib/os-release"; ln -s redhat-release "$new/etc/system-release"; ln -s redhat-release "$new/etc/rocky-release"
  mkdir -p "$new"/etc/{selinux,sysconfig,yum.repos.d}
  # As installed. There is no SELinux in the kernel below, so `getenforce` says Disabled.
  printf 'SELINUX=enforcing\nSELINUXTYPE=targeted\n' > "$new/etc/selinux/config"; ln -sf ../selinux/config "$new/etc/sysconfig/selinux"
  ln -sf dnf "$new/usr/bin/yum"
  printf '%s\n' '[main]' gpgcheck=1 installonly_limit=3 clean_requirements_on_remove=True best=True skip_if_unavailable=False > "$new/etc/dnf/dnf.conf"
  # Debian's build of dnf turns on a local repository that RHEL's does not have.
  sed -i '0,/^enabled/s/^enabled.*/enabled = false/' "$new/etc/dnf/plugins/local.conf"
}

services() { # RHEL's name of sshd, and its firewall on from the start
  local units=$new/usr/lib/systemd/system
  chroot "$new" systemctl -q disable ssh
  sed '/^Alias=/d' "$units/ssh.service" > "$units/sshd.service"; rm -f "$units"/ssh.service "$units"/ssh.socket
  chroot "$new" systemctl -q enable sshd firewalld
  # A container may not set the clock, and chrony's unit would not even start: here it runs, and keeps its hands off.
  install -D -m644 /dev/stdin "$new/etc/systemd/system/chronyd.service.d/lab.conf" \
    <<<$'[Unit]\nConditionCapability=\n[Service]\nExecStart=\nExecStart=!/usr/sbin/chronyd -f /etc/chrony.conf -F 1 -x'
}

users() { # RHEL's group of administrators
  chroot "$new" sh -ec 'groupadd -r wheel; for user in admin ops; do usermod -G wheel $user; done; groupdel sudo'
  sed -i 's/^%sudo.*/%wheel ALL=(ALL) ALL/' "$new/etc/sudoers"
}

fresh_installation() {
  echo localhost > "$new/etc/hostname"
  printf '127.0.0.1   localhost localhost.localdomain localhost4\n::1         localhost localhost.localdomain localhost6\n' > "$new/etc/hosts"
  printf '%s\n' '/dev/mapper/rl-root / xfs defaults,noauto 0 0' '/dev/mapper/rl-swap none swap defaults,nofail,noauto 0 0' > "$new/etc/fstab"
}

without_debian() { # after everything that runs its scripts
  rm -rf "$new"/usr/bin/{apt,apt-*,dpkg,dpkg-*,deb-systemd-*,debconf*} "$new"/usr/sbin/{dpkg-*,update-rc.d,invoke-rc.d} \
    "$new"/etc/{apt,dpkg,debconf.conf} "$new"/var/lib/{apt,dpkg} "$new"/var/cache/{apt,debconf} "$new"/usr/lib/{apt,dpkg}
}

t0=$(now); rm -rf "$new"; mkdir -p "$ROOTFS"; cp -a "$LAB_ROOT/rhel-userland" "$new"
package_database; release_files; services; users; fresh_installation; without_debian
retire "$dst"; mv "$new" "$dst"
mark_done rhel-rootfs "$stamp"; say "RHEL-like host: $(since "$t0"), $(du -sm "$dst" | cut -f1) MiB"

#!/bin/bash
# rootfs.sh   The bare Debian host: systemd, sshd, sudo, apt, and the small mistakes a fresh installation has. -> $ROOTFS/bookworm
set -euo pipefail
. "$(dirname "$0")/lib.sh"
dst=$ROOTFS/$LAB_SUITE new=$ROOTFS/$LAB_SUITE.new
packages=systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,kmod,procps,util-linux,mount,netbase,iputils-ping,ca-certificates,python3-minimal

stamp=$( { cat "$0" "$LAB_HERE"/host/*; echo "$packages"; cat "$KEY.pub" "$BIN/.versions/mount.nfs"; uname -r; } | hash_of)
[ -d "$dst" ] && is_done rootfs "$stamp" && exit 0

bootstrap() {
  # The mirror's signature is checked by mmdebstrap; the sources.list it writes is replaced when a host starts.
  mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include="$packages" "$LAB_SUITE" "$new" "$(debian_mirror)"
  rm -f "$new"/etc/apt/apt.conf.d/99mmdebstrap "$new"/etc/apt/sources.list "$new"/etc/resolv.conf
  : > "$new/etc/machine-id"
}

units() {
  chroot "$new" systemctl -q enable ssh
  # Timers that would hold the apt lock or the disk at odd moments, and services without a device behind them.
  chroot "$new" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer dpkg-db-backup.timer systemd-timesyncd.service systemd-networkd-wait-online.service getty.target console-getty.service
  install -m755 "$LAB_HERE/host/lab-boot" "$new/usr/local/sbin/"
  install -m644 "$LAB_HERE/host/lab-boot.service" "$new/etc/systemd/system/"
  chroot "$new" systemctl -q enable lab-boot
  # journald would copy the whole machine's kernel log. cgroup v1 does not tell a systemd in a container that a cgroup
  # became empty, so every pod's scope would wait out the default 90 s at shutdown.
  mkdir -p "$new"/etc/systemd/{journald,system}.conf.d
  printf '[Journal]\nReadKMsg=no\nForwardToKMsg=no\n' > "$new/etc/systemd/journald.conf.d/lab.conf"
  printf '[Manager]\nDefaultTimeoutStopSec=5s\n' > "$new/etc/systemd/system.conf.d/lab.conf"
  # The same for the sessions of users, where a package brings libpam-systemd: its own limit is 120 s.
  install -D -m644 /dev/stdin "$new/etc/systemd/system/user@.service.d/lab.conf" <<<$'[Service]\nTimeoutStopSec=5s'
}

users() { # root, admin (sudo without a password), ops (sudo with one): all three by the lab's ssh key
  local user home
  for user in admin ops; do chroot "$new" useradd -m -s /bin/bash -G sudo "$user"; done
  echo "ops:$OPS_PASSWORD" | chroot "$new" chpasswd
  echo 'admin ALL=(ALL) NOPASSWD: ALL' > "$new/etc/sudoers.d/admin"; chmod 440 "$new/etc/sudoers.d/admin"
  for home in root home/admin home/ops; do
    install -d -m700 "$new/$home/.ssh"; install -m600 "$KEY.pub" "$new/$home/.ssh/authorized_keys"
    chroot "$new" chown -R --reference="/$home" "/$home/.ssh"
  done
  rm -f "$new"/etc/ssh/ssh_host_*   # each host gets its own when it is made
}

fresh_installation() { # nobody named it, swap is on, no module is loaded at boot
  echo debian > "$new/etc/hostname"
  printf '127.0.0.1\tlocalhost\n127.0.1.1\tdebian\n' > "$new/etc/hosts"
  cat > "$new/etc/fstab" <<F
# /etc/fstab: static file system information.
# <file system> <mount point> <type> <options> <dump> <pass>
/dev/vda1 / ext4 defaults,noatime,noauto 0 1
/swapfile none swap sw,nofail,noauto 0 0
F
}

nfs_client() { # this kernel may have no NFS: the lab's own client in user space stands where nfs-common will put its own
  chroot "$new" dpkg-divert --quiet --local --no-rename --divert /sbin/mount.nfs.debian --add /sbin/mount.nfs
  install -m755 "$BIN/mount.nfs" "$new/sbin/mount.nfs"
}

kernel_modules() { # modprobe shall tell the truth about what this kernel has built in, and fail for the rest
  local dir entry config; dir=$new/lib/modules/$(uname -r); mkdir -p "$dir"; : > "$dir/modules.builtin"; : > "$dir/modules.order"
  [ -r /proc/config.gz ] || { say "no /proc/config.gz: modprobe will fail in the hosts"; return 0; }
  config=$(zcat /proc/config.gz)
  for entry in OVERLAY_FS:fs/overlayfs/overlay BRIDGE_NETFILTER:net/bridge/br_netfilter NF_CONNTRACK:net/netfilter/nf_conntrack \
    VXLAN:drivers/net/vxlan/vxlan IP_VS:net/netfilter/ipvs/ip_vs IP_VS_RR:net/netfilter/ipvs/ip_vs_rr; do
    if grep -qx "CONFIG_${entry%%:*}=y" <<<"$config"; then echo "kernel/${entry#*:}.ko" >> "$dir/modules.builtin"; fi
  done
  chroot "$new" depmod -a "$(uname -r)" 2>/dev/null || true   # it warns that there is no module at all
}

t0=$(now); mkdir -p "$ROOTFS"; rm -rf "$new"
bootstrap; units; users; fresh_installation; nfs_client; kernel_modules
retire "$dst"; mv "$new" "$dst"
mark_done rootfs "$stamp"; say "bare host: $(since "$t0"), $(du -sm "$dst" | cut -f1) MiB"

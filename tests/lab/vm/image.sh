#!/bin/bash
# vm/image.sh KIND   A host of the lab (bookworm, rocky9) with a kernel of its own -> $LAB_ROOT/vm/KIND.{raw,vmlinuz,initrd}
# bookworm-lab: with Debian 13's kernel, and all that a machine needs to host a lab itself.
# No loop device: a directory, filled by mke2fs.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"; . "$LAB_HERE/rhel/rpm.sh"
kind=$1 base=${1%-lab} dst=$LAB_ROOT/vm
rootfs_stamp=rootfs; [ "$base" = "$LAB_SUITE" ] || rootfs_stamp=rhel-rootfs
stamp=$( { cat "$LAB_HERE"/vm/{image.sh,firstboot,firstboot.service,lab.cil}; cat "$LAB_ROOT/stamps/$rootfs_stamp"; [ "$kind" = "$base" ] || cat "$LAB_HERE/doctor.sh"; } | hash_of)
[ -f "$dst/$kind.raw" ] && is_done "vm-$kind" "$stamp" && exit 0

install_debs() { # --force-confold: files that are there before their package
  chroot "$root" sh -c 'DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i /debs/*.deb' > "$work/log" 2>&1 \
    || die "installing into the image failed: $(tail -3 "$work/log")"
  rm -rf "$root/debs"
}

initrd_modules() { # only what it takes to mount a virtio disk
  mkdir -p "$root/etc/initramfs-tools/conf.d"
  printf 'MODULES=list\nCOMPRESS=lz4\nCOMPRESSLEVEL=1\n' > "$root/etc/initramfs-tools/conf.d/lab"
  printf '%s\n' virtio_pci virtio_blk virtio_net ext4 > "$root/etc/initramfs-tools/modules"
}

# With it the generator of swap in compressed memory, and nfs-common, which takes minutes to install in emulation.
debian_kernel() {
  initrd_modules
  "$LAB_HERE/fetch-debs.sh" "$root" "$root/debs" linux-image-cloud-amd64 initramfs-tools lz4 udev e2fsprogs systemd-zram-generator nfs-common
  install_debs
  printf '%s\n' '[zram0]' 'zram-size = 64' > "$root/etc/systemd/zram-generator.conf"
  cp "$root"/boot/vmlinuz-* "$dst/$kind.vmlinuz"; cp "$root"/boot/initrd.img-* "$dst/$kind.initrd"
}

lab_machine() { # Debian 13's kernel comes from the backports; it has cgroup v2 alone, as the machine boots with nothing said
  initrd_modules
  mapfile -t packages < <("$LAB_HERE/doctor.sh" --packages)
  "$LAB_HERE/fetch-debs.sh" "$root" "$root/debs" initramfs-tools lz4 udev fuse3 "${packages[@]}"
  install_debs
  "$LAB_HERE/fetch-debs.sh" "$root" "$root/debs" -t "$LAB_SUITE-backports" linux-image-cloud-amd64
  install_debs
  cp "$root"/boot/vmlinuz-* "$dst/$kind.vmlinuz"; cp "$root"/boot/initrd.img-* "$dst/$kind.initrd"
}

rhel_kernel() { # no dpkg there: Debian's kernel and SELinux policy as files, with the initrd of the other image
  local files=$work/files deb
  "$LAB_HERE/fetch-debs.sh" "$LAB_ROOT/rhel-userland" "$work/debs" linux-image-cloud-amd64 udev selinux-policy-default
  for deb in "$work"/debs/{linux-image-[0-9],udev,selinux-policy}*.deb; do dpkg -x "$deb" "$files"; done
  merge_usr; cp -a "$files/." "$root/"
  chroot "$root" depmod -a "$(ls "$files/usr/lib/modules")"
  cp "$root"/boot/vmlinuz-* "$dst/$kind.vmlinuz"; cp "$dst/$LAB_SUITE.initrd" "$dst/$kind.initrd"
}

selinux() { # the policy under RHEL's name of it, and every file labelled, as an installer leaves them
  mv "$root/etc/selinux/default" "$root/etc/selinux/targeted"; mkdir -p "$root/var/lib/selinux/targeted"
  cp "$LAB_HERE/vm/lab.cil" "$root/"
  chroot "$root" sh -ec 'cd /usr/share/selinux/default
    semodule -X 100 -n -s targeted -i base.pp.bz2 $(ls *.pp.bz2 | grep -v ^base.pp | sed "s/^/-i /") -i /lab.cil; rm /lab.cil' > "$work/log" 2>&1 \
    || die "compiling the SELinux policy failed: $(tail -3 "$work/log")"
  # setfiles reaches the files through /proc.
  unshare --mount --propagation private sh -ec "mount --bind /proc '$root/proc'
    exec chroot '$root' setfiles -F /etc/selinux/targeted/contexts/files/file_contexts /" > "$work/log" 2>&1 \
    || die "labelling for SELinux failed: $(tail -3 "$work/log")"
}

machine() { # a machine needs none of the container hosts' crutches, and configures its own network
  if [ -e "$root/sbin/mount.nfs" ]; then
    rm "$root/sbin/mount.nfs"
    # Only where the package's own had been put aside.
    [ "$base" != "$LAB_SUITE" ] || chroot "$root" dpkg-divert --quiet --local --rename --remove /sbin/mount.nfs
  fi
  chroot "$root" systemctl -q disable lab-boot
  rm -rf "$root"/usr/local/sbin/lab-boot "$root"/etc/systemd/system/lab-boot.service "$root"/etc/systemd/system/chronyd.service.d \
    "$root"/etc/systemd/{journald.conf,system.conf,system/user@.service}.d/lab.conf "$root/lib/modules/$(uname -r)"
  printf '/dev/vda / ext4 defaults,noatime 0 1\n' > "$root/etc/fstab"
  install -m755 "$LAB_HERE/vm/firstboot" "$root/usr/local/sbin/"
  install -m644 "$LAB_HERE/vm/firstboot.service" "$root/etc/systemd/system/"
  chroot "$root" systemctl -q enable firstboot systemd-networkd
}

t0=$(now); mkdir -p "$dst"
work=$(mktemp -d "$LAB_ROOT/vm-image.XXXXXX"); trap 'rm -rf "$work"' EXIT
root=$work/root; cp -a "$ROOTFS/$base" "$root"
case $kind in
  "$LAB_SUITE") debian_kernel; machine ;;
  *-lab) lab_machine; machine ;;
  *) rhel_kernel; machine; selinux ;;
esac
truncate -s 12G "$work/disk.raw"
mke2fs -q -t ext4 -L root -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$work/disk.raw"
mv "$work/disk.raw" "$dst/$kind.raw"
mark_done "vm-$kind" "$stamp"; say "VM image $kind: $(since "$t0"), $(du -m "$dst/$kind.raw" | cut -f1) MiB"

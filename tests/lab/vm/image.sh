#!/bin/bash
# vm/image.sh   The lab's bare host with a kernel of its own -> $LAB_ROOT/vm/bookworm.{raw,vmlinuz,initrd}
# No loop device: a directory, filled by mke2fs.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
dst=$LAB_ROOT/vm name=$LAB_SUITE
stamp=$( { cat "$LAB_HERE"/vm/{image.sh,firstboot,firstboot.service}; cat "$LAB_ROOT/stamps/rootfs"; } | hash_of)
[ -f "$dst/$name.raw" ] && is_done vm-image "$stamp" && exit 0

kernel() { # the initrd gets only what it takes to mount a virtio disk
  mkdir -p "$root/etc/initramfs-tools/conf.d"
  printf 'MODULES=list\nCOMPRESS=lz4\nCOMPRESSLEVEL=1\n' > "$root/etc/initramfs-tools/conf.d/lab"
  "$LAB_HERE/fetch-debs.sh" "$ROOTFS/$name" "$root/debs" linux-image-cloud-amd64 initramfs-tools lz4 udev e2fsprogs
  printf 'virtio_pci\nvirtio_blk\nvirtio_net\next4\n' > "$work/modules"
  install -D -m644 "$work/modules" "$root/etc/initramfs-tools/modules"
  # --force-confold: the two files above are there before their package.
  chroot "$root" sh -c 'DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i /debs/*.deb' > "$work/dpkg.log" 2>&1 \
    || die "installing the kernel failed: $(tail -3 "$work/dpkg.log")"
  rm -rf "$root/debs"
  cp "$root"/boot/vmlinuz-* "$dst/$name.vmlinuz"; cp "$root"/boot/initrd.img-* "$dst/$name.initrd"
}

machine() { # a machine needs none of the container hosts' crutches, and configures its own network
  chroot "$root" systemctl -q disable lab-boot
  rm -rf "$root"/usr/local/sbin/lab-boot "$root"/etc/systemd/system/lab-boot.service "$root"/etc/systemd/{journald.conf,system.conf,system/user@.service}.d/lab.conf \
    "$root/lib/modules/$(uname -r)"
  printf '/dev/vda / ext4 defaults,noatime 0 1\n' > "$root/etc/fstab"
  install -m755 "$LAB_HERE/vm/firstboot" "$root/usr/local/sbin/"
  install -m644 "$LAB_HERE/vm/firstboot.service" "$root/etc/systemd/system/"
  chroot "$root" systemctl -q enable firstboot systemd-networkd
}

t0=$(now); mkdir -p "$dst"
work=$(mktemp -d "$LAB_ROOT/vm-image.XXXXXX"); trap 'rm -rf "$work"' EXIT
root=$work/root; cp -a "$ROOTFS/$name" "$root"
kernel; machine
truncate -s 12G "$work/disk.raw"
mke2fs -q -t ext4 -L root -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$work/disk.raw"
mv "$work/disk.raw" "$dst/$name.raw"
mark_done vm-image "$stamp"; say "VM image: $(since "$t0"), $(du -m "$dst/$name.raw" | cut -f1) MiB"

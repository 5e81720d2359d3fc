#!/bin/bash
# vm/qemu.sh   QEMU of Debian's backports, unpacked beside the machine's own packages -> $LAB_ROOT/qemu/run
# Debian 12's own QEMU 7.2 emulates a third slower, and newer kernels panic in it now and then.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
dst=$LAB_ROOT/qemu new=$LAB_ROOT/qemu.new
stamp=$(hash_of < "$0")
[ -x "$dst/run" ] && is_done qemu "$stamp" && exit 0

t0=$(now); rm -rf "$new"; mkdir -p "$new"
# Counted from the bare host, so that every library comes along and the machine needs none.
"$LAB_HERE/fetch-debs.sh" "$ROOTFS/$LAB_SUITE" "$new/debs" -t "$LAB_SUITE-backports" qemu-system-x86 qemu-utils
for deb in "$new"/debs/*.deb; do dpkg -x "$deb" "$new"; done
rm -rf "$new/debs"
cat > "$new/run" <<'W'
#!/bin/sh
# run PROGRAM ARGUMENT...   a program of this folder, with the libraries and the firmware beside it
here=$(cd "$(dirname "$0")" && pwd) lib=lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$here/usr/$lib:$here/$lib QEMU_MODULE_DIR=$here/usr/$lib/qemu
program=$here/usr/bin/$1; shift
# Debian compiles absolute paths of its firmware in; the BIOS belongs to a package of its own.
case $program in */qemu-system-*) exec "$program" -L "$here/usr/share/qemu" -L "$here/usr/share/seabios" "$@" ;; esac
exec "$program" "$@"
W
chmod +x "$new/run"
rm -rf "$dst"; mv "$new" "$dst"
"$dst/run" qemu-system-x86_64 --version > "$dst/version" 2>&1 || die "the unpacked QEMU does not start: $(head -1 "$dst/version")"
mark_done qemu "$stamp"; say "$(head -1 "$dst/version"): $(since "$t0")"

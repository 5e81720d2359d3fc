#!/bin/bash
# vm.sh   Machines with a kernel of their own (QEMU, emulated), on the lab's bridge beside its container hosts.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
kind=${LAB_VM_KIND:-$LAB_SUITE}

usage() { cat <<U
A VM is a host of the lab like the others for 'lab ssh N', 'lab run' and 'lab down'.

lab vm doctor             what this machine lacks to run one; once one is prepared: whether it has booted here
lab vm prepare            QEMU and the image, cached in $LAB_ROOT (after 'lab prepare'; rocky9: after 'lab rhel prepare'),
                          and a first boot of it, until ssh answers
lab vm up [--kind KIND] N...   boot machine N (address $LAB_NET.(10+N)), without waiting for it
lab vm wait N [SECONDS]   until ssh answers (300)
lab vm reboot N           from inside, and wait until it is back
lab vm down [N...]        pull the plug and forget the disk; without a number: all
lab vm list               which there are
lab vm inventory-host N   its line for \`hosts:\` of an inventory

Environment: LAB_VM_KIND   what 'prepare' and 'up' make unless told otherwise: bookworm (default); rocky9, which has SELinux; bookworm-lab, which has
                           Debian 13's kernel and can host a lab itself
             LAB_VM_MEMORY (2048), LAB_VM_CPUS (2), LAB_VM_ACCEL (tcg; kvm where the machine has it for guests)

Example: lab up 1; lab vm prepare; lab vm up 50; lab vm wait 50; lab ssh 50 modprobe ip_vs
U
}

alive() { is_populated "vm$1"; }
need_vm() { [[ ${1:-} =~ ^[0-9]+$ ]] && [ -d "$RUN/vm$1" ] || die "no VM '${1:-}' in the lab '$LAB_NAME': start it with '$LAB_HERE/lab vm up ${1:-50}'"; }

tap_can_be_made() {
  local probe=cilab-doctor-$$ made=0
  ip netns add "$probe" && { ip -n "$probe" tuntap add tap0 mode tap || made=1; ip netns del "$probe"; } && return "$made"
}

doctor() {
  command -v mke2fs >/dev/null || die "mke2fs is missing: run '$LAB_HERE/lab install-deps'"
  [ -e /dev/net/tun ] || die "no /dev/net/tun, which connects a VM to the lab's network: modprobe tun, or mkdir -p /dev/net && mknod /dev/net/tun c 10 200"
  tap_can_be_made || die "no network card for a VM can be made (see above): give this machine or container CAP_NET_ADMIN and the use of /dev/net/tun"
}

# What a machine of this kind is made of, and what it runs on: whether it boots was tried once for each.
boot_stamp() { { cat "$LAB_ROOT/stamps/qemu" "$LAB_ROOT/stamps/vm-$kind" "$LAB_HERE/vm/launch.sh"; uname -r; echo "${LAB_VM_ACCEL:-}"; } | hash_of; }

promise() { # what `doctor` says of booting: no more than was tried
  if is_done "vm-boot-$kind" "$(boot_stamp 2>/dev/null)"; then echo "a VM of the kind $kind has booted on this machine"
  else echo "nothing speaks against a VM here; whether it boots, 'lab vm prepare' tries"; fi
}

try_to_boot() { # in a lab of its own
  local stamp t0; stamp=$(boot_stamp); t0=$(now)
  ! is_done "vm-boot-$kind" "$stamp" || return 0
  export LAB_NAME; LAB_NAME=vm-trial-$(cksum <<<"$LAB_ROOT" | cut -d' ' -f1 | cut -c-10)
  "$LAB_HERE/lab" down
  if "$LAB_HERE/lab" up 0 && "$LAB_HERE/lab" vm up --kind "$kind" 50 && "$LAB_HERE/lab" vm wait 50; then
    "$LAB_HERE/lab" down; mark_done "vm-boot-$kind" "$stamp"; say "VM $kind: its first boot took $(since "$t0")"; return
  fi
  "$LAB_HERE/lab" down || true
  die "the VM of the kind $kind does not boot on this machine: what it says is above"
}

prepare() {
  local image
  doctor
  [ -d "$ROOTFS/${kind%-lab}" ] || die "no host of the kind '$kind' to make a VM of: run '$LAB_HERE/lab prepare' (bookworm) or 'lab rhel prepare' (rocky9) first"
  exec 9>"$LAB_ROOT/prepare.lock"; flock -n 9 || { say "waiting for another 'lab prepare'"; flock 9; }
  "$LAB_HERE/vm/qemu.sh" 9>&-
  # The first image's initrd serves the other too.
  for image in $(printf '%s\n' "$LAB_SUITE" "$kind" | sort -u); do "$LAB_HERE/vm/image.sh" "$image" 9>&-; done
  try_to_boot 9>&-
}

identity() { # N: what a site's installer would have set, as an archive that the first boot unpacks
  local vm=$RUN/vm$1 ip etc=$RUN/vm$1/identity/etc; ip=$(node_ip "$1")
  mkdir -p "$etc"/{apt/trusted.gpg.d,systemd/network,ssh}
  ssh-keygen -q -t ed25519 -N '' -C "vm$1" -f "$etc/ssh/ssh_host_ed25519_key"
  know_host "$ip" "$etc/ssh/ssh_host_ed25519_key.pub"
  printf '%s\n' '[Match]' 'Name=e*' '[Network]' "Address=$ip/24" "Gateway=$GATEWAY" LinkLocalAddressing=no IPv6AcceptRA=no \
    > "$etc/systemd/network/10-lab.network"
  if [ "${kind%-lab}" = "$LAB_SUITE" ]; then debian_site "$etc"; else rhel_site "$etc"; fi
  tar -cf "$vm/identity.tar" -C "$vm/identity" .
}

up() { # N
  [[ $1 =~ ^[0-9]+$ ]] && [ "$1" -ge 1 ] && [ "$1" -le 240 ] || die "vm up '$1': give a number from 1 to 240"
  ! alive "$1" || return 0
  [ ! -d "$RUN/host$1" ] || die "$(node_ip "$1") belongs to host $1 of this lab: take another number"
  down "$1"; mkdir -p "$RUN/vm$1"; echo "$kind" > "$RUN/vm$1/kind"; identity "$1"
  "$LAB_ROOT/qemu/run" qemu-img create -q -f qcow2 -b "$LAB_ROOT/vm/$kind.raw" -F raw "$RUN/vm$1/disk.qcow2"
  "$LAB_HERE/vm/launch.sh" "$1" || { down "$1"; die "QEMU did not start machine $1: what it says is above"; }
}

console() { tail -n 15 "$RUN/vm$1/console.log" 2>&1; } # N

wait_until_up() { # N seconds
  alive "$1" || die "VM $1 is not running: the end of its console: $(console "$1")"
  # An emulated machine hangs in its first boot now and then: at half time it gets another try, with a disk that is new again.
  local half=$(($2 / 2)); ! wait_ssh "$1" "$half" || return 0
  say "VM $1: no ssh within $half s, another try; the end of its console:"; console "$1" >&2
  kind=$(cat "$RUN/vm$1/kind"); down "$1"; up "$1"
  wait_ssh "$1" "$half" || die "VM $1: no ssh within $2 s (an emulated machine starves beside heavy work); the end of its console: $(console "$1")"
}

boot_id() { lab_ssh "$1" cat /proc/sys/kernel/random/boot_id 2>/dev/null; }
reboot() { # N
  local before id end=$((SECONDS + 300)); before=$(boot_id "$1") || die "VM $1 does not answer by ssh"
  lab_ssh "$1" systemctl reboot 2>/dev/null || true   # the connection may end before the command
  while [ "$SECONDS" -lt "$end" ]; do
    id=$(boot_id "$1") && [ -n "$id" ] && [ "$id" != "$before" ] && return 0
    sleep 0.5
  done
  die "VM $1 did not come back within 300 s; its console: $RUN/vm$1/console.log"
}

down() { # N
  remove_cgroup "vm$1"
  in_ns ip link del "tap$1" 2>/dev/null || true
  rm -rf "$RUN/vm$1"
}
list() {
  local n state
  for n in $(traces_of vm); do
    state=stopped; ! alive "$n" || state=running
    echo "vm $n  $(node_ip "$n")  $(cat "$RUN/vm$n/kind" 2>/dev/null || echo left over)  $state"
  done
}

command=${1:-help}; shift || true
[ "${1:-}" != --kind ] || { kind=${2:-}; shift 2 || die "--kind wants bookworm, rocky9 or bookworm-lab"; }
case $command in
  doctor) doctor; promise ;;
  prepare) prepare ;;
  up) need_lab; [ $# -gt 0 ] || die "usage: lab vm up [--kind KIND] N..."
      [ -f "$LAB_ROOT/vm/$kind.raw" ] && [ -x "$LAB_ROOT/qemu/run" ] || die "no VM image of the kind '$kind' yet: run '$LAB_HERE/lab vm prepare'"
      for n in "$@"; do up "$n"; done ;;
  wait) need_vm "${1:-}"; wait_until_up "$1" "${2:-300}" ;;
  reboot) need_vm "${1:-}"; reboot "$1" ;;
  down) all=(); [ $# -gt 0 ] || mapfile -t all < <(traces_of vm); for n in "$@" "${all[@]}"; do down "$n"; done ;;
  list) list ;;
  inventory-host) need_vm "${1:-}"; echo "  - { name: vm$1, address: $(node_ip "$1"), roles: [worker] }" ;;
  help|-h|--help) usage ;;
  *) usage >&2; exit 2 ;;
esac

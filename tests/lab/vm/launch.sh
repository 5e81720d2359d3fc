#!/bin/bash
# vm/launch.sh N   Start QEMU for machine N, in a cgroup by which `down` finds it.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
n=$1 vm=$RUN/vm$1 kind=$(cat "$RUN/vm$1/kind") tap=tap$1
image=$LAB_ROOT/vm/$kind
accel=${LAB_VM_ACCEL:-tcg,thread=multi,tb-size=512}         # "kvm" where the machine has it
memory=${LAB_VM_MEMORY:-2048} cpus=${LAB_VM_CPUS:-2}        # kubeadm wants two CPUs

# What costs boot time under emulation and brings a test nothing is off: firmware of the network card, mitigations, audit.
kernel_line="root=/dev/vda rw console=ttyS0 quiet mitigations=off nokaslr no_timer_check tsc=reliable audit=0 systemd.show_status=0"
[ "${kind%-lab}" = "$LAB_SUITE" ] || kernel_line+=" security=selinux selinux=1"
machine=(-name "$LAB_NAME-vm$n" -accel "$accel" -cpu max -smp "$cpus" -m "$memory" -nodefaults -no-user-config -display none
  -machine q35,usb=off,vmport=off,smm=off,graphics=off
  -kernel "$image.vmlinuz" -initrd "$image.initrd" -append "$kernel_line"
  -object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng
  -chardev "file,id=console,path=$vm/console.log" -serial chardev:console)
disks=(-drive "file=$vm/disk.qcow2,if=virtio,format=qcow2,cache=unsafe,discard=unmap"
  -drive "file=$vm/identity.tar,if=virtio,format=raw,readonly=on")
network=(-netdev "tap,id=net,ifname=$tap,script=no,downscript=no"
  -device "virtio-net-pci,netdev=net,mac=$(printf '52:54:00:77:00:%02x' $((10 + n))),romfile=")

in_ns ip tuntap add "$tap" mode tap; in_ns ip link set "$tap" master "$LAB_BR" up
enter_cgroup "vm$n"
# It emulates its processors some ten times slower: with the share of a container host it starves beside others, until its boot gives up.
share=/sys/fs/cgroup/cpu/$LAB_CG-vm$n/cpu.shares weight=/sys/fs/cgroup/$LAB_CG-vm$n/cpu.weight
[ ! -e "$share" ] || echo 10240 > "$share"
[ ! -e "$weight" ] || echo 1000 > "$weight"
exec ip netns exec "$LAB_NS" "$LAB_ROOT/qemu/run" qemu-system-x86_64 "${machine[@]}" "${disks[@]}" "${network[@]}" -daemonize

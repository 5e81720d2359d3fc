#!/bin/bash
# run-host.sh N   The life of a host: boots it, and boots it again when it asks for a reboot. Runs in a mount namespace of its own.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
n=$1 host=$RUN/host$1 ns=$LAB_NS-h$1

power_on_network() { # a machine that starts has forgotten all network state; the namespace outlives the host and would remember
  local link
  for link in $(ip -n "$ns" -o link | sed -n 's/^[0-9]*: \([^:@]*\).*/\1/p' | grep -vx -e lo -e eth0); do ip -n "$ns" link del "$link" 2>/dev/null; done
  ip netns exec "$ns" sh -c 'nft flush ruleset; cd /proc/sys/net
    for key in ipv4/ip_forward ipv6/conf/all/forwarding bridge/bridge-nf-call-iptables bridge/bridge-nf-call-ip6tables; do [ ! -e $key ] || echo 0 > $key; done'
  ip -n "$ns" addr flush dev eth0; ip -n "$ns" route flush table main
  ip -n "$ns" link set lo up; ip -n "$ns" addr add "$(node_ip "$n")/24" dev eth0
  ip -n "$ns" link set eth0 up; ip -n "$ns" route add default via "$GATEWAY"
}

forget_cgroups() { local dir; for dir in $(hierarchies); do find "$dir/$LAB_CG-h$n" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null; done; }

boot() {
  # Capabilities: as a machine, without those that reach the kernel all hosts share (its clock, its modules, raw memory).
  # Real directories: overlayfs cannot be the upper layer of containerd's own overlayfs.
  systemd-nspawn --quiet --register=no --keep-unit --directory="$host/root" --machine="$LAB_NAME-h$n" --boot \
    --network-namespace-path="/run/netns/$ns" --link-journal=no --resolv-conf=off --timezone=off --console=pipe \
    --capability=all --drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE,CAP_SYS_RAWIO,CAP_WAKE_ALARM \
    --system-call-filter="@keyring bpf perf_event_open" --bind=/dev/kmsg --bind=/dev/fuse \
    --bind="$host/containerd:/var/lib/containerd" --bind="$host/kubelet:/var/lib/kubelet" \
    --bind="$host/etcd:/var/lib/etcd" --bind="$host/log:/var/log"
}

enter_cgroup "h$n"
mount -t overlay overlay -o "lowerdir=$ROOTFS/$(cat "$host/kind"),upperdir=$host/disk,workdir=$host/work" "$host/root"
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=0
while :; do
  power_on_network; forget_cgroups
  boot
  [ $? = 133 ] || break   # 133: the host asked for a reboot
done

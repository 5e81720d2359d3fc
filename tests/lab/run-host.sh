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

# With cgroup v2 alone, a cgroup that hands controllers on holds no process itself. So this script lives in a leaf beside the host's.
enter_host_cgroup() {
  enter_cgroup "h$n"
  has_cgroup_v2 || return 0
  local own=/sys/fs/cgroup/$LAB_CG-h$n
  mkdir -p "$own/script"; echo $$ > "$own/script/cgroup.procs"; delegate_controllers "$own"
}
# The host itself starts in a cgroup of its own, which nspawn parts into one for the host's processes and one for itself.
in_host_cgroup() { # command...
  if has_cgroup_v2; then
    local own=/sys/fs/cgroup/$LAB_CG-h$n/host
    mkdir -p "$own"; sh -c 'echo $$ > "$0/cgroup.procs"; exec "$@"' "$own" "$@"
  else "$@"; fi
}

# What a machine has of its kernel: how it was built (kubeadm reads it) and its modules. Hosts can't load modules into the kernel
# that they share, so those that a node wants are loaded here.
kernel_files=()
for file in "/boot/config-$(uname -r)" "/lib/modules/$(uname -r)"; do [ ! -e "$file" ] || kernel_files+=(--bind-ro="$file"); done
modprobe -aq overlay br_netfilter nf_conntrack vxlan || true

boot() {
  # Capabilities: as a machine, without those that reach the kernel all hosts share (its clock, its modules, raw memory).
  # Real directories: overlayfs cannot be the upper layer of containerd's own overlayfs.
  in_host_cgroup systemd-nspawn --quiet --register=no --keep-unit --directory="$host/root" --machine="$LAB_NAME-h$n" --boot \
    --network-namespace-path="/run/netns/$ns" --link-journal=no --resolv-conf=off --timezone=off --console=pipe \
    --capability=all --drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE,CAP_SYS_RAWIO,CAP_WAKE_ALARM \
    --system-call-filter="@keyring bpf perf_event_open" --bind=/dev/kmsg --bind=/dev/fuse \
    --bind="$host/containerd:/var/lib/containerd" --bind="$host/kubelet:/var/lib/kubelet" \
    --bind="$host/etcd:/var/lib/etcd" --bind="$host/log:/var/log" "${kernel_files[@]}"
}

enter_host_cgroup
mount -t overlay overlay -o "lowerdir=$ROOTFS/$(cat "$host/kind"),upperdir=$host/disk,workdir=$host/work" "$host/root"
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=0
! has_cgroup_v2 || SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
while :; do
  power_on_network; forget_cgroups
  boot
  [ $? = 133 ] || break   # 133: the host asked for a reboot
done

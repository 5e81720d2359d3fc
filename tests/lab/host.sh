#!/bin/bash
# host.sh up|wait|reboot|poweroff|kill|down N   One host of the lab: a systemd-nspawn container with a network namespace of its own.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
command=${1:-} n=${2:-} host=$RUN/host${2:-} ns=$LAB_NS-h${2:-} cgroup=h${2:-} kind=${LAB_HOST_KIND:-$LAB_SUITE}
[[ $n =~ ^[0-9]+$ ]] && [ "$n" -ge 1 ] && [ "$n" -le 240 ] || die "usage: lab host up|wait|reboot|poweroff|kill|down N   (N = 1..240)"

alive() { [ -f "$host/pid" ] && grep -q run-host.sh "/proc/$(cat "$host/pid")/cmdline" 2>/dev/null; }

host_key() {
  local dir=$host/disk/etc/ssh; mkdir -p "$dir"
  ssh-keygen -q -t ed25519 -N '' -C "host$n" -f "$dir/ssh_host_ed25519_key"
  know_host "$(node_ip "$n")" "$dir/ssh_host_ed25519_key.pub"
}

site_settings() {
  if [ -d "$ROOTFS/$kind/etc/yum.repos.d" ]; then rhel_site "$host/disk/etc"; else debian_site "$host/disk/etc"; fi
}

create() {
  [ -d "$ROOTFS/$kind" ] || die "no host of the kind '$kind' in $ROOTFS: run '$LAB_HERE/lab prepare'"
  mkdir -p "$host"/{disk,work,root,containerd,kubelet,etcd,log}
  echo "$kind" > "$host/kind"
  host_key; site_settings
}

connect() { # the network card
  [ -e "/run/netns/$ns" ] && return
  ip netns add "$ns"
  ip -n "$LAB_NS" link add "v$n" type veth peer name eth0 netns "$ns"
  ip -n "$LAB_NS" link set "v$n" master "$LAB_BR" up
}

up() {
  need_lab
  alive && return
  [ ! -d "$RUN/vm$n" ] || die "$(node_ip "$n") belongs to VM $n of this lab: take another number"
  [ -f "$host/kind" ] || { rm -rf "$host"; create; }
  connect; "$LAB_HERE/inotify.sh" raise
  setsid unshare --mount --propagation private "$LAB_HERE/run-host.sh" "$n" </dev/null >>"$host/console.log" 2>&1 &
  echo $! > "$host/pid"
}

unplug() { ip -n "$ns" link set eth0 down; }   # a machine without power answers nothing, not even "connection refused"
stopped() { local _; for _ in $(seq 200); do alive || return 0; sleep 0.1; done; return 1; }

reboot() { # returns when ssh answers under a new boot id
  local before; before=$(lab_ssh "$n" cat /proc/sys/kernel/random/boot_id)
  lab_ssh "$n" systemctl reboot || true
  local end=$((SECONDS + 60)) id
  while [ "$SECONDS" -lt "$end" ]; do
    id=$(lab_ssh "$n" cat /proc/sys/kernel/random/boot_id 2>/dev/null) && [ -n "$id" ] && [ "$id" != "$before" ] && return
    sleep 0.2
  done
  die "host $n did not come back within 60 s: see $host/console.log"
}

down() { # the host and its disk are gone
  remove_cgroup "$cgroup"
  ip -n "$LAB_NS" link del "v$n" 2>/dev/null || true   # at once; deleting the namespace removes it only some time later
  ip netns del "$ns" 2>/dev/null || true
  rm -rf "$host"
}

case $command in
  up) up ;;
  wait) need_host "$n"; wait_ssh "$n" "${3:-60}" || die "host $n: no ssh within ${3:-60} s; its console: $host/console.log" ;;
  reboot) need_host "$n"; reboot ;;
  poweroff) need_host "$n"; lab_ssh "$n" systemctl poweroff || true
    stopped || die "host $n is still running after 20 s: 'lab host kill $n' pulls the plug"; unplug ;;
  kill) need_host "$n"; empty_cgroup "$cgroup"; unplug ;;
  down) down ;;
  *) die "unknown command 'host $command': up, wait, reboot, poweroff, kill or down" ;;
esac

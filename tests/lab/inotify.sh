#!/bin/bash
# inotify.sh raise|restore   Room for the hosts' inotify instances: the kernel counts them for root over all hosts together.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
saved=$LAB_ROOT/run/inotify-before key=fs.inotify.max_user_instances
hosts() { find "$LAB_ROOT"/run/*/ -maxdepth 1 -name 'host*' -type d 2>/dev/null | wc -l; }

mkdir -p "$LAB_ROOT/run"; exec 9>"$LAB_ROOT/run/inotify.lock"; flock 9
case ${1:-} in
  raise) # a control plane takes about 30, a worker 16
    want=$((128 + 40 * $(hosts))) is=$(sysctl -n $key)
    [ "$is" -lt "$want" ] || exit 0
    [ -f "$saved" ] || echo "$is" > "$saved"
    sysctl -qw $key=$((want + 400)) ;;
  restore)
    [ "$(hosts)" = 0 ] && [ -f "$saved" ] || exit 0
    sysctl -qw $key="$(cat "$saved")"; rm -f "$saved" ;;
  *) die "usage: inotify.sh raise|restore" ;;
esac

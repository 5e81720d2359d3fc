#!/bin/bash
# delay.sh MS|off   Makes `lab run` run in a network namespace of its own, behind a cable with a round trip of MS milliseconds.
# (Kernels like this one have no netem.) Only the controller is delayed; hosts, registry and package server stay close to each other.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
ms=${1:-}

off() {
  remove_cgroup delay   # the devices end with the program
  [ ! -e "/run/netns/$CONTROLLER_NS" ] || ip netns del "$CONTROLLER_NS"
}

on() {
  [ -x "$BIN/delay" ] || die "there is no program 'delay' in $BIN: run '$LAB_HERE/lab prepare' (needs go)"
  off
  setsid bash -c '. "$0/lib.sh"; enter_cgroup delay; exec ip netns exec "$LAB_NS" "$@"' "$LAB_HERE" \
    "$BIN/delay" "$ms" delay0 delay1 </dev/null >"$RUN/delay.log" 2>&1 &
  local _; for _ in $(seq 100); do in_ns ip link show delay1 >/dev/null 2>&1 && break; sleep 0.02; done
  in_ns ip link show delay1 >/dev/null 2>&1 || die "the delay did not start: $(cat "$RUN/delay.log")"
  ip netns add "$CONTROLLER_NS"
  ip -n "$LAB_NS" link set delay1 netns "$CONTROLLER_NS"
  ip -n "$LAB_NS" link set delay0 master "$LAB_BR" up
  ip -n "$CONTROLLER_NS" link set lo up
  ip -n "$CONTROLLER_NS" addr add "$LAB_NET.2/24" dev delay1
  ip -n "$CONTROLLER_NS" link set delay1 up
  # The second connection is the honest one: the first also waits for ARP.
  local seen; seen=$(ip netns exec "$CONTROLLER_NS" curl -s -o /dev/null -o /dev/null --max-time 30 -w '%{time_connect} ' "$HTTP/keys/lab.asc" "$HTTP/keys/wrong.asc") \
    || die "nothing is heard through the delayed cable: $(cat "$RUN/delay.log")"
  say "a TCP connection under 'lab run' now takes $(cut -d' ' -f2 <<<"$seen") s"
}

case $ms in
  off) off ;;
  *) [[ $ms =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "usage: lab delay MS|off"; on ;;
esac

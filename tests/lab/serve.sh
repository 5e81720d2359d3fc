# shellcheck shell=bash
# Servers of the lab's network.

# Whether anything answers: a server that wants a login answers too, and one with an expired certificate.
answers() { in_ns curl -sk --max-time 3 "$1" >/dev/null 2>&1; }
serve() { # name url command...: runs in the lab's network, in a cgroup by which `down` finds it
  local name=$1 url=$2; shift 2
  answers "$url" && return
  setsid bash -c '. "$0/lib.sh"; enter_cgroup services; exec ip netns exec "$LAB_NS" "$@"' "$LAB_HERE" "$@" </dev/null >"$RUN/$name.log" 2>&1 &
  local _; for _ in $(seq 100); do answers "$url" && return; sleep 0.05; done
  die "$name does not answer at $url: $(tail -3 "$RUN/$name.log")"
}

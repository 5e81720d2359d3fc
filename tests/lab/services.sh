#!/bin/bash
# services.sh up|down   The lab's network with what serves in it: an image registry (TLS by a private CA) and package repositories (http).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$LAB_HERE/serve.sh"

network() {
  lab_is_up && return
  ip netns add "$LAB_NS"
  in_ns ip link set lo up
  in_ns ip link add "$LAB_BR" type bridge stp_state 0 forward_delay 0
  in_ns ip addr add "$GATEWAY/24" dev "$LAB_BR"
  in_ns ip link set "$LAB_BR" up
}

certificate() { # the CA is the lab's own; tests hand $RUN/ca.crt to the hosts
  [ -f "$RUN/ca.crt" ] && return
  local pki=$RUN/pki; mkdir -p "$pki"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$pki/ca.key" -days 3650 -subj "/CN=lab registry CA" -out "$pki/ca.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$pki/tls.key" -subj "/CN=lab registry" 2>/dev/null \
    | openssl x509 -req -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 3650 -out "$pki/tls.crt" \
      -extfile <(echo "subjectAltName=IP:$GATEWAY,IP:127.0.0.1") 2>/dev/null
  install -m644 "$pki/ca.crt" "$RUN/ca.crt"
}

registry() {
  # Each lab has its own copy, so what a test pushes stays in its lab.
  [ -d "$RUN/registry" ] || cp -a --reflink=auto "$LAB_ROOT/registry" "$RUN/registry"
  cat > "$RUN/registry.yml" <<Y
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $RUN/registry}, delete: {enabled: true}}
http: {addr: "$REGISTRY", tls: {certificate: $RUN/pki/tls.crt, key: $RUN/pki/tls.key}}
Y
  serve registry "https://$REGISTRY/v2/" env OTEL_TRACES_EXPORTER=none "$BIN/registry" serve "$RUN/registry.yml"
}

packages() {
  local dir; mkdir -p "$RUN/www"
  for dir in "$REPOS"/* "$MANIFESTS" "$KEYS"; do ln -sfn "$dir" "$RUN/www/${dir##*/}"; done
  serve http "$HTTP/keys/lab.asc" busybox httpd -f -p "$GATEWAY:8000" -h "$RUN/www"
}

# What was started by `lab run` and is still there would keep the network alive without a name.
end_network() {
  local signal _; lab_is_up || return 0
  for signal in TERM KILL; do
    ip netns pids "$LAB_NS" 2>/dev/null | xargs -r kill -s "$signal" 2>/dev/null || true
    for _ in $(seq 30); do [ -n "$(ip netns pids "$LAB_NS" 2>/dev/null)" ] || break; sleep 0.1; done
  done
  ip netns del "$LAB_NS"
}

case ${1:-} in
  up) lab_is_ours; "$LAB_HERE/real-images.sh" check; mkdir -p "$RUN" "${OWNER%/*}"; echo "$LAB_ROOT" > "$OWNER"; network; certificate; registry; packages; "$LAB_HERE/real-images.sh" push ;;
  down) "$LAB_HERE/delay.sh" off; remove_cgroup services; end_network ;;
  *) die "usage: services.sh up|down" ;;
esac

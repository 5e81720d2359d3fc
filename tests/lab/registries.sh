#!/bin/bash
# registries.sh   More registries with the lab's images: one that asks for a login, one whose certificate has expired, and a stand-in for Harbor.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$LAB_HERE/serve.sh"

expired_certificate() { # valid for no day: from now until now
  [ -f "$RUN/pki/expired.crt" ] && return
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$RUN/pki/expired.key" -subj "/CN=lab registry, expired" 2>/dev/null \
    | openssl x509 -req -CA "$RUN/pki/ca.crt" -CAkey "$RUN/pki/ca.key" -CAcreateserial -days 0 -out "$RUN/pki/expired.crt" \
      -extfile <(echo "subjectAltName=IP:$GATEWAY,IP:127.0.0.1") 2>/dev/null
}

configuration() { # port certificate
  cat <<Y
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $RUN/registry}, maintenance: {readonly: {enabled: true}}}
http: {addr: "$GATEWAY:$1", tls: {certificate: $RUN/pki/$2.crt, key: $RUN/pki/$2.key}}
Y
}

expired_certificate
# `perl -e 'print crypt("lab-registry-password", q($2y$05$...))'`, as htpasswd would make it.
echo 'ci:$2y$05$abcdefghijklmnopqrstuuo5yayEY2CCt28nTw7YUq5M2Z79309ci' > "$RUN/htpasswd"
{ configuration 5001 tls; echo "auth: {htpasswd: {realm: lab, path: $RUN/htpasswd}}"; } > "$RUN/registry-login.yml"
configuration 5002 expired > "$RUN/registry-expired.yml"
for name in login:5001 expired:5002; do
  serve "registry-${name%:*}" "https://$GATEWAY:${name#*:}/" env OTEL_TRACES_EXPORTER=none "$BIN/registry" serve "$RUN/registry-${name%:*}.yml"
done
# It hands on what logins may do to the lab's own registry, into which one can push.
serve harbor "https://$GATEWAY:5003/" env HARBOR_ADMIN_PASSWORD=Lab-harbor-1 "$BIN/harbor-standin" --listen "$GATEWAY:5003" \
  --certificate "$RUN/pki/tls.crt" --key "$RUN/pki/tls.key" --registry "https://$REGISTRY"

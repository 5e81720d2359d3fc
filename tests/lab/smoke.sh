#!/bin/bash
# smoke.sh N   Is the cluster of host N a cluster? Pods on two nodes reach each other by address, Service and name. Leaves nothing behind.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
n=$1
kubectl() { lab_ssh "$n" kubectl --cache-dir /dev/null --kubeconfig /etc/kubernetes/admin.conf --request-timeout=20s "$(printf '%q ' "$@")"; }
show() { kubectl -n lab-smoke get pods,services,events -o wide >&2 || true; }
fail() { show; die "smoke test on host $n: $*"; }

workload() { # two pods that may not share a node
  local -r tolerate='tolerations: [{key: node-role.kubernetes.io/control-plane, operator: Exists}]'
  cat <<Y
apiVersion: v1
kind: Namespace
metadata: {name: lab-smoke}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: lab-smoke}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      $tolerate
      affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {matchLabels: {app: web}}, topologyKey: kubernetes.io/hostname}]}}
      containers:
      - name: web
        image: $REGISTRY/busybox:2
        command: [probe, serve, ":8080"]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: lab-smoke}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
Y
}

answers() { # pod number-of-different-answers url...: each pod answers with its own name
  local pod=$1 want=$2 got; shift 2
  got=$(kubectl -n lab-smoke exec "$pod" -- probe get "$@" | sort -u | wc -l) || fail "in the pod $pod: GET ${*} failed"
  [ "$got" = "$want" ] || fail "in the pod $pod: GET $1 was answered by $got pods, not by $want"
}

lab_ssh "$n" test -r /etc/kubernetes/admin.conf || die "host $n has no /etc/kubernetes/admin.conf: name a control plane on which kubeadm has run"
t0=$(now)
kubectl delete namespace lab-smoke --ignore-not-found --wait >/dev/null 2>&1 || true
workload | kubectl apply -f - >/dev/null || fail "the workload was refused"
kubectl -n lab-smoke rollout status deployment/web --timeout=90s >/dev/null || fail "the two pods did not become ready within 90 s"
read -r -a pods < <(kubectl -n lab-smoke get pods -o 'jsonpath={.items[*].metadata.name}'; echo)
read -r -a addresses < <(kubectl -n lab-smoke get pods -o 'jsonpath={.items[*].status.podIP}'; echo)
read -r -a nodes < <(kubectl -n lab-smoke get pods -o 'jsonpath={.items[*].spec.nodeName}'; echo)
[ "${nodes[0]}" != "${nodes[1]}" ] || fail "both pods are on ${nodes[0]}"
service=$(kubectl -n lab-smoke get service web -o 'jsonpath={.spec.clusterIP}')
answers "${pods[0]}" 2 "http://${addresses[0]}:8080/" "http://${addresses[1]}:8080/"
# shellcheck disable=SC2046  # one word per request; twenty, so that both pods get one
answers "${pods[1]}" 2 $(for _ in $(seq 20); do echo "http://$service/"; done)
answers "${pods[0]}" 2 $(for _ in $(seq 20); do echo "http://web.lab-smoke.svc.cluster.local/"; done)
[[ $(kubectl -n lab-smoke logs "${pods[0]}") == "serving as "* ]] || fail "no log of the pod ${pods[0]}"
kubectl delete namespace lab-smoke --wait --timeout=60s >/dev/null || fail "the namespace lab-smoke is not deleted after 60 s"
echo "smoke test passed: pods on ${nodes[0]} and ${nodes[1]} reach each other by address, Service and name ($(since "$t0"))"

# shellcheck shell=sh
set -eu
cd /etc/kubernetes 2>/dev/null && [ -e manifests/kube-apiserver.yaml ] || { echo 'it carries no control plane' >&2; exit 1; }
kubeadm certs renew all >/dev/null
running() { crictl ps -q --state Running --name "^$1\$"; }
started() { # component, container of before
  n=0
  until new=$(running $1) && [ -n "$new" ] && [ "$new" != "$2" ]; do
    n=$((n + 1)); [ $n -lt 120 ] || { echo "$1 did not start again" >&2; exit 1; }
    sleep 1
  done
}
restart() { old=$(running $1); [ -z "$old" ] || { crictl stop --timeout 30 $old >/dev/null; started $1 $old; }; }
k() { timeout 10 kubectl --kubeconfig admin.conf --cache-dir /dev/null --server https://127.0.0.1:6443 --request-timeout=5s "$@"; }
leads() { # component
  n=0 before=
  while :; do
    lease=$(k -n kube-system get lease $1 -o 'jsonpath={.spec.holderIdentity} {.spec.renewTime}' 2>&1) || lease=" $lease"
    case $lease in
      ' '*) ;;   # given back by one that ended, or not to be had
      "$before") ;;
      *) [ -z "$before" ] || return 0; before=$lease ;;
    esac
    n=$((n + 1)); [ $n -lt 60 ] || break
    sleep 2
  done
  echo "$1 runs and does no work: nobody renews its lease, which says '${lease# }'; its last words:"
  crictl logs --tail 10 "$(running $1)" || true
  exit 1
}
failing=
for component in etcd kube-apiserver kube-controller-manager kube-scheduler; do [ -n "$(running $component)" ] || failing=yes; done
[ -z "$failing" ] || systemctl restart kubelet
restart etcd
restart kube-apiserver
n=0
until answer=$(k get --raw /readyz 2>&1); do
  n=$((n + 1)); [ $n -lt 90 ] || { echo "the API server does not answer: $answer" >&2; exit 1; }
  sleep 2
done
restart kube-controller-manager
restart kube-scheduler
leads kube-controller-manager
leads kube-scheduler

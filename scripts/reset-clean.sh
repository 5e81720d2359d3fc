# shellcheck shell=sh disable=SC2174
# The parents of the directories exist on every host, so that -m applies to all that is created (SC2174).
now=$(date +%Y%m%dT%H%M%S)
if [ -e /etc/kubernetes/manifests/etcd.yaml ]; then
  timeout 120 kubeadm reset phase remove-etcd-member -f >/dev/null 2>&1 || true
fi
systemctl stop kubelet 2>/dev/null || true
if command -v crictl >/dev/null 2>&1 && systemctl -q is-active containerd; then
  etcd=$(crictl pods -q --name '^etcd' --namespace kube-system) || true
  [ -z "$etcd" ] || crictl stopp $etcd >/dev/null || true
fi
if [ -d /var/lib/etcd/member ]; then
  mkdir -p -m 700 /var/lib/etcd.before-ci-bootstrap
  mv /var/lib/etcd/member "/var/lib/etcd.before-ci-bootstrap/member.$now"
fi
if [ -d /var/lib/ci-bootstrap/upgrade ]; then # snapshots of etcd are kept until somebody removes them
  mkdir -p -m 700 /var/lib/etcd.before-ci-bootstrap
  mv /var/lib/ci-bootstrap/upgrade "/var/lib/etcd.before-ci-bootstrap/upgrade.$now"
fi
if command -v kubeadm >/dev/null 2>&1; then kubeadm reset -f --skip-phases=remove-etcd-member >/dev/null; fi

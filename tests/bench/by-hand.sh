#!/bin/bash
# by-hand.sh ADDRESS...   The same cluster by the commands that kubeadm's and Calico's documentation give, over ssh: the first host is
# the control plane. Hosts are worked on side by side; nothing is looked at first. Ends when all nodes are Ready.
set -euo pipefail
: "${BENCH_SITE:?folder of files for every host}" "${BENCH_PACKAGES:?}" "${BENCH_KEY:?}" "${BENCH_KNOWN_HOSTS:?}" "${BENCH_REGISTRY:?}" "${BENCH_MANIFEST:?URL}" "${BENCH_VERSION:?}"
hosts=("$@") first=$1
log=$(mktemp -d); trap 'rm -rf "$log"' EXIT
on() { local host=$1; shift; ssh -i "$BENCH_KEY" -o "UserKnownHostsFile=$BENCH_KNOWN_HOSTS" -o StrictHostKeyChecking=yes -o BatchMode=yes \
  -o ControlMaster=auto -o "ControlPath=$log/%C" -o ControlPersist=60 "root@$host" "$@"; }

prepare() { # address name
  tar -C "$BENCH_SITE" -c . | on "$1" 'mkdir -p /root/site && tar -C /root/site --no-same-owner -x'
  for n in "${!hosts[@]}"; do echo "${hosts[n]} node$((n + 1))"; done | on "$1" 'cat >> /etc/hosts'
  on "$1" bash -es "$2" "$BENCH_PACKAGES" <<'S'
hostnamectl hostname "$1" 2>/dev/null || { echo "$1" > /etc/hostname; hostname "$1"; }
# A container may not even ask for the machine's swap to be off.
[ "$(wc -l < /proc/swaps)" = 1 ] || swapoff -a
sed -i -E 's/^([^#]+\sswap\s.*)$/# \1/' /etc/fstab; systemctl -q mask swap.target
cp -r /root/site/. /
while read -r module; do modprobe "$module"; done < /etc/modules-load.d/ci-bootstrap.conf
sysctl -q -p /etc/sysctl.d/99-zz-ci-bootstrap.conf
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-confold "${@:2}"
apt-mark hold kubelet kubeadm kubectl containerd.io
systemctl restart containerd
S
}

configuration() {
  cat <<Y
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: { advertiseAddress: $first }
nodeRegistration: { imagePullSerial: false, taints: [ { key: node-role.kubernetes.io/control-plane, effect: NoSchedule } ] }
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v$BENCH_VERSION
imageRepository: $BENCH_REGISTRY
networking: { podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16 }
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
serializeImagePulls: false
evictionHard: { nodefs.available: 1%, imagefs.available: 1%, memory.available: 100Mi }
imageGCHighThresholdPercent: 100
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: { maxPerCore: 0, min: 0 }
Y
}

all() { # what to do with each host, side by side; the first failure is shown
  local jobs=() n
  for n in "${!hosts[@]}"; do "$@" "${hosts[n]}" "node$((n + 1))" > "$log/$n" 2>&1 & jobs+=($!); done
  for n in "${!jobs[@]}"; do wait "${jobs[n]}" || { tail -20 "$log/$n" >&2; echo "by hand: ${hosts[n]} failed" >&2; exit 1; }; done
}

join() { [ "$1" = "$first" ] || on "$1" "$command --ignore-preflight-errors=SystemVerification"; }

all prepare
configuration | on "$first" "cat > /root/kubeadm.yaml; kubeadm init --config /root/kubeadm.yaml --ignore-preflight-errors=SystemVerification" > "$log/init" 2>&1 \
  || { tail -20 "$log/init" >&2; exit 1; }
command=$(on "$first" kubeadm token create --print-join-command)
on "$first" "export KUBECONFIG=/etc/kubernetes/admin.conf; curl -fsS '$BENCH_MANIFEST' | sed -e 's#quay.io/calico/#$BENCH_REGISTRY/calico/#' \
  -e 's|# - name: CALICO_IPV4POOL_CIDR|- name: CALICO_IPV4POOL_CIDR|; s|#   value: \"192.168.0.0/16\"|  value: \"10.244.0.0/16\"|' | kubectl apply --server-side -f -" > "$log/calico"
all join
on "$first" "export KUBECONFIG=/etc/kubernetes/admin.conf
  kubectl wait --for=condition=Ready node --all --timeout=300s
  kubectl -n kube-system rollout status deployment/coredns deployment/calico-kube-controllers --timeout=300s" > "$log/wait"

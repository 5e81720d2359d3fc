#!/bin/bash
# inventory.sh [--control-planes K] [--storage] [--jenkins] [N]   An inventory for ci-bootstrap: the first K of N hosts are control planes.
# With --storage, the first VM of the lab (`lab vm up`) becomes its NFS server. With --jenkins there is
# Jenkins; its section is the last one, so that a test can go on with keys of its own.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
control_planes=1 storage='' jenkins=''
while :; do
  case ${1:-} in
    --control-planes) control_planes=${2:-}; shift 2 || die "--control-planes wants a number" ;;
    --storage) storage=yes; shift ;;
    --jenkins) jenkins=yes; shift ;;
    *) break ;;
  esac
done
count=${1:-$(find "$RUN" -maxdepth 1 -name 'host*' -type d | wc -l)}
[[ $control_planes =~ ^[1-9][0-9]*$ ]] && [[ $count =~ ^[1-9][0-9]*$ ]] && [ "$control_planes" -le "$count" ] \
  || die "usage: lab inventory [--control-planes K] [--storage] [--jenkins] [N]   with 1 <= K <= N (got K=$control_planes, N=$count)"
version_of() { awk -v n="$1" '$1 == n {print $2}' "$LAB_HERE/binaries.tsv"; }
manifest_sha() { sha256sum "$MANIFESTS/calico-vxlan.yaml" | cut -d" " -f1; }   # upstream's, checked by manifests.sh, or the lab's own
# On a machine with cgroup v1, kubelet and kubeadm refuse to run unless they are told otherwise.
fail_cgroup_v1='
    failCgroupV1: false' ignore_cgroup_v1='
  kubeadm: { ignorePreflightErrors: [SystemVerification] }'
! has_cgroup_v2 || fail_cgroup_v1='' ignore_cgroup_v1=''

host_lines() {
  local i
  for i in $(seq "$count"); do
    if [ "$i" -le "$control_planes" ]; then echo "  - { name: cp$i, address: $(node_ip "$i"), roles: [control-plane] }"
    else echo "  - { name: w$((i - control_planes)), address: $(node_ip "$i"), roles: [worker] }"; fi
  done
}

nfs_server_line() {
  local vm; vm=$(find "$RUN" -maxdepth 1 -name 'vm*' -type d -printf '%f\n' | sort | head -1)
  [ -n "$vm" ] || die "no VM that could be the NFS server: start one with '$LAB_HERE/lab vm up 50'"
  echo "  - { name: nfs1, address: $(node_ip "${vm#vm}"), roles: [nfs] }"
}
mirror() { # registry: the lab's has its images under the same names
  echo "  - { name: $1, mirrors: [\"https://$REGISTRY\"], ca: { file: $RUN/ca.crt } }"
}
storage_section() { # the container hosts' client in user space speaks NFSv3
  echo 'storage: { class: { mountOptions: [nfsvers=3, hard] } }'
}
jenkins_section() { # all hosts together have the memory of one; with 512Mi the real controller is killed by 20 builds at once
  cat <<Y
jenkins:
  plugins: { updateSite: { metadata: "$HTTP/jenkins/update-center.json" } }
  resources: { requests: { cpu: 50m, memory: 64Mi }, limits: { memory: 1536Mi } }
Y
}

cat <<Y
apiVersion: ci-bootstrap/v1
cluster:
  name: lab
  kubernetes: $(version_of kube)
  imageRepository: $REGISTRY
  networks: { pods: 10.244.0.0/16, services: 10.96.0.0/16 }
  # A container host must not reach the machine's own connection-tracking table.
  kubeProxy: { mode: nftables, conntrack: { maxPerCore: 0, min: 0 } }
  # All hosts see the machine's one disk, and how full that is says nothing about them.
  kubelet:$fail_cgroup_v1
    extraConfig: { evictionHard: { nodefs.available: 1%, imagefs.available: 1%, memory.available: 100Mi }, imageGCHighThresholdPercent: 100 }$ignore_cgroup_v1
  containerd: { version: $(version_of containerd), restrictOomScoreAdj: true }
  calico:
    version: 3.32.1
    encapsulation: VXLAN
    manifest: { url: $HTTP/manifests/calico-vxlan.yaml, sha256: $(manifest_sha) }
    imageRegistry: $REGISTRY
ssh: { user: admin, identities: [$KEY], knownHosts: [$RUN/known_hosts] }
hosts:
$(host_lines)${storage:+
$(nfs_server_line)}
packages:
  apt:
    kubernetes: { url: $HTTP/kubernetes/, suite: /, key: { file: $KEYS/lab.asc } }
    containerd: { url: $HTTP/containerd/, suite: /, key: { file: $KEYS/lab.asc } }
registries:
  - { name: "$REGISTRY", ca: { file: $RUN/ca.crt } }${storage:+
$(mirror registry.k8s.io)}${jenkins:+
$(mirror docker.io)}${storage:+
$(storage_section)}
firewall: off
time: { manage: false }
# All hosts write to the machine's one disk at a time.
preflight: { ignore: [disk-latency] }
Y
[ -z "$jenkins" ] || jenkins_section

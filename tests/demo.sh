#!/bin/bash
# demo.sh up|down   From bare local hosts to a build on an agent pod by the real `apply`, and what to try next.
# CLUSTER_ONLY=1: the cluster without storage and Jenkins, for machines that can't run the NFS server's virtual machine.
set -euo pipefail
cd "$(dirname "$0")/.."
export LAB_NAME=demo
if [ "$(id -u)" = 0 ]; then as_root=(); else as_root=(sudo --preserve-env=LAB_NAME,LAB_ARTIFACTS,LAB_ROOT,LAB_VM_ACCEL); fi
lab() { "${as_root[@]}" tests/lab/lab "$@"; }
inventory=target/demo/inventory.yaml
program() { lab run target/debug/ci-bootstrap "$@"; }

cluster_only() { [ "${CLUSTER_ONLY:-}" = 1 ]; }

# Storage and Jenkins want a machine with a kernel of its own for the NFS server.
nfs_server_can_be() { lab vm doctor && lab vm prepare && return; no_nfs_server; }
nfs_server() { lab vm up 50 && lab vm wait 50 && return; no_nfs_server; }
no_nfs_server() {
  cat >&2 <<T

The virtual machine of the NFS server does not run here, and without it there is no storage and no Jenkins: above is what is missing, with the
command that fixes it. After that: make demo
For the cluster alone: make demo CLUSTER_ONLY=1
T
  exit 1
}

stand_ins() {
  cat <<T

This lab is offline. In it these are stand-ins, small programs of this repository behind the names of the real ones (tests/lab/README.md):
  Calico$1
With real hosts and images they are the real ones; everything else here is.
T
}

next() {
  cat <<T

The hosts live in a network of their own; \`lab run\` runs a command inside it. To try next:

  export LAB_NAME=demo

  # let something drift, see it, fix it
  tests/lab/lab ssh 2 'sysctl -w net.ipv4.ip_forward=0; systemctl stop containerd'
  tests/lab/lab run target/debug/ci-bootstrap plan $inventory
  tests/lab/lab run target/debug/ci-bootstrap apply $inventory
  # try everything out again
  tests/lab/lab run target/debug/ci-bootstrap verify $inventory
  # the cluster itself (kubeconfig: target/demo/kubeconfig)
  tests/lab/lab ssh 1 kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes,pods -A
  # take it all away
  make demo-down
T
}

up() {
  local parts=() named=
  cluster_only || nfs_server_can_be
  cargo build --target-dir target   # where the commands below find it, whatever the environment says
  lab up 3
  if ! cluster_only; then
    nfs_server
    parts=(--storage --jenkins)
    named=", Jenkins and its agent, the NFS provisioner, the NFS client of the container hosts (the NFS server is the kernel of a VM)"
  fi
  mkdir -p target/demo
  lab inventory "${parts[@]}" 3 > "$inventory"
  program check "$inventory"
  program apply --yes "$inventory"
  echo; echo "A second time: there is nothing to do."
  program apply --yes "$inventory"
  program kubeconfig "$inventory" --output target/demo/kubeconfig
  program status "$inventory"
  stand_ins "$named"
  next
}

case ${1:-up} in
up) up ;;
down)
  lab down
  rm -rf target/demo
  ;;
*) echo "usage: demo.sh up|down" >&2; exit 2 ;;
esac

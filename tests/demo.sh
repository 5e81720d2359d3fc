#!/bin/bash
# demo.sh up|down   Three local hosts, the real `apply` on them, and what to try next.
set -euo pipefail
cd "$(dirname "$0")/.."
export LAB_NAME=demo
if [ "$(id -u)" = 0 ]; then as_root=(); else as_root=(sudo --preserve-env=LAB_NAME,LAB_ARTIFACTS,LAB_ROOT); fi
lab() { "${as_root[@]}" tests/lab/lab "$@"; }

case ${1:-up} in
up)
  cargo build
  lab up 3
  mkdir -p target/demo
  lab inventory 3 > target/demo/inventory.yaml
  lab run target/debug/ci-bootstrap check target/demo/inventory.yaml
  lab run target/debug/ci-bootstrap apply --yes target/demo/inventory.yaml
  lab run target/debug/ci-bootstrap kubeconfig target/demo/inventory.yaml --output target/demo/kubeconfig
  lab run target/debug/ci-bootstrap status target/demo/inventory.yaml
  cat <<T

The pod network's image in this lab is a stand-in for Calico (tests/lab/README.md); with real hosts it is Calico.
The hosts live in a network of their own; \`lab run\` runs a command inside it. To try next:

  export LAB_NAME=demo

  # nothing to do the second time
  tests/lab/lab run target/debug/ci-bootstrap apply target/demo/inventory.yaml
  # let something drift, see it, mend it
  tests/lab/lab ssh 2 'sysctl -w net.ipv4.ip_forward=0; systemctl stop containerd'
  tests/lab/lab run target/debug/ci-bootstrap plan target/demo/inventory.yaml
  tests/lab/lab run target/debug/ci-bootstrap apply target/demo/inventory.yaml
  # the cluster itself (kubeconfig: target/demo/kubeconfig)
  tests/lab/lab ssh 1 kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes,pods -A
  # take it all away
  make demo-down
T
  ;;
down)
  lab down
  rm -rf target/demo
  ;;
*) echo "usage: demo.sh up|down" >&2; exit 2 ;;
esac

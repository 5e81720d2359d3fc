#!/bin/bash
# cluster-api.sh   The tests of the API layer (tests/cluster_api.rs) on a cluster that `apply` makes in a lab of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
LAB_NAME=cluster-api-$(pwd | cksum | cut -c1-4); export LAB_NAME
lab=tests/lab/lab
if ! $lab doctor; then echo "test cluster_api ... skipped: this machine can't host a lab (see above)"; exit 0; fi
work=$(mktemp -d)
trap '$lab down; rm -rf "$work"' EXIT
$lab down
$lab up 3
$lab inventory 3 > "$work/inventory.yaml"
cargo build --quiet
program=${CARGO_TARGET_DIR:-target}/debug/ci-bootstrap
$lab run "$program" apply --yes --plain "$work/inventory.yaml"
$lab run "$program" kubeconfig "$work/inventory.yaml" --output "$work/kubeconfig"
export CIB_TEST_KUBECONFIG=$work/kubeconfig
CIB_TEST_REGISTRY=$(sed -n 's/^ *imageRepository: //p' "$work/inventory.yaml"); export CIB_TEST_REGISTRY
export CIB_TEST_CALICO=${LAB_ROOT:-/var/tmp/ci-bootstrap-lab}/manifests/calico-vxlan.yaml
$lab run "$(command -v cargo)" test --test cluster_api -- --ignored --test-threads=1

#!/bin/bash
# rhel/vendors.sh   rpm packages made of the programs in $BIN, laid out as upstream's -> $RPMS.new/{kubernetes,kubernetes-next,containerd}
set -euo pipefail
. "$(dirname "$0")/../lib.sh"; . "$LAB_HERE/rhel/rpm.sh"
version_of() { awk -v n="$1" '$1 == n {print $2}' "$LAB_HERE/binaries.tsv"; }
kube=$(version_of kube) cni=$(version_of cni-bridge) containerd=$(version_of containerd) crictl=$(version_of crictl)
put() { install -D -m755 "$BIN/$1" "$files/$2"; }
unit() { install -D -m644 "$LAB_HERE/units/$1" "$files/usr/lib/systemd/system/$2"; }
link_to_kube() { mkdir -p "$files/usr/bin"; ln -s ../lib/kube-multicall/kube "$files/usr/bin/$1"; requires=("kube-multicall = $kube"); }

kube_packages() { # repository release
  tree; link_to_kube kubelet; unit kubelet.service kubelet.service; services=(kubelet.service)
  echo 'KUBELET_EXTRA_ARGS=' | install -D -m644 /dev/stdin "$files/etc/sysconfig/kubelet"
  mkdir -p "$files/etc/kubernetes/manifests" "$files/var/lib/kubelet"
  requires+=("kubernetes-cni >= 1.2.0" "iptables" iproute socat util-linux ethtool conntrack)
  pack "$1" kubelet "$kube" "$2" "Kubernetes node agent"
  tree; link_to_kube kubectl; pack "$1" kubectl "$kube" "$2" "Kubernetes command line"
  tree; link_to_kube kubeadm; unit 10-kubeadm.conf kubelet.service.d/10-kubeadm.conf
  sed -i 's,/etc/default/kubelet,/etc/sysconfig/kubelet,' "$files/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"
  requires+=("kubelet >= 1.19.0" "kubectl >= 1.19.0"); [ ! -x "$BIN/crictl" ] || requires+=("cri-tools >= 1.28.0")
  pack "$1" kubeadm "$kube" "$2" "Kubernetes cluster set-up"
}

containerd_package() { # as Docker's: with runc inside, and a configuration that has CRI switched off
  local program deb; tree
  for program in containerd containerd-shim-runc-v2 ctr; do put "$program" "usr/bin/$program"; done
  deb=$(ls "$REPOS"/debian/pool/main/runc_*.deb); dpkg -x "$deb" "$work/runc"; install -m755 "$work/runc/usr/sbin/runc" "$files/usr/bin/runc"
  unit containerd.service containerd.service; services=(containerd.service)
  echo 'disabled_plugins = ["cri"]' | install -D -m644 /dev/stdin "$files/etc/containerd/config.toml"
  requires=(container-selinux); provides=("containerd = $containerd" runc)
  pack containerd containerd.io "$containerd" 1.el9 "Container runtime"
}

tree; put kube usr/lib/kube-multicall/kube; pack kubernetes kube-multicall "$kube" 150500.1.1 "kubelet, kubeadm and kubectl in one program, named by how it is called"
kube_packages kubernetes 150500.1.1
# The same programs under a higher release: what a pin or a lock must keep away.
kube_packages kubernetes-next 150500.2.1
tree; for plugin in bridge host-local loopback portmap; do put "cni-$plugin" "opt/cni/bin/$plugin"; done
pack kubernetes kubernetes-cni "$cni" 150500.1.1 "CNI plugins"
[ ! -x "$BIN/crictl" ] || { tree; put crictl usr/bin/crictl; pack kubernetes cri-tools "$crictl" 150500.1.1 "Command line of container runtimes"; }
containerd_package

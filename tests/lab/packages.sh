#!/bin/bash
# packages.sh   Debian packages made of the programs in $BIN, laid out as upstream's: -> $LAB_ROOT/debs/{kubernetes,kubernetes-next,containerd}
set -euo pipefail
. "$(dirname "$0")/lib.sh"
debs=$LAB_ROOT/debs
version_of() { awk -v n="$1" '$1 == n {print $2}' "$LAB_HERE/binaries.tsv"; }
kube=$(version_of kube) cni=$(version_of cni-bridge) containerd=$(version_of containerd) crictl=$(version_of crictl)

stamp=$( { cat "$0" "$LAB_HERE/other-releases.tsv" "$LAB_HERE"/units/* "$BIN"/.versions/*; ls "$BIN"; } | hash_of)
[ -d "$debs/containerd" ] && is_done debs "$stamp" && exit 0

tree() { work=$(mktemp -d "$LAB_ROOT/deb.XXXXXX"); chmod 755 "$work"; mkdir -p "$work/DEBIAN"; }
put() { install -D -m755 "$BIN/$1" "$work/$2"; }
unit() { install -D -m644 "$LAB_HERE/units/$1" "$work/$2"; }

pack() { # repository name version depends description
  cat > "$work/DEBIAN/control" <<C
Package: $2
Version: $3
Architecture: amd64
Maintainer: ci-bootstrap lab <lab@ci-bootstrap.test>
Section: admin
Priority: optional
${4:+Depends: $4
}Description: $5
 Built by the test lab of ci-bootstrap. Not an upstream package.
C
  mkdir -p "$debs.new/$1"
  dpkg-deb --root-owner-group -Zzstd -z1 --build "$work" "$debs.new/$1/$2_$3_amd64.deb" >/dev/null; rm -rf "$work"
}

service_scripts() { # unit: what debhelper generates for a package with a service that starts at boot
  cat > "$work/DEBIAN/postinst" <<S
#!/bin/sh
set -e
if [ "\$1" = configure ]; then
  deb-systemd-helper unmask $1 >/dev/null || true
  if deb-systemd-helper --quiet was-enabled $1; then deb-systemd-helper enable $1 >/dev/null || true; else deb-systemd-helper update-state $1 >/dev/null || true; fi
  if [ -d /run/systemd/system ]; then systemctl --system daemon-reload >/dev/null || true; deb-systemd-invoke \$([ -n "\$2" ] && echo restart || echo start) $1 >/dev/null || true; fi
fi
S
  cat > "$work/DEBIAN/prerm" <<S
#!/bin/sh
set -e
if [ "\$1" = remove ] && [ -d /run/systemd/system ]; then deb-systemd-invoke stop $1 >/dev/null || true; fi
S
  cat > "$work/DEBIAN/postrm" <<S
#!/bin/sh
set -e
if [ "\$1" = remove ] && [ -d /run/systemd/system ]; then systemctl --system daemon-reload >/dev/null || true; fi
if [ "\$1" = purge ]; then deb-systemd-helper purge $1 >/dev/null || true; deb-systemd-helper unmask $1 >/dev/null || true; fi
S
  chmod 755 "$work"/DEBIAN/{postinst,prerm,postrm}
}

multicall() { # program repository: one program for three packages, so that it is stored once; releases lie side by side, so that each package moves alone
  tree; put "$1" "usr/lib/kube-multicall-$kube/kube"
  pack "$2" "kube-multicall-$kube" "$kube-1.1" "" "kubelet, kubeadm and kubectl in one program, named by how it is called"
}
link_to_kube() { mkdir -p "$work/usr/bin"; ln -s "../lib/kube-multicall-$kube/kube" "$work/usr/bin/$1"; }
kube_packages() { # repository revision
  local v=$kube-$2 needs="kube-multicall-$kube (= $kube-1.1)"
  tree; link_to_kube kubelet; unit kubelet.service usr/lib/systemd/system/kubelet.service
  echo 'KUBELET_EXTRA_ARGS=' | install -D -m644 /dev/stdin "$work/etc/default/kubelet"
  echo /etc/default/kubelet > "$work/DEBIAN/conffiles"
  mkdir -p "$work/etc/kubernetes/manifests" "$work/var/lib/kubelet"; service_scripts kubelet.service
  pack "$1" kubelet "$v" "$needs, kubernetes-cni (>= 1.2.0), iptables (>= 1.4.21), iproute2, socat, util-linux, mount, ebtables, ethtool, conntrack" "Kubernetes node agent"
  tree; link_to_kube kubectl; pack "$1" kubectl "$v" "$needs" "Kubernetes command line"
  tree; link_to_kube kubeadm; unit 10-kubeadm.conf usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf
  pack "$1" kubeadm "$v" "$needs, kubelet (>= 1.19.0), kubectl (>= 1.19.0)$([ ! -x "$BIN/crictl" ] || echo ", cri-tools (>= 1.28.0)")" "Kubernetes cluster set-up"
}
cni_package() { # repository
  tree; for plugin in bridge host-local loopback portmap; do put "cni-$plugin" "opt/cni/bin/$plugin"; done
  pack "$1" kubernetes-cni "$cni-1.1" "" "CNI plugins"
}
cri_package() { # repository
  [ -x "$BIN/crictl" ] || return 0
  tree; put crictl usr/bin/crictl; pack "$1" cri-tools "$crictl-1.1" "" "Command line of container runtimes"
}
containerd_package() { # as Docker's: a configuration with CRI switched off
  local program; tree
  for program in containerd containerd-shim-runc-v2 ctr; do put "$program" "usr/bin/$program"; done
  unit containerd.service usr/lib/systemd/system/containerd.service
  echo 'disabled_plugins = ["cri"]' | install -D -m644 /dev/stdin "$work/etc/containerd/config.toml"
  echo /etc/containerd/config.toml > "$work/DEBIAN/conffiles"; service_scripts containerd.service
  pack containerd containerd.io "$containerd-1" runc "Container runtime"
}

t0=$(now); rm -rf "$debs.new" "$LAB_ROOT"/deb.??????
multicall kube kubernetes; kube_packages kubernetes 1.1; cni_package kubernetes; cri_package kubernetes; containerd_package
# The same programs under a higher package revision: what a pin or a hold must keep away.
kube_packages kubernetes-next 2.1
while read -r repository other _; do
  [ -x "$BIN/kube-$other" ] || continue
  ( kube=$other; multicall "kube-$kube" "$repository"; kube_packages "$repository" 1.1; cni_package "$repository"; cri_package "$repository" )
done < <(grep -v '^#' "$LAB_HERE/other-releases.tsv")
rm -rf "$debs"; mv "$debs.new" "$debs"
mark_done debs "$stamp"; say "packages: $(since "$t0"), $(find "$debs" -name '*.deb' | wc -l) files"

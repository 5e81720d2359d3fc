#!/bin/bash
# images.sh   The images a cluster pulls, built from the programs in $BIN into a registry's data folder -> $LAB_ROOT/registry
# No host name goes into the data, so every lab serves a copy of it at an address of its own.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
data=$LAB_ROOT/registry layers=$LAB_ROOT/layers
version_of() { awk -v n="$1" '$1 == n {print $2}' "$LAB_HERE/binaries.tsv"; }
calico=v3.32.1
default_of() { sed -n "s|.*docker.io/jenkins/$1:\([^\"]*\)\".*|\1|p" "$LAB_HERE"/../../src/inventory/jenkins/*.rs; }
jenkins=$(default_of jenkins) agent=$(default_of inbound-agent)
# Of the kinds of agents that bring a tool; Kaniko is the real one, where it was built.
agent_images() { sed -n 's|.*"docker.io/\([^"]*\)".*|\1|p' "$LAB_HERE"/../../templates/agent-*.j2 | sort -u; }
kaniko=$(sed -n 's|.*ghcr.io/\(osscontainertools/kaniko:[^"]*\)".*|\1|p' "$LAB_HERE/../../src/inventory/jenkins/mod.rs")

# The hosts unpack these images again and again: zstd costs them less than gzip.
pack() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$1" -cf - . | zstd -q -f -3 -o "$layers/$2.tar.zst"; rm -rf "$1"; }
layer() { # name "program=path ..." "link=target ..."
  local dir item; dir=$(mktemp -d "$layers/tree.XXXX"); chmod 755 "$dir"
  for item in $2; do install -D -m755 "${item%%=*}" "$dir/${item#*=}"; done
  for item in ${3:-}; do mkdir -p "$(dirname "$dir/${item%%=*}")"; ln -s "${item#*=}" "$dir/${item%%=*}"; done
  pack "$dir" "$1"
}

jenkins_layer() { # the multi-call stand-in, and what else Jenkins' image has that ci-bootstrap calls
  local dir name src=$LAB_HERE/src/jenkins-standin/image; dir=$(mktemp -d "$layers/tree.XXXX"); chmod 755 "$dir"
  mkdir -p "$dir"/{bin,etc,usr/local/bin,usr/share/jenkins/ref,var/jenkins_home,home/jenkins/agent}; mkdir -m1777 "$dir/tmp"
  install -m755 "$(command -v busybox)" "$dir/bin/busybox"
  for name in $(busybox --list); do [ "$name" = busybox ] || ln -s busybox "$dir/bin/$name"; done
  install -m755 "$BIN/jenkins-standin" "$BIN/probe" "$src/curl" "$src/jenkins-plugin-cli" "$dir/usr/local/bin"
  for name in jenkins.sh jenkins-agent java; do ln -s jenkins-standin "$dir/usr/local/bin/$name"; done
  printf 'root:x:0:0:root:/root:/bin/sh\njenkins:x:1000:1000::/var/jenkins_home:/bin/sh\n' > "$dir/etc/passwd"
  pack "$dir" jenkins
}

git_layer() { # what Jenkins' image and its agents' have beside Jenkins: as much of git as clones and checkouts need, which is no perl
  local dir=$layers/tree.git; [ -f "$layers/git.tar.zst" ] && return
  mmdebstrap --quiet --variant=extract --aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/*' \
    --include=git,libc6 "$LAB_SUITE" "$dir" "$(debian_mirror)"
  mv "$dir/usr/bin/git" "$dir/usr/lib/git-core"/git-remote-http{,s} "$dir/tmp"
  rm -rf "$dir"/{bin,sbin,var,etc} "$dir"/usr/{share,bin,sbin}/* "$dir"/usr/lib/git-core/* "$dir"/usr/lib/*/{perl*,libperl*,libdb-*}
  mkdir -p "$dir/usr/share/git-core/templates"   # git warns without it
  mv "$dir"/tmp/git-remote-* "$dir/usr/lib/git-core"; mv "$dir/tmp/git" "$dir/usr/bin"; ln -s ../../bin/git "$dir/usr/lib/git-core/git"
  pack "$dir" git
}

network_tools_layer() { # what kube-proxy and calico/node call: nft, iptables, conntrack
  local dir=$layers/tree.tools tool; [ -f "$layers/tools.tar.zst" ] && return
  mmdebstrap --quiet --variant=extract --aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/*' \
    --include=iptables,nftables,conntrack,kmod,dash,coreutils,libc6 "$LAB_SUITE" "$dir" "$(debian_mirror)"
  # `extract` runs no maintainer scripts, so the alternatives they would set are made here.
  [ -e "$dir/bin/sh" ] || ln -s dash "$dir/bin/sh"
  for tool in {iptables,ip6tables}{,-save,-restore}; do
    [ -e "$dir/usr/sbin/$tool" ] || ln -s xtables-nft-multi "$dir/usr/sbin/$tool"
  done
  rm -rf "$dir"/usr/share/* "$dir"/var/cache/* "$dir/var/lib/apt" "$dir/var/lib/dpkg"; mkdir -p "$dir"/{lib/modules,run,tmp}
  pack "$dir" tools
}

all_layers() {
  local k=usr/local/bin links='' name
  for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubectl; do links+="$k/$name=kube "; done
  layer kube "$BIN/kube=$k/kube" "$links"
  layer etcd "$BIN/etcd=$k/etcd $BIN/etcdctl=$k/etcdctl $BIN/etcdutl=$k/etcdutl"
  while read -r _ kube etcd _; do
    [ ! -x "$BIN/kube-$kube" ] || layer "kube-$kube" "$BIN/kube-$kube=$k/kube" "$links"
    [ ! -x "$BIN/etcd-$etcd" ] || layer "etcd-$etcd" "$BIN/etcd-$etcd=$k/etcd $BIN/etcdctl=$k/etcdctl $BIN/etcdutl=$k/etcdutl"
  done < <(grep -v '^#' "$LAB_HERE/other-releases.tsv")
  layer coredns "$BIN/coredns=coredns"; layer pause "$BIN/pause=pause"
  links=; for name in sh ls cat echo sleep nc ip ping hostname ps mount mkdir touch grep sed awk id date head tail wc; do links+="bin/$name=busybox "; done
  layer busybox "$(command -v busybox)=bin/busybox $BIN/probe=bin/probe" "$links"
  links=; for name in usr/bin/calico-node bin/calico-node usr/sbin/start_runit usr/bin/kube-controllers usr/bin/check-status opt/cni/bin/{calico,calico-ipam,install}; do
    links+="$name=/usr/bin/calico-standin "; done
  layer calico "$BIN/calico-standin=usr/bin/calico-standin" "$links"
  links=; for name in host-local loopback portmap; do links+="$BIN/cni-$name=opt/cni/bin/$name "; done
  layer plugins "$links"
  git_layer; jenkins_layer
  layer docker "$LAB_HERE/src/docker-standin/docker=usr/local/bin/docker $LAB_HERE/src/docker-standin/dockerd=usr/local/bin/dockerd"
  [ ! -x "$BIN/kaniko" ] || layer kaniko "$BIN/kaniko=kaniko/executor $(command -v busybox)=busybox/busybox" "busybox/sh=busybox bin/sh=/busybox/sh"
  layer nfs-provisioner "$BIN/nfs-provisioner-standin=nfs-subdir-external-provisioner"
  network_tools_layer
}

image() { # name:tag "options of crane mutate" layer...
  local ref=127.0.0.1:5000/$1 options name files=(); read -ra options <<<"$2"; shift 2
  for name in "$@"; do files+=(-f "$layers/$name.tar.zst"); done
  { "$BIN/crane" --insecure append --platform linux/amd64 -t "$ref" "${files[@]}" &&
    "$BIN/crane" --insecure mutate "$ref" --set-platform linux/amd64 -t "$ref" "${options[@]}" \
      --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; } >/dev/null 2>"$layers/err" \
    || die "image $ref: $(tail -3 "$layers/err")"
}

push_images() {
  local kube name standin="--label standin=the-labs-own-program-not-the-upstream-image"; kube=v$(version_of kube)
  for name in apiserver controller-manager scheduler; do image "kube-$name:$kube" "" kube; done
  image "kube-proxy:$kube" "" tools kube
  image "etcd:$(version_of etcd)-0" "" etcd
  image "coredns:v$(version_of coredns)" "--entrypoint /coredns --workdir /" coredns
  image "pause:$(version_of pause)" "--entrypoint /pause" pause
  while read -r _ kube etcd coredns pause; do
    [ -x "$BIN/kube-$kube" ] || continue
    for name in apiserver controller-manager scheduler; do image "kube-$name:v$kube" "" "kube-$kube"; done
    image "kube-proxy:v$kube" "" tools "kube-$kube"
    [ ! -x "$BIN/etcd-$etcd" ] || image "etcd:$etcd-0" "" "etcd-$etcd"
    image "coredns:v$coredns" "--entrypoint /coredns --workdir /" coredns
    image "pause:$pause" "--entrypoint /pause" pause
  done < <(grep -v '^#' "$LAB_HERE/other-releases.tsv")
  image busybox:2 "" busybox
  image "calico/cni:$calico" "$standin --cmd /opt/cni/bin/install" calico plugins
  image "calico/node:$calico" "$standin --cmd start_runit" tools calico
  image "jenkins/jenkins:$jenkins" "$standin --entrypoint /usr/local/bin/jenkins.sh --user jenkins --env JENKINS_HOME=/var/jenkins_home" git jenkins
  image "jenkins/inbound-agent:$agent" "$standin --entrypoint /usr/local/bin/jenkins-agent --user jenkins --workdir /home/jenkins --env AGENT_WORKDIR=/home/jenkins/agent" git jenkins
  for name in $(agent_images); do image "$name" "$standin" busybox docker; done
  [ ! -x "$BIN/kaniko" ] || image "$kaniko" "--entrypoint /kaniko/executor --env HOME=/root --env USER=root --env DOCKER_CONFIG=/kaniko/.docker/ --env SSL_CERT_DIR=/kaniko/ssl/certs" kaniko
  image "calico/kube-controllers:$calico" "$standin --entrypoint /usr/bin/kube-controllers --user 999" calico   # runAsNonRoot wants a number
  image sig-storage/nfs-subdir-external-provisioner:v4.0.2 "$standin --entrypoint /nfs-subdir-external-provisioner" nfs-provisioner
}

start_registry() {
  ip link set lo up
  printf 'version: 0.1\nlog: {level: warn}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:5000"}\n' "$data.new" > "$layers/registry.yml"
  OTEL_TRACES_EXPORTER=none "$BIN/registry" serve "$layers/registry.yml" >"$layers/registry.log" 2>&1 &
  local _; for _ in $(seq 100); do curl -s http://127.0.0.1:5000/v2/ >/dev/null && return; sleep 0.1; done
  die "the registry for building did not start: $(tail -3 "$layers/registry.log")"
}

if [ "${1:-}" = push ]; then start_registry; push_images; exit 0; fi
stamp=$( { cat "$0" "$LAB_HERE/other-releases.tsv" "$LAB_HERE"/src/jenkins-standin/image/* "$LAB_HERE"/src/docker-standin/* "$BIN"/.versions/*; echo "$jenkins $agent $kaniko $(agent_images)"; } | hash_of)
[ -d "$data" ] && is_done images "$stamp" && exit 0
t0=$(now); mkdir -p "$layers"; rm -rf "$data.new" "$layers"/tree.*
all_layers
# The registry for pushing listens on the loopback of a network namespace of its own, and ends with it.
unshare --net --pid --fork --kill-child "$0" push
rm -rf "$data"; mv "$data.new" "$data"
mark_done images "$stamp"; say "images: $(since "$t0"), $(du -sm "$data" | cut -f1) MiB"

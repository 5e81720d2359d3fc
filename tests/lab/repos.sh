#!/bin/bash
# repos.sh   Signed apt repositories -> $REPOS/{kubernetes,kubernetes-next,containerd} (flat) and $REPOS/debian (suite bookworm)
set -euo pipefail
. "$(dirname "$0")/lib.sh"
export GNUPGHOME=$LAB_ROOT/gpg
# Debian's part of what the product may install. Downloaded once, with everything these need over the bare host.
debian_packages="apt-transport-https ca-certificates chrony conntrack curl docker.io ebtables ethtool firewalld gnupg ipset iptables ipvsadm
  jq nfs-common nfs-kernel-server nftables rsync runc socat ufw unattended-upgrades"

signing_key() {
  [ -f "$KEYS/lab.asc" ] && return
  rm -rf "$GNUPGHOME"; mkdir -p "$KEYS"; mkdir -m700 "$GNUPGHOME"
  gpg -q --batch --passphrase '' --quick-gen-key 'ci-bootstrap lab <lab@ci-bootstrap.test>' ed25519 sign never 2>/dev/null
  gpg -q --batch --passphrase '' --quick-gen-key 'someone else <other@ci-bootstrap.test>' ed25519 sign never 2>/dev/null
  gpg --armor --export lab@ci-bootstrap.test > "$KEYS/lab.asc"
  gpg --armor --export other@ci-bootstrap.test > "$KEYS/wrong.asc"   # for tests of what a wrong key leads to
  gpgconf --kill all
}

sign() { # directory with a Release file
  gpg -q --batch --yes --local-user lab@ci-bootstrap.test --clearsign -o "$1/InRelease" "$1/Release"
  gpg -q --batch --yes --local-user lab@ci-bootstrap.test --armor --detach-sign -o "$1/Release.gpg" "$1/Release"
}

flat_repo() { # name: packages, index and signature in one directory, like `deb URL /`
  local dir=$REPOS/$1; rm -rf "$dir.new"; mkdir -p "$dir.new"; cp -l "$LAB_ROOT/debs/$1"/*.deb "$dir.new/"
  ( cd "$dir.new"; apt-ftparchive packages . > Packages; gzip -kf Packages
    apt-ftparchive -o "APT::FTPArchive::Release::Origin=lab-$1" release . > Release.new; mv Release.new Release )
  cp "$KEYS/lab.asc" "$dir.new/Release.key"; sign "$dir.new"
  rm -rf "$dir"; mv "$dir.new" "$dir"
}

download() { # into the cache of a throw-away apt that believes to have the bare host's packages installed
  local state=$1 options
  mkdir -p "$state"/lists/partial "$LAB_ROOT/downloads/apt/archives/partial"; cp "$ROOTFS/$LAB_SUITE/var/lib/dpkg/status" "$state/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_mirror) $LAB_SUITE main" > "$state/sources.list"
  options=(-qq -o "Dir::Etc::SourceList=$state/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$state/lists"
    -o "Dir::State::status=$state/status" -o "Dir::Cache=$LAB_ROOT/downloads/apt" -o APT::Sandbox::User=root -o APT::Keep-Downloaded-Packages=true
    -o APT::Architecture=amd64 -o APT::Install-Recommends=false)
  apt-get "${options[@]}" update
  # One by one: packages that exclude each other (ufw, firewalld) must both be there.
  local package; for package in $debian_packages; do apt-get "${options[@]}" install -y --download-only "$package"; done
}

debian_repo() {
  local dir=$REPOS/debian state; state=$(mktemp -d "$LAB_ROOT/apt.XXXXXX"); rm -rf "$dir.new"
  mkdir -p "$dir.new/pool/main" "$dir.new/dists/$LAB_SUITE/main/binary-amd64"
  download "$state" >/dev/null; rm -rf "$state"
  cp -l "$LAB_ROOT/downloads/apt/archives"/*.deb "$dir.new/pool/main/"
  ( cd "$dir.new"; apt-ftparchive packages pool/main > "dists/$LAB_SUITE/main/binary-amd64/Packages"
    gzip -kf "dists/$LAB_SUITE/main/binary-amd64/Packages"
    local r=APT::FTPArchive::Release
    apt-ftparchive -o $r::Origin=Debian -o $r::Label=Debian -o $r::Suite=oldstable -o "$r::Codename=$LAB_SUITE" -o $r::Components=main \
      -o $r::Architectures=amd64 release "dists/$LAB_SUITE" > Release.new; mv Release.new "dists/$LAB_SUITE/Release" )
  sign "$dir.new/dists/$LAB_SUITE"
  rm -rf "$dir"; mv "$dir.new" "$dir"
}

t0=$(now); signing_key; mkdir -p "$REPOS"
stamp=$( { cat "$0" "$KEYS/lab.asc"; echo "$debian_packages"; cat "$LAB_ROOT/stamps/rootfs"; } | hash_of)
[ -d "$REPOS/debian" ] && is_done debian "$stamp" || { debian_repo; mark_done debian "$stamp"; changed=1; }
stamp=$( { cat "$0" "$KEYS/lab.asc" "$LAB_ROOT/stamps/debs"; } | hash_of)
[ -d "$REPOS/containerd" ] && is_done repos "$stamp" || {
  for repo in "$LAB_ROOT"/debs/*/; do flat_repo "$(basename "$repo")"; done; mark_done repos "$stamp"; changed=1; }
[ -z "${changed:-}" ] || { gpgconf --kill all; say "apt repositories: $(since "$t0"), Debian $(find "$REPOS/debian" -name '*.deb' | wc -l) packages"; }

#!/bin/bash
# dist/build.sh   A release in target/dist: a program that runs on every supported host, packages, SBOM, checksums.
#
# Paths, times and serial numbers of the build are kept out of it, so that the same commit should give the same bytes (not compared yet).
# Sources and tools are fetched first; the builds themselves need no network.
# Environment: DIST_KEY   an SSH private key that signs SHA256SUMS (ssh-keygen -Y); without it nothing is signed
#              DIST_TOOLS (target/dist-tools)   where the build tools are installed
set -euo pipefail
umask 022   # whoever installs a package may read what is in it
cd "$(dirname "$0")/.."
# Older than that of every supported system: timers of backups copy the program to hosts that may be older than those.
glibc=2.28
out=target/dist tools=$(realpath -m "${DIST_TOOLS:-target/dist-tools}")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct); export SOURCE_DATE_EPOCH
export PATH=$tools/bin:$PATH CARGO_INCREMENTAL=0

say() { echo "dist: $*" >&2; }
die() { say "$*"; exit 1; }

install_tools() {
  [ -x "$tools/bin/pip" ] || python3 -m venv "$tools"
  [ -x "$tools/bin/cargo-zigbuild" ] || "$tools/bin/pip" install --quiet cargo-zigbuild==0.24.1 ziglang==0.15.1
  [ -x "$tools/bin/nfpm" ] || GOBIN=$tools/bin go install github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
  [ -x "$tools/bin/cargo-cyclonedx" ] || cargo install --quiet --locked --root "$tools" cargo-cyclonedx@0.5.9
  [ -x "$tools/bin/cargo-bundle-licenses" ] || cargo install --quiet --locked --root "$tools" cargo-bundle-licenses@5.0.0
}

# Those whose standard library this machine has.
targets() {
  local target
  for target in x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu; do
    if [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ]; then echo "$target"; else say "$target: left out (rustup target add $target)"; fi
  done
}

# Fails when the program asks for a newer glibc than the one it is made for.
check_glibc() { # program
  local newest; newest=$(objdump -T "$1" | grep -o 'GLIBC_[0-9.]*' | sed s/GLIBC_// | sort -uV | tail -1)
  [ "$(printf '%s\n' "$newest" "$glibc" | sort -V | tail -1)" = "$glibc" ] || die "$1 asks for glibc $newest; at most $glibc was meant"
  say "$1 asks for glibc $newest at the most"
}

# Paths of the build machine would stand in messages of panics and change the bytes.
program() { # target
  say "building for $1 with glibc $glibc"
  RUSTFLAGS="--remap-path-prefix=$PWD=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo" \
    cargo zigbuild --quiet --release --locked --offline --target "$1.$glibc"
  check_glibc "target/$1/release/ci-bootstrap"
}

# What a package has beside the program: pages, completions, an inventory to begin with, licences.
share() { # folder program
  local shell; mkdir -p "$1"/{man1,completions}
  "$2" man "$1/man1" >/dev/null; gzip -9n "$1"/man1/*
  for shell in bash zsh fish; do "$2" completions $shell > "$1/completions/$shell"; done
  cargo bundle-licenses --format yaml --output "$1/THIRDPARTY.yml" >/dev/null 2>&1 || die "the licences of the dependencies can't be told"
  cp LICENSE README.md CHANGELOG.md inventory.example.yaml "$1"
  find "$1" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
}

packages() { # target
  local arch=amd64 kind; [ "${1%%-*}" != aarch64 ] || arch=arm64
  mkdir -p "$out/stage"; install -m755 "target/$1/release/ci-bootstrap" "$out/stage/ci-bootstrap"
  touch -d "@$SOURCE_DATE_EPOCH" "$out/stage/ci-bootstrap"
  for kind in deb rpm; do
    ARCH=$arch VERSION=$version nfpm package --config dist/nfpm.yaml --packager $kind --target "$out" >/dev/null
  done
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$out" \
    --transform "s,^stage,ci-bootstrap-$version," -cf - stage | gzip -9n > "$out/ci-bootstrap-$version-${1%%-*}-linux.tar.gz"
}

# The section of this version, or what is not released yet.
notes() {
  local section=Unreleased; ! grep -qE "^## $version( |\$)" CHANGELOG.md || section=$version
  awk -v section="$section" '/^## / { on = $2 == section; next } on' CHANGELOG.md > "$out/RELEASE-NOTES.md"
}

# CycloneDX, without the serial number and the time that would differ each time.
sbom() {
  cargo cyclonedx --quiet --format json --override-filename sbom >/dev/null 2>&1 || die "no SBOM could be made"
  python3 -c 'import json, sys; s = json.load(open("sbom.json")); s.pop("serialNumber", None); s["metadata"].pop("timestamp", None); json.dump(s, sys.stdout, indent=1, sort_keys=True)' \
    > "$out/ci-bootstrap-$version.cdx.json"
  find . -path ./target -prune -o -name sbom.json -exec rm {} +
}

# Of what is published: the notes are the text of the release's page, and no file of it.
sums() {
  ( cd "$out" && find . -maxdepth 1 -type f ! -name 'SHA256SUMS*' ! -name RELEASE-NOTES.md -printf '%P\n' | sort | xargs sha256sum > SHA256SUMS )
  if [ -n "${DIST_KEY:-}" ]; then
    rm -f "$out/SHA256SUMS.sig"; ssh-keygen -q -Y sign -n ci-bootstrap-release -f "$DIST_KEY" "$out/SHA256SUMS"
  else
    say "SHA256SUMS is not signed: DIST_KEY is not set"
  fi
}

for tool in cargo go python3 objdump git; do command -v $tool >/dev/null || die "$tool is missing"; done
[ -z "$(git status --porcelain --untracked-files=no)" ] || say "the work tree differs from the commit: this is no release"
install_tools
cargo fetch --quiet --locked
rm -rf "$out"; mkdir -p "$out"
mapfile -t built < <(targets)
[ "${#built[@]}" -gt 0 ] || die "no target can be built here"
for target in "${built[@]}"; do program "$target"; done
share "$out/stage" "target/$(uname -m)-unknown-linux-gnu/release/ci-bootstrap"
for target in "${built[@]}"; do packages "$target"; done
rm -rf "$out/stage"
notes; sbom; sums
( cd "$out" && ls -l )

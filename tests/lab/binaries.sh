#!/bin/bash
# binaries.sh [NAME...]   Every program of binaries.tsv into $BIN, from the first source that has it:
#   1. the folder LAB_ARTIFACTS (NAME-vVERSION.xz, checked by its SHA256SUMS)
#   2. an official release (releases.tsv, checked by SHA-256)
#   3. a build from pinned Go modules (src/)
# A build that takes minutes where the others take seconds is made only of what is asked for by NAME.
# What none of them gives is written to $LAB_ROOT/missing; only what few tests need may be.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
optional=" crictl delay kaniko "
long=" kaniko " asked=" $* "

have() { [ -x "$BIN/$1" ] && [ "$(cat "$BIN/.versions/$1" 2>/dev/null)" = "$2" ]; }

from_artifacts() { # name version
  local file; [ -n "${LAB_ARTIFACTS:-}" ] || return 1
  for file in "$1-v$2.xz" "$1-$2.xz"; do
    [ -f "$LAB_ARTIFACTS/$file" ] || continue
    ( cd "$LAB_ARTIFACTS" && grep -E "  $file\$" SHA256SUMS | sha256sum --status -c - ) \
      || die "$LAB_ARTIFACTS/$file does not match SHA256SUMS there: fetch the folder again"
    xz -dc "$LAB_ARTIFACTS/$file" > "$BIN/.new" && return 0
  done
  return 1
}

from_release() { # name
  local member sha url archive
  read -r member sha url < <(awk -v n="$1" '$1 == n {print $2, $3, $4}' "$LAB_HERE/releases.tsv") || return 1
  archive=$LAB_ROOT/downloads/${url##*/}
  if [ ! -f "$archive" ]; then
    mkdir -p "$LAB_ROOT/downloads"
    curl -fsSL --connect-timeout 5 --max-time 300 -o "$archive.new" "$url" 2>/dev/null || { rm -f "$archive.new"; return 1; }
    echo "$sha  $archive.new" | sha256sum --status -c - || die "$url: SHA-256 is not $sha (kept as $archive.new)"
    mv "$archive.new" "$archive"
  fi
  tar -xzOf "$archive" "$member" > "$BIN/.new"
}

link_flags() { # name version: what the upstream build stamps into the program
  case $1 in
    kube) local v=k8s.io/component-base/version; echo "-X $v.gitVersion=v$2 -X $v.gitMajor=${2%%.*} -X $v.gitMinor=$(cut -d. -f2 <<<"$2") -X $v.gitTreeState=clean" ;;
    containerd*|ctr) local m=github.com/containerd/containerd/v2; echo "-X $m/version.Version=$2 -X $m/version.Package=$m" ;;
    crictl) echo "-X sigs.k8s.io/cri-tools/pkg/version.Version=v$2" ;;
  esac
}

from_source() { # name version folder package
  local dir=$LAB_HERE/src/$3 package=$4 tags=
  [ -d "$dir" ] || return 1
  [[ $long != *" $1 "* || $asked == *" $1 "* ]] || return 1
  say "building $1 $2 from source"
  if [ "$package" = c ]; then command -v gcc >/dev/null || return 1; gcc -Os -static -s -o "$BIN/.new" "$dir/$1.c"; return; fi
  if [ "$package" = build.sh ]; then "$dir/build.sh" "$BIN/.new" >"$LAB_ROOT/build.log" 2>&1 || { say "the build of $1 failed: $(tail -3 "$LAB_ROOT/build.log")"; return 1; }; return; fi
  command -v go >/dev/null || return 1
  [ "$package" != - ] || package=.
  [ "$3" != containerd ] || tags="no_btrfs no_devmapper no_zfs no_aufs"
  ( cd "$dir" && CGO_ENABLED=0 nice go build -mod=readonly -trimpath -buildvcs=false ${tags:+-tags "$tags"} \
      -ldflags "-s -w $(link_flags "$1" "$2")" -o "$BIN/.new" "$package" ) >"$LAB_ROOT/build.log" 2>&1 \
    || { say "the build of $1 failed: $(grep -v '^go: downloading' "$LAB_ROOT/build.log" | tail -3)"; return 1; }
}

fetch() { # name version folder package
  from_artifacts "$1" "$2" || from_release "$1" || from_source "$@" || return 1
  chmod 755 "$BIN/.new"; mv "$BIN/.new" "$BIN/$1"; echo "$2" > "$BIN/.versions/$1"
}

mkdir -p "$BIN/.versions"; : > "$LAB_ROOT/missing"
while read -r name version folder package; do
  have "$name" "$version" && continue
  fetch "$name" "$version" "$folder" "$package" && continue
  hint="no build"; [[ $long != *" $name "* ]] || hint="built by 'lab prepare $name' only"
  echo "$name $version: not in LAB_ARTIFACTS=${LAB_ARTIFACTS:-(unset)}, no release reachable, $hint" >> "$LAB_ROOT/missing"
  [[ $optional == *" $name "* ]] || failed=1
done < <(grep -v '^#' "$LAB_HERE/binaries.tsv")
[ ! -s "$LAB_ROOT/missing" ] || sed 's/^/lab: missing: /' "$LAB_ROOT/missing" >&2
[ -z "${failed:-}" ] || die "the lab needs these programs: set LAB_ARTIFACTS to a folder that has them, or install go and gcc to build them"

#!/bin/bash
# binaries.sh [NAME...]   Every program of binaries.tsv into $BIN, from the first source that has it:
#   1. the folder LAB_ARTIFACTS (NAME-vVERSION.xz, checked by its SHA256SUMS)
#   2. an official release (releases.tsv, checked by SHA-256)
#   3. a build from pinned Go modules (src/), two at a time: the largest first
# A build that takes minutes where the others take seconds is made only of what is asked for by NAME.
# What none of them gives is written to $LAB_ROOT/missing; only what few tests need may be.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
optional=" crictl delay kaniko "
long=" kaniko " asked=" $* "
# Processor seconds of the builds that count; the others take some 10.
seconds_of() { case $1 in kube) echo 600 ;; containerd|etcd|etcdctl|etcdutl|coredns|registry|kaniko) echo 60 ;; *) echo 10 ;; esac; }

have() { [ -x "$BIN/$1" ] && [ "$(cat "$BIN/.versions/$1" 2>/dev/null)" = "$2" ]; }

from_artifacts() { # name version
  local file; [ -n "${LAB_ARTIFACTS:-}" ] || return 1
  for file in "$1-v$2.xz" "$1-$2.xz"; do
    [ -f "$LAB_ARTIFACTS/$file" ] || continue
    ( cd "$LAB_ARTIFACTS" && grep -E "  $file\$" SHA256SUMS | sha256sum --status -c - ) \
      || die "$LAB_ARTIFACTS/$file does not match SHA256SUMS there: fetch the folder again"
    xz -dc "$LAB_ARTIFACTS/$file" > "$BIN/.new-$1" && return 0
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
  tar -xzOf "$archive" "$member" > "$BIN/.new-$1"
}

link_flags() { # name version: what the upstream build stamps into the program
  case $1 in
    kube) local v=k8s.io/component-base/version; echo "-X $v.gitVersion=v$2 -X $v.gitMajor=${2%%.*} -X $v.gitMinor=$(cut -d. -f2 <<<"$2") -X $v.gitTreeState=clean" ;;
    containerd*|ctr) local m=github.com/containerd/containerd/v2; echo "-X $m/version.Version=$2 -X $m/version.Package=$m" ;;
    crictl) echo "-X sigs.k8s.io/cri-tools/pkg/version.Version=v$2" ;;
  esac
}

from_source() { # name version folder package
  local dir=$LAB_HERE/src/$3 package=$4 new=$BIN/.new-$1 log=$LAB_ROOT/build-$1.log tags=
  if [ "$package" = c ]; then gcc -Os -static -s -o "$new" "$dir/$1.c" >"$log" 2>&1
  elif [ "$package" = build.sh ]; then "$dir/build.sh" "$new" >"$log" 2>&1
  else
    [ "$package" != - ] || package=.
    [ "$3" != containerd ] || tags="no_btrfs no_devmapper no_zfs no_aufs"
    ( cd "$dir" && CGO_ENABLED=0 nice go build -mod=readonly -trimpath -buildvcs=false ${tags:+-tags "$tags"} \
        -ldflags "-s -w $(link_flags "$1" "$2")" -o "$new" "$package" ) >"$log" 2>&1
  fi || { say "the build of $1 failed: $(grep -v '^go: downloading' "$log" | tail -3)"; return 1; }
  rm -f "$log"; keep "$1" "$2"
}

keep() { chmod 755 "$BIN/.new-$1"; mv "$BIN/.new-$1" "$BIN/$1"; echo "$2" > "$BIN/.versions/$1"; } # name version
buildable() { # name folder package
  [ -d "$LAB_HERE/src/$2" ] || return 1
  [[ $long != *" $1 "* || $asked == *" $1 "* ]] || return 1
  case $3 in c|build.sh) command -v gcc >/dev/null ;; *) command -v go >/dev/null ;; esac
}

unreachable() { # name version
  local hint="no build"; [[ $long != *" $1 "* ]] || hint="built by 'lab prepare $1' only"
  echo "$1 $2: not in LAB_ARTIFACTS=${LAB_ARTIFACTS:-(unset)}, no release reachable, $hint" >> "$LAB_ROOT/missing"
}

left() { # seconds of work begun, in all: what is done of it tells the pace, once something is
  local built=$1 all=$2 spent=$((SECONDS - began))
  [ "$built" -gt 0 ] || { echo "about $(((all / $(nproc) + 59) / 60)) min"; return; }
  echo "about $((((all - built) * spent / built + 59) / 60)) min"
}

build_all() { # lines of: seconds name version folder package
  local seconds name version folder package all=0 done=0 number=0 pid lines; local -A of=()
  lines=$(sort -rn <<<"$1"); all=$(awk '{s += $1} END {print s + 0}' <<<"$lines"); began=$SECONDS
  while read -r seconds name version folder package; do
    if [ "${#of[@]}" -ge 2 ]; then wait -n -p pid || true; done=$((done + of[$pid])); unset "of[$pid]"; fi
    number=$((number + 1)); say "building $name $version from source ($number of $(wc -l <<<"$lines"), $(left "$done" "$all") left)"
    from_source "$name" "$version" "$folder" "$package" & of[$!]=$seconds
  done <<<"$lines"
  wait
}

mkdir -p "$BIN/.versions"; : > "$LAB_ROOT/missing"; to_build=
while read -r name version folder package; do
  have "$name" "$version" && continue
  if from_artifacts "$name" "$version" || from_release "$name"; then keep "$name" "$version"
  elif buildable "$name" "$folder" "$package"; then to_build+="$(seconds_of "$name") $name $version $folder $package"$'\n'
  else unreachable "$name" "$version"; fi
done < <(grep -v '^#' "$LAB_HERE/binaries.tsv")
# Of other releases only what the folder has: what needs them is skipped elsewhere.
while read -r _ kube etcd _; do
  for program in "kube $kube" "etcd $etcd"; do
    read -r name version <<<"$program"; other=$name-$version
    have "$other" "$version" && continue
    if from_artifacts "$name" "$version"; then mv "$BIN/.new-$name" "$BIN/.new-$other"; keep "$other" "$version"; fi
  done
done < <(grep -v '^#' "$LAB_HERE/other-releases.tsv")
[ -z "$to_build" ] || build_all "${to_build%$'\n'}"
while read -r name version _; do
  have "$name" "$version" || { grep -q "^$name " "$LAB_ROOT/missing" || unreachable "$name" "$version"
    [[ $optional == *" $name "* ]] || failed=1; }
done < <(grep -v '^#' "$LAB_HERE/binaries.tsv")
[ ! -s "$LAB_ROOT/missing" ] || sed 's/^/lab: missing: /' "$LAB_ROOT/missing" >&2
[ -z "${failed:-}" ] || die "the lab needs these programs: set LAB_ARTIFACTS to a folder that has them, or install go and gcc to build them"

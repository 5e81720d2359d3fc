#!/bin/bash
# manifests.sh   Calico's release manifests, as published, -> $MANIFESTS. They are checked by manifests.sha256 and not kept in this repository.
# Where they can't be had, the lab's own manifest for its stand-in stands in their place, and $MANIFESTS/standin says so.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
release=https://raw.githubusercontent.com/projectcalico/calico/v3.32.1/manifests
folder=${LAB_MANIFESTS:-${LAB_ARTIFACTS:+$LAB_ARTIFACTS/../data}}
own=$LAB_HERE/src/calico-standin/manifest.yaml

matches() { echo "$1  $2" | sha256sum --status -c - 2>/dev/null; } # sha file
upstream() { # sha name
  ! matches "$1" "$MANIFESTS/$2" || return 0
  if [ -n "$folder" ] && matches "$1" "$folder/$2"; then install -m644 "$folder/$2" "$MANIFESTS/$2"; return; fi
  curl -fsSL --connect-timeout 5 --max-time 60 -o "$MANIFESTS/.new" "$release/$2" 2>/dev/null && matches "$1" "$MANIFESTS/.new" || return 1
  mv "$MANIFESTS/.new" "$MANIFESTS/$2"
}
all_upstream() { local sha name; while read -r sha name; do upstream "$sha" "$name" || return 1; done < "$LAB_HERE/manifests.sha256"; }

mkdir -p "$MANIFESTS"
if all_upstream; then rm -f "$MANIFESTS/standin"; exit 0; fi
say "Calico's release manifests are neither in LAB_MANIFESTS=${folder:-(unset)} nor to be had from $release: the lab's own manifest for its stand-in takes their place"
while read -r _ name; do install -m644 "$own" "$MANIFESTS/$name"; done < "$LAB_HERE/manifests.sha256"
touch "$MANIFESTS/standin"

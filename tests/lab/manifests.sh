#!/bin/bash
# manifests.sh   Calico's release manifests, as published, -> $MANIFESTS. They are checked by manifests.sha256 and not kept in this repository.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
release=https://raw.githubusercontent.com/projectcalico/calico/v3.32.1/manifests
folder=${LAB_MANIFESTS:-${LAB_ARTIFACTS:+$LAB_ARTIFACTS/../data}}

mkdir -p "$MANIFESTS"
while read -r sha name; do
  matches() { echo "$sha  $1" | sha256sum --status -c - 2>/dev/null; }
  matches "$MANIFESTS/$name" && continue
  if [ -n "$folder" ] && matches "$folder/$name"; then install -m644 "$folder/$name" "$MANIFESTS/$name"; continue; fi
  curl -fsSL --connect-timeout 5 --max-time 60 -o "$MANIFESTS/.new" "$release/$name" 2>/dev/null && matches "$MANIFESTS/.new" \
    || die "$name (SHA-256 $sha) is neither in LAB_MANIFESTS=${folder:-(unset)} nor to be had from $release: put the file of that release there"
  mv "$MANIFESTS/.new" "$MANIFESTS/$name"
done < "$LAB_HERE/manifests.sha256"

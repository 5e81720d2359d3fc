#!/bin/bash
# real-images.sh check|push   Real images in place of the lab's stand-ins, from the folder that LAB_IMAGES names. The lab's own registry has a copy
# of all images, so another lab of the same LAB_ROOT keeps its stand-ins. README.md says what the folder holds.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cached=$LAB_ROOT/registry/docker/registry/v2/repositories

# NAME:TAG of each image in the folder, and where it lies: an OCI layout is a folder, `docker save` makes a file.
images_in() {
  local found; find -L "$1" -path "$1/update-site" -prune -o \( -name oci-layout -o -name '*.tar' \) -print | sort | while read -r found; do
    found=${found%/oci-layout} name=${found#"$1/"}
    echo "${name%.tar} $found"
  done
}

# An image that nothing asks for is a spelling mistake, or of a version that ci-bootstrap doesn't install: either would test the stand-in.
check_name() { # NAME:TAG
  local name=${1%:*} tag=${1##*:}
  [[ $1 == *:* ]] || die "LAB_IMAGES: '$1' has no tag: lay it out as NAME:TAG"
  [ -d "$cached/$name/_manifests/tags" ] || die "LAB_IMAGES: no image of the lab is named '$name'; it has: $(names)"
  [ -d "$cached/$name/_manifests/tags/$tag" ] || die "LAB_IMAGES: the lab's '$name' has another tag than '$tag': $(tags "$name")"
}
names() { find "$cached" -name _manifests -printf '%P\n' | sed 's|/_manifests$||' | sort | tr '\n' ' '; }
tags() { find "$cached/$1/_manifests/tags" -mindepth 1 -maxdepth 1 -printf '%f '; }

check_folder() {
  [ "$LAB_IMAGES" != upstream ] || die "LAB_IMAGES=upstream: the lab pulls no images; name a folder that holds them"
  [ -d "$LAB_IMAGES" ] || die "LAB_IMAGES=$LAB_IMAGES: neither 'stand-in' nor a folder"
  local list image; list=$(images_in "$LAB_IMAGES")
  [ -n "$list" ] || die "LAB_IMAGES=$LAB_IMAGES: no OCI layout and no .tar in it"
  while read -r image _; do check_name "$image"; done <<<"$list"
}

push() {
  local image path digest
  images_in "$LAB_IMAGES" | while read -r image path; do
    digest=$(in_ns env SSL_CERT_FILE="$RUN/ca.crt" "$BIN/crane" push "$path" "$REGISTRY/$image" 2>"$RUN/push.log" </dev/null) \
      || die "LAB_IMAGES: $path can't be pushed: $(tail -3 "$RUN/push.log")"
    say "real: $image ${digest##*@}"
  done
  [ ! -d "$LAB_IMAGES/update-site" ] || { ln -sfn "$(realpath "$LAB_IMAGES/update-site")" "$RUN/www/jenkins"; say "real: the update site of Jenkins"; }
  say "stand-ins: all images that are not listed here"
}

[ "${LAB_IMAGES:-stand-in}" != stand-in ] || exit 0
LAB_IMAGES=${LAB_IMAGES%/}
case ${1:-} in
  check) check_folder ;;
  push) check_folder; push ;;
  *) die "usage: real-images.sh check|push" ;;
esac

#!/bin/bash
# rhel/repos.sh   Signed rpm repositories -> $REPOS/rpm/{base,kubernetes,kubernetes-next,containerd}
# Two keys, as in the field: the distribution's, which its hosts trust from the start, and the vendors', which they don't.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"; . "$LAB_HERE/rhel/rpm.sh"
export GNUPGHOME=$LAB_ROOT/gpg-rpm

signing_keys() {
  local name
  [ -f "$KEYS/rpm-vendor.asc" ] && return
  rm -rf "$GNUPGHOME"; mkdir -p -m700 "$GNUPGHOME"; mkdir -p "$KEYS"
  for name in distribution vendor; do
    gpg -q --batch --passphrase '' --quick-gen-key "lab rpm $name <$name@ci-bootstrap.test>" rsa2048 sign never 2>/dev/null
    gpg --armor --export "$name@ci-bootstrap.test" > "$KEYS/rpm-$name.asc"
  done
}

repository() { # name key
  local dir=$REPOS/rpm/$1; rm -rf "$dir.new"; mkdir -p "$dir.new"; cp "$RPMS/$1"/*.rpm "$dir.new/"
  rpmsign --define "__gpg $(command -v gpg)" --define "_gpg_name $2@ci-bootstrap.test" --define "_dbpath $GNUPGHOME/db" --addsign "$dir.new"/*.rpm > "$dir.new.log" 2>&1 \
    || die "rpmsign of $1 failed: $(grep -v GPG_TTY "$dir.new.log" | tail -3)"
  createrepo_c -q "$dir.new"
  gpg -q --batch --yes --local-user "$2@ci-bootstrap.test" --armor --detach-sign "$dir.new/repodata/repomd.xml"
  cp "$KEYS/rpm-$2.asc" "$dir.new/repodata/repomd.xml.key"
  rm -rf "$dir" "$dir.new.log"; mv "$dir.new" "$dir"
}

stamp=$( { cat "$LAB_HERE"/rhel/{rpm,distribution,vendors,repos}.sh "$LAB_HERE"/units/*; cat "$LAB_ROOT"/stamps/{rhel-userland,debs,debian}; } | hash_of)
[ -d "$REPOS/rpm/containerd" ] && is_done rhel-repos "$stamp" && exit 0
t0=$(now); rm -rf "$RPMS.new" "$LAB_ROOT"/rpm.??????; mkdir -p "$RPMS.new" "$REPOS/rpm"
signing_keys; "$LAB_HERE/rhel/distribution.sh"; "$LAB_HERE/rhel/vendors.sh"
rm -rf "$RPMS"; mv "$RPMS.new" "$RPMS"
repository base distribution; for name in kubernetes kubernetes-next containerd; do repository "$name" vendor; done
gpgconf --kill all
mark_done rhel-repos "$stamp"; say "rpm repositories: $(since "$t0"), $(find "$REPOS/rpm" -name '*.rpm' | wc -l) packages"

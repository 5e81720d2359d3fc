# shellcheck shell=sh disable=SC2174
# The parents of the directories exist on every host, so that -m applies to all that is created (SC2174).
etcd_tools_alone() {
  mkdir -p -m 700 /run/ci-bootstrap /var/lib/ci-bootstrap
  exec 9>>/run/ci-bootstrap/etcd-tools.lock
  flock -w 60 9 || { echo 'a backup or a restore is at work on this host' >&2; return 1; }
}
no_etcd_tools() {
  for tools in /var/lib/ci-bootstrap/etcd-image.*; do
    [ -d $tools ] || continue
    ctr -n k8s.io images unmount --rm $tools >/dev/null 2>&1 || true
    ctr -n k8s.io snapshots rm $tools >/dev/null 2>&1 || true
    rmdir $tools 2>/dev/null || true
  done
}
etcd_tools() {
  no_etcd_tools
  tools=$(mktemp -d /var/lib/ci-bootstrap/etcd-image.XXXXXX)
  said=$(ctr -n k8s.io images mount "$1" $tools 2>&1) || { echo "the image $1 can't be opened: $said" >&2; return 1; }
  PATH=$tools/usr/local/bin:$PATH
  command -v etcdutl >/dev/null || { echo "the image $1 holds no etcdutl" >&2; return 1; }
}

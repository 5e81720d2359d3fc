//! etcd's own programs on a host that has them only in an image.

/// Shell functions: `etcd_tools_alone` comes before the others, `etcd_tools IMAGE` puts etcdctl and etcdutl of that image into
/// `PATH`, `no_etcd_tools` takes them away again, also those that a killed run left. kubeadm's hosts have no etcdctl installed, and another version than etcd's own would be no better than none.
///
/// The programs are static, so that the image's files alone are enough: no container has to be started, and none has to run already.
/// Whoever uses them holds a lock to the end of its script, so that nobody takes them away from another; one that was killed is waited for.
///
/// Each use has a folder of its own: for a while after an unmount containerd holds that a mount of this name is still there.
pub const ETCD_TOOLS: &str = "etcd_tools_alone() {
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
  said=$(ctr -n k8s.io images mount \"$1\" $tools 2>&1) || { echo \"the image $1 can't be opened: $said\" >&2; return 1; }
  PATH=$tools/usr/local/bin:$PATH
  command -v etcdutl >/dev/null || { echo \"the image $1 holds no etcdutl\" >&2; return 1; }
}
";

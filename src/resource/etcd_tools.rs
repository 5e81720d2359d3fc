//! etcd's own programs on a host that has them only in an image.

/// Shell functions: `etcd_tools_alone` comes before the others, `etcd_tools IMAGE` puts etcdctl and etcdutl of that image into
/// `PATH`, `no_etcd_tools` takes them away again, also those that a killed run left. kubeadm's hosts have no etcdctl installed, and another version than etcd's own would be no better than none.
///
/// The programs are static, so that the image's files alone are enough: no container has to be started, and none has to run already.
/// Whoever uses them holds a lock to the end of its script, so that nobody takes them away from another; one that was killed is waited for.
///
/// Each use has a folder of its own: for a while after an unmount containerd holds that a mount of this name is still there.
pub const ETCD_TOOLS: &str = include_str!("../../scripts/etcd-tools.sh");

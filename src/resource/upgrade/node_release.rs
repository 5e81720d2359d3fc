//! Which release of Kubernetes a host runs, as its files, its packages and the API server tell it.

use std::collections::BTreeMap;
use std::fmt;

use super::super::{HostState, Probe, sh};

/// Packages that carry the release.
pub(super) const PACKAGES: [&str; 3] = ["kubeadm", "kubectl", "kubelet"];
/// Static pods whose image tag is the release.
pub(super) const COMPONENTS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// The section with what the host itself has.
const HOST: &str = "kubernetes-release";
/// The section with what the API server says.
const CLUSTER: &str = "kubernetes-release-in-the-cluster";

const HOST_PROBE: &str = r#"[ -e /etc/kubernetes/kubelet.conf ] || exit 0
echo member
if command -v dpkg-query >/dev/null; then dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' kubeadm kubectl kubelet 2>/dev/null | sed -n 's/^installed /package /p'
else rpm -q --qf 'package %{NAME} %{VERSION}-%{RELEASE}\n' kubeadm kubectl kubelet 2>/dev/null | grep '^package [a-z]* [0-9]'; fi
cd /etc/kubernetes/manifests 2>/dev/null || exit 0
for c in etcd kube-apiserver kube-controller-manager kube-scheduler; do
  [ -e $c.yaml ] && sed -n "s/^ *image: *[^ ]*:\([^ :]*\) *$/image $c \1/p" $c.yaml | head -n 1
done"#;

/// Of a control plane, with the administrator's credentials, at its own API server.
const CONTROL_PLANE_PROBE: &str = r#"[ -e /etc/kubernetes/admin.conf ] || exit 0
timeout 20 kubectl --cache-dir /dev/null --kubeconfig /etc/kubernetes/admin.conf --server https://@ADDRESS@:6443 --request-timeout=10s \
  get -n kube-system configmap/kubeadm-config daemonset/kube-proxy deployment/coredns node/@NODE@ \
  -o jsonpath='{range .items[*]}{.kind} {.spec.template.spec.containers[0].image}{.status.nodeInfo.kubeletVersion}{"\n"}{.data.ClusterConfiguration}{"\n"}{end}' 2>/dev/null"#;

/// Of a worker, with kubelet's own credentials, which may read their own node alone.
const WORKER_PROBE: &str = r#"[ -e /etc/kubernetes/kubelet.conf ] || exit 0
timeout 20 kubectl --kubeconfig /etc/kubernetes/kubelet.conf --request-timeout=10s get --raw /api/v1/nodes/@NODE@ 2>/dev/null \
  | tr -d '\n' | sed -n 's/.*"kubeletVersion": *"\([^"]*\)".*/Node \1/p'"#;

/// A release, `1.36.5`, or the version of etcd or `CoreDNS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release {
    pub(super) major: u64,
    pub(super) minor: u64,
    pub(super) patch: u64,
}

impl Release {
    /// Reads `1.36.5`, `v1.36.5`, `1.36.5-1.1` or `3.6.8-0`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let text = text.split_once(':').map_or(text, |(_, rest)| rest);
        let mut numbers = text.split(['-', '+', '~']).next()?.split('.').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            major: next()?,
            minor: next()?,
            patch: next()?,
        })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What a look has shown. Texts are as the host gave them; nothing here decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NodeRelease {
    /// Whether the host belongs to a cluster.
    pub(super) is_member: bool,
    /// Installed packages.
    pub(super) packages: BTreeMap<String, Release>,
    /// Image tags of the static pods.
    pub(super) images: BTreeMap<String, String>,
    /// The release that the cluster's configuration names.
    pub(super) cluster: Option<Release>,
    /// Version that the running kubelet has reported.
    pub(super) kubelet: Option<Release>,
    /// Image tag of kube-proxy.
    pub(super) kube_proxy: Option<String>,
    /// Image tag of `CoreDNS`.
    pub(super) coredns: Option<String>,
}

/// Asks a control plane.
pub(super) fn ask_control_plane(ask: &mut Probe, node: &str, address: &str) {
    let address = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    ask.script(HOST, HOST_PROBE);
    ask.script(
        CLUSTER,
        &CONTROL_PLANE_PROBE
            .replace("@ADDRESS@", &address)
            .replace("@NODE@", node),
    );
}

/// Asks any node.
pub(super) fn ask_node(ask: &mut Probe, node: &str, address: Option<&str>) {
    if let Some(address) = address {
        ask_control_plane(ask, node, address);
    } else {
        ask.script(HOST, HOST_PROBE);
        ask.script(CLUSTER, &WORKER_PROBE.replace("@NODE@", node));
    }
}

/// Asks the host alone.
pub(super) fn ask_host(ask: &mut Probe) {
    ask.script(HOST, HOST_PROBE);
}

/// The tag of an image reference.
fn tag(reference: &str) -> Option<String> {
    let (_, tag) = reference.rsplit_once(':')?;
    Some(tag.to_owned())
}

impl NodeRelease {
    /// Reads what the host has answered.
    pub(super) fn read(seen: &HostState) -> Self {
        let mut found = Self::default();
        for line in seen.section(HOST).lines() {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["member"] => found.is_member = true,
                ["package", name, version] => {
                    let release = Release::parse(version);
                    found
                        .packages
                        .extend(release.map(|release| (name.to_owned(), release)));
                }
                ["image", name, tag] => {
                    found.images.insert(name.to_owned(), tag.to_owned());
                }
                _ => {}
            }
        }
        for line in seen.section(CLUSTER).lines() {
            match line.split_once(' ') {
                Some(("kubernetesVersion:", version)) => found.cluster = Release::parse(version),
                Some(("Node", version)) => found.kubelet = Release::parse(version),
                Some(("DaemonSet", image)) => found.kube_proxy = tag(image),
                Some(("Deployment", image)) => found.coredns = tag(image),
                _ => {}
            }
        }
        found
    }

    /// Packages of these that are installed at another release, a pair of lines for each.
    pub(super) fn other_packages(&self, names: &[&str], wanted: Release) -> Vec<String> {
        let other = names.iter().filter_map(|name| {
            let installed = self
                .packages
                .get(*name)
                .filter(|installed| **installed != wanted)?;
            Some([format!("-{name} {installed}"), format!("+{name} {wanted}")])
        });
        other.flatten().collect()
    }
}

/// Shell function `cluster_release`: the release that kubeadm-config names now, asked with the administrator's credentials.
pub(super) fn cluster_release(address: &str) -> String {
    let address = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    format!(
        "api() {{ timeout 30 kubectl --cache-dir /dev/null --kubeconfig /etc/kubernetes/admin.conf --server {} --request-timeout=20s \"$@\"; }}\n\
         cluster_release() {{ api get -n kube-system configmap kubeadm-config -o 'jsonpath={{.data.ClusterConfiguration}}' | sed -n 's/^kubernetesVersion: *v//p'; }}\n",
        sh::quote(&format!("https://{address}:6443"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_packages_and_tags_are_releases() {
        for text in [
            "1.36.5",
            "v1.36.5",
            "1.36.5-1.1",
            "1.36.5-150500.1.1",
            "0:1.36.5-1",
        ] {
            assert_eq!(
                Release::parse(text).map(|r| r.to_string()).as_deref(),
                Some("1.36.5"),
                "{text}"
            );
        }
        for text in ["", "1.36", "latest", "1.x.5"] {
            assert_eq!(Release::parse(text), None, "{text}");
        }
        assert!(Release::parse("3.6.8-0") < Release::parse("3.6.11-0"));
    }

    #[test]
    fn reads_host_and_cluster() {
        let seen = HostState::example(
            "\x1ekubernetes-release\nmember\npackage kubelet 1.35.8-1.1\nimage etcd 3.6.6-0\nimage kube-apiserver v1.35.8\n\
             \x1ekubernetes-release-in-the-cluster\nConfigMap \napiServer: {}\nkubernetesVersion: v1.35.8\nnetworking:\n\n\
             DaemonSet r:5000/kube-proxy:v1.35.8\n\nDeployment r:5000/coredns:v1.13.1\n\nNode v1.35.8\n\n\x1eend\n",
        );
        let found = NodeRelease::read(&seen);
        let release = Release::parse("1.35.8");
        assert!(found.is_member);
        assert_eq!(
            (
                found.cluster,
                found.kubelet,
                found.packages.get("kubelet").copied()
            ),
            (release, release, release)
        );
        assert_eq!(found.images["etcd"], "3.6.6-0");
        assert_eq!(
            (found.kube_proxy.as_deref(), found.coredns.as_deref()),
            (Some("v1.35.8"), Some("v1.13.1"))
        );
        assert_eq!(NodeRelease::read(&HostState::default()), NodeRelease::default());
    }
}

//! kube-proxy and `CoreDNS` at another release.

use std::time::Duration;

use serde::Deserialize;

use super::super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable};
use super::node_release::{self, NodeRelease, Release};

/// The add-ons of the wanted release. kubeadm leaves them out, without an error, while the API server of any control plane is older.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AddonsUpgrade {
    /// Node name.
    pub node: String,
    /// Address on which its API server listens.
    pub address: String,
    /// The wanted release.
    pub version: String,
    /// Reference of CoreDNS' image of that release.
    pub coredns: String,
}

impl AddonsUpgrade {
    fn due(&self, found: &NodeRelease) -> Vec<String> {
        let wanted = Release::parse(&self.version);
        // Before the cluster's configuration is there, the control planes are not either.
        if found.cluster.is_none() || found.cluster != wanted {
            return Vec::new();
        }
        let mut lines = Vec::new();
        // What can't be read as a release, as a digest or `latest`, is the site's choice.
        let older =
            |tag: &&String, new: &str| Release::parse(tag).is_some_and(|old| Some(old) < Release::parse(new));
        if let Some(tag) = found.kube_proxy.as_ref().filter(|tag| older(tag, &self.version)) {
            lines.extend([
                format!("-kube-proxy {tag}"),
                format!("+kube-proxy v{}", self.version),
            ]);
        }
        let new = self.coredns.rsplit_once(':').map_or("", |(_, tag)| tag);
        if let Some(tag) = found.coredns.as_ref().filter(|tag| older(tag, new)) {
            lines.extend([format!("-CoreDNS {tag}"), format!("+CoreDNS {new}")]);
        }
        lines
    }
}

impl Resource for AddonsUpgrade {
    fn probe(&self, ask: &mut Probe) {
        node_release::ask_control_plane(ask, &self.node, &self.address);
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let summary = format!("upgrade the add-ons to those of Kubernetes {}", self.version);
        Ok(Comparison::from_lines(
            summary,
            self.due(&NodeRelease::read(seen)),
        ))
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
        let script = format!(
            "{functions}kubeadm upgrade node phase addon all\n\
             old=$(api get -n kube-system pods -l component=kube-apiserver -o 'jsonpath={{range .items[*]}}{{.spec.nodeName}} {{.spec.containers[0].image}}{{\"\\n\"}}{{end}}' \
             | grep -v ':v{version}$' || true)\n\
             [ -z \"$old\" ] || {{ echo 'kubeadm upgrades kube-proxy and CoreDNS only when no API server is older; these are:'; echo \"$old\"; \
             echo 'If such a machine is lost for good, delete its node (`kubectl delete node NAME`), wait a minute and apply again'; exit 1; }}\n",
            functions = node_release::cluster_release(&self.address),
            version = self.version,
        );
        Action::long("ci-bootstrap-upgrade", Duration::from_secs(900), script)
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Packages, Topic::Membership]
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sh;
    use super::*;

    fn addons() -> AddonsUpgrade {
        AddonsUpgrade {
            node: "cp1".into(),
            address: "10.0.0.1".into(),
            version: "1.36.5".into(),
            coredns: "r/coredns:v1.14.2".into(),
        }
    }

    fn seen(cluster: &str, kube_proxy: &str, coredns: &str) -> HostState {
        HostState::example(&format!(
            "\x1ekubernetes-release\nmember\n\x1ekubernetes-release-in-the-cluster\nkubernetesVersion: {cluster}\n\
             DaemonSet r/kube-proxy:{kube_proxy}\nDeployment r/coredns:{coredns}\n\x1eend\n"
        ))
    }

    #[test]
    fn what_kubeadm_left_out_in_silence_is_seen() {
        let due = |seen: &HostState| addons().compare(seen) != Ok(Comparison::InSync);
        assert!(due(&seen("v1.36.5", "v1.35.8", "v1.14.2")));
        assert!(due(&seen("v1.36.5", "v1.36.5", "v1.13.1")));
        assert!(!due(&seen("v1.36.5", "v1.36.5", "v1.14.6")));
        assert!(
            !due(&seen("v1.35.8", "v1.35.8", "v1.13.1")),
            "the control planes come first"
        );
        assert!(
            !due(&seen("v1.36.5", "latest", "sha256-0123")),
            "an image of the site's own choice"
        );
        assert!(!due(&HostState::default()));
        assert!(sh::is_valid(
            &addons()
                .action(&HostState::default(), &ActionInput::Nothing)
                .script
        ));
    }
}

//! What an upgrade needs, on the host before anything is disturbed.

use std::time::Duration;

use serde::Deserialize;

use super::super::images;
use super::super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};
use super::node_release::{self, NodeRelease, PACKAGES, Release};
use super::script::{ARCHIVES, REFRESH_LISTS, packages};

/// Packages and images of another release, downloaded on a node that runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UpgradeDownloads {
    /// The wanted release.
    pub version: String,
    /// Full references of the images that the node will need.
    pub images: Vec<String>,
}

/// The section of the probe.
const PRESENT: &str = "upgrade-downloads";

impl UpgradeDownloads {
    fn is_due(&self, found: &NodeRelease) -> bool {
        let wanted = Release::parse(&self.version);
        found.is_member
            && found
                .packages
                .values()
                .any(|installed| Some(*installed) != wanted)
    }

    /// What is not there yet.
    fn missing(&self, seen: &HostState) -> Vec<String> {
        let present: Vec<_> = seen.section(PRESENT).lines().collect();
        let found = NodeRelease::read(seen);
        let wanted = Release::parse(&self.version);
        let needed = PACKAGES
            .iter()
            .filter(|name| found.packages.get(**name).copied() != wanted);
        let package = |name: &&&str| !present.contains(&format!("package {name}").as_str());
        let packages = needed
            .filter(package)
            .map(|name| format!("+{name} {}", self.version));
        let image = |image: &&String| !present.contains(&format!("image {image}").as_str());
        packages
            .chain(self.images.iter().filter(image).map(|image| format!("+{image}")))
            .collect()
    }
}

impl Resource for UpgradeDownloads {
    fn probe(&self, ask: &mut Probe) {
        node_release::ask_host(ask);
        let version = sh::quote(&self.version);
        ask.script(
            PRESENT,
            &format!(
                "[ -e /etc/kubernetes/kubelet.conf ] || exit 0\n\
                 for p in kubeadm kubectl kubelet; do\n\
                   [ -z \"$(find {ARCHIVES} /var/cache/dnf -name \"${{p}}_\"{version}'-*.deb' -o -name \"$p-\"{version}'-*.rpm' 2>/dev/null | head -n 1)\" ] || echo \"package $p\"\n\
                 done\n\
                 [ ! -S /run/containerd/containerd.sock ] || timeout 20 ctr -n k8s.io images ls -q | sed 's/^/image /'"
            ),
        );
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        if !self.is_due(&NodeRelease::read(seen)) {
            return Ok(Comparison::InSync);
        }
        let summary = format!("download Kubernetes {}", self.version);
        Ok(Comparison::from_lines(summary, self.missing(seen)))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        let found = NodeRelease::read(seen);
        let wanted = Release::parse(&self.version);
        let names: Vec<_> = PACKAGES
            .into_iter()
            .filter(|name| found.packages.get(*name).copied() != wanted)
            .collect();
        let mut script = String::new();
        if !names.is_empty() {
            script = format!("{REFRESH_LISTS}{}", packages(&names, &self.version, true));
        }
        script += &images::pull_script(&self.images);
        Action::long("ci-bootstrap-downloads", Duration::from_secs(1800), script)
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![
            Topic::Packages,
            Topic::Membership,
            Topic::Unit("containerd.service".to_owned()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn downloads() -> UpgradeDownloads {
        UpgradeDownloads {
            version: "1.36.5".into(),
            images: vec!["r/kube-proxy:v1.36.5".into()],
        }
    }

    fn seen(host: &str, present: &str) -> HostState {
        HostState::example(&format!(
            "\x1ekubernetes-release\n{host}\n\x1eupgrade-downloads\n{present}\n\x1eend\n"
        ))
    }

    const OLD: &str =
        "member\npackage kubeadm 1.36.5-1.1\npackage kubectl 1.36.4-1.1\npackage kubelet 1.36.4-1.1";

    #[test]
    fn what_is_not_there_is_downloaded() {
        let Ok(Comparison::Differs(change)) = downloads().compare(&seen(OLD, "package kubelet")) else {
            unreachable!()
        };
        assert_eq!(change.detail, ["+kubectl 1.36.5", "+r/kube-proxy:v1.36.5"]);
        let all = "package kubectl\npackage kubelet\nimage r/kube-proxy:v1.36.5";
        assert_eq!(downloads().compare(&seen(OLD, all)), Ok(Comparison::InSync));
        let script = downloads().action(&seen(OLD, ""), &ActionInput::Nothing).script;
        assert!(
            sh::is_valid(&script)
                && script.contains("kubelet=1.36.5-*")
                && !script.contains("kubeadm=1.36.5"),
            "{script}"
        );
    }

    #[test]
    fn nothing_is_downloaded_where_nothing_is_due() {
        let done =
            "member\npackage kubeadm 1.36.5-1.1\npackage kubectl 1.36.5-1.1\npackage kubelet 1.36.5-1.1";
        for host in [done, "package kubelet 1.36.4-1.1", ""] {
            assert_eq!(
                downloads().compare(&seen(host, "")),
                Ok(Comparison::InSync),
                "{host}"
            );
        }
    }
}

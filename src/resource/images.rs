//! Container images on a node before it needs them.

use std::time::Duration;

use serde::Deserialize;

use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};

/// Images pulled ahead of joining. A node that has joined is left to its kubelet, which pulls and collects by itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ImageSet {
    /// Full references.
    pub pull: Vec<String>,
}

impl ImageSet {
    fn missing(&self, seen: &HostState) -> Vec<&String> {
        let section = seen.section("images");
        let joined = section.lines().any(|line| line == "(joined)");
        self.pull
            .iter()
            .filter(|image| !joined && !section.lines().any(|line| line == *image))
            .collect()
    }
}

/// Commands that pull these images side by side.
pub(super) fn pull_script<S: AsRef<str>>(references: impl IntoIterator<Item = S>) -> String {
    // crictl asks containerd's CRI, so it reads the very mirrors and certificates that kubelet's pulls will read.
    let references = sh::words(references);
    format!(
        "pull() {{\n  if command -v crictl >/dev/null 2>&1; then crictl --timeout 15m pull \"$1\" >/dev/null\n  \
         else ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d \"$1\" >/dev/null; fi || \
         {{ echo \"cannot pull $1\"; return 1; }}\n}}\n\
         waiting=\nfor image in {references}; do pull \"$image\" & waiting=\"$waiting $!\"; done\n\
         failed=0\nfor pull in $waiting; do wait $pull || failed=1; done\nexit $failed\n"
    )
}

impl Resource for ImageSet {
    fn probe(&self, ask: &mut Probe) {
        ask.script(
            "images",
            "if [ -e /etc/kubernetes/kubelet.conf ]; then echo '(joined)'\n\
             elif [ -S /run/containerd/containerd.sock ]; then timeout 20 ctr -n k8s.io images ls -q || true; fi",
        );
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let lines = self
            .missing(seen)
            .iter()
            .map(|image| format!("+{image}"))
            .collect();
        Ok(Comparison::from_lines("pull images ahead", lines))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        let script = pull_script(self.missing(seen));
        Action::long("ci-bootstrap-images", Duration::from_secs(1800), script)
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Packages, Topic::Unit("containerd.service".to_owned())]
    }
}

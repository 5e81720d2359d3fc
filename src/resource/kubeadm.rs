//! What control planes and workers have in common when kubeadm works on them.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::{JoinCredentials, Topic, sh};

/// Where kubeadm's configuration lies while kubeadm reads it: a folder that only root can open, gone at reboot.
pub(super) const CONFIG: &str = "/run/ci-bootstrap/kubeadm.yaml";

/// kubeadm's own waits add up to less than this.
pub(super) const PATIENCE: Duration = Duration::from_secs(900);

/// Commands that write the configuration and run `kubeadm PHASE`; on failure the last words of kubelet and of the
/// control plane's containers follow kubeadm's own.
pub(super) fn run(phase: &str, config: &str, ignore: &[String]) -> String {
    let ignore = match ignore {
        [] => String::new(),
        some => format!(" --ignore-preflight-errors={}", sh::quote(&some.join(","))),
    };
    format!(
        "mkdir -p -m 700 /run/ci-bootstrap\ntrap 'rm -f {CONFIG}' EXIT\n{}\
         kubeadm config validate --config {CONFIG}\n\
         kubeadm {phase} --config {CONFIG}{ignore} || {{ status=$?; {EXPLAIN} exit $status; }}\n",
        sh::write_file(CONFIG, config, "0600", "root:root"),
    )
}

/// What a person would look at next. Bounded, and never fatal by itself.
const EXPLAIN: &str = "echo; echo '--- kubelet says:'; timeout 10 journalctl -u kubelet -n 15 -o cat --no-pager || true; \
    if command -v crictl >/dev/null; then echo '--- containers that ended:'; \
    for id in $(timeout 10 crictl ps -a -q --state Exited 2>/dev/null | head -n 3); do timeout 10 crictl logs --tail 8 $id 2>&1 || true; done; fi;";

/// The configuration with the credentials put in. They are unknown when the playbook is rendered.
pub(super) fn fill(config: &str, credentials: &JoinCredentials) -> String {
    let key = credentials
        .certificate_key
        .as_ref()
        .map_or("", |key| key.expose_secret());
    config
        .replace("@ENDPOINT@", &credentials.endpoint)
        .replace("@TOKEN@", credentials.token.expose_secret())
        .replace("@CA_HASH@", &credentials.ca_hash)
        .replace("@CERTIFICATE_KEY@", key)
}

/// Ends the action of a step that nobody has decided on: neither an init nor a join is ever what is left over.
pub(super) const UNDECIDED: &str =
    "echo 'ci-bootstrap has decided nothing for this host; this is a bug'\nexit 1\n";

/// Probe that asks the API server for the node with kubelet's own credentials: the one answer that proves both that
/// the cluster knows the node and that the node can prove who it is. Prints one word, then what `kubectl` said, which
/// is asked for a path: so it needs no list of the API's kinds, and leaves no cache of it in root's home.
///
/// Where the server that kubelet knows is silent and is not `endpoint`, the word is `elsewhere`. A kubelet.conf that holds its
/// certificates itself, as without rotation, is as good as one that names kubelet's own.
pub(super) fn membership(node: &str, endpoint: &str) -> String {
    format!(
        "cd /etc/kubernetes 2>/dev/null || {{ echo absent; exit 0; }}\n\
         [ -e kubelet.conf ] || {{ if [ -e bootstrap-kubelet.conf ] || [ -e pki/ca.crt ]; then echo half; else echo absent; fi; exit 0; }}\n\
         [ -e /var/lib/kubelet/config.yaml ] || {{ echo half; exit 0; }}\n\
         ! grep -q kubelet-client-current.pem kubelet.conf || [ -e /var/lib/kubelet/pki/kubelet-client-current.pem ] || {{ echo half; exit 0; }}\n\
         answer=$(timeout 20 kubectl --kubeconfig kubelet.conf --request-timeout=10s get --raw /api/v1/nodes/{node} 2>&1 >/dev/null) && {{ echo member; exit 0; }}\n\
         case $answer in *NotFound*) echo unknown ;; *Unauthorized*|*'certificate has expired'*|*'unknown authority'*) echo stranger ;; \
         *) grep -qF {server} kubelet.conf && echo silent || echo elsewhere ;; esac\necho \"$answer\"",
        node = sh::quote(node),
        server = sh::quote(&format!("server: https://{endpoint}"))
    )
}

/// What an init or a join alters.
pub(super) fn touches() -> Vec<Topic> {
    vec![Topic::Membership, Topic::Unit("kubelet.service".to_owned())]
}

/// What a look at a host's membership rests on.
pub(super) fn rests_on() -> Vec<Topic> {
    vec![
        Topic::Packages,
        Topic::Membership,
        Topic::Unit("containerd.service".to_owned()),
    ]
}

/// First line and the rest of a section.
pub(super) fn word_and_rest(section: &str) -> (&str, &str) {
    let (word, rest) = section.split_once('\n').unwrap_or((section, ""));
    (word.trim(), rest.trim())
}

/// What a host is to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// Nothing of a cluster on it.
    Absent,
    /// An init or join broke off on it.
    Half,
    /// It belongs to the cluster, whatever may be wrong with it.
    Member,
}

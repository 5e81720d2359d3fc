//! Whether hosts may get the state of a lost cluster: asked before anything is touched.

use std::time::Duration;

use crate::transport::{Script, Transport};

use super::{RecoveryError, failed};

const LIMIT: Duration = Duration::from_secs(60);

/// What a host has of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traces {
    /// Nothing.
    None,
    /// A control plane that was restored from the bundle of this identity.
    Restored(String),
    /// A control plane of another origin.
    ControlPlane,
    /// A worker of the cluster whose CA certificate has this SHA-256 sum.
    Worker(String),
}

const SCRIPT: &str = "cd /etc/kubernetes 2>/dev/null || exit 0
if [ -e pki/ci-bootstrap-restored ]; then echo \"restored $(cat pki/ci-bootstrap-restored)\"
elif [ -e manifests/kube-apiserver.yaml ] || [ -e manifests/etcd.yaml ] || [ -e admin.conf ] || [ -e pki/ca.key ]; then echo control-plane
elif [ -e kubelet.conf ] && [ -e pki/ca.crt ]; then echo \"worker $(sha256sum <pki/ca.crt | cut -d' ' -f1)\"; fi
";

/// Looks at a host and changes nothing.
///
/// # Errors
/// When it can't be asked.
pub async fn traces(host: &dyn Transport, name: &str) -> Result<Traces, RecoveryError> {
    let output = host.exec(Script::new(SCRIPT, LIMIT)).await?;
    if !output.success() {
        return Err(failed(name, "looking for a cluster", &output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let (word, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    Ok(match word {
        "restored" => Traces::Restored(rest.to_owned()),
        "control-plane" => Traces::ControlPlane,
        "worker" => Traces::Worker(rest.to_owned()),
        _ => Traces::None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::memory::MemoryHost;
    use crate::transport::{ScriptEnd, ScriptOutput};

    #[tokio::test]
    async fn one_word_tells_what_a_host_has() {
        for (answer, expected) in [
            ("", Traces::None),
            ("restored ab12\n", Traces::Restored("ab12".into())),
            ("control-plane\n", Traces::ControlPlane),
            ("worker cd34\n", Traces::Worker("cd34".into())),
        ] {
            let host = MemoryHost::new("h", move |_: &str| ScriptOutput {
                ended: ScriptEnd::Exited(0),
                stdout: answer.into(),
                stderr: Vec::new(),
            });
            assert_eq!(traces(&host, "h").await.ok(), Some(expected));
        }
    }
}

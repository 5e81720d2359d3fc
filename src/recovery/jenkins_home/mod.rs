//! Jenkins' home, reached through its controller: whatever its volume is made of, the pod has it mounted.

use std::time::Duration;

use crate::resource::sh;
use crate::transport::{Script, ScriptOutput, Transport};

use super::{RecoveryError, failed};

mod put;
mod take;

pub use put::HomeState;

/// A home has gigabytes, and the line may be slow.
const LIMIT: Duration = Duration::from_secs(4 * 3600);

/// The home of the controller in a namespace, by way of a control plane.
pub struct JenkinsHome<'a> {
    host: &'a dyn Transport,
    name: &'a str,
    namespace: &'a str,
}

impl std::fmt::Debug for JenkinsHome<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JenkinsHome")
            .field("host", &self.name)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl<'a> JenkinsHome<'a> {
    /// Asks nothing yet. `name` is the control plane's.
    pub fn new(host: &'a dyn Transport, name: &'a str, namespace: &'a str) -> Self {
        Self {
            host,
            name,
            namespace,
        }
    }

    /// What tells this home from every other: the sum of the key that all its secrets are encrypted with.
    ///
    /// # Errors
    /// When the controller does not run.
    pub async fn id(&self) -> Result<String, RecoveryError> {
        let script = "sha256sum <secrets/master.key";
        let output = self.run("looking for Jenkins' home", &in_pod(script, "")).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// Runs a script that uses `k` on the control plane.
    async fn run(&self, what: &'static str, script: &str) -> Result<ScriptOutput, RecoveryError> {
        let output = self.host.exec(Script::new(self.script(script), LIMIT)).await?;
        if output.success() {
            return Ok(output);
        }
        Err(failed(self.name, what, &output.stderr))
    }

    fn script(&self, script: &str) -> String {
        format!(
            "set -eu\nk() {{ kubectl --kubeconfig /etc/kubernetes/admin.conf --cache-dir /dev/null --namespace {} \"$@\"; }}\n{script}\n",
            sh::quote(self.namespace)
        )
    }
}

/// The command that runs a script in the controller's container, in its home.
fn in_pod(script: &str, flags: &str) -> String {
    let script = sh::quote(&format!("cd /var/jenkins_home\n{script}"));
    format!("k exec {flags} jenkins-0 -c jenkins -- sh -euc {script}")
}

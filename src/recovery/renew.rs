//! New certificates for a control plane.

use std::time::Duration;

use crate::transport::{Script, Transport};

use super::{RecoveryError, run};

/// Four components are stopped and waited for, one after the other.
const LIMIT: Duration = Duration::from_secs(900);

/// The components read their certificates when they start. kubelet starts each again when its container ends; etcd and the API server
/// come first, as nothing can do without them. Where certificates had expired already, components have failed for long, and kubelet would
/// let minutes pass before it tries again: restarted, it begins at once. Asking with the certificate that was just made proves that the
/// new ones are in use. The last two tell that they work by their lease, which one of each kind renews every two seconds: only when
/// somebody has done so since is the cluster's work done by anyone.
const SCRIPT: &str = include_str!("../../scripts/renew.sh");

/// Renews all certificates of a control plane and restarts what uses them. It may be killed anywhere and begun again.
///
/// # Errors
/// When the host can't be talked to, carries no control plane, or a component does not come back.
pub async fn renew(host: &dyn Transport, name: &str) -> Result<(), RecoveryError> {
    let exec = Script::new(SCRIPT, LIMIT);
    run(host, name, "renewing certificates", exec).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::SCRIPT;

    #[test]
    fn the_script_is_valid_shell() {
        assert!(crate::resource::sh::is_valid(SCRIPT));
    }

    /// What comes of waiting for a component whose lease reads like this, one look after the other.
    fn leads(lease: &str) -> (bool, String) {
        let functions = SCRIPT
            .split_once("\nk()")
            .and_then(|(_, rest)| rest.split_once("\nfailing="));
        let (functions, _) = functions.unwrap_or_default();
        let script = format!(
            "set -eu\nk() {functions}\nlooks=$(mktemp)\nk() {{ echo >>$looks; {lease}; }}\nsleep() {{ :; }}\n\
             running() {{ echo abc; }}\ncrictl() {{ echo 'its log'; }}\nlooked() {{ wc -l <$looks; }}\nleads c 2>&1"
        );
        let output = std::process::Command::new("sh").args(["-c", &script]).output();
        output.map_or_else(
            |error| (false, error.to_string()),
            |output| {
                (
                    output.status.success(),
                    String::from_utf8_lossy(&output.stdout).into_owned(),
                )
            },
        )
    }

    #[test]
    fn a_component_works_when_its_lease_goes_on() {
        assert!(leads("echo cp1_a $(looked)").0, "renewed at every look");
        assert!(
            leads("[ $(looked) -gt 9 ] && echo cp1_b 2 || echo cp1_a 1").0,
            "taken over"
        );
        for (lease, said) in [
            ("echo cp1_a 1", "'cp1_a 1'"),
            ("echo \" $(looked)\"", "'60'"),
            ("echo it is away; return 1", "'it is away'"),
        ] {
            let (goes_on, text) = leads(lease);
            assert!(
                !goes_on && text.contains(said) && text.contains("its log"),
                "{lease}: {text}"
            );
        }
    }
}

//! The arguments that hardening owns, in the static pods of a control plane.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{Action, ActionInput, Change, Comparison, HostState, Probe, Resource, Topic, Unreadable};

/// Arguments of the components on one control plane. kubeadm makes the static pods again from its configuration in the cluster, which has
/// to say the same by then.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ComponentArguments {
    /// Node name.
    pub node: String,
    /// Address on which its API server listens.
    pub address: String,
    /// Whether the arguments are to be there, or none of them.
    pub hardened: bool,
    /// `extraArgs` by component, in kubeadm's words.
    pub components: Value,
}

/// The section of the probe.
const SECTION: &str = "component arguments";
/// Lies on a host while its static pods are created again: kubeadm does one after the other.
const UNFINISHED: &str = "/var/lib/ci-bootstrap/components-unfinished";
/// The argument by which control planes are known that hardening has set up.
const AUDIT_POLICY: &str = "audit-policy-file";
/// kubeadm waits five minutes for each of three components, and goes back to the old ones where one does not come.
const PATIENCE: Duration = Duration::from_secs(1500);

/// A host without manifests is no control plane yet: it is made one with the arguments that it shall have.
const PROBE: &str = "cd /etc/kubernetes/manifests 2>/dev/null && [ -e kube-apiserver.yaml ] || exit 0
[ ! -e @UNFINISHED@ ] || echo unfinished
for component in kube-apiserver kube-controller-manager kube-scheduler; do
  sed -n \"s/^ *- --/$component /p\" $component.yaml 2>/dev/null
done
true";

/// kubeadm keeps the old manifests below /etc/kubernetes/tmp, and puts them back where a component does not come up. Certificates and
/// etcd are left alone. kubectl asks for a name where it has no login; the administrator's certificate is shown to loopback only, where the two
/// others have self-signed certificates. Patches of the site lie where kubeadm's documentation puts them.
const ACTION: &str = "mkdir -p -m 700 /var/lib/ci-bootstrap
: >@UNFINISHED@
systemctl start kubelet
patches=
[ ! -d /etc/kubernetes/patches ] || patches='--patches /etc/kubernetes/patches'
kubeadm upgrade node phase control-plane --certificate-renewal=false --etcd-upgrade=false $patches
answers() { # name, server, path, flag
  n=0
  until said=$(timeout 10 kubectl --kubeconfig /etc/kubernetes/admin.conf --cache-dir /dev/null --request-timeout=5s $4 --server \"$2\" get --raw \"$3\" 2>&1) && [ \"$said\" = ok ]; do
    n=$((n + 1)); [ $n -lt 60 ] || { echo \"$1 does not answer: $said\"; timeout 10 crictl logs --tail 10 \"$(crictl ps -a -q --name \"^$1\\$\" | head -n 1)\" 2>&1 || true; exit 1; }
    sleep 2
  done
}
answers kube-apiserver https://@ADDRESS@:6443 /readyz ''
answers kube-controller-manager https://127.0.0.1:10257 /healthz --insecure-skip-tls-verify
answers kube-scheduler https://127.0.0.1:10259 /healthz --insecure-skip-tls-verify
rm -f @UNFINISHED@
";

impl ComponentArguments {
    /// Component and argument as the manifests have them: `kube-apiserver profiling=false`.
    fn arguments(&self) -> Vec<String> {
        let programs = [
            ("apiServer", "kube-apiserver"),
            ("controllerManager", "kube-controller-manager"),
            ("scheduler", "kube-scheduler"),
        ];
        let arguments = programs.iter().flat_map(|(component, program)| {
            let arguments = self.components[component]["extraArgs"].as_array();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            arguments.into_iter().flatten().map(move |argument| {
                format!(
                    "{program} {}={}",
                    text(&argument["name"]),
                    text(&argument["value"])
                )
            })
        });
        arguments.collect()
    }

    /// What differs from the lines of the probe.
    fn differences(&self, seen: &[&str]) -> Vec<String> {
        let arguments = self.arguments();
        let has = |argument: &String| seen.contains(&argument.as_str());
        let mark = format!(" {AUDIT_POLICY}=");
        let mut is_ours = arguments.iter().filter(|argument| argument.contains(&mark));
        let mut lines: Vec<_> = if self.hardened {
            let missing = arguments.iter().filter(|argument| !has(argument));
            missing.map(|argument| format!("+{argument}")).collect()
        } else if is_ours.any(has) {
            let left = arguments.iter().filter(|argument| has(argument));
            left.map(|argument| format!("-{argument}")).collect()
        } else {
            Vec::new()
        };
        if seen.contains(&"unfinished") && lines.is_empty() {
            lines.push("+what an interrupted run has left undone".to_owned());
        }
        lines
    }
}

impl Resource for ComponentArguments {
    fn probe(&self, ask: &mut Probe) {
        ask.script(SECTION, &PROBE.replace("@UNFINISHED@", UNFINISHED));
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let seen: Vec<_> = seen.section(SECTION).lines().map(str::trim_end).collect();
        if seen.iter().all(|line| line.is_empty()) {
            return Ok(Comparison::InSync);
        }
        let mut lines = self.differences(&seen);
        if lines.is_empty() {
            return Ok(Comparison::InSync);
        }
        lines.push(
            "-what was changed in the manifests by hand, and is neither in ConfigMap kubeadm-config nor in \
             /etc/kubernetes/patches"
                .to_owned(),
        );
        let summary = format!("restart the control plane's components of {}", self.node);
        Ok(Comparison::Differs(Change::new(summary).with_detail(lines)))
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
        Action::long(
            "ci-bootstrap-components",
            PATIENCE,
            components_script(&self.address),
        )
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Packages, Topic::Membership]
    }

    fn interrupts_api(&self) -> bool {
        true
    }
}

/// Commands that make the static pods of a control plane again from the configuration in the cluster, but etcd's, and wait until they
/// answer; its API server listens on `address`.
fn components_script(address: &str) -> String {
    ACTION
        .replace("@UNFINISHED@", UNFINISHED)
        .replace("@ADDRESS@", &bracketed(address))
}

/// An address as URLs have it.
fn bracketed(address: &str) -> String {
    if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::sh;

    fn arguments(hardened: bool) -> ComponentArguments {
        ComponentArguments {
            node: "cp1".into(),
            address: "fd00::1".into(),
            hardened,
            components: json!({
                "apiServer": {"extraArgs": [{"name": "profiling", "value": "false"}, {"name": "audit-policy-file", "value": "/p"}]},
                "scheduler": {"extraArgs": [{"name": "profiling", "value": "false"}]},
            }),
        }
    }

    /// The lines of detail but the last, which warns.
    fn details(hardened: bool, section: &str) -> Vec<String> {
        let seen = HostState::example(&format!("\x1ecomponent arguments\n{section}\x1eend\n"));
        match arguments(hardened).compare(&seen) {
            Ok(Comparison::Differs(mut change)) => {
                assert!(change.detail.pop().is_some_and(|line| line.contains("by hand")));
                change.detail
            }
            other => {
                assert_eq!(other, Ok(Comparison::InSync));
                Vec::new()
            }
        }
    }

    const ON: &str = "kube-apiserver advertise-address=10.0.0.1\nkube-apiserver profiling=false\nkube-apiserver audit-policy-file=/p\n\
                      kube-scheduler profiling=false\n";

    #[test]
    fn static_pods_follow_the_inventory_in_both_directions() {
        assert_eq!(details(true, ON), [""; 0]);
        assert_eq!(
            details(true, "kube-apiserver advertise-address=10.0.0.1\n"),
            [
                "+kube-apiserver profiling=false",
                "+kube-apiserver audit-policy-file=/p",
                "+kube-scheduler profiling=false"
            ]
        );
        assert_eq!(
            details(false, ON),
            [
                "-kube-apiserver profiling=false",
                "-kube-apiserver audit-policy-file=/p",
                "-kube-scheduler profiling=false"
            ]
        );
    }

    #[test]
    fn a_host_that_is_no_control_plane_yet_lacks_nothing() {
        assert_eq!(details(true, ""), [""; 0]);
    }

    #[test]
    fn what_a_site_has_set_itself_stays_without_hardening() {
        let own = "kube-apiserver profiling=false\nkube-apiserver audit-policy-file=/srv\nkube-scheduler profiling=false\n";
        assert_eq!(details(false, own), [""; 0]);
        assert_eq!(details(true, own), ["+kube-apiserver audit-policy-file=/p"]);
    }

    #[test]
    fn a_change_that_broke_off_is_finished() {
        for hardened in [true, false] {
            let section = if hardened { ON } else { "kube-apiserver v=2\n" };
            assert_eq!(
                details(hardened, &format!("unfinished\n{section}")),
                ["+what an interrupted run has left undone"]
            );
        }
    }

    #[test]
    fn the_scripts_are_valid_shell_and_touch_neither_certificates_nor_etcd() {
        let script = arguments(true)
            .action(&HostState::default(), &ActionInput::Nothing)
            .script;
        assert!(
            sh::is_valid(&script) && !script.contains("@UN") && !script.contains("@AD"),
            "{script}"
        );
        assert!(script.contains("--certificate-renewal=false --etcd-upgrade=false"));
        assert!(script.contains("https://[fd00::1]:6443"));
        assert!(sh::is_valid(PROBE));
    }
}

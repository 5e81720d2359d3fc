//! Failures with everything a person needs.

use crate::event::{Class, Failure};
use crate::plan::StepHead;
use crate::recovery::RecoveryError;
use crate::resource::Unreadable;
use crate::transport::TransportError;

use super::access::AccessError;
use super::lock::LockError;
use super::milestones::Blocked;
use super::turns::GroupStopped;

/// Most lines of output that go with a failure.
pub(super) const SHOWN: usize = 30;

fn plain(class: Class, message: String, help: Option<&str>) -> Failure {
    Failure {
        class,
        message,
        origin: None,
        output: Vec::new(),
        help: help.map(str::to_owned),
    }
}

/// The program is wrong.
pub(super) fn bug(message: &str) -> Failure {
    plain(
        Class::Bug,
        message.to_owned(),
        Some("this is a bug; please report it with the debug log"),
    )
}

/// A host that can't be talked to.
pub(super) fn transport(error: &TransportError) -> Failure {
    plain(Class::Unreachable, error.to_string(), None)
}

/// A milestone that will not come.
pub(super) fn blocked(blocked: &Blocked) -> Failure {
    plain(
        Class::Blocked,
        format!("waits for {}, but {}", blocked.milestone, blocked.reason),
        None,
    )
}

/// A host that does not begin where another has failed.
pub(super) fn group_stopped(stopped: &GroupStopped) -> Failure {
    let GroupStopped { group, failed } = stopped;
    plain(
        Class::Blocked,
        format!("not begun: {failed} failed in group `{group}`, and no other host begins there"),
        Some("fix what failed, and run the same command again"),
    )
}

/// A lock that this run does not have.
pub(super) fn no_lock(error: &LockError) -> Failure {
    let class = match error {
        LockError::Busy { .. } => Class::Locked,
        LockError::NoMajority { .. } | LockError::Lost => Class::Unreachable,
    };
    plain(class, error.to_string(), Some(error.help()))
}

/// The API server can't be asked.
pub(super) fn access(error: &AccessError) -> Failure {
    match error {
        AccessError::Transport(error) => transport(error),
        AccessError::Api(_) | AccessError::Kubeconfig { .. } | AccessError::Command { .. } => {
            plain(Class::StepFailed, error.to_string(), None)
        }
    }
}

/// A bundle that can't be brought to a host.
pub(super) fn recovery(error: &RecoveryError) -> Failure {
    match error {
        RecoveryError::Transport(error) => transport(error),
        RecoveryError::Command { .. } | RecoveryError::Read(_) => {
            plain(Class::StepFailed, error.to_string(), None)
        }
    }
}

/// A step whose state the program can't read.
pub(super) fn unreadable(head: &StepHead, error: &Unreadable) -> Failure {
    with_step_origin(head, plain(Class::StepFailed, error.to_string(), None))
}

/// A step that may not be fixed by a program.
pub(super) fn refused(head: &StepHead, why: &str) -> Failure {
    with_step_origin(head, plain(Class::StepFailed, why.to_owned(), None))
}

/// A command that failed.
pub(super) fn command(head: &StepHead, status: i32, output: &[String]) -> Failure {
    let output = tail(output);
    let help = hint(&output.join("\n"));
    with_step_origin(
        head,
        Failure {
            output,
            ..plain(
                Class::StepFailed,
                format!("the command failed with status {status}"),
                help,
            )
        },
    )
}

/// A step that still differs after it was done.
pub(super) fn did_not_converge(head: &StepHead, detail: &[String]) -> Failure {
    let message = "step succeeded but the host did not converge".to_owned();
    let help = Some("something on the host undoes the change, or keeps it from taking effect");
    with_step_origin(
        head,
        Failure {
            output: tail(detail),
            ..plain(Class::StepFailed, message, help)
        },
    )
}

/// A step through the API server that failed.
pub(super) fn cluster_step(head: &StepHead, error: &impl std::fmt::Display) -> Failure {
    let text = error.to_string();
    let (message, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let output = rest.lines().map(str::to_owned).collect();
    with_step_origin(
        head,
        Failure {
            output,
            ..plain(Class::StepFailed, message.to_owned(), hint(&text))
        },
    )
}

/// A run that was asked to stop.
pub(super) fn stopped() -> Failure {
    plain(
        Class::Interrupted,
        "not started: the run was asked to stop".to_owned(),
        Some("run the same command again to go on"),
    )
}

fn with_step_origin(head: &StepHead, failure: Failure) -> Failure {
    Failure {
        origin: Some(head.origin.to_string()),
        ..failure
    }
}

fn tail(lines: &[String]) -> Vec<String> {
    let lines: Vec<_> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(SHOWN)..]
        .iter()
        .map(|line| (*line).clone())
        .collect()
}

/// Causes that are met again and again, and what helps.
const HINTS: &[(&str, &str)] = &[
    (
        "plugin/loop: Loop",
        "CoreDNS asks itself, as its node's resolv.conf names a loop-back address: write a file with other servers on each host and name it in \
         cluster.kubelet.resolvConf; docs/preflight.md says how a running cluster gets it",
    ),
    (
        "Unable to locate package",
        "the package is in no repository of this host: check packages.apt in the inventory and the host's own sources",
    ),
    (
        "NO_PUBKEY",
        "the repository is signed with another key: check `key` of the repository in the inventory",
    ),
    (
        "' was not found",
        "no repository of this host has that version: `apt-cache madison PACKAGE` on the host lists those there are",
    ),
    (
        "is not signed",
        "the repository is not signed: it can't be used; sign it or use another",
    ),
    (
        "Could not get lock",
        "another package manager is at work on the host; run again when it is done",
    ),
    (
        "Temporary failure in name resolution",
        "the host can't resolve names: check its /etc/resolv.conf",
    ),
    (
        "x509: certificate signed by unknown authority",
        "the registry's CA is not trusted: name it in registries[].ca of the inventory",
    ),
    // Before `connection refused`: an API server whose certificates have expired does not listen.
    (
        "x509: certificate has expired",
        "a certificate has expired, or the host's clock is wrong: `ci-bootstrap renew INVENTORY` renews those of the cluster; \
         a registry's is its owner's to renew",
    ),
    (
        "http: server gave HTTP response to HTTPS client",
        "the registry speaks HTTP: say `insecure: true` for it in the inventory, or give it a certificate",
    ),
    ("No space left on device", "the host's disk is full"),
    (
        "[ERROR Swap]",
        "swap is on: something turned it on again after the step `no swap`",
    ),
    (
        "GPG check FAILED",
        "a package is signed with another key: check `key` of the repository in the inventory",
    ),
    (
        "connection refused",
        "nothing listens at that address: check that the service is up and the address right",
    ),
];

fn hint(text: &str) -> Option<&'static str> {
    // That a probe fails says what the others say already: nothing serves. It is never the cause.
    let is_cause = |line: &&str| !line.contains("probe failed") && !line.contains("probe errored");
    let lines: Vec<_> = text.lines().filter(is_cause).collect();
    HINTS
        .iter()
        .find(|(cause, _)| lines.iter().any(|line| line.contains(cause)))
        .map(|(_, help)| *help)
}

#[cfg(test)]
mod tests {
    use super::{HINTS, hint};

    #[test]
    fn a_probe_is_no_cause() {
        let probe = "Unhealthy (x9, 3 s ago): Readiness probe failed: Get \"http://10.244.0.2:8181/ready\": connect: connection refused";
        let log = "[FATAL] plugin/loop: Loop (127.0.0.1:40105 -> :53) detected for zone \".\"";
        assert_eq!(hint(probe), None);
        assert!(hint(&format!("{probe}\n{log}")).is_some_and(|help| help.contains("resolvConf")));
        assert!(hint("dial tcp 10.0.0.1:443: connect: connection refused").is_some());
    }

    #[test]
    fn every_known_cause_is_in_the_handbook() {
        let handbook = include_str!("../../docs/troubleshooting.md");
        let missing: Vec<_> = HINTS
            .iter()
            .filter(|(cause, _)| !handbook.contains(&format!("`{cause}`")))
            .collect();
        assert!(
            missing.is_empty(),
            "docs/troubleshooting.md has no row for {missing:?}"
        );
    }
}

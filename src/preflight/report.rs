//! What a round of questions came to, and whom it keeps from being changed.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{CheckResult, Class, Failure};
use crate::model::PreflightCheck;

use super::finding::{Finding, Severity};
use super::round::{Ignored, Unanswered};

/// What a round of questions came to.
#[derive(Debug, Clone)]
pub struct Preflight {
    pub(super) ignored: Ignored,
    /// Hosts that are nodes already.
    pub(super) members: BTreeSet<String>,
    /// Hosts that have answered.
    pub(super) asked: BTreeSet<String>,
    pub(super) findings: Vec<Finding>,
    pub(super) unanswered: BTreeMap<String, Unanswered>,
}

impl Preflight {
    /// The same without the findings of further checks.
    #[must_use]
    pub fn without(mut self, checks: &[PreflightCheck]) -> Self {
        self.ignored.extend(checks);
        self
    }

    /// Findings of checks that aren't ignored.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| !self.ignored.contains(&finding.check))
    }

    /// What is said about a host besides: its warnings.
    pub fn warnings(&self, host: &str) -> Vec<String> {
        self.findings()
            .filter(|finding| finding.severity == Severity::Warning && is_about(finding, host))
            .map(|finding| format!("{}: {}; {}", finding.check.name(), finding.message, finding.help))
            .collect()
    }

    /// Why a host must not be changed; nothing where it may. While there is no cluster, what is wrong between hosts keeps all of them.
    pub fn obstacle(&self, host: &str) -> Option<Failure> {
        if let Some(Unanswered::Unreadable(reason)) = self.unanswered.get(host) {
            return Some(failure(reason, UNREADABLE));
        }
        let keeps = |finding: &&Finding| {
            let is_init = finding.is_between && self.members.is_empty();
            finding.severity == Severity::Error && (is_init || is_about(finding, host))
        };
        let findings: Vec<_> = self.findings().filter(keeps).collect();
        let messages: Vec<_> = findings
            .iter()
            .map(|finding| format!("{}: {}", finding.check.name(), finding.message))
            .collect();
        let mut helps: Vec<_> = findings.iter().map(|finding| finding.help.clone()).collect();
        helps.dedup();
        let mut names: Vec<_> = findings.iter().map(|finding| finding.check.name()).collect();
        names.dedup();
        helps.push(format!(
            "to go on all the same: `--ignore {}`, or `preflight.ignore` in the inventory",
            names.join(" --ignore ")
        ));
        (!findings.is_empty()).then(|| failure(&messages.join("\n"), &helps.join("\n")))
    }

    /// What a check came to at a host; none where the host has not answered.
    pub fn result(&self, check: PreflightCheck, host: &str) -> Option<CheckResult> {
        if self.ignored.contains(&check) {
            let reason = "ignored, as the inventory or the command line says".to_owned();
            return Some(CheckResult::Skipped { reason });
        }
        if !self.asked.contains(host) {
            return None;
        }
        let findings = self.findings.iter().filter(|finding| {
            finding.check == check && finding.severity == Severity::Error && is_about(finding, host)
        });
        let (messages, mut helps): (Vec<_>, Vec<_>) = findings
            .map(|finding| (finding.message.clone(), finding.help.clone()))
            .unzip();
        helps.dedup();
        Some(if messages.is_empty() {
            let detail = String::new();
            CheckResult::Passed { detail }
        } else {
            let failure = failure(&messages.join("\n"), &helps.join("\n"));
            CheckResult::Failed { failure }
        })
    }

    /// Whether a host could be asked at all.
    pub fn login(&self, host: &str) -> CheckResult {
        let failure = match self.unanswered.get(host) {
            None => {
                let detail = String::new();
                return CheckResult::Passed { detail };
            }
            Some(Unanswered::Unreachable(reason)) => Failure {
                class: Class::Unreachable,
                help: None,
                ..failure(reason, "")
            },
            Some(Unanswered::Unreadable(reason)) => failure(reason, UNREADABLE),
        };
        CheckResult::Failed { failure }
    }
}

const UNREADABLE: &str = "run again with `-vv`; if the host is as it should be, please report it";

fn is_about(finding: &Finding, host: &str) -> bool {
    finding.hosts.iter().any(|name| name == host)
}

fn failure(message: &str, help: &str) -> Failure {
    Failure {
        class: Class::StepFailed,
        message: message.to_owned(),
        origin: None,
        output: Vec::new(),
        help: Some(help.to_owned()),
    }
}

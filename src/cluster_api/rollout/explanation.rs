//! Why something is not ready, as values and as text.

use std::fmt;
use std::time::Duration;

/// Why a workload or node is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What is waited for, such as `DaemonSet kube-system/calico-node`.
    pub target: String,
    /// How far it is, such as `1 of 3 pods ready`.
    pub state: String,
    /// What keeps it, worst first; empty if nothing was found.
    pub causes: Vec<Cause>,
}

/// One thing that keeps a workload or node from being ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Where: `pod ci/jenkins-0 on w1, container jenkins`.
    pub place: String,
    /// What: state, reason, exit code, the registry's or scheduler's answer.
    pub problem: String,
    /// Other places with the same problem.
    pub also: usize,
    /// Latest warnings about it, newest first.
    pub events: Vec<String>,
    /// Last lines of the failing container.
    pub log: Vec<String>,
    /// What to do about it.
    pub hint: Option<&'static str>,
    /// How long such a cause may last until waiting is pointless; `None` if it may heal.
    pub patience: Option<Duration>,
    /// Whose log would tell more.
    pub(super) log_source: Option<LogSource>,
}

/// A container whose log can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogSource {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) container: String,
    pub(super) previous: bool,
}

impl Cause {
    /// A cause that may heal, without further evidence.
    pub(super) fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
            also: 0,
            events: Vec::new(),
            log: Vec::new(),
            hint: None,
            patience: None,
            log_source: None,
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.target, self.state)?;
        for cause in &self.causes {
            write!(f, "\n{cause}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}", self.place)?;
        if self.also > 0 {
            write!(f, " (and {} more)", self.also)?;
        }
        write!(f, ":\n    {}", self.problem)?;
        for event in &self.events {
            write!(f, "\n    event: {event}")?;
        }
        for line in &self.log {
            write!(f, "\n    log: {line}")?;
        }
        match self.hint {
            Some(hint) => write!(f, "\n    help: {hint}"),
            None => Ok(()),
        }
    }
}

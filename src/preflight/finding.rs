//! What a check has found.

use crate::model::PreflightCheck;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The cluster would not work: hosts that it is about aren't changed.
    Error,
    /// A person should know.
    Warning,
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: PreflightCheck,
    /// How bad it is.
    pub severity: Severity,
    /// The hosts that it is about.
    pub hosts: Vec<String>,
    /// Whether it is about what is between hosts, and so about the cluster as a whole while there is none.
    pub is_between: bool,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Finding {
    /// Something that is wrong with one host.
    pub(super) fn error(check: PreflightCheck, host: &str, message: String, help: impl Into<String>) -> Self {
        Self {
            check,
            severity: Severity::Error,
            hosts: vec![host.to_owned()],
            is_between: false,
            message,
            help: help.into(),
        }
    }

    /// Something about one host that a person should know.
    pub(super) fn warning(
        check: PreflightCheck,
        host: &str,
        message: String,
        help: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(check, host, message, help)
        }
    }

    /// The same about these hosts, and what is between them.
    #[must_use]
    pub(super) fn between(mut self, hosts: Vec<String>) -> Self {
        self.hosts = hosts;
        self.is_between = true;
        self
    }
}

//! What a check is, and why it does not pass.

use std::fmt::Display;
use std::time::Duration;

use futures::future::BoxFuture;

use super::VerifiedCluster;
use crate::apply::AccessError;
use crate::cluster_api::ApiError;
use crate::event::{Class, Failure};
use crate::transport::TransportError;

/// Something that shall work, and a way to find out.
pub(super) trait Check: Send + Sync {
    /// What a person calls it, such as `cluster DNS`; the same at all places.
    fn name(&self) -> String;

    /// Where: a host by name, or [`super::CLUSTER`].
    fn place(&self) -> &str;

    /// Names of checks, listed before this one, without which it is pointless: it is skipped unless they pass everywhere.
    fn needs(&self) -> &'static [&'static str] {
        &[]
    }

    /// Longest time until there is a result.
    fn limit(&self) -> Duration;

    /// Tries it out and says what was seen, in a few words. It may be dropped half-way: the next run removes what it left.
    fn run<'a>(&'a self, site: &'a VerifiedCluster) -> BoxFuture<'a, Result<String, CheckProblem>>;
}

/// Why a check does not pass.
#[derive(Debug)]
pub(super) enum CheckProblem {
    /// It was tried and doesn't work.
    Failed(Box<Failure>),
    /// It could not be tried, for this reason, which is nobody's fault.
    Skipped(String),
}

impl CheckProblem {
    /// It doesn't work, for this cause.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(Box::new(Failure {
            class: Class::VerificationFailed,
            message: message.into(),
            origin: None,
            output: Vec::new(),
            help: None,
        }))
    }

    /// With what a command printed or what else is known.
    pub(super) fn with_output(mut self, text: &str) -> Self {
        if let Self::Failed(failure) = &mut self {
            failure.output.extend(text.trim().lines().map(str::to_owned));
        }
        self
    }

    /// With what to do about it.
    pub(super) fn with_help(mut self, help: impl Display) -> Self {
        if let Self::Failed(failure) = &mut self {
            failure.help = Some(help.to_string());
        }
        self
    }
}

impl From<TransportError> for CheckProblem {
    fn from(error: TransportError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<ApiError> for CheckProblem {
    fn from(error: ApiError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<AccessError> for CheckProblem {
    fn from(error: AccessError) -> Self {
        Self::failed(error.to_string())
    }
}

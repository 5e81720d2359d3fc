//! What a user set all this up for, tried out: does it work?
//!
//! Every check is a [`Check`] in a file of its own, and a line in [`checks`]. Checks run side by side; one that makes no
//! sense without another waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};

use crate::event::{CheckResult, Event, Events, PlaceSize};
use crate::model::Cluster;

mod check;
mod dns;
mod dns_message;
mod jenkins;
mod nodes;
mod pull_failure;
mod pull_server;
mod registry;
mod site;
mod storage;

use check::{Check, CheckProblem};

pub use site::VerifiedCluster;

/// The place of checks that are about no host.
const CLUSTER: &str = "cluster";

/// Everything that can be checked of a cluster, those that others wait for first.
fn checks(cluster: &Cluster) -> Vec<Box<dyn Check>> {
    let mut checks = nodes::checks(cluster);
    checks.extend(dns::checks(cluster));
    checks.extend(registry::checks(cluster));
    checks.extend(storage::checks(cluster));
    checks.extend(jenkins::checks(cluster));
    checks
}

/// Whether there is anything to check: hosts that are only prepared have nothing that could work.
pub fn has_checks(cluster: &Cluster) -> bool {
    !checks(cluster).is_empty()
}

/// Runs all checks at places within `limit` (hosts by name; empty for all) and at the cluster, and tells them as events.
pub async fn run(site: Arc<VerifiedCluster>, events: Events, limit: &[String]) {
    let began = Instant::now();
    let mut checks = checks(&site.cluster);
    let is_within =
        |place: &str| limit.is_empty() || place == CLUSTER || limit.iter().any(|name| name == place);
    checks.retain(|check| is_within(check.place()));
    let places = places(&checks);
    events.send(Event::Started {
        command: "verify".to_owned(),
        cluster: site.cluster.name.clone(),
        places: places.clone(),
    });
    let mut running: Vec<RunningCheck> = Vec::new();
    for check in checks {
        let (name, place) = (check.name(), check.place().to_owned());
        let needed: Vec<_> = running
            .iter()
            .filter(|other| check.needs().contains(&other.name.as_str()))
            .cloned()
            .collect();
        let ended = one(check, needed, site.clone(), events.clone()).boxed().shared();
        running.push(RunningCheck { name, place, ended });
    }
    let ended = places
        .iter()
        .map(|size| at(size.place.clone(), &running, &events));
    let passed = futures::future::join_all(ended).await;
    let done = passed.iter().filter(|passed| **passed).count();
    events.send(Event::Finished {
        done,
        failed: passed.len() - done,
        blocked: 0,
        changes: 0,
        took: began.elapsed(),
    });
}

/// A check under way.
#[derive(Clone)]
struct RunningCheck {
    name: String,
    place: String,
    ended: Shared<BoxFuture<'static, CheckOutcome>>,
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CheckOutcome {
    Passed,
    Failed,
    Skipped,
}

impl CheckOutcome {
    fn from_result(result: &CheckResult) -> Self {
        match result {
            CheckResult::Passed { .. } => Self::Passed,
            CheckResult::Failed { .. } => Self::Failed,
            CheckResult::Skipped { .. } => Self::Skipped,
        }
    }
}

/// The places of checks and how many checks each has, in their order.
fn places(checks: &[Box<dyn Check>]) -> Vec<PlaceSize> {
    let mut places: Vec<PlaceSize> = Vec::new();
    for check in checks {
        match places.iter_mut().find(|size| size.place == check.place()) {
            Some(size) => size.steps += 1,
            None => places.push(PlaceSize {
                place: check.place().to_owned(),
                steps: 1,
            }),
        }
    }
    places
}

/// One check from its beginning to its end.
async fn one(
    check: Box<dyn Check>,
    needed: Vec<RunningCheck>,
    site: Arc<VerifiedCluster>,
    events: Events,
) -> CheckOutcome {
    let (name, place) = (check.name(), check.place().to_owned());
    let ended = futures::future::join_all(needed.iter().map(|other| other.ended.clone())).await;
    let mut needed = needed.iter().zip(ended);
    let missing = needed.find(|(_, outcome)| *outcome != CheckOutcome::Passed);
    let began = Instant::now();
    let result = if let Some((other, _)) = missing {
        CheckResult::Skipped {
            reason: format!("{} did not pass at {}", other.name, other.place),
        }
    } else {
        events.send(Event::CheckStarted {
            place: place.clone(),
            check: name.clone(),
        });
        let ended = tokio::time::timeout(check.limit(), check.run(&site)).await;
        result(ended.unwrap_or_else(|_| Err(late(check.limit()))))
    };
    let outcome = CheckOutcome::from_result(&result);
    events.send(Event::Checked {
        place,
        check: name,
        result,
        took: began.elapsed(),
    });
    outcome
}

fn result(ended: Result<String, CheckProblem>) -> CheckResult {
    match ended {
        Ok(detail) => CheckResult::Passed { detail },
        Err(CheckProblem::Failed(failure)) => CheckResult::Failed { failure: *failure },
        Err(CheckProblem::Skipped(reason)) => CheckResult::Skipped { reason },
    }
}

fn late(limit: Duration) -> CheckProblem {
    CheckProblem::failed(format!("no result within {} seconds", limit.as_secs()))
}

/// Waits for all checks at a place; says whether none failed.
async fn at(place: String, running: &[RunningCheck], events: &Events) -> bool {
    let ended = running
        .iter()
        .filter(|check| check.place == place)
        .map(|check| check.ended.clone());
    let ended = futures::future::join_all(ended).await;
    events.send(Event::PlaceDone {
        place,
        changed: 0,
        unchanged: ended.len(),
    });
    !ended.contains(&CheckOutcome::Failed)
}

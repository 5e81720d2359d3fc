//! One round of questions: each host is asked once, all side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::fleet::Fleet;
use crate::inventory::Firewall;
use crate::model::{Cluster, PreflightCheck};
use crate::resource::{HostState, Separator};
use crate::transport::{Script, Transport};

use super::answer::{Answer, State};
use super::finding::Finding;
use super::question::Question;
use super::report::Preflight;
use super::{addresses, clock, conflicts, disks, identity, names, probe, servers, ways};

/// A host has answered after a few seconds; servers that are silent take longest.
const LIMIT: Duration = Duration::from_secs(90);

/// How closely hosts are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Reading and connecting only.
    Look,
    /// The speed of disks as well, for which a file is written.
    Measure,
}

/// A host's answer, and when it came.
#[derive(Debug)]
pub(super) struct Examined {
    question: Question,
    answer: Answer,
    /// This machine's clock when the question left and when the answer was there, in seconds since 1970.
    sent: f64,
    received: f64,
}

/// All that is known.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) cluster: &'a Cluster,
    hosts: BTreeMap<String, Examined>,
}

/// Asks all hosts, and judges what they say. A host that can't be asked is reported with its reason, and the others are judged without it.
pub async fn examine(cluster: &Cluster, fleet: &Fleet, depth: Depth) -> Preflight {
    let ways = probe::ways(cluster);
    let asked = cluster.hosts.iter().map(|host| {
        let question = Question::new(cluster, host, &ways, depth);
        let name = host.name.to_string();
        async move {
            let examined = ask(fleet, &name, question).await;
            (name, examined)
        }
    });
    let mut hosts = BTreeMap::new();
    let mut unanswered = BTreeMap::new();
    for (name, examined) in futures::future::join_all(asked).await {
        match examined {
            Ok(examined) => drop(hosts.insert(name, examined)),
            Err(reason) => drop(unanswered.insert(name, reason)),
        }
    }
    let scene = Scene { cluster, hosts };
    let members = scene.hosts.keys().filter(|name| scene.is_member(name));
    Preflight {
        ignored: cluster.preflight.ignore.iter().copied().collect(),
        members: members.cloned().collect(),
        asked: scene.hosts.keys().cloned().collect(),
        findings: judge(&scene),
        unanswered,
    }
}

/// What all checks have found.
pub(super) fn judge(scene: &Scene<'_>) -> Vec<Finding> {
    let checks: [fn(&Scene<'_>) -> Vec<Finding>; 11] = [
        ways::ports,
        ways::mtu,
        clock::check,
        identity::check,
        addresses::check,
        addresses::networks,
        names::check,
        conflicts::check,
        disks::space,
        disks::latency,
        servers::check,
    ];
    let mut findings: Vec<_> = checks.iter().flat_map(|check| check(scene)).collect();
    findings.sort_by_key(|finding| finding.check);
    findings
}

async fn ask(fleet: &Fleet, name: &str, question: Question) -> Result<Examined, Unanswered> {
    let host = fleet
        .host(name)
        .await
        .map_err(|error| Unanswered::Unreachable(error.to_string()))?;
    ask_host(&*host, question).await
}

async fn ask_host(host: &dyn Transport, question: Question) -> Result<Examined, Unanswered> {
    let unreadable = |error: &dyn std::fmt::Display| Unanswered::Unreadable(error.to_string());
    let separator = Separator::random().map_err(|error| unreadable(&error))?;
    let script = question.script(&separator);
    let sent = now();
    let output = host.exec(Script::new(script, LIMIT)).await;
    let received = now();
    let output = output.map_err(|error| Unanswered::Unreachable(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let seen = HostState::parse(&text, &separator)
        .ok_or_else(|| Unanswered::Unreadable(format!("its answer breaks off ({})", output.ended)))?;
    let answer = Answer::read(&seen, &question).map_err(|error| unreadable(&error))?;
    if answer.user != "0" {
        let reason = format!("commands run there as the user {} and not as root", answer.user);
        return Err(Unanswered::Unreachable(reason));
    }
    Ok(Examined {
        question,
        answer,
        sent,
        received,
    })
}

/// Why a host has said nothing that could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unanswered {
    /// It can't be reached, or doesn't let the program be root.
    #[error("{0}")]
    Unreachable(String),
    /// What it says can't be read.
    #[error("{0}")]
    Unreadable(String),
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

impl Scene<'_> {
    /// A scene that tests put together: hosts with their answers, a moment ago.
    #[cfg(test)]
    pub(super) fn example<'a>(cluster: &'a Cluster, answers: Vec<(&str, Question, Answer)>) -> Scene<'a> {
        let examined = |(name, question, answer): (&str, Question, Answer)| {
            let examined = Examined {
                question,
                answer,
                sent: 1000.0,
                received: 1001.0,
            };
            (name.to_owned(), examined)
        };
        Scene {
            cluster,
            hosts: answers.into_iter().map(examined).collect(),
        }
    }

    /// Every host that has answered.
    pub(super) fn answers(&self) -> impl Iterator<Item = (&str, &Question, &Answer)> {
        self.hosts
            .iter()
            .map(|(name, examined)| (name.as_str(), &examined.question, &examined.answer))
    }

    /// What one host has answered.
    pub(super) fn answer(&self, name: &str) -> Option<&Answer> {
        self.hosts.get(name).map(|examined| &examined.answer)
    }

    /// Whether a host is a node already.
    pub(super) fn is_member(&self, name: &str) -> bool {
        self.answer(name)
            .is_some_and(|answer| answer.state == State::Member)
    }

    /// What the run does about firewalls.
    pub(super) fn firewall(&self) -> Firewall {
        self.cluster.firewall
    }

    /// Between which bounds each host's clock is ahead of this machine's, in seconds.
    pub(super) fn offsets(&self) -> impl Iterator<Item = (&str, f64, f64)> {
        self.hosts.iter().map(|(name, examined)| {
            let (began, went) = examined.answer.clock;
            (name.as_str(), went - examined.received, began - examined.sent)
        })
    }
}

/// Checks that are turned off.
pub(super) type Ignored = BTreeSet<PreflightCheck>;

//! How many hosts at a time may be at steps of a group.
//!
//! A host takes its turn in a group before the first step of the group that it changes, and keeps it until the last step of the
//! group in its track is behind it: a node that is cordoned stays counted until it is uncordoned. So that hosts never wait for each
//! other for ever, a host that has a turn waits for nothing that another might owe it: groups don't overlap in a track, so that
//! nobody asks for a second turn, and a step of a group waits for the milestones of all steps that follow while the turn is held.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::resource::ActionRequirement;

use super::{PlanError, Step, StepHead, Track};

/// A step's limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Steps with the same word are counted together.
    pub group: String,
    /// How many hosts at a time.
    pub at: At,
    /// Whether the first host that fails keeps those from beginning that have not begun.
    pub breaker: bool,
}

/// A number of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// So many, one at the least.
    Count(usize),
    /// So many of a hundred of those that have a step in the group, rounded down; one at the least.
    Percent(usize),
}

impl At {
    /// Reads `2` or `25%`.
    ///
    /// # Errors
    /// A sentence, when it is neither.
    pub fn parse(value: &Value) -> Result<Self, String> {
        let percent = value
            .as_str()
            .and_then(|text| text.strip_suffix('%')?.parse().ok());
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        match (count, percent) {
            (Some(count), _) if count > 0 => Ok(Self::Count(count)),
            (_, Some(percent)) if (1..=100).contains(&percent) => Ok(Self::Percent(percent)),
            _ => Err(format!(
                "`at: {value}` of its limit: expected a number of hosts from 1, or a text from 1% to 100%"
            )),
        }
    }

    fn of(self, hosts: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (hosts * percent / 100).max(1),
        }
    }
}

/// The limits of a plan by their groups: how many hosts at a time, and whether there is a breaker.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Limits(pub BTreeMap<String, (usize, bool)>);

impl Limits {
    /// Counts the hosts.
    ///
    /// # Errors
    /// When steps of one group have different limits.
    pub fn from_tracks(tracks: &[Track]) -> Result<Self, PlanError> {
        let mut found: BTreeMap<&str, (&Limit, BTreeSet<String>)> = BTreeMap::new();
        for track in tracks {
            for head in track.heads() {
                let Some(limit) = &head.limit else { continue };
                let (first, hosts) = found.entry(&limit.group).or_insert((limit, BTreeSet::new()));
                if *first != limit {
                    let group = &limit.group;
                    return Err(error(
                        head,
                        format!("another step limits group `{group}` differently"),
                    ));
                }
                hosts.insert(track.place.to_string());
            }
        }
        let counted = found
            .into_iter()
            .map(|(group, (limit, hosts))| (group.to_owned(), (limit.at.of(hosts.len()), limit.breaker)));
        Ok(Self(counted.collect()))
    }
}

/// For each step the group whose turn the host has there: that of the step, or of those around it.
pub(super) fn held(track: &Track) -> Vec<Option<String>> {
    let groups: Vec<_> = track.heads().map(StepHead::group).collect();
    let around = |index: usize| {
        let mut before = groups[..=index].iter().rev().flatten();
        let group = before.next()?;
        groups[index..]
            .contains(&Some(*group))
            .then(|| (*group).to_owned())
    };
    (0..groups.len()).map(around).collect()
}

/// Lets each step that is done while a turn is held, or would begin one, wait for the milestones of those that follow in it.
pub(super) fn hold_through(track: &mut Track) -> Result<(), PlanError> {
    let turns = held(track);
    check(track, &turns)?;
    for index in (1..track.steps.len()).rev() {
        if turns[index].is_none() || turns[index] != turns[index - 1] {
            continue;
        }
        let later = track.steps[index].head().needs.clone();
        let head = track.steps[index - 1].head_mut();
        for milestone in later {
            if !head.provides.contains(&milestone) && !head.needs.contains(&milestone) {
                head.needs.push(milestone);
            }
        }
    }
    Ok(())
}

fn check(track: &Track, turns: &[Option<String>]) -> Result<(), PlanError> {
    let mut ended: BTreeSet<&str> = BTreeSet::new();
    let mut before: Option<&str> = None;
    for (step, turn) in track.steps.iter().zip(turns) {
        let group = turn.as_deref();
        let began = group != before;
        if began {
            ended.extend(before);
        }
        if let Some(group) = group.filter(|group| ended.contains(group)) {
            return Err(error(
                step.head(),
                format!(
                    "group `{group}` begins again after another group: steps of a group must stand together"
                ),
            ));
        }
        // It waits for the cluster's other hosts, and they might wait for this turn.
        if let Step::Host(host) = step
            && host.resource.wants() == ActionRequirement::ControlPlane
            && group.is_some()
            && !began
        {
            return Err(error(
                step.head(),
                "it must be the first step of its group".to_owned(),
            ));
        }
        before = group;
    }
    Ok(())
}

fn error(head: &StepHead, reason: String) -> PlanError {
    PlanError::Limit {
        origin: head.origin.to_string(),
        step: head.name.clone(),
        reason,
    }
}

#[cfg(test)]
mod tests;

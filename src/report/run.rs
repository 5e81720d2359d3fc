//! The run so far: events folded into what is true now.

use std::path::PathBuf;
use std::time::Duration;

use crate::event::{CheckResult, Class, Event, Failure};

/// Everything known about a run.
#[derive(Debug, Default)]
pub(super) struct RunProgress {
    /// `apply`, `plan` …; empty before the run begins.
    pub(super) command: String,
    pub(super) cluster: String,
    pub(super) tracks: Vec<TrackProgress>,
    /// When it ended and how long it took.
    pub(super) took: Option<Duration>,
    /// The debug log, or why there is none.
    pub(super) log: Option<PathBuf>,
    pub(super) log_error: Option<String>,
    /// The page of the run's times, or why there is none.
    pub(super) timings: Option<Result<PathBuf, String>>,
}

/// One place's part of the run.
#[derive(Debug)]
pub(super) struct TrackProgress {
    pub(super) place: String,
    /// How many steps it has.
    steps: usize,
    /// Steps that needed no change when it was looked at first.
    in_sync: Option<usize>,
    pub(super) state: TrackState,
    /// When the state began, since the report's start.
    pub(super) since: Duration,
    /// The last line that it printed in this state.
    pub(super) said: Option<String>,
    pub(super) changes: Vec<ChangeProgress>,
    pub(super) notes: Vec<String>,
    pub(super) checks: Vec<CheckProgress>,
}

/// A check that is at its end.
#[derive(Debug)]
pub(super) struct CheckProgress {
    pub(super) check: String,
    pub(super) result: CheckResult,
    pub(super) took: Duration,
}

/// What a track is doing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TrackState {
    Pending,
    Connecting,
    Checking,
    Waiting { step: String, on: String },
    Working { step: String, summary: String },
    Done { changed: usize, unchanged: usize },
    Failed { step: Option<String>, failure: Failure },
}

/// A change that is wanted, being made, or made.
#[derive(Debug)]
pub(super) struct ChangeProgress {
    pub(super) step: String,
    pub(super) summary: String,
    pub(super) detail: Vec<String>,
    pub(super) is_made: bool,
}

/// How many tracks are in which state.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TrackCounts {
    pub(super) done: usize,
    pub(super) failed: usize,
    pub(super) stopped: usize,
    pub(super) blocked: usize,
    pub(super) working: usize,
    pub(super) waiting: usize,
}

impl RunProgress {
    pub(super) fn take(&mut self, event: &Event, now: Duration) {
        let is_plan = self.is_plan();
        match event {
            Event::Started {
                command,
                cluster,
                places,
            } => {
                self.command.clone_from(command);
                self.cluster.clone_from(cluster);
                for place in places {
                    self.track(&place.place).steps = place.steps;
                }
            }
            // A note may be about the run itself, which is no place.
            Event::Note { place, text } => {
                if let Some(track) = self.tracks.iter_mut().find(|track| track.place == *place) {
                    track.notes.push(text.clone());
                }
            }
            Event::Finished { took, .. } => self.took = Some(*took),
            _ => {
                if let Some(place) = event.place() {
                    self.track(place).take(event, is_plan, now);
                }
            }
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        !self.command.is_empty()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.took.is_some()
    }

    /// Whether changes are only wanted.
    pub(super) fn is_plan(&self) -> bool {
        self.command == "plan"
    }

    /// Whether it looks at what works, and changes nothing.
    pub(super) fn is_verification(&self) -> bool {
        self.command == "verify" || self.is_preflight()
    }

    /// Whether it looks at hosts before anything is set up.
    pub(super) fn is_preflight(&self) -> bool {
        self.command == "preflight"
    }

    /// `apply ci`: what a person called the run.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.command, self.cluster).trim().to_owned()
    }

    /// Changes made or, in a plan, wanted.
    pub(super) fn changes(&self) -> usize {
        let is_plan = self.is_plan();
        self.tracks
            .iter()
            .flat_map(|track| &track.changes)
            .filter(|change| is_plan || change.is_made)
            .count()
    }

    pub(super) fn failures(&self) -> impl Iterator<Item = (&TrackProgress, Option<&str>, &Failure)> {
        self.tracks.iter().flat_map(TrackProgress::failures)
    }

    /// Steps that are done, and all of them.
    pub(super) fn steps(&self) -> (usize, usize) {
        let done = self.tracks.iter().map(TrackProgress::steps_done).sum();
        (done, self.tracks.iter().map(|track| track.steps).sum())
    }

    pub(super) fn counts(&self) -> TrackCounts {
        let mut counts = TrackCounts::default();
        for track in &self.tracks {
            match &track.state {
                TrackState::Pending => {}
                TrackState::Connecting | TrackState::Checking | TrackState::Working { .. } => {
                    counts.working += 1;
                }
                TrackState::Waiting { .. } => counts.waiting += 1,
                TrackState::Done { .. } => counts.done += 1,
                TrackState::Failed { failure, .. } if failure.class == Class::Blocked => counts.blocked += 1,
                TrackState::Failed { failure, .. } if failure.class == Class::Interrupted => {
                    counts.stopped += 1;
                }
                TrackState::Failed { .. } => counts.failed += 1,
            }
        }
        counts
    }

    /// The place's track; one that the run's start didn't name is added.
    fn track(&mut self, place: &str) -> &mut TrackProgress {
        let index = self
            .tracks
            .iter()
            .position(|track| track.place == place)
            .unwrap_or_else(|| {
                self.tracks.push(TrackProgress::new(place));
                self.tracks.len() - 1
            });
        &mut self.tracks[index]
    }

    /// The place's track, where there is one.
    pub(super) fn find(&self, place: &str) -> Option<&TrackProgress> {
        self.tracks.iter().find(|track| track.place == place)
    }
}

impl TrackProgress {
    fn new(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            steps: 0,
            in_sync: None,
            state: TrackState::Pending,
            since: Duration::ZERO,
            said: None,
            changes: Vec::new(),
            notes: Vec::new(),
            checks: Vec::new(),
        }
    }

    fn take(&mut self, event: &Event, is_plan: bool, now: Duration) {
        let state = match event {
            Event::Connecting { .. } => TrackState::Connecting,
            Event::Observed { in_sync, .. } => {
                // Later looks begin where the last change was made.
                self.in_sync.get_or_insert(*in_sync);
                TrackState::Checking
            }
            Event::Waiting { step, on, .. } => TrackState::Waiting {
                step: step.clone(),
                on: on.clone(),
            },
            Event::PlaceDone {
                changed, unchanged, ..
            } => TrackState::Done {
                changed: *changed,
                unchanged: *unchanged,
            },
            Event::PlaceFailed { step, failure, .. } => TrackState::Failed {
                step: step.clone(),
                failure: failure.clone(),
            },
            Event::StepStarted {
                step,
                summary,
                detail,
                ..
            } => {
                return self.begin(step, summary, detail, is_plan, now);
            }
            Event::StepDone { step, .. } => return self.finish(step, now),
            Event::CheckStarted { check, .. } => TrackState::Working {
                step: check.clone(),
                summary: "checking".to_owned(),
            },
            Event::Checked {
                check, result, took, ..
            } => {
                self.checks.push(CheckProgress {
                    check: check.clone(),
                    result: result.clone(),
                    took: *took,
                });
                return;
            }
            Event::Output { line, .. } if !line.trim().is_empty() => {
                self.said = Some(line.trim().to_owned());
                return;
            }
            _ => return,
        };
        self.enter(state, now);
    }

    /// What went wrong at this place, with the step or the check.
    fn failures(&self) -> impl Iterator<Item = (&Self, Option<&str>, &Failure)> {
        let ended = match &self.state {
            TrackState::Failed { step, failure } => Some((self, step.as_deref(), failure)),
            _ => None,
        };
        let checks = self
            .checks
            .iter()
            .filter_map(move |checked| match &checked.result {
                CheckResult::Failed { failure } => Some((self, Some(checked.check.as_str()), failure)),
                _ => None,
            });
        ended.into_iter().chain(checks)
    }

    fn enter(&mut self, state: TrackState, now: Duration) {
        self.state = state;
        self.since = now;
        self.said = None;
    }

    fn begin(&mut self, step: &str, summary: &str, detail: &[String], is_plan: bool, now: Duration) {
        self.changes.push(ChangeProgress {
            step: step.to_owned(),
            summary: summary.to_owned(),
            detail: detail.to_vec(),
            is_made: false,
        });
        if !is_plan {
            self.enter(
                TrackState::Working {
                    step: step.to_owned(),
                    summary: summary.to_owned(),
                },
                now,
            );
        }
    }

    fn finish(&mut self, step: &str, now: Duration) {
        if let Some(change) = self.changes.iter_mut().rev().find(|change| change.step == step) {
            change.is_made = true;
        }
        self.enter(TrackState::Checking, now);
    }

    /// What is going on, and what was last heard of it; nothing for a track that is at its end or has none yet.
    pub(super) fn doing(&self) -> Option<String> {
        let said = self.said.as_deref();
        match &self.state {
            TrackState::Connecting => Some("connecting".to_owned()),
            TrackState::Checking => Some("looking at what is there".to_owned()),
            TrackState::Working { step, summary } => Some(format!("{step}: {}", said.unwrap_or(summary))),
            TrackState::Waiting { step, on } => match said {
                Some(said) => Some(format!("waits for {on} (step: {step}): {said}")),
                None => Some(format!("waits for {on} (step: {step})")),
            },
            TrackState::Pending | TrackState::Done { .. } | TrackState::Failed { .. } => None,
        }
    }

    /// Steps that are as they should be, as far as is known.
    fn steps_done(&self) -> usize {
        match self.state {
            TrackState::Done { .. } => self.steps,
            _ => self.steps.min(self.in_sync.unwrap_or(0) + self.made()),
        }
    }

    /// Changes made so far.
    pub(super) fn made(&self) -> usize {
        self.changes.iter().filter(|change| change.is_made).count()
    }

    /// What the step changes or has changed.
    pub(super) fn change(&self, step: &str) -> Option<&ChangeProgress> {
        self.changes.iter().rev().find(|change| change.step == step)
    }
}

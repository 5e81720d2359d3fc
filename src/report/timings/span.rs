//! What each place did, and from when to when.

use std::time::Duration;

use crate::event::{CheckResult, Event};

/// What a place did with a stretch of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// It was connected to and looked at for the first time.
    Connect,
    /// It was looked at again.
    Look,
    /// A step changed something.
    Change,
    /// A check of the verification.
    Check,
    /// It waited for another place.
    Wait,
}

/// A stretch of a place's time. Times count from the run's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeSpan {
    pub(super) activity: Activity,
    /// The step, or the check.
    pub(super) name: String,
    /// What was done or waited for.
    pub(super) detail: String,
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) failed: bool,
}

impl TimeSpan {
    pub(super) fn took(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

/// One place: a row of the page.
#[derive(Debug, Default)]
pub(super) struct PlaceRow {
    pub(super) place: String,
    /// In the order of their ends.
    pub(super) spans: Vec<TimeSpan>,
    /// Why it failed, one line.
    pub(super) failure: Option<String>,
    open: Option<TimeSpan>,
}

/// Folds events into rows.
#[derive(Debug, Default)]
pub(in crate::report) struct Recorder {
    rows: Vec<PlaceRow>,
}

impl Recorder {
    pub(in crate::report) fn take(&mut self, event: &Event, now: Duration) {
        if let Event::Started { places, .. } = event {
            for size in places {
                self.row(&size.place);
            }
        }
        // A note about the run is at no place of it.
        let is_of_a_place = !matches!(event, Event::Note { .. } | Event::Script { .. });
        if let Some(place) = event.place().filter(|_| is_of_a_place) {
            self.row(place).take(event, now);
        }
    }

    /// The rows of a run that is over.
    pub(super) fn finish(mut self, now: Duration) -> Vec<PlaceRow> {
        for row in &mut self.rows {
            row.close(now, false);
        }
        self.rows
    }

    fn row(&mut self, place: &str) -> &mut PlaceRow {
        let known = self.rows.iter().position(|row| row.place == place);
        let index = known.unwrap_or_else(|| {
            self.rows.push(PlaceRow {
                place: place.to_owned(),
                ..PlaceRow::default()
            });
            self.rows.len() - 1
        });
        &mut self.rows[index]
    }
}

impl PlaceRow {
    fn take(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Connecting { .. } => self.open(Activity::Connect, "connect", "and look at the host", now),
            Event::Waiting { step, on, .. } => self.open(Activity::Wait, step, on, now),
            Event::StepStarted { step, summary, .. } => self.open(Activity::Change, step, summary, now),
            Event::StepDone { .. } => self.open(Activity::Look, "look", "at what is there", now),
            Event::Observed { .. } | Event::PlaceDone { .. } => self.close(now, false),
            Event::PlaceFailed { failure, .. } => {
                self.close(now, true);
                self.failure = Some(failure.message.clone());
            }
            Event::Checked {
                check, result, took, ..
            } => self.check(check, result, now.saturating_sub(*took), now),
            _ => {}
        }
    }

    /// Ends what the place did, and begins something else.
    fn open(&mut self, activity: Activity, name: &str, detail: &str, now: Duration) {
        self.close(now, false);
        self.open = Some(TimeSpan {
            activity,
            name: name.to_owned(),
            detail: detail.to_owned(),
            from: now,
            to: now,
            failed: false,
        });
    }

    fn close(&mut self, now: Duration, failed: bool) {
        if let Some(span) = self.open.take() {
            self.spans.push(TimeSpan {
                to: now,
                failed,
                ..span
            });
        }
    }

    /// Checks of one place run side by side, so each tells its own time.
    fn check(&mut self, check: &str, result: &CheckResult, from: Duration, to: Duration) {
        let (detail, failed) = match result {
            CheckResult::Passed { detail } => (detail, false),
            CheckResult::Failed { failure } => (&failure.message, true),
            CheckResult::Skipped { .. } => return,
        };
        self.spans.push(TimeSpan {
            activity: Activity::Check,
            name: check.to_owned(),
            detail: detail.clone(),
            from,
            to,
            failed,
        });
    }
}

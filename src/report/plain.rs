//! Lines of text for pipes, files and CI logs: one for each event that matters, each with its place.

use std::time::Duration;

use crate::event::Event;

use super::output::OutputWriter;
use super::palette::Palette;
use super::run::{RunProgress, TrackProgress, TrackState};
use super::{EventTime, View, said, summary, words};

/// The longest silence. CI services end jobs that say nothing for minutes.
const SILENCE: Duration = Duration::from_secs(30);

pub(super) struct PlainView {
    output: OutputWriter,
    palette: Palette,
    verbosity: u8,
    spoke: Duration,
}

impl PlainView {
    pub(super) fn new(output: OutputWriter, palette: Palette, verbosity: u8) -> Self {
        Self {
            output,
            palette,
            verbosity,
            spoke: Duration::ZERO,
        }
    }
}

impl View for PlainView {
    fn event(&mut self, event: &Event, run: &RunProgress, at: EventTime) {
        for line in lines(event, run, &self.palette, self.verbosity) {
            self.output.line(&line);
            self.spoke = at.elapsed;
        }
    }

    fn tick(&mut self, run: &RunProgress, at: EventTime) {
        if run.has_begun() && at.elapsed.saturating_sub(self.spoke) >= SILENCE {
            self.spoke = at.elapsed;
            self.output.line(&still(run, at.elapsed));
        }
    }

    fn end(&mut self, run: &RunProgress, at: EventTime) {
        for line in summary::lines(run, &self.palette, at.elapsed) {
            self.output.line(&line);
        }
    }
}

/// What an event says, as lines with their place in front.
fn lines(event: &Event, run: &RunProgress, palette: &Palette, verbosity: u8) -> Vec<String> {
    if let Event::Started { places, .. } = event {
        let names = places.iter().map(|size| size.place.as_str());
        let steps = places.iter().map(|size| size.steps).sum();
        // A plan's text says it all at the end.
        let says = (!run.is_plan()).then(|| {
            format!(
                "{}: {}, {}",
                run.title(),
                words::places(names),
                words::count(steps, if run.is_verification() { "check" } else { "step" })
            )
        });
        return says.into_iter().collect();
    }
    let Some((place, texts)) = said::about(event, run, palette, verbosity) else {
        return Vec::new();
    };
    let prefix = palette.strong.apply_to(format!("[{place}]")).to_string();
    texts.into_iter().map(|text| format!("{prefix} {text}")).collect()
}

/// A sign of life: what has been going on for longest.
fn still(run: &RunProgress, now: Duration) -> String {
    let counts = run.counts();
    // Work before waiting, which is only ever for somebody else's work.
    let is_waiting = |track: &TrackProgress| matches!(track.state, TrackState::Waiting { .. });
    let longest = run
        .tracks
        .iter()
        .filter_map(|track| Some((track, track.doing()?)))
        .min_by_key(|(track, _)| (is_waiting(track), track.since))
        .map(|(track, doing)| {
            let time = words::took(now.saturating_sub(track.since));
            format!("; for {time}: [{}] {doing}", track.place)
        });
    format!(
        "{} {}/{} done, {} working, {} waiting{}",
        words::clock(now),
        counts.done,
        run.tracks.len(),
        counts.working,
        counts.waiting,
        longest.unwrap_or_default()
    )
}

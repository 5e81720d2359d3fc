//! What a person or a machine sees of a run: consumers of the event stream, and the only place that prints.

mod checks;
mod clean;
mod debug_log;
mod exit;
#[cfg(test)]
mod fixtures;
mod frame;
mod json;
mod output;
mod palette;
mod plain;
mod plan_text;
mod run;
mod said;
mod summary;
#[cfg(test)]
mod tests;
mod timings;
mod tty;
mod words;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::event::Event;

pub use clean::printable;
pub use exit::Exit;
pub use timings::Timings;

use debug_log::DebugLog;
use output::OutputWriter;
use palette::Palette;
use run::RunProgress;

/// Masks secrets in a text. Every event passes it on its way to the views.
pub type Redact = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// How often the terminal is redrawn, and clocks are looked at.
const TICK: Duration = Duration::from_millis(100);

/// What a run's output looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputFormat {
    /// A live view on a terminal, else plain text.
    #[default]
    Auto,
    /// Lines of text.
    Plain,
    /// One JSON object per line on standard output.
    Json,
}

/// Where the debug log goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LogFile {
    /// A new file in the user's state directory, of which the newest twenty stay.
    #[default]
    State,
    /// This file, appended to.
    Path(PathBuf),
    /// Nowhere.
    Off,
}

/// What decides how a run is shown.
#[derive(Clone)]
pub struct ReportOptions {
    /// The format.
    pub format: OutputFormat,
    /// 1 shows what scripts print, 2 the scripts too.
    pub verbosity: u8,
    /// Masks secrets.
    pub redact: Redact,
    /// The debug log.
    pub log: LogFile,
    /// The page on which the run's times are shown.
    pub timings: Option<Timings>,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self {
            format: OutputFormat::default(),
            verbosity: 0,
            redact: Arc::new(str::to_owned),
            log: LogFile::default(),
            timings: None,
        }
    }
}

/// How a run ended, once everything about it has been printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Changes made or, in a plan, wanted.
    pub changes: usize,
    /// The run's code by what happened.
    code: Exit,
}

impl Report {
    /// The process's exit code.
    pub fn exit_code(&self) -> Exit {
        self.code
    }

    /// The exit code of `plan --exit-code`: as `exit_code`, but changes are distinguished from no changes.
    pub fn plan_exit_code(&self) -> Exit {
        if self.code == Exit::Done && self.changes > 0 {
            Exit::Changes
        } else {
            self.code
        }
    }
}

/// The moment at which something happened.
#[derive(Debug, Clone, Copy)]
struct EventTime {
    /// Since the report began.
    elapsed: Duration,
    /// By the wall clock.
    time: jiff::Timestamp,
}

/// One way to show a run. `run` already includes the event.
trait View: Send {
    fn event(&mut self, event: &Event, run: &RunProgress, at: EventTime);
    /// Time has passed.
    fn tick(&mut self, _run: &RunProgress, _at: EventTime) {}
    /// Nothing more will come.
    fn end(&mut self, run: &RunProgress, at: EventTime);
}

/// Shows the events until `Finished` comes or every sender is gone. Printing happens inside; await the handle before the
/// process ends, or the summary is lost.
pub fn start(mut receiver: UnboundedReceiver<Event>, options: ReportOptions) -> JoinHandle<Report> {
    let mut reporter = Reporter::new(options);
    tokio::spawn(async move {
        let began = Instant::now();
        let now = || EventTime {
            elapsed: began.elapsed(),
            time: jiff::Timestamp::now(),
        };
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                event = receiver.recv() => match event {
                    Some(event) => reporter.event(event, now()),
                    None => break,
                },
                _ = ticks.tick() => reporter.tick(now()),
            }
            if reporter.run.is_finished() {
                break;
            }
        }
        reporter.end(now())
    })
}

/// The run so far, and those who show it.
struct Reporter {
    run: RunProgress,
    views: Vec<Box<dyn View>>,
    redact: Redact,
    timings: Option<(Timings, timings::Recorder)>,
}

impl Reporter {
    fn new(options: ReportOptions) -> Self {
        let mut run = RunProgress::default();
        let mut views: Vec<Box<dyn View>> = Vec::new();
        match DebugLog::open(&options.log, jiff::Timestamp::now()) {
            Ok(Some((log, path))) => {
                views.push(Box::new(log));
                run.log = Some(path);
            }
            Ok(None) => {}
            Err(error) => run.log_error = Some(error.to_string()),
        }
        views.push(view(&options));
        Self {
            run,
            views,
            redact: options.redact,
            timings: options.timings.map(|page| (page, timings::Recorder::default())),
        }
    }

    fn event(&mut self, event: Event, at: EventTime) {
        let event = clean::event(event, &self.redact);
        self.run.take(&event, at.elapsed);
        if let Some((_, recorder)) = &mut self.timings {
            recorder.take(&event, at.elapsed);
        }
        for view in &mut self.views {
            view.event(&event, &self.run, at);
        }
    }

    fn tick(&mut self, at: EventTime) {
        for view in &mut self.views {
            view.tick(&self.run, at);
        }
    }

    fn end(mut self, at: EventTime) -> Report {
        if let Some((page, recorder)) = self.timings.take() {
            let written = page.write(recorder, &self.run, at);
            self.run.timings = Some(written.map_err(|error| error.to_string()));
        }
        for view in &mut self.views {
            view.end(&self.run, at);
        }
        Report {
            changes: self.run.changes(),
            code: exit::of(&self.run),
        }
    }
}

fn view(options: &ReportOptions) -> Box<dyn View> {
    let stdout = || OutputWriter::new(Box::new(std::io::stdout()));
    let palette = Palette::from_stream(&std::io::stdout());
    match options.format {
        OutputFormat::Json => Box::new(json::JsonView::new(stdout(), options.verbosity)),
        OutputFormat::Auto if is_interactive() => Box::new(tty::TerminalView::new(
            tty::Terminal::stderr(),
            stdout(),
            palette,
            options.verbosity,
        )),
        OutputFormat::Auto | OutputFormat::Plain => {
            Box::new(plain::PlainView::new(stdout(), palette, options.verbosity))
        }
    }
}

/// Whether there is a terminal with a person before it that understands cursor movements.
fn is_interactive() -> bool {
    std::io::stdout().is_terminal()
        && std::io::stderr().is_terminal()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        && std::env::var_os("CI").is_none()
}

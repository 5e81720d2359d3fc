//! The program while it runs: looked at, signalled, awaited.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a run that can't be watched is a failed test"
)]

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::lab::{Lab, Ran};

/// Who runs it, as others are told.
pub(crate) const USER: &str = "tester";
/// Between two looks.
const PERIOD: Duration = Duration::from_millis(50);

/// A run in the background. What it prints goes to files: nobody has to read along.
pub(crate) struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Starts the program; `name` parts the files of runs at the same time.
    pub(crate) fn start(lab: &Lab, name: &str, arguments: &[&str], inventory: &str) -> Self {
        let (stdout, stderr) = (lab.path(&format!("{name}.out")), lab.path(&format!("{name}.err")));
        let child = lab
            .program(arguments, inventory)
            .env("USER", USER)
            .stdout(Stdio::from(file(&stdout)))
            .stderr(Stdio::from(file(&stderr)))
            .spawn()
            .unwrap();
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// Starts `apply`, told by events.
    pub(crate) fn apply(lab: &Lab, name: &str, inventory: &str) -> Self {
        Self::start(lab, name, &["apply", "--yes", "--json"], inventory)
    }

    /// What it has told so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        let reported = fs_err::read_to_string(&self.stdout).unwrap();
        reported
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Waits until it tells that a step begins whose name starts with `step`.
    #[track_caller]
    pub(crate) fn until_step(&mut self, place: &str, step: &str, limit: Duration) {
        self.until(&format!("{place}: {step}"), limit, |event| {
            starts(event, place, step)
        });
    }

    /// Waits until it tells of `what`, which is an event that `is_it` knows.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, limit: Duration, is_it: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        while !self.events().iter().any(&is_it) {
            let over = self.child.try_wait().unwrap().is_some() || began.elapsed() > limit;
            assert!(
                !over,
                "never told: {what}; but {:?}\n{}",
                self.events(),
                self.said()
            );
            std::thread::sleep(PERIOD);
        }
    }

    /// Whether it ended by itself before so much time was over.
    pub(crate) fn ends_within(&mut self, limit: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < limit {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(PERIOD);
        }
        false
    }

    /// Waits for its first step, and tells whether it ended without one.
    pub(crate) fn ends_before_a_step(&mut self, limit: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < limit && !self.events().iter().any(|event| event["event"] == "stepStarted") {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(PERIOD);
        }
        false
    }

    /// Sends a signal to the program itself, not to what limits its time.
    pub(crate) fn signal(&self, signal: &str) {
        let limiter = self.child.id();
        let program = fs_err::read_to_string(format!("/proc/{limiter}/task/{limiter}/children"));
        // It may have ended just now, and then there is nobody to tell.
        let Ok(program) = program else { return };
        if !program.trim().is_empty() {
            let sent = Command::new("kill").args(["-s", signal, program.trim()]).status();
            assert!(sent.is_ok());
        }
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ran {
        let status = self.child.wait().unwrap();
        Ran::of(&Output {
            status: std::process::ExitStatus::from_raw(status.into_raw()),
            stdout: fs_err::read(&self.stdout).unwrap(),
            stderr: fs_err::read(&self.stderr).unwrap(),
        })
    }

    fn said(&self) -> String {
        fs_err::read_to_string(&self.stderr).unwrap()
    }
}

fn starts(event: &Value, place: &str, step: &str) -> bool {
    let named = |key: &str| event[key].as_str().unwrap_or_default();
    named("event") == "stepStarted" && named("place") == place && named("step").starts_with(step)
}

fn file(path: &PathBuf) -> std::fs::File {
    fs_err::File::create(path)
        .unwrap_or_else(|error| panic!("{error}"))
        .into()
}

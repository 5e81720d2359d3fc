//! `--timings`: a page that shows where the time of a run went.

mod page;
mod path;
mod span;
#[cfg(test)]
mod tests;

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::EventTime;
use super::run::RunProgress;

pub(super) use span::Recorder;

/// The page of one command. Each of its runs (the apply, the verification after it) becomes a section.
#[derive(Debug, Clone)]
pub struct Timings {
    file: PathBuf,
    sections: Arc<Mutex<Vec<Section>>>,
}

/// What the page shows of one run.
#[derive(Debug)]
struct Section {
    /// `apply ci`.
    title: String,
    /// `42 changes`, `verified`.
    outcome: String,
    /// When the run ended, by the wall clock.
    ended: jiff::Timestamp,
    rows: Vec<span::PlaceRow>,
}

impl Timings {
    /// A page that will be written to this file, and replaces it as a whole.
    ///
    /// # Errors
    /// When no file can be made in its folder: better known before a run of ten minutes than after it.
    pub fn new(file: PathBuf) -> io::Result<Self> {
        if file.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        temporary(&file)?;
        Ok(Self {
            file,
            sections: Arc::default(),
        })
    }

    /// Adds a run to the page, and writes it; the path for the summary.
    pub(super) fn write(&self, recorder: Recorder, run: &RunProgress, at: EventTime) -> io::Result<PathBuf> {
        let mut sections = self.sections.lock().unwrap_or_else(PoisonError::into_inner);
        sections.push(Section {
            title: run.title(),
            outcome: page::outcome(run),
            ended: at.time,
            rows: recorder.finish(at.elapsed),
        });
        let mut file = temporary(&self.file)?;
        file.write_all(page::html(&sections).as_bytes())?;
        // Names of hosts and steps, and what failed: no secrets, but nothing for strangers either.
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.persist(&self.file).map_err(|error| error.error)?;
        Ok(self.file.clone())
    }
}

/// A file that takes the place of another when it is complete.
fn temporary(file: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
}

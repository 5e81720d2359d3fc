//! How a run is shown: the flags that all such commands share.

use std::path::PathBuf;
use std::sync::Arc;

use crate::report::{LogFile, OutputFormat, ReportOptions};
use crate::secret::Secrets;

/// How a run is shown.
#[derive(Debug, clap::Args)]
pub(super) struct OutputArgs {
    /// One JSON object per line on standard output
    #[arg(long, conflicts_with = "plain")]
    pub(super) json: bool,
    /// Lines of text, also on a terminal
    #[arg(long)]
    plain: bool,
    /// Show what commands print; twice: the commands too
    #[arg(long, short, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Append the debug log to this file instead of the user's state directory
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
}

impl OutputArgs {
    /// The report's options. Secrets that are known by then are masked.
    pub(super) fn report(&self, secrets: &Secrets) -> ReportOptions {
        let redactor = secrets.redactor();
        let format = match (self.json, self.plain) {
            (true, _) => OutputFormat::Json,
            (_, true) => OutputFormat::Plain,
            _ => OutputFormat::Auto,
        };
        ReportOptions {
            format,
            verbosity: self.verbose,
            redact: Arc::new(move |text| redactor.redact(text).into_owned()),
            log: self.log_file.clone().map_or(LogFile::State, LogFile::Path),
            timings: None,
        }
    }
}

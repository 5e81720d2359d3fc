//! Cases that share one lab: run in order, each told by name, and all of them even if one fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::lab::{Lab, say};

/// The cases of one test.
pub(crate) struct Cases<'a> {
    test: &'static str,
    lab: &'a Lab,
    failed: Vec<&'static str>,
}

impl<'a> Cases<'a> {
    pub(crate) fn of(test: &'static str, lab: &'a Lab) -> Self {
        let failed = Vec::new();
        Self { test, lab, failed }
    }

    /// Runs a case, which fails by a panic.
    pub(crate) fn case(&mut self, name: &'static str, case: impl FnOnce(&Lab)) {
        let began = Instant::now();
        // A case leaves nothing but the lab behind, which the next one has to take as it is.
        let ended = catch_unwind(AssertUnwindSafe(|| case(self.lab)));
        let result = if ended.is_ok() { "ok" } else { "FAILED" };
        say(&format!(
            "test {}: {name} ... {result} ({:.0?})",
            self.test,
            began.elapsed()
        ));
        if ended.is_err() {
            self.failed.push(name);
        }
    }

    /// A case without which the others have no sense.
    pub(crate) fn foundation(&mut self, name: &'static str, case: impl FnOnce(&Lab)) {
        self.case(name, case);
        if !self.failed.is_empty() {
            self.end();
        }
    }

    /// Fails if one of them has failed.
    pub(crate) fn end(&self) {
        assert!(
            self.failed.is_empty(),
            "{}: {} failed: {}",
            self.test,
            self.failed.len(),
            self.failed.join("; ")
        );
    }
}

//! Cases that share one lab: run in order, each told by name, and all of them even if one fails.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::lab::skip::skipped;
use super::lab::{Lab, say};

/// Characters of a failed case's reason that are repeated at the end.
const REASON: usize = 3000;

/// The cases of one test.
pub(crate) struct Cases<'a> {
    test: &'static str,
    lab: &'a Lab,
    failed: Vec<(&'static str, String)>,
}

impl<'a> Cases<'a> {
    pub(crate) fn of(test: &'static str, lab: &'a Lab) -> Self {
        let failed = Vec::new();
        Self { test, lab, failed }
    }

    /// Runs a case, which fails by a panic. With `CASES` in the environment only those run whose name has that in it.
    pub(crate) fn case(&mut self, name: &'static str, case: impl FnOnce(&Lab)) {
        if std::env::var("CASES").is_ok_and(|part| !name.contains(&part)) {
            return self.skip(name, "not in CASES");
        }
        self.run(name, case);
    }

    /// Tells that a case is not run, and why.
    pub(crate) fn skip(&self, name: &str, why: &str) {
        skipped(&format!("{}: {name}", self.test), why);
    }

    fn run(&mut self, name: &'static str, case: impl FnOnce(&Lab)) {
        let began = Instant::now();
        // A case leaves nothing but the lab behind, which the next one has to take as it is.
        let ended = catch_unwind(AssertUnwindSafe(|| case(self.lab)));
        let result = if ended.is_ok() { "ok" } else { "FAILED" };
        say(&format!(
            "test {}: {name} ... {result} ({:.0?})",
            self.test,
            began.elapsed()
        ));
        if let Err(panic) = ended {
            self.failed.push((name, reason(panic.as_ref())));
        }
    }

    /// A case without which the others are pointless.
    pub(crate) fn foundation(&mut self, name: &'static str, case: impl FnOnce(&Lab)) {
        self.run(name, case);
        if !self.failed.is_empty() {
            self.end();
        }
    }

    /// Fails if one of them has failed, and says why once more: what was said at the time is far up by now.
    pub(crate) fn end(&self) {
        for (name, reason) in &self.failed {
            for line in reason.lines() {
                say(&format!("failed: {name}: {line}"));
            }
        }
        let names: Vec<_> = self.failed.iter().map(|(name, _)| *name).collect();
        assert!(
            names.is_empty(),
            "{}: {} failed: {}",
            self.test,
            names.len(),
            names.join("; ")
        );
    }
}

/// The end of what a case panicked with.
fn reason(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or_default();
    let skipped = said.chars().count().saturating_sub(REASON);
    said.chars().skip(skipped).collect()
}

//! A file of a schedule's settings.

use sha2::{Digest as _, Sha256};

use crate::resource::sh;

use super::PROVEN;

/// A file of the settings.
#[derive(Debug)]
pub struct ScheduleSettings {
    /// Where it lies.
    pub path: &'static str,
    /// What it holds.
    pub content: String,
    /// Whether everybody may read it.
    pub public: bool,
}

impl ScheduleSettings {
    /// Writes the file if it differs, and then prints its path.
    pub(super) fn script(&self) -> String {
        let Self { path, public, .. } = self;
        let mode = if *public { "644" } else { "600" };
        let content = format!("{}\n", self.content.trim_end_matches('\n'));
        let sum = hex::encode(Sha256::digest(&content));
        let write = sh::write_file(path, &content, mode, "root:root");
        format!(
            "if ! echo '{sum}  {path}' | sha256sum -c --status 2>/dev/null || [ \"$(stat -c %a {path})\" != {mode} ]; then\n\
             rm -f {PROVEN}\n{write}echo {path}\nfi\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_valid_shell() {
        let setting = ScheduleSettings {
            path: "/etc/a",
            content: "it's".to_owned(),
            public: true,
        };
        assert!(sh::is_valid(&setting.script()));
    }
}

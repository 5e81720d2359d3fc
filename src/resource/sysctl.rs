//! Kernel parameters, now and after a reboot.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};

/// Running values of sysctl keys. The file that sets them at boot is a `file` step of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Sysctl {
    /// Key to value. A value with `>=` before it is a floor: a higher one is left alone.
    pub values: BTreeMap<String, String>,
}

impl Sysctl {
    /// Keys whose running value is not as wanted, with both. Keys that this kernel lacks are the modules' matter.
    fn differing<'a>(&'a self, seen: &HostState) -> Vec<(&'a str, String, &'a str)> {
        let mut differing = Vec::new();
        for (key, wanted) in &self.values {
            // The kernel parts numbers by tabs.
            let running = seen.sysctl(key);
            let running = running.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
            let Some(running) = running else {
                differing.push((
                    key.as_str(),
                    "(no such key)".to_owned(),
                    wanted.trim_start_matches(">="),
                ));
                continue;
            };
            let enough = match wanted.strip_prefix(">=") {
                Some(floor) => running.parse::<u64>().ok() >= floor.parse().ok(),
                None => running == *wanted,
            };
            if !enough {
                differing.push((key.as_str(), running, wanted.trim_start_matches(">=")));
            }
        }
        differing
    }
}

impl Resource for Sysctl {
    fn probe(&self, ask: &mut Probe) {
        for key in self.values.keys() {
            ask.sysctl(key);
        }
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let lines = self.differing(seen).into_iter();
        let lines = lines.flat_map(|(key, old, new)| [format!("-{key} = {old}"), format!("+{key} = {new}")]);
        Ok(Comparison::from_lines("set kernel parameters", lines.collect()))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        let set = self
            .differing(seen)
            .into_iter()
            .map(|(key, _, value)| format!("sysctl -q -w {}\n", sh::quote(&format!("{key}={value}"))));
        Action::quick(set.collect::<String>())
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Modules]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_parted_by_any_blank() {
        let values = [("a.b".to_owned(), "1 2 3".to_owned())].into();
        let seen = HostState::example("\x1esysctls\n/proc/sys/a/b:1\t2\t3\n\x1eend\n");
        assert_eq!(Sysctl { values }.compare(&seen), Ok(Comparison::InSync));
    }

    #[test]
    fn a_floor_leaves_higher_values_alone() {
        let values = [("a.b", ">=8192"), ("c.d", "1")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let sysctl = Sysctl {
            values: values.into(),
        };
        let seen = |text: &str| HostState::example(&format!("\x1esysctls\n{text}\x1eend\n"));
        assert_eq!(
            sysctl.compare(&seen("/proc/sys/a/b:9000\n/proc/sys/c/d:1\n")),
            Ok(Comparison::InSync)
        );
        let Ok(Comparison::Differs(change)) = sysctl.compare(&seen("/proc/sys/a/b:128\n/proc/sys/c/d:0\n"))
        else {
            unreachable!()
        };
        assert_eq!(
            change.detail,
            ["-a.b = 128", "+a.b = 8192", "-c.d = 0", "+c.d = 1"]
        );
    }
}

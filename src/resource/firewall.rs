//! Rules of ufw that let the cluster's hosts and pods talk.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Unreadable, sh};

/// The tuples by which ufw remembers its rules, those of IPv6 in a file of their own.
const TUPLES: &str = "grep -ahs '^### tuple ### ' /etc/ufw/user.rules /etc/ufw/user6.rules";
const RULES: &str = "ufw rules";
const SETTINGS: &str = "/etc/ufw/ufw.conf";

/// Allow rules of ufw, on hosts where it is on. Other people's rules stay; firewalld is served by zone files instead.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Ufw {
    /// Whether ufw is to be off.
    #[serde(default)]
    pub off: bool,
    /// Addresses or networks whose traffic to this host and through it is allowed.
    #[serde(default)]
    pub sources: Vec<String>,
    /// `PORT/PROTOCOL` or `FROM:TO/PROTOCOL` that everybody may reach.
    #[serde(default)]
    pub ports: Vec<String>,
}

impl Ufw {
    /// Our rules as ufw's arguments, beside the tuple line by which ufw remembers each.
    fn rules(&self) -> Vec<(String, String)> {
        let mut rules = Vec::new();
        for source in &self.sources {
            let any = if source.contains(':') { "::/0" } else { "0.0.0.0/0" };
            rules.push((
                format!("allow from {source}"),
                format!("### tuple ### allow any any {any} any {source} in"),
            ));
            rules.push((
                format!("route allow from {source}"),
                format!("### tuple ### route:allow any any {any} any {source} in"),
            ));
        }
        for entry in &self.ports {
            let (port, protocol) = entry.split_once('/').unwrap_or((entry, "tcp"));
            rules.push((
                format!("allow {entry}"),
                format!("### tuple ### allow {protocol} {port} 0.0.0.0/0 any 0.0.0.0/0 in"),
            ));
        }
        rules
    }

    fn missing(&self, seen: &HostState) -> Vec<String> {
        let present: BTreeSet<_> = seen
            .section(RULES)
            .lines()
            .map(|line| line.split(" comment=").next().unwrap_or(""))
            .collect();
        self.rules()
            .into_iter()
            .filter(|(_, tuple)| !present.contains(tuple.as_str()))
            .map(|(rule, _)| rule)
            .collect()
    }
}

fn is_on(seen: &HostState) -> bool {
    seen.content(SETTINGS)
        .unwrap_or("")
        .lines()
        .any(|line| line.trim().eq_ignore_ascii_case("ENABLED=yes"))
}

impl Resource for Ufw {
    fn probe(&self, ask: &mut Probe) {
        ask.content(SETTINGS);
        if !self.off {
            ask.script(RULES, TUPLES);
        }
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let lines = match (is_on(seen), self.off) {
            (false, _) => vec![],
            (true, true) => vec!["-ufw enabled".to_owned()],
            (true, false) => self
                .missing(seen)
                .into_iter()
                .map(|rule| format!("+ufw {rule}"))
                .collect(),
        };
        let summary = if self.off {
            "turn ufw off"
        } else {
            "open ufw for the cluster"
        };
        Ok(Comparison::from_lines(summary, lines))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        if self.off {
            return Action::quick("ufw disable\n");
        }
        let add = |rule: String| {
            let comment = sh::quote("ci-bootstrap");
            format!("ufw {rule} comment {comment} >/dev/null\n")
        };
        Action::quick(self.missing(seen).into_iter().map(add).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_ufw_remembers_is_not_added_again() {
        let ufw = Ufw {
            off: false,
            sources: vec!["10.0.0.2".into(), "fd00::2".into()],
            ports: vec!["6443/tcp".into()],
        };
        let rules = "### tuple ### allow any any 0.0.0.0/0 any 10.0.0.2 in comment=63692d626f6f747374726170\n\
                     ### tuple ### allow any any ::/0 any fd00::2 in comment=63692d626f6f747374726170\n\
                     ### tuple ### allow tcp 6443 0.0.0.0/0 any 0.0.0.0/0 in\n";
        let seen = |on: &str| {
            HostState::example(&format!(
                "\x1econtent {SETTINGS}\nENABLED={on}\n\x1e{RULES}\n{rules}\x1eend\n"
            ))
        };
        let Ok(Comparison::Differs(change)) = ufw.compare(&seen("yes")) else {
            unreachable!()
        };
        assert_eq!(
            change.detail,
            ["+ufw route allow from 10.0.0.2", "+ufw route allow from fd00::2"]
        );
        assert_eq!(ufw.compare(&seen("no")), Ok(Comparison::InSync));
    }
}

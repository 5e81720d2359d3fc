//! What the kernel exports, as against what the files of exports say.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};

/// The section of the probe that holds the table of exports, and where other files that name the path are listed.
const TABLE: &str = "nfs exports";
const OTHERS: &str = "nfs exports of others";

/// One directory in the table of exports, which `exportfs` fills from the files.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NfsExport {
    /// The file below `/etc/exports.d` that says the same.
    pub file: String,
    /// The exported directory.
    pub path: String,
    /// Who may mount it.
    pub clients: Vec<String>,
    /// With which options.
    pub options: Vec<String>,
}

impl NfsExport {
    /// Clients that have the directory now, with their options.
    fn exported<'a>(&self, seen: &'a HostState) -> BTreeMap<&'a str, Vec<&'a str>> {
        let lines = seen.section(TABLE).lines();
        let ours = lines.filter_map(|line| line.strip_prefix(&self.path)?.strip_prefix([' ', '\t']));
        let client = |entry: &'a str| {
            let (client, options) = entry.trim().split_once('(')?;
            Some((client, options.trim_end_matches(')').split(',').collect()))
        };
        ours.filter_map(client).collect()
    }

    fn differences(&self, seen: &HostState) -> Vec<String> {
        let exported = self.exported(seen);
        let mut lines = Vec::new();
        for client in &self.clients {
            match exported.get(client.as_str()) {
                None => lines.push(format!("+{} to {client}", self.path)),
                Some(options) => {
                    let against = |option: &&String| options.iter().any(|set| opposite(option) == *set);
                    let wrong = self.options.iter().filter(against);
                    lines.extend(wrong.map(|option| format!("+{} to {client}: {option}", self.path)));
                }
            }
        }
        // Another file may export the same directory to others: that is none of our business.
        if seen.section(OTHERS).trim().is_empty() {
            let gone = exported
                .keys()
                .filter(|client| !self.clients.iter().any(|wanted| wanted == *client));
            lines.extend(gone.map(|client| format!("-{} to {client}", self.path)));
        }
        lines
    }
}

/// The option that means the contrary. The table lists more options than were asked for, and not all of those that were:
/// only a contrary one tells that an export is not as wanted.
fn opposite(option: &str) -> String {
    match option {
        "rw" => "ro".to_owned(),
        "ro" => "rw".to_owned(),
        "sync" => "async".to_owned(),
        "async" => "sync".to_owned(),
        "secure" => "insecure".to_owned(),
        "insecure" => "secure".to_owned(),
        other => match other.strip_prefix("no_") {
            Some(positive) => positive.to_owned(),
            None => format!("no_{other}"),
        },
    }
}

impl Resource for NfsExport {
    fn probe(&self, ask: &mut Probe) {
        ask.script(TABLE, "exportfs -s 2>/dev/null");
        let (path, file) = (sh::quote(&self.path), sh::quote(&self.file));
        ask.script(
            OTHERS,
            &format!("grep -lswF -- {path} /etc/exports /etc/exports.d/*.exports | grep -vxF -- {file}"),
        );
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        Ok(Comparison::from_lines(
            format!("export {}", self.path),
            self.differences(seen),
        ))
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
        Action::quick("exportfs -ra\n")
    }

    fn follows(&self, topic: &Topic) -> Option<String> {
        let ours = matches!(topic, Topic::Path(path) if *path == self.file);
        ours.then(|| format!("export {} as {} says", self.path, self.file))
    }

    fn rests_on(&self) -> Vec<Topic> {
        let unit = Topic::Unit("nfs-server.service".to_owned());
        vec![Topic::Path(self.file.clone()), Topic::Packages, unit]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(table: &str, others: &str) -> Vec<String> {
        let export = NfsExport {
            file: "/etc/exports.d/ci-bootstrap.exports".into(),
            path: "/srv/nfs/ci".into(),
            clients: vec!["10.0.0.11".into(), "10.0.0.12".into()],
            options: ["rw", "sync", "no_root_squash"].map(str::to_owned).to_vec(),
        };
        let text = format!("\x1e{TABLE}\n{table}\n\x1e{OTHERS}\n{others}\n\x1eend\n");
        match export.compare(&HostState::example(&text)) {
            Ok(Comparison::Differs(change)) => change.detail,
            _ => vec![],
        }
    }

    const GOOD: &str = "/srv/nfs/ci  10.0.0.11(sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,no_root_squash)\n\
                        /srv/nfs/ci  10.0.0.12(sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,no_root_squash)\n\
                        /srv/nfs/ci2  10.0.0.13(sync,ro,root_squash)";

    #[test]
    fn what_is_exported_as_wanted_is_left_alone() {
        assert_eq!(details(GOOD, ""), [""; 0]);
    }

    #[test]
    fn a_missing_client_a_wrong_option_and_a_client_of_before_are_told() {
        let table = GOOD.replacen("10.0.0.11", "10.0.0.9", 1).replacen(
            ",rw,secure,no_root_squash)\n/srv/nfs/ci2",
            ",ro,secure,no_root_squash)\n/srv/nfs/ci2",
            1,
        );
        assert_eq!(
            details(&table, ""),
            [
                "+/srv/nfs/ci to 10.0.0.11",
                "+/srv/nfs/ci to 10.0.0.12: rw",
                "-/srv/nfs/ci to 10.0.0.9"
            ]
        );
        assert_eq!(details(&table, "/etc/exports").len(), 2);
        assert_eq!(details("", "").len(), 2);
    }
}

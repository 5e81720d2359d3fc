//! One line of a file of known hosts.

use std::path::Path;

use russh::keys::PublicKey;

use super::FilePosition;
use super::pattern;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryMarker {
    None,
    Revoked,
    Authority,
}

#[derive(Debug, Clone)]
pub(super) struct KnownHostsEntry {
    pub(super) marker: EntryMarker,
    hosts: String,
    pub(super) key: PublicKey,
    pub(super) place: FilePosition,
}

impl KnownHostsEntry {
    /// Whether the line speaks of `name`, which is written as in these files and in lower case.
    pub(super) fn matches(&self, name: &str) -> bool {
        pattern::matches(&self.hosts, name)
    }
}

pub(super) fn parse(file: &Path, text: &str) -> Vec<KnownHostsEntry> {
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let place = FilePosition {
                file: file.to_owned(),
                line: index + 1,
            };
            parse_line(line, place)
        })
        .collect()
}

fn parse_line(line: &str, place: FilePosition) -> Option<KnownHostsEntry> {
    let mut fields = line.split_ascii_whitespace();
    let mut hosts = fields.next()?;
    let marker = match hosts {
        "@revoked" => EntryMarker::Revoked,
        "@cert-authority" => EntryMarker::Authority,
        other if other.starts_with(['@', '#']) => return None,
        _ => EntryMarker::None,
    };
    if marker != EntryMarker::None {
        hosts = fields.next()?;
    }
    let (algorithm, key) = (fields.next()?, fields.next()?);
    Some(KnownHostsEntry {
        marker,
        hosts: hosts.to_owned(),
        key: PublicKey::from_openssh(&format!("{algorithm} {key}")).ok()?,
        place,
    })
}

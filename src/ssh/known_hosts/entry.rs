//! One line of a file of known hosts.

use std::path::Path;

use russh::keys::PublicKey;

use super::Place;
use super::pattern;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    None,
    Revoked,
    Authority,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) marker: Marker,
    hosts: String,
    pub(super) key: PublicKey,
    pub(super) place: Place,
}

impl Entry {
    /// Whether the line speaks of `name`, which is written as in these files and in lower case.
    pub(super) fn matches(&self, name: &str) -> bool {
        pattern::matches(&self.hosts, name)
    }
}

pub(super) fn parse(file: &Path, text: &str) -> Vec<Entry> {
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let place = Place {
                file: file.to_owned(),
                line: index + 1,
            };
            parse_line(line, place)
        })
        .collect()
}

fn parse_line(line: &str, place: Place) -> Option<Entry> {
    let mut fields = line.split_ascii_whitespace();
    let mut hosts = fields.next()?;
    let marker = match hosts {
        "@revoked" => Marker::Revoked,
        "@cert-authority" => Marker::Authority,
        other if other.starts_with(['@', '#']) => return None,
        _ => Marker::None,
    };
    if marker != Marker::None {
        hosts = fields.next()?;
    }
    let (algorithm, key) = (fields.next()?, fields.next()?);
    Some(Entry {
        marker,
        hosts: hosts.to_owned(),
        key: PublicKey::from_openssh(&format!("{algorithm} {key}")).ok()?,
        place,
    })
}

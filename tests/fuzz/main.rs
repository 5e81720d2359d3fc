//! What others write is read without a panic, whatever it is: files of the corpus, cut, turned and mixed.
//!
//! `make fuzz` goes on for a minute per target, or `FUZZ_SECONDS`; otherwise the corpus is replayed, with a few changes of each file.
//! This is proptest and not cargo-fuzz, which needs a nightly compiler: it finds less, but runs wherever the other tests run, and
//! makes what it has found small. A file that was found belongs into the corpus.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use ci_bootstrap::bundle;
use ci_bootstrap::cluster_api::Kubeconfig;
use ci_bootstrap::diagnostic::{Colour, Source, render};
use ci_bootstrap::ssh::known_hosts::KnownHosts;
use ci_bootstrap::{inventory, model, yaml};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Changed files for each target where no time is given.
const CASES: u32 = 200;
/// The most that one change inserts or removes.
const LONGEST: usize = 40;

/// A change of a file. Places are taken modulo its length.
#[derive(Debug, Clone)]
enum Change {
    Turn(usize, u8),
    Cut(usize),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<usize>;
    prop_oneof![
        (at(), 1..=u8::MAX).prop_map(|(at, bits)| Change::Turn(at, bits)),
        at().prop_map(Change::Cut),
        (at(), 1..LONGEST).prop_map(|(at, count)| Change::Remove(at, count)),
        (at(), proptest::collection::vec(any::<u8>(), 1..LONGEST))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at(), 1..LONGEST).prop_map(|(at, count)| Change::Repeat(at, count)),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let length = bytes.len().max(1);
        let end = |at: usize, count: usize| (at % length + count).min(bytes.len());
        match change {
            Change::Turn(at, bits) => {
                if let Some(byte) = bytes.get_mut(at % length) {
                    *byte ^= bits;
                }
            }
            Change::Cut(at) => bytes.truncate(at % length),
            Change::Remove(at, count) => {
                let end = end(*at, *count);
                bytes.drain((at % length).min(end)..end);
            }
            Change::Insert(at, new) => {
                let at = (at % length).min(bytes.len());
                bytes.splice(at..at, new.iter().copied());
            }
            Change::Repeat(at, count) => {
                let end = end(*at, *count);
                let again = bytes[(at % length).min(end)..end].to_vec();
                bytes.splice(end..end, again);
            }
        }
    }
    bytes
}

/// Files, and those of folders; some are there for other tests.
fn corpus(places: &[&str]) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for place in places.iter().map(|place| Path::new("tests").join(place)) {
        if place.is_file() {
            files.push(fs_err::read(place).unwrap());
            continue;
        }
        for entry in fs_err::read_dir(place).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                files.push(fs_err::read(path).unwrap());
            }
        }
    }
    assert!(!files.is_empty(), "no corpus in {places:?}");
    files
}

/// Reads every file as it is, then changed ones.
fn fuzz(places: &[&str], target: impl Fn(&[u8])) {
    let files = corpus(places);
    for file in &files {
        target(file);
    }
    let seconds = std::env::var("FUZZ_SECONDS").map_or(0, |text| text.parse().unwrap());
    let time = Duration::from_secs(seconds);
    let began = Instant::now();
    let input = (
        proptest::sample::select(files),
        proptest::collection::vec(change(), 1..8),
    )
        .prop_map(|(file, changes)| changed(file, &changes));
    loop {
        let config = Config {
            cases: CASES,
            failure_persistence: None,
            ..Config::default()
        };
        let outcome = TestRunner::new(config).run(&input, |bytes| {
            target(&bytes);
            Ok(())
        });
        assert_eq!(outcome.map_err(|error| error.to_string()), Ok(()));
        if began.elapsed() >= time {
            return;
        }
    }
}

#[test]
fn inventories() {
    fuzz(&["diagnostics/inventory", "../inventory.example.yaml"], |bytes| {
        let source = Source {
            name: "inventory.yaml".to_owned(),
            text: String::from_utf8_lossy(bytes).into_owned(),
        };
        let document = inventory::parse(source, Path::new("/nowhere"));
        if let Err(problems) = model::validate(&document) {
            assert!(!render(&problems, &document.source, Colour::Never).is_empty());
        }
    });
}

#[test]
fn manifests() {
    fuzz(&["fuzz/corpus/manifests", "diagnostics/yaml"], |bytes| {
        let _ = yaml::manifests(&String::from_utf8_lossy(bytes));
    });
}

#[test]
fn kubeconfigs() {
    fuzz(&["fuzz/corpus/kubeconfig"], |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(read) = Kubeconfig::parse(&text) {
            let _ = read.to_yaml("ci").unwrap();
        }
    });
}

#[test]
fn files_of_known_hosts() {
    fuzz(&["fuzz/corpus/known_hosts"], |bytes| {
        let mut known = KnownHosts::default();
        known.add(Path::new("known_hosts"), &String::from_utf8_lossy(bytes));
        for (host, port) in [("cp1", 22), ("10.0.0.11", 2222), ("[", 0)] {
            let _ = (known.algorithms(host, port), known.authorities(host, port));
        }
    });
}

/// The corpus has archives that are not compressed: a changed compressed one hardly ever has members.
#[test]
fn bundles() {
    fuzz(&["fuzz/corpus/bundle"], |bytes| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        let file = gzip.finish().unwrap();
        let _ = bundle::about(&*file);
        let whole = bundle::RestoreArchive::of(&*file, |_| Ok(()));
        if let Ok((contents, _)) = whole {
            // Whatever was changed is no content: nothing that is signed has become something else.
            assert_eq!(contents.about.cluster, "ci");
        }
    });
}

//! Bundles as a whole: written, read, damaged.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{LineEnding, PrivateKey};
use tar::{Builder, Header};

use super::{
    ABOUT, BundleError, BundleHeader, BundleMember, BundleWriter, FORMAT, NAMESPACE, RestoreArchive,
    SIGNATURE, SIGNING_KEY, SUMS, about, file_name, outdated, read,
};

const NAMES: [&str; 10] = [
    "etcd-status.json",
    "etcd.db",
    "pki/ca.crt",
    "pki/ca.key",
    "pki/etcd/ca.crt",
    "pki/etcd/ca.key",
    "pki/front-proxy-ca.crt",
    "pki/front-proxy-ca.key",
    "pki/sa.key",
    "pki/sa.pub",
];

fn sample() -> BundleHeader {
    BundleHeader {
        format: FORMAT,
        program: "0.1.0".into(),
        made: "2026-11-21T14:30:00Z".into(),
        cluster: "ci".into(),
        kubernetes: "1.36.4".into(),
        endpoint: "10.0.0.11:6443".into(),
        networks: [
            "10.244.0.0/16".into(),
            "10.96.0.0/16".into(),
            "cluster.local".into(),
        ],
        hosts: vec!["cp1".into()],
        taken_on: "cp1".into(),
        jenkins_home: None,
    }
}

/// What a host sends: a gzipped tar archive with folders in it.
fn archive(names: &[&str]) -> Vec<u8> {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut folder = Header::new_gnu();
    folder.set_entry_type(tar::EntryType::Directory);
    folder.set_size(0);
    tar.append_data(&mut folder, "pki/", std::io::empty()).unwrap();
    for name in names {
        let content = if *name == SIGNING_KEY {
            key().to_openssh(LineEnding::LF).unwrap().to_string()
        } else {
            format!("content of {name} ").repeat(50)
        };
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn key() -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]))
}

/// Its public half.
fn signer() -> String {
    key().public_key().to_openssh().unwrap().trim().to_owned()
}

fn bundle(about: &BundleHeader, names: &[&str]) -> Vec<u8> {
    let mut packer = BundleWriter::begin(Vec::new(), about).unwrap();
    packer.add_archive(&*archive(names)).unwrap();
    packer.add_archive(&*archive(&[SIGNING_KEY])).unwrap();
    packer.add("inventory.yaml", b"hosts: []\n").unwrap();
    packer.finish().unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "what a reader asks for")]
fn any(_: &BundleHeader) -> Result<(), BundleError> {
    Ok(())
}

/// A bundle whose second member says that it has this many bytes, and of which nothing follows.
fn promising(name: &str, size: u64) -> Vec<u8> {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let text = serde_json::to_vec(&sample()).unwrap();
    let mut header = Header::new_gnu();
    header.set_size(text.len() as u64);
    tar.append_data(&mut header, "bundle.json", &*text).unwrap();
    let mut header = Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_size(size);
    header.set_cksum();
    tar.get_mut().write_all(header.as_bytes()).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn a_foreign_bundle_is_refused_by_its_first_member() {
    // Nothing follows: had it been read on, it would be damaged.
    let error = RestoreArchive::of(&*promising("etcd.db", 1 << 30), |about| {
        Err(BundleError::Foreign(format!("of {}", about.cluster)))
    });
    assert_eq!(error.unwrap_err().to_string(), "of ci");
}

#[test]
fn a_member_that_promises_more_than_it_can_be_is_not_read() {
    for (name, size) in [("pki/ca.key", (1 << 20) + 1), ("etcd.db", (8 << 30) + 1)] {
        let error = RestoreArchive::of(&*promising(name, size), any)
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("{name} has {size} bytes")), "{error}");
    }
}

#[test]
fn what_is_packed_is_read_back() {
    let bundle = bundle(&sample(), &NAMES);
    assert_eq!(about(&*bundle).unwrap(), sample());
    let mut seen = String::new();
    let contents = read(
        &*bundle,
        |_| Ok(()),
        |BundleMember { name, content, .. }| {
            if name == "inventory.yaml" {
                content.read_to_string(&mut seen)?;
            }
            Ok(())
        },
    )
    .unwrap();
    assert_eq!(seen, "hosts: []\n");
    assert_eq!(
        contents.sums.len(),
        NAMES.len() + 2,
        "its own first member and the inventory"
    );
    let (_, payload) = RestoreArchive::of(&*bundle, any).unwrap();
    assert_eq!(payload.id, contents.id);
    let mut names = Vec::new();
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&*payload.archive));
    for entry in tar.entries().unwrap() {
        names.push(entry.unwrap().path().unwrap().to_string_lossy().into_owned());
    }
    assert!(names.contains(&"pki/ca.key".to_owned()) && !names.contains(&"inventory.yaml".to_owned()));
}

#[test]
fn whatever_is_cut_or_turned_is_damaged() {
    let good = bundle(&sample(), &NAMES);
    for end in (0..good.len()).step_by(7).chain(good.len() - 7..good.len()) {
        let read = RestoreArchive::of(&good[..end], any);
        assert!(
            matches!(read, Err(BundleError::Damaged(_))),
            "cut at {end}: {read:?}"
        );
    }
    // Of gzip's head, the bytes of time and system mean nothing; nor do the bits that fill the last byte of its data.
    let (contents, payload) = RestoreArchive::of(&*good, any).unwrap();
    for at in (10..good.len()).step_by(5) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        if let Ok(read) = RestoreArchive::of(&*bad, any) {
            assert!(
                read.0 == contents && read.1.archive == payload.archive,
                "turned at {at}"
            );
        }
    }
}

#[test]
fn a_bundle_without_keys_is_no_way_back() {
    let error = RestoreArchive::of(&*bundle(&sample(), &NAMES[..5]), any).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the bundle is damaged: it holds no pki/etcd/ca.key"
    );
}

#[test]
fn a_newer_bundle_is_told_from_a_damaged_one() {
    let newer = BundleHeader {
        format: FORMAT + 1,
        program: "9.0.0".into(),
        ..sample()
    };
    let error = RestoreArchive::of(&*bundle(&newer, &NAMES), any)
        .unwrap_err()
        .to_string();
    assert!(error.contains("ci-bootstrap 9.0.0 in format 3"), "{error}");
}

#[test]
fn names_sort_by_time() {
    assert_eq!(
        file_name("ci", "2026-11-21T14:30:00Z", false),
        "ci-20261121T143000Z.tar.gz"
    );
    assert_eq!(
        file_name("ci", "2026-11-21T14:30:00Z", true),
        "ci-20261121T143000Z.tar.gz.age"
    );
}

#[test]
fn only_old_bundles_of_the_same_cluster_are_outdated() {
    let names = [
        "ci-20261101T000000Z.tar.gz",
        "ci-20261102T000000Z.tar.gz.age",
        "ci-20261103T000000Z.tar.gz",
        "ci-20261104T000000Z.tar.gz",
        "ci-two-20261101T000000Z.tar.gz",
        "ci-20261101T000000Z.tar.gz.partial",
        ".ci-20261101T000000Z.tar.gz",
        "ci-2026.tar.gz",
        "ci-20261101T000000Z.zip",
        "notes.txt",
    ]
    .map(str::to_owned);
    let gone = |new: &str, keep| outdated(&names, "ci", new, keep);
    assert_eq!(gone("ci-20261104T000000Z.tar.gz", 2), names[..2]);
    assert_eq!(gone("ci-20261104T000000Z.tar.gz", 1), names[..3]);
    assert_eq!(gone("ci-20261104T000000Z.tar.gz", 4), [""; 0]);
    // Made while the clock was wrong: it stays, and the latest of the others.
    assert_eq!(gone("ci-20261101T000000Z.tar.gz", 2), names[1..3]);
}

/// The members of a bundle, in their order.
fn members(bundle: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(bundle));
    let entries = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().to_string_lossy().into_owned(), content)
    });
    entries.collect()
}

fn packed(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in members {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, &**content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// The members with sums that fit them.
fn summed(mut members: Vec<(String, Vec<u8>)>) -> Vec<u8> {
    let sums = members
        .iter()
        .filter(|(name, _)| ![SUMS, SIGNATURE].contains(&&**name))
        .map(|(name, content)| format!("{}  {name}\n", hex::encode(Sha256::digest(content))))
        .collect::<String>();
    let at = members.iter().position(|(name, _)| name == SUMS).unwrap();
    members[at].1 = sums.into_bytes();
    packed(&members)
}

fn why(bundle: &[u8]) -> String {
    RestoreArchive::of(bundle, any).unwrap_err().to_string()
}

#[test]
fn a_bundle_names_the_key_that_has_signed_it_and_does_not_hold_it() {
    let bundle = bundle(&sample(), &NAMES);
    let (contents, _) = RestoreArchive::of(&*bundle, any).unwrap();
    assert_eq!(contents.signer.as_deref(), Some(&*signer()));
    assert!(members(&bundle).iter().all(|(name, _)| name != SIGNING_KEY));
}

#[test]
fn openssh_agrees_with_the_signature() {
    let folder = tempfile::tempdir().unwrap();
    let members = members(&bundle(&sample(), &NAMES));
    let content = |wanted: &str| &members.iter().find(|(name, _)| name == wanted).unwrap().1;
    fs_err::write(folder.path().join(SIGNATURE), content(SIGNATURE)).unwrap();
    fs_err::write(folder.path().join("allowed"), format!("ci {}\n", signer())).unwrap();
    for (sums, agrees) in [(content(SUMS).clone(), true), (b"other".to_vec(), false)] {
        let mut verify = Command::new("ssh-keygen")
            .args([
                "-Y", "verify", "-f", "allowed", "-I", "ci", "-n", NAMESPACE, "-s", SIGNATURE,
            ])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It may have ended before it has read all.
        let _ = verify.stdin.take().unwrap().write_all(&sums);
        assert_eq!(verify.wait().unwrap().success(), agrees);
    }
}

#[test]
fn a_bundle_that_was_changed_has_a_wrong_signature() {
    let mut changed = members(&bundle(&sample(), &NAMES));
    changed[1].1 = b"forged".to_vec();
    let error = why(&summed(changed));
    assert!(error.contains("its signature is wrong"), "{error}");
}

#[test]
fn a_signature_can_be_left_out_of_no_bundle_that_has_to_have_one() {
    let mut stripped = members(&bundle(&sample(), &NAMES));
    assert_eq!(stripped.pop().unwrap().0, SIGNATURE);
    assert!(why(&packed(&stripped)).contains("it ends without SHA256SUMS.sig"));
}

#[test]
fn a_bundle_from_before_signatures_has_no_signer() {
    let mut old = members(&bundle(&sample(), &NAMES));
    old.pop();
    let about = BundleHeader {
        format: 1,
        ..sample()
    };
    old[0] = (ABOUT.to_owned(), serde_json::to_vec(&about).unwrap());
    let (contents, _) = RestoreArchive::of(&*summed(old), any).unwrap();
    assert_eq!(contents.signer, None);
}

#[test]
fn a_member_stands_in_a_bundle_once() {
    let whole = members(&bundle(&sample(), &NAMES));
    for name in ["pki/ca.key", ABOUT] {
        let mut twice = whole.clone();
        twice.insert(1, (name.to_owned(), b"forged".to_vec()));
        let error = why(&packed(&twice));
        assert!(error.contains(&format!("{name} stands in it twice")), "{error}");
    }
    let mut after = whole.clone();
    after.push(("pki/ca.key".to_owned(), b"forged".to_vec()));
    assert!(why(&packed(&after)).contains("pki/ca.key comes after SHA256SUMS"));
}

#[test]
fn a_bundle_without_a_key_to_sign_it_is_not_finished() {
    let packer = BundleWriter::begin(Vec::new(), &sample()).unwrap();
    assert!(packer.finish().unwrap_err().to_string().contains("signed with"));
}

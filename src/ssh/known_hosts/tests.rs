#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::process::Command;

use proptest::prelude::*;

use super::*;

const ED: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

fn key(text: &str) -> PublicKey {
    PublicKey::from_openssh(text).unwrap()
}

fn known(text: &str) -> KnownHosts {
    let mut known = KnownHosts::default();
    known.add(Path::new("kh"), text);
    known
}

fn changed(line: usize) -> HostKeyMatch {
    HostKeyMatch::Changed(FilePosition {
        file: "kh".into(),
        line,
    })
}

fn revoked(line: usize) -> HostKeyMatch {
    HostKeyMatch::Revoked(FilePosition {
        file: "kh".into(),
        line,
    })
}

#[test]
fn verdicts_on_port_22() {
    let tabs = ED.replace(' ', "\t");
    let cases = [
        (String::new(), HostKeyMatch::Unknown),
        (format!("cp1 {ED}\n"), HostKeyMatch::Trusted),
        (format!("CP1 {ED} comment # more\n"), HostKeyMatch::Trusted),
        (format!("  cp1\t{tabs}\r\n"), HostKeyMatch::Trusted),
        (format!("other,cp1 {ED}\n"), HostKeyMatch::Trusted),
        (format!("cp? {ED}\n"), HostKeyMatch::Trusted),
        (format!("*,!cp1 {ED}\n"), HostKeyMatch::Unknown),
        (format!("!cp2,cp* {ED}\n"), HostKeyMatch::Trusted),
        (format!("cp10 {ED}\n"), HostKeyMatch::Unknown),
        (format!("[cp1]:22 {ED}\n"), HostKeyMatch::Unknown),
        (format!("# cp1 {OTHER}\n\ncp1 {OTHER}\n"), changed(3)),
        (format!("cp1 {OTHER}\ncp1 {ED}\n"), HostKeyMatch::Trusted),
        (format!("cp1 {ED}\n@revoked * {ED}\n"), revoked(2)),
        (format!("@revoked cp1 {OTHER}\ncp1 {ED}\n"), HostKeyMatch::Trusted),
        (format!("@revoked cp2 {ED}\ncp1 {ED}\n"), HostKeyMatch::Trusted),
        (format!("@cert-authority cp1 {ED}\n"), HostKeyMatch::Unknown),
        (format!("@future cp1 {ED}\n"), HostKeyMatch::Unknown),
        (
            format!("cp1 ssh-ed25519 AAAA!!\ncp1 ssh-future AAAA\ncp1\ncp1 {ED}\n"),
            HostKeyMatch::Trusted,
        ),
    ];
    for (text, verdict) in cases {
        assert_eq!(known(&text).check("cp1", 22, &key(ED)), verdict, "{text:?}");
    }
}

#[test]
fn verdicts_on_another_port() {
    let cases = [
        (format!("[cp1]:2222 {ED}\n"), HostKeyMatch::Trusted),
        (format!("[cp1]:2223 {ED}\n"), HostKeyMatch::Unknown),
        (format!("[*]:2222 {ED}\n"), HostKeyMatch::Trusted),
        // The bare name vouches for every port, but does not speak against one.
        (format!("cp1 {ED}\n"), HostKeyMatch::Trusted),
        (format!("cp1 {OTHER}\n"), HostKeyMatch::Unknown),
        (format!("[cp1]:2222 {OTHER}\n"), changed(1)),
        (format!("[cp1]:2222 {ED}\n@revoked cp1 {ED}\n"), revoked(2)),
    ];
    for (text, verdict) in cases {
        assert_eq!(known(&text).check("cp1", 2222, &key(ED)), verdict, "{text:?}");
    }
}

#[test]
fn kinds_and_authorities_of_a_host() {
    let known = known(&format!(
        "cp1 {ED}\n@cert-authority *.test,cp1 {OTHER}\n@revoked cp1 {OTHER}\n"
    ));
    assert_eq!(known.algorithms("cp1", 2222), [Algorithm::Ed25519]);
    assert_eq!(known.algorithms("cp2", 22), []);
    assert_eq!(known.authorities("a.TEST", 22), [key(OTHER)]);
    assert_eq!(known.authorities("cp2", 22), []);
}

#[test]
fn several_files_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let (user, system) = (dir.path().join("user"), dir.path().join("system"));
    fs_err::write(&user, format!("cp1 {ED}\n")).unwrap();
    let files = [user, system.clone()];
    let check = || KnownHosts::load(&files, &[]).map(|known| known.check("cp1", 22, &key(ED)));
    assert_eq!(
        check().unwrap(),
        HostKeyMatch::Trusted,
        "a missing file is an empty one"
    );
    fs_err::write(&system, format!("@revoked * {ED}\n")).unwrap();
    assert!(matches!(check().unwrap(), HostKeyMatch::Revoked(place) if place.file == system));
    fs_err::remove_file(&system).unwrap();
    fs_err::create_dir(&system).unwrap();
    assert!(
        check().unwrap_err().to_string().contains("system"),
        "an unreadable file is an error"
    );
}

#[test]
fn recording_keeps_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("new/known_hosts");
    assert_eq!(append(&file, &["a 1".to_owned()]).unwrap(), 1);
    fs_err::write(&file, "# mine\na 1  \nno line feed").unwrap();
    assert_eq!(
        append(&file, &["a 1".to_owned(), "b 2".to_owned(), "b 2".to_owned()]).unwrap(),
        1
    );
    assert_eq!(
        fs_err::read_to_string(&file).unwrap(),
        "# mine\na 1  \nno line feed\nb 2\n"
    );
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs_err::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        fs_err::read_dir(file.parent().unwrap()).unwrap().count(),
        1,
        "no temporary file is left"
    );
}

#[test]
fn a_link_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    fs_err::write(&real, "a 1\n").unwrap();
    fs_err::os::unix::fs::symlink(&real, &link).unwrap();
    append(&link, &["b 2".to_owned()]).unwrap();
    assert_eq!(fs_err::read_to_string(&real).unwrap(), "a 1\nb 2\n");
    assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
}

/// What the pattern means, said as briefly as possible.
fn glob_by_definition(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            glob_by_definition(rest, text)
                || text
                    .split_first()
                    .is_some_and(|(_, t)| glob_by_definition(pattern, t))
        }
        (Some((p, ps)), Some((t, ts))) => {
            (p.eq_ignore_ascii_case(t) || *p == b'?') && glob_by_definition(ps, ts)
        }
        _ => false,
    }
}

fn any_line() -> impl Strategy<Value = String> {
    let marker = prop::sample::select(vec!["", "@revoked ", "@cert-authority ", "@x ", "#", "\t"]);
    let hosts = "[ab*?!,.\\[\\]:2]{1,8}";
    (
        marker,
        hosts,
        prop::sample::select(vec![ED, OTHER, "ssh-ed25519 AAAA", ""]),
    )
        .prop_map(|(marker, hosts, key)| format!("{marker}{hosts} {key}"))
}

proptest! {
    #[test]
    fn patterns_mean_what_they_are_defined_to(pattern in "[aAb*?]{0,8}", text in "[ab]{0,10}") {
        prop_assert_eq!(glob(&pattern, &text), glob_by_definition(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn any_text_is_read_and_trusts_nobody_whose_key_is_not_in_it(text in "[ -~\t\n@|]{0,200}", host in "[a-z.]{1,8}") {
        prop_assert_ne!(known(&text).check(&host, 22, &key(ED)), HostKeyMatch::Trusted);
    }

    #[test]
    fn a_revocation_for_all_wins_over_any_line(lines in prop::collection::vec(any_line(), 0..6), at in 0..6_usize) {
        let mut lines = lines;
        lines.insert(at.min(lines.len()), format!("@revoked * {ED}"));
        prop_assert!(matches!(known(&lines.join("\n")).check("ab", 22, &key(ED)), HostKeyMatch::Revoked(_)));
    }

    #[test]
    fn the_order_of_lines_does_not_change_the_verdict(lines in prop::collection::vec(any_line(), 0..6)) {
        let kind = |text: &str| std::mem::discriminant(&known(text).check("ab", 22, &key(ED)));
        let reversed: Vec<_> = lines.iter().rev().cloned().collect();
        prop_assert_eq!(kind(&lines.join("\n")), kind(&reversed.join("\n")));
    }
}

/// The lines that OpenSSH finds for a name.
fn lines_by_openssh(file: &Path, name: &str) -> Vec<usize> {
    let output = Command::new("ssh-keygen")
        .args(["-F", name, "-f"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split("found: line ").nth(1)?.split(' ').next()?.parse().ok())
        .collect()
}

#[test]
fn lines_are_found_as_openssh_finds_them() {
    if Command::new("ssh-keygen").arg("-?").output().is_err() {
        let test = "lines_are_found_as_openssh_finds_them";
        return crate::skip::skipped(test, "no ssh-keygen on this machine");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("known_hosts");
    let hosts = [
        "cp1",
        "CP1",
        "cp1,cp2",
        "[cp1]:2222",
        "*",
        "cp?",
        "!cp1,*",
        "*,!cp2",
        "[*]:2222",
        "10.0.0.*",
        "fe80::1",
        "[fe80::1]:2222",
    ];
    let mut text = hosts.map(|host| format!("{host} {ED}\n")).concat();
    fs_err::write(&file, format!("cp1 {ED}\n[cp2]:2222 {ED}\n")).unwrap();
    let hashing = Command::new("ssh-keygen")
        .args(["-q", "-H", "-f"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(hashing.status.success());
    let hashed = fs_err::read_to_string(&file).unwrap();
    assert!(hashed.starts_with("|1|"));
    text.push_str(&hashed);
    fs_err::write(&file, &text).unwrap();
    for (host, port) in [
        ("cp1", 22),
        ("cp2", 22),
        ("cp1", 2222),
        ("cp2", 2222),
        ("10.0.0.7", 22),
        ("fe80::1", 22),
        ("fe80::1", 2222),
    ] {
        let name = name(host, port);
        let known = known(&text);
        let ours: Vec<usize> = known.hosts(&name).map(|entry| entry.place.line).collect();
        assert_eq!(ours, lines_by_openssh(&file, &name), "for {name}");
    }
}

//! Whose keys are trusted.

use std::path::PathBuf;

use ci_bootstrap::ssh::known_hosts::{self, HostKeyMatch};
use ci_bootstrap::ssh::{self, SshConfig, SshTarget};
use ci_bootstrap::transport::TransportError;

use crate::server::{Servers, run, servers, timeouts};

/// The verdict that a file of known hosts leads to; empty when the host is let in.
async fn refusal(servers: &Servers, file: PathBuf) -> String {
    let mut target = servers.root();
    target.known_hosts = Some(vec![file]);
    refusal_of(&target).await
}

async fn refusal_of(target: &SshTarget) -> String {
    match ssh::connect(target, timeouts()).await {
        Ok(_) => String::new(),
        Err(error @ TransportError::HostKey { .. }) => error.to_string(),
        Err(error) => format!("unexpected: {error}"),
    }
}

fn public(servers: &Servers, name: &str) -> String {
    servers
        .read(&format!("{name}.pub"))
        .split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key() {
    let Some(servers) = servers("an_unknown_key") else {
        return;
    };
    let text = refusal(servers, servers.file("no-such-file")).await;
    assert!(
        text.starts_with(&format!(
            "host key of cp1: no key of [127.0.0.1]:{}",
            servers.outer
        )),
        "{text}"
    );
    assert!(
        text.contains("ssh-ed25519 SHA256:") && text.contains("`ci-bootstrap trust INVENTORY`"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key() {
    let Some(servers) = servers("a_changed_key") else {
        return;
    };
    let line = format!(
        "# comment\n[127.0.0.1]:{} {}\n",
        servers.outer,
        public(servers, "host_inner")
    );
    let file = servers.write("known_changed", &line);
    let text = refusal(servers, file.clone()).await;
    assert!(
        text.contains(&format!("on record in {}:2", file.display())),
        "{text}"
    );
    assert!(
        text.contains(&format!(
            "ssh-keygen -R '[127.0.0.1]:{}' -f {}",
            servers.outer,
            file.display()
        )),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key() {
    let Some(servers) = servers("a_revoked_key") else {
        return;
    };
    let key = public(servers, "host_ed25519");
    let lines = format!("[127.0.0.1]:{} {key}\n@revoked * {key}\n", servers.outer);
    let file = servers.write("known_revoked", &lines);
    let mut target = servers.root();
    target.known_hosts = Some(vec![file.clone()]);
    target.fingerprints = vec![fingerprint(servers, "host_ed25519")];
    let text = refusal_of(&target).await;
    assert!(
        text.contains(&format!("marked as revoked in {}:2", file.display())),
        "{text}"
    );
}

fn fingerprint(servers: &Servers, name: &str) -> String {
    let printed = run(
        "ssh-keygen",
        &["-lf", servers.file(&format!("{name}.pub")).to_str().unwrap()],
    );
    printed.split_whitespace().nth(1).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fingerprint_of_the_inventory() {
    let Some(servers) = servers("a_fingerprint_of_the_inventory") else {
        return;
    };
    let mut target = servers.root();
    target.known_hosts = Some(vec![servers.file("no-such-file")]);
    target.fingerprints = vec![fingerprint(servers, "host_ed25519")];
    assert_eq!(refusal_of(&target).await, "");
    target.fingerprints = vec![fingerprint(servers, "host_inner")];
    target.known_hosts = Some(vec![servers.file("known_hosts")]);
    let text = refusal_of(&target).await;
    assert!(
        text.contains("none of the fingerprints in the inventory"),
        "the inventory decides: {text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_kind_of_key_is_asked_for() {
    let Some(servers) = servers("the_recorded_kind_of_key_is_asked_for") else {
        return;
    };
    let file = servers.write(
        "known_rsa",
        &format!("[127.0.0.1]:{} {}\n", servers.outer, public(servers, "host_rsa")),
    );
    run("ssh-keygen", &["-q", "-H", "-f", file.to_str().unwrap()]);
    assert_eq!(refusal(servers, file).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_an_authority() {
    let Some(servers) = servers("certificates_of_an_authority") else {
        return;
    };
    let mut target = servers.root();
    target.port = Some(servers.inner);
    let ca = public(servers, "ca");
    target.known_hosts = Some(vec![
        servers.write("known_ca", &format!("@cert-authority 127.0.0.* {ca}\n")),
    ]);
    assert_eq!(refusal_of(&target).await, "");
    target.address = "localhost".to_owned();
    target.known_hosts = Some(vec![
        servers.write("known_ca2", &format!("@cert-authority localhost {ca}\n")),
    ]);
    let text = refusal_of(&target).await;
    assert!(
        text.contains("it is for [inner.test, 127.0.0.1], not for localhost"),
        "{text}"
    );
    target.known_hosts = Some(vec![
        servers.write("known_ca3", &format!("@cert-authority elsewhere {ca}\n")),
    ]);
    assert!(
        refusal_of(&target).await.contains("no key of"),
        "an authority for others is none"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn trusting_what_a_scan_finds() {
    let Some(servers) = servers("trusting_what_a_scan_finds") else {
        return;
    };
    let mut target = servers.root();
    target.known_hosts = Some(vec![servers.file("trusted")]);
    let scan = ssh::scan(&target, timeouts()).await.unwrap();
    assert_eq!(scan.file, Some(servers.file("trusted")));
    let keys = scan.keys;
    let algorithms: Vec<&str> = keys.iter().map(|key| key.algorithm.as_str()).collect();
    assert_eq!(algorithms, ["ssh-ed25519", "ssh-rsa"]);
    assert_eq!(keys[0].fingerprint, fingerprint(servers, "host_ed25519"));
    assert!(keys.iter().all(|key| key.verdict == HostKeyMatch::Unknown));
    let lines: Vec<String> = keys.iter().map(|key| key.openssh_line.clone()).collect();
    assert_eq!(known_hosts::append(&servers.file("trusted"), &lines).unwrap(), 2);
    assert_eq!(refusal_of(&target).await, "");
    let again = ssh::scan(&target, timeouts()).await.unwrap();
    assert!(
        again.keys.iter().all(|key| key.verdict == HostKeyMatch::Trusted),
        "{again:?}"
    );
    assert_eq!(
        known_hosts::append(&servers.file("trusted"), &lines).unwrap(),
        0,
        "no line twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_recorded_where_they_are_looked_for() {
    let Some(servers) = servers("keys_are_recorded_where_they_are_looked_for") else {
        return;
    };
    let fresh = servers.file("fresh");
    let text = format!(
        "HostKeyAlias cp-alias\nUserKnownHostsFile {}\nGlobalKnownHostsFile none\n",
        fresh.display()
    );
    let mut target = servers.root();
    target.known_hosts = None;
    target.ssh_config = SshConfig::File(servers.write("config fresh", &text));
    assert!(
        refusal_of(&target)
            .await
            .contains("no key of cp-alias is on record")
    );
    let scan = ssh::scan(&target, timeouts()).await.unwrap();
    assert_eq!(scan.file.as_ref(), Some(&fresh));
    let lines: Vec<String> = scan.keys.iter().map(|key| key.openssh_line.clone()).collect();
    known_hosts::append(&fresh, &lines).unwrap();
    assert_eq!(refusal_of(&target).await, "");

    target.known_hosts = Some(Vec::new());
    let nowhere = ssh::scan(&target, timeouts()).await.unwrap();
    assert_eq!(nowhere.file, None, "no file is read, so none is written");
}

#[test]
fn what_is_no_file_is_not_replaced_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("null");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    let refused = known_hosts::append(&link, &["cp1 key".to_owned()]).unwrap_err();
    assert!(
        refused.to_string().contains("/dev/null is not a file"),
        "{refused}"
    );
}

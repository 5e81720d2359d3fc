//! The same cases by `ssh` and by us: who is let in by OpenSSH is let in here, and who isn't, isn't.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ci_bootstrap::ssh::{self, Agent, SshConfig, SshTarget};

use crate::server::{Servers, eventually, run, servers, timeouts};
use crate::skip;

/// What both come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Refused,
    /// `ssh` accepts it and we don't, on purpose.
    RefusedHere,
}
use Verdict::{Accepted, Refused, RefusedHere};

/// A case: its name, lines of `ssh_config` before those that all have, and the verdict.
type Case<'a> = (&'a str, &'a str, Verdict);

/// Where the agent of the environment listens, unless a case says so.
const NO_AGENT: &str = "no-agent";

/// Runs a case by both against the server at `port` with the agent at `agent`, as though the environment named it.
async fn compare(servers: &Servers, port: u16, agent: &str, (what, lines, verdict): Case<'_>) {
    let common = "UserKnownHostsFile DIR/known_hosts\nGlobalKnownHostsFile DIR/no-such-file\n";
    let text = format!("{lines}\n{common}").replace("DIR", &servers.dir.display().to_string());
    let config = servers.write(&format!("config {what}"), &text);
    let agent = servers.file(agent);
    let output = Command::new("ssh")
        .arg("-F")
        .arg(&config)
        .args([
            "-o",
            "BatchMode=yes",
            "-p",
            &port.to_string(),
            "-l",
            "root",
            "127.0.0.1",
            "true",
        ])
        .env("SSH_AUTH_SOCK", &agent)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.success(),
        verdict != Refused,
        "{what}, by ssh: {said}"
    );

    let mut target = SshTarget::new("cp1", "127.0.0.1");
    (target.port, target.user) = (Some(port), Some("root".to_owned()));
    (target.ssh_config, target.agent) = (SshConfig::File(config), Agent::Socket(agent));
    let said = ssh::connect(&target, timeouts())
        .await
        .err()
        .map(|error| error.to_string());
    assert_eq!(said.is_none(), verdict == Accepted, "{what}, by us: {said:?}");
}

fn public(servers: &Servers, name: &str) -> String {
    servers.read(&format!("{name}.pub"))
}

/// The files that the cases name.
fn host_key_files(servers: &Servers) {
    let (key, port) = (public(servers, "host_ed25519"), servers.outer);
    let name = format!("[127.0.0.1]:{port}");
    servers.write("right", &format!("{name} {key}"));
    servers.write("other", &format!("{name} {}", public(servers, "stranger")));
    servers.write("empty", "");
    servers.write("bad", &format!("@revoked * {key}"));
    servers.write("aliased", &format!("cp-alias {key}"));
    servers.write("aliased-port", &format!("[cp-alias]:{port} {key}"));
    servers.write("revoked", &format!("# lost\n\n{key}"));
    servers.write("revoked-other", &public(servers, "stranger"));
    servers.write("nonsense", &format!("{}nonsense\n", public(servers, "stranger")));
    let file = |name: &str| servers.file(name).display().to_string();
    run(
        "ssh-keygen",
        &["-q", "-k", "-f", &file("krl"), &file("host_ed25519.pub")],
    );
    run(
        "ssh-keygen",
        &["-q", "-k", "-f", &file("krl-other"), &file("stranger.pub")],
    );
}

const HOST_KEYS: [Case<'_>; 20] = [
    ("known", "", Accepted),
    ("unknown", "UserKnownHostsFile DIR/empty", Refused),
    (
        "no file at all",
        "UserKnownHostsFile none\nGlobalKnownHostsFile none",
        Refused,
    ),
    ("changed", "UserKnownHostsFile DIR/other", Refused),
    ("second file", "UserKnownHostsFile DIR/empty DIR/right", Accepted),
    (
        "global file",
        "UserKnownHostsFile none\nGlobalKnownHostsFile DIR/right",
        Accepted,
    ),
    ("marked as revoked", "GlobalKnownHostsFile DIR/bad", Refused),
    ("revoked", "RevokedHostKeys DIR/revoked", Refused),
    ("another revoked", "RevokedHostKeys DIR/revoked-other", Accepted),
    (
        "no file of revoked keys",
        "RevokedHostKeys DIR/no-such-file",
        Refused,
    ),
    ("unreadable revocation", "RevokedHostKeys DIR/nonsense", Refused),
    ("no revocation", "RevokedHostKeys none", Accepted),
    ("revoked by a KRL", "RevokedHostKeys DIR/krl", Refused),
    (
        "another revoked by a KRL",
        "RevokedHostKeys DIR/krl-other",
        RefusedHere,
    ),
    (
        "alias",
        "HostKeyAlias cp-alias\nUserKnownHostsFile DIR/aliased",
        Accepted,
    ),
    (
        "alias in capitals",
        "HostKeyAlias CP-Alias\nUserKnownHostsFile DIR/aliased",
        Accepted,
    ),
    (
        "alias with a port",
        "HostKeyAlias cp-alias\nUserKnownHostsFile DIR/aliased-port",
        Refused,
    ),
    ("address instead of the alias", "HostKeyAlias cp-alias", Refused),
    (
        "not strict",
        "StrictHostKeyChecking no\nUserKnownHostsFile /dev/null",
        RefusedHere,
    ),
    (
        "strict after the first time",
        "StrictHostKeyChecking accept-new\nUserKnownHostsFile /dev/null",
        RefusedHere,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn host_keys_are_judged_alike() {
    let Some(servers) = servers("host_keys_are_judged_alike") else {
        return;
    };
    host_key_files(servers);
    for (what, lines, verdict) in HOST_KEYS {
        let lines = format!("IdentityFile DIR/id\n{lines}");
        compare(servers, servers.outer, NO_AGENT, (what, &lines, verdict)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn host_certificates_are_judged_alike() {
    let Some(servers) = servers("host_certificates_are_judged_alike") else {
        return;
    };
    let authority = public(servers, "ca");
    servers.write("authority", &format!("@cert-authority * {authority}"));
    servers.write("revoked-authority", &authority);
    let cases: [Case<'_>; 4] = [
        ("certificate", "", Accepted),
        ("certificate of the alias", "HostKeyAlias inner.test", Accepted),
        ("certificate of another", "HostKeyAlias outer.test", Refused),
        (
            "revoked authority",
            "RevokedHostKeys DIR/revoked-authority",
            Refused,
        ),
    ];
    for (what, lines, verdict) in cases {
        let lines = format!("IdentityFile DIR/id\nUserKnownHostsFile DIR/authority\n{lines}");
        compare(servers, servers.inner, NO_AGENT, (what, &lines, verdict)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_are_used_alike() {
    let Some(servers) = servers("identities_are_used_alike") else {
        return;
    };
    for (copy, mode) in [("id_open", 0o644), ("id_of_others", 0o644), ("id_group", 0o640)] {
        fs_err::copy(servers.file("id"), servers.file(copy)).unwrap();
        fs_err::set_permissions(servers.file(copy), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    run(
        "chown",
        &["64001", servers.file("id_of_others").to_str().unwrap()],
    );
    let cases: [Case<'_>; 11] = [
        ("key", "IdentityFile DIR/id", Accepted),
        ("key that all can read", "IdentityFile DIR/id_open", Refused),
        ("key that a group can read", "IdentityFile DIR/id_group", Refused),
        ("key of another user", "IdentityFile DIR/id_of_others", Accepted),
        (
            "certificate beside its key",
            "IdentityFile DIR/certified",
            Accepted,
        ),
        (
            "certificate beside an RSA key",
            "IdentityFile DIR/certified_rsa",
            Accepted,
        ),
        ("certificate that has expired", "IdentityFile DIR/ended", Refused),
        ("certificate of another account", "IdentityFile DIR/eves", Refused),
        ("key without its certificate", "IdentityFile DIR/apart", Refused),
        (
            "certificate elsewhere",
            "IdentityFile DIR/apart\nCertificateFile DIR/elsewhere.pub",
            Accepted,
        ),
        (
            "certificate of a host",
            "IdentityFile DIR/apart\nCertificateFile DIR/host_inner-cert.pub",
            Refused,
        ),
    ];
    for case in cases {
        compare(servers, servers.outer, NO_AGENT, case).await;
    }
}

/// An agent that goes with the value.
struct RunningAgent(Child);

impl RunningAgent {
    fn with(servers: &Servers, socket: &str, key: &str) -> Self {
        let socket = servers.file(socket);
        let mut command = Command::new("ssh-agent");
        command.args(["-D", "-a"]).arg(&socket).stdout(Stdio::null());
        let agent = Self(command.spawn().unwrap());
        eventually("the agent listens", || socket.exists());
        add(&socket, &servers.file(key));
        agent
    }
}

fn add(socket: &Path, key: &Path) {
    let mut command = Command::new("ssh-add");
    let added = command.arg("-q").arg(key).env("SSH_AUTH_SOCK", socket).status();
    assert!(added.unwrap().success());
}

impl Drop for RunningAgent {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_asked_alike() {
    let Some(servers) = servers("agents_are_asked_alike") else {
        return;
    };
    let _agents = [
        RunningAgent::with(servers, "agent-plain", "id"),
        RunningAgent::with(servers, "agent-certified", "certified"),
        RunningAgent::with(servers, "agent-rsa", "certified_rsa"),
        RunningAgent::with(servers, "agent-apart", "apart"),
    ];
    let cases: [(&str, Case<'_>); 9] = [
        ("agent-plain", ("key of the agent", "", Accepted)),
        ("agent-plain", ("no agent", "IdentityAgent none", Refused)),
        (
            "agent-plain",
            (
                "agent of the environment",
                "IdentityAgent SSH_AUTH_SOCK",
                Accepted,
            ),
        ),
        (
            NO_AGENT,
            (
                "agent of the configuration",
                "IdentityAgent DIR/agent-plain",
                Accepted,
            ),
        ),
        ("agent-plain", ("only identities", "IdentitiesOnly yes", Refused)),
        ("agent-certified", ("certificate of the agent", "", Accepted)),
        (
            "agent-rsa",
            ("certificate for an RSA key of the agent", "", Accepted),
        ),
        (
            "agent-apart",
            ("key of the agent without its certificate", "", Refused),
        ),
        (
            "agent-apart",
            (
                "certificate for a key of the agent",
                "CertificateFile DIR/elsewhere.pub",
                Accepted,
            ),
        ),
    ];
    for (agent, case) in cases {
        compare(servers, servers.outer, agent, case).await;
    }
}

#[test]
fn the_files_of_known_hosts_are_those_of_openssh() {
    let Ok(output) = Command::new("ssh").args(["-F", "none", "-G", "cp1"]).output() else {
        skip::skipped(
            "the_files_of_known_hosts_are_those_of_openssh",
            "no ssh on this machine",
        );
        return;
    };
    let printed = String::from_utf8(output.stdout).unwrap();
    let of = |key: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let theirs = [of("userknownhostsfile "), of("globalknownhostsfile ")].concat();
    let ours = SshTarget::new("cp1", "cp1").known_hosts();
    assert_eq!(ours.len(), theirs.len(), "{ours:?} {theirs:?}");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        // The home directory may be another one in the environment than in the user's entry.
        let name = theirs
            .split_once("/.ssh/")
            .map_or(theirs.as_str(), |(_, name)| name);
        assert!(ours.ends_with(name), "{ours:?} {theirs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jump_hosts_that_lead_back_are_refused() {
    let Some(servers) = servers("jump_hosts_that_lead_back_are_refused") else {
        return;
    };
    for (name, config, way) in [
        (
            "itself",
            "Host cp1\nProxyJump bastion\nHost bastion\nUser ann\nProxyJump bob@bastion\n",
            // `ssh -G` sees this one itself.
            "jumphost loop via bastion",
        ),
        (
            "circle",
            "Host cp1 b\nProxyJump a\nHost a\nProxyJump b\n",
            "cp1, through a, through b, through a;",
        ),
    ] {
        let mut target = SshTarget::new("cp1", "cp1");
        target.ssh_config = SshConfig::File(servers.write(&format!("config {name}"), config));
        let refused = ssh::connect(&target, timeouts()).await.err().unwrap().to_string();
        assert!(refused.contains(way), "{name}: {refused}");
    }
}

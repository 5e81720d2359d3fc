//! Becoming root.

use std::time::{Duration, Instant};

use ci_bootstrap::ssh::{self, SshTarget, SudoMethod};
use ci_bootstrap::transport::{Script, ScriptEnd, ScriptOutput, Transport, TransportError};

use crate::prepare::PASSWORD;
use crate::server::{Servers, eventually, servers_with_sudo, timeouts};

const LIMIT: Duration = Duration::from_secs(60);

fn account(servers: &Servers, user: &str, sudo: SudoMethod) -> SshTarget {
    let mut target = servers.user(user);
    target.identities = vec![servers.file("id")];
    target.sudo = sudo;
    target
}

async fn whoami(target: &SshTarget) -> Result<ScriptOutput, TransportError> {
    let host = ssh::connect(target, timeouts()).await?;
    host.exec(Script::new("id -un; cat; echo err >&2; exit 7", LIMIT))
        .await
}

async fn assert_root(target: &SshTarget) {
    let output = whoami(target).await.unwrap();
    let expected = ScriptOutput {
        ended: ScriptEnd::Exited(7),
        stdout: b"root\n".to_vec(),
        stderr: b"err\n".to_vec(),
    };
    assert_eq!(output, expected);
}

async fn refusal(target: &SshTarget) -> String {
    let start = Instant::now();
    let error = whoami(target).await.unwrap_err();
    assert!(start.elapsed() < LIMIT, "it must not wait for the time-out");
    assert!(matches!(error, TransportError::Login { .. }), "{error:?}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_password() {
    let Some(servers) = servers_with_sudo("without_a_password") else {
        return;
    };
    // bob's .bashrc prints on both outputs: none of it may appear.
    assert_root(&account(servers, "bob", SudoMethod::Passwordless)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_right_password() {
    let Some(servers) = servers_with_sudo("with_the_right_password") else {
        return;
    };
    assert_root(&account(servers, "ann", SudoMethod::Password(PASSWORD.into()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_password_that_is_not_asked_for() {
    let Some(servers) = servers_with_sudo("with_a_password_that_is_not_asked_for") else {
        return;
    };
    assert_root(&account(servers, "bob", SudoMethod::Password(PASSWORD.into()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sudo_started_ends_when_it_is_given_up() {
    let Some(servers) = servers_with_sudo("what_sudo_started_ends_when_it_is_given_up") else {
        return;
    };
    for (user, sudo) in [
        ("bob", SudoMethod::Passwordless),
        ("ann", SudoMethod::Password(PASSWORD.into())),
    ] {
        let host = ssh::connect(&account(servers, user, sudo), timeouts())
            .await
            .unwrap();
        let file = servers.file(&format!("given-up-{user}"));
        let script = format!("echo $$ >{}; sleep 1000", file.display());
        let running = host.exec(Script::new(script, LIMIT));
        let pid = move || {
            fs_err::read_to_string(&file)
                .ok()
                .filter(|text| text.ends_with('\n'))
        };
        let started = tokio::task::spawn_blocking(move || {
            eventually("the command runs", || pid().is_some());
            pid().unwrap()
        });
        let pid = tokio::select! {
            ended = running => unreachable!("it can't have ended: {ended:?}"),
            pid = started => pid.unwrap(),
        };
        let process = std::path::Path::new("/proc").join(pid.trim());
        eventually("the command is gone", || !process.exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_wrong_password() {
    let Some(servers) = servers_with_sudo("with_the_wrong_password") else {
        return;
    };
    let text = refusal(&account(
        servers,
        "ann",
        SudoMethod::Password("battery staple".into()),
    ))
    .await;
    assert!(
        text.contains("cannot log in to cp1 as ann: sudo refuses the password"),
        "{text}"
    );
    assert!(
        !text.contains("battery") && !text.contains("id -un"),
        "neither secret nor script: {text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_needed_password_is_missing() {
    let Some(servers) = servers_with_sudo("a_needed_password_is_missing") else {
        return;
    };
    let text = refusal(&account(servers, "ann", SudoMethod::Passwordless)).await;
    assert!(
        text.contains("give one in the inventory, or allow NOPASSWD"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn not_in_the_sudoers() {
    let Some(servers) = servers_with_sudo("not_in_the_sudoers") else {
        return;
    };
    let text = refusal(&account(servers, "eve", SudoMethod::Password(PASSWORD.into()))).await;
    assert!(
        text.contains("the user may not use sudo; add it to the sudoers"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sudo_that_wants_a_terminal() {
    let Some(servers) = servers_with_sudo("sudo_that_wants_a_terminal") else {
        return;
    };
    let text = refusal(&account(servers, "tty", SudoMethod::Passwordless)).await;
    assert!(text.contains("remove `requiretty`"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_a_shell() {
    let Some(servers) = servers_with_sudo("a_login_without_a_shell") else {
        return;
    };
    let text = refusal(&account(servers, "out", SudoMethod::None)).await;
    assert!(text.contains("its login shell is nologin"), "{text}");
}

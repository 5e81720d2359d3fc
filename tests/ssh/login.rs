//! Who gets in, and what is said to who doesn't.

use std::time::Duration;

use ci_bootstrap::ssh::{self, Agent, SshConfig, SshHost, SshTarget};
use ci_bootstrap::transport::{Script, Transport, TransportError};

use crate::prepare::{PASSPHRASE, PASSWORD};
use crate::server::{Servers, run, servers, timeouts};

async fn user_of(target: &SshTarget) -> Result<String, TransportError> {
    let host: SshHost = ssh::connect(target, timeouts()).await?;
    let output = host.exec(Script::new("id -un", Duration::from_secs(60))).await?;
    Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

async fn refusal(target: &SshTarget) -> String {
    let error = user_of(target).await.unwrap_err();
    assert!(matches!(error, TransportError::Login { .. }), "{error:?}");
    error.to_string()
}

fn with_identity(servers: &Servers, name: &str) -> SshTarget {
    let mut target = servers.root();
    target.identities = vec![servers.file(name)];
    target
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_both_kinds() {
    let Some(servers) = servers("keys_of_both_kinds") else {
        return;
    };
    assert_eq!(user_of(&with_identity(servers, "id")).await.unwrap(), "root");
    assert_eq!(user_of(&with_identity(servers, "id_rsa")).await.unwrap(), "root");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_key_needs_its_passphrase() {
    let Some(servers) = servers("an_encrypted_key_needs_its_passphrase") else {
        return;
    };
    let mut target = with_identity(servers, "id_locked");
    let missing = refusal(&target).await;
    assert!(
        missing.contains("id_locked is encrypted: give its passphrase"),
        "{missing}"
    );
    target.passphrase = Some("wrong".into());
    let wrong = refusal(&target).await;
    assert!(
        wrong.contains("id_locked is not opened by the passphrase"),
        "{wrong}"
    );
    target.passphrase = Some(PASSPHRASE.into());
    assert_eq!(user_of(&target).await.unwrap(), "root");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_named_with_what_would_be_accepted() {
    let Some(servers) = servers("a_refused_key_is_named_with_what_would_be_accepted") else {
        return;
    };
    let text = refusal(&with_identity(servers, "stranger")).await;
    assert!(text.starts_with("cannot log in to cp1 as root: key "), "{text}");
    assert!(text.contains("stranger (ssh-ed25519 SHA256:"), "{text}");
    assert!(
        text.contains("refused. The server accepts: publickey, password"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_file_is_named() {
    let Some(servers) = servers("a_missing_key_file_is_named") else {
        return;
    };
    let text = refusal(&with_identity(servers, "nowhere")).await;
    assert!(
        text.contains("nowhere can't be read as a private key: No such file"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_keys_are_offered_than_a_server_bears() {
    let Some(servers) = servers("no_more_keys_are_offered_than_a_server_bears") else {
        return;
    };
    let mut target = servers.user("ann");
    for index in 0..7 {
        let path = servers.file(&format!("many{index}"));
        run(
            "ssh-keygen",
            &["-q", "-t", "ed25519", "-N", "", "-f", path.to_str().unwrap()],
        );
        target.identities.push(path);
    }
    let text = refusal(&target).await;
    assert!(
        text.contains("many5") && text.contains("not offered, 5 keys were refused already"),
        "{text}"
    );
    assert!(text.contains("The server accepts"), "it has not hung up: {text}");
    target.password = Some(PASSWORD.into());
    assert_eq!(
        user_of(&target).await.unwrap(),
        "ann",
        "a try is left for the password"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_up_is_not_taken_for_one_that_refuses() {
    let Some(servers) = servers("a_server_that_hangs_up_is_not_taken_for_one_that_refuses") else {
        return;
    };
    let mut target = servers.root();
    target.port = Some(servers.inner);
    let known = format!("[127.0.0.1]:{} {}", servers.inner, servers.read("host_inner.pub"));
    target.known_hosts = Some(vec![servers.write("known_inner", &known)]);
    // The server bears two tries, so that the right key comes too late.
    target.identities.clear();
    for name in ["late1", "late2"] {
        let path = servers.file(name);
        run(
            "ssh-keygen",
            &["-q", "-t", "ed25519", "-N", "", "-f", path.to_str().unwrap()],
        );
        target.identities.push(path);
    }
    target.identities.push(servers.file("id"));
    let text = refusal(&target).await;
    assert!(
        text.contains("then the server closed the connection (the server said: Too many"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords() {
    let Some(servers) = servers("passwords") else {
        return;
    };
    let mut target = servers.user("eve");
    target.password = Some(PASSWORD.into());
    assert_eq!(user_of(&target).await.unwrap(), "eve");
    target.password = Some("wrong".into());
    let text = refusal(&target).await;
    assert!(text.contains("as eve: password: refused"), "{text}");
    assert!(!text.contains("wrong"), "secrets stay out of messages: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keyboard_interactive_passwords() {
    let Some(servers) = servers("keyboard_interactive_passwords") else {
        return;
    };
    let mut target = servers.user("kim");
    target.password = Some(PASSWORD.into());
    assert_eq!(user_of(&target).await.unwrap(), "kim");
    target.password = Some("wrong".into());
    let text = refusal(&target).await;
    assert!(text.contains("keyboard-interactive"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_an_agent() {
    let Some(servers) = servers("keys_of_an_agent") else {
        return;
    };
    let socket = servers.file("agent");
    let mut agent = std::process::Command::new("ssh-agent")
        .args(["-D", "-a"])
        .arg(&socket)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    crate::server::eventually("the agent listens", || socket.exists());
    let mut target = servers.root();
    target.identities.clear();
    target.agent = Agent::Socket(socket.clone());
    let text = refusal(&target).await;
    assert!(text.contains("agent: it has no key to offer"), "{text}");
    for key in ["id", "id_rsa"] {
        let add = std::process::Command::new("ssh-add")
            .arg("-q")
            .arg(servers.file(key))
            .env("SSH_AUTH_SOCK", &socket)
            .status();
        assert!(add.unwrap().success());
        // An encrypted key without its passphrase is no obstacle if the agent has another.
        target.identities = vec![servers.file("id_locked")];
        assert_eq!(user_of(&target).await.unwrap(), "root", "with {key} in the agent");
        run_with_agent(&["-q", "-D"], &socket);
    }
    agent.kill().unwrap();
    agent.wait().unwrap();
    let text = refusal(&target).await;
    assert!(text.contains("/agent: "), "names the socket: {text}");
}

fn run_with_agent(arguments: &[&str], socket: &std::path::Path) {
    let status = std::process::Command::new("ssh-add")
        .args(arguments)
        .env("SSH_AUTH_SOCK", socket)
        .status();
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_log_in_with() {
    let Some(servers) = servers("nothing_to_log_in_with") else {
        return;
    };
    let text = refusal(&servers.user("ann")).await;
    assert!(text.contains("nothing to log in with"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_ssh_config() {
    let Some(servers) = servers("settings_of_ssh_config") else {
        return;
    };
    // `ssh -G` reads the configuration of who runs the tests; a plain address is enough to see that it is asked.
    let mut target = servers.root();
    target.ssh_config = SshConfig::Default;
    assert_eq!(user_of(&target).await.unwrap(), "root");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_ends_in_the_time_out() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut target = SshTarget::new("mute", "127.0.0.1");
    target.port = Some(listener.local_addr().unwrap().port());
    let limit = ssh::Timeouts {
        connect: Duration::from_millis(300),
        ..ssh::Timeouts::default()
    };
    let start = std::time::Instant::now();
    let error = ssh::connect(&target, limit).await.err().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
    let text = error.to_string();
    assert!(text.starts_with("cannot reach mute (127.0.0.1:"), "{text}");
    assert!(text.contains("no SSH handshake was done within 300ms"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port() {
    let mut target = SshTarget::new("down", "127.0.0.1");
    target.port = Some(crate::server::free_port());
    let error = ssh::connect(&target, timeouts()).await.err().unwrap();
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booting_host_is_waited_for() {
    let Some(servers) = servers("a_booting_host_is_waited_for") else {
        return;
    };
    let mut target = servers.user("boot");
    target.identities = vec![servers.file("id")];
    let soon = ssh::Timeouts {
        boot: Duration::from_secs(1),
        ..timeouts()
    };
    let gave_up = ssh::connect(&target, soon).await.err().unwrap().to_string();
    assert!(gave_up.contains("System is booting up"), "{gave_up}");

    let allowed = servers.read("authorized_keys");
    let booted = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        servers.write("keys_after_boot", &allowed);
    };
    let (user, ()) = tokio::join!(user_of(&target), booted);
    assert_eq!(user.unwrap(), "boot");
}

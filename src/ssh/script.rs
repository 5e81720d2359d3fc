//! The text that is sent to a host: a script, wrapped so that nothing of it can go wrong half-way.

use std::fmt::Write as _;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::target::SudoMethod;

/// Printed on both outputs when the script's shell has started. What came before is the login's noise: a
/// `.bashrc` that talks, sudo's lecture and prompts.
pub(super) const READY: &[u8] = b"\nci-bootstrap: ready\n";
/// sudo's question for the password.
pub(super) const PROMPT: &[u8] = b"ci-bootstrap: password";

/// Shell text that prints [`READY`]; it works in single quotes.
const ANNOUNCE: &str = r#"printf "\n%s\n" "ci-bootstrap: ready"; printf "\n%s\n" "ci-bootstrap: ready" >&2"#;
/// What every script can rely on, whatever the host's settings.
const ENVIRONMENT: &str =
    "export LC_ALL=C PATH=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH\"";

/// What is written to a running script's standard input every so often.
pub(super) const SIGN_OF_LIFE: &str = "\n";
/// How often. A busy line may hold it up for long.
pub(super) const PULSE: Duration = Duration::from_secs(10);
/// How long a script goes on without one.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to run on a host and what to write to its standard input.
pub(super) struct RemoteScript {
    /// The command; the login shell may be any, so it is plain words and single quotes.
    pub(super) command: String,
    /// Written at once.
    pub(super) first: String,
    /// Written when the shell is [`READY`]: sudo must not take a line of the script for a password.
    pub(super) when_ready: Option<String>,
}

impl RemoteScript {
    /// How to run `text` as root.
    pub(super) fn new(sudo: &SudoMethod, text: &str) -> Self {
        match sudo {
            SudoMethod::None => Self::plain("exec sh -s", text),
            SudoMethod::Passwordless => Self::plain("exec env LC_ALL=C sudo -n sh -s", text),
            // If sudo does not ask, the password is skipped by the loop instead of being run as a command.
            SudoMethod::Password(password) => Self {
                command: format!(
                    "exec env LC_ALL=C sudo -S -p '{}' sh -c '{ANNOUNCE}; \
                     while IFS= read -r line; do [ \"$line\" = go ] && exec sh -s; done'",
                    String::from_utf8_lossy(PROMPT)
                ),
                first: format!("{}\n", password.expose_secret()),
                when_ready: Some(format!("go\n{text}")),
            },
        }
    }

    fn plain(command: &str, text: &str) -> Self {
        Self {
            command: command.to_owned(),
            first: format!("{ANNOUNCE}\n{text}"),
            when_ready: None,
        }
    }
}

/// A script that runs to its end.
///
/// Being one group, it is parsed as a whole before anything runs: of a text that arrives in part, nothing does.
/// A watcher waits for the end of standard input, which comes when we send it (after a time-out) or vanish, and
/// then ends the process group. sshd itself would leave the command running. Where nobody tells sshd that we are gone, as when a
/// network fails, the watcher misses our [`SIGN_OF_LIFE`]; sshd would wait for hours.
pub(super) fn to_run(script: &str) -> String {
    watched(script, PATIENCE)
}

fn watched(script: &str, patience: Duration) -> String {
    let mut text = String::with_capacity(script.len() + 512);
    text.push_str("{ exec 3<&0 </dev/null\n");
    let seconds = patience.as_secs();
    let _ = write!(
        text,
        "( while timeout {seconds} sh -c 'read -r _' <&3; do :; done; trap '' TERM; kill -TERM 0; sleep 5; kill -KILL 0 )"
    );
    text.push_str(" >/dev/null 2>&1 &\n");
    let _ = write!(text, "lease=$!\n( exec 3<&-\n{ENVIRONMENT}\n{script}\n)\n");
    // Quiet, because some shells report the watcher's death.
    text.push_str("status=$?; exec 2>/dev/null; kill \"$lease\"; exit \"$status\"\n}\n");
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use std::io::Write as _;
    use std::process::{Command, Output, Stdio};

    use super::*;

    /// Feeds `text` to a shell whose standard input then stays open until it ends, as over SSH.
    fn feed(shell: &[&str], text: &[u8], dir: &std::path::Path) -> Output {
        let mut child = Command::new("setsid")
            .args(["--wait"])
            .args(shell)
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(text).unwrap();
        if !text.ends_with(b"}\n") {
            drop(stdin);
            return child.wait_with_output().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        output
    }

    fn shells() -> Vec<Vec<&'static str>> {
        let all = [
            vec!["dash", "-s"],
            vec!["bash", "--posix", "-s"],
            vec!["busybox", "sh", "-s"],
        ];
        let exists = |shell: &Vec<&str>| {
            Command::new("sh")
                .args(["-c", &format!("command -v {}", shell[0])])
                .output()
                .unwrap()
                .status
                .success()
        };
        all.into_iter().filter(exists).collect()
    }

    #[test]
    fn a_script_ends_by_itself_with_its_status_and_only_its_output() {
        let dir = tempfile::tempdir().unwrap();
        let text = to_run("cat; echo out; echo err >&2; exit 9");
        for shell in shells() {
            let output = feed(&shell, text.as_bytes(), dir.path());
            assert_eq!(output.status.code(), Some(9), "{shell:?}");
            assert_eq!(output.stdout, b"out\n", "{shell:?}");
            assert_eq!(
                output.stderr,
                b"err\n",
                "{shell:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }

    #[test]
    fn a_script_of_somebody_silent_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let text = watched("sleep 1000; : >ran", Duration::from_secs(1));
        for shell in shells() {
            let output = feed(&shell, text.as_bytes(), dir.path());
            assert!(!output.status.success(), "{shell:?}: {output:?}");
            assert!(!dir.path().join("ran").exists(), "{shell:?}");
        }
    }

    #[test]
    fn of_a_text_cut_anywhere_nothing_runs() {
        let dir = tempfile::tempdir().unwrap();
        let text = to_run(": >ran\ncat <<'END'\n}\nEND\n: >ran");
        let whole = text.trim_end().len();
        for shell in shells() {
            for cut in (0..whole).step_by(3).chain([whole - 1]) {
                feed(&shell, &text.as_bytes()[..cut], dir.path());
                assert!(
                    !dir.path().join("ran").exists(),
                    "{shell:?} ran a text cut at {cut}: {}",
                    &text[..cut]
                );
            }
        }
    }

    #[test]
    fn the_password_is_neither_in_the_command_nor_before_the_script() {
        let remote = RemoteScript::new(&SudoMethod::Password("pass word".into()), "echo\n");
        assert_eq!(remote.first, "pass word\n");
        assert!(!remote.command.contains("pass word"));
        assert_eq!(remote.when_ready.as_deref(), Some("go\necho\n"));
    }

    #[test]
    fn what_announces_is_what_is_waited_for() {
        let output = Command::new("sh").args(["-c", ANNOUNCE]).output().unwrap();
        assert_eq!(output.stdout, READY);
        assert_eq!(output.stderr, READY);
    }
}

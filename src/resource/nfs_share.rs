//! Whether a node can use the share: mounted, written and read once, before anything depends on it.

use std::time::Duration;

use serde::Deserialize;

use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};

/// Where a node notes which share it has used. A note that is lost or out of date costs one more try.
const NOTE: &str = "/var/lib/ci-bootstrap/nfs-share";

/// A share that this node must be able to use. What each node writes is read by the next one that tries.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NfsShare {
    /// `server:path`.
    pub source: String,
    /// Options of nfs(5).
    pub options: Vec<String>,
    /// The node's name.
    pub node: String,
}

impl NfsShare {
    fn note(&self) -> String {
        format!("{} {}\n", self.source, self.options.join(","))
    }

    /// The user's options, those with which a server that does not answer is an error instead of a wait, and those with which nothing
    /// in the share is more than a file.
    fn options(&self) -> String {
        let ours = [
            "soft",
            "timeo=100",
            "retrans=2",
            "retry=0",
            "nodev",
            "nosuid",
            "noexec",
        ]
        .map(str::to_owned);
        [&self.options[..], &ours].concat().join(",")
    }

    fn server(&self) -> &str {
        self.source.rsplit_once(":/").map_or("", |(server, _)| server)
    }
}

impl Resource for NfsShare {
    fn probe(&self, ask: &mut Probe) {
        ask.content(NOTE);
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let lines = match seen.content(NOTE) {
            Some(note) if note == self.note() => vec![],
            _ => vec![format!("+mount, write, read, unmount {}", self.source)],
        };
        Ok(Comparison::from_lines(
            format!("try the share {}", self.source),
            lines,
        ))
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
        let head = format!(
            "source={}\nserver={}\noptions={}\nnode={}\n",
            sh::quote(&self.source),
            sh::quote(self.server().trim_matches(['[', ']'])),
            sh::quote(&self.options()),
            sh::quote(&self.node),
        );
        let note = sh::write_file_and_directory(NOTE, &self.note(), "0644", "root:root");
        let script = format!("{head}{MOUNT}{USE}leave; trap - EXIT\n{note}");
        Action::quick(script).within(Duration::from_secs(480))
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Packages]
    }
}

/// Mounts the share, until the end of the script.
const MOUNT: &str = include_str!("../../scripts/nfs-share-mount.sh");

/// Reads what another node wrote last, writes, and reads that back. Who may write into the share may have put a link, a pipe or a device
/// in the file's place: nothing is opened through a link, what is written is a new file, and what is read is never shown.
const USE: &str = include_str!("../../scripts/nfs-share-use.sh");

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn share() -> NfsShare {
        NfsShare {
            source: "nas:/srv/ci".into(),
            options: vec!["nfsvers=4.1".into(), "hard".into()],
            node: "w1".into(),
        }
    }

    #[test]
    fn a_node_tries_a_share_once() {
        let seen = |note: &str| HostState::example(&format!("\x1econtent {NOTE}\n{note}\x1eend\n"));
        assert_eq!(
            share().compare(&seen("nas:/srv/ci nfsvers=4.1,hard\n")),
            Ok(Comparison::InSync)
        );
        assert!(matches!(
            share().compare(&seen("nas:/old nfsvers=4.1,hard\n")),
            Ok(Comparison::Differs(_))
        ));
        assert!(matches!(
            share().compare(&HostState::default()),
            Ok(Comparison::Differs(_))
        ));
    }

    #[test]
    fn the_server_is_named_without_the_path() {
        assert_eq!(share().server(), "nas");
        let address = NfsShare {
            source: "[fd00::1]:/srv".into(),
            ..share()
        };
        assert_eq!(address.server(), "[fd00::1]");
    }

    #[test]
    fn the_try_is_valid_shell() {
        let script = share()
            .action(&HostState::default(), &ActionInput::default())
            .script;
        assert!(sh::is_valid(&script), "{script}");
    }

    /// Uses a directory as node w1 would use the share; says whether that worked, and what was printed.
    fn used(directory: &std::path::Path) -> (bool, String) {
        let head = format!(
            "set -eu\ndir={}\nsource=nas:/srv/ci\nnode=w1\n",
            directory.display()
        );
        let output = std::process::Command::new("sh")
            .args(["-c", &format!("{head}{USE}")])
            .output();
        let output = output.unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }

    #[test]
    fn a_share_is_written_and_read_by_one_node_after_another() {
        let share = tempfile::tempdir().unwrap();
        let file = share.path().join(".ci-bootstrap-check");
        assert_eq!(used(share.path()), (true, String::new()));
        fs_err::write(&file, "ci-bootstrap on w2 wrote this\n").unwrap();
        assert_eq!(used(share.path()), (true, String::new()));
        assert_eq!(
            fs_err::read_to_string(&file).unwrap(),
            "ci-bootstrap on w1 wrote this\n"
        );
        let left: Vec<_> = fs_err::read_dir(share.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn what_others_put_into_the_share_is_neither_followed_nor_shown() {
        use std::os::unix::fs::symlink;
        let (share, host) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (file, secret) = (
            share.path().join(".ci-bootstrap-check"),
            host.path().join("secret"),
        );
        fs_err::write(&secret, "hunter2\n").unwrap();
        // Where the last version wrote.
        symlink(&secret, share.path().join(".ci-bootstrap-check.w1")).unwrap();
        assert_eq!(used(share.path()), (true, String::new()));
        fs_err::write(&secret, "ci-bootstrap on w2, hunter2\n").unwrap();
        for planted in ["link", "pipe", "text"] {
            fs_err::remove_file(&file).unwrap();
            match planted {
                "link" => symlink(&secret, &file).unwrap(),
                "pipe" => assert!(
                    std::process::Command::new("mkfifo")
                        .arg(&file)
                        .status()
                        .unwrap()
                        .success()
                ),
                _ => fs_err::write(&file, "\u{1b}[2Jhunter2\n").unwrap(),
            }
            let (worked, said) = used(share.path());
            assert!(
                !worked && said.contains(".ci-bootstrap-check"),
                "{planted}: {said}"
            );
            assert!(!said.contains("hunter2"), "{planted}: {said}");
        }
        assert_eq!(
            fs_err::read_to_string(&secret).unwrap(),
            "ci-bootstrap on w2, hunter2\n"
        );
    }
}

//! Listens to what everybody on a host can read, and knows a secret when it sees one.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks at all processes.
const PERIOD: Duration = Duration::from_millis(40);
/// How PEM and base64 of PEM show that a private key follows.
const KEYS: [&str; 4] = [
    "PRIVATE KEY",
    "LS0tLS1CRUdJTiBSU0EgUFJJVkFUR",
    "LS0tLS1CRUdJTiBFQyBQUklWQVRF",
    "LS0tLS1CRUdJTiBQUklWQVRF",
];

/// Collects the command lines of a lab's processes until it is asked for them.
pub(crate) struct Eavesdropper {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<String>>,
}

impl Eavesdropper {
    /// Begins to listen to the hosts of a lab: their processes are this machine's too, in cgroups named after the lab.
    pub(crate) fn on(lab: &str) -> Self {
        let (stop, mark) = (Arc::new(AtomicBool::new(false)), format!("/cilab-{lab}-"));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut heard = BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) {
                listen(&mark, &mut heard);
                std::thread::sleep(PERIOD);
            }
            heard
        });
        Self { stop, thread }
    }

    /// Every command line that was seen.
    pub(crate) fn heard(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn listen(mark: &str, heard: &mut BTreeSet<String>) {
    for process in fs_err::read_dir("/proc").unwrap().filter_map(Result::ok) {
        // A process may be gone before it is read.
        let Ok(words) = fs_err::read(process.path().join("cmdline")) else {
            continue;
        };
        let line = String::from_utf8_lossy(&words).replace('\0', " ");
        let ours =
            || fs_err::read_to_string(process.path().join("cgroup")).is_ok_and(|group| group.contains(mark));
        if !line.is_empty() && !heard.contains(&line) && ours() {
            heard.insert(line);
        }
    }
}

/// The first line that shows a bootstrap token or a private key.
pub(crate) fn secret_in(text: &str) -> Option<&str> {
    text.lines().find(|line| {
        KEYS.iter().any(|key| line.contains(key))
            || line.split(|c: char| !is_token(c)).any(is_bootstrap_token)
    })
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

fn is_bootstrap_token(word: &str) -> bool {
    let plain = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    word.split_once('.')
        .is_some_and(|(id, secret)| id.len() == 6 && secret.len() == 16 && plain(id) && plain(secret))
}

#[test]
fn a_secret_is_known_when_it_is_seen() {
    assert_eq!(
        secret_in("fine\n token: \"abcdef.0123456789abcdef\""),
        Some(" token: \"abcdef.0123456789abcdef\"")
    );
    assert_eq!(
        secret_in("-----BEGIN RSA PRIVATE KEY-----"),
        Some("-----BEGIN RSA PRIVATE KEY-----")
    );
    assert_eq!(
        secret_in("/usr/lib/systemd/system.slice containerd.sock calico.org 10.244.0.0/16"),
        None
    );
}

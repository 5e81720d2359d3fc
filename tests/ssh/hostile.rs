//! A host that somebody else is root on: it has the right key, and says what it likes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::{Servers, servers};

/// What the host does with every script that it is sent: the first argument of [`SCRIPT`].
pub(crate) const KINDS: [&str; 5] = ["line", "volume", "escapes", "records", "silence"];

/// Announces a shell as ours does, and then goes its own way.
pub(crate) const SCRIPT: &str = r#"ready() { printf '\nci-bootstrap: ready\n'; printf '\nci-bootstrap: ready\n' >&2; }
case $1 in
  line) ready; head -c 268435456 /dev/zero | tr '\0' x ;;
  volume) ready; yes 'a line of a log' | head -c 268435456 ;;
  escapes) printf '\033[2J\007'; ready; printf '\033]0;PWNED\007\033[2J\302\2332J\n'; printf '\033]0;PWNED\007' >&2; exit 7 ;;
  records) ready; printf '\036units\nId=\n\n\036\n\036end\n\035begin 99999\n\035end 99999 0\n\036os\n\377\376\0\n\036end\n' ;;
  silence) exit 0 ;;
esac
"#;

/// Far above what the program needs, and below what it is sent.
const MEMORY: u64 = 200 << 10;
/// Nobody waits longer, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// The program's end and output, and the most memory in KiB that it was seen with.
fn plan(servers: &Servers, kind: &str) -> (Option<i32>, String, u64) {
    let inventory = servers.write(&format!("hostile_{kind}.yaml"), &inventory(servers, kind));
    let output = servers.file(&format!("hostile_{kind}.out"));
    let file = fs_err::File::create(&output).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_ci-bootstrap"))
        .args(["plan", inventory.to_str().unwrap()])
        .env("XDG_STATE_HOME", &servers.dir)
        .stdin(Stdio::null())
        .stdout(file.file().try_clone().unwrap())
        .stderr(file.file().try_clone().unwrap())
        .spawn()
        .unwrap();
    let (began, mut peak) = (Instant::now(), 0);
    let ended = loop {
        peak = memory(program.id()).max(peak);
        if let Some(status) = program.try_wait().unwrap() {
            break status.code();
        }
        if began.elapsed() > PATIENCE {
            program.kill().unwrap();
            program.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    (
        ended,
        String::from_utf8_lossy(&fs_err::read(output).unwrap()).into_owned(),
        peak,
    )
}

fn inventory(servers: &Servers, kind: &str) -> String {
    let dir = servers.dir.display();
    format!(
        "apiVersion: ci-bootstrap/v1\ncluster: {{ name: ci, kubernetes: 1.36.4 }}\n\
         ssh: {{ user: root, port: {}, agent: false, identities: [{dir}/hostile_{kind}], knownHosts: [{dir}/known_hosts] }}\n\
         hosts:\n  - {{ name: cp1, address: 192.0.2.1, sshAddress: 127.0.0.1, roles: [control-plane] }}\n",
        servers.outer
    )
}

/// `VmHWM` of proc(5), in KiB; 0 when the process has ended.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status"));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[test]
fn a_hostile_host_neither_hangs_nor_fills_nor_steers() {
    let Some(servers) = servers("a_hostile_host_neither_hangs_nor_fills_nor_steers") else {
        return;
    };
    for kind in KINDS {
        let (ended, said, peak) = plan(servers, kind);
        assert!(
            ended.is_some_and(|code| code != 0 && code != 101),
            "{kind}: ended with {ended:?}: {said}"
        );
        assert!(said.contains("cp1"), "{kind}: it doesn't say which host: {said}");
        assert!(said.len() < 64 << 10, "{kind}: {} bytes were shown", said.len());
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!said.contains(steers), "{kind}: {said:?}");
        assert!((1..MEMORY).contains(&peak), "{kind}: {peak} KiB");
    }
}

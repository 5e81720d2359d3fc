//! Real sshd's on loopback, one set for all tests of this binary.
//!
//! `outer` is where most tests log in. `inner` has other host keys and a host certificate; its name `inner.test`
//! is known to `outer` only, so that who reaches it by name went through `outer`.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use ci_bootstrap::ssh::{SshTarget, Timeouts};

use crate::prepare;
use crate::skip;

static SERVERS: LazyLock<Result<Servers, String>> = LazyLock::new(Servers::start);

pub(crate) struct Servers {
    pub(crate) dir: PathBuf,
    pub(crate) outer: u16,
    pub(crate) inner: u16,
    /// Its standard input is what keeps the servers running; it closes when this process ends.
    _keeper: Child,
}

/// The servers; where they can't run, says why and gives nothing.
pub(crate) fn servers(test: &str) -> Option<&'static Servers> {
    match &*SERVERS {
        Ok(servers) => Some(servers),
        Err(reason) => {
            skip::skipped(test, reason);
            None
        }
    }
}

/// The servers for tests of sudo, which few machines lack.
pub(crate) fn servers_with_sudo(test: &str) -> Option<&'static Servers> {
    if is_installed("sudo") {
        return servers(test);
    }
    skip::skipped(test, "no sudo on this machine");
    None
}

fn is_installed(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$1\" >/dev/null", "sh", program])
        .status();
    found.is_ok_and(|status| status.success())
}

impl Servers {
    fn start() -> Result<Self, String> {
        for program in ["sshd", "ssh", "ssh-keygen", "ssh-agent", "unshare"] {
            if !is_installed(program) {
                return Err(format!("no {program} on this machine"));
            }
        }
        if !Command::new("unshare")
            .args(["--mount", "true"])
            .status()
            .is_ok_and(|status| status.success())
        {
            return Err("a mount namespace can't be made (not root?)".to_owned());
        }
        let dir = tempfile::Builder::new()
            .prefix("ci-bootstrap-sshd-")
            .tempdir()
            .unwrap()
            .keep();
        let (outer, inner) = (free_port(), free_port());
        prepare::files(&dir, outer, inner);
        let keeper = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ssh/server.sh"))
            .arg(&dir)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let servers = Self {
            dir,
            outer,
            inner,
            _keeper: keeper,
        };
        for port in [outer, inner] {
            wait_for_port(port);
        }
        Ok(servers)
    }

    /// Root on `outer` with the plain key and its host keys on record.
    pub(crate) fn root(&self) -> SshTarget {
        let mut target = SshTarget::new("cp1", "127.0.0.1");
        target.port = Some(self.outer);
        target.identities = vec![self.dir.join("id")];
        target.known_hosts = Some(vec![self.dir.join("known_hosts")]);
        target
    }

    /// Another account on `outer`, with nothing to log in with yet.
    pub(crate) fn user(&self, name: &str) -> SshTarget {
        let mut target = self.root();
        target.user = Some(name.to_owned());
        target.identities.clear();
        target
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A file in the folder with this text.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.file(name);
        fs_err::write(&file, text).unwrap();
        file
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.file(name)).unwrap()
    }
}

/// Short enough for tests that wait for them.
pub(crate) fn timeouts() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(30),
        keepalive: Duration::from_secs(5),
        boot: Duration::from_secs(30),
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Polls until `done`, at most twenty seconds.
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "never happened: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn wait_for_port(port: u16) {
    eventually("sshd listens", || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    });
}

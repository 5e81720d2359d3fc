//! Real hosts for a test: a lab of its own (see tests/lab/README.md), the program run against it, and a shell on each host.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a lab that doesn't do what it is told is a failed test"
)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

#[path = "skip.rs"]
pub(crate) mod skip;

use skip::skipped;

/// Longest run of the program, in seconds. From bare hosts to a cluster takes about a minute on an idle machine.
const RUN_LIMIT: &str = "600";
/// Longest command on a host or of the lab, in seconds.
const COMMAND_LIMIT: &str = "420";
/// How a host's shell reaches the API server.
const KUBECTL: &str =
    "kubectl --cache-dir /dev/null --kubeconfig /etc/kubernetes/admin.conf --request-timeout=30s";

/// A lab that is up; it is taken down at the end, unless `KEEP_LAB` is set.
pub(crate) struct Lab {
    name: String,
    control_planes: usize,
    directory: tempfile::TempDir,
}

/// What a run of the program came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What it said line by line, when `--json` was given.
    pub(crate) events: Vec<Value>,
}

impl Lab {
    /// Bare hosts: `control_planes` named cp1, cp2 …, the others w1, w2 …. None where this machine can't host a lab; the
    /// reason is on standard error.
    pub(crate) fn up(test: &str, control_planes: usize, hosts: usize) -> Option<Self> {
        // One name for each test of each working copy: what a killed test left is found again, and others are not disturbed.
        let copy = env!("CARGO_MANIFEST_DIR")
            .bytes()
            .fold(0_u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let lab = Self {
            name: format!("{test}-{copy:04x}"),
            control_planes,
            directory: tempfile::tempdir().unwrap(),
        };
        let output = lab.command(&["doctor"]);
        if !output.status.success() {
            skipped(test, &format!("this machine can't host a lab: {}", text(&output)));
            return None;
        }
        // What a killed run of this test left is taken down here; what can't be is no reason to skip.
        lab.lab(&["down"]);
        let output = lab.command(&["up", &hosts.to_string()]);
        if text(&output).contains("run '") && text(&output).contains("prepare' first") {
            skipped(test, &text(&output));
            return None;
        }
        assert!(output.status.success(), "no lab: {}", text(&output));
        Some(lab)
    }

    /// An inventory of the first `hosts` hosts.
    pub(crate) fn inventory(&self, hosts: usize) -> String {
        let (control_planes, hosts) = (self.control_planes.to_string(), hosts.to_string());
        self.lab(&["inventory", "--control-planes", &control_planes, &hosts])
    }

    /// The address of a host.
    pub(crate) fn address(&self, host: &str) -> String {
        let inventory = self.inventory(self.number(host));
        let after = inventory
            .split_once(&format!("name: {host}, address: "))
            .unwrap()
            .1;
        after.split(',').next().unwrap().to_owned()
    }

    /// `ci-bootstrap apply`, told by events.
    pub(crate) fn apply(&self, inventory: &str, flags: &[&str]) -> Ran {
        self.run(&[&["apply", "--yes", "--json"], flags].concat(), inventory)
    }

    /// `ci-bootstrap plan --exit-code`, told by events.
    pub(crate) fn plan(&self, inventory: &str, flags: &[&str]) -> Ran {
        self.run(&[&["plan", "--exit-code", "--json"], flags].concat(), inventory)
    }

    /// The program with these arguments and the inventory's path, as a child that has not been started.
    pub(crate) fn program(&self, arguments: &[&str], inventory: &str) -> Command {
        let path = self.path("inventory.yaml");
        fs_err::write(&path, inventory).unwrap();
        let mut command = Command::new("timeout");
        command
            .args(["-k", "10", RUN_LIMIT])
            .arg(script())
            .arg("run")
            .arg(env!("CARGO_BIN_EXE_ci-bootstrap"))
            .args(arguments)
            .arg(path)
            .env("LAB_NAME", &self.name)
            .env("XDG_STATE_HOME", self.directory.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str], inventory: &str) -> Ran {
        Ran::of(&self.program(arguments, inventory).output().unwrap())
    }

    /// A file in the test's own directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The lab's name, which is part of the names of its cgroups.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What a shell script prints as root on a host; it must succeed.
    pub(crate) fn ssh(&self, host: &str, script: &str) -> String {
        let output = self.try_ssh(host, script);
        assert!(output.status.success(), "{host}: {script}\n{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A shell script as root on a host.
    pub(crate) fn try_ssh(&self, host: &str, script: &str) -> Output {
        let number = self.number(host).to_string();
        let mut command = self.prepared(&["ssh", &number, "sh", "-eus"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A host that is gone closes the pipe; its exit status says so.
        let _ = child.stdin.take().unwrap().write_all(script.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// What kubectl prints on the first control plane; it must succeed.
    pub(crate) fn kubectl(&self, arguments: &str) -> String {
        self.kubectl_on("cp1", arguments)
    }

    /// What it prints on another, which may have taken the first one's place.
    pub(crate) fn kubectl_on(&self, control_plane: &str, arguments: &str) -> String {
        self.ssh(control_plane, &format!("{KUBECTL} {arguments}"))
    }

    /// Has kubectl apply these objects, which are YAML.
    pub(crate) fn apply_by_hand(&self, objects: &str) {
        self.kubectl(&format!("apply -f - <<'END'\n{objects}\nEND"));
    }

    /// Nodes that are not ready, as the cluster itself has it.
    pub(crate) fn unready(&self) -> Vec<String> {
        let nodes = self.kubectl("get nodes --no-headers");
        let unready = nodes
            .lines()
            .filter(|line| line.split_whitespace().nth(1) != Some("Ready"));
        unready.map(str::to_owned).collect()
    }

    /// `up`, `wait`, `reboot`, `poweroff`, `kill` or `down`.
    pub(crate) fn host(&self, command: &str, host: &str) {
        self.lab(&["host", command, &self.number(host).to_string()]);
    }

    /// A command of the lab that this machine may not be able to do.
    pub(crate) fn attempt(&self, arguments: &[&str]) -> Result<(), String> {
        let output = self.command(arguments);
        output.status.success().then_some(()).ok_or_else(|| text(&output))
    }

    /// A command of the lab; it must succeed.
    pub(crate) fn lab(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        assert!(output.status.success(), "lab {arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The lab's number of a host of the inventory.
    pub(crate) fn number(&self, host: &str) -> usize {
        let digits = host.trim_start_matches(|c: char| c.is_alphabetic());
        let number: usize = digits.parse().unwrap();
        if host.starts_with('w') {
            self.control_planes + number
        } else {
            number
        }
    }

    fn command(&self, arguments: &[&str]) -> Output {
        self.prepared(arguments).stdin(Stdio::null()).output().unwrap()
    }

    fn prepared(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command
            .args(["-k", "10", COMMAND_LIMIT])
            .arg(script())
            .args(arguments)
            .env("LAB_NAME", &self.name);
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::env::var_os("KEEP_LAB").is_some() {
            say(&format!(
                "the lab is kept: LAB_NAME={} {} …",
                self.name,
                script().display()
            ));
        } else {
            let output = self.command(&["down"]);
            if !output.status.success() {
                say(&format!(
                    "the lab {} is still there: {}",
                    self.name,
                    text(&output)
                ));
            }
        }
    }
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let events = stdout.lines().filter_map(|line| serde_json::from_str(line).ok());
        Self {
            code: output.status.code().unwrap_or(-1),
            events: events.collect(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            stdout,
        }
    }

    /// Fails with all that was said unless it ended with this code.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        let ended = self.code;
        assert!(
            ended == code,
            "ended with {ended}, not {code}\n{}",
            self.reported()
        );
        self
    }

    /// `place: step` of all steps that were started (by a plan: that would be).
    pub(crate) fn steps(&self) -> BTreeSet<String> {
        let started = self.events.iter().filter(|event| event["event"] == "stepStarted");
        started
            .map(|event| format!("{}: {}", word(&event["place"]), word(&event["step"])))
            .collect()
    }

    /// Changes that the run's last line counts; the verification after it has a last line of its own.
    pub(crate) fn changes(&self) -> usize {
        let is_report = |event: &&Value| event["event"] == "report" && event["command"] != "verify";
        let report = self.events.iter().rfind(is_report);
        let report = report.unwrap_or_else(|| panic!("no report: {}\n{}", self.stdout, self.stderr));
        usize::try_from(report["changes"].as_u64().unwrap()).unwrap()
    }

    /// What a person would ask for after a failure: what was done and, last, what went wrong.
    fn reported(&self) -> String {
        let is_failure = |event: &&Value| event["event"] == "placeFailed" || event["result"] == "failed";
        let failed = self.events.iter().filter(is_failure);
        let failed: String = failed.map(|event| format!("{event}\n")).collect();
        format!("{:?}\n{}{failed}", self.steps(), self.stderr)
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Says something at once: what is printed by macros shows only when a test has failed.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", line.trim_end());
}

fn text(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{out}{err} ({})", output.status)
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/lab")
}

//! Registries with logins and private CAs on real hosts: what nodes are given, and how `verify` tells apart what can go wrong.
//!
//! `cargo test --test registry`; `KEEP_LAB=1` leaves the lab for a look afterwards.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use support::cases::Cases;
use support::eavesdropper::Eavesdropper;
use support::lab::{Lab, Ran};

mod support {
    pub(crate) mod cases;
    pub(crate) mod eavesdropper;
    #[expect(dead_code, reason = "other tests ask more of it")]
    pub(crate) mod lab;
}

const HOSTS: [&str; 2] = ["cp1", "w1"];
/// The login of the lab's second registry (tests/lab/registries.sh).
const USER: &str = "ci";
const PASSWORD: &str = "lab-registry-password";
/// What the robot account of the stand-in for Harbor gets.
const ROBOT_PASSWORD: &str = "Robot-secret-1";
/// Where the inventory finds the password.
const VARIABLE: &str = "LAB_REGISTRY_PASSWORD";

#[test]
fn nodes_pull_with_logins() {
    let Some(lab) = Lab::up("registry", 1, HOSTS.len()) else {
        return;
    };
    lab.lab(&["registries"]);
    let mut cases = Cases::of("registry", &lab);
    cases.foundation(
        "every node pulls with the login, which nobody sees",
        pulls_with_a_login,
    );
    cases.case("a second apply changes nothing", second_apply);
    cases.case("a wrong password", wrong_password);
    cases.case("a CA that nobody was told of", unknown_ca);
    cases.case("an expired certificate", expired_certificate);
    cases.case("an image that is not there", missing_image);
    cases.case("Docker's configuration is merged", beside_docker);
    cases.case("a project and a robot account in Harbor", robot_account);
    cases.case("a password that Harbor refuses changes no node", refused_rotation);
    cases.case("a registry that is gone is forgotten", forgotten_registry);
    cases.end();
}

/// The registry at a port of the lab's address.
fn registry(lab: &Lab, port: u16) -> String {
    let inventory = lab.inventory(HOSTS.len());
    let line = inventory
        .lines()
        .find_map(|line| line.trim().strip_prefix("imageRepository: "));
    let (address, _) = line.unwrap().rsplit_once(':').unwrap();
    format!("{address}:{port}")
}

/// The lab's inventory with one registry more: at `port`, with an image `tag` of pause, and these keys.
fn inventory(lab: &Lab, port: u16, tag: &str, keys: &str) -> String {
    let name = registry(lab, port);
    let entry = format!("  - {{ name: \"{name}\", image: \"{name}/pause:{tag}\"{keys} }}\n");
    let text = lab.inventory(HOSTS.len());
    let (before, after) = text.split_once("firewall:").unwrap();
    format!("{before}{entry}firewall:{after}")
}

/// The key `ca` of the lab's own registry.
fn ca(lab: &Lab) -> String {
    let text = lab.inventory(HOSTS.len());
    let (_, after) = text.split_once(", ca: ").unwrap();
    format!(", ca: {}", after.split(" }\n").next().unwrap())
}

fn login() -> String {
    format!(", credentials: {{ username: {USER}, password: {{ env: {VARIABLE} }} }}")
}

/// The pause image's tag, which every Kubernetes release has.
fn tag(lab: &Lab) -> String {
    let config = lab.ssh("cp1", "grep -o 'pause:[0-9.]*' /etc/containerd/config.toml");
    config.trim().trim_start_matches("pause:").to_owned()
}

fn with_login(lab: &Lab) -> String {
    inventory(lab, 5001, &tag(lab), &format!("{}{}", ca(lab), login()))
}

fn run(lab: &Lab, arguments: &[&str], inventory: &str, password: &str) -> Ran {
    let output = lab.program(arguments, inventory).env(VARIABLE, password).output();
    Ran::of(&output.unwrap())
}

fn apply(lab: &Lab, inventory: &str, password: &str) -> Ran {
    run(lab, &["apply", "--yes", "--json"], inventory, password)
}

/// The failures of a verification, by place, as their first line and their remedy.
fn failures(ran: &Ran) -> Vec<(String, String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let failed = ran.events.iter().filter(|event| event["result"] == "failed");
    let mut failures: Vec<_> = failed
        .map(|event| {
            let failure = &event["failure"];
            (
                text(&event["place"]),
                text(&failure["message"]),
                text(&failure["help"]),
            )
        })
        .collect();
    failures.sort();
    failures
}

/// Asserts that the registry fails on every host, for this cause and with this remedy, and ends the program with 5.
#[track_caller]
fn assert_refused(ran: Ran, cause: &str, remedy: &str) {
    let ran = ran.ended(5);
    let failures = failures(&ran);
    let places: Vec<_> = failures.iter().map(|(place, ..)| place.as_str()).collect();
    assert_eq!(places, HOSTS, "{failures:?}");
    for (_, message, help) in &failures {
        assert!(
            message.contains(cause) && help.contains(remedy),
            "{message}\n{help}"
        );
    }
}

/// The forms in which the password would be one.
fn secrets() -> [String; 2] {
    [PASSWORD.to_owned(), STANDARD.encode(format!("{USER}:{PASSWORD}"))]
}

#[track_caller]
fn assert_hidden(text: &str, where_from: &str) {
    for secret in secrets() {
        let line = text.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "in {where_from}");
    }
}

fn pulls_with_a_login(lab: &Lab) {
    // The tag is only known once containerd is configured: the cluster comes first.
    lab.apply(&lab.inventory(HOSTS.len()), &[]).ended(0);
    let inventory = with_login(lab);
    let (log, log_flag) = (lab.path("apply.log"), lab.path("apply.log").display().to_string());
    let plan = run(lab, &["plan", "--plain", "-vv"], &inventory, PASSWORD).ended(0);
    assert_hidden(&plan.stdout, "the plan");
    let ear = Eavesdropper::on(lab.name());
    let applied = run(
        lab,
        &["apply", "--yes", "--json", "-vv", "--log-file", &log_flag],
        &inventory,
        PASSWORD,
    );
    let heard = ear.heard();
    let applied = applied.ended(0);
    let pulled: Vec<_> = applied
        .events
        .iter()
        .filter(|event| {
            event["event"] == "checked" && event["check"] == format!("registry {}", registry(lab, 5001))
        })
        .collect();
    assert_eq!(pulled.len(), HOSTS.len());
    for event in pulled {
        assert_eq!(event["result"], "passed", "{event}");
        assert!(
            event["detail"].as_str().unwrap().contains("/pause@sha256:"),
            "{event}"
        );
    }
    assert!(
        heard.iter().any(|line| line.contains("crictl")),
        "the eavesdropper is deaf"
    );
    for line in &heard {
        assert_hidden(line, "a command line");
    }
    assert_hidden(&applied.stdout, "the events");
    let log = fs_err::read_to_string(log).unwrap();
    assert!(
        log.contains("hosts.toml.ci-bootstrap"),
        "a log without the scripts"
    );
    assert_hidden(&log, "the debug log");
    for host in HOSTS {
        let modes = lab.ssh(
            host,
            "stat -c '%a %U' /etc/containerd/certs.d/*/hosts.toml | sort -u",
        );
        assert_eq!(modes, "600 root\n", "{host}");
    }
}

fn second_apply(lab: &Lab) {
    let applied = apply(lab, &with_login(lab), PASSWORD).ended(0);
    assert_eq!(applied.changes(), 0, "{:?}", applied.steps());
}

fn wrong_password(lab: &Lab) {
    let inventory = with_login(lab);
    assert_refused(
        apply(lab, &inventory, "another"),
        "refuses the node's user and password",
        "correct `credentials`",
    );
    apply(lab, &inventory, PASSWORD).ended(0);
}

fn unknown_ca(lab: &Lab) {
    let inventory = inventory(lab, 5001, &tag(lab), &login());
    assert_refused(
        apply(lab, &inventory, PASSWORD),
        "a CA that the node doesn't trust",
        "give the CA's certificate",
    );
    apply(lab, &with_login(lab), PASSWORD).ended(0);
}

fn expired_certificate(lab: &Lab) {
    let inventory = inventory(lab, 5002, &tag(lab), &ca(lab));
    assert_refused(
        apply(lab, &inventory, PASSWORD),
        "has expired",
        "renew the registry's certificate",
    );
}

fn missing_image(lab: &Lab) {
    // The case before has left the registry out, and nodes have forgotten it.
    apply(lab, &with_login(lab), PASSWORD).ended(0);
    let inventory = inventory(lab, 5001, "of-nobody", &format!("{}{}", ca(lab), login()));
    let verified = run(lab, &["verify", "--json"], &inventory, PASSWORD);
    assert_refused(verified, "has no image", "push it there");
}

/// Debian's Docker Engine, unpacked: its package wants Debian's containerd instead of the cluster's. It serves no containers here,
/// so it needs no network of its own.
const DOCKER: &str = r#"mkdir -p /etc/docker; groupadd -f docker
echo '{"data-root": "/data", "storage-driver": "vfs", "iptables": false, "ip6tables": false, "bridge": "none", "insecure-registries": ["old.example"]}' \
  >/etc/docker/daemon.json
cd /var/tmp; apt-get -qq update; apt-get -qq download docker.io
dpkg --fsys-tarfile docker.io_*.deb | tar -C / --keep-directory-symlink -x ./lib/systemd ./usr/bin ./usr/sbin
systemctl daemon-reload; systemctl start docker.socket docker.service
"#;

/// What Docker on w1 says to a login at the registry that asks for one.
fn docker_logs_in(lab: &Lab) -> String {
    let registry = registry(lab, 5001);
    lab.ssh(
        "w1",
        &format!("echo {PASSWORD} | docker login -u {USER} --password-stdin {registry} 2>&1 || true"),
    )
}

fn beside_docker(lab: &Lab) {
    lab.ssh("w1", DOCKER);
    let said = docker_logs_in(lab);
    assert!(said.contains("unknown authority"), "{said}");
    let process = || lab.ssh("w1", "systemctl show -p MainPID --value docker");
    let started = process();
    let text = with_login(lab);
    let (before, after) = text.split_once("firewall:").unwrap();
    let inventory = format!("{before}  - {{ name: plain.example, insecure: true }}\nfirewall:{after}");
    apply(lab, &inventory, PASSWORD).ended(0);
    let daemon: serde_json::Value =
        serde_json::from_str(&lab.ssh("w1", "cat /etc/docker/daemon.json")).unwrap();
    assert_eq!(daemon["data-root"], "/data");
    assert_eq!(
        daemon["insecure-registries"],
        serde_json::json!(["old.example", "plain.example"])
    );
    let said = docker_logs_in(lab);
    assert!(said.contains("Login Succeeded"), "{said}");
    assert!(
        lab.ssh("w1", "docker info 2>&1").contains("plain.example"),
        "not reloaded"
    );
    assert_eq!(process(), started, "Docker was restarted");
    assert!(!lab.try_ssh("cp1", "test -e /etc/docker").status.success());
    assert_eq!(apply(lab, &inventory, PASSWORD).ended(0).changes(), 0);
}

/// The inventory with the stand-in for Harbor (tests/lab/registries.sh), whose administrator is said to have this password.
fn with_harbor(lab: &Lab, password: &str) -> String {
    let text = lab.inventory(HOSTS.len());
    let (before, after) = text.split_once("firewall:").unwrap();
    let entry = format!(
        "  - name: \"{}\"\n    credentials: {{ username: robot$ci+builder, password: {{ command: [echo, {ROBOT_PASSWORD}] }} }}\n    \
         harbor: {{ project: ci, admin: {{ username: admin, password: {{ command: [echo, {password}] }} }} }}\n    {}\n",
        registry(lab, 5003),
        ca(lab).trim_start_matches(", ")
    );
    format!("{before}{entry}firewall:{after}")
}

/// The status with which Harbor answers the robot account's login.
fn robot_logs_in(lab: &Lab) -> String {
    let (login, url) = (
        format!("robot$ci+builder:{ROBOT_PASSWORD}"),
        format!("https://{}/v2/", registry(lab, 5003)),
    );
    let arguments = [
        "run",
        "curl",
        "-sk",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-u",
        &login,
        &url,
    ];
    lab.lab(&arguments)
}

fn robot_account(lab: &Lab) {
    let inventory = with_harbor(lab, "Lab-harbor-1");
    let plan = run(lab, &["plan", "--plain", "-vv"], &inventory, PASSWORD).ended(0);
    assert!(
        plan.stdout.contains("+project ci") && plan.stdout.contains("+robot account robot$ci+builder"),
        "{}",
        plan.stdout
    );
    assert_eq!(robot_logs_in(lab), "401", "the plan made it");
    let applied = apply(lab, &inventory, PASSWORD).ended(0);
    assert_eq!(robot_logs_in(lab), "200");
    for text in [&plan.stdout, &applied.stdout] {
        assert!(
            !text.contains(ROBOT_PASSWORD) && !text.contains("Lab-harbor-1"),
            "{text}"
        );
    }
    assert_eq!(apply(lab, &inventory, PASSWORD).ended(0).changes(), 0);
    let refused = apply(lab, &with_harbor(lab, "wrong"), PASSWORD);
    assert_ne!(refused.code, 0);
    assert!(
        refused.stdout.contains("does not accept the password of `admin`"),
        "{}",
        refused.stdout
    );
}

/// The logins of both hosts for Harbor, as sums.
fn logins(lab: &Lab) -> Vec<String> {
    let file = format!("/etc/containerd/certs.d/{}/hosts.toml", registry(lab, 5003));
    let sum = |host| lab.ssh(host, &format!("sha256sum {file}"));
    HOSTS.into_iter().map(sum).collect()
}

fn refused_rotation(lab: &Lab) {
    let inventory = with_harbor(lab, "Lab-harbor-1");
    apply(lab, &inventory, PASSWORD).ended(0);
    let before = logins(lab);
    let short = inventory.replace(ROBOT_PASSWORD, "short");
    let refused = apply(lab, &short, PASSWORD);
    assert_ne!(refused.code, 0);
    assert!(
        refused.stdout.contains("8 to 128 characters"),
        "{}",
        refused.stdout
    );
    assert_eq!(logins(lab), before);
    assert_eq!(robot_logs_in(lab), "200");
}

fn forgotten_registry(lab: &Lab) {
    apply(lab, &with_login(lab), PASSWORD).ended(0);
    let folder = format!("/etc/containerd/certs.d/{}", registry(lab, 5001));
    let theirs = "/etc/containerd/certs.d/theirs.example";
    lab.ssh(
        "w1",
        &format!("mkdir -p {theirs}; echo 'server = \"https://theirs.example\"' >{theirs}/hosts.toml"),
    );
    let without = lab.inventory(HOSTS.len());
    let plan = lab.run(&["plan", "--plain", "-vv"], &without).ended(0);
    assert!(plan.stdout.contains(&format!("-{folder}")), "{}", plan.stdout);
    apply(lab, &without, PASSWORD).ended(0);
    for host in HOSTS {
        lab.ssh(host, &format!("test ! -e {folder}"));
    }
    lab.ssh("w1", &format!("test -e {theirs}/hosts.toml && rm -r {theirs}"));
    assert_eq!(apply(lab, &without, PASSWORD).ended(0).changes(), 0);
}

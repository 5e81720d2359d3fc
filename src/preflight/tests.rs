//! The checks, on answers that hosts could have given.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::answer::Answer;
use super::finding::{Finding, Severity};
use super::question::Question;
use super::round::{Depth, Scene, judge};
use super::{Preflight, probe};
use crate::diagnostic::Source;
use crate::event::CheckResult;
use crate::model::{Cluster, PreflightCheck};
use crate::resource::{HostState, Separator};
use crate::transport::memory::run_here;

const INVENTORY: &str = "apiVersion: ci-bootstrap/v1
cluster: { name: ci, kubernetes: 1.36.4 }
ssh: { user: root }
hosts:
  - { name: cp1, address: 10.0.0.1, roles: [control-plane] }
  - { name: w1, address: 10.0.0.2, roles: [worker] }
  - { name: w2, address: 10.0.0.3, roles: [worker] }
  - { name: w3, address: 10.0.0.4, roles: [worker] }
";

fn cluster(more: &str) -> Cluster {
    cluster_of(format!("{INVENTORY}{more}"))
}

fn cluster_of(text: String) -> Cluster {
    let name = "inventory.yaml".to_owned();
    let document = crate::inventory::parse(Source { name, text }, std::path::Path::new("."));
    crate::model::validate(&document).unwrap().cluster
}

/// What a healthy host answers, with lines of facts put in or replaced, and with ways closed.
struct Host {
    name: &'static str,
    number: u8,
    facts: Vec<(&'static str, String)>,
    way: fn(&probe::Way) -> &'static str,
    mtu: &'static str,
    clock: f64,
    server: &'static str,
}

impl Host {
    fn new(name: &'static str, number: u8) -> Self {
        let facts = [
            ("user", "0".to_owned()),
            ("state", "bare".to_owned()),
            ("machine-id", format!("{number:032x}")),
            ("mac", format!("02:00:00:00:00:{number:02x}")),
            ("host-key", format!("key{number}")),
            ("address", format!("10.0.0.{number}")),
            ("route", "10.0.0.0/24".to_owned()),
            ("resolver", "/etc/resolv.conf".to_owned()),
            ("nameserver", "10.0.0.254".to_owned()),
            ("disk", "/var/lib/containerd 1 90000000 9000000".to_owned()),
            ("disk", "/var/lib/etcd 1 90000000 9000000".to_owned()),
        ];
        Self {
            name,
            number,
            facts: facts.into(),
            way: |_| "refused",
            mtu: "1500 ok",
            clock: 1000.5,
            server: "status 200",
        }
    }

    fn with(mut self, word: &'static str, text: &str) -> Self {
        self.facts.push((word, text.to_owned()));
        self
    }

    fn instead(mut self, word: &'static str, text: &str) -> Self {
        self.facts.retain(|(known, _)| *known != word);
        self.with(word, text)
    }

    fn answer(&self, question: &Question) -> String {
        let mut facts: String = self
            .facts
            .iter()
            .map(|(word, text)| format!("{word} {text}\n"))
            .collect();
        facts.push_str("end facts\n");
        let mut network = String::new();
        for (index, way) in question.ways.iter().enumerate() {
            let _ = writeln!(network, "way {index} {}", (self.way)(way));
            if matches!(way.port, probe::Port::Udp(_)) {
                let _ = writeln!(network, "mtu {index} {}", self.mtu);
            }
        }
        for index in 0..question.peers.len() {
            let _ = writeln!(network, "route {index} 10.0.0.{}", self.number);
        }
        for index in 0..question.servers.len() {
            let _ = writeln!(network, "server {index} {}", self.server);
        }
        network.push_str("end network\n");
        let clock = self.clock;
        sections(&[
            ("began", &clock.to_string()),
            ("facts", &facts),
            ("latency", ""),
            ("network", &network),
            ("went", &clock.to_string()),
        ])
    }
}

fn sections(all: &[(&str, &str)]) -> String {
    let mut text: String = all
        .iter()
        .map(|(name, text)| format!("\x1eN {name}\n{text}\n"))
        .collect();
    text.push_str("\x1eN end\n");
    text
}

fn read(text: &str, question: &Question) -> Result<Answer, String> {
    let separator = Separator::random().unwrap();
    let text = text.replace("\x1eN ", &format!("\x1e{} ", separator.nonce()));
    let seen = HostState::parse(&text, &separator).unwrap();
    Answer::read(&seen, question).map_err(|error| error.to_string())
}

fn question(cluster: &Cluster, name: &str) -> Question {
    let ways = probe::ways(cluster);
    Question::new(cluster, cluster.host(name).unwrap(), &ways, Depth::Measure)
}

fn hosts() -> [Host; 4] {
    [
        Host::new("cp1", 1),
        Host::new("w1", 2),
        Host::new("w2", 3),
        Host::new("w3", 4),
    ]
}

fn findings_of(cluster: &Cluster, hosts: impl IntoIterator<Item = Host>) -> Vec<Finding> {
    let answers = hosts.into_iter().map(|host| {
        let question = question(cluster, host.name);
        let answer = read(&host.answer(&question), &question).unwrap();
        (host.name, question, answer)
    });
    judge(&Scene::example(cluster, answers.collect()))
}

fn messages(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| {
            format!(
                "{}: {}: {}",
                finding.hosts.join(","),
                finding.check.name(),
                finding.message
            )
        })
        .collect()
}

/// What is found when w3 is another.
fn with_w3(change: impl FnOnce(Host) -> Host) -> Vec<String> {
    let [cp1, w1, w2, w3] = hosts();
    messages(&findings_of(&cluster(""), [cp1, w1, w2, change(w3)]))
}

#[test]
fn nothing_is_found_where_all_is_well() {
    assert_eq!(messages(&findings_of(&cluster(""), hosts())), [""; 0]);
}

#[test]
fn a_host_that_drops_a_port_is_named_once() {
    let closed = |mut hosts: [Host; 4]| {
        for host in &mut hosts {
            host.way = |way| {
                let is_dropped = way.to == "w3" && way.port == probe::Port::Udp(4789);
                if is_dropped { "silent" } else { "refused" }
            };
        }
        hosts
    };
    let found = findings_of(&cluster(""), closed(hosts()));
    assert_eq!(messages(&found), ["w3: ports: w3 drops UDP 4789 from everybody"]);
    // What the run opens is no fault; with `firewall: ignore` nobody opens it.
    let guarded = |text: &str| {
        let [cp1, w1, w2, w3] = closed(hosts());
        findings_of(&cluster(text), [cp1, w1, w2, w3.with("firewall", "firewalld")])
    };
    assert_eq!(messages(&guarded("")), [""; 0]);
    assert_eq!(guarded("firewall: ignore\n").len(), 1);
    // A host that is off is no host that drops packets.
    let [cp1, w1, w2, _] = closed(hosts());
    assert_eq!(messages(&findings_of(&cluster(""), [cp1, w1, w2])), [""; 0]);
    // A node takes datagrams without a word.
    let [cp1, w1, w2, w3] = closed(hosts());
    let w3 = w3.instead("state", "member").with("listener", "udp 4789 ");
    assert_eq!(messages(&findings_of(&cluster(""), [cp1, w1, w2, w3])), [""; 0]);
}

#[test]
fn large_packets_must_get_through() {
    let small = with_w3(|mut w3| {
        w3.mtu = "1500 small 1400";
        w3
    });
    assert_eq!(small.len(), 1);
    assert!(small[0].contains("the way takes 1400 at the most"), "{small:?}");
    let vanished = with_w3(|mut w3| {
        w3.mtu = "1500 silent";
        w3
    });
    assert!(vanished[0].contains("1500 bytes vanish"), "{vanished:?}");
    // Pods with smaller packets don't mind.
    let mut hosts = hosts();
    hosts[3].mtu = "1500 small 1400";
    let inventory = INVENTORY.replace("1.36.4 }", "1.36.4, calico: { mtu: 1350 } }");
    let cluster = cluster_of(inventory);
    assert_eq!(messages(&findings_of(&cluster, hosts)), [""; 0]);
}

#[test]
fn a_clock_that_is_off_is_told_by_how_much() {
    let off = |seconds: f64| {
        with_w3(|mut w3| {
            w3.clock += seconds;
            w3
        })
    };
    // The answer took a second: less can't be told.
    assert_eq!(off(0.8), [""; 0]);
    for seconds in [-3600.0, 3600.0] {
        let found = off(seconds);
        assert!(found[0].starts_with("w3: clock: its clock is 36"), "{found:?}");
        assert_eq!(found.len(), 1);
    }
}

#[test]
fn copies_are_told_from_each_other() {
    let id = format!("{:032x}", 3);
    assert_eq!(
        with_w3(|w3| w3.instead("machine-id", &id)),
        ["w2,w3: identity: w2, w3 have the same machine ID"]
    );
    assert_eq!(with_w3(|w3| w3.instead("machine-id", "uninitialized")).len(), 1);
    let mac = with_w3(|w3| w3.instead("mac", "02:00:00:00:00:01"));
    assert_eq!(mac, ["cp1,w3: identity: cp1, w3 have the same MAC address"]);
    let [cp1, w1, w2, w3] = hosts();
    let found = findings_of(&cluster(""), [cp1, w1, w2, w3.instead("host-key", "key1")]);
    assert_eq!((found.len(), found[0].severity), (1, Severity::Warning));
}

#[test]
fn what_is_in_the_way_is_named() {
    for (word, text, expected) in [
        ("cni", "05-cilium.conflist", "/etc/cni/net.d/05-cilium.conflist"),
        ("link", "flannel.1", "an interface flannel.1"),
        ("unit", "k3s-agent", "the service k3s-agent runs"),
        (
            "listener",
            "tcp 10250 nginx",
            "TCP 10250 is taken by the program nginx",
        ),
        (
            "listener",
            "udp 4789 ",
            "UDP 4789 is taken by something in the kernel",
        ),
        ("route", "10.244.3.0/24", "its route 10.244.3.0/24"),
        ("nameserver", "10.96.0.1", "its DNS server 10.96.0.1/32"),
    ] {
        let found = with_w3(|w3| w3.with(word, text));
        assert_eq!(found.len(), 1, "{word} {text}: {found:?}");
        assert!(found[0].contains(expected), "{found:?}");
        // A node has a pod network, and its ports are taken.
        let member = with_w3(|w3| w3.with(word, text).instead("state", "member"));
        assert_eq!(member, [""; 0], "{word} {text}");
    }
    let address = with_w3(|w3| w3.instead("address", "192.168.1.4"));
    assert!(
        address[0].contains("none of its interfaces has the address 10.0.0.4"),
        "{address:?}"
    );
}

#[test]
fn a_resolver_that_leads_back_is_met_before_it_breaks_the_cluster() {
    let found = with_w3(|w3| w3.with("nameserver", "127.0.0.53"));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("/etc/resolv.conf names 127.0.0.53"),
        "{found:?}"
    );
    let own = INVENTORY.replace(
        "1.36.4 }",
        "1.36.4, kubelet: { resolvConf: /etc/resolv-pods.conf } }",
    );
    let cluster = cluster_of(own);
    let script = question(&cluster, "w1").script(&Separator::random().unwrap());
    assert!(script.contains("wanted_resolver=/etc/resolv-pods.conf"));
}

#[test]
fn directories_on_one_device_share_its_room() {
    let found = with_w3(|w3| {
        w3.instead("disk", "/var/lib/containerd 7 3000000 90")
            .with("disk", "/var/log 7 3000000 90")
    });
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("2929 MiB are free for /var/lib/containerd, /var/log"),
        "{found:?}"
    );
}

#[test]
fn a_server_that_is_not_reached_is_named_with_its_reason() {
    let found = with_w3(|mut w3| {
        w3.server = "unresolved";
        w3
    });
    assert!(
        found.iter().any(|line| line.contains("repository kubernetes")),
        "{found:?}"
    );
    assert!(
        found.iter().any(|line| line.contains("registry registry.k8s.io")),
        "{found:?}"
    );
    assert!(found.iter().all(|line| line.starts_with("w3: re")), "{found:?}");
}

#[test]
fn an_answer_is_read_strictly() {
    let cluster = cluster("");
    let question = question(&cluster, "w1");
    let good = Host::new("w1", 2).answer(&question);
    assert!(read(&good, &question).is_ok());
    for (old, new) in [
        ("state bare", "state excellent"),
        ("way 0 refused", "way 0 fine"),
        ("way 0 refused", "way 99 refused"),
        ("end facts", "begin facts"),
        ("end network", "way 1 refused"),
        ("user 0", "user 0\nrm -rf /"),
        ("address 10.0.0.2", "address $(reboot)"),
        ("mtu", "mtv"),
        ("1000.5", "NaN"),
    ] {
        let bad = good.replace(old, new);
        assert_ne!(bad, good, "{old}");
        assert!(read(&bad, &question).is_err(), "{new}");
    }
    let endless = good.replace("user 0", &format!("user 0\n{}", "link x\n".repeat(100_000)));
    assert!(read(&endless, &question).is_err());
}

#[test]
fn a_host_that_is_silent_about_ways_is_not_well() {
    let cluster = cluster("");
    let asked = question(&cluster, "w1");
    let text = Host::new("w1", 2).answer(&asked);
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with("way "))
        .map(|line| format!("{line}\n"))
        .collect();
    let answer = read(&text, &asked).unwrap();
    let found = judge(&Scene::example(&cluster, vec![("w1", asked, answer)]));
    assert!(messages(&found)[0].contains("said nothing about"), "{found:?}");
}

fn preflight(findings: Vec<Finding>, members: &[&str]) -> Preflight {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Preflight {
        ignored: BTreeSet::new(),
        members: names(members),
        asked: names(&["cp1", "w1", "w2", "w3"]),
        findings,
        unanswered: std::collections::BTreeMap::new(),
    }
}

#[test]
fn what_is_between_hosts_keeps_them_and_init() {
    let between = Finding::error(PreflightCheck::Ports, "", "closed".to_owned(), "open it")
        .between(vec!["w2".to_owned(), "w3".to_owned()]);
    let own = Finding::error(PreflightCheck::DiskSpace, "w1", "full".to_owned(), "make room");
    let kept = |preflight: &Preflight| {
        let hosts = ["cp1", "w1", "w2", "w3"];
        let kept = hosts
            .into_iter()
            .filter(|host| preflight.obstacle(host).is_some());
        kept.collect::<Vec<_>>()
    };
    let without_cluster = preflight(vec![between.clone(), own.clone()], &[]);
    assert_eq!(kept(&without_cluster), ["cp1", "w1", "w2", "w3"]);
    let with_cluster = preflight(vec![between, own], &["cp1"]);
    assert_eq!(kept(&with_cluster), ["w1", "w2", "w3"]);
    let ignoring = with_cluster.without(&[PreflightCheck::Ports]);
    assert_eq!(kept(&ignoring), ["w1"]);
    assert!(matches!(
        ignoring.result(PreflightCheck::Ports, "w2"),
        Some(CheckResult::Skipped { .. })
    ));
    let help = ignoring.obstacle("w1").unwrap().help.unwrap();
    assert!(help.contains("--ignore disk-space"), "{help}");
}

#[test]
fn the_scripts_are_answered_by_a_host() {
    let cluster = cluster("");
    let question = question(&cluster, "cp1");
    let separator = Separator::random().unwrap();
    let script = question.script(&separator);
    assert!(crate::resource::sh::is_valid(&script));
    // This machine refuses at once.
    let script = script
        .replace("10.0.0.", "127.0.0.")
        .replace("https://", "http://127.0.0.1:9/");
    let output = run_here(&script);
    let seen = HostState::parse(&String::from_utf8_lossy(&output.stdout), &separator).unwrap();
    let answer = Answer::read(&seen, &question).unwrap();
    assert_eq!(answer.ways.len(), question.ways.len());
    assert_eq!(answer.sources.len(), question.peers.len());
    assert!(!answer.mtus.is_empty() && !answer.disks.is_empty());
    assert!(answer.clock.1 >= answer.clock.0);
}

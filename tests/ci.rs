//! From bare hosts to a passed build, and what such a system survives: Jenkins with its home on an NFS server of its own.
//!
//! `cargo test --test ci`; `FAULTS_SEED=…` repeats the instants of the kills, `KEEP_LAB=1` leaves the lab for a look afterwards. Jenkins,
//! its agents, the provisioner, the NFS client of the container hosts and Calico are the lab's stand-ins; the NFS server is the kernel's.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed unwrap is a failed test"
)]

use std::time::{Duration, Instant};

use serde_json::Value;
use support::cases::Cases;
use support::jenkins::Jenkins;
use support::lab::{Lab, say};
use support::nfs_server::{self, SERVER, on_server};
use support::random::Random;
use support::running::Running;

mod support {
    pub(crate) mod cases;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod jenkins;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod lab;
    pub(crate) mod nfs_server;
    pub(crate) mod random;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod running;
}

const HOSTS: usize = 3;
/// Plugins without which there is no Jenkins of ours, at the versions that the lab's update site has.
const FOLDER: [(&str, &str); 3] = [
    ("configuration-as-code", "2117.vc05a_0b_e6b_f4e"),
    ("kubernetes", "4547.v52f3080db_8cd"),
    ("workflow-aggregator", "608.v67378e9d3db_1"),
];
/// Longest wait for what takes an emulated machine a while.
const PATIENCE: Duration = Duration::from_secs(300);
/// Kills of the runs that bring Jenkins back, at the most and at the least.
const KILLS: usize = 8;
const FEWEST: usize = 3;
/// Shortest and longest life of a run that will be killed, in milliseconds.
const LIFE: (u64, u64) = (500, 4000);

#[test]
fn a_ci_system_comes_up_and_comes_back() {
    let Some(lab) = nfs_server::up("ci", HOSTS) else {
        return;
    };
    let mut cases = Cases::of("ci", &lab);
    cases.foundation("from bare hosts to a passed build", from_bare_hosts);
    cases.case("a second apply changes nothing", second_apply);
    cases.case("a job builds what its repository holds", built_from_a_repository);
    cases.case("a build goes on while the NFS server restarts", server_rebooted);
    cases.case(
        "a deleted controller comes back with its jobs",
        controller_deleted,
    );
    cases.case(
        "a Jenkins that is gone comes back with its jobs, through runs that are killed",
        jenkins_gone,
    );
    cases.case(
        "plugins come from a folder, without a network",
        plugins_from_a_folder,
    );
    cases.case("the controller's node without power", node_without_power);
    cases.end();
}

fn inventory(lab: &Lab) -> String {
    let inventory = lab.lab(&["inventory", "--storage", "--jenkins", &HOSTS.to_string()]);
    let site = inventory.split("metadata: \"").nth(1).unwrap();
    let site = site.split("/jenkins/").next().unwrap();
    format!("{inventory}  jobs:\n    - {{ name: shop, repository: \"{site}/shop.git\" }}\n")
}

/// A build without a label, of what a repository holds.
fn built_from_a_repository(lab: &Lab) {
    let folder = lab.path("shop");
    fs_err::create_dir(&folder).unwrap();
    fs_err::write(folder.join("greeting"), "welcome to the shop\n").unwrap();
    fs_err::write(
        folder.join("Jenkinsfile"),
        "node {\n  checkout scm\n  sh 'cat greeting'\n}\n",
    )
    .unwrap();
    lab.lab(&["publish", "shop", &folder.display().to_string()]);
    let jenkins = Jenkins::of(lab);
    jenkins.post("/job/shop/build", &[]);
    let log = jenkins.passed("shop");
    assert!(log.contains("welcome to the shop"), "{log}");
}

fn second_apply(lab: &Lab) {
    let apply = lab.apply(&inventory(lab), &[]).ended(0);
    assert_eq!((apply.changes(), apply.steps()), (0, [].into()));
}

fn from_bare_hosts(lab: &Lab) {
    let apply = lab.apply(&inventory(lab), &[]).ended(0);
    let checked = |check: &str| {
        let mut events = apply.events.iter();
        let of_it = events.find(|event| event["event"] == "checked" && event["check"] == check);
        of_it.map_or_else(|| panic!("no check `{check}`"), ToString::to_string)
    };
    for (check, words) in [
        ("nodes ready", "passed"),
        ("storage", "written on w1, read on w2"),
        ("Jenkins", "configured as meant"),
        ("smoke build", "passed on w"),
    ] {
        let event = checked(check);
        assert!(event.contains(words), "{event}");
    }
    // The registries that mirrors stand before are skipped, which is no failure.
    let verified = apply.events.iter().rfind(|event| event["event"] == "finished");
    assert_eq!(verified.unwrap()["failed"], 0);
    assert_eq!(lab.kubectl("-n kube-ops-agents get pods -o name"), "");
    on_server(lab, "test -s /srv/nfs/ci/kube-ops-jenkins-home/config.xml");
}

/// What the job that the test built before is known by later: its last build.
fn history(jenkins: &Jenkins) -> Value {
    let answer = jenkins.get("/job/long/lastBuild/api/json?tree=number,result,timestamp");
    let jobs = jenkins.get("/api/json?tree=jobs[name]");
    assert!(jobs.contains("\"shop\"") && jobs.contains("\"long\""), "{jobs}");
    serde_json::from_str(&answer).unwrap()
}

fn pod(lab: &Lab) -> String {
    lab.kubectl("-n kube-ops get pod jenkins-0 -o 'jsonpath={.metadata.uid} {.status.containerStatuses[0].restartCount}'")
}

/// Waits until `look` finds something.
#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn server_rebooted(lab: &Lab) {
    let (jenkins, before) = (Jenkins::of(lab), pod(lab));
    jenkins.build(
        "long",
        "node('jnlp') {\n  sh 'echo it has begun; sleep 60; echo it went on'\n}\n",
    );
    until("the build begins", || {
        jenkins.log("long")?.contains("it has begun").then_some(())
    });
    lab.lab(&["vm", "reboot", SERVER]);
    let log = jenkins.passed("long");
    assert!(log.contains("it went on"), "{log}");
    assert_eq!(pod(lab), before, "it was restarted");
    second_apply(lab);
}

fn controller_deleted(lab: &Lab) {
    let (before, old) = (history(&Jenkins::of(lab)), pod(lab));
    lab.kubectl("-n kube-ops delete pod jenkins-0");
    second_apply(lab);
    assert_ne!(pod(lab), old);
    assert_eq!(history(&Jenkins::of(lab)), before);
}

/// Its namespaces go, and with them its password and its claims; the files on the server stay.
fn jenkins_gone(lab: &Lab) {
    let before = history(&Jenkins::of(lab));
    lab.kubectl("delete namespaces kube-ops kube-ops-agents --timeout=120s");
    let mut random = Random::from_environment();
    say(&format!("  seed {} (FAULTS_SEED repeats it)", random.seed()));
    let mut kills = 0;
    while kills < KILLS {
        let life = Duration::from_millis(random.between(LIFE));
        let mut run = Running::apply(lab, &format!("kill{kills}"), &inventory(lab));
        let over = run.ends_within(life);
        run.signal("KILL");
        let failed = run.events().iter().any(|event| event["event"] == "placeFailed");
        assert!(!failed, "after {kills} kills: {:?}", run.events());
        if over {
            run.end().ended(0);
            break;
        }
        run.end();
        kills += 1;
    }
    say(&format!("  {kills} kills"));
    assert!(kills >= FEWEST, "done after {kills} kills");
    lab.apply(&inventory(lab), &[]).ended(0);
    second_apply(lab);
    assert_eq!(history(&Jenkins::of(lab)), before);
}

/// What is not in the folder is named; once somebody has put it there, the next run goes on.
fn plugins_from_a_folder(lab: &Lab) {
    let before = history(&Jenkins::of(lab));
    let with_site = inventory(lab);
    let (start, rest) = with_site.split_once("plugins: {").unwrap();
    let (site, end) = rest.split_once("}\n").unwrap();
    let pins = FOLDER
        .map(|(name, version)| format!("{name}: {version}"))
        .join(", ");
    let from_folder =
        format!("{start}plugins: {{ source: folder, defaults: false, pins: {{ {pins} }} }}\n{end}");
    let failed = lab.apply(&from_folder, &[]).ended(4);
    let named = format!(
        "plugin {}: {} is listed, and it is absent",
        FOLDER[0].0, FOLDER[0].1
    );
    assert!(
        failed.stdout.contains(&named),
        "no `{named}` in {}",
        failed.stdout
    );
    let url = site
        .split('"')
        .nth(1)
        .and_then(|url| url.rsplit_once('/'))
        .unwrap()
        .0;
    for (name, version) in FOLDER {
        on_server(
            lab,
            &format!(
                "/usr/lib/apt/apt-helper download-file {url}/download/plugins/{name}/{version}/{name}.hpi \
                 /srv/nfs/ci/kube-ops-jenkins-plugins/{name}.hpi"
            ),
        );
    }
    lab.apply(&from_folder, &[]).ended(0);
    assert_eq!(lab.apply(&from_folder, &[]).ended(0).changes(), 0);
    assert_eq!(history(&Jenkins::of(lab)), before);
    lab.apply(&with_site, &[]).ended(0);
    second_apply(lab);
}

/// `apply` says how to free the pod, goes on when that is done, and is content when the machine is back.
fn node_without_power(lab: &Lab) {
    let before = history(&Jenkins::of(lab));
    let node = lab.kubectl("-n kube-ops get pod jenkins-0 -o 'jsonpath={.spec.nodeName}'");
    lab.host("poweroff", &node);
    until("the cluster misses the node", || {
        (!lab.unready().is_empty()).then_some(())
    });
    let mut run = Running::apply(lab, "lost", &inventory(lab));
    let remedy =
        format!("kubectl taint node {node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute");
    run.until("how to free the pod", PATIENCE, |event| {
        event["event"] == "note" && event.to_string().contains(&remedy)
    });
    lab.kubectl(remedy.trim_start_matches("kubectl "));
    let ran = run.end().ended(3);
    let cluster = ran
        .events
        .iter()
        .any(|event| event["event"] == "placeDone" && event["place"] == "cluster");
    assert!(cluster, "{}", ran.stdout);
    let now = lab.kubectl("-n kube-ops get pod jenkins-0 -o 'jsonpath={.spec.nodeName}'");
    assert_ne!(now, node);
    assert_eq!(history(&Jenkins::of(lab)), before);
    lab.host("up", &node);
    lab.host("wait", &node);
    lab.kubectl(&format!("{}-", remedy.trim_start_matches("kubectl ")));
    lab.apply(&inventory(lab), &[]).ended(0);
    second_apply(lab);
}

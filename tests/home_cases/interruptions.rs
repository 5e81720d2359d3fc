//! A home's way back that is killed, or loses its connections: Jenkins has the old home or the new one, and the next run finishes.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::bundles::newest;
use crate::support::cuts::cut;
use crate::support::jenkins::Jenkins;
use crate::support::lab::{Lab, say};
use crate::support::random::Random;
use crate::support::running::Running;
use crate::{Site, key};

/// How often each, at random instants of the way.
const TIMES: usize = 3;
/// The way takes a little less, from the end of the apply before it, in milliseconds.
const WAY: (u64, u64) = (100, 6000);
/// Until Jenkins answers again, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(240);
/// A job that the bundle does not have.
const NEWER: &str = "<flow-definition><definition class=\"org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition\"><script>echo 1</script><sandbox>true</sandbox></definition></flow-definition>";

pub(crate) fn of_a_home_put_back(lab: &Lab) {
    let site = Site::first(lab);
    let before = key(lab, "w1");
    let mut random = Random::from_environment();
    say(&format!("  seed {} (FAULTS_SEED repeats it)", random.seed()));
    for round in 0..2 * TIMES {
        with_a_newer_job(lab);
        let instant = random.between(WAY);
        let found = interrupted(lab, &site, Duration::from_millis(instant), round % 2 == 0);
        say(&format!("  interrupted after {instant} ms: {found:?}"));
        assert!(found == ["kept", "newer"] || found == ["kept"], "{found:?}");
        assert_eq!(key(lab, "w1"), before);
    }
    with_a_newer_job(lab);
    lab.apply(
        &site.inventory,
        &["--restore-home", &newest(lab), "--allow-unverified"],
    )
    .ended(0);
    let left = lab.ssh(
        "w1",
        "find /var/lib/jenkins-home -maxdepth 1 -name '.ci-bootstrap-home*'",
    );
    assert_eq!(left, "");
    assert_eq!(lab.ssh("cp1", "ls -A /var/lib/ci-bootstrap/jenkins-home"), "");
    assert_eq!(settled(lab), ["kept"]);
    let aside = lab.ssh("w1", "ls -d /var/lib/jenkins-home/.before-restore-*/jobs/newer");
    assert!(aside.contains("jobs/newer"), "what was there before is lost");
    site.assert_back(lab);
}

/// The jobs that Jenkins has when it has come to itself after a run that was killed or cut off.
fn interrupted(lab: &Lab, site: &Site, instant: Duration, kill: bool) -> Vec<String> {
    let arguments = [
        "apply",
        "--yes",
        "--json",
        "--restore-home",
        &newest(lab),
        "--allow-unverified",
    ];
    let mut running = Running::start(lab, "home", &arguments, &site.inventory);
    running.until("the cluster is as it should be", PATIENCE, |event| {
        event["event"] == "report"
    });
    std::thread::sleep(instant);
    if kill {
        running.signal("KILL");
    } else {
        cut(lab, "cp1");
    }
    running.end();
    settled(lab)
}

/// A home that can be told from the bundle's.
fn with_a_newer_job(lab: &Lab) {
    if settled(lab) == ["kept"] {
        let body = ["-H", "Content-Type: application/xml", "--data-binary", NEWER];
        Jenkins::of(lab).post("/createItem?name=newer", &body);
    }
    assert_eq!(settled(lab), ["kept", "newer"]);
}

/// The jobs that Jenkins has, when its pod is neither on its way down nor up.
fn settled(lab: &Lab) -> Vec<String> {
    let began = Instant::now();
    loop {
        if is_ready(lab)
            && let Some(answer) = Jenkins::of(lab).try_get("/api/json?tree=jobs[name]")
        {
            let answer: Value = serde_json::from_str(&answer).unwrap();
            let jobs = answer["jobs"].as_array().unwrap().iter();
            return jobs.map(|job| job["name"].as_str().unwrap().to_owned()).collect();
        }
        assert!(began.elapsed() < PATIENCE, "Jenkins does not come back");
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn is_ready(lab: &Lab) -> bool {
    let state = "-n kube-ops get pod jenkins-0 --ignore-not-found -o \
        'jsonpath={.metadata.deletionTimestamp}{.status.conditions[?(@.type==\"Ready\")].status}'";
    lab.kubectl(state) == "True"
}

//! The program killed at random instants of a first apply, again and again: each run goes on where the one before ended.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::lab::{Lab, say};
use crate::support::random::Random;
use crate::support::running::Running;

/// Kills in all: those that a first apply doesn't live to see are for runs that fix drift.
const KILLS: usize = 20;
/// Kills of runs that fix drift, at least.
const OF_DRIFT: usize = 4;
/// Fewest, for a convergence that was disturbed at all: a quick machine is done before the last.
const FEWEST: usize = 5;
/// Shortest and longest life of a run that will be killed, in milliseconds.
const LIFE: (u64, u64) = (50, 2500);
/// A life counts from the first step, so that the kills follow the work through the whole of the first apply; that of every so
/// many runs counts from its start, where connections are made and hosts looked at.
const FROM_THE_START: usize = 2;
/// Until a run begins its first step: it may have to await what the one before left at work.
const PATIENCE: Duration = Duration::from_secs(120);

/// Kills runs until all hosts are as they should be, and looks for what they left. Gives the number of kills.
pub(crate) fn of_a_first_apply(lab: &Lab) -> usize {
    let inventory = lab.inventory(crate::HOSTS.len());
    let mut random = Random::from_environment();
    say(&format!("  seed {} (FAULTS_SEED repeats it)", random.seed()));
    let mut kills = Vec::new();
    let began = Instant::now();
    for number in 0..KILLS - OF_DRIFT {
        let life = Duration::from_millis(random.between(LIFE));
        let mut run = Running::apply(lab, &format!("kill{number}"), &inventory);
        let over = number % FROM_THE_START != 0 && run.ends_before_a_step(PATIENCE) || run.ends_within(life);
        run.signal("KILL");
        let failures = failures(&run.events());
        assert_eq!(failures, [""; 0], "run {number}, after {kills:?}");
        let last = last_step(&run.events());
        let ran = run.end();
        if over {
            ran.ended(0);
            break;
        }
        kills.push(format!("{:.0?} {last}", began.elapsed()));
    }
    say(&format!("  killed at {}", kills.join(", ")));
    assert!(kills.len() >= FEWEST, "done after {} kills", kills.len());
    let last = Running::apply(lab, "last", &inventory).end().ended(0);
    assert_eq!(failures(&last.events), [""; 0]);
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
    assert_eq!(lab.unready(), [""; 0]);
    nothing_is_left(lab);
    kills.len()
}

/// Kills runs that fix drift, until there were twenty kills in all.
pub(crate) fn while_drift_is_mended(lab: &Lab, before: usize) {
    let inventory = lab.inventory(crate::HOSTS.len());
    let mut random = Random::from_environment();
    let mut kills = before;
    drift(lab);
    // A run may be done before it is killed, but hardly each second one.
    for number in 0..2 * KILLS {
        if kills == KILLS {
            break;
        }
        let mut run = Running::apply(lab, &format!("drift{number}"), &inventory);
        let over = run.ends_within(Duration::from_millis(random.between((200, 3000))));
        run.signal("KILL");
        assert_eq!(failures(&run.events()), [""; 0], "after {kills} kills");
        let ran = run.end();
        if over {
            ran.ended(0);
            drift(lab);
        } else {
            kills += 1;
        }
    }
    assert_eq!(kills, KILLS);
    lab.apply(&inventory, &[]).ended(0);
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
    nothing_is_left(lab);
}

fn drift(lab: &Lab) {
    for host in crate::HOSTS {
        lab.ssh(
            host,
            "rm -f /etc/sysctl.d/99-zz-ci-bootstrap.conf; systemctl disable -q kubelet; \
             echo '# drift' >> /etc/containerd/config.toml; hostname drifted",
        );
    }
}

/// No half-written file, configuration, token, script or lock.
pub(crate) fn nothing_is_left(lab: &Lab) {
    for host in crate::HOSTS {
        let files = lab.ssh(
            host,
            "find /etc /usr /opt /root /home -xdev -name '*.ci-bootstrap'; \
             find /run/ci-bootstrap -type f ! -name '*.log' ! -name '*.status' ! -name 'lock*'",
        );
        assert_eq!(files, "", "{host}");
    }
    // The server notices that a killed client is gone when its kernel says so: at once, but not in no time.
    lab.ssh("cp1", "flock -w 5 /run/ci-bootstrap/lock true");
}

/// Places that failed, and why.
fn failures(events: &[Value]) -> Vec<String> {
    let failed = events.iter().filter(|event| event["event"] == "placeFailed");
    failed.map(ToString::to_string).collect()
}

fn last_step(events: &[Value]) -> String {
    let step = events.iter().rfind(|event| event["event"] == "stepStarted");
    step.map_or_else(
        || "(no step)".to_owned(),
        |step| format!("{}: {}", step["place"], step["step"]),
    )
}

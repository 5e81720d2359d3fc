//! Backups and restores that are killed, or lose their connections: nothing is half, and the next run finishes.

use std::time::Duration;

use crate::HOSTS;
use crate::support::bundles::{files, folder, is_bundle, make};
use crate::support::cuts::cut;
use crate::support::lab::Lab;
use crate::support::running::Running;

/// Until a run tells what it is at, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// What ends a run before its time.
#[derive(Clone, Copy, PartialEq)]
enum Interruption {
    Kill,
    LostConnections,
}

use Interruption::{Kill, LostConnections};

impl Interruption {
    fn befall(self, lab: &Lab, running: &Running) {
        match self {
            Kill => running.signal("KILL"),
            LostConnections => cut(lab, "cp1"),
        }
    }
}

/// Killed, and cut off from its host, at five instants of its way each: what has a bundle's name is a whole bundle, a run that was
/// cut off says so and leaves nothing else, and the next backup is made.
pub(crate) fn of_a_backup(lab: &Lab) {
    let inventory = lab.inventory(HOSTS);
    let to = folder(lab).display().to_string();
    let instants = [100, 300, 600, 900, 1200];
    for (instant, interruption) in instants
        .into_iter()
        .flat_map(|instant| [(instant, Kill), (instant, LostConnections)])
    {
        let before = files(lab);
        let running = Running::start(lab, "backup", &["backup", "--to", &to], &inventory);
        std::thread::sleep(Duration::from_millis(instant));
        interruption.befall(lab, &running);
        let ran = running.end();
        let new: Vec<_> = files(lab)
            .into_iter()
            .filter(|path| !before.contains(path))
            .collect();
        for path in new.iter().filter(|path| is_bundle(path)) {
            let path = path.display().to_string();
            lab.run(&["backup", "check", &path, "--inventory"], &inventory)
                .ended(0);
        }
        let whole = new.iter().all(|path| is_bundle(path)) && new.len() == usize::from(ran.code == 0);
        assert!(interruption == Kill || whole, "{new:?}\n{}", ran.stderr);
    }
    make(lab, &inventory, &[]);
}

/// Runs that are killed, or cut off from the host, while they bring the state to it, while it is put in place, and while kubeadm comes to
/// it. What such a run has begun on the host may end there, so that the later ones are interrupted by the clock.
pub(crate) fn of_a_restore(lab: &Lab, inventory: &str, bundle: &str) {
    let arguments = [
        "apply",
        "--yes",
        "--json",
        "--restore",
        bundle,
        "--allow-unverified",
    ];
    let mut first = Running::start(lab, "restore", &arguments, inventory);
    first.until_step("cp1", "state from the bundle", PATIENCE);
    first.signal("KILL");
    assert_ne!(first.end().code, 0);
    for (instant, interruption) in [
        (500, Kill),
        (1500, LostConnections),
        (3000, Kill),
        (5000, LostConnections),
        (8000, Kill),
    ] {
        let mut running = Running::start(lab, "restore", &arguments, inventory);
        running.until("cp1 was looked at", PATIENCE, |event| {
            event["event"] == "observed" && event["place"] == "cp1"
        });
        std::thread::sleep(Duration::from_millis(instant));
        interruption.befall(lab, &running);
        running.end();
    }
}

//! Bundles of a lab's cluster, and what has to be there again after a restore.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::lab::{Lab, say};

/// Objects that a restore has to bring back: of every kind that the cluster keeps, but for those that say how it is just now.
const KEPT: &str = "get namespaces,deployments,daemonsets,services,configmaps,secrets,serviceaccounts,clusterroles -A -o name";

/// How long the first apply took, onto bare hosts: what ways back are measured by.
static FIRST: OnceLock<Duration> = OnceLock::new();

/// The apply that initializes the cluster.
pub(crate) fn first_apply(lab: &Lab, inventory: &str) {
    let began = Instant::now();
    lab.apply(inventory, &[]).ended(0);
    first_apply_took(began.elapsed());
}

/// Tells what ways back are measured by, where it was not [`first_apply`] that initialized the cluster.
pub(crate) fn first_apply_took(time: Duration) {
    FIRST.set(time).unwrap();
}

/// Goes a way back, and tells how long it took.
pub(crate) fn timed(what: &str, way: impl FnOnce()) {
    let began = Instant::now();
    way();
    let first = FIRST.get().unwrap();
    say(&format!(
        "{what}: {:.1} times a first apply",
        began.elapsed().as_secs_f64() / first.as_secs_f64()
    ));
}

/// The folder of a lab's bundles.
pub(crate) fn folder(lab: &Lab) -> PathBuf {
    let folder = lab.path("bundles");
    fs_err::create_dir_all(&folder).unwrap();
    folder
}

/// What lies in the folder, hidden files too.
pub(crate) fn files(lab: &Lab) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder(lab)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Whether a file has the name of a whole bundle.
pub(crate) fn is_bundle(path: &Path) -> bool {
    !path.file_name().unwrap().to_str().unwrap().starts_with('.')
}

/// The newest bundle that is not encrypted.
pub(crate) fn newest(lab: &Lab) -> String {
    let plain =
        |path: &PathBuf| is_bundle(path) && path.extension().is_some_and(|extension| extension == "gz");
    files(lab).into_iter().rfind(plain).unwrap().display().to_string()
}

/// Makes a bundle.
pub(crate) fn make(lab: &Lab, inventory: &str, flags: &[&str]) {
    let to = folder(lab).display().to_string();
    lab.run(&[&["backup", "--to", &to], flags].concat(), inventory)
        .ended(0);
    // Names have seconds.
    std::thread::sleep(Duration::from_millis(1100));
}

/// Puts something of a user's into the cluster.
pub(crate) fn fill(lab: &Lab) {
    lab.kubectl("create namespace kept");
    lab.kubectl("-n kept create configmap kept --from-literal=what=this");
}

/// What the cluster keeps, without what is created again by its controllers under names of their own.
pub(crate) fn objects(lab: &Lab, control_plane: &str) -> BTreeSet<String> {
    let text = lab.kubectl_on(control_plane, KEPT);
    let lines = text.lines().filter(|line| !line.contains("bootstrap-token-"));
    lines.map(str::to_owned).collect()
}

/// Nothing that was `kept` is missing, and all `nodes` are ready.
#[track_caller]
pub(crate) fn assert_back(lab: &Lab, control_plane: &str, kept: &BTreeSet<String>, nodes: usize) {
    let now = objects(lab, control_plane);
    let lost: Vec<_> = kept.difference(&now).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let what = lab.kubectl_on(
        control_plane,
        "-n kept get configmap kept -o jsonpath={.data.what}",
    );
    assert_eq!(what, "this");
    let listed = lab.kubectl_on(control_plane, "get nodes --no-headers");
    let ready = listed
        .lines()
        .filter(|line| line.split_whitespace().nth(1) == Some("Ready"));
    assert_eq!(
        (ready.count(), listed.lines().count()),
        (nodes, nodes),
        "{listed}"
    );
}

/// All checks of `verify` pass, and an apply has nothing to do.
#[track_caller]
pub(crate) fn assert_works(lab: &Lab, inventory: &str) {
    let verify = lab.run(&["verify", "--json"], inventory).ended(0);
    // A registry of which no image is known can't be tried.
    let skipped = |event: &&serde_json::Value| {
        event["result"] == "skipped" && !event["check"].to_string().starts_with("\"registry")
    };
    assert_eq!(verify.events.iter().find(skipped), None);
    assert_eq!(lab.apply(inventory, &[]).ended(0).changes(), 0);
}

/// The address that an inventory gives a host.
pub(crate) fn address(inventory: &str, host: &str) -> String {
    let rest = inventory
        .split(&format!("name: {host}, address: "))
        .nth(1)
        .unwrap();
    rest.split(',').next().unwrap().to_owned()
}

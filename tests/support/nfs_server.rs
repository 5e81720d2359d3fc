//! A lab with a machine that has a kernel of its own, which becomes the NFS server.

use std::path::Path;

use super::lab::Lab;
use super::lab::skip::skipped;

/// The lab's number of that machine.
pub(crate) const SERVER: &str = "50";

/// Bare hosts, as [`Lab::up`] makes them with one control plane, and that machine. None where it can't be had.
pub(crate) fn up(test: &str, hosts: usize) -> Option<Lab> {
    let cache = std::env::var("LAB_ROOT").unwrap_or_else(|_| "/var/tmp/ci-bootstrap-lab".to_owned());
    if !Path::new(&cache).join("vm/bookworm.raw").is_file() {
        skipped(
            test,
            "no machine for the NFS server: run 'tests/lab/lab vm prepare' first",
        );
        return None;
    }
    let lab = Lab::up(test, 1, hosts)?;
    lab.lab(&["vm", "up", SERVER]);
    lab.lab(&["vm", "wait", SERVER, "400"]);
    Some(lab)
}

/// What a script says there.
pub(crate) fn on_server(lab: &Lab, script: &str) -> String {
    lab.lab(&["ssh", SERVER, script])
}

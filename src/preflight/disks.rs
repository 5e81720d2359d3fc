//! Disks: room for what will be there, and speed where etcd writes.

use std::collections::BTreeMap;

use crate::model::{Host, PreflightCheck};

use super::answer::Answer;
use super::finding::Finding;
use super::round::Scene;
use super::ways::is_newcomer;

const GIB: u64 = 1 << 20;
/// A synchronous write takes less on a disk that etcd is happy with, in microseconds: <https://etcd.io/docs/v3.6/op-guide/hardware/>.
const SLOW: u64 = 10_000;
/// etcd's interval of heartbeats. Where a write takes as long, leaders are lost by writing.
const TOO_SLOW: u64 = 100_000;
/// Inodes that images of a node take, and some more.
const INODES: u64 = 100_000;

/// What a directory needs at least on a host, in KiB: images, volumes, etcd's quota of 2 GiB by half, logs.
fn needed(path: &str, host: &Host) -> u64 {
    match path {
        "/var/lib/containerd" => 3 * GIB,
        "/var/lib/etcd" if host.roles.control_plane => GIB,
        "/var/lib/kubelet" => GIB / 2,
        "/var/log" => GIB / 4,
        _ => 0,
    }
}

/// Devices without room. Directories on the same one share it.
pub(super) fn space(scene: &Scene<'_>) -> Vec<Finding> {
    let newcomers = scene.answers().filter(|(_, _, answer)| is_newcomer(answer));
    newcomers
        .filter_map(|(name, _, answer)| Some((scene.cluster.host(name)?, answer)))
        .filter(|(host, _)| host.is_node())
        .flat_map(|(host, answer)| of_host(host, answer))
        .collect()
}

/// A device, and what is to be on it.
#[derive(Default)]
struct Device<'a> {
    paths: Vec<&'a str>,
    /// In KiB.
    needed: u64,
    free: u64,
    inodes: Option<u64>,
}

fn of_host(host: &Host, answer: &Answer) -> Vec<Finding> {
    let mut devices: BTreeMap<u64, Device<'_>> = BTreeMap::new();
    for disk in &answer.disks {
        let device = devices.entry(disk.device).or_default();
        let needed = needed(&disk.path, host);
        if needed > 0 {
            device.paths.push(&disk.path);
        }
        device.needed += needed;
        (device.free, device.inodes) = (disk.free, disk.inodes);
    }
    let devices = devices.into_values();
    devices
        .filter_map(|device| of_device(host.name.as_str(), &device))
        .collect()
}

fn of_device(host: &str, device: &Device<'_>) -> Option<Finding> {
    let paths = device.paths.join(", ");
    if device.free < device.needed {
        let (free, needed) = (device.free / 1024, device.needed / 1024);
        let message = format!("{free} MiB are free for {paths}, and {needed} MiB are needed at least");
        let help = "make room, or mount a larger disk there before the first apply";
        return Some(Finding::error(PreflightCheck::DiskSpace, host, message, help));
    }
    let inodes = device.inodes.filter(|inodes| *inodes < INODES)?;
    let message = format!("{inodes} inodes are free for {paths}");
    let help = "remove many small files, or recreate the file system with more inodes";
    let holds_images = device.paths.contains(&"/var/lib/containerd");
    holds_images.then(|| Finding::error(PreflightCheck::DiskSpace, host, message, help))
}

/// Disks on which etcd would be slow.
pub(super) fn latency(scene: &Scene<'_>) -> Vec<Finding> {
    let help = "give /var/lib/etcd an SSD of its own; a run of several measurements on one physical disk slows each of them";
    let judged = scene.answers().filter_map(|(host, _, answer)| {
        let latency = answer.latency.filter(|latency| *latency > SLOW)?;
        let message = format!(
            "a synchronous write below /var/lib/etcd takes {} ms",
            latency / 1000
        );
        let check = PreflightCheck::DiskLatency;
        Some(if latency > TOO_SLOW {
            Finding::error(check, host, message, help)
        } else {
            Finding::warning(check, host, message, help)
        })
    });
    judged.collect()
}

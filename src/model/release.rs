//! What is known about releases: which belong together, and how long their makers care for them. As of 2026-11-30, from the constants of
//! kubeadm, the release pages of Kubernetes and containerd, and Tigera's table of tested releases.

use serde::Serialize;

use super::Version;

/// The default registry of Kubernetes images; kubeadm looks for CoreDNS elsewhere in any other.
pub(super) const DEFAULT_REPOSITORY: &str = "registry.k8s.io";

/// Tags of the images that come with a release of Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ImageVersions {
    /// Tag of etcd.
    pub etcd: &'static str,
    /// Tag of CoreDNS.
    pub coredns: &'static str,
    /// Tag of the pause image.
    pub pause: &'static str,
}

/// A supported minor release of Kubernetes.
pub(super) struct ReleaseLine {
    pub(super) minor: u64,
    /// Newest patch release when this table was written.
    pub(super) newest_patch: u64,
    /// Image tags from a patch release on, ascending: the constants of kubeadm.
    images: &'static [(u64, ImageVersions)],
    /// Oldest Calico line, as a minor release of 3, that supports it.
    pub(super) calico: u64,
    /// Newest Calico line that its makers test with it.
    pub(super) newest_calico: u64,
    /// Last day of its makers' support: year, month, day.
    pub(super) support_ends: (i16, i8, i8),
}

/// Supported minor releases, ascending.
pub(super) const LINES: &[ReleaseLine] = &[
    ReleaseLine {
        minor: 34,
        newest_patch: 11,
        images: &[
            (0, images("3.6.4-0", "v1.12.1", "3.10.1")),
            (2, images("3.6.5-0", "v1.12.1", "3.10.1")),
        ],
        calico: 31,
        newest_calico: 32,
        support_ends: (2026, 10, 27),
    },
    ReleaseLine {
        minor: 35,
        newest_patch: 9,
        images: &[(0, images("3.6.6-0", "v1.13.1", "3.10.1"))],
        calico: 31,
        newest_calico: 33,
        support_ends: (2027, 2, 28),
    },
    ReleaseLine {
        minor: 36,
        newest_patch: 5,
        images: &[(0, images("3.6.8-0", "v1.14.2", "3.10.2"))],
        calico: 32,
        newest_calico: 33,
        support_ends: (2027, 6, 28),
    },
    ReleaseLine {
        minor: 37,
        newest_patch: 2,
        images: &[(0, images("3.7.0-0", "v1.14.6", "3.10.2"))],
        calico: 33,
        newest_calico: 33,
        support_ends: (2027, 10, 28),
    },
];

const fn images(etcd: &'static str, coredns: &'static str, pause: &'static str) -> ImageVersions {
    ImageVersions { etcd, coredns, pause }
}

/// The newest known patch release of each line.
pub(super) fn newest() -> Vec<Version> {
    LINES
        .iter()
        .map(|line| Version::new(1, line.minor, line.newest_patch))
        .collect()
}

/// The line of a release, if it is supported.
pub(super) fn line(version: Version) -> Option<&'static ReleaseLine> {
    LINES
        .iter()
        .find(|line| version.major == 1 && line.minor == version.minor)
}

impl ReleaseLine {
    /// The image tags of one of its patch releases.
    pub(super) fn image_versions(&self, patch: u64) -> ImageVersions {
        let (first, later) = (self.images[0].1, self.images.iter().rev());
        later
            .into_iter()
            .find(|(from, _)| *from <= patch)
            .map_or(first, |(_, images)| *images)
    }
}

/// A line of containerd.
pub(super) struct ContainerdLine {
    pub(super) name: &'static str,
    /// Last day of its makers' support: year, month, day.
    pub(super) support_ends: (i16, i8, i8),
}

/// Lines of containerd. Where only the month of the end is known, it is the last day of that month.
pub(super) const CONTAINERD: &[ContainerdLine] = &[
    containerd("1.7", (2026, 9, 30)),
    containerd("2.0", (2025, 11, 7)),
    containerd("2.1", (2026, 5, 31)),
    containerd("2.2", (2026, 11, 6)),
    containerd("2.3", (2028, 4, 30)),
];

const fn containerd(name: &'static str, support_ends: (i16, i8, i8)) -> ContainerdLine {
    ContainerdLine { name, support_ends }
}

/// SHA-256 of the manifests of a Calico release.
pub(super) struct CalicoRelease {
    version: Version,
    vxlan: &'static str,
    bgp: &'static str,
}

const CALICO: &[CalicoRelease] = &[CalicoRelease {
    version: Version::new(3, 32, 1),
    vxlan: "c2ab4f9a4ecde01d66e6f040d6745cd7f174d5ded573164c809ffb9f40a9d566",
    bgp: "a1df919d9721cf667accdc3e72848911b0cb25cfab7d2478ad0c996302c95744",
}];

/// Checksum of the release manifest: `calico-vxlan.yaml` or `calico.yaml`.
pub(super) fn calico_checksum(version: Version, vxlan: bool) -> Option<&'static str> {
    let release = CALICO.iter().find(|release| release.version == version)?;
    Some(if vxlan { release.vxlan } else { release.bgp })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn image_tags_follow_the_patch_release() {
        let line = line(Version::new(1, 34, 0)).unwrap();
        assert_eq!(line.image_versions(1).etcd, "3.6.4-0");
        assert_eq!(line.image_versions(11).etcd, "3.6.5-0");
    }

    #[test]
    fn lines_follow_each_other() {
        assert!(LINES.is_sorted_by_key(|line| line.minor));
        assert!(line(Version::new(2, 36, 0)).is_none());
    }
}

//! Another release of Kubernetes on a cluster that runs: one kind for each part of the way.
//!
//! Nothing is remembered between runs. What is due follows from what the host and the API server say: the installed packages, the
//! image tags of the static pods, `kubernetesVersion` of the `ConfigMap` kubeadm-config, the add-ons' images, and the version that a running kubelet
//! reports. So a run that was killed anywhere is finished by the next.

mod addons;
mod control_plane;
mod downloads;
mod kubelet;
mod node_release;
mod path;
mod script;
mod snapshot;
mod static_pods;

pub(super) use addons::AddonsUpgrade;
pub(super) use control_plane::ControlPlaneUpgrade;
pub(super) use downloads::UpgradeDownloads;
pub(super) use kubelet::KubeletUpgrade;
pub(super) use path::UpgradePath;
pub(super) use snapshot::UpgradeSnapshot;
pub(super) use static_pods::StaticPods;

//! The names by which playbooks ask for kinds.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Resource;
use super::block::Block;
use super::component_arguments::ComponentArguments;
use super::control_plane::ControlPlane;
use super::directory::Directory;
use super::file::File;
use super::firewall::Ufw;
use super::gate::Gate;
use super::hostname::Hostname;
use super::images::ImageSet;
use super::json::JsonFile;
use super::kernel_modules::KernelModules;
use super::kubelet_files::KubeletFiles;
use super::kubelet_settings::KubeletSettings;
use super::nfs_export::NfsExport;
use super::nfs_share::NfsShare;
use super::old_registries::OldRegistries;
use super::packages::PackageSet;
use super::repository::Repository;
use super::restore::Restore;
use super::selinux::Selinux;
use super::service::Service;
use super::swap::Swap;
use super::sysctl::Sysctl;
use super::time_sync::TimeSync;
use super::upgrade::{
    AddonsUpgrade, ControlPlaneUpgrade, KubeletUpgrade, StaticPods, UpgradeDownloads, UpgradePath,
    UpgradeSnapshot,
};
use super::worker::Worker;

/// A kind of resource.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name in playbooks.
    pub name: &'static str,
    make: fn(Value) -> Result<Box<dyn Resource>, serde_json::Error>,
}

/// A playbook asks for something that is no kind, or gives a kind what it does not take.
#[derive(Debug, thiserror::Error)]
pub enum KindError {
    /// No such kind.
    #[error("there is no kind `{0}`")]
    Unknown(String),
    /// Wrong fields.
    #[error("kind `{kind}`: {reason}")]
    Fields {
        /// The kind.
        kind: &'static str,
        /// What is wrong with them.
        reason: serde_json::Error,
    },
}

fn make<R: Resource + DeserializeOwned + 'static>(
    fields: Value,
) -> Result<Box<dyn Resource>, serde_json::Error> {
    Ok(Box::new(serde_json::from_value::<R>(fields)?))
}

/// Every kind; a new one is a line here.
const KINDS: [Kind; 32] = [
    Kind {
        name: "addonsUpgrade",
        make: make::<AddonsUpgrade>,
    },
    Kind {
        name: "block",
        make: make::<Block>,
    },
    Kind {
        name: "componentArguments",
        make: make::<ComponentArguments>,
    },
    Kind {
        name: "controlPlane",
        make: make::<ControlPlane>,
    },
    Kind {
        name: "controlPlaneUpgrade",
        make: make::<ControlPlaneUpgrade>,
    },
    Kind {
        name: "directory",
        make: make::<Directory>,
    },
    Kind {
        name: "file",
        make: make::<File>,
    },
    Kind {
        name: "gate",
        make: make::<Gate>,
    },
    Kind {
        name: "hostname",
        make: make::<Hostname>,
    },
    Kind {
        name: "images",
        make: make::<ImageSet>,
    },
    Kind {
        name: "json",
        make: make::<JsonFile>,
    },
    Kind {
        name: "kernelModules",
        make: make::<KernelModules>,
    },
    Kind {
        name: "kubeletFiles",
        make: make::<KubeletFiles>,
    },
    Kind {
        name: "kubeletSettings",
        make: make::<KubeletSettings>,
    },
    Kind {
        name: "kubeletUpgrade",
        make: make::<KubeletUpgrade>,
    },
    Kind {
        name: "nfsExport",
        make: make::<NfsExport>,
    },
    Kind {
        name: "nfsShare",
        make: make::<NfsShare>,
    },
    Kind {
        name: "oldRegistries",
        make: make::<OldRegistries>,
    },
    Kind {
        name: "packages",
        make: make::<PackageSet>,
    },
    Kind {
        name: "repository",
        make: make::<Repository>,
    },
    Kind {
        name: "restore",
        make: make::<Restore>,
    },
    Kind {
        name: "selinux",
        make: make::<Selinux>,
    },
    Kind {
        name: "service",
        make: make::<Service>,
    },
    Kind {
        name: "staticPods",
        make: make::<StaticPods>,
    },
    Kind {
        name: "swap",
        make: make::<Swap>,
    },
    Kind {
        name: "sysctl",
        make: make::<Sysctl>,
    },
    Kind {
        name: "timeSync",
        make: make::<TimeSync>,
    },
    Kind {
        name: "ufw",
        make: make::<Ufw>,
    },
    Kind {
        name: "upgradeDownloads",
        make: make::<UpgradeDownloads>,
    },
    Kind {
        name: "upgradePath",
        make: make::<UpgradePath>,
    },
    Kind {
        name: "upgradeSnapshot",
        make: make::<UpgradeSnapshot>,
    },
    Kind {
        name: "worker",
        make: make::<Worker>,
    },
];

impl Kind {
    /// All kinds.
    pub fn all() -> &'static [Self] {
        &KINDS
    }

    /// The resource that `fields` describe.
    ///
    /// # Errors
    /// When there is no such kind or the fields are not its own.
    pub fn resource(name: &str, fields: Value) -> Result<Box<dyn Resource>, KindError> {
        let kind = KINDS
            .iter()
            .find(|kind| kind.name == name)
            .ok_or_else(|| KindError::Unknown(name.to_owned()))?;
        (kind.make)(fields).map_err(|reason| KindError::Fields {
            kind: kind.name,
            reason,
        })
    }
}

//! The `storage` section.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ManifestSpec;
use crate::yaml::Spanned;

/// Who makes the volumes that claims of the class ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Provisioner {
    /// nfs-subdir-external-provisioner: a directory of the share for each claim.
    #[default]
    NfsSubdir,
    /// csi-driver-nfs, installed from the release manifests under `manifests`.
    NfsCsi,
    /// Nobody of ours: the class exists already and is only checked. For Ceph, a cloud's disks and the like.
    None,
}

/// Storage of the cluster: an NFS share and a StorageClass whose volumes are directories of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StorageSpec {
    /// The NFS share. A host with the role `nfs` becomes its server.
    pub nfs: NfsSpec,
    /// The StorageClass.
    pub class: StorageClassSpec,
}

/// The NFS share.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NfsSpec {
    /// Name or address of a server that exists already; nothing is changed on it. Without it: the host with the role
    /// `nfs`, which becomes the server.
    #[schemars(example = &"nas.ci.example")]
    pub server: Option<Spanned<String>>,
    /// The exported directory, as the server names it.
    pub path: Spanned<String>,
    /// How the host with the role `nfs` exports it.
    pub export: Option<Spanned<ExportSpec>>,
}

impl Default for NfsSpec {
    fn default() -> Self {
        Self {
            server: None,
            path: "/srv/nfs/ci".into(),
            export: None,
        }
    }
}

/// How the host with the role `nfs` exports the share.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExportSpec {
    /// Mode of the directory, in octal.
    pub mode: Spanned<String>,
    /// Owner of the directory, `user:group`, both by name or both by number.
    pub owner: Spanned<String>,
    /// Options of the export, as in exports(5). Provisioners and images that run as root need `no_root_squash`.
    pub options: Vec<Spanned<String>>,
    /// Addresses, networks, names or `*` that may mount the share besides the nodes.
    #[schemars(example = &["10.0.9.0/24"])]
    pub clients: Vec<Spanned<String>>,
}

impl Default for ExportSpec {
    fn default() -> Self {
        let options = ["rw", "sync", "no_subtree_check", "no_root_squash"];
        Self {
            mode: "0755".into(),
            owner: "root:root".into(),
            options: options.map(Spanned::from).to_vec(),
            clients: Vec::new(),
        }
    }
}

/// The StorageClass.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StorageClassSpec {
    /// Its name.
    pub name: Spanned<String>,
    /// Who makes the volumes.
    pub provisioner: Spanned<Provisioner>,
    /// Whether claims that name no class get this one.
    pub default: Spanned<bool>,
    /// How nodes mount the volumes, as in nfs(5).
    pub mount_options: Vec<Spanned<String>>,
    /// Image of nfs-subdir-external-provisioner.
    pub image: Spanned<String>,
    /// Release manifests of csi-driver-nfs, each with its SHA-256.
    pub manifests: Vec<Spanned<ManifestSpec>>,
}

impl Default for StorageClassSpec {
    fn default() -> Self {
        let mount_options = ["nfsvers=4.1", "hard", "timeo=600", "retrans=2", "noatime"];
        Self {
            name: "nfs-ci".into(),
            provisioner: Spanned::default(),
            default: true.into(),
            mount_options: mount_options.map(Spanned::from).to_vec(),
            image: "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2".into(),
            manifests: Vec::new(),
        }
    }
}

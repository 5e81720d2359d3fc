//! What commands that talk to hosts have in common: inventory, plan, and a fleet that can be connected to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use futures::FutureExt as _;

use crate::apply::{self, ApiAccess, Lock, LockError, RunMode, RunOptions};
use crate::bundle::RestoreArchive;
use crate::cluster_api::Kubeconfig;
use crate::fleet::Fleet;
use crate::model::{Cluster, SshAccess, Sudo};
use crate::plan::{Catalog, Plan};
use crate::secret::{SecretValues, Secrets};
use crate::template::Templates;
use crate::transport::Transport;
use crate::{plan, playbook, ssh};

use super::{CommandFailure, Exit};

/// Which playbooks and templates make the plan.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct CatalogArgs {
    /// Folder of playbooks to use instead of the built-in ones (see `export`)
    #[arg(long, value_name = "DIR")]
    playbooks: Option<PathBuf>,
    /// Folder of templates to use before the built-in ones of the same name (see `export`)
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
}

impl CatalogArgs {
    /// Whether nothing of the user's own goes into the plan.
    pub(super) fn is_built_in(&self) -> bool {
        self.playbooks.is_none() && self.templates.is_none()
    }

    /// The plan for a cluster, with the secrets that it holds.
    pub(super) fn plan(
        &self,
        cluster: &Cluster,
        known: SecretValues,
        restore: Option<&RestoreArchive>,
    ) -> Result<Plan> {
        let restore = restore.map(|payload| payload.id.clone());
        let templates = Templates::load(self.templates.as_deref()).context("cannot use the templates")?;
        let templates = templates.knowing(known);
        let playbooks = playbook::load(self.playbooks.as_deref()).context("cannot use the playbooks")?;
        Ok(plan::build(
            cluster,
            &Catalog {
                playbooks,
                templates,
                restore,
            },
        )?)
    }
}

/// Connections to the cluster's hosts; secrets are fetched before the first of them.
pub(super) async fn prepare_fleet(cluster: &Cluster, secrets: &Secrets) -> Result<Arc<Fleet>> {
    let mut targets = std::collections::BTreeMap::new();
    let shared = ssh::SharedConnections::default();
    for host in &cluster.hosts {
        let target = target(host.name.as_str(), &host.ssh, secrets)
            .await?
            .sharing(&shared);
        let timeouts = ssh::Timeouts {
            connect: host.ssh.connect_timeout,
            ..ssh::Timeouts::default()
        };
        targets.insert(host.name.to_string(), (target, timeouts));
    }
    let names: Vec<_> = targets.keys().cloned().collect();
    let targets = Arc::new(targets);
    let dial = move |name: String| {
        let targets = targets.clone();
        async move {
            let (target, timeouts) = &targets[&name];
            let host = ssh::connect(target, *timeouts).await?;
            Ok(Arc::new(host) as Arc<dyn Transport>)
        }
        .boxed()
    };
    Ok(Arc::new(Fleet::new(names, Box::new(dial))))
}

/// The SSH target of a host, with its secrets.
pub(super) async fn target(name: &str, access: &SshAccess, secrets: &Secrets) -> Result<ssh::SshTarget> {
    let mut target = ssh::SshTarget::new(name, &access.address);
    target.port = access.port;
    target.user.clone_from(&access.user);
    target.identities.clone_from(&access.identities);
    target.agent = if access.agent {
        ssh::Agent::Environment
    } else {
        ssh::Agent::None
    };
    target.known_hosts.clone_from(&access.known_hosts);
    target.fingerprints.clone_from(&access.fingerprints);
    if access.ssh_config {
        target.ssh_config = ssh::SshConfig::Default;
    }
    for (reference, slot) in [
        (&access.password, &mut target.password),
        (&access.passphrase, &mut target.passphrase),
    ] {
        if let Some(reference) = reference {
            *slot = Some(
                secrets
                    .get(reference)
                    .await
                    .with_context(|| format!("a secret of host {name}"))?,
            );
        }
    }
    target.sudo = match &access.sudo {
        Sudo::None => ssh::SudoMethod::None,
        Sudo::Passwordless => ssh::SudoMethod::Passwordless,
        Sudo::Password(reference) => ssh::SudoMethod::Password(
            secrets
                .get(reference)
                .await
                .with_context(|| format!("sudo's password of host {name}"))?,
        ),
    };
    if let Some(jump) = &access.jump {
        let name = format!("the jump host of {name}");
        target.jump = Some(Box::new(Box::pin(self::target(&name, jump, secrets)).await?));
    }
    Ok(target)
}

/// How a run over the whole cluster is done.
pub(super) fn options(cluster: &Cluster, mode: RunMode, limit: Vec<String>) -> RunOptions {
    RunOptions {
        limit,
        control_planes: cluster
            .control_planes()
            .map(|host| host.name.to_string())
            .collect(),
        addresses: cluster
            .hosts
            .iter()
            .map(|host| (host.name.to_string(), host.address.to_string()))
            .collect(),
        endpoint: cluster.endpoint.to_string(),
        holder: holder(),
        ..RunOptions::new(mode)
    }
}

/// How often a lock is asked for that somebody has, a second apart.
const LOCK_TRIES: u32 = 3;

/// The cluster's lock, for commands that change hosts without the engine. It goes with the value.
pub(super) async fn lock(cluster: &Cluster, fleet: &Fleet) -> std::result::Result<Lock, CommandFailure> {
    let options = options(cluster, RunMode::Apply, Vec::new());
    let mut tries = 0;
    loop {
        let lock = Lock::new(&options);
        tries += 1;
        match lock.take(fleet).await {
            Ok(()) => return Ok(lock),
            // An earlier part of this command may have let go of it only just now.
            Err(LockError::Busy { .. }) if tries < LOCK_TRIES => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(no_lock(&error)),
        }
    }
}

/// Says whether the lock is still held, before the next thing that is changed.
pub(super) fn check_lock(lock: &Lock) -> std::result::Result<(), CommandFailure> {
    lock.check().map_err(|error| no_lock(&error))
}

fn no_lock(error: &LockError) -> CommandFailure {
    let exit = match error {
        LockError::Busy { .. } => Exit::Locked,
        LockError::NoMajority { .. } | LockError::Lost => Exit::Unreachable,
    };
    CommandFailure {
        exit,
        error: anyhow!("{error}\n{}", error.help()),
    }
}

/// Who holds the lock, in words for whoever finds it held.
fn holder() -> String {
    let user = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "somebody".to_owned());
    let machine = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let since = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
    format!(
        "{user}@{} (process {}), since {since}",
        machine.trim(),
        std::process::id()
    )
}

/// The API server, by way of the first control plane that leads to it; else why the last one does not.
pub(super) async fn access(cluster: &Cluster, fleet: &Fleet) -> std::result::Result<ApiAccess, String> {
    let mut reason = "the inventory has no control plane".to_owned();
    for host in cluster.control_planes() {
        match ApiAccess::open(fleet, host.name.as_str()).await {
            Ok(access) => return Ok(access),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(reason)
}

/// The administrator's kubeconfig as it lies on a control plane.
pub(super) async fn kubeconfig(fleet: &Fleet, host: &str) -> Result<Kubeconfig, String> {
    let connection = fleet.host(host).await.map_err(|error| error.to_string())?;
    apply::read_kubeconfig(&*connection, host)
        .await
        .map_err(|error| error.to_string())
}

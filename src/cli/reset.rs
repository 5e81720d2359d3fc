//! `ci-bootstrap reset`: a host's way out of the cluster.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::anyhow;

use crate::fleet::Fleet;
use crate::model::Cluster;
use crate::plan::{Place, Plan};
use crate::recovery::{self, Traces, schedule};
use crate::secret::{SecretValues, Secrets};

use super::run::{SECRET_LIMIT, block_on};
use super::screen;
use super::session::{self, CatalogArgs};
use super::{CommandFailure, Exit, OrExit};

/// Remove a host from the cluster and clean it up
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap reset w2 inventory.yaml
  ci-bootstrap reset w2 inventory.yaml --confirm ci      # for scripts: the cluster's name

The node is drained and deleted, an etcd member removed, and then the host loses its membership and
the files that were written there, a timer for bundles among them. Packages and bundles stay.
etcd's data are not deleted but moved to /var/lib/etcd.before-ci-bootstrap. Rules of others in the
firewall stay as they are. Take the host out of the inventory afterwards, or the next apply brings
it back.")]
pub(super) struct Args {
    /// The host
    #[arg(value_name = "HOST")]
    host: String,
    /// The inventory
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    file: PathBuf,
    /// The cluster's name, instead of being asked for it
    #[arg(long, value_name = "CLUSTER")]
    confirm: Option<String>,
    #[command(flatten)]
    catalog: CatalogArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let cluster = super::load(&args.file)?.cluster;
    if cluster.host(&args.host).is_none() {
        return Err(anyhow!(
            "there is no host {} in {}",
            args.host,
            args.file.display()
        ))
        .or_exit(Exit::Usage);
    }
    confirm(args, &cluster)?;
    block_on(async {
        let secrets = Secrets::new(SECRET_LIMIT);
        // What is undone are paths; nobody is asked for what stood in the files.
        let plan = args
            .catalog
            .plan(&cluster, SecretValues::blank(), None)
            .or_exit(Exit::Usage)?;
        let fleet = session::prepare_fleet(&cluster, &secrets)
            .await
            .or_exit(Exit::Usage)?;
        let lock = session::lock(&cluster, &fleet).await?;
        let host = fleet.host(&args.host).await.or_exit(Exit::Unreachable)?;
        if let Some(name) = remaining(&cluster, &fleet, &args.host).await? {
            let connection = fleet.host(&name).await.or_exit(Exit::Unreachable)?;
            session::check_lock(&lock)?;
            recovery::leave((&*connection, &name), (&*host, &args.host))
                .await
                .or_exit(Exit::StepFailed)?;
            writeln!(screen::stdout(), "{}: out of the cluster", args.host)?;
        }
        session::check_lock(&lock)?;
        recovery::clean(&*host, &args.host, &undo(&plan, &args.host))
            .await
            .or_exit(Exit::StepFailed)?;
        writeln!(
            screen::stdout(),
            "{}: nothing of the cluster is left on it",
            args.host
        )?;
        expel(&cluster, &fleet, &args.host).await?;
        Ok(Exit::Done)
    })
}

/// The cluster's name typed by a person is harder to give by mistake than a `y`.
fn confirm(args: &Args, cluster: &Cluster) -> Result<(), CommandFailure> {
    let given = match &args.confirm {
        Some(given) => given.clone(),
        None if std::io::stdin().is_terminal() => super::ask(&format!(
            "{} leaves the cluster, and what was made on it is undone.\nThe cluster's name, to go on: ",
            args.host
        ))?,
        None => String::new(),
    };
    if given == cluster.name {
        return Ok(());
    }
    Err(anyhow!(
        "not confirmed: give the cluster's name with --confirm, or type it when you are asked"
    ))
    .or_exit(Exit::Usage)
}

/// A control plane that stays. None when the cluster ends with this host, or has none that answers.
async fn remaining(
    cluster: &Cluster,
    fleet: &Fleet,
    leaving: &str,
) -> Result<Option<String>, CommandFailure> {
    let others = cluster
        .control_planes()
        .filter(|host| host.name.as_str() != leaving);
    let mut silent = None;
    for host in others {
        let name = host.name.as_str();
        match fleet.host(name).await {
            Ok(connection) => match recovery::traces(&*connection, name).await {
                Ok(Traces::ControlPlane | Traces::Restored(_)) => return Ok(Some(name.to_owned())),
                Ok(_) => {}
                Err(error) => silent = Some(error.to_string()),
            },
            Err(error) => silent = Some(error.to_string()),
        }
    }
    match silent {
        None => Ok(None),
        Some(reason) => Err(anyhow!(
            "{leaving} can't be taken out of the cluster properly, as no other control plane can be asked: {reason}"
        ))
        .or_exit(Exit::Unreachable),
    }
}

/// Takes away the key by which a host with a timer for bundles was let in; the host's own half is gone.
async fn expel(cluster: &Cluster, fleet: &Fleet, leaving: &str) -> Result<(), CommandFailure> {
    let others = cluster
        .control_planes()
        .filter(|host| host.name.as_str() != leaving);
    for host in others {
        let name = host.name.as_str();
        let expelled = match fleet.host(name).await {
            Ok(connection) => schedule::expel(&*connection, name, leaving).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = expelled {
            writeln!(
                screen::stderr(),
                "{name} may still list a key of {leaving}, which is gone: {error}"
            )?;
        }
    }
    Ok(())
}

/// The script that removes what the host's steps wrote, the last first.
fn undo(plan: &Plan, host: &str) -> String {
    let here = Place::Host(host.to_owned());
    let tracks = plan.tracks.iter().filter(|track| track.place == here);
    let steps = tracks.flat_map(|track| track.host_steps().rev());
    steps.filter_map(|step| step.resource.undo()).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::diagnostic::Source;
    use crate::{inventory, model};

    const INVENTORY: &str = "
apiVersion: ci-bootstrap/v1
cluster: { name: ci, kubernetes: 1.36.4 }
ssh: { user: root }
hosts:
  - { name: cp1, address: 10.0.0.11, roles: [control-plane, worker, nfs] }
registries:
  - { name: harbor.example, credentials: { username: robot, password: { env: CI_BOOTSTRAP_NO_SUCH_VARIABLE } } }
storage: {}
jenkins: { admin: { username: admin, password: { env: CI_BOOTSTRAP_NO_SUCH_VARIABLE } } }
";

    #[test]
    fn what_is_undone_needs_no_secret() {
        let source = Source {
            name: "inventory".to_owned(),
            text: INVENTORY.to_owned(),
        };
        let document = inventory::parse(source, std::path::Path::new("/"));
        let titles = |problems: Vec<crate::diagnostic::Diagnostic>| {
            problems
                .into_iter()
                .map(|problem| problem.title)
                .collect::<Vec<_>>()
        };
        let cluster = model::validate(&document).map_err(titles).unwrap().cluster;
        assert!(!cluster.secrets().is_empty());
        let catalog = CatalogArgs::default();
        assert!(
            catalog.plan(&cluster, SecretValues::default(), None).is_err(),
            "an apply needs it"
        );
        let plan = catalog.plan(&cluster, SecretValues::blank(), None).unwrap();
        let undo = undo(&plan, "cp1");
        assert!(undo.contains("/etc/containerd/certs.d/harbor.example"), "{undo}");
    }
}

//! `ci-bootstrap backup INVENTORY --to DIR`: one bundle of a running cluster.

use std::num::NonZero;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};

use crate::bundle::{self, BundleHeader, BundleOutput, BundleWriter, JENKINS_HOME, TransitKey};
use crate::fleet::Fleet;
use crate::model::Cluster;
use crate::recovery::{self, JenkinsHome, Snapshot, Traces};
use crate::secret::Secrets;
use crate::transport::Transport;

use super::super::run::{SECRET_LIMIT, block_on};
use super::super::screen;
use super::super::{CommandFailure, Exit, OrExit, load, session};
use super::destination::Destination;
use super::pieces::packed;
use super::schedule;

const WITHOUT: &str = "Jenkins' home can't be reached; --without-jenkins makes a bundle without it";

#[derive(Debug, clap::Args)]
pub(super) struct MakeArgs {
    /// The inventory
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    pub(super) file: PathBuf,
    /// Folder for the bundle, or `HOST:/path` for one on a host of the inventory
    #[arg(long, value_name = "DIR", required = true)]
    to: Option<String>,
    /// Encrypt for this age recipient (may be repeated)
    #[arg(long, value_name = "AGE1…")]
    pub(super) recipient: Vec<String>,
    /// Leave Jenkins' home out
    #[arg(long)]
    pub(super) without_jenkins: bool,
    /// Delete older bundles of the same cluster there, so that so many stay. With --schedule and without this: 14
    #[arg(long, value_name = "N")]
    pub(super) keep: Option<NonZero<usize>>,
    /// Have the host of `--to HOST:/path` make bundles by a timer at these times (see systemd.time(7)), or no more with `off`
    #[arg(long, value_name = "CALENDAR")]
    schedule: Option<String>,
    /// The inventory that goes into the bundle, where the other is only what a timer needs of it
    #[arg(long, value_name = "FILE", hide = true)]
    bundled_inventory: Option<PathBuf>,
}

pub(super) fn run(args: &MakeArgs) -> Result<Exit, CommandFailure> {
    let recipients = bundle::recipients(&args.recipient).or_exit(Exit::Usage)?;
    let cluster = load(&args.file)?.cluster;
    let to = args.to.as_deref().unwrap_or_default();
    let destination = Destination::parse(to, &cluster).or_exit(Exit::Usage)?;
    if let Some(calendar) = &args.schedule {
        return schedule::run(args, calendar, &cluster, &destination);
    }
    let bundled = args.bundled_inventory.as_ref().unwrap_or(&args.file);
    let inventory = fs_err::read(bundled).or_exit(Exit::Usage)?;
    block_on(async {
        let fleet = session::prepare_fleet(&cluster, &Secrets::new(SECRET_LIMIT))
            .await
            .or_exit(Exit::Usage)?;
        let made = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let backup = BackupInProgress {
            cluster: &cluster,
            fleet: &fleet,
            inventory: &inventory,
            made: &made,
            jenkins: cluster
                .jenkins
                .as_ref()
                .filter(|_| !args.without_jenkins)
                .map(|jenkins| jenkins.namespace.as_str()),
        };
        tokio::select! {
            done = backup.make(&destination, &recipients, args.keep) => done,
            // The half bundle goes with this run, and what lies on the host when its connection is gone.
            Ok(()) = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")).or_exit(Exit::Interrupted),
        }
    })
}

/// A bundle on its way.
struct BackupInProgress<'a> {
    cluster: &'a Cluster,
    fleet: &'a Fleet,
    inventory: &'a [u8],
    made: &'a str,
    /// Namespace of the controller whose home is to be in the bundle.
    jenkins: Option<&'a str>,
}

impl BackupInProgress<'_> {
    /// Makes a bundle and gives it its name; only then are older ones deleted, where not all are to be kept.
    async fn make(
        &self,
        destination: &Destination,
        recipients: &[bundle::Recipient],
        keep: Option<NonZero<usize>>,
    ) -> Result<Exit, CommandFailure> {
        let (cluster, fleet) = (&self.cluster.name, self.fleet);
        let file = destination.temporary().or_exit(Exit::Usage)?;
        let transit = destination.transit_key(recipients);
        let sealed_for: Vec<_> = recipients
            .iter()
            .cloned()
            .chain(transit.as_ref().map(TransitKey::recipient))
            .collect();
        let (taken_on, signer) = self.write(&file, &sealed_for).await?;
        let name = bundle::file_name(cluster, self.made, !recipients.is_empty());
        let size = super::size(file.as_file().metadata()?.len());
        let place = destination.keep(file, transit.as_ref(), &name, fleet).await;
        let place = place.or_exit(Exit::StepFailed)?;
        writeln!(
            screen::stdout(),
            "{place}: {size}, taken on {taken_on}, signed by {signer}"
        )?;
        if self.cluster.backup.signer.is_none() {
            writeln!(
                screen::stderr(),
                "write this into the inventory, so that a restore takes no bundle of somebody else:\nbackup: {{ signer: {signer} }}"
            )?;
        }
        if let Some(keep) = keep {
            let deleted = destination.retire(cluster, &name, keep.get(), fleet).await;
            for name in deleted.or_exit(Exit::StepFailed)? {
                writeln!(screen::stdout(), "{name}: deleted")?;
            }
        }
        Ok(Exit::Done)
    }

    /// Writes a whole bundle with the state of the first control plane that has one. Returns that one's name and the public
    /// key that has signed the bundle.
    async fn write(
        &self,
        file: &tempfile::NamedTempFile,
        recipients: &[bundle::Recipient],
    ) -> Result<(String, String), CommandFailure> {
        let mut reasons = Vec::new();
        for host in self.cluster.control_planes() {
            let name = host.name.as_str();
            match self.fleet.host(name).await {
                Err(error) => reasons.push(error.to_string()),
                Ok(connection) => {
                    file.as_file().set_len(0)?;
                    let sink = BundleOutput::new(file.reopen()?, recipients).or_exit(Exit::Usage)?;
                    if let Some(signer) = self.write_from(&*connection, name, sink).await? {
                        return Ok((name.to_owned(), signer));
                    }
                    reasons.push(format!("{name} carries no etcd of a cluster"));
                }
            }
        }
        let reasons = reasons.join("; ");
        Err(anyhow!(
            "no control plane can give the cluster's state: {reasons}"
        ))
        .or_exit(Exit::Unreachable)
    }

    /// Writes a whole bundle with what a control plane gives, and returns the public key that has signed it. None when it has no etcd.
    async fn write_from(
        &self,
        host: &dyn Transport,
        name: &str,
        sink: BundleOutput,
    ) -> Result<Option<String>, CommandFailure> {
        let traces = recovery::traces(host, name).await.or_exit(Exit::StepFailed)?;
        if !matches!(traces, Traces::ControlPlane | Traces::Restored(_)) {
            return Ok(None);
        }
        let home = self
            .jenkins
            .map(|namespace| JenkinsHome::new(host, name, namespace));
        // Asked first: whoever wants to know that Jenkins can't be reached wants to know it soon.
        let id = match &home {
            Some(home) => Some(home.id().await.context(WITHOUT).or_exit(Exit::StepFailed)?),
            None => None,
        };
        let packer = BundleWriter::begin(sink, &self.about(name, id)).or_exit(Exit::StepFailed)?;
        let etcd = async |sender| recovery::snapshot(host, name, sender).await;
        let (taken, packer) = packed(packer, |packer, pieces| packer.add_archive(pieces), etcd).await?;
        if taken == Snapshot::NoEtcd {
            return Ok(None);
        }
        let mut packer = packer?;
        let signer = self.signer(&packer).or_exit(Exit::StepFailed)?;
        if let Some(home) = home {
            packer = add_home(packer, &home).await?;
        }
        self.end(packer).or_exit(Exit::StepFailed)?;
        Ok(Some(signer))
    }

    /// The public key that the bundle is signed with. One that the inventory does not name would make a bundle that no restore takes.
    fn signer(&self, packer: &BundleWriter<BundleOutput>) -> anyhow::Result<String> {
        let signer = packer
            .signer()?
            .context("the control plane has sent no key to sign the bundle with")?;
        match &self.cluster.backup.signer {
            Some(expected) if *expected != signer => Err(anyhow!(
                "the cluster signs its bundles with another key than `backup.signer` of the inventory names\n\
                 the cluster:   {signer}\n\
                 the inventory: {expected}\n\
                 if the cluster was set up again, write the new key into the inventory"
            )),
            _ => Ok(signer),
        }
    }

    fn end(&self, mut packer: BundleWriter<BundleOutput>) -> anyhow::Result<()> {
        packer.add("inventory.yaml", self.inventory)?;
        packer.finish()?.finish()?;
        Ok(())
    }

    fn about(&self, taken_on: &str, jenkins_home: Option<String>) -> BundleHeader {
        let cluster = self.cluster;
        let networks = &cluster.networks;
        BundleHeader {
            format: bundle::FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            made: self.made.to_owned(),
            cluster: cluster.name.clone(),
            kubernetes: cluster.kubernetes.to_string(),
            endpoint: cluster.endpoint.to_string(),
            networks: [
                networks.pods.to_string(),
                networks.services.to_string(),
                networks.domain.clone(),
            ],
            hosts: cluster.hosts.iter().map(|host| host.name.to_string()).collect(),
            taken_on: taken_on.to_owned(),
            jenkins_home,
        }
    }
}

async fn add_home(
    packer: BundleWriter<BundleOutput>,
    home: &JenkinsHome<'_>,
) -> Result<BundleWriter<BundleOutput>, CommandFailure> {
    let taking = async |sender| home.take(sender).await;
    let (said, packer) = packed(
        packer,
        |packer, pieces| packer.add_in_pieces(JENKINS_HOME, pieces),
        taking,
    )
    .await?;
    if !said.is_empty() {
        writeln!(
            screen::stderr(),
            "Jenkins went on while its home was copied:\n{said}"
        )?;
    }
    packer
}

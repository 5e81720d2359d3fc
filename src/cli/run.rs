//! One run over the cluster, shown as it goes: what `plan` and `apply` have in common.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::apply::{self, RunMode};
use crate::event::{Event, Events};
use crate::fleet::Fleet;
use crate::model::Cluster;
use crate::plan::Plan;
use crate::report::{self, Report, Timings};
use crate::secret::Secrets;
use crate::verify::VerifiedCluster;

use super::admission::Admission;
use super::output::OutputArgs;
use super::preflight::IgnoreArgs;
use super::restore::{CheckedRestore, RestoreArgs};
use super::restore_home::HomeArchive;
use super::screen;
use super::session::{self, CatalogArgs};
use super::{CommandFailure, Exit, OrExit, inventory_file};

/// How long a secret's command may take.
pub(super) const SECRET_LIMIT: Duration = Duration::from_secs(60);

/// How long an interrupted run may take to say what it has done.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What `plan` and `apply` are told.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// The inventory
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    pub(super) file: PathBuf,
    /// Change only this host, `registries` or `cluster`; others are looked at for what it needs from them (may be repeated)
    #[arg(long, value_name = "HOST")]
    limit: Vec<String>,
    #[command(flatten)]
    ignore: IgnoreArgs,
    #[command(flatten)]
    catalog: CatalogArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// A run that can be done: the inventory is valid and the secrets are there.
pub(super) struct PreparedRun<'a> {
    args: &'a RunArgs,
    cluster: Cluster,
    secrets: Secrets,
    restore: Option<CheckedRestore>,
    home: Option<HomeArchive>,
    /// Where the times of its applies and of their verification are shown.
    pub(super) timings: Option<Timings>,
}

impl<'a> PreparedRun<'a> {
    /// Reads and checks everything that can be checked without a host.
    pub(super) fn new(args: &'a RunArgs, restore: Option<&RestoreArgs>) -> Result<Self, CommandFailure> {
        let cluster = super::load(&args.file)?.cluster;
        check_limit(&args.limit, &cluster, &args.file)?;
        let home = restore.map(|given| given.open_home(&cluster)).transpose()?;
        let restore = restore.map(|given| given.open(&cluster)).transpose()?.flatten();
        Ok(Self {
            args,
            restore,
            home: home.flatten(),
            timings: None,
            cluster,
            secrets: Secrets::new(SECRET_LIMIT),
        })
    }

    /// One run from beginning to end. The first Ctrl-C lets running steps finish; the second ends at once.
    pub(super) async fn run(&self, mode: RunMode) -> Result<Report, CommandFailure> {
        self.run_after(0, mode).await
    }

    /// A run after so many changes of the same command, which its report counts as well.
    pub(super) async fn run_after(&self, changes: usize, mode: RunMode) -> Result<Report, CommandFailure> {
        let (plan, fleet) = self.plan_and_fleet().await.or_exit(Exit::Usage)?;
        if let Some(restore) = &self.restore {
            restore.check_hosts(&self.cluster, &fleet).await?;
        }
        let mut options = session::options(&self.cluster, mode, self.args.limit.clone());
        options.changes_before = changes;
        options.restore = self.restore.as_ref().map(|restore| restore.payload.clone());
        let (events, receiver) = Events::channel();
        let admission = Admission::new(&self.cluster, &fleet, &events, &self.args.ignore.ignore, mode);
        options.admission = Some(Arc::new(admission));
        let stop = options.stop.clone();
        let mut shown = self.args.output.report(&self.secrets);
        shown.timings = self.timings.clone().filter(|_| mode == RunMode::Apply);
        let shown = report::start(receiver, shown);
        let teller = events.clone();
        let interrupt = async move {
            interrupted().await;
            stop.store(true, Ordering::Relaxed);
            let text =
                "stopping: steps that run are let finish, none is started; once more ends at once".to_owned();
            teller.send(Event::Note {
                place: "run".to_owned(),
                text,
            });
            let _ = tokio::signal::ctrl_c().await;
        };
        tokio::select! {
            _ = apply::run(plan, fleet, events, options) => {}
            () = interrupt => {
                // The report says what has been done, and leaves the terminal in order.
                let _ = tokio::time::timeout(LAST_WORDS, shown).await;
                return Err(anyhow::anyhow!("interrupted")).or_exit(Exit::Interrupted);
            }
        }
        Ok(shown.await?)
    }

    /// The plan, and connections that are being made meanwhile: a log-in takes longer than the plan.
    async fn plan_and_fleet(&self) -> anyhow::Result<(Plan, Arc<Fleet>)> {
        let catalog = &self.args.catalog;
        let restore = self.restore.as_ref().map(|restore| &*restore.payload);
        let known = self.secrets.all(self.cluster.secrets()).await?;
        let fleet = session::prepare_fleet(&self.cluster, &self.secrets).await?;
        // A user's own playbooks and templates may be wrong, and wrong input never reaches a host.
        if catalog.is_built_in() {
            fleet.dial(|name| self.args.limit.is_empty() || self.args.limit.iter().any(|host| host == name));
        }
        Ok((catalog.plan(&self.cluster, known, restore)?, fleet))
    }

    /// Puts Jenkins' home of the bundle back, where there is one and it has to be. False when nothing was done.
    pub(super) async fn put_home_back(&self) -> Result<bool, CommandFailure> {
        let restored = self.restore.as_ref().and_then(|restore| restore.home.as_ref());
        let Some(home) = self.home.as_ref().or(restored) else {
            return Ok(false);
        };
        let fleet = session::prepare_fleet(&self.cluster, &self.secrets)
            .await
            .or_exit(Exit::Usage)?;
        let lock = session::lock(&self.cluster, &fleet).await?;
        tokio::select! {
            done = home.put_back(&self.cluster, &fleet, &lock) => done,
            () = interrupted() => Err(anyhow::anyhow!("interrupted")).or_exit(Exit::Interrupted),
        }
    }

    /// Tries out what the run has changed, within its limit.
    pub(super) async fn verify(&self) -> Result<Report, CommandFailure> {
        // New connections: the run may have restarted what the old ones went through.
        let fleet = session::prepare_fleet(&self.cluster, &self.secrets).await;
        let fleet = fleet.or_exit(Exit::Usage)?;
        let mut shown = self.args.output.report(&self.secrets);
        shown.timings.clone_from(&self.timings);
        verify(&self.cluster, fleet, shown, &self.args.limit).await
    }

    /// Tells a person what there is now. A program reads the inventory.
    pub(super) fn welcome(&self) -> Result<(), CommandFailure> {
        if let Some(jenkins) = self.cluster.jenkins.as_ref().filter(|_| !self.args.output.json) {
            let inventory = inventory_file::argument(&self.args.file);
            write!(
                screen::stderr(),
                "{}",
                super::jenkins::welcome(jenkins, &inventory)
            )?;
        }
        Ok(())
    }

    /// Whether there is a cluster that could work.
    pub(super) fn has_checks(&self) -> bool {
        crate::verify::has_checks(&self.cluster)
    }
}

/// All checks of the verification, shown as they go. Ctrl-C ends it at once: there is nothing to finish.
pub(super) async fn verify(
    cluster: &Cluster,
    fleet: Arc<Fleet>,
    shown: report::ReportOptions,
    limit: &[String],
) -> Result<Report, CommandFailure> {
    let (events, receiver) = Events::channel();
    let shown = report::start(receiver, shown);
    let site = Arc::new(VerifiedCluster::new(Arc::new(cluster.clone()), fleet));
    tokio::select! {
        () = crate::verify::run(site, events, limit) => Ok(shown.await?),
        () = interrupted() => {
            let _ = tokio::time::timeout(LAST_WORDS, shown).await;
            Err(anyhow::anyhow!("interrupted")).or_exit(Exit::Interrupted)
        }
    }
}

/// Returns when a person interrupts the program.
pub(super) async fn interrupted() {
    // Without a handler there is no way to interrupt: then there is nothing to wait for.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn check_limit(limit: &[String], cluster: &Cluster, file: &Path) -> Result<(), CommandFailure> {
    let unknown = limit
        .iter()
        .find(|name| *name != "cluster" && *name != "registries" && cluster.host(name).is_none());
    let Some(name) = unknown else { return Ok(()) };
    let names: Vec<_> = cluster.hosts.iter().map(|host| host.name.to_string()).collect();
    Err(anyhow::anyhow!(
        "--limit {name}: no such host in {}; there are {}",
        file.display(),
        names.join(", ")
    ))
    .or_exit(Exit::Usage)
}

/// A runtime for commands that talk to hosts.
pub(super) fn block_on<T>(
    future: impl Future<Output = Result<T, CommandFailure>>,
) -> Result<T, CommandFailure> {
    // Two threads are enough for hundreds of hosts: they wait nearly always.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let result = runtime.block_on(future);
    // A look-up or a read of standard input may hang; nobody waits for it any more.
    runtime.shutdown_background();
    result
}

//! `ci-bootstrap status`: how the cluster is, and what is not as planned.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::apply::{self, RunMode};
use crate::cluster_api::{ClusterStatus, FreeSpace, NodeSpace, SharedDirectory};
use crate::event::{Event, Events};
use crate::fleet::Fleet;
use crate::model::Cluster;
use crate::secret::Secrets;

use super::jenkins::JenkinsStatus;
use super::run::{SECRET_LIMIT, block_on, interrupted};
use super::screen;
use super::session::{self, CatalogArgs};
use super::table::Table;
use super::timers::{Timer, timers};
use super::{CommandFailure, Exit, OrExit};
use certificate::Certificate;
use space::ShareSpace;

mod certificate;
mod space;

/// Show nodes, versions, certificates and what is not as planned
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap status inventory.yaml
  ci-bootstrap status inventory.yaml --watch=5
  ci-bootstrap status inventory.yaml --json | jq '.certificates'

Exits with 5 when a node is not ready, a component is not healthy, a certificate ends within 30 days
or a timer could not make its last bundle.")]
pub(super) struct Args {
    /// The inventory
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    file: PathBuf,
    /// Print the status as JSON
    #[arg(long)]
    json: bool,
    /// Show it again every so many seconds (10 without a number), until Ctrl-C
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "10",
        value_parser = clap::value_parser!(u64).range(1..=3600),
        conflicts_with = "json"
    )]
    watch: Option<u64>,
    #[command(flatten)]
    catalog: CatalogArgs,
}

/// Everything that is reported.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusReport {
    cluster: String,
    server: Option<String>,
    version: Option<String>,
    nodes: Vec<NodeStatus>,
    /// What is not healthy.
    problems: Vec<String>,
    certificates: Vec<Certificate>,
    jenkins: Option<JenkinsStatus>,
    /// The room of the share.
    share: Option<ShareSpace>,
    /// Hosts that make bundles by a timer.
    timers: Vec<Timer>,
    /// Changes that an apply would make, by place.
    drift: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeStatus {
    name: String,
    ready: bool,
    roles: String,
    version: String,
    runtime: String,
    address: String,
    /// The room of its disk, and of that of its images.
    disk: Option<FreeSpace>,
    images: Option<FreeSpace>,
}

/// What the API server has told.
struct Answers {
    status: Result<ClusterStatus, String>,
    space: BTreeMap<String, NodeSpace>,
    /// Directories of the share that several claims have.
    shared: Vec<SharedDirectory>,
    jenkins: Option<JenkinsStatus>,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let cluster = super::load(&args.file)?.cluster;
    let Some(seconds) = args.watch else {
        let status = block_on(look(args, &cluster))?;
        if args.json {
            writeln!(screen::stdout(), "{}", serde_json::to_string_pretty(&status)?)?;
        } else {
            write!(screen::stdout(), "{}", status.text())?;
        }
        return Ok(status.exit());
    };
    block_on(watch(args, &cluster, Duration::from_secs(seconds)))
}

/// Clears the screen of a terminal and what has scrolled out of it, and goes to its first place.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";

/// Shows the status again and again until a person has seen enough.
async fn watch(args: &Args, cluster: &Cluster, pause: Duration) -> Result<Exit, CommandFailure> {
    let again = async {
        loop {
            let status = Box::pin(look(args, cluster)).await?;
            if std::io::stdout().is_terminal() {
                write!(std::io::stdout(), "{CLEAR}")?;
            }
            let now = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
            write!(
                screen::stdout(),
                "{now}, every {} s\n{}\n",
                pause.as_secs(),
                status.text()
            )?;
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        ended = again => ended,
        () = interrupted() => Ok(Exit::Interrupted),
    }
}

/// Asks hosts and cluster for everything, by new connections.
async fn look(args: &Args, cluster: &Cluster) -> Result<StatusReport, CommandFailure> {
    let secrets = Secrets::new(SECRET_LIMIT);
    let known = secrets.all(cluster.secrets()).await.or_exit(Exit::Usage)?;
    let plan = args.catalog.plan(cluster, known, None).or_exit(Exit::Usage)?;
    let fleet = session::prepare_fleet(cluster, &secrets)
        .await
        .or_exit(Exit::Usage)?;
    let (drift, certificates, timers, answers) = futures::join!(
        drift(plan, &fleet, cluster),
        certificate::all(&fleet, cluster),
        timers(&fleet, cluster),
        ask(&fleet, cluster)
    );
    let mut status = StatusReport::new(cluster, drift, certificates, answers);
    status.problems.extend(timers.iter().filter_map(Timer::problem));
    status.timers = timers;
    Ok(status)
}

/// What an apply would change: the same look at the hosts that `plan` takes.
async fn drift(
    plan: crate::plan::Plan,
    fleet: &Arc<Fleet>,
    cluster: &Cluster,
) -> BTreeMap<String, Vec<String>> {
    let (events, mut receiver) = Events::channel();
    let options = session::options(cluster, RunMode::Plan, Vec::new());
    apply::run(plan, fleet.clone(), events, options).await;
    let mut drift: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Ok(event) = receiver.try_recv() {
        let (place, line) = match event {
            Event::StepStarted {
                place, step, summary, ..
            } => (place, format!("{step}: {summary}")),
            Event::PlaceFailed { place, failure, .. } => (place, failure.message),
            _ => continue,
        };
        drift.entry(place).or_default().push(line);
    }
    drift
}

/// The cluster's own word, through the first control plane that gives one.
async fn ask(fleet: &Fleet, cluster: &Cluster) -> Answers {
    let access = match session::access(cluster, fleet).await {
        Ok(access) => access,
        Err(reason) => {
            return Answers {
                status: Err(reason),
                space: BTreeMap::new(),
                shared: Vec::new(),
                jenkins: None,
            };
        }
    };
    let api = &access.api;
    let of_cluster = async {
        let status = api.status().await.map_err(|error| error.to_string());
        let nodes = status.as_ref().map_or(&[][..], |status| &status.nodes);
        let space = space::of_nodes(api, nodes).await;
        (status, space)
    };
    let ((status, space), jenkins, shared) = futures::join!(
        of_cluster,
        JenkinsStatus::ask(cluster, api),
        api.shared_directories()
    );
    Answers {
        // Where the API server does not answer, all that is asked of it says so.
        status: shared.as_ref().map_err(ToString::to_string).and(status),
        space,
        shared: shared.unwrap_or_default(),
        jenkins,
    }
}

impl StatusReport {
    fn new(
        cluster: &Cluster,
        drift: BTreeMap<String, Vec<String>>,
        certificates: Vec<Certificate>,
        answers: Answers,
    ) -> Self {
        let mut status = Self {
            cluster: cluster.name.clone(),
            server: None,
            version: None,
            nodes: Vec::new(),
            problems: Vec::new(),
            certificates,
            jenkins: answers.jenkins,
            share: ShareSpace::find(cluster, &answers.space),
            timers: Vec::new(),
            drift,
        };
        match answers.status {
            Ok(api) => status.take(api, answers.space),
            Err(reason) => status.problems.push(reason),
        }
        let shared = answers.shared.iter().map(space::shared_directory_problem);
        status.problems.extend(shared);
        let full = status.share.as_ref().and_then(ShareSpace::problem);
        status.problems.extend(full);
        let asked = status
            .jenkins
            .as_ref()
            .and_then(|jenkins| jenkins.problem.clone());
        status.problems.extend(asked);
        let soon = status
            .certificates
            .iter()
            .filter(|certificate| certificate.ends_soon());
        let soon = soon.map(|c| {
            format!(
                "certificate {} on {} ends in {} days: `ci-bootstrap renew`",
                c.name, c.host, c.days_left
            )
        });
        status.problems.extend(soon.collect::<Vec<_>>());
        status
    }

    fn take(&mut self, api: ClusterStatus, mut space: BTreeMap<String, NodeSpace>) {
        self.server = Some(api.server);
        self.version = Some(api.version);
        for node in api.nodes {
            if !node.ready {
                self.problems.push(format!("node {} is not ready", node.name));
            }
            self.problems
                .extend(space::pressures(&node.name, &node.conditions));
            let space = space.remove(&node.name).unwrap_or_default();
            let role = |label: &String| label.strip_prefix("node-role.kubernetes.io/").map(str::to_owned);
            let roles: Vec<_> = node.labels.keys().filter_map(role).collect();
            self.nodes.push(NodeStatus {
                name: node.name,
                ready: node.ready,
                roles: if roles.is_empty() {
                    "worker".to_owned()
                } else {
                    roles.join(",")
                },
                version: node.version,
                runtime: node.runtime,
                address: node.internal_ip.unwrap_or_default(),
                disk: space.disk,
                images: space.images,
            });
        }
        let sick = api.health.into_iter().filter(|check| !check.healthy);
        self.problems
            .extend(sick.map(|check| format!("{} is not healthy: {}", check.name, check.detail)));
        let behind = api.workloads.into_iter().filter(|workload| !workload.ready);
        self.problems
            .extend(behind.map(|workload| format!("{}: {}", workload.target, workload.state)));
    }

    fn exit(&self) -> Exit {
        match (&self.server, self.problems.is_empty()) {
            (None, _) => Exit::Unreachable,
            (Some(_), true) => Exit::Done,
            (Some(_), false) => Exit::VerificationFailed,
        }
    }

    fn text(&self) -> String {
        let mut text = match (&self.server, &self.version) {
            (Some(server), Some(version)) => {
                format!("{}: Kubernetes {version} at {server}\n\n", self.cluster)
            }
            _ => format!("{}: the API server does not answer\n\n", self.cluster),
        };
        let mut nodes = Table::new([
            "NODE", "STATE", "ROLES", "VERSION", "RUNTIME", "ADDRESS", "DISK", "IMAGES",
        ]);
        for node in &self.nodes {
            let state = if node.ready { "ready" } else { "NOT READY" };
            nodes.row([
                &node.name,
                state,
                &node.roles,
                &node.version,
                &node.runtime,
                &node.address,
                &node.disk.map(space::shown).unwrap_or_default(),
                &node.images.map(space::shown).unwrap_or_default(),
            ]);
        }
        text += &nodes.to_string();
        if let Some(first) = self
            .certificates
            .iter()
            .min_by_key(|certificate| certificate.days_left)
        {
            text += &format!(
                "\ncertificates: the first to expire is {} on {}, in {} days\n",
                first.name, first.host, first.days_left
            );
        }
        if let Some(share) = &self.share {
            text += &share.text();
        }
        if let Some(jenkins) = &self.jenkins {
            text += &jenkins.text();
        }
        text.extend(self.timers.iter().map(Timer::text));
        let list = |title: &str, lines: Vec<String>| match lines.as_slice() {
            [] => format!("{title}: none\n"),
            lines => format!("{title}:\n  {}\n", lines.join("\n  ")),
        };
        text += &list("problems", self.problems.clone());
        let drift = self
            .drift
            .iter()
            .flat_map(|(place, lines)| lines.iter().map(move |line| format!("{place}: {line}")));
        text + &list("not as planned", drift.collect())
    }
}

//! `ci-bootstrap preflight`: what would break an apply?

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::event::{CheckResult, Event, Events, PlaceSize};
use crate::fleet::Fleet;
use crate::model::{Cluster, PreflightCheck};
use crate::preflight::{Depth, Preflight, examine};
use crate::report;
use crate::secret::Secrets;

use super::output::OutputArgs;
use super::run::{SECRET_LIMIT, block_on, interrupted};
use super::session;
use super::{CommandFailure, Exit, OrExit};

/// Look for what would break an apply: ports between hosts, clocks, disks, identities, repositories
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap preflight inventory.yaml
  ci-bootstrap preflight inventory.yaml --ignore disk-latency
  ci-bootstrap preflight inventory.yaml --json | jq 'select(.result == \"failed\")'

Nothing is changed. To measure the disk of etcd, one file is written that has no name and is gone
afterwards. docs/preflight.md explains each check. Exits with 4 when a check fails.")]
pub(super) struct Args {
    /// The inventory
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    file: PathBuf,
    #[command(flatten)]
    ignore: IgnoreArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Checks that are left out.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct IgnoreArgs {
    /// Leave out the findings of this check of `preflight` (may be repeated)
    #[arg(long, value_name = "CHECK", value_parser = check)]
    pub(super) ignore: Vec<PreflightCheck>,
}

fn check(name: &str) -> Result<PreflightCheck, String> {
    let found = PreflightCheck::ALL.into_iter().find(|check| check.name() == name);
    found.ok_or_else(|| {
        let names: Vec<_> = PreflightCheck::ALL.iter().map(|check| check.name()).collect();
        format!("there are {}", names.join(", "))
    })
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let cluster = super::load(&args.file)?.cluster;
    block_on(async {
        let secrets = Secrets::new(SECRET_LIMIT);
        let fleet = session::prepare_fleet(&cluster, &secrets)
            .await
            .or_exit(Exit::Usage)?;
        let (events, receiver) = Events::channel();
        let shown = report::start(receiver, args.output.report(&secrets));
        tokio::select! {
            () = tell(&cluster, &fleet, &args.ignore, &events) => Ok(shown.await?.exit_code()),
            () = interrupted() => Err(anyhow::anyhow!("interrupted")).or_exit(Exit::Interrupted),
        }
    })
}

/// The check without which a host is asked nothing: that it can be logged in to, as root.
const LOGIN: &str = "login";

/// Looks at all hosts, and tells what each check came to.
async fn tell(cluster: &Cluster, fleet: &Fleet, ignore: &IgnoreArgs, events: &Events) {
    let began = Instant::now();
    let place = |host: &crate::model::Host| PlaceSize {
        place: host.name.to_string(),
        steps: PreflightCheck::ALL.len() + 1,
    };
    events.send(Event::Started {
        command: "preflight".to_owned(),
        cluster: cluster.name.clone(),
        places: cluster.hosts.iter().map(place).collect(),
    });
    let preflight = examine(cluster, fleet, Depth::Measure)
        .await
        .without(&ignore.ignore);
    let took = began.elapsed();
    let failed = cluster
        .hosts
        .iter()
        .filter(|host| !tell_host(&preflight, host.name.as_str(), took, events))
        .count();
    events.send(Event::Finished {
        done: cluster.hosts.len() - failed,
        failed,
        blocked: 0,
        changes: 0,
        took,
    });
}

/// Tells what is known of one host; whether nothing is wrong with it.
fn tell_host(preflight: &Preflight, host: &str, took: Duration, events: &Events) -> bool {
    let place = || host.to_owned();
    for text in preflight.warnings(host) {
        events.send(Event::Note { place: place(), text });
    }
    let mut is_well = true;
    let checks = PreflightCheck::ALL.map(|check| (check.name(), preflight.result(check, host)));
    let checks = std::iter::once((LOGIN, Some(preflight.login(host)))).chain(checks);
    for (check, result) in checks {
        let Some(result) = result else { continue };
        is_well &= !matches!(result, CheckResult::Failed { .. });
        events.send(Event::Checked {
            place: place(),
            check: check.to_owned(),
            result,
            took,
        });
    }
    events.send(Event::PlaceDone {
        place: place(),
        changed: 0,
        unchanged: PreflightCheck::ALL.len() + 1,
    });
    is_well
}

//! Making the hosts and the cluster what the plan says: the only writer, and the engine that plans use without writing.
//!
//! Every place has a task of its own; tasks meet only at milestones. A run with nothing to do is one script per host.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::sync::OnceCell;

use crate::bundle::RestoreArchive;
use crate::cluster_api::Api;
use crate::event::{Class, Event, Events, Failure, PlaceSize};
use crate::fleet::Fleet;
use crate::plan::{Milestone, Place, Plan, Track};

mod access;
#[cfg(test)]
mod account_tests;
mod action_input;
mod admission;
mod batch;
mod bootstrap_decision;
mod cluster_steps;
mod failure;
mod gates;
mod host_track;
mod join_credentials;
mod listener;
mod lock;
mod lost_node;
mod milestones;
mod selection;
mod stale;
#[cfg(test)]
mod tests;
mod turns;
mod unwritten;

use bootstrap_decision::BootstrapDecision;
use join_credentials::JoinCredentialCache;
use milestones::{Blocked, Milestones};
use turns::Groups;

pub use lock::{Lock, LockError};

pub use admission::Admission;

pub use access::{AccessError, ApiAccess, read_kubeconfig};

/// A shorter wait than this is not reported.
const NOTICEABLE: Duration = Duration::from_secs(1);

/// What a run may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunMode {
    /// Look, and say what differs.
    Plan,
    /// Make it so.
    Apply,
}

/// How a run is done.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Look or write.
    pub mode: RunMode,
    /// Hosts whose tracks may change something; empty for all. Others are looked at, for the milestones they provide.
    pub limit: Vec<String>,
    /// Hosts with the role control-plane, in the inventory's order.
    pub control_planes: Vec<String>,
    /// Addresses of all hosts by name.
    pub addresses: BTreeMap<String, String>,
    /// `host:port` at which nodes reach the API server.
    pub endpoint: String,
    /// What the cluster is restored from, where it is.
    pub restore: Option<Arc<RestoreArchive>>,
    /// Changes that the same command has made before this run, and that count as its own.
    pub changes_before: usize,
    /// Who is asked before a host that isn't a node is changed.
    pub admission: Option<Arc<dyn Admission>>,
    /// What another run is told about this one.
    pub holder: String,
    /// Set when running steps shall finish and none start.
    pub stop: Arc<AtomicBool>,
}

impl RunOptions {
    /// A run of which nothing is asked but its mode: no host of the inventory is named yet.
    pub fn new(mode: RunMode) -> Self {
        Self {
            mode,
            limit: Vec::new(),
            control_planes: Vec::new(),
            addresses: BTreeMap::new(),
            endpoint: String::new(),
            restore: None,
            changes_before: 0,
            admission: None,
            holder: String::new(),
            stop: Arc::default(),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutcome {
    /// Changes made; in a plan, changes wanted.
    pub changes: usize,
    /// Failures by place.
    pub failures: BTreeMap<String, Failure>,
}

/// Everything that the tasks of a run share.
struct Run {
    fleet: Arc<Fleet>,
    events: Events,
    options: RunOptions,
    /// Every host of the plan, control planes first.
    hosts: Vec<String>,
    milestones: Milestones,
    bootstrap: BootstrapDecision,
    lock: Lock,
    join_credentials: JoinCredentialCache,
    groups: Groups,
    /// Held by whoever needs the API server; by one alone that restarts it.
    api_in_use: tokio::sync::RwLock<()>,
    /// A control plane through which the API server can be asked, once there is one.
    gateway: OnceCell<String>,
    access: OnceCell<Result<ApiAccess, AccessError>>,
    /// The places that may still provide each milestone.
    providers: std::sync::Mutex<BTreeMap<Milestone, BTreeSet<String>>>,
    changes: AtomicUsize,
}

/// Runs a plan to its end. Every place comes to an end of its own; nothing one place does keeps another from its end,
/// but a milestone that it owed.
pub async fn run(plan: Plan, fleet: Arc<Fleet>, events: Events, options: RunOptions) -> RunOutcome {
    let began = Instant::now();
    let places = plan.tracks.iter().map(size).collect();
    let command = if options.mode == RunMode::Plan {
        "plan"
    } else {
        "apply"
    };
    events.send(Event::Started {
        command: command.to_owned(),
        cluster: plan.cluster.clone(),
        places,
    });
    let run = Arc::new(Run::new(&plan, fleet, events, options));
    let mut tasks = tokio::task::JoinSet::new();
    for track in plan.tracks {
        let run = run.clone();
        tasks.spawn(async move {
            let place = track.place.to_string();
            (place, run.track(track).await)
        });
    }
    let mut failures = BTreeMap::new();
    let mut done = 0;
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok((_, Ok(()))) => done += 1,
            Ok((place, Err(failure))) => drop(failures.insert(place, failure)),
            Err(panic) => drop(failures.insert("?".to_owned(), failure::bug(&panic.to_string()))),
        }
    }
    run.tell_of_left_nodes().await;
    run.delete_token().await;
    run.finish(done, failures, began)
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the program panicked: {}", text.unwrap_or("without a word"))
}

fn size(track: &Track) -> PlaceSize {
    PlaceSize {
        place: track.place.to_string(),
        steps: track.heads().count(),
    }
}

impl Run {
    fn new(plan: &Plan, fleet: Arc<Fleet>, events: Events, options: RunOptions) -> Self {
        let mut providers: BTreeMap<Milestone, BTreeSet<String>> = BTreeMap::new();
        for track in &plan.tracks {
            for milestone in track.heads().flat_map(|head| &head.provides) {
                providers
                    .entry(milestone.clone())
                    .or_default()
                    .insert(track.place.to_string());
            }
        }
        let mut hosts = options.control_planes.clone();
        hosts.extend(plan.tracks.iter().filter_map(|track| match &track.place {
            Place::Host(name) if !options.control_planes.contains(name) => Some(name.clone()),
            _ => None,
        }));
        Self {
            hosts,
            lock: Lock::new(&options),
            bootstrap: BootstrapDecision::new(options.control_planes.clone()),
            changes: AtomicUsize::new(options.changes_before),
            fleet,
            events,
            options,
            milestones: Milestones::new(),
            join_credentials: JoinCredentialCache::default(),
            groups: Groups::new(&plan.limits),
            api_in_use: tokio::sync::RwLock::default(),
            gateway: OnceCell::new(),
            access: OnceCell::new(),
            providers: std::sync::Mutex::new(providers),
        }
    }

    /// One place from its beginning to its end; what it owed and did not make becomes unavailable.
    async fn track(&self, track: Track) -> Result<(), Failure> {
        let place = track.place.to_string();
        let owed: Vec<_> = track.heads().flat_map(|head| head.provides.clone()).collect();
        // A panic must not leave others waiting for what this track owes.
        let ended = AssertUnwindSafe(self.steps_of(track)).catch_unwind().await;
        let ended = ended.unwrap_or_else(|panic| Err((None, failure::bug(&said(&*panic)))));
        let reason = match &ended {
            // What is known stays known: this only reaches milestones that a step of the track left out.
            Ok(()) => format!("{place} has nothing to do with it"),
            Err((_, failure)) => format!("{place} did not get there: {}", failure.message),
        };
        for milestone in &owed {
            self.give_up(&place, milestone, &reason);
        }
        if let Err((step, failure)) = &ended {
            self.bootstrap.silent(&place, &failure.message);
            let (step, failure) = (step.clone(), failure.clone());
            let (class, at) = (failure.class, place.clone());
            self.events.send(Event::PlaceFailed {
                place: at,
                step,
                failure,
            });
            if class == Class::Unreachable {
                self.tell_of_lost_node(&place).await;
            }
        }
        ended.map_err(|(_, failure)| failure)
    }

    /// All steps of a track, in their order.
    async fn steps_of(&self, track: Track) -> Result<(), (Option<String>, Failure)> {
        let tally = match &track.place {
            Place::Host(name) => self.host_track(name, &track.steps).await?,
            Place::Cluster | Place::Registries => self.cluster_steps(&track).await?,
        };
        self.changes.fetch_add(tally.changed, Ordering::Relaxed);
        let place = track.place.to_string();
        self.events.send(Event::PlaceDone {
            place,
            changed: tally.changed,
            unchanged: tally.unchanged,
        });
        Ok(())
    }

    /// A place will not make a milestone. When no other may, those that wait for it get the reason.
    fn give_up(&self, place: &str, milestone: &Milestone, reason: &str) {
        let last = {
            let mut providers = self
                .providers
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let left = providers.entry(milestone.clone()).or_default();
            left.remove(place);
            left.is_empty()
        };
        self.milestones.give_up(milestone, reason, last);
    }

    /// Whether a track of the plan makes this milestone. One that nobody makes must not be waited for.
    fn is_owed(&self, milestone: &Milestone) -> bool {
        let providers = self
            .providers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        providers.contains_key(milestone)
    }

    /// Makes milestones known. The first control plane to provide the API server is the way to it.
    fn provide(&self, place: &str, milestones: &[Milestone]) {
        for milestone in milestones {
            if *milestone == Milestone::ApiServer {
                // Somebody was first; both ways lead to the same cluster.
                let _ = self.gateway.set(place.to_owned());
            }
            self.milestones.provide(milestone);
        }
    }

    /// Waits for milestones; says whether there was anything to wait for. A wait that a person could notice is reported.
    async fn wait_for(&self, place: &str, step: &str, needs: &[Milestone]) -> Result<bool, Blocked> {
        let missing = self.milestones.missing(needs);
        if missing.is_empty() {
            return Ok(false);
        }
        let mut waiting = std::pin::pin!(self.milestones.wait(&missing));
        if let Ok(waited) = tokio::time::timeout(NOTICEABLE, &mut waiting).await {
            return waited.map(|()| true);
        }
        let on = missing
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" and ");
        self.events.send(Event::Waiting {
            place: place.to_owned(),
            step: step.to_owned(),
            on,
        });
        waiting.await.map(|()| true)
    }

    async fn access(&self) -> Result<&ApiAccess, AccessError> {
        let Some(gateway) = self.gateway.get() else {
            return Err(AccessError::Api(
                "no control plane of the cluster is known".to_owned(),
            ));
        };
        self.access
            .get_or_init(|| ApiAccess::open(&self.fleet, gateway))
            .await
            .as_ref()
            .map_err(Clone::clone)
    }

    async fn api(&self) -> Result<&Api, AccessError> {
        Ok(&self.access().await?.api)
    }

    fn may_change(&self, place: &str) -> bool {
        let limit = &self.options.limit;
        self.options.mode == RunMode::Apply && (limit.is_empty() || limit.iter().any(|name| name == place))
    }

    fn stopping(&self) -> bool {
        self.options.stop.load(Ordering::Relaxed)
    }

    async fn delete_token(&self) {
        if let Some(Ok(access)) = self.access.get()
            && let Err(error) = self.join_credentials.delete_token(access).await
        {
            let text = format!(
                "a join token could not be deleted and expires by itself within half an hour: {error}"
            );
            self.events.send(Event::Note {
                place: "cluster".to_owned(),
                text,
            });
        }
    }

    fn finish(&self, done: usize, failures: BTreeMap<String, Failure>, began: Instant) -> RunOutcome {
        let changes = self.changes.load(Ordering::Relaxed);
        let blocked = failures
            .values()
            .filter(|failure| failure.class == Class::Blocked)
            .count();
        let failed = failures.len() - blocked;
        self.events.send(Event::Finished {
            done,
            failed,
            blocked,
            changes,
            took: began.elapsed(),
        });
        RunOutcome { changes, failures }
    }
}

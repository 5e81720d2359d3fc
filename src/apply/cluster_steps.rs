//! Steps that are done by requests to the API server or a registry: read, compare, write, read again.

use std::sync::Arc;
use std::time::Instant;

use crate::cluster_api::Api;
use crate::cluster_resource::DesiredResource;
use crate::event::{Event, Failure};
use crate::plan::{ClusterStep, Track};
use crate::resource::{Change, Comparison};
use crate::transport::Transport;

use super::host_track::{StepCounts, Stopped};
use super::{Run, RunMode, failure};

/// How often something is waited for that comes and goes.
const WAITS: u32 = 5;

/// What became of a step that is in sync by now, or whose difference a plan has told.
pub(super) struct Passed {
    /// Whether it changed something (or, in a plan, would).
    pub(super) changed: bool,
    /// Whether time has passed in which the host may have become another.
    pub(super) took_time: bool,
}

impl Passed {
    fn new(changed: bool, took_time: bool) -> Self {
        Self { changed, took_time }
    }
}

/// What a look at a step has come to.
pub(super) enum Observed {
    /// There is nothing to do for it, or nothing that may be done.
    Passed(Passed),
    /// It is to be changed.
    Differs(Change),
}

impl Run {
    /// Brings steps into sync by requests, or says what differs.
    pub(super) async fn cluster_steps(&self, track: &Track) -> Result<StepCounts, Stopped> {
        let place = track.place.to_string();
        let mut tally = StepCounts::default();
        for step in track.cluster_steps() {
            let passed = self.cluster_step(&place, step).await;
            let passed = passed.map_err(|failure| (Some(step.head.name.clone()), failure))?;
            tally.add(passed.changed);
        }
        Ok(tally)
    }

    async fn cluster_step(&self, place: &str, step: &ClusterStep) -> Result<Passed, Failure> {
        match self.observe(place, step).await? {
            Observed::Passed(passed) => Ok(passed),
            Observed::Differs(change) => self.bring(place, step, change).await,
        }
    }

    /// Looks at one step when its milestones are known. A difference that may not be changed is told, and passed.
    pub(super) async fn observe(&self, place: &str, step: &ClusterStep) -> Result<Observed, Failure> {
        let waited = match self.wait_for(place, &step.head.name, &step.head.needs).await {
            Ok(waited) => waited,
            Err(blocked) if self.options.mode == RunMode::Plan => {
                self.give_up_step(place, step, &blocked.reason);
                let change = Change::new(format!("({})", blocked.reason));
                let changed = self.planned(place, step, &change);
                return Ok(Observed::Passed(Passed::new(changed, true)));
            }
            Err(blocked) => return Err(failure::blocked(&blocked)),
        };
        let _in_use = self.api_in_use.read().await;
        let change = match self.observed(step).await? {
            Comparison::InSync => {
                self.provide(place, &step.head.provides);
                return Ok(Observed::Passed(Passed::new(false, waited)));
            }
            Comparison::Refused(why) => return Err(failure::refused(&step.head, &why)),
            Comparison::Differs(change) => change,
        };
        if !self.may_change(place) {
            let reason = if self.options.mode == RunMode::Plan {
                format!("known after apply on {place}")
            } else {
                format!("{place} is not in --limit")
            };
            self.give_up_step(place, step, &reason);
            let changed = self.options.mode == RunMode::Plan && self.planned(place, step, &change);
            return Ok(Observed::Passed(Passed::new(changed, waited)));
        }
        Ok(Observed::Differs(change))
    }

    async fn server(&self) -> Result<&Api, Failure> {
        self.api().await.map_err(|error| failure::access(&error))
    }

    /// The first host that answers, control planes before others: it carries requests to registries.
    async fn any_host(&self) -> Result<Arc<dyn Transport>, Failure> {
        let mut failed = failure::bug("a plan without hosts");
        for name in &self.hosts {
            match self.fleet.host(name).await {
                Ok(host) => return Ok(host),
                Err(error) => failed = failure::transport(&error),
            }
        }
        Err(failed)
    }

    async fn observed(&self, step: &ClusterStep) -> Result<Comparison, Failure> {
        let verdict = match &step.resource {
            DesiredResource::Cluster(resource) => resource.observe(self.server().await?).await,
            DesiredResource::Registry(resource) => resource.observe(&self.any_host().await?).await,
        };
        verdict.map_err(|error| failure::cluster_step(&step.head, &error))
    }

    /// Makes a change and looks whether it is so now. What was waited for may be gone again, as pods are while their nodes come back:
    /// that is waited for once more.
    pub(super) async fn bring(
        &self,
        place: &str,
        step: &ClusterStep,
        mut change: Change,
    ) -> Result<Passed, Failure> {
        let _in_use = self.api_in_use.read().await;
        let mut rounds = if step.resource.only_waits() { WAITS } else { 1 };
        loop {
            self.make(place, step, &change).await?;
            rounds -= 1;
            match self.observed(step).await? {
                Comparison::InSync => {
                    self.provide(place, &step.head.provides);
                    return Ok(Passed::new(!step.resource.only_waits(), true));
                }
                Comparison::Refused(why) => return Err(failure::refused(&step.head, &why)),
                Comparison::Differs(again) if rounds > 0 => change = again,
                Comparison::Differs(change) => {
                    return Err(failure::did_not_converge(&step.head, &change.detail));
                }
            }
        }
    }

    fn give_up_step(&self, place: &str, step: &ClusterStep, reason: &str) {
        step.head
            .provides
            .iter()
            .for_each(|milestone| self.give_up(place, milestone, reason));
    }

    fn planned(&self, place: &str, step: &ClusterStep, change: &Change) -> bool {
        if step.resource.only_waits() {
            return false;
        }
        let (place, step) = (place.to_owned(), step.head.name.clone());
        let (summary, detail) = (change.summary.clone(), change.detail.clone());
        self.events.send(Event::StepStarted {
            place,
            step,
            summary,
            detail,
        });
        true
    }

    async fn make(&self, place: &str, step: &ClusterStep, change: &Change) -> Result<(), Failure> {
        if self.stopping() {
            return Err(failure::stopped());
        }
        self.lock
            .take(&self.fleet)
            .await
            .map_err(|error| failure::no_lock(&error))?;
        let (at, name) = (place.to_owned(), step.head.name.clone());
        if step.resource.only_waits() {
            self.events.send(Event::Waiting {
                place: at,
                step: name,
                on: change.summary.clone(),
            });
        } else {
            let (summary, detail) = (change.summary.clone(), change.detail.clone());
            self.events.send(Event::StepStarted {
                place: at,
                step: name,
                summary,
                detail,
            });
        }
        let began = Instant::now();
        let say = |line: String| {
            self.events.send(Event::Output {
                place: place.to_owned(),
                step: step.head.name.clone(),
                line,
            });
        };
        let made = match &step.resource {
            DesiredResource::Cluster(resource) => resource.act(self.server().await?, &say).await,
            DesiredResource::Registry(resource) => resource.act(&self.any_host().await?, &say).await,
        };
        made.map_err(|error| failure::cluster_step(&step.head, &error))?;
        if !step.resource.only_waits() {
            let (place, step) = (place.to_owned(), step.head.name.clone());
            self.events.send(Event::StepDone {
                place,
                step,
                took: began.elapsed(),
            });
        }
        Ok(())
    }
}

//! Steps that are done by requests to the API server or a registry: read, compare, write, read again.

use std::sync::Arc;
use std::time::Instant;

use crate::cluster_api::Api;
use crate::cluster_resource::Desired;
use crate::event::{Event, Failure};
use crate::plan::{ClusterStep, Place};
use crate::resource::{Change, Verdict};
use crate::transport::Transport;

use super::host_track::Tally;
use super::{Mode, Run, failure};

type Stopped = (Option<String>, Failure);

/// How often something is waited for that comes and goes.
const WAITS: u32 = 5;

impl Run {
    /// Brings steps into sync by requests, or says what differs.
    pub(super) async fn cluster_steps(
        &self,
        place: &Place,
        steps: &[ClusterStep],
        tally: &mut Tally,
    ) -> Result<(), Stopped> {
        let place = place.to_string();
        for step in steps {
            let done = self
                .cluster_step(&place, step)
                .await
                .map_err(|failure| (Some(step.head.name.clone()), failure))?;
            if done {
                tally.changed += 1;
            } else {
                tally.unchanged += 1;
            }
        }
        Ok(())
    }

    /// One step; says whether it changed something (or, in a plan, would).
    async fn cluster_step(&self, place: &str, step: &ClusterStep) -> Result<bool, Failure> {
        if let Err(blocked) = self.wait_for(place, &step.head.name, &step.head.needs).await {
            if self.options.mode == Mode::Plan {
                self.give_up_step(place, step, &blocked.reason);
                return Ok(self.planned(place, step, &Change::new(format!("({})", blocked.reason))));
            }
            return Err(failure::blocked(&blocked));
        }
        let _in_use = self.api_in_use.read().await;
        let change = match self.observed(step).await? {
            Verdict::InSync => {
                self.provide(place, &step.head.provides);
                return Ok(false);
            }
            Verdict::Refused(why) => return Err(failure::refused(&step.head, &why)),
            Verdict::Differs(change) => change,
        };
        if !self.may_change(place) {
            let reason = if self.options.mode == Mode::Plan {
                format!("known after apply on {place}")
            } else {
                format!("{place} is not in --limit")
            };
            self.give_up_step(place, step, &reason);
            return Ok(self.options.mode == Mode::Plan && self.planned(place, step, &change));
        }
        self.bring(place, step, change).await?;
        self.provide(place, &step.head.provides);
        Ok(!step.resource.only_waits())
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

    async fn observed(&self, step: &ClusterStep) -> Result<Verdict, Failure> {
        let verdict = match &step.resource {
            Desired::Cluster(resource) => resource.observe(self.server().await?).await,
            Desired::Registry(resource) => resource.observe(&self.any_host().await?).await,
        };
        verdict.map_err(|error| failure::cluster_step(&step.head, &error))
    }

    /// Makes a change and looks whether it is so now. What was waited for may be gone again, as pods are while their nodes come back:
    /// that is waited for once more.
    async fn bring(&self, place: &str, step: &ClusterStep, mut change: Change) -> Result<(), Failure> {
        let mut rounds = if step.resource.only_waits() { WAITS } else { 1 };
        loop {
            self.make(place, step, &change).await?;
            rounds -= 1;
            match self.observed(step).await? {
                Verdict::InSync => return Ok(()),
                Verdict::Refused(why) => return Err(failure::refused(&step.head, &why)),
                Verdict::Differs(again) if rounds > 0 => change = again,
                Verdict::Differs(change) => {
                    return Err(failure::did_not_converge(&step.head, &change.detail));
                }
            }
        }
    }

    fn give_up_step(&self, place: &str, step: &ClusterStep, reason: &str) {
        step.head
            .provides
            .iter()
            .for_each(|fact| self.give_up(place, fact, reason));
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
            Desired::Cluster(resource) => resource.act(self.server().await?, &say).await,
            Desired::Registry(resource) => resource.act(&self.any_host().await?, &say).await,
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

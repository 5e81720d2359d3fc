//! One host's steps: look once, then change and look again until nothing differs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::event::{Event, Failure};
use crate::observe::{self, StepState};
use crate::plan::{HostStep, Milestone, Step};
use crate::resource::{Action, HostState, Separator};
use crate::transport::{Script, ScriptOutput, Transport};

use super::batch::{self, OutputLine};
use super::gates::Gates;
use super::listener::BatchListener;
use super::turns::Turns;
use super::{Run, RunMode, failure, selection};

/// A probe takes this long at the most.
const PROBE: Duration = Duration::from_secs(120);
/// Work that an earlier run began is awaited this long.
const UNFINISHED: Duration = Duration::from_secs(3000);
/// A step that has to be done this often is undone by another.
const ROUNDS: usize = 3;
/// Pieces of output that may wait to be reported.
const WAITING: usize = 64;

/// What became of a place's steps.
#[derive(Debug, Default)]
pub(super) struct StepCounts {
    pub(super) changed: usize,
    pub(super) unchanged: usize,
}

impl StepCounts {
    /// Counts one step.
    pub(super) fn add(&mut self, changed: bool) {
        if changed {
            self.changed += 1;
        } else {
            self.unchanged += 1;
        }
    }
}

/// A failure with the step it belongs to.
pub(super) type Stopped = (Option<String>, Failure);

impl Run {
    /// Brings a host's steps into sync, or says what differs.
    pub(super) async fn host_track(&self, name: &str, steps: &[Step]) -> Result<StepCounts, Stopped> {
        self.events.send(Event::Connecting {
            place: name.to_owned(),
        });
        let host = self
            .fleet
            .host(name)
            .await
            .map_err(|error| (None, failure::transport(&error)))?;
        let turns = Turns::new(name, steps);
        let (steps, gates) = Gates::split(steps);
        let done = vec![0; steps.len()];
        HostTrackRun {
            run: self,
            name,
            host,
            steps,
            gates,
            turns,
            done,
            under_lock: false,
            asks_admission: false,
        }
        .run()
        .await
    }
}

/// The state of one host's track.
pub(super) struct HostTrackRun<'a> {
    pub(super) run: &'a Run,
    pub(super) name: &'a str,
    pub(super) host: Arc<dyn Transport>,
    /// The steps on the host.
    pub(super) steps: Vec<&'a HostStep>,
    /// The steps between them.
    pub(super) gates: Gates<'a>,
    turns: Turns,
    /// How often each step was done.
    done: Vec<usize>,
    /// Whether the last look happened while we held the cluster's lock.
    under_lock: bool,
    /// Whether it has yet to be asked if the host may be changed.
    pub(super) asks_admission: bool,
}

impl HostTrackRun<'_> {
    async fn run(mut self) -> Result<StepCounts, Stopped> {
        let mut from = 0;
        let mut seen = self.look(from).await?;
        let mut first_look = true;
        loop {
            let found = self.compare(from, &seen)?;
            self.tell(from, &found, &seen);
            if std::mem::take(&mut first_look) {
                self.report(&found);
                self.asks_admission = self.is_newcomer(&seen);
                if !self.run.may_change(self.name) {
                    return self.end_as_planned(found).await;
                }
            }
            let offset = found.iter().position(|found| !found.is_settled());
            let next = from + offset.unwrap_or(found.len());
            if self.pass(next).await? && next < self.steps.len() {
                seen = self.look(from).await?;
                continue;
            }
            self.turns.leave(self.gates.position(next));
            let Some(offset) = offset else { break };
            if let Some(fresh) = self.prepare(next, &found[offset], from).await? {
                seen = fresh;
                continue;
            }
            let end = self.gates.next().unwrap_or(self.steps.len());
            seen = self.change(next, &found[offset..end - from], &seen).await?;
            from = next;
        }
        Ok(self.tally())
    }

    /// Passes the steps by requests that stand before the step at `next`; says whether time has passed.
    pub(super) async fn pass(&mut self, next: usize) -> Result<bool, Stopped> {
        self.gates.pass(self.run, self.name, &mut self.turns, next).await
    }

    fn tally(&self) -> StepCounts {
        let changed = self.done.iter().filter(|times| **times > 0).count();
        let mut tally = self.gates.tally();
        tally.changed += changed;
        tally.unchanged += self.steps.len() - changed;
        tally
    }

    pub(super) fn fail(&self, index: usize, failure: Failure) -> Stopped {
        (Some(self.steps[index].head.name.clone()), failure)
    }

    /// Asks the host about all steps from `from` on. When work of an earlier run still goes on, it is awaited first.
    async fn look(&mut self, from: usize) -> Result<HostState, Stopped> {
        self.under_lock = self.run.lock.is_held();
        let separator = separator()?;
        let probe = observe::script(self.steps[from..].iter().copied(), &separator);
        // Later looks ask a part of the same, and would only fill the log.
        if from == 0 {
            self.tell_script(&probe);
        }
        let output = self
            .exec(format!("{}{probe}", batch::list_unfinished(&separator)), PROBE)
            .await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let unfinished: Vec<_> = text
            .lines()
            .filter_map(|line| match batch::read_line(line, &separator) {
                OutputLine::Unfinished(unit) => Some(unit),
                _ => None,
            })
            .collect();
        if unfinished.is_empty() || self.run.options.mode == RunMode::Plan {
            return self.read(&output, &separator);
        }
        let (place, on) = (
            self.name.to_owned(),
            format!("work that an earlier run began ({})", unfinished.join(", ")),
        );
        self.run.events.send(Event::Waiting {
            place,
            step: "first look".to_owned(),
            on,
        });
        let output = self
            .exec(format!("{}{probe}", batch::await_unfinished()), UNFINISHED)
            .await?;
        self.read(&output, &separator)
    }

    fn read(&self, output: &ScriptOutput, separator: &Separator) -> Result<HostState, Stopped> {
        HostState::parse(&String::from_utf8_lossy(&output.stdout), separator).ok_or_else(|| {
            let mut failure = failure::bug(&format!(
                "{}: the look at the host broke off ({})",
                self.name, output.ended
            ));
            failure.output = String::from_utf8_lossy(&output.stderr)
                .lines()
                .map(str::to_owned)
                .collect();
            (None, failure)
        })
    }

    async fn exec(&self, script: String, limit: Duration) -> Result<ScriptOutput, Stopped> {
        self.host
            .exec(Script::new(script, limit))
            .await
            .map_err(|error| (None, failure::transport(&error)))
    }

    fn tell_script(&self, script: &str) {
        self.run.events.send(Event::Script {
            place: self.name.to_owned(),
            text: batch::without_contents(script),
        });
    }

    fn compare(&self, from: usize, seen: &HostState) -> Result<Vec<StepState>, Stopped> {
        observe::compare(&self.steps[from..], seen).map_err(|(offset, error)| {
            self.fail(
                from + offset,
                failure::unreadable(&self.steps[from + offset].head, &error),
            )
        })
    }

    /// Tells the others what this look has shown: milestones that hold, and what the host is to the cluster.
    fn tell(&self, from: usize, found: &[StepState], seen: &HostState) {
        for (step, found) in self.steps[from..].iter().zip(found) {
            if let Some(node_state) = step.resource.node_state(seen) {
                self.run.bootstrap.record_state(self.name, node_state);
            }
            if *found == StepState::InSync {
                self.run.provide(self.name, &step.head.provides);
            }
        }
    }

    fn report(&self, found: &[StepState]) {
        let differing = found
            .iter()
            .filter(|found| matches!(found, StepState::Differs(_) | StepState::Refused(_)))
            .count();
        let in_sync = found.len() - differing;
        self.run.events.send(Event::Observed {
            place: self.name.to_owned(),
            in_sync,
            differing,
        });
    }

    /// What must be so before the step at `next` may be changed. A new look is returned where time has passed meanwhile.
    async fn prepare(
        &mut self,
        next: usize,
        found: &StepState,
        from: usize,
    ) -> Result<Option<HostState>, Stopped> {
        let head = &self.steps[next].head;
        if let StepState::Refused(why) = found {
            return Err(self.fail(next, failure::refused(head, why)));
        }
        if self.run.stopping() {
            return Err(self.fail(next, failure::stopped()));
        }
        if self.done[next] >= ROUNDS {
            let detail = found
                .change()
                .map(|change| change.detail.clone())
                .unwrap_or_default();
            return Err(self.fail(next, failure::did_not_converge(head, &detail)));
        }
        self.ask_admission().await?;
        if !self.under_lock {
            self.run
                .lock
                .take(&self.run.fleet)
                .await
                .map_err(|error| self.fail(next, failure::no_lock(&error)))?;
            return self.look(from).await.map(Some);
        }
        if self.wait(next, &head.needs).await? {
            return self.look(from).await.map(Some);
        }
        Ok(None)
    }

    /// What was waited for since the last look may have taken hours, and the lock with it.
    pub(super) fn check_lock(&self, index: usize) -> Result<(), Stopped> {
        let held = self.run.lock.check();
        held.map_err(|error| self.fail(index, failure::no_lock(&error)))
    }

    pub(super) async fn wait(&self, index: usize, needs: &[Milestone]) -> Result<bool, Stopped> {
        let waited = self
            .run
            .wait_for(self.name, &self.steps[index].head.name, needs)
            .await;
        waited.map_err(|blocked| self.fail(index, failure::blocked(&blocked)))
    }

    /// Changes the step at `first` and those after it that one look can decide, then looks again.
    async fn change(
        &mut self,
        first: usize,
        found: &[StepState],
        seen: &HostState,
    ) -> Result<HostState, Stopped> {
        let known = {
            let _in_use = self.run.api_in_use.read().await;
            self.known(first, seen).await?
        };
        let (head, position) = (&self.steps[first].head, self.gates.position(first));
        let entered = self.turns.enter(self.run, head, position).await;
        entered.map_err(|failure| self.fail(first, failure))?;
        let _alone = if self.steps[first].resource.interrupts_api() {
            Some(self.run.api_in_use.write().await)
        } else {
            None
        };
        self.check_lock(first)?;
        let batch = selection::batch(&self.steps, first, found, &self.run.milestones);
        let actions: Vec<_> = batch
            .iter()
            .map(|index| (*index, self.steps[*index].resource.action(seen, &known)))
            .collect();
        let seen = self.execute(first, &actions, found).await?;
        let after = self.compare(first, &seen)?;
        for index in batch {
            self.done[index] += 1;
            if let StepState::Differs(change) = &after[index - first] {
                return Err(self.fail(
                    index,
                    failure::did_not_converge(&self.steps[index].head, &change.detail),
                ));
            }
        }
        Ok(seen)
    }

    async fn execute(
        &self,
        first: usize,
        actions: &[(usize, Action)],
        found: &[StepState],
    ) -> Result<HostState, Stopped> {
        for (_, action) in actions {
            self.tell_script(&action.script);
        }
        let limit = actions.iter().map(|(_, action)| action.timeout).sum::<Duration>() + PROBE;
        let (live, lines) = mpsc::channel(WAITING);
        let separator = &separator()?;
        let probe = observe::script(self.steps[first..].iter().copied(), separator);
        let script = batch::script(actions, &probe, separator);
        let exec = self.host.exec(Script {
            script,
            timeout: limit,
            live: Some(live),
        });
        let steps = actions.iter().map(|(index, _)| (*index, &found[index - first]));
        let (output, failed) = tokio::join!(exec, BatchListener::new(self, separator, steps).listen(lines));
        if let Some(stopped) = failed {
            return Err(stopped);
        }
        let current = actions.first().map_or(first, |(index, _)| *index);
        let output = output.map_err(|error| self.fail(current, failure::transport(&error)))?;
        self.read(&output, separator)
    }
}

/// What makes the marks of one script its own.
fn separator() -> Result<Separator, Stopped> {
    Separator::random().map_err(|error| {
        (
            None,
            failure::bug(&format!("there are no random numbers: {error}")),
        )
    })
}

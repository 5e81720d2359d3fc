//! The steps by requests between the steps of a host: each is passed when its turn comes, and holds back what stands behind it.

use crate::event::Failure;
use crate::plan::{ClusterStep, HostStep, Step};

use super::Run;
use super::cluster_steps::{Observed, Passed};
use super::host_track::{StepCounts, Stopped};
use super::turns::Turns;

/// One step by requests in a host's track.
struct Gate<'a> {
    step: &'a ClusterStep,
    /// How many steps on the host stand before it.
    after: usize,
    /// Which step of the track it is.
    position: usize,
    changed: bool,
}

impl Gate<'_> {
    /// What differs is looked at again when the host had to wait for its turn.
    async fn pass(&self, run: &Run, host: &str, turns: &mut Turns) -> Result<Passed, Failure> {
        let mut observed = run.observe(host, self.step).await?;
        if let Observed::Differs(_) = observed
            && turns.enter(run, &self.step.head, self.position).await?
        {
            observed = run.observe(host, self.step).await?;
        }
        match observed {
            Observed::Passed(passed) => Ok(passed),
            Observed::Differs(change) => run.bring(host, self.step, change).await,
        }
    }
}

/// Those of one host, in their order.
pub(super) struct Gates<'a> {
    gates: Vec<Gate<'a>>,
    /// How many of them are in sync.
    passed: usize,
}

impl<'a> Gates<'a> {
    /// Parts a track into its steps on the host and what stands between them.
    pub(super) fn split(steps: &'a [Step]) -> (Vec<&'a HostStep>, Self) {
        let (mut on_host, mut gates) = (Vec::new(), Vec::new());
        for (position, step) in steps.iter().enumerate() {
            match step {
                Step::Host(step) => on_host.push(step),
                Step::Cluster(step) => gates.push(Gate {
                    step,
                    after: on_host.len(),
                    position,
                    changed: false,
                }),
            }
        }
        (on_host, Self { gates, passed: 0 })
    }

    /// Passes those whose turn has come: no step on the host before them differs, `next` being the first that does. Says whether
    /// time has passed in which the host may have become another. One that was passed is passed again when a step on the host
    /// before it differs again.
    pub(super) async fn pass(
        &mut self,
        run: &Run,
        host: &str,
        turns: &mut Turns,
        next: usize,
    ) -> Result<bool, Stopped> {
        let due = self.gates.partition_point(|gate| gate.after <= next);
        self.passed = self.passed.min(due);
        let mut took_time = false;
        for gate in &mut self.gates[self.passed..due] {
            turns.leave(gate.position);
            let passed = gate.pass(run, host, turns).await;
            let passed = passed.map_err(|failure| (Some(gate.step.head.name.clone()), failure))?;
            gate.changed |= passed.changed;
            took_time |= passed.took_time;
            self.passed += 1;
        }
        Ok(took_time)
    }

    /// The position in the track of a step on the host.
    pub(super) fn position(&self, on_host: usize) -> usize {
        on_host + self.gates.partition_point(|gate| gate.after <= on_host)
    }

    /// The step on the host that may not be changed yet, as a step before it is not in sync.
    pub(super) fn next(&self) -> Option<usize> {
        self.gates.get(self.passed).map(|gate| gate.after)
    }

    /// What became of them.
    pub(super) fn tally(&self) -> StepCounts {
        let mut tally = StepCounts::default();
        for gate in &self.gates {
            tally.add(gate.changed);
        }
        tally
    }
}

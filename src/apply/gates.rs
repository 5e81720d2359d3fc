//! The steps by requests between the steps of a host: each is passed when its turn comes, and holds back what stands behind it.

use crate::plan::{ClusterStep, HostStep, Step};

use super::Run;
use super::host_track::{Stopped, Tally};

/// One step by requests in a host's track.
struct Gate<'a> {
    step: &'a ClusterStep,
    /// How many steps on the host stand before it.
    after: usize,
    changed: bool,
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
        for step in steps {
            match step {
                Step::Host(step) => on_host.push(step),
                Step::Cluster(step) => gates.push(Gate {
                    step,
                    after: on_host.len(),
                    changed: false,
                }),
            }
        }
        (on_host, Self { gates, passed: 0 })
    }

    /// Passes those whose turn has come: no step on the host before them differs, `next` being the first that does. Says whether
    /// time has passed in which the host may have become another. One that was passed is passed again when a step on the host
    /// before it differs again.
    pub(super) async fn pass(&mut self, run: &Run, host: &str, next: usize) -> Result<bool, Stopped> {
        let due = self.gates.partition_point(|gate| gate.after <= next);
        self.passed = self.passed.min(due);
        let mut took_time = false;
        for gate in &mut self.gates[self.passed..due] {
            let passed = run.cluster_step(host, gate.step).await?;
            gate.changed |= passed.changed;
            took_time |= passed.took_time;
            self.passed += 1;
        }
        Ok(took_time)
    }

    /// The step on the host that may not be changed yet, as a step before it is not in sync.
    pub(super) fn next(&self) -> Option<usize> {
        self.gates.get(self.passed).map(|gate| gate.after)
    }

    /// What became of them.
    pub(super) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for gate in &self.gates {
            tally.add(gate.changed);
        }
        tally
    }
}

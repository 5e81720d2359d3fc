//! The milestones that are known so far.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::plan::Milestone;

/// What has become of a milestone.
#[derive(Debug, Clone, PartialEq, Eq)]
enum MilestoneState {
    Reached,
    Unavailable(String),
}

/// Why a track can't go on: a milestone that it needs will not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blocked {
    pub(super) milestone: Milestone,
    pub(super) reason: String,
}

/// Milestones as they become known. A milestone, once known, stays so for the run.
#[derive(Debug)]
pub(super) struct Milestones {
    milestones: watch::Sender<BTreeMap<Milestone, MilestoneState>>,
}

impl Milestones {
    pub(super) fn new() -> Self {
        Self {
            milestones: watch::Sender::new(BTreeMap::new()),
        }
    }

    /// Makes a milestone known.
    pub(super) fn provide(&self, milestone: &Milestone) {
        self.milestones.send_if_modified(|milestones| {
            milestones.insert(milestone.clone(), MilestoneState::Reached) != Some(MilestoneState::Reached)
        });
    }

    /// Says that one who owed this milestone will not make it. With several who could, the first to make it wins.
    pub(super) fn give_up(&self, milestone: &Milestone, reason: &str, last: bool) {
        self.milestones.send_if_modified(|milestones| {
            let settled = milestones.contains_key(milestone) || !last;
            if !settled {
                milestones.insert(milestone.clone(), MilestoneState::Unavailable(reason.to_owned()));
            }
            !settled
        });
    }

    /// The milestones among these that are not known yet.
    pub(super) fn missing(&self, needs: &[Milestone]) -> Vec<Milestone> {
        let milestones = self.milestones.borrow();
        needs
            .iter()
            .filter(|milestone| milestones.get(milestone) != Some(&MilestoneState::Reached))
            .cloned()
            .collect()
    }

    /// Waits until all are known.
    ///
    /// # Errors
    /// When one of them will not come.
    pub(super) async fn wait(&self, needs: &[Milestone]) -> Result<(), Blocked> {
        let mut milestones = self.milestones.subscribe();
        loop {
            {
                let milestones = milestones.borrow_and_update();
                let gone = needs
                    .iter()
                    .find_map(|milestone| match milestones.get(milestone) {
                        Some(MilestoneState::Unavailable(reason)) => Some(Blocked {
                            milestone: milestone.clone(),
                            reason: reason.clone(),
                        }),
                        _ => None,
                    });
                if let Some(blocked) = gone {
                    return Err(blocked);
                }
                if needs.iter().all(|milestone| milestones.contains_key(milestone)) {
                    return Ok(());
                }
            }
            if milestones.changed().await.is_err() {
                return Err(Blocked {
                    milestone: needs[0].clone(),
                    reason: "the run has ended".to_owned(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_milestone_comes_from_whoever_makes_it_first() {
        let milestones = Milestones::new();
        milestones.give_up(&Milestone::ApiServer, "cp1 is unreachable", false);
        milestones.provide(&Milestone::ApiServer);
        milestones.give_up(&Milestone::ApiServer, "cp2 failed", true);
        assert_eq!(milestones.wait(&[Milestone::ApiServer]).await, Ok(()));
    }

    #[tokio::test]
    async fn waiting_ends_when_the_last_one_gives_up() {
        let milestones = Milestones::new();
        let needs = [Milestone::Network];
        let (waited, ()) = tokio::join!(milestones.wait(&needs), async {
            milestones.give_up(&Milestone::Network, "no image", true);
        });
        assert_eq!(
            waited,
            Err(Blocked {
                milestone: Milestone::Network,
                reason: "no image".to_owned()
            })
        );
    }
}

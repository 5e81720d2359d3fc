//! The facts that are known so far.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::plan::Fact;

/// What has become of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Known,
    Unavailable(String),
}

/// Why a track can't go on: a fact that it needs will not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blocked {
    pub(super) fact: Fact,
    pub(super) reason: String,
}

/// Facts as they become known. A fact, once known, stays so for the run.
#[derive(Debug)]
pub(super) struct Board {
    facts: watch::Sender<BTreeMap<Fact, State>>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self {
            facts: watch::Sender::new(BTreeMap::new()),
        }
    }

    /// Makes a fact known.
    pub(super) fn provide(&self, fact: &Fact) {
        self.facts
            .send_if_modified(|facts| facts.insert(fact.clone(), State::Known) != Some(State::Known));
    }

    /// Says that one who owed this fact will not make it. With several who could, the first to make it wins.
    pub(super) fn give_up(&self, fact: &Fact, reason: &str, last: bool) {
        self.facts.send_if_modified(|facts| {
            let settled = facts.contains_key(fact) || !last;
            if !settled {
                facts.insert(fact.clone(), State::Unavailable(reason.to_owned()));
            }
            !settled
        });
    }

    /// The facts among these that are not known yet.
    pub(super) fn missing(&self, needs: &[Fact]) -> Vec<Fact> {
        let facts = self.facts.borrow();
        needs
            .iter()
            .filter(|fact| facts.get(fact) != Some(&State::Known))
            .cloned()
            .collect()
    }

    /// Waits until all are known.
    ///
    /// # Errors
    /// When one of them will not come.
    pub(super) async fn wait(&self, needs: &[Fact]) -> Result<(), Blocked> {
        let mut facts = self.facts.subscribe();
        loop {
            {
                let facts = facts.borrow_and_update();
                let gone = needs.iter().find_map(|fact| match facts.get(fact) {
                    Some(State::Unavailable(reason)) => Some(Blocked {
                        fact: fact.clone(),
                        reason: reason.clone(),
                    }),
                    _ => None,
                });
                if let Some(blocked) = gone {
                    return Err(blocked);
                }
                if needs.iter().all(|fact| facts.contains_key(fact)) {
                    return Ok(());
                }
            }
            if facts.changed().await.is_err() {
                return Err(Blocked {
                    fact: needs[0].clone(),
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
    async fn a_fact_comes_from_whoever_makes_it_first() {
        let board = Board::new();
        board.give_up(&Fact::ApiServer, "cp1 is unreachable", false);
        board.provide(&Fact::ApiServer);
        board.give_up(&Fact::ApiServer, "cp2 failed", true);
        assert_eq!(board.wait(&[Fact::ApiServer]).await, Ok(()));
    }

    #[tokio::test]
    async fn waiting_ends_when_the_last_one_gives_up() {
        let board = Board::new();
        let needs = [Fact::Network];
        let (waited, ()) = tokio::join!(board.wait(&needs), async {
            board.give_up(&Fact::Network, "no image", true);
        });
        assert_eq!(
            waited,
            Err(Blocked {
                fact: Fact::Network,
                reason: "no image".to_owned()
            })
        );
    }
}

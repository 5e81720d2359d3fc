//! One run at a time: a lock on a majority of the control planes, held by SSH sessions and gone with them.
//!
//! Two runs that each reach only some of the control planes can't both have a majority. All ask in the order of addresses, which does not
//! depend on how an inventory is sorted or what it calls a host, so that of several runs at once one gets through.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::OnceCell;

use crate::fleet::Fleet;
use crate::resource::sh;
use crate::transport::{HeldCommand, Transport, TransportError};

use super::RunOptions;

#[cfg(test)]
mod tests;

const LIMIT: Duration = Duration::from_secs(30);

/// Why there is no lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it; the text is theirs.
    #[error("another run is at work: {holder} (lock on {host})")]
    Busy {
        /// Where the lock lies.
        host: String,
        /// Who holds it.
        holder: String,
    },
    /// It was held, and is no more.
    #[error(
        "the cluster's lock is lost with the connections that held it, and another run may have begun; nothing more is changed"
    )]
    Lost,
    /// Too few hosts could be asked.
    #[error(
        "the cluster's lock needs a majority, {needed} of {}, and {reached} can hold it: {}", .hosts.join(", "), .reasons.join("; ")
    )]
    NoMajority {
        /// The hosts that can hold it.
        hosts: Vec<String>,
        /// How many of them have to.
        needed: usize,
        /// How many of them could be asked.
        reached: usize,
        /// Why the others could not; each names its host.
        reasons: Vec<String>,
    },
}

impl LockError {
    /// What a person can do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Busy { .. } => {
                "wait until it is done; the lock goes with the run that holds it, so there is nothing to clean up"
            }
            Self::Lost => "when the hosts can be reached, run it again: it goes on where this run stopped",
            Self::NoMajority { .. } => {
                "nothing was changed; bring these hosts back, put bare machines in their place (an address that changes goes into the inventory), \
                 or take those that are gone for good out of the inventory"
            }
        }
    }
}

/// The cluster's lock, taken when the first change is due. A run without changes never asks for it.
#[derive(Debug)]
pub struct Lock {
    /// Who can hold it, in the order in which they are asked.
    hosts: Vec<String>,
    holder: String,
    held: OnceCell<Result<Vec<HeldCommand>, LockError>>,
}

impl Lock {
    /// The lock of the cluster that a run is about: on its control planes, or on all hosts where there is none.
    pub fn new(options: &RunOptions) -> Self {
        Self {
            hosts: in_order(options),
            holder: options.holder.clone(),
            held: OnceCell::new(),
        }
    }

    /// Whether it is held.
    pub(super) fn is_held(&self) -> bool {
        self.check().is_ok()
    }

    /// Says whether it is still held, by a run that has taken it.
    ///
    /// # Errors
    /// When it was lost, or never taken.
    pub fn check(&self) -> Result<(), LockError> {
        match self.held.get() {
            Some(Ok(held)) if self.is_majority(held) => Ok(()),
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(_)) | None => Err(LockError::Lost),
        }
    }

    /// Takes it, unless it is held already. What was lost is not taken again: another run may have changed what this one has seen.
    ///
    /// # Errors
    /// When another run holds it, too few hosts can be asked, or it was lost.
    pub async fn take(&self, fleet: &Fleet) -> Result<(), LockError> {
        self.held.get_or_init(|| self.ask(fleet)).await;
        self.check()
    }

    /// It is held on all hosts that answer, not only on a majority, so that it outlives the loss of one.
    async fn ask(&self, fleet: &Fleet) -> Result<Vec<HeldCommand>, LockError> {
        let hosts = join_all(self.hosts.iter().map(|name| fleet.host(name))).await;
        // Who can't have a majority gets in nobody's way.
        if hosts.iter().flatten().count() < self.needed() {
            let reasons = hosts.into_iter().filter_map(Result::err);
            return Err(self.no_majority(reasons));
        }
        let (mut held, mut reasons) = (Vec::new(), Vec::new());
        for (name, host) in self.hosts.iter().zip(hosts) {
            match self.ask_one(name, host).await? {
                Ok(session) => held.push(session),
                Err(error) => reasons.push(error),
            }
        }
        if self.is_majority(&held) {
            Ok(held)
        } else {
            Err(self.no_majority(reasons))
        }
    }

    /// The outer error is the end of it: somebody else has it. The inner one is a host that can't say.
    async fn ask_one(
        &self,
        name: &str,
        host: Result<Arc<dyn Transport>, TransportError>,
    ) -> Result<Result<HeldCommand, TransportError>, LockError> {
        let hold = match host {
            Ok(host) => host.hold(script(&self.holder), LIMIT).await,
            Err(error) => Err(error),
        };
        Ok(match hold {
            Ok(hold) => match hold.first_line.trim() {
                "held" => Ok(hold),
                line => {
                    return Err(LockError::Busy {
                        host: name.to_owned(),
                        holder: line.strip_prefix("busy ").unwrap_or(line).to_owned(),
                    });
                }
            },
            Err(error) => Err(error),
        })
    }

    fn needed(&self) -> usize {
        self.hosts.len() / 2 + 1
    }

    fn is_majority(&self, held: &[HeldCommand]) -> bool {
        held.iter().filter(|hold| !hold.is_over()).count() >= self.needed()
    }

    fn no_majority(&self, reasons: impl IntoIterator<Item = TransportError>) -> LockError {
        let reasons: Vec<_> = reasons.into_iter().map(|error| error.to_string()).collect();
        LockError::NoMajority {
            hosts: self.hosts.clone(),
            needed: self.needed(),
            reached: self.hosts.len() - reasons.len(),
            reasons,
        }
    }
}

/// The hosts that hold the lock, in the order of their addresses.
fn in_order(options: &RunOptions) -> Vec<String> {
    let mut hosts = options.control_planes.clone();
    if hosts.is_empty() {
        hosts.extend(options.addresses.keys().cloned());
    }
    let address = |name: &String| {
        let address = options.addresses.get(name)?;
        address.parse::<IpAddr>().ok()
    };
    hosts.sort_by_cached_key(|name| (address(name), name.clone()));
    hosts
}

/// Holds the lock until it is ended, as it is with the connection whatever becomes of its owner.
fn script(holder: &str) -> String {
    let holder = sh::quote(holder);
    format!(
        "mkdir -p -m 700 /run/ci-bootstrap\nexec 9>>/run/ci-bootstrap/lock\n\
         if flock -n 9; then printf '%s\\n' {holder} > /run/ci-bootstrap/lock.holder; echo held; exec sleep infinity\n\
         else echo \"busy $(cat /run/ci-bootstrap/lock.holder)\"; fi\n"
    )
}

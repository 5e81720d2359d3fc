//! One run at a time: a lock on the first control plane that answers, held by the SSH session and gone with it.

use std::time::Duration;

use tokio::sync::OnceCell;

use crate::fleet::Fleet;
use crate::resource::sh;
use crate::transport::Hold;

const LIMIT: Duration = Duration::from_secs(30);

/// Why there is no lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoLock {
    /// Somebody else has it; the text is theirs.
    #[error("another run is at work: {holder} (lock on {host})")]
    Busy {
        /// Where the lock lies.
        host: String,
        /// Who holds it.
        holder: String,
    },
    /// It was held, and is no more.
    #[error("the cluster's lock is lost with the connection that held it, and another run may have begun")]
    Lost,
    /// No host could be asked.
    #[error("no host can hold the cluster's lock: {0}")]
    NoHost(String),
}

/// The cluster's lock, taken when the first change is due. A run without changes never asks for it.
#[derive(Debug)]
pub struct Lock {
    hosts: Vec<String>,
    holder: String,
    held: OnceCell<Result<Hold, NoLock>>,
}

impl Lock {
    /// A lock on the first of `hosts` that answers; `holder` is what another run is told.
    pub fn new(hosts: Vec<String>, holder: String) -> Self {
        Self {
            hosts,
            holder,
            held: OnceCell::new(),
        }
    }

    /// Whether it is held already.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.held.get(), Some(Ok(_)))
    }

    /// Takes it, unless it is held already.
    ///
    /// # Errors
    /// When another run holds it, no host can be asked, or it was lost.
    pub async fn take(&self, fleet: &Fleet) -> Result<(), NoLock> {
        match self.held.get_or_init(|| self.ask(fleet)).await {
            Ok(held) if held.is_over() => Err(NoLock::Lost),
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone()),
        }
    }

    async fn ask(&self, fleet: &Fleet) -> Result<Hold, NoLock> {
        let mut reasons = Vec::new();
        for name in &self.hosts {
            let held = match fleet.host(name).await {
                Ok(host) => host.hold(script(&self.holder), LIMIT).await,
                Err(error) => Err(error),
            };
            match held {
                Ok(kept) => match kept.first_line.trim().strip_prefix("busy ") {
                    Some(holder) => {
                        return Err(NoLock::Busy {
                            host: name.clone(),
                            holder: holder.to_owned(),
                        });
                    }
                    None => return Ok(kept),
                },
                Err(error) => reasons.push(error.to_string()),
            }
        }
        Err(NoLock::NoHost(reasons.join("; ")))
    }
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

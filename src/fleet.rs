//! The hosts of a run: each is connected to once, when it is first needed, and never twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use crate::transport::{Transport, TransportError};

/// Connects to a host by its name in the inventory.
pub type Dial =
    Box<dyn Fn(String) -> BoxFuture<'static, Result<Arc<dyn Transport>, TransportError>> + Send + Sync>;

type Connected = OnceCell<Result<Arc<dyn Transport>, TransportError>>;

/// How many hosts are connected to before they are asked for. More would take the processor from what they are wanted for.
const HEAD_START: usize = 8;

/// Hosts by name.
pub struct Fleet {
    dial: Dial,
    hosts: BTreeMap<String, Connected>,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet")
            .field("hosts", &self.hosts.keys())
            .finish_non_exhaustive()
    }
}

impl Fleet {
    /// Hosts that `dial` can connect to. Nothing is connected yet.
    pub fn new(names: impl IntoIterator<Item = String>, dial: Dial) -> Self {
        Self {
            dial,
            hosts: names.into_iter().map(|name| (name, Connected::new())).collect(),
        }
    }

    /// Begins to connect to the first of the hosts that are `wanted`, for whoever asks for them later. Needs a tokio runtime.
    pub fn dial(self: &Arc<Self>, wanted: impl Fn(&str) -> bool) {
        for name in self.hosts.keys().filter(|name| wanted(name)).take(HEAD_START) {
            let (fleet, name) = (self.clone(), name.clone());
            // A failure is reported to each caller.
            tokio::spawn(async move { fleet.host(&name).await.is_ok() });
        }
    }

    /// The connection to a host. A host that could not be reached is not tried again in the same run.
    ///
    /// # Errors
    /// When the host can't be reached or logged in to.
    pub async fn host(&self, name: &str) -> Result<Arc<dyn Transport>, TransportError> {
        let Some(cell) = self.hosts.get(name) else {
            let reason = "it is not in the inventory".to_owned();
            return Err(TransportError::Unreachable {
                host: name.to_owned(),
                address: "?".to_owned(),
                reason,
            });
        };
        cell.get_or_init(|| (self.dial)(name.to_owned())).await.clone()
    }
}

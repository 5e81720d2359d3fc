//! The preflight of a run: asked for when the first host of it is about to become a node.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use crate::apply;
use crate::event::{Event, Events, Failure};
use crate::fleet::Fleet;
use crate::model::{Cluster, PreflightCheck};
use crate::preflight::{Depth, Preflight, examine};

/// Looks at all hosts once, and keeps those from being changed with which something is wrong.
pub(super) struct Admission {
    cluster: Cluster,
    fleet: Arc<Fleet>,
    events: Events,
    ignore: Vec<PreflightCheck>,
    depth: Depth,
    found: OnceCell<Preflight>,
    warned: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").finish_non_exhaustive()
    }
}

impl Admission {
    /// Nothing is looked at before somebody asks.
    pub(super) fn new(
        cluster: &Cluster,
        fleet: &Arc<Fleet>,
        events: &Events,
        ignore: &[PreflightCheck],
        mode: apply::RunMode,
    ) -> Self {
        let depth = match mode {
            apply::RunMode::Plan => Depth::Look,
            apply::RunMode::Apply => Depth::Measure,
        };
        Self {
            cluster: cluster.clone(),
            fleet: Arc::clone(fleet),
            events: events.clone(),
            ignore: ignore.to_vec(),
            depth,
            found: OnceCell::new(),
            warned: Mutex::default(),
        }
    }

    /// Tells a host's warnings, once.
    fn warn(&self, preflight: &Preflight, host: &str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(host.to_owned()) {
            for text in preflight.warnings(host) {
                let place = host.to_owned();
                self.events.send(Event::Note { place, text });
            }
        }
    }
}

impl apply::Admission for Admission {
    fn admit<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let found = self.found.get_or_init(|| async {
                examine(&self.cluster, &self.fleet, self.depth)
                    .await
                    .without(&self.ignore)
            });
            let found = found.await;
            self.warn(found, host);
            found.obstacle(host).map_or(Ok(()), Err)
        })
    }
}

//! Nodes get a login only after its registry has taken it.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use serde_json::json;

use super::{RunMode, RunOptions, RunOutcome, run};
use crate::cluster_resource::{ClusterStepError, DesiredResource, ProgressSink, RegistryResource};
use crate::event::{Class, Events};
use crate::fleet::Fleet;
use crate::harbor::HarborError;
use crate::plan::{ClusterStep, HostStep, Limits, Milestone, Place, Plan, StepHead, Track};
use crate::playbook::{Guard, Origin};
use crate::resource::{Change, Comparison, Kind};
use crate::transport::memory::{MemoryHost, run_here};
use crate::transport::{ScriptEnd, ScriptOutput, Transport};

/// A registry whose account has another password, until it takes a new one.
#[derive(Debug)]
struct Registry {
    refuses: bool,
    done: AtomicBool,
}

impl RegistryResource for Registry {
    fn observe<'a>(
        &'a self,
        _: &'a Arc<dyn Transport>,
    ) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async {
            if self.done.load(Ordering::Relaxed) {
                Ok(Comparison::InSync)
            } else {
                Ok(Comparison::Differs(Change::new("give the account its password")))
            }
        })
    }

    fn act<'a>(
        &'a self,
        _: &'a Arc<dyn Transport>,
        _: ProgressSink<'a>,
    ) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async {
            if self.refuses {
                return Err(ClusterStepError::Harbor(HarborError::NoSecret(
                    "robot$ci+builder".to_owned(),
                )));
            }
            self.done.store(true, Ordering::Relaxed);
            Ok(())
        })
    }
}

fn head(name: &str, needs: &[Milestone], provides: &[Milestone]) -> StepHead {
    StepHead {
        name: name.to_owned(),
        needs: needs.to_vec(),
        provides: provides.to_vec(),
        limit: None,
        origin: Origin {
            file: "test.yaml".to_owned(),
            line: 1,
        },
    }
}

fn plan(file: &Path, refuses: bool) -> Plan {
    let registry = Registry {
        refuses,
        done: AtomicBool::new(false),
    };
    let login = Kind::resource(
        "file",
        json!({"path": file, "content": "new\n", "owner": owner()}),
    );
    let host = HostStep {
        head: head("registry", &[Milestone::Accounts], &[]),
        guard: Guard::default(),
        resource: login.unwrap(),
    };
    let account = ClusterStep {
        head: head("account", &[], &[Milestone::Accounts]),
        resource: DesiredResource::Registry(Box::new(registry)),
    };
    let track = |place, step| Track {
        place,
        steps: vec![step],
    };
    Plan {
        cluster: "ci".to_owned(),
        limits: Limits::default(),
        tracks: vec![
            track(Place::Host("w1".to_owned()), host.into()),
            track(Place::Registries, account.into()),
        ],
    }
}

/// Whoever runs the test.
fn owner() -> String {
    let output = run_here("echo \"$(id -un):$(id -gn)\"");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// This machine, except for the cluster's lock.
fn answer(script: &str) -> ScriptOutput {
    if script.contains("flock") {
        return ScriptOutput {
            ended: ScriptEnd::Exited(0),
            stdout: b"held\n".to_vec(),
            stderr: Vec::new(),
        };
    }
    run_here(script)
}

async fn applied(file: &Path, refuses: bool) -> RunOutcome {
    let dial = |name: String| -> BoxFuture<'static, _> {
        Box::pin(async move { Ok(Arc::new(MemoryHost::new(name, answer)) as Arc<dyn Transport>) })
    };
    let fleet = Arc::new(Fleet::new(["w1".to_owned()], Box::new(dial)));
    let (events, _receiver) = Events::channel();
    let options = RunOptions {
        addresses: BTreeMap::from([("w1".to_owned(), "10.0.0.1".to_owned())]),
        ..RunOptions::new(RunMode::Apply)
    };
    run(plan(file, refuses), fleet, events, options).await
}

#[tokio::test]
async fn nodes_keep_their_login_while_the_registry_refuses_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hosts.toml");
    fs_err::write(&file, "old\n").unwrap();
    let refused = applied(&file, true).await;
    assert_eq!(fs_err::read_to_string(&file).unwrap(), "old\n");
    let classes: Vec<_> = refused
        .failures
        .iter()
        .map(|(place, failure)| (place.as_str(), failure.class))
        .collect();
    assert_eq!(
        classes,
        [("registries", Class::StepFailed), ("w1", Class::Blocked)]
    );
    let taken = applied(&file, false).await;
    assert_eq!(taken.failures, BTreeMap::new());
    assert_eq!(
        (fs_err::read_to_string(&file).unwrap().as_str(), taken.changes),
        ("new\n", 2)
    );
}

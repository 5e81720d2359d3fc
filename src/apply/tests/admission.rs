//! Hosts that aren't nodes are changed when somebody lets them; nodes, always.

use super::*;
use crate::event::Failure;
use crate::resource::NodeState;

/// Says what a host is to the cluster, and is otherwise as its step.
#[derive(Debug)]
struct Membership(Wanted, NodeState);

impl Resource for Membership {
    fn probe(&self, ask: &mut Probe) {
        self.0.probe(ask);
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        self.0.compare(seen)
    }

    fn action(&self, seen: &HostState, known: &ActionInput) -> Action {
        self.0.action(seen, known)
    }

    fn node_state(&self, _seen: &HostState) -> Option<NodeState> {
        Some(self.1)
    }
}

fn membership(folder: &tempfile::TempDir, node_state: NodeState) -> HostStep {
    let path = folder.path().join("member").display().to_string();
    let wanted = Wanted {
        script: format!(": > {path}"),
        path,
        touches: Vec::new(),
        rests_on: Vec::new(),
        panics: false,
    };
    HostStep {
        resource: Box::new(Membership(wanted, node_state)),
        ..step(folder, "membership")
    }
}

/// Lets nobody in, and remembers who has asked.
#[derive(Debug, Default)]
struct Refusal(Mutex<Vec<String>>);

impl Admission for Refusal {
    fn admit<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<(), Failure>> {
        self.0.lock().unwrap().push(host.to_owned());
        let failure = Failure {
            class: Class::StepFailed,
            message: "it is full".to_owned(),
            origin: None,
            output: Vec::new(),
            help: None,
        };
        Box::pin(async move { Err(failure) })
    }
}

async fn run_with(mode: RunMode, node_state: NodeState, folder: &tempfile::TempDir) -> (Ran, Vec<String>) {
    let refusal = Arc::new(Refusal::default());
    let bench = Bench {
        mode,
        admission: Some(refusal.clone()),
        ..Bench::default()
    };
    let steps = vec![step(folder, "a"), membership(folder, node_state)];
    let ran = bench.run(vec![("w1", steps)]).await;
    let asked = refusal.0.lock().unwrap().clone();
    (ran, asked)
}

#[tokio::test]
async fn a_newcomer_that_is_not_admitted_is_not_changed() {
    for node_state in [NodeState::Absent, NodeState::Half] {
        let folder = tempfile::tempdir().unwrap();
        let (ran, asked) = run_with(RunMode::Apply, node_state, &folder).await;
        assert_eq!((ran.outcome.changes, asked), (0, vec!["w1".to_owned()]));
        assert_eq!(ran.failure("w1").message, "it is full");
        assert!(!folder.path().join("a").exists());
        // The first look alone: not even the lock was asked for.
        assert_eq!(ran.scripts.len(), 1);
    }
}

#[tokio::test]
async fn a_plan_shows_the_changes_and_why_they_will_not_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let (ran, asked) = run_with(RunMode::Plan, NodeState::Absent, &folder).await;
    assert_eq!(
        (ran.reported("w1"), asked.len()),
        (vec!["begin a".to_owned(), "begin membership".to_owned()], 1)
    );
    assert_eq!(ran.failure("w1").message, "it is full");
}

#[tokio::test]
async fn nobody_is_asked_about_a_node() {
    let folder = tempfile::tempdir().unwrap();
    let (ran, asked) = run_with(RunMode::Apply, NodeState::Member, &folder).await;
    assert_eq!((ran.outcome.changes, asked.len()), (2, 0));
}

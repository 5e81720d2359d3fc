#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::plan::StepHead;
use crate::playbook::Origin;
use crate::resource::{Action, ActionInput, Resource};
use crate::transport::memory::run_here;

/// A resource that says what the test wants.
#[derive(Debug, Default)]
struct Answering {
    /// A path that must exist.
    path: Option<String>,
    refuses: bool,
    unreadable: bool,
    touches: Vec<Topic>,
    follows: Vec<(Topic, &'static str)>,
}

impl Resource for Answering {
    fn probe(&self, ask: &mut Probe) {
        if let Some(path) = &self.path {
            ask.path(path, None);
        }
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        if self.unreadable {
            return Err(Unreadable {
                what: "x".to_owned(),
                answer: "?".to_owned(),
            });
        }
        if self.refuses {
            return Ok(Comparison::Refused("not by a program".to_owned()));
        }
        Ok(match &self.path {
            Some(path) if seen.path(path)?.is_none() => Comparison::Differs(Change::new("make it")),
            _ => Comparison::InSync,
        })
    }

    fn action(&self, _: &HostState, _: &ActionInput) -> Action {
        Action::quick("true")
    }

    fn touches(&self) -> Vec<Topic> {
        self.touches.clone()
    }

    fn follows(&self, topic: &Topic) -> Option<String> {
        let mut follows = self.follows.iter();
        follows
            .find(|(of, _)| of == topic)
            .map(|(_, text)| (*text).to_owned())
    }
}

fn step(guard: Guard, resource: Answering) -> HostStep {
    HostStep {
        head: StepHead {
            name: "a".to_owned(),
            needs: Vec::new(),
            provides: Vec::new(),
            limit: None,
            origin: Origin {
                file: "test.yaml".to_owned(),
                line: 1,
            },
        },
        guard,
        resource: Box::new(resource),
    }
}

fn wanting(path: &str) -> Answering {
    Answering {
        path: Some(path.to_owned()),
        ..Answering::default()
    }
}

/// What this machine answers to the script of these steps.
fn seen(steps: &[HostStep]) -> HostState {
    let separator = Separator::random().unwrap();
    let output = run_here(&script(steps, &separator));
    HostState::parse(&String::from_utf8_lossy(&output.stdout), &separator).unwrap()
}

fn found(steps: &[HostStep]) -> Vec<StepState> {
    let references: Vec<_> = steps.iter().collect();
    compare(&references, &seen(steps)).unwrap()
}

#[test]
fn each_verdict_becomes_what_was_found_in_the_order_of_the_steps() {
    let refuses = Answering {
        refuses: true,
        ..Answering::default()
    };
    let steps =
        [wanting("/nowhere/x"), wanting("/"), refuses].map(|resource| step(Guard::default(), resource));
    let all = found(&steps);
    let expected = StepState::Refused("not by a program".to_owned());
    assert_eq!(
        all,
        [
            StepState::Differs(Change::new("make it")),
            StepState::InSync,
            expected
        ]
    );
    let changes: Vec<_> = all.iter().map(|found| found.change().is_some()).collect();
    assert_eq!(changes, [true, false, false]);
    let settled: Vec<_> = all.iter().map(StepState::is_settled).collect();
    assert_eq!(settled, [false, true, false]);
    assert!(StepState::NotHere.is_settled());
}

#[test]
fn a_guard_is_asked_by_the_same_script_and_each_condition_counts() {
    let family = seen(&[]).os().family.clone();
    let guard = |family: Option<&str>, exists: Option<&str>, active: Option<&str>| Guard {
        family: family.map(str::to_owned),
        exists: exists.map(str::to_owned),
        active: active.map(str::to_owned),
    };
    let (here, gone) = (Some("/"), Some("/nowhere/x"));
    let unit = Some("no-such-unit-of-ours.service");
    let cases = [
        (guard(Some(&family), here, None), StepState::InSync),
        (guard(Some("plan9"), here, None), StepState::NotHere),
        (guard(Some(&family), gone, None), StepState::NotHere),
        (guard(None, here, unit), StepState::NotHere),
        (guard(None, None, unit), StepState::NotHere),
        (guard(None, None, None), StepState::InSync),
    ];
    for (guard, expected) in cases {
        assert_eq!(
            found(&[step(guard.clone(), Answering::default())]),
            [expected],
            "{guard:?}"
        );
    }
}

#[test]
fn what_can_not_be_read_is_told_with_its_step() {
    let unreadable = Answering {
        unreadable: true,
        ..Answering::default()
    };
    let steps = [wanting("/"), unreadable].map(|resource| step(Guard::default(), resource));
    let read = compare(&steps.iter().collect::<Vec<_>>(), &seen(&steps));
    assert_eq!(read.unwrap_err().0, 1);
}

#[test]
fn a_plan_foresees_what_earlier_changes_bring_along_and_what_that_brings_along() {
    let (file, unit) = (Topic::Path("/etc/x".to_owned()), Topic::Unit("x".to_owned()));
    let resource = |touches: Vec<Topic>, follows: Vec<(Topic, &'static str)>| Answering {
        touches,
        follows,
        ..Answering::default()
    };
    let follower = || {
        resource(
            vec![unit.clone()],
            vec![(file.clone(), "restart x"), (Topic::Packages, "a restart")],
        )
    };
    let steps = [
        follower(),
        resource(vec![file.clone(), Topic::Packages], vec![]),
        resource(vec![Topic::Modules], vec![]),
        follower(),
        resource(vec![], vec![(unit.clone(), "look at x")]),
        resource(vec![], vec![(Topic::Modules, "never")]),
        follower(),
    ]
    .map(|resource| step(Guard::default(), resource));
    let changed = StepState::Differs(Change::new("write"));
    let mut found = vec![StepState::InSync; steps.len()];
    found[1] = changed.clone();
    found[6] = StepState::NotHere;
    foresee(&steps.iter().collect::<Vec<_>>(), &mut found);
    let foreseen = |text: &str| StepState::Differs(Change::new(text));
    let expected = [
        StepState::InSync,
        changed,
        StepState::InSync,
        foreseen("a restart"),
        foreseen("look at x"),
        StepState::InSync,
        StepState::NotHere,
    ];
    assert_eq!(found, expected);
}

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use serde_json::json;

use super::*;
use crate::plan::{HostStep, Milestone, Place, Plan};
use crate::playbook::{Guard, Origin};
use crate::resource::Kind;

fn step(name: &str, group: Option<&str>, needs: &[Milestone], provides: &[Milestone]) -> Step {
    let at = At::Count(1);
    Step::Host(HostStep {
        head: StepHead {
            name: name.to_owned(),
            needs: needs.to_vec(),
            provides: provides.to_vec(),
            limit: group.map(|group| Limit {
                group: group.to_owned(),
                at,
                breaker: true,
            }),
            origin: Origin {
                file: "mine.yaml".to_owned(),
                line: 7,
            },
        },
        guard: Guard::default(),
        resource: Kind::resource("hostname", json!({"name": "w1"})).unwrap(),
    })
}

/// A track in which each word is a step of the group with its letter, or of none.
fn track(groups: &str) -> Track {
    let one = |word: &str| step(word, (word != "-").then_some(word), &[], &[]);
    Track {
        place: Place::Host("w1".to_owned()),
        steps: groups.split_whitespace().map(one).collect(),
    }
}

fn percent(of: usize, percent: &str) -> usize {
    At::parse(&json!(percent)).unwrap().of(of)
}

#[test]
fn a_number_of_hosts_is_a_count_or_a_part_of_those_that_have_the_group() {
    assert_eq!(At::parse(&json!(2)), Ok(At::Count(2)));
    assert_eq!(
        (percent(4, "25%"), percent(7, "25%"), percent(8, "25%")),
        (1, 1, 2)
    );
    assert_eq!((percent(1, "25%"), percent(3, "100%")), (1, 3));
    for wrong in [
        json!(0),
        json!(-1),
        json!("0%"),
        json!("101%"),
        json!("%"),
        json!("two"),
        json!(1.5),
        json!(null),
    ] {
        assert!(
            At::parse(&wrong).is_err_and(|said| said.contains(&wrong.to_string())),
            "{wrong}"
        );
    }
}

#[test]
fn hosts_are_counted_by_tracks_that_have_a_step_of_the_group() {
    let mut tracks = vec![
        track("- a a"),
        track("a"),
        track("-"),
        track("b"),
        track("a"),
        track("a"),
    ];
    for (track, name) in tracks.iter_mut().zip(["w1", "w2", "w3", "w4", "w5", "w6"]) {
        track.place = Place::Host(name.to_owned());
        for step in &mut track.steps {
            if let Some(limit) = step.head_mut().limit.as_mut().filter(|limit| limit.group == "a") {
                limit.at = At::Percent(50);
                limit.breaker = false;
            }
        }
    }
    let limits = Limits::from_tracks(&tracks).unwrap();
    let expected = [("a".to_owned(), (2, false)), ("b".to_owned(), (1, true))];
    assert_eq!(limits, Limits(expected.into_iter().collect()));
}

#[test]
fn steps_of_a_group_that_differ_in_their_limit_are_refused() {
    let mut track = track("a a");
    if let Some(limit) = &mut track.steps[1].head_mut().limit {
        limit.at = At::Count(2);
    }
    let said = Limits::from_tracks(&[track]).unwrap_err().to_string();
    assert_eq!(
        said,
        "mine.yaml:7: step `a`: another step limits group `a` differently"
    );
}

#[test]
fn a_turn_lasts_from_the_first_step_of_its_group_to_the_last() {
    let held: Vec<_> = held(&track("- a - a - b"))
        .into_iter()
        .map(Option::unwrap_or_default)
        .collect();
    assert_eq!(held, ["", "a", "a", "a", "", "b"]);
}

#[test]
fn groups_that_overlap_are_refused_as_a_second_turn_could_be_waited_for_for_ever() {
    for overlapping in ["a b a", "a - b - a", "a a b a"] {
        let said = hold_through(&mut track(overlapping)).unwrap_err().to_string();
        assert!(
            said.starts_with("mine.yaml:7: step `a`: group `a` begins again"),
            "{said}"
        );
    }
    for fine in ["a b", "a - a b b", "- - a"] {
        hold_through(&mut track(fine)).unwrap();
    }
}

#[test]
fn milestones_are_waited_for_before_the_turn_is_taken() {
    let mut track = Track {
        place: Place::Host("w1".to_owned()),
        steps: vec![
            step("before", None, &[], &[]),
            step("first", Some("a"), &[Milestone::ApiServer], &[Milestone::Export]),
            step("between", None, &[Milestone::Network], &[]),
            step("last", Some("a"), &[Milestone::Share, Milestone::Export], &[]),
            step("after", None, &[Milestone::Accounts], &[]),
        ],
    };
    hold_through(&mut track).unwrap();
    let needs: Vec<_> = track.heads().map(|head| head.needs.clone()).collect();
    let expected: [&[Milestone]; 5] = [
        &[],
        &[Milestone::ApiServer, Milestone::Network, Milestone::Share],
        &[Milestone::Network, Milestone::Share, Milestone::Export],
        &[Milestone::Share, Milestone::Export],
        &[Milestone::Accounts],
    ];
    assert_eq!(needs, expected);
}

#[test]
fn a_step_that_waits_for_the_other_control_planes_begins_its_group() {
    let fields = json!({"node": "cp1", "address": "10.0.0.1", "init": "", "join": "", "ignore": []});
    let mut track = track("a a");
    if let Step::Host(step) = &mut track.steps[1] {
        step.resource = Kind::resource("controlPlane", fields).unwrap();
    }
    let said = hold_through(&mut track).unwrap_err().to_string();
    assert!(said.ends_with("it must be the first step of its group"), "{said}");
    track.steps.remove(0);
    hold_through(&mut track).unwrap();
}

#[test]
fn hosts_that_would_wait_for_each_other_with_a_turn_in_hand_are_refused() {
    let (export, share) = ([Milestone::Export], [Milestone::Share]);
    let mut tracks = [
        vec![
            step("a", Some("g"), &[], &export),
            step("b", Some("g"), &share, &[]),
        ],
        vec![
            step("c", Some("g"), &[], &share),
            step("d", Some("g"), &export, &[]),
        ],
    ]
    .map(|steps| Track {
        place: Place::Host("w1".to_owned()),
        steps,
    });
    for track in &mut tracks {
        hold_through(track).unwrap();
    }
    let plan = Plan {
        cluster: "ci".to_owned(),
        limits: Limits::from_tracks(&tracks).unwrap(),
        tracks: tracks.into(),
    };
    assert!(matches!(
        crate::plan::order::check(&plan),
        Err(PlanError::Cycle(_))
    ));
}

//! Turns in a group of steps.

use super::order::{batches, requested};
use super::*;

pub(super) fn limited(mut step: Step, at: At, breaker: bool) -> Step {
    let head = match &mut step {
        Step::Host(step) => &mut step.head,
        Step::Cluster(step) => &mut step.head,
    };
    head.limit = Some(Limit {
        group: "workers".to_owned(),
        at,
        breaker,
    });
    step
}

/// What a host does while it has one of `places` folders, of which there is none for one host too many.
fn in_one_of(folder: &tempfile::TempDir, places: &[&str], name: &str, meanwhile: &str) -> Step {
    let at = |name: &str| folder.path().join(name).display().to_string();
    let mut script = String::new();
    for place in places {
        let place = at(place);
        write!(
            script,
            "[ -n \"${{p:-}}\" ] || {{ mkdir {place} 2>/dev/null && p={place}; }} || true\n"
        )
        .unwrap();
    }
    write!(
        script,
        "[ -n \"${{p:-}}\" ]\n{meanwhile}\nrmdir $p\n: > {}",
        at(name)
    )
    .unwrap();
    stepping(name, &at(name), &script).into()
}

#[tokio::test]
async fn as_many_hosts_as_the_limit_says_are_at_a_group_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    // Two meet: each waits until both places were taken. A third that begins before one ends finds no place.
    let meet = format!(
        ": > {0}/met.$$; n=0; until [ $(ls {0} | grep -c met) -ge 2 ]; do n=$((n+1)); [ $n -lt 300 ]; sleep 0.1; done",
        folder.path().display()
    );
    for at in [At::Count(2), At::Percent(50)] {
        let names = ["w1", "w2", "w3", "w4"];
        let tracks = names.map(|name| {
            (
                name,
                vec![limited(in_one_of(&folder, &["p", "q"], name, &meet), at, true)],
            )
        });
        let ran = Bench::default().run(tracks.into()).await;
        assert_eq!(ran.outcome.failures, BTreeMap::new());
        assert_eq!(ran.outcome.changes, 4);
        for name in names {
            fs_err::remove_file(folder.path().join(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn a_turn_is_kept_through_requests_and_batches_until_the_last_step_of_the_group() {
    let folder = tempfile::tempdir().unwrap();
    let one = At::Count(1);
    let track = |host: &str| {
        let name = |step: &str| format!("{host}-{step}");
        let request = |step: &str| requested(&folder.path().join(name(step)), false).into();
        vec![
            limited(request("cordon"), one, true),
            limited(step(&folder, &name("packages")).into(), one, true),
            step(&folder, &name("between")).into(),
            limited(request("uncordon"), one, true),
            step(&folder, &name("after")).into(),
        ]
    };
    let ran = Bench::default()
        .run(["w1", "w2", "w3"].map(|host| (host, track(host))).into())
        .await;
    assert_eq!(ran.outcome.failures, BTreeMap::new());
    assert_eq!(ran.outcome.changes, 15);
    let begun = ran.events.iter().filter_map(|event| match event {
        Event::StepStarted { place, step, .. } if !step.ends_with("after") => Some(place.clone()),
        _ => None,
    });
    let begun: Vec<_> = begun.collect();
    let mut hosts = begun.clone();
    hosts.dedup();
    assert_eq!(
        (begun.len(), hosts.len()),
        (12, 3),
        "one host after the other: {begun:?}"
    );
}

#[tokio::test]
async fn every_step_of_a_batch_respects_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let group = |name: &str| limited(step(&folder, name).into(), At::Count(1), true);
    let steps = vec![
        step(&folder, "a").into(),
        group("b"),
        group("c"),
        step(&folder, "d").into(),
    ];
    let ran = Bench::default().run(vec![("w1", steps)]).await;
    assert_eq!(ran.outcome.failures, BTreeMap::new());
    assert_eq!(batches(&ran), ["a", "b c", "d"]);
}

/// Three hosts whose only step in the group fails.
async fn failing(breaker: bool) -> Ran {
    let failing = |name| {
        let step = stepping("broken", "/nowhere/x", "false").into();
        (name, vec![limited(step, At::Count(1), breaker)])
    };
    Bench::default().run(["w1", "w2", "w3"].map(failing).into()).await
}

#[tokio::test]
async fn after_the_first_host_that_fails_no_other_begins() {
    let ran = failing(true).await;
    let (failed, blocked): (Vec<_>, Vec<_>) = ran
        .outcome
        .failures
        .iter()
        .partition(|(_, failure)| failure.class == Class::StepFailed);
    assert_eq!(failed.len(), 1);
    let failed = failed[0].0;
    assert_eq!(blocked.len(), 2);
    for (host, failure) in blocked {
        assert_eq!(failure.class, Class::Blocked);
        let said = format!("not begun: {failed} failed in group `workers`, and no other host begins there");
        assert_eq!(failure.message, said);
        assert_eq!(ran.reported(host), [""; 0]);
    }
}

#[tokio::test]
async fn without_a_breaker_the_others_go_on() {
    let ran = failing(false).await;
    let classes: Vec<_> = ran
        .outcome
        .failures
        .values()
        .map(|failure| failure.class)
        .collect();
    assert_eq!(classes, [Class::StepFailed; 3]);
}

#[tokio::test]
async fn a_host_that_fails_behind_its_turn_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let track = |host| {
        let broken = stepping("broken", "/nowhere/x", "false").into();
        (
            host,
            vec![limited(step(&folder, host).into(), At::Count(1), true), broken],
        )
    };
    let ran = Bench::default().run(["w1", "w2", "w3"].map(track).into()).await;
    let classes: Vec<_> = ran
        .outcome
        .failures
        .values()
        .map(|failure| failure.class)
        .collect();
    assert_eq!(classes, [Class::StepFailed; 3]);
    for host in ["w1", "w2", "w3"] {
        assert_eq!(
            ran.reported(host)[..2],
            [format!("begin {host}"), format!("done {host}")]
        );
    }
}

//! The engine on hosts in memory: steps are words in a file of the host's folder, and scripts run for real.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::{Admission, RunMode, RunOptions, RunOutcome, run};
use crate::event::{Class, Event, Events};
use crate::fleet::Fleet;
use crate::plan::{At, HostStep, Limit, Limits, Milestone, Place, Plan, Step, StepHead, Track};
use crate::playbook::{Guard, Origin};
use crate::resource::{
    Action, ActionInput, Change, Comparison, HostState, Probe, Resource, Topic, Unreadable,
};
use crate::transport::memory::run_here;
use crate::transport::{HeldCommand, Script, ScriptEnd, ScriptOutput, Stream, Transport, TransportError};

mod admission;
mod order;
mod ordering_property;
mod turns;

/// A file that has to exist. Its action is a script of the test's own.
#[derive(Debug, Clone)]
struct Wanted {
    path: String,
    script: String,
    touches: Vec<Topic>,
    rests_on: Vec<Topic>,
    panics: bool,
}

impl Resource for Wanted {
    fn probe(&self, ask: &mut Probe) {
        ask.path(&self.path, None);
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        assert!(!self.panics, "made to panic");
        Ok(match seen.path(&self.path)? {
            Some(_) => Comparison::InSync,
            None => Comparison::Differs(Change::new(format!("make {}", self.path))),
        })
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
        Action::quick(self.script.clone())
    }

    fn touches(&self) -> Vec<Topic> {
        self.touches.clone()
    }

    fn rests_on(&self) -> Vec<Topic> {
        self.rests_on.clone()
    }
}

/// A step of a test, which makes its file.
fn step(folder: &tempfile::TempDir, name: &str) -> HostStep {
    let path = folder.path().join(name).display().to_string();
    stepping(name, &path, &format!("echo doing {name}\n: > {path}"))
}

/// A step with a script of the test's own.
fn stepping(name: &str, path: &str, script: &str) -> HostStep {
    with(
        name,
        Wanted {
            path: path.to_owned(),
            script: script.to_owned(),
            touches: Vec::new(),
            rests_on: Vec::new(),
            panics: false,
        },
    )
}

fn with(name: &str, resource: Wanted) -> HostStep {
    HostStep {
        head: StepHead {
            name: name.to_owned(),
            needs: Vec::new(),
            provides: Vec::new(),
            limit: None,
            origin: Origin {
                file: "test.yaml".to_owned(),
                line: 1,
            },
        },
        guard: Guard::default(),
        resource: Box::new(resource),
    }
}

fn needing(mut step: HostStep, milestone: Milestone) -> HostStep {
    step.head.needs.push(milestone);
    step
}

fn providing(mut step: HostStep, milestone: Milestone) -> HostStep {
    step.head.provides.push(milestone);
    step
}

fn exclusive(mut step: HostStep, group: &str) -> HostStep {
    step.head.limit = Some(Limit {
        group: group.to_owned(),
        at: At::Count(1),
        breaker: false,
    });
    step
}

/// What a test's host does with a script that is not answered as it is.
type Answer = Arc<dyn Fn(&str, ScriptOutput) -> Result<ScriptOutput, TransportError> + Send + Sync>;

/// Runs scripts on this machine. The lock is everybody's.
struct Host {
    scripts: Arc<Mutex<Vec<String>>>,
    answer: Answer,
}

impl Transport for Host {
    fn exec(&self, exec: Script) -> BoxFuture<'_, Result<ScriptOutput, TransportError>> {
        Box::pin(async move {
            let script = exec.script.clone();
            let output = tokio::task::spawn_blocking(move || run_here(&script))
                .await
                .unwrap();
            let output = (self.answer)(&exec.script, output)?;
            self.scripts.lock().unwrap().push(exec.script);
            if let Some(live) = exec.live {
                for piece in output.stdout.chunks(1000) {
                    live.send(piece.to_vec()).await.unwrap();
                }
            }
            Ok(output)
        })
    }

    fn hold(&self, _: String, _: Duration) -> BoxFuture<'_, Result<HeldCommand, TransportError>> {
        Box::pin(async {
            let (guard, dropped) = oneshot::channel();
            tokio::spawn(dropped);
            Ok(HeldCommand::new("held".to_owned(), guard))
        })
    }

    fn connect(&self, _: &str, _: u16) -> BoxFuture<'_, Result<Box<dyn Stream>, TransportError>> {
        Box::pin(async { Err(lost()) })
    }
}

fn lost() -> TransportError {
    TransportError::Lost {
        host: "w1".to_owned(),
        reason: "the network is gone".to_owned(),
    }
}

/// A run of the engine, and everything that came of it.
struct Ran {
    outcome: RunOutcome,
    events: Vec<Event>,
    scripts: Vec<String>,
}

impl Ran {
    /// The steps of a place that were begun and those that were done, as `begin a`, `done a`.
    fn reported(&self, at: &str) -> Vec<String> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::StepStarted { place, step, .. } if place == at => Some(format!("begin {step}")),
                Event::StepDone { place, step, .. } if place == at => Some(format!("done {step}")),
                _ => None,
            })
            .collect()
    }

    fn printed(&self) -> String {
        let mut text = String::new();
        for event in &self.events {
            if let Event::Output { line, .. } = event {
                writeln!(text, "{line}").unwrap();
            }
        }
        text
    }

    /// The failure of a place.
    fn failure(&self, place: &str) -> &crate::event::Failure {
        &self.outcome.failures[place]
    }
}

/// How a test's run is done.
struct Bench {
    mode: RunMode,
    limit: Vec<String>,
    stop: bool,
    answer: Answer,
    admission: Option<Arc<dyn Admission>>,
}

impl Default for Bench {
    fn default() -> Self {
        Self {
            mode: RunMode::Apply,
            limit: Vec::new(),
            stop: false,
            answer: Arc::new(|_, output| Ok(output)),
            admission: None,
        }
    }
}

impl Bench {
    fn answering(
        answer: impl Fn(&str, ScriptOutput) -> Result<ScriptOutput, TransportError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            answer: Arc::new(answer),
            ..Self::default()
        }
    }

    /// Runs these tracks to their end. One that hangs is a failed test: everything else ends much sooner.
    async fn run(self, tracks: Vec<(&str, Vec<impl Into<Step>>)>) -> Ran {
        let names: Vec<_> = tracks.iter().map(|(name, _)| (*name).to_owned()).collect();
        let tracks = tracks
            .into_iter()
            .map(|(name, steps)| Track {
                place: Place::Host(name.to_owned()),
                steps: steps.into_iter().map(Into::into).collect(),
            })
            .collect::<Vec<_>>();
        let plan = Plan {
            cluster: "ci".to_owned(),
            limits: Limits::from_tracks(&tracks).unwrap(),
            tracks,
        };
        let scripts = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (scripts.clone(), self.answer);
        let dial = move |_| {
            let host = Host {
                scripts: kept.clone(),
                answer: answer.clone(),
            };
            async move { Ok(Arc::new(host) as Arc<dyn Transport>) }.boxed()
        };
        let addresses = names.iter().zip(1..);
        let addresses = addresses.map(|(name, n)| (name.clone(), format!("10.0.0.{n}")));
        let addresses = addresses.collect();
        let fleet = Arc::new(Fleet::new(names, Box::new(dial)));
        let (events, mut receiver) = Events::channel();
        let options = RunOptions {
            limit: self.limit,
            addresses,
            endpoint: "10.0.0.1:6443".to_owned(),
            admission: self.admission,
            stop: Arc::new(AtomicBool::new(self.stop)),
            ..RunOptions::new(self.mode)
        };
        let run = run(plan, fleet, events, options);
        let outcome = tokio::time::timeout(Duration::from_secs(120), run).await.unwrap();
        let mut reported = Vec::new();
        while let Ok(event) = receiver.try_recv() {
            reported.push(event);
        }
        let scripts = scripts.lock().unwrap().clone();
        Ran {
            outcome,
            events: reported,
            scripts,
        }
    }
}

#[tokio::test]
async fn a_run_with_nothing_to_do_is_one_script() {
    let folder = tempfile::tempdir().unwrap();
    for (scripts, reported) in [(2, vec!["begin a", "done a", "begin b", "done b"]), (1, vec![])] {
        let ran = Bench::default()
            .run(vec![("w1", vec![step(&folder, "a"), step(&folder, "b")])])
            .await;
        assert_eq!(ran.outcome.failures, BTreeMap::new());
        assert_eq!(ran.reported("w1"), reported);
        // The first look, the look under the lock, and the batch.
        assert_eq!(ran.scripts.len(), if scripts == 2 { 3 } else { 1 });
    }
}

#[tokio::test]
async fn a_plan_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench {
        mode: RunMode::Plan,
        ..Bench::default()
    };
    let ran = bench.run(vec![("w1", vec![step(&folder, "a")])]).await;
    assert_eq!((ran.outcome.changes, ran.scripts.len()), (1, 1));
    assert!(!folder.path().join("a").exists());
}

#[tokio::test]
async fn a_host_outside_the_limit_is_looked_at_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench {
        limit: vec!["w1".to_owned()],
        ..Bench::default()
    };
    let tracks = vec![
        ("w1", vec![step(&folder, "a")]),
        ("w2", vec![providing(step(&folder, "b"), Milestone::Export)]),
        ("w3", vec![needing(step(&folder, "c"), Milestone::Export)]),
    ];
    let ran = bench.run(tracks).await;
    assert_eq!(ran.outcome.failures, BTreeMap::new());
    assert!(folder.path().join("a").exists());
    assert!(!folder.path().join("b").exists() && !folder.path().join("c").exists());
    let looked = ran
        .events
        .iter()
        .filter(|event| matches!(event, Event::Observed { differing: 1, .. }));
    assert_eq!(looked.count(), 3);
}

#[tokio::test]
async fn a_step_waits_for_its_milestones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export").display().to_string();
    // Without the wait, w1 would find no export.
    let export = stepping("export", &path, &format!("sleep 0.5; : > {path}"));
    let used = folder.path().join("used").display().to_string();
    let step = stepping("use", &used, &format!("[ -e {path} ]\n: > {used}"));
    let tracks = vec![
        ("nfs", vec![providing(export, Milestone::Export)]),
        ("w1", vec![needing(step, Milestone::Export)]),
    ];
    let ran = Bench::default().run(tracks).await;
    assert_eq!(ran.outcome.failures, BTreeMap::new());
    assert_eq!(ran.reported("w1"), ["begin use", "done use"]);
}

#[tokio::test]
async fn a_batch_ends_before_a_step_whose_observation_is_stale() {
    let folder = tempfile::tempdir().unwrap();
    let topic = Topic::Path("/etc/a".to_owned());
    let wanted = |name: &str| Wanted {
        path: folder.path().join(name).display().to_string(),
        script: format!(": > {}", folder.path().join(name).display()),
        touches: Vec::new(),
        rests_on: Vec::new(),
        panics: false,
    };
    let first = Wanted {
        touches: vec![topic.clone()],
        ..wanted("a")
    };
    let second = Wanted {
        rests_on: vec![topic],
        ..wanted("b")
    };
    let ran = Bench::default()
        .run(vec![("w1", vec![with("a", first), with("b", second)])])
        .await;
    assert_eq!(ran.outcome.changes, 2);
    assert_eq!(ran.scripts.len(), 4, "each has a script of its own");
}

#[tokio::test]
async fn an_exclusive_step_never_shares_a_batch() {
    let folder = tempfile::tempdir().unwrap();
    let steps = vec![
        step(&folder, "a"),
        exclusive(step(&folder, "b"), "share"),
        step(&folder, "c"),
    ];
    let ran = Bench::default().run(vec![("w1", steps)]).await;
    assert_eq!(ran.outcome.changes, 3);
    let batches: Vec<Vec<&str>> = ran
        .scripts
        .iter()
        .map(|script| {
            let does = |name: &&str| script.contains(&format!("echo doing {name}\n"));
            ["a", "b", "c"].into_iter().filter(does).collect()
        })
        .collect();
    assert_eq!(batches, [vec![], vec![], vec!["a"], vec!["b"], vec!["c"]]);
}

#[tokio::test]
async fn steps_of_one_group_take_turns_and_other_groups_do_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    // A joins while B tries the share, and each waits for the other's beginning: one mutex for both would never end.
    let meet = |mine: &str, other: &str| {
        format!(
            ": > {}; n=0; until [ -e {} ]; do n=$((n+1)); [ $n -lt 300 ]; sleep 0.1; done; : > {}",
            at(&format!("{mine}.begun")),
            at(&format!("{other}.begun")),
            at(mine)
        )
    };
    let a = exclusive(stepping("a", &at("a"), &meet("a", "b")), "join");
    let b = exclusive(stepping("b", &at("b"), &meet("b", "a")), "share");
    // Two of one group: who finds the other at work fails.
    let alone = |name: &str| format!("mkdir {0}; sleep 0.3; rmdir {0}; : > {1}", at("one"), at(name));
    let c = exclusive(stepping("c", &at("c"), &alone("c")), "one");
    let d = exclusive(stepping("d", &at("d"), &alone("d")), "one");
    let ran = Bench::default()
        .run(vec![
            ("w1", vec![a]),
            ("w2", vec![b]),
            ("w3", vec![c]),
            ("w4", vec![d]),
        ])
        .await;
    assert_eq!(ran.outcome.failures, BTreeMap::new());
    assert_eq!(ran.outcome.changes, 4);
}

#[tokio::test]
async fn a_failed_track_blocks_only_those_who_need_its_milestones() {
    let folder = tempfile::tempdir().unwrap();
    let broken = providing(
        stepping("broken", "/nowhere/x", "echo no luck\nfalse"),
        Milestone::Export,
    );
    let tracks = vec![
        ("nfs", vec![broken]),
        (
            "w1",
            vec![step(&folder, "a"), needing(step(&folder, "b"), Milestone::Export)],
        ),
        ("w2", vec![step(&folder, "c")]),
    ];
    let ran = Bench::default().run(tracks).await;
    assert_eq!(ran.failure("nfs").class, Class::StepFailed);
    assert_eq!(ran.failure("nfs").output, ["no luck"]);
    assert_eq!(ran.failure("w1").class, Class::Blocked);
    assert!(ran.failure("w1").message.contains("nfs did not get there"));
    assert_eq!(ran.reported("w1"), ["begin a", "done a"]);
    assert!(!ran.outcome.failures.contains_key("w2"));
}

#[tokio::test]
async fn a_track_that_panics_gives_up_what_it_owes() {
    let folder = tempfile::tempdir().unwrap();
    let panics = Wanted {
        path: "/nowhere/x".to_owned(),
        script: String::new(),
        touches: Vec::new(),
        rests_on: Vec::new(),
        panics: true,
    };
    let tracks = vec![
        ("nfs", vec![providing(with("panics", panics), Milestone::Export)]),
        ("w1", vec![needing(step(&folder, "b"), Milestone::Export)]),
    ];
    let ran = Bench::default().run(tracks).await;
    assert_eq!(ran.failure("nfs").class, Class::Bug);
    assert!(ran.failure("nfs").message.contains("made to panic"));
    assert_eq!(ran.failure("w1").class, Class::Blocked);
}

#[tokio::test]
async fn a_step_that_does_not_converge_says_so() {
    let ran = Bench::default()
        .run(vec![("w1", vec![stepping("idle", "/nowhere/x", "true")])])
        .await;
    assert!(ran.failure("w1").message.contains("did not converge"));
    assert_eq!(ran.failure("w1").origin.as_deref(), Some("test.yaml:1"));
}

#[tokio::test]
async fn a_run_that_is_stopped_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench {
        stop: true,
        ..Bench::default()
    };
    let ran = bench.run(vec![("w1", vec![step(&folder, "a")])]).await;
    assert_eq!(ran.failure("w1").class, Class::Interrupted);
    assert!(!folder.path().join("a").exists());
}

#[tokio::test]
async fn a_host_that_falls_silent_in_a_batch_names_the_step() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::answering(|script, output| {
        if script.contains("echo doing a\n") {
            return Err(lost());
        }
        Ok(output)
    });
    let ran = bench.run(vec![("w1", vec![step(&folder, "a")])]).await;
    assert_eq!(ran.failure("w1").class, Class::Unreachable);
    let at = ran.events.iter().find_map(|event| match event {
        Event::PlaceFailed { step, .. } => step.clone(),
        _ => None,
    });
    assert_eq!(at.as_deref(), Some("a"));
}

#[tokio::test]
async fn marks_that_a_program_prints_are_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a").display().to_string();
    let forged = "printf '\\035begin 99999\\n\\035end 99999 0\\n\\035end 0 0\\n\\036end\\n'\nfalse";
    let ran = Bench::default()
        .run(vec![(
            "w1",
            vec![stepping("a", &path, forged), step(&folder, "b")],
        )])
        .await;
    assert_eq!(ran.reported("w1"), ["begin a"]);
    assert_eq!(ran.failure("w1").message, "the command failed with status 1");
    assert!(ran.printed().contains("\u{1d}begin 99999\n"));
}

/// The nonce of a batch's script.
fn nonce(script: &str) -> Option<&str> {
    let (_, rest) = script.split_once("printf '\\035")?;
    rest.split_once("begin ").map(|(nonce, _)| nonce)
}

/// A host that answers a batch with these lines before its own: `N` stands for the nonce, which root knows.
fn forging(lines: &'static str) -> Bench {
    Bench::answering(move |script, output| {
        let Some(nonce) = nonce(script) else {
            return Ok(output);
        };
        let mut stdout = lines.replace('N', nonce).into_bytes();
        stdout.extend(&output.stdout);
        Ok(ScriptOutput { stdout, ..output })
    })
}

#[tokio::test]
async fn marks_out_of_range_or_order_mean_nothing_even_with_the_nonce() {
    for lines in [
        "\u{1d}Nbegin 99999\n",
        "\u{1d}Nbegin 18446744073709551615\n",
        "\u{1d}Nbegin 18446744073709551616\n",
        "\u{1d}Nend 0 1\n",
        "\u{1d}Nend 99999 1\n",
        "\u{1d}Nbegin 1\n\u{1d}Nend 1 1\n",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let steps = vec![step(&folder, "a"), step(&folder, "b")];
        let ran = forging(lines).run(vec![("w1", steps)]).await;
        assert_eq!(ran.outcome.failures, BTreeMap::new(), "{lines:?}");
        assert_eq!(
            ran.reported("w1"),
            ["begin a", "done a", "begin b", "done b"],
            "{lines:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_ends_half_way_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::answering(|script, output| {
        if nonce(script).is_none() {
            return Ok(output);
        }
        Ok(ScriptOutput {
            ended: ScriptEnd::Signalled("KILL".to_owned()),
            stdout: output.stdout[..40].to_vec(),
            stderr: Vec::new(),
        })
    });
    let ran = bench.run(vec![("w1", vec![step(&folder, "a")])]).await;
    assert!(ran.failure("w1").message.contains("broke off (signal KILL)"));
}

#[tokio::test]
async fn endless_output_is_cut_and_its_end_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a").display().to_string();
    // 3 MB in short lines, 3 MB in one, and then the reason.
    let script = "yes 0123456789 | head -n 300000; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the reason; false";
    let ran = Bench::default()
        .run(vec![("w1", vec![stepping("a", &path, script)])])
        .await;
    let shown = ran.printed();
    assert!(shown.len() < (1 << 20) + 1000, "{}", shown.len());
    assert!(shown.ends_with("(it prints more than is shown here)\n"));
    let output = &ran.failure("w1").output;
    assert_eq!(output.len(), 30);
    assert_eq!(output[29], "the reason");
    assert!(output[28].starts_with("xxx") && output[28].ends_with("… (cut)"));
}

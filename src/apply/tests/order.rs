//! Steps on a host and steps by requests, in the order in which they are written.

use std::path::{Path, PathBuf};

use super::*;
use crate::cluster_resource::{ClusterStepError, DesiredResource, ProgressSink, RegistryResource};
use crate::harbor::HarborError;
use crate::plan::ClusterStep;

/// A file that a request makes.
#[derive(Debug)]
struct Request {
    path: PathBuf,
    /// What must exist when it is made.
    before: Vec<PathBuf>,
    refused: bool,
}

impl RegistryResource for Request {
    fn observe<'a>(
        &'a self,
        _: &'a Arc<dyn Transport>,
    ) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async {
            Ok(if self.path.exists() {
                Comparison::InSync
            } else {
                Comparison::Differs(Change::new(format!("request {}", self.path.display())))
            })
        })
    }

    fn act<'a>(
        &'a self,
        _: &'a Arc<dyn Transport>,
        _: ProgressSink<'a>,
    ) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async {
            if self.refused {
                return Err(ClusterStepError::Harbor(HarborError::NoSecret(
                    "robot$ci".to_owned(),
                )));
            }
            let missing: Vec<_> = self.before.iter().filter(|path| !path.exists()).collect();
            assert!(missing.is_empty(), "made before {missing:?}");
            fs_err::write(&self.path, "").unwrap();
            Ok(())
        })
    }
}

pub(super) fn requested(path: &Path, refused: bool) -> ClusterStep {
    requested_after(path, Vec::new(), refused)
}

pub(super) fn requested_after(path: &Path, before: Vec<PathBuf>, refused: bool) -> ClusterStep {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let path = path.to_owned();
    ClusterStep {
        head: step(&tempfile::tempdir().unwrap(), &name).head,
        resource: DesiredResource::Registry(Box::new(Request {
            path,
            before,
            refused,
        })),
    }
}

/// What is written as `cordon* packages uncordon*`: a step by requests has a star.
fn track(folder: &tempfile::TempDir, words: &str) -> Vec<Step> {
    let one = |word: &str| match word.strip_suffix('*') {
        Some(name) => requested(&folder.path().join(name), false).into(),
        None => step(folder, word).into(),
    };
    words.split_whitespace().map(one).collect()
}

pub(super) fn batches(ran: &Ran) -> Vec<String> {
    let names = |script: &String| {
        let lines = script.lines().filter_map(|line| line.strip_prefix("echo doing "));
        lines.collect::<Vec<_>>().join(" ")
    };
    ran.scripts
        .iter()
        .map(names)
        .filter(|names| !names.is_empty())
        .collect()
}

const UPGRADE: &str = "cordon* packages kubeadm restart uncordon* labels*";

#[tokio::test]
async fn steps_on_the_host_and_by_requests_alternate_as_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let ran = Bench::default().run(vec![("w1", track(&folder, UPGRADE))]).await;
    assert_eq!(ran.outcome.failures, BTreeMap::new());
    let done: Vec<_> = ran
        .reported("w1")
        .into_iter()
        .filter(|line| line.starts_with("done"))
        .collect();
    assert_eq!(
        done,
        [
            "done cordon",
            "done packages",
            "done kubeadm",
            "done restart",
            "done uncordon",
            "done labels"
        ]
    );
    assert_eq!(ran.outcome.changes, 6);
    let again = Bench::default().run(vec![("w1", track(&folder, UPGRADE))]).await;
    assert_eq!((again.outcome.changes, again.scripts.len()), (0, 1));
}

#[tokio::test]
async fn a_batch_ends_before_a_step_by_requests_that_has_not_had_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let ran = Bench::default()
        .run(vec![("w1", track(&folder, "a b cordon* c d"))])
        .await;
    assert_eq!(ran.outcome.failures, BTreeMap::new());
    assert_eq!(batches(&ran), ["a b", "c d"]);
}

#[tokio::test]
async fn a_step_by_requests_that_fails_holds_back_what_stands_behind_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut steps = track(&folder, "a");
    steps.push(requested(&folder.path().join("cordon"), true).into());
    steps.extend(track(&folder, "b uncordon*"));
    let ran = Bench::default().run(vec![("w1", steps)]).await;
    assert_eq!(ran.failure("w1").class, Class::StepFailed);
    assert_eq!(ran.reported("w1"), ["begin a", "done a", "begin cordon"]);
}

#[tokio::test]
async fn a_step_by_requests_whose_milestones_do_not_come_blocks_what_stands_behind_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let broken = providing(stepping("broken", "/nowhere/x", "false"), Milestone::Export);
    let mut steps = track(&folder, "a");
    let mut cordon = requested(&folder.path().join("cordon"), false);
    cordon.head.needs.push(Milestone::Export);
    steps.push(cordon.into());
    steps.extend(track(&folder, "b"));
    let ran = Bench::default()
        .run(vec![("nfs", vec![broken.into()]), ("w1", steps)])
        .await;
    assert_eq!(ran.failure("w1").class, Class::Blocked);
    assert_eq!(ran.reported("w1"), ["begin a", "done a"]);
}

#[tokio::test]
async fn a_plan_tells_every_difference_in_order_also_behind_steps_by_requests() {
    let folder = tempfile::tempdir().unwrap();
    let mut steps = track(&folder, "a cordon* b");
    let mut later = requested(&folder.path().join("later"), false);
    later.head.needs.push(Milestone::Export);
    steps.push(later.into());
    steps.extend(track(&folder, "c"));
    let owed = providing(step(&folder, "owed"), Milestone::Export);
    let bench = Bench {
        mode: RunMode::Plan,
        ..Bench::default()
    };
    let ran = bench.run(vec![("nfs", vec![owed.into()]), ("w1", steps)]).await;
    assert_eq!(ran.outcome.failures, BTreeMap::new());
    assert_eq!(
        ran.reported("w1"),
        ["begin a", "begin cordon", "begin b", "begin later", "begin c"]
    );
    assert_eq!(ran.outcome.changes, 6);
    assert_eq!(
        fs_err::read_dir(folder.path()).unwrap().count(),
        0,
        "a plan touches nothing"
    );
}

#[tokio::test]
async fn a_step_by_requests_is_passed_again_when_a_step_before_it_differs_again() {
    let folder = tempfile::tempdir().unwrap();
    // Another run undoes `a` before this one holds the lock: the look under the lock shows it.
    let (a, cordon) = (folder.path().join("a"), folder.path().join("cordon"));
    fs_err::write(&a, "").unwrap();
    fs_err::write(&cordon, "").unwrap();
    let undone = Mutex::new(Some(a));
    let bench = Bench::answering(move |_, output| {
        if let Some(a) = undone.lock().unwrap().take() {
            fs_err::remove_file(a).unwrap();
        }
        Ok(output)
    });
    let ran = bench.run(vec![("w1", track(&folder, "a cordon* b"))]).await;
    assert_eq!(ran.outcome.failures, BTreeMap::new());
    assert_eq!(
        batches(&ran),
        ["a", "b"],
        "`b` waits for the second pass of `cordon`"
    );
}

//! Random tracks, killed at random points.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::order::requested_after;
use super::*;

/// A step of a random track.
#[derive(Debug, Clone)]
struct Spec {
    by_request: bool,
    done_before: bool,
    in_group: bool,
}

fn specs() -> impl Strategy<Value = Vec<Spec>> {
    let spec = (any::<bool>(), any::<bool>(), any::<bool>());
    let spec = spec.prop_map(|(by_request, done_before, in_group)| Spec {
        by_request,
        done_before,
        in_group,
    });
    proptest::collection::vec(spec, 1..8)
}

/// A track whose steps each fail unless all before them are done.
fn track(folder: &std::path::Path, specs: &[Spec]) -> Vec<Step> {
    let paths: Vec<PathBuf> = (0..specs.len())
        .map(|index| folder.join(format!("s{index}")))
        .collect();
    let one = |(index, spec): (usize, &Spec)| -> Step {
        let (path, before) = (&paths[index], &paths[..index]);
        let mut step: Step = if spec.by_request {
            requested_after(path, before.to_vec(), false).into()
        } else {
            let mut script = String::new();
            for path in before {
                writeln!(script, "[ -e {} ]", path.display()).unwrap();
            }
            writeln!(script, ": > {}", path.display()).unwrap();
            stepping(&format!("s{index}"), &path.display().to_string(), &script).into()
        };
        if spec.in_group {
            step = turns::limited(step, At::Count(1), true);
        }
        step
    };
    specs.iter().enumerate().map(one).collect()
}

/// Runs tracks of two hosts; after `kill` scripts the network is gone.
async fn ran(folders: [&std::path::Path; 2], specs: &[Spec], kill: usize) -> Ran {
    let count = AtomicUsize::new(0);
    let bench = Bench::answering(move |_, output| {
        if count.fetch_add(1, Ordering::Relaxed) >= kill {
            return Err(lost());
        }
        Ok(output)
    });
    bench
        .run(vec![
            ("w1", track(folders[0], specs)),
            ("w2", track(folders[1], specs)),
        ])
        .await
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// No step is changed before those it stands behind; a run that was killed is finished by the next; a further one changes nothing.
    #[test]
    fn steps_keep_their_order_and_a_killed_run_is_finished_by_the_next(specs in specs(), kill in 0_usize..14) {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let folders = [folders[0].path(), folders[1].path()];
        for (index, spec) in specs.iter().enumerate() {
            if spec.done_before {
                for folder in folders {
                    fs_err::write(folder.join(format!("s{index}")), "").unwrap();
                }
            }
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let killed = runtime.block_on(ran(folders, &specs, kill));
        for failure in killed.outcome.failures.values() {
            prop_assert!(matches!(failure.class, Class::Unreachable | Class::Blocked), "{failure:?}");
        }
        let finished = runtime.block_on(ran(folders, &specs, usize::MAX));
        prop_assert_eq!(&finished.outcome.failures, &BTreeMap::new());
        for index in 0..specs.len() {
            for folder in folders {
                let made = folder.join(format!("s{index}")).exists();
                prop_assert!(made);
            }
        }
        let again = runtime.block_on(ran(folders, &specs, usize::MAX));
        prop_assert_eq!((again.outcome.changes, again.scripts.len()), (0, 2));
    }
}

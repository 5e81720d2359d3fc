#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::oneshot;

use super::*;
use crate::apply::{RunMode, RunOutcome, run};
use crate::event::{Class, Events};
use crate::plan::{HostStep, Limits, Milestone, Place, Plan, StepHead, Track};
use crate::playbook::{Guard, Origin};
use crate::resource::{
    Action, ActionInput, Change, Comparison, HostState, Probe, Resource, Topic, Unreadable,
};
use crate::transport::memory::run_here;
use crate::transport::{Script, ScriptOutput, Stream};

/// Runs scripts on this machine, with a folder of its own in the place of `/run/ci-bootstrap`. The flocks are real ones.
struct Machine {
    folder: PathBuf,
    /// Sessions that hold something; dropping one cuts it.
    sessions: Mutex<Vec<oneshot::Sender<()>>>,
    /// Whether the sessions are cut while the next batch runs.
    cut_in_batch: AtomicBool,
}

impl Machine {
    fn new(folder: &Path, name: &str) -> Arc<Self> {
        Arc::new(Self {
            folder: folder.join(name),
            sessions: Mutex::default(),
            cut_in_batch: AtomicBool::new(false),
        })
    }

    fn here(&self, script: &str) -> String {
        script.replace("/run/ci-bootstrap", self.folder.to_str().unwrap())
    }

    /// Ends all sessions, as a network does that fails, and returns when their ends are known here.
    fn cut(&self) {
        self.sessions.lock().unwrap().clear();
    }
}

impl Transport for Machine {
    fn exec(&self, exec: Script) -> BoxFuture<'_, Result<ScriptOutput, TransportError>> {
        Box::pin(async move {
            let output = run_here(&self.here(&exec.script));
            if exec.script.contains("begin %s")
                && self.cut_in_batch.load(std::sync::atomic::Ordering::Relaxed)
            {
                self.cut();
                // The task that watches the session has to see it.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            if let Some(live) = exec.live {
                let _ = live.send(output.stdout.clone()).await;
            }
            Ok(output)
        })
    }

    fn hold(&self, script: String, _: Duration) -> BoxFuture<'_, Result<HeldCommand, TransportError>> {
        let script = self.here(&script);
        Box::pin(async move {
            let mut command = tokio::process::Command::new("sh");
            command
                .arg("-c")
                .arg(script)
                .stdout(Stdio::piped())
                .kill_on_drop(true);
            let mut holder = command.spawn().unwrap();
            let mut first_line = String::new();
            let mut output = BufReader::new(holder.stdout.take().unwrap());
            output.read_line(&mut first_line).await.unwrap();
            let (guard, dropped) = oneshot::channel();
            let (session, cut) = oneshot::channel::<()>();
            self.sessions.lock().unwrap().push(session);
            tokio::spawn(async move {
                let mut dropped = dropped;
                tokio::select! { _ = &mut dropped => {}, _ = cut => {} }
                holder.kill().await.unwrap();
            });
            Ok(HeldCommand::new(first_line, guard))
        })
    }

    fn connect(&self, _: &str, _: u16) -> BoxFuture<'_, Result<Box<dyn Stream>, TransportError>> {
        Box::pin(async { Err(unreachable("x")) })
    }
}

fn unreachable(name: &str) -> TransportError {
    TransportError::Unreachable {
        host: name.to_owned(),
        address: "?".to_owned(),
        reason: "no route to host".to_owned(),
    }
}

/// Control planes cp1, cp2 … on this machine, in a folder that goes with them.
struct Site {
    _folder: tempfile::TempDir,
    machines: BTreeMap<String, Arc<Machine>>,
}

impl Site {
    fn new(size: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = (1..=size).map(|number| format!("cp{number}"));
        let machines = names.map(|name| (name.clone(), Machine::new(folder.path(), &name)));
        Self {
            machines: machines.collect(),
            _folder: folder,
        }
    }

    /// The site as an operator sees it who does not reach these hosts.
    fn without(&self, cut_off: &[&str]) -> Fleet {
        let cut_off: Vec<_> = cut_off.iter().map(|name| (*name).to_owned()).collect();
        let machines = self.machines.clone();
        let dial = move |name: String| {
            let host = match &machines[&name] {
                _ if cut_off.contains(&name) => Err(unreachable(&name)),
                machine => Ok(machine.clone() as Arc<dyn Transport>),
            };
            async move { host }.boxed()
        };
        Fleet::new(self.machines.keys().cloned(), Box::new(dial))
    }

    fn options(&self, holder: &str) -> RunOptions {
        let names = || self.machines.keys().cloned();
        RunOptions {
            control_planes: names().collect(),
            addresses: names()
                .map(|name| (name.clone(), format!("10.0.0.{}", &name[2..])))
                .collect(),
            endpoint: "10.0.0.1:6443".to_owned(),
            holder: holder.to_owned(),
            ..RunOptions::new(RunMode::Apply)
        }
    }

    fn lock(&self, holder: &str) -> Lock {
        Lock::new(&self.options(holder))
    }

    /// Cuts all sessions with these hosts, and waits until the lock there is free: then the holder must know it, too.
    async fn cut(&self, names: &[&str]) {
        for name in names {
            self.machines[*name].cut();
        }
        for name in names {
            while !self.is_free(name) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    fn is_free(&self, name: &str) -> bool {
        let folder = self.machines[name].folder.display();
        run_here(&format!("mkdir -p {folder}; flock -n {folder}/lock true")).success()
    }
}

#[tokio::test]
async fn a_majority_is_enough_and_less_is_not() {
    for (size, cut_off) in [
        (1, &[][..]),
        (3, &[]),
        (3, &["cp1"]),
        (3, &["cp3"]),
        (4, &["cp2"]),
    ] {
        let site = Site::new(size);
        let lock = site.lock("ann");
        assert_eq!(
            lock.take(&site.without(cut_off)).await,
            Ok(()),
            "{size} without {cut_off:?}"
        );
        assert!(lock.is_held());
    }
    for (size, cut_off, needed) in [(1, &["cp1"][..], 1), (2, &["cp1"], 2), (3, &["cp1", "cp3"], 2)] {
        let site = Site::new(size);
        let error = site.lock("ann").take(&site.without(cut_off)).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("{needed} of cp1")), "{text}");
        assert!(
            cut_off
                .iter()
                .all(|name| text.contains(&format!("cannot reach {name}"))),
            "{text}"
        );
        assert!(
            error
                .help()
                .contains("take those that are gone for good out of the inventory")
        );
        for name in site.machines.keys() {
            assert!(site.is_free(name), "{name} is locked by a run without a majority");
        }
    }
}

#[tokio::test]
async fn of_three_that_are_each_cut_off_from_another_one_holds_it() {
    let names = ["cp1", "cp2", "cp3"];
    for first in names {
        let site = Site::new(3);
        let lock = site.lock("ann@desk");
        assert_eq!(lock.take(&site.without(&[first])).await, Ok(()));
        for other in names.iter().filter(|name| **name != first) {
            let refused = site.lock("bob").take(&site.without(&[other])).await.unwrap_err();
            let LockError::Busy { holder, .. } = &refused else {
                unreachable!("{refused}");
            };
            assert_eq!(holder, "ann@desk");
        }
        assert!(lock.is_held(), "nobody takes it away");
    }
    // And all at once.
    let site = Site::new(3);
    let locks = names.map(|name| (site.lock(name), site.without(&[name])));
    let taken = join_all(locks.iter().map(|(lock, fleet)| lock.take(fleet))).await;
    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 1, "{taken:?}");
}

#[tokio::test]
async fn it_outlives_one_of_three_and_is_lost_with_two() {
    let site = Site::new(3);
    let (lock, fleet) = (site.lock("ann"), site.without(&[]));
    lock.take(&fleet).await.unwrap();
    site.cut(&["cp1"]).await;
    assert_eq!((lock.check(), lock.take(&fleet).await), (Ok(()), Ok(())));
    site.cut(&["cp2"]).await;
    assert_eq!(
        (lock.check(), lock.take(&fleet).await),
        (Err(LockError::Lost), Err(LockError::Lost)),
        "it is not taken again"
    );
    assert!(!lock.is_held());
}

#[test]
fn hosts_are_asked_in_the_order_of_their_addresses() {
    let mut options = Site::new(3).options("ann");
    for (name, address) in [
        ("cp1", "10.0.0.10"),
        ("cp2", "10.0.0.9"),
        ("cp3", "fd00::1"),
        ("w1", "10.0.0.1"),
    ] {
        options.addresses.insert(name.to_owned(), address.to_owned());
    }
    assert_eq!(in_order(&options), ["cp2", "cp1", "cp3"]);
    options.control_planes.clear();
    assert_eq!(
        in_order(&options),
        ["w1", "cp2", "cp1", "cp3"],
        "all, where none is a control plane"
    );
}

/// An empty file, whose observation is stale as soon as any other has been made.
#[derive(Debug)]
struct Touched(String);

impl Resource for Touched {
    fn probe(&self, ask: &mut Probe) {
        ask.path(&self.0, None);
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        Ok(match seen.path(&self.0)? {
            Some(_) => Comparison::InSync,
            None => Comparison::Differs(Change::new("touch it")),
        })
    }

    fn action(&self, _: &HostState, _: &ActionInput) -> Action {
        Action::quick(format!("touch {}\n", self.0))
    }

    fn touches(&self) -> Vec<Topic> {
        vec![Topic::Packages]
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Packages]
    }
}

fn step(path: &Path) -> HostStep {
    HostStep {
        head: StepHead {
            name: format!("touch {}", path.display()),
            needs: Vec::new(),
            provides: vec![Milestone::ApiServer],
            limit: None,
            origin: Origin {
                file: "test.yaml".to_owned(),
                line: 1,
            },
        },
        guard: Guard::default(),
        resource: Box::new(Touched(path.display().to_string())),
    }
}

/// Two steps that can't be done in one batch, on a single control plane; says which files were made.
async fn apply(cut_in_batch: bool) -> (RunOutcome, [bool; 2]) {
    let site = Site::new(1);
    site.machines["cp1"]
        .cut_in_batch
        .store(cut_in_batch, std::sync::atomic::Ordering::Relaxed);
    let files = tempfile::tempdir().unwrap();
    let paths = ["one", "two"].map(|name| files.path().join(name));
    let plan = Plan {
        cluster: "ci".to_owned(),
        limits: Limits::default(),
        tracks: vec![Track {
            place: Place::Host("cp1".to_owned()),
            steps: paths.iter().map(|path| step(path).into()).collect(),
        }],
    };
    let (events, _receiver) = Events::channel();
    let outcome = run(plan, Arc::new(site.without(&[])), events, site.options("ann")).await;
    (outcome, paths.map(|path| path.exists()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_lost_in_a_batch_lets_no_other_begin() {
    let (outcome, made) = apply(false).await;
    assert_eq!((outcome.failures.len(), made), (0, [true, true]), "{outcome:?}");
    let (outcome, made) = apply(true).await;
    assert_eq!(
        made,
        [true, false],
        "the batch that runs is finished, and none begins"
    );
    let failure = &outcome.failures["cp1"];
    assert_eq!(failure.class, Class::Unreachable);
    assert!(failure.message.contains("lock is lost"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_control_planes_ends_when_a_host_is_lost() {
    let site = Site::new(1);
    let mut options = site.options("ann");
    options.control_planes.clear();
    let plan = Plan {
        cluster: "ci".to_owned(),
        limits: Limits::default(),
        tracks: vec![Track {
            place: Place::Host("cp1".to_owned()),
            steps: Vec::new(),
        }],
    };
    let (events, _receiver) = Events::channel();
    let running = run(plan, Arc::new(site.without(&["cp1"])), events, options);
    let outcome = tokio::time::timeout(Duration::from_secs(30), running).await;
    assert_eq!(outcome.unwrap().failures["cp1"].class, Class::Unreachable);
}

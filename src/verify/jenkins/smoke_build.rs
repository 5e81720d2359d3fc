//! One build, followed from the queue to the end of its pod.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::cluster_api::{Api, Container, Object};
use crate::jenkins::{Build, Jenkins};
use crate::verify::check::Problem;

/// Longest time until the build is over.
const LIMIT: Duration = Duration::from_secs(600);
/// Longest time until its pod is gone.
const GONE: Duration = Duration::from_secs(120);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(500);
/// How long a build may have no pod, or one that does not get ready, before it is asked why.
const NOTICEABLE: Duration = Duration::from_secs(15);
/// How often it is asked why.
const ASK: Duration = Duration::from_secs(5);
/// Lines of a build's log that are shown, and of the controller's that are searched.
const SHOWN: usize = 30;
const SEARCHED: usize = 300;

/// A build on an agent of this name.
pub(super) struct SmokeBuild<'a> {
    pub(super) api: &'a Api,
    pub(super) jenkins: &'a Jenkins,
    pub(super) controller: Container,
    pub(super) job: &'a str,
    pub(super) namespace: &'a str,
    pub(super) agent: &'a str,
}

/// What was seen of the build's pod.
#[derive(Default)]
struct Seen {
    /// Pods that were there before the build.
    before: BTreeSet<String>,
    /// The controller's last word before it.
    last_word: String,
    pod: Option<String>,
    node: Option<String>,
    /// Since when there is a pod, after the start.
    after: Duration,
}

impl SmokeBuild<'_> {
    /// Builds, and says what was seen.
    pub(super) async fn run(&self, workers: &[String]) -> Result<String, Problem> {
        let (before, log) = (self.pods().await?, self.api.log(&self.controller, 1).await?);
        let mut seen = Seen {
            before: before.iter().map(name).collect(),
            last_word: log,
            ..Seen::default()
        };
        let began = Instant::now();
        let item = self.jenkins.start_build(self.job).await?;
        let (number, build) = self.follow(item, &mut seen, began).await?;
        let log = self.jenkins.build_log(self.job, number).await?;
        let result = build.result.as_deref().unwrap_or("no result");
        if result != "SUCCESS" || !log.contains(&format!("read back: {}", self.job)) {
            return Err(
                Problem::failed(format!("the build ended with {result}")).with_output(&last_lines(&log))
            );
        }
        let ended = Instant::now();
        self.await_end(&seen, ended).await?;
        let Some(node) = seen.node else {
            return Err(
                Problem::failed("the build passed, and no agent pod was seen").with_output(&last_lines(&log))
            );
        };
        if !workers.contains(&node) {
            return Err(Problem::failed(format!(
                "the agent pod ran on {node}, which is no worker"
            )));
        }
        Ok(format!(
            "passed on {node} in {} s: its pod came after {} s and was gone {} s after the end",
            (ended - began).as_secs(),
            seen.after.as_secs(),
            ended.elapsed().as_secs()
        ))
    }

    /// Waits for the build's end. Fails early where something is wrong that waiting would not mend.
    async fn follow(&self, item: u64, seen: &mut Seen, began: Instant) -> Result<(u32, Build), Problem> {
        let (mut number, mut asked) = (None, Instant::now());
        loop {
            match number {
                None => {
                    let item = self.jenkins.queue_item(item).await?;
                    if item.cancelled {
                        return Err(Problem::failed("somebody took the build out of the queue"));
                    }
                    number = item.build;
                }
                Some(number) => {
                    let build = self.jenkins.build(self.job, number).await?;
                    if !build.building {
                        return Ok((number, build));
                    }
                }
            }
            let pod = self.look(seen, began).await?;
            let late = began.elapsed() >= LIMIT;
            if late || began.elapsed() >= NOTICEABLE && asked.elapsed() >= ASK {
                asked = Instant::now();
                self.complain(pod.as_ref(), number, &seen.last_word, late).await?;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The build's pod at the moment.
    async fn look(&self, seen: &mut Seen, began: Instant) -> Result<Option<Object>, Problem> {
        let mut pods = self.pods().await?.into_iter();
        let pod = pods.find(|pod| !seen.before.contains(&name(pod)));
        if let Some(pod) = &pod {
            if seen.pod.is_none() {
                seen.after = began.elapsed();
            }
            seen.pod = Some(name(pod));
            let node = pod["spec"]["nodeName"].as_str().map(str::to_owned);
            seen.node = node.or(seen.node.take());
        }
        Ok(pod)
    }

    /// Fails when the build will not get anywhere, or is late.
    async fn complain(
        &self,
        pod: Option<&Object>,
        number: Option<u32>,
        last_word: &str,
        late: bool,
    ) -> Result<(), Problem> {
        let Some(pod) = pod else {
            return self.without_pod(number, last_word, late).await;
        };
        let explanation = self.api.explain_pod(pod).await?;
        let hopeless = explanation.causes.iter().any(|cause| cause.patience.is_some());
        if hopeless || late {
            return Err(
                Problem::failed("the build's pod does not get ready").with_output(&explanation.to_string())
            );
        }
        Ok(())
    }

    /// Jenkins could not make a pod: the API server's refusal stands in its log. Or it does not want to: the queue says why.
    async fn without_pod(&self, number: Option<u32>, last_word: &str, late: bool) -> Result<(), Problem> {
        let log = self.api.log(&self.controller, SEARCHED).await?;
        let news = log
            .rsplit_once(last_word.trim())
            .filter(|_| !last_word.is_empty());
        let mut lines = news.map_or(log.as_str(), |(_, news)| news).lines();
        let refusal = lines.rfind(|line| line.contains(" is forbidden: ") || line.contains("exceeded quota"));
        if refusal.is_none() && !late {
            return Ok(());
        }
        let mut text = Vec::new();
        text.extend(refusal.map(|line| format!("log of Jenkins: {}", line.trim())));
        let queue = self.jenkins.overview().await?.queue;
        text.extend(queue.iter().map(|why| format!("queue: {why}")));
        if let Some(number) = number {
            text.push(last_lines(&self.jenkins.build_log(self.job, number).await?));
        }
        Err(Problem::failed("the build waits, and Jenkins makes no pod for it").with_output(&text.join("\n")))
    }

    /// Waits until the build's pod is gone.
    async fn await_end(&self, seen: &Seen, ended: Instant) -> Result<(), Problem> {
        while self
            .pods()
            .await?
            .iter()
            .any(|pod| seen.pod.as_ref() == Some(&name(pod)))
        {
            if ended.elapsed() >= GONE {
                let pod = seen.pod.as_deref().unwrap_or_default();
                return Err(Problem::failed(format!("the pod {}/{pod} is still there {} s after its build", self.namespace, GONE.as_secs()))
                    .with_help("agents with `idle` stay that long; else Jenkins may not delete pods: the log of its controller tells more"));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// The pods of agents of this name.
    async fn pods(&self) -> Result<Vec<Object>, Problem> {
        let prefix = format!("{}-", self.agent);
        let pods = self.api.pods(self.namespace).await?;
        Ok(pods
            .into_iter()
            .filter(|pod| name(pod).starts_with(&prefix))
            .collect())
    }
}

fn name(pod: &Object) -> String {
    pod["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}

//! One build, followed from the queue to the end of its pod.

use std::time::{Duration, Instant};

use super::agent_pods::{AgentPods, agent_of, has_agent, name};
use crate::cluster_api::{Api, Container, Explanation, Object};
use crate::jenkins::{Build, JenkinsClient, is_refusal};
use crate::verify::check::CheckProblem;

/// Longest time until the build is over.
const LIMIT: Duration = Duration::from_secs(600);
/// Longest time until its pod is gone.
const GONE: Duration = Duration::from_secs(120);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(500);
/// How long a build may have no pod, or one that does not get ready, before it is asked why.
const NOTICEABLE: Duration = Duration::from_secs(15);
/// How long Jenkins may take for a pod, where there is room for one.
const NO_POD: Duration = Duration::from_secs(50);
/// How many pods may fail: Jenkins makes another one each time, for ever.
const FAILURES: usize = 3;
/// How often it is asked why.
const ASK: Duration = Duration::from_secs(5);
/// Lines of a build's log that are shown, and of the controller's that are searched.
const SHOWN: usize = 30;
const SEARCHED: usize = 300;
/// Complaints of the controller that are shown.
const COMPLAINTS: usize = 6;

/// A build on an agent of this name.
pub(super) struct SmokeBuild<'a> {
    pub(super) api: &'a Api,
    pub(super) jenkins: &'a JenkinsClient,
    pub(super) controller: Container,
    pub(super) job: &'a str,
    pub(super) namespace: &'a str,
    pub(super) agent: &'a str,
    /// Most pods at a time: of all agents of the namespace, and of those of this name.
    pub(super) caps: (usize, usize),
}

/// A build that has passed.
pub(super) struct PassedBuild {
    pod: String,
    node: String,
    took: Duration,
    came: Option<Duration>,
    ended: Instant,
}

/// What was seen while the build was waited for.
struct ObservedPods {
    began: Instant,
    pods: AgentPods,
    /// Why the last pod failed, where it could still be asked.
    failure: Option<Explanation>,
    /// The controller's last word before the build.
    last_word: String,
}

impl SmokeBuild<'_> {
    /// Builds; the pod may still be there afterwards.
    pub(super) async fn run(&self, workers: &[String]) -> Result<PassedBuild, CheckProblem> {
        let (before, log) = (self.pods().await?, self.api.log(&self.controller, 1).await?);
        let mut seen = ObservedPods {
            began: Instant::now(),
            pods: AgentPods::since(&self.ours(&before)),
            failure: None,
            last_word: log,
        };
        let item = self.jenkins.start_build(self.job).await?;
        let (number, build) = self.follow(item, &mut seen).await?;
        let ended = Instant::now();
        let log = self.jenkins.build_log(self.job, number).await?;
        let failed = |why: &str| CheckProblem::failed(why).with_output(&last_lines(&log));
        let result = build.result.as_deref().unwrap_or("no result");
        if result != "SUCCESS" || !log.contains(&format!("read back: {}", self.job)) {
            return Err(failed(&format!("the build ended with {result}")));
        }
        let Some(pod) = agent_of(&log) else {
            return Err(failed("the build passed, and does not say on which agent"));
        };
        let Some(node) = seen.pods.node(pod) else {
            let what = format!(
                "the build passed on {pod}, and no such pod was seen in {}",
                self.namespace
            );
            return Err(failed(&what));
        };
        if !workers.iter().any(|worker| worker == node) {
            return Err(CheckProblem::failed(format!(
                "the agent pod ran on {node}, which is not a worker"
            )));
        }
        Ok(PassedBuild {
            took: ended - seen.began,
            came: seen.pods.after(pod),
            pod: pod.to_owned(),
            node: node.to_owned(),
            ended,
        })
    }

    /// Waits for the build's end. Fails early where something is wrong that waiting would not fix.
    async fn follow(&self, item: u64, seen: &mut ObservedPods) -> Result<(u32, Build), CheckProblem> {
        let (mut number, mut asked) = (None, Instant::now());
        loop {
            match number {
                None => {
                    let item = self.jenkins.queue_item(item).await?;
                    if item.cancelled {
                        return Err(CheckProblem::failed("somebody took the build out of the queue"));
                    }
                    number = item.build;
                }
                Some(number) => {
                    let build = self.jenkins.build(self.job, number).await?;
                    if !build.building {
                        // Once more, for the node of a pod that came late.
                        self.look(seen).await?;
                        return Ok((number, build));
                    }
                }
            }
            let pods = self.look(seen).await?;
            let (waited, late) = (seen.began.elapsed(), seen.began.elapsed() >= LIMIT);
            let lost = seen.pods.failed() >= FAILURES;
            if late || asked.elapsed() >= ASK && (lost || waited >= NOTICEABLE) {
                asked = Instant::now();
                self.complain(&pods, number, seen, late).await?;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// All pods of the namespace at the moment. Whatever fails is asked why as long as it is there.
    async fn look(&self, seen: &mut ObservedPods) -> Result<Vec<Object>, CheckProblem> {
        let all = self.pods().await?;
        let ours = self.ours(&all);
        for pod in seen.pods.look(&ours, seen.began.elapsed()) {
            // It may be gone by now: then another one will tell.
            if let Ok(explanation) = self.api.explain_pod(pod).await {
                seen.failure = Some(explanation);
            }
        }
        Ok(all)
    }

    /// Fails when the build will not get anywhere, or is late.
    async fn complain(
        &self,
        all: &[Object],
        number: Option<u32>,
        seen: &ObservedPods,
        late: bool,
    ) -> Result<(), CheckProblem> {
        let log = match number {
            Some(number) => self.jenkins.build_log(self.job, number).await?,
            None => String::new(),
        };
        if has_agent(&log) && !late {
            return Ok(());
        }
        if has_agent(&log) {
            return Err(CheckProblem::failed("the build does not end").with_output(&last_lines(&log)));
        }
        if seen.pods.failed() >= FAILURES {
            let text = seen.failure.as_ref().map(ToString::to_string);
            let text = text.unwrap_or_else(|| "they were gone before they could be asked why".to_owned());
            return Err(
                CheckProblem::failed("the agents' pods end as soon as they have begun").with_output(&text),
            );
        }
        let ours = self.ours(all);
        let Some(pod) = seen.pods.hope(&ours) else {
            return self.without_pod(all, &log, seen, late).await;
        };
        let explanation = self.api.explain_pod(pod).await?;
        let hopeless = explanation.causes.iter().any(|cause| cause.patience.is_some());
        if hopeless || late {
            return Err(CheckProblem::failed("the build's pod does not get ready")
                .with_output(&explanation.to_string()));
        }
        Ok(())
    }

    /// Jenkins could not make a pod: the API server's refusal, or what went wrong in Jenkins, stands in its log. Or it does not
    /// want to: the queue says why.
    async fn without_pod(
        &self,
        all: &[Object],
        log: &str,
        seen: &ObservedPods,
        late: bool,
    ) -> Result<(), CheckProblem> {
        let said = self.api.log(&self.controller, SEARCHED).await?;
        let news = since(&said, &seen.last_word);
        let refusal = news.lines().rfind(|line| is_refusal(line));
        let full = is_full(all, self.agent, self.caps);
        let overdue = seen.began.elapsed() >= NO_POD && !seen.pods.came() && !full;
        if refusal.is_none() && !late && !overdue {
            return Ok(());
        }
        let mut text: Vec<_> = match refusal {
            Some(line) => vec![format!("log of Jenkins: {}", line.trim())],
            None => complaints(news)
                .map(|line| format!("log of Jenkins: {line}"))
                .collect(),
        };
        let queue = self.jenkins.overview().await?.queue;
        text.extend(queue.iter().map(|why| format!("queue: {why}")));
        text.push(last_lines(log));
        Err(
            CheckProblem::failed("the build waits, and Jenkins makes no pod for it")
                .with_output(&text.join("\n")),
        )
    }

    /// All pods of the agents' namespace.
    async fn pods(&self) -> Result<Vec<Object>, CheckProblem> {
        Ok(self.api.pods(self.namespace).await?)
    }

    /// Those of agents of this name.
    fn ours(&self, all: &[Object]) -> Vec<Object> {
        of_agent(all, self.agent).cloned().collect()
    }

    /// Waits until the build's pod is gone, unless pods of its kind stay for later builds. Says what was seen.
    pub(super) async fn end(&self, passed: &PassedBuild, stays: bool) -> Result<String, CheckProblem> {
        let PassedBuild {
            pod,
            node,
            took,
            came,
            ended,
        } = passed;
        let came = match came {
            Some(came) => format!("its pod came after {} s", came.as_secs()),
            None => "its pod was there from before".to_owned(),
        };
        let said = format!("passed on {node} in {} s: {came}", took.as_secs());
        if stays {
            return Ok(format!("{said} and stays for later builds"));
        }
        while self.pods().await?.iter().any(|other| name(other) == *pod) {
            if ended.elapsed() >= GONE {
                return Err(CheckProblem::failed(format!(
                    "the pod {}/{pod} is still there {} s after its build",
                    self.namespace,
                    GONE.as_secs()
                ))
                .with_help("Jenkins may not delete pods: the log of its controller tells more"));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(format!(
            "{said} and was gone {} s after the end",
            ended.elapsed().as_secs()
        ))
    }
}

/// The pods of this template. Jenkins puts `-` and a word between them, which tells them from those of a template `AGENT-LARGE`.
fn of_agent<'a>(all: &'a [Object], agent: &str) -> impl Iterator<Item = &'a Object> {
    let prefix = format!("{agent}-");
    let is_own = move |pod: &&Object| {
        name(pod)
            .strip_prefix(&prefix)
            .is_some_and(|word| !word.contains('-'))
    };
    all.iter().filter(is_own)
}

/// Whether there are as many pods already as Jenkins may make: of all agents, or of this one.
fn is_full(all: &[Object], agent: &str, caps: (usize, usize)) -> bool {
    let is_agent = |pod: &&Object| pod["metadata"]["labels"]["jenkins"] == "slave";
    all.iter().filter(is_agent).count() >= caps.0 || of_agent(all, agent).count() >= caps.1
}

/// What was printed after the last word of an earlier look; everything where that is gone.
fn since<'a>(log: &'a str, last_word: &str) -> &'a str {
    let news = log
        .rsplit_once(last_word.trim())
        .filter(|_| !last_word.trim().is_empty());
    news.map_or(log, |(_, news)| news)
}

/// What Jenkins complains of, each once, in its order.
fn complaints(log: &str) -> impl Iterator<Item = &str> {
    let mut reported = Vec::new();
    for line in log.lines().map(str::trim) {
        let complains = ["WARNING", "SEVERE", "Exception"]
            .iter()
            .any(|word| line.contains(word));
        // The time before it differs each time.
        let is_reported = |other: &&str| without_time(other) == without_time(line);
        if complains && !reported.iter().any(is_reported) {
            reported.push(line);
        }
    }
    let first = reported.len().saturating_sub(COMPLAINTS);
    reported.into_iter().skip(first)
}

fn without_time(line: &str) -> &str {
    line.trim_start_matches(|letter: char| letter.is_ascii_digit() || " -:.+\t".contains(letter))
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_build_may_wait_as_long_as_there_is_no_room() {
        let pod = |name: &str| json!({"metadata": {"name": name, "labels": {"jenkins": "slave"}}});
        let pods = [pod("jnlp-a"), pod("maven-a"), json!({"metadata": {"name": "x"}})];
        assert!(!is_full(&pods, "jnlp", (3, 2)));
        assert!(is_full(&pods, "jnlp", (2, 2)), "of all agents");
        assert!(is_full(&pods, "jnlp", (10, 1)), "of this agent");
        assert!(
            !is_full(&[pod("jnlp-large-a")], "jnlp", (10, 1)),
            "of another agent"
        );
    }

    #[test]
    fn only_the_news_of_the_controller_count() {
        let log = "INFO: up\npods \"x\" is forbidden: no\nINFO: later\n";
        assert_eq!(since(log, "INFO: later\n"), "\n");
        assert_eq!(since(log, "INFO: of long ago"), log);
        assert_eq!(since(log, ""), log);
    }

    #[test]
    fn the_same_complaint_is_told_once() {
        let log = "2026-11-30 02:00:00.000+0000 [id=1] WARNING o.c.j.p.k.KubernetesLauncher#launch: Error in provisioning\n\
                   java.lang.NullPointerException: parent is null\n\
                   2026-11-30 02:00:01.000+0000 [id=1] WARNING o.c.j.p.k.KubernetesLauncher#launch: Error in provisioning\n\
                   2026-11-30 02:00:02.000+0000 [id=1] INFO fine\n";
        let reported: Vec<_> = complaints(log).collect();
        assert_eq!(reported.len(), 2, "{reported:?}");
        assert!(
            reported[0].contains("Error in provisioning") && reported[1].contains("NullPointerException")
        );
    }
}

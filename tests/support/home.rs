//! A Jenkins that is lost and found: its inventory, what it has, and whether it has that again.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::{Duration, Instant};

use super::jenkins::Jenkins;

/// A Pipeline that says the sum of what the credential holds.
const JOB: &str = r#"node { withCredentials([usernamePassword(credentialsId: &apos;gitlab&apos;, usernameVariable: &apos;U&apos;, passwordVariable: &apos;P&apos;)]) { sh &apos;printf %s "$P" | sha256sum&apos; } }"#;
/// The password that the inventory gives for it, and its sum.
const PASSWORD: &str = "hunter2";
const SUM: &str = "f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7";
/// What is compared before and after a loss.
const KEPT: [&str; 2] = [
    "/api/json?tree=jobs[name,builds[number,result]]",
    "/credentials/store/system/domain/_/api/json?depth=1",
];
/// Longest time for its build, whose agent is a pod.
const BUILD: Duration = Duration::from_secs(180);

/// An inventory with Jenkins, made of one without; its home is on a volume of `class`, or of the class that the inventory has.
pub(crate) fn inventory(plain: &str, class: Option<&str>) -> String {
    let value = |key: &str| {
        let rest = plain.split(key).nth(1).unwrap();
        let mut words = rest.split(['"', '}', ' ', '\n']);
        words.find(|word| !word.is_empty()).unwrap().to_owned()
    };
    let (registry, ca) = (value("imageRepository:"), value("ca: { file:"));
    let site = registry.replace(":5000", ":8000");
    let mirror = format!(
        "registries:\n  - {{ name: docker.io, mirrors: [\"https://{registry}\"], ca: {{ file: {ca} }} }}\n"
    );
    let storage = class.map_or_else(String::new, |class| format!("\n  storage: {{ class: {class} }}"));
    plain.replace("registries:\n", &mirror)
        + &format!(
            "jenkins:{storage}
  plugins: {{ updateSite: {{ metadata: \"http://{site}/jenkins/update-center.json\" }} }}
  resources: {{ requests: {{ cpu: 50m, memory: 64Mi }}, limits: {{ memory: 512Mi }} }}
  credentials:
    - {{ id: gitlab, kind: usernamePassword, username: ci, password: {{ command: [echo, {PASSWORD}] }} }}
"
        )
}

/// Makes a job and lets it build once.
pub(crate) fn build(jenkins: &Jenkins) {
    jenkins.create("kept", JOB);
    build_again(jenkins);
    remember(jenkins);
}

/// The job builds, with the credential.
fn build_again(jenkins: &Jenkins) {
    let next = jenkins.get("/job/kept/api/json?tree=nextBuildNumber");
    let number: String = next.chars().filter(char::is_ascii_digit).collect();
    jenkins.post("/job/kept/build", &[]);
    let began = Instant::now();
    let last = "/job/kept/api/json?tree=lastSuccessfulBuild[number]";
    while !jenkins.get(last).contains(&format!("\"number\":{number}}}")) {
        assert!(began.elapsed() < BUILD, "build {number} did not end well");
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_log(jenkins, &number);
}

/// The build's log has the sum of the password.
#[track_caller]
fn assert_log(jenkins: &Jenkins, number: &str) {
    let log = jenkins.get(&format!("/job/kept/{number}/consoleText"));
    assert!(log.contains(SUM), "{log}");
}

/// Writes down what Jenkins has: its jobs with their builds, and its credentials.
pub(crate) fn remember(jenkins: &Jenkins) {
    fs_err::write(jenkins.lab.path("kept"), kept(jenkins)).unwrap();
}

fn kept(jenkins: &Jenkins) -> String {
    KEPT.map(|page| jenkins.get(page)).join("\n")
}

/// The jobs, builds and credentials are those that were remembered; the first build has its log, and the job builds again.
#[track_caller]
pub(crate) fn assert_back(jenkins: &Jenkins) {
    let before = fs_err::read_to_string(jenkins.lab.path("kept")).unwrap();
    assert!(before.contains("kept") && before.contains("gitlab"), "{before}");
    assert_eq!(kept(jenkins), before);
    assert_log(jenkins, "1");
    build_again(jenkins);
}

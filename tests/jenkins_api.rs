//! The client against Jenkins' REST API, as the lab's stand-in for Jenkins serves it on loopback (`tests/lab/src/jenkins-standin`, whose
//! README says how it was compared with the real one). Skipped where `tests/lab/lab prepare` has not yet made the program.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed unwrap is a failed test"
)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ci_bootstrap::jenkins::{
    GitPipeline, JenkinsClient, JenkinsError, boot_failure, broken_plugins, differences, inline_pipeline_xml,
};
use ci_bootstrap::transport::HttpClient;
use ci_bootstrap::transport::direct::Direct;

#[path = "support/skip.rs"]
mod skip;

const PASSWORD: &str = "correct horse";
const CONFIGURATION: &str = "jenkins:
  numExecutors: 1
  systemMessage: first
  securityRealm:
    local:
      allowsSignup: false
      users:
        - { id: admin, password: \"${PASSWORD}\" }
  authorizationStrategy: loggedInUsersCanDoAnything
";

/// The stand-in, with a home of its own; it ends with this value.
struct Standin {
    child: Child,
    port: u16,
    home: tempfile::TempDir,
}

impl Drop for Standin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Standin {
    fn start(configuration: &str, delay: &str) -> Option<Self> {
        let program = program()?;
        let home = tempfile::tempdir().unwrap();
        fs_err::write(home.path().join("jenkins.yaml"), configuration).unwrap();
        fs_err::write(
            home.path().join("plugins.txt"),
            "git:5.10.1\nkubernetes:4540.v1\n",
        )
        .unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = fs_err::File::create(home.path().join("log")).unwrap();
        let child = Command::new(program)
            .args([
                format!("--httpPort={port}"),
                "--httpListenAddress=127.0.0.1".to_owned(),
            ])
            .env("JENKINS_HOME", home.path().join("home"))
            .env("CASC_JENKINS_CONFIG", home.path().join("jenkins.yaml"))
            .env("CASC_RELOAD_TOKEN", "a token/")
            .env("PASSWORD", PASSWORD)
            .env("STANDIN_START_DELAY", delay)
            .env("STANDIN_PLUGINS", home.path().join("plugins.txt"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(log.into_parts().0))
            .spawn()
            .unwrap();
        Some(Self { child, port, home })
    }

    fn configure(&self, configuration: &str) {
        fs_err::write(self.home.path().join("jenkins.yaml"), configuration).unwrap();
    }

    fn log(&self) -> String {
        fs_err::read_to_string(self.home.path().join("log")).unwrap()
    }

    fn client(&self, password: &str) -> JenkinsClient {
        let http = HttpClient::new(Arc::new(Direct)).at("127.0.0.1", self.port);
        JenkinsClient::new(http, "admin", &password.into())
    }

    /// A client, once the start has come to an end.
    async fn up(&self) -> JenkinsClient {
        let jenkins = self.client(PASSWORD);
        for _ in 0..100 {
            match jenkins.overview().await {
                Err(error) if error.may_heal() => tokio::time::sleep(Duration::from_millis(100)).await,
                _ => return jenkins,
            }
        }
        panic!("the stand-in did not come up: {}", self.log());
    }
}

/// Where the lab keeps its programs.
fn program() -> Option<PathBuf> {
    let root = std::env::var("LAB_ROOT").unwrap_or_else(|_| "/var/tmp/ci-bootstrap-lab".to_owned());
    let path = Path::new(&root).join("bin/jenkins-standin");
    if path.exists() {
        return Some(path);
    }
    skip::skipped(
        std::thread::current().name().unwrap_or_default(),
        &format!("no {}: run `tests/lab/lab prepare` first", path.display()),
    );
    None
}

#[tokio::test]
async fn who_does_not_answer_starts_or_refuses_is_told_apart() {
    let Some(standin) = Standin::start(CONFIGURATION, "1500ms") else {
        return;
    };
    let early = standin.client(PASSWORD).overview().await.unwrap_err();
    assert!(early.may_heal(), "{early}");
    let jenkins = standin.up().await;
    let overview = jenkins.overview().await.unwrap();
    assert!(overview.version.starts_with("2."), "{overview:?}");
    assert_eq!(
        (
            overview.queue.len(),
            overview.agents.len(),
            overview.quieting_down
        ),
        (0, 0, false)
    );
    let wrong = standin.client("wrong").overview().await.unwrap_err();
    assert!(wrong.to_string().contains("password of user `admin`"), "{wrong}");
    assert!(matches!(wrong, JenkinsError::Login(_)) && !wrong.may_heal());
    let nobody = HttpClient::new(Arc::new(Direct)).at("127.0.0.1", 9);
    let error = JenkinsClient::new(nobody, "admin", &PASSWORD.into())
        .overview()
        .await
        .unwrap_err();
    assert!(
        matches!(error, JenkinsError::Unreachable { .. }) && error.to_string().contains("127.0.0.1:9"),
        "{error}"
    );
}

#[tokio::test]
async fn a_start_that_failed_tells_its_cause() {
    let broken = CONFIGURATION.replace("numExecutors: 1", "numExecutors: 1\n  bogus: 2");
    let Some(standin) = Standin::start(&broken, "0s") else {
        return;
    };
    let error = loop {
        match standin.client(PASSWORD).overview().await.unwrap_err() {
            error if error.may_heal() => tokio::time::sleep(Duration::from_millis(50)).await,
            error => break error,
        }
    };
    assert!(
        error.to_string().starts_with("Jenkins did not start: ") && error.to_string().contains("bogus"),
        "{error}"
    );
    let cause = boot_failure(&standin.log()).unwrap();
    assert!(
        cause.contains("UnknownAttributesException") && cause.contains("bogus"),
        "{cause}"
    );
}

#[tokio::test]
async fn a_configuration_is_tried_before_it_is_loaded() {
    let Some(standin) = Standin::start(CONFIGURATION, "0s") else {
        return;
    };
    let jenkins = standin.up().await;
    jenkins.check(CONFIGURATION).await.unwrap();
    let broken = CONFIGURATION.replace("systemMessage", "sistemMessage");
    let error = jenkins.check(&broken).await.unwrap_err();
    assert!(
        matches!(error, JenkinsError::Configuration(_)) && error.to_string().contains("sistemMessage"),
        "{error}"
    );

    standin.configure(&CONFIGURATION.replace("first", "second"));
    jenkins.reload("a token/").await.unwrap();
    assert!(jenkins.export().await.unwrap().contains("second"));
    let wrong = jenkins.reload("wrong").await.unwrap_err();
    assert!(
        matches!(wrong, JenkinsError::Forbidden { .. }) && !wrong.to_string().contains("token="),
        "{wrong}"
    );

    // A reload that fails answers 200.
    standin.configure(&broken);
    let error = jenkins.reload("a token/").await.unwrap_err();
    assert!(
        matches!(error, JenkinsError::Configuration(_)) && error.to_string().contains("sistemMessage"),
        "{error}"
    );
    assert!(jenkins.export().await.unwrap().contains("second"));
}

#[tokio::test]
async fn jobs_are_made_changed_and_deleted() {
    let Some(standin) = Standin::start(CONFIGURATION, "0s") else {
        return;
    };
    let jenkins = standin.up().await;
    let mut job = GitPipeline {
        name: "shop (main)".to_owned(),
        repository: "https://git.example.com/shop.git?a=1&b=2".to_owned(),
        branch: "main".to_owned(),
        jenkinsfile: "Jenkinsfile".to_owned(),
        credential: None,
    };
    assert_eq!(jenkins.job(&job.name).await.unwrap(), None);
    jenkins.create_job(&job.name, &job.xml()).await.unwrap();
    let live = jenkins.job(&job.name).await.unwrap().unwrap();
    assert_eq!(differences(&job.xml(), &live).unwrap(), [""; 0]);
    let twice = jenkins.create_job(&job.name, &job.xml()).await.unwrap_err();
    assert!(twice.to_string().contains("already exists"), "{twice}");

    job.branch = "next".to_owned();
    assert_eq!(differences(&job.xml(), &live).unwrap().len(), 1);
    jenkins.update_job(&job.name, &job.xml()).await.unwrap();
    let live = jenkins.job(&job.name).await.unwrap().unwrap();
    assert_eq!(differences(&job.xml(), &live).unwrap(), [""; 0]);
    assert_eq!(jenkins.job_names().await.unwrap(), ["shop (main)"]);
    for _ in 0..2 {
        jenkins.delete_job(&job.name).await.unwrap();
    }
    assert_eq!(jenkins.job_names().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_build_is_followed_to_its_log() {
    let Some(standin) = Standin::start(CONFIGURATION, "0s") else {
        return;
    };
    let jenkins = standin.up().await;
    let script = "node('built-in') { sh 'echo \"1 < 2 && $((40 + 2))\"' }";
    jenkins
        .create_job("smoke", &inline_pipeline_xml("a test", script))
        .await
        .unwrap();
    let item = jenkins.start_build("smoke").await.unwrap();
    let number = loop {
        let item = jenkins.queue_item(item).await.unwrap();
        match item.build {
            Some(number) => break number,
            None => assert!(!item.cancelled, "{item:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let build = loop {
        let build = jenkins.build("smoke", number).await.unwrap();
        if !build.building {
            break build;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let log = jenkins.build_log("smoke", number).await.unwrap();
    assert_eq!(build.result.as_deref(), Some("SUCCESS"), "{log}");
    assert!(log.contains("1 < 2 && 42"), "{log}");
}

#[tokio::test]
async fn plugins_are_held_against_those_asked_for() {
    let Some(standin) = Standin::start(CONFIGURATION, "0s") else {
        return;
    };
    let found = standin.up().await.plugins().await.unwrap();
    assert_eq!(broken_plugins(["git"], &found), [""; 0]);
    assert_eq!(
        broken_plugins(["mailer"], &found),
        ["the plugin mailer is not there"]
    );
}

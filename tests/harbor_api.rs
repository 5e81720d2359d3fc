//! The client against Harbor's REST API, as the lab's stand-in for Harbor serves it on loopback (`tests/lab/src/harbor-standin`).
//! Skipped where `tests/lab/lab prepare` has not yet made the program.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed unwrap is a failed test"
)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ci_bootstrap::harbor::{AccountProblem, HarborClient, HarborError, RobotAccount};
use ci_bootstrap::transport::HttpClient;
use ci_bootstrap::transport::direct::Direct;
use serde_json::json;

#[path = "support/skip.rs"]
mod skip;

const ADMIN_PASSWORD: &str = "Harbor12345";
const PASSWORD: &str = "Robot-secret-1";

/// The stand-in; it ends with this value.
struct Standin {
    child: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Drop for Standin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Standin {
    fn start(prefix: &str) -> Option<Self> {
        let root = std::env::var("LAB_ROOT").unwrap_or_else(|_| "/var/tmp/ci-bootstrap-lab".to_owned());
        let program = Path::new(&root).join("bin/harbor-standin");
        if !program.exists() {
            skip::skipped(
                std::thread::current().name().unwrap_or_default(),
                &format!("no {}: run `tests/lab/lab prepare` first", program.display()),
            );
            return None;
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let directory = tempfile::tempdir().unwrap();
        let log = fs_err::File::create(directory.path().join("log")).unwrap();
        let child = Command::new(program)
            .args(["--listen", &format!("127.0.0.1:{port}"), "--prefix", prefix])
            .env("HARBOR_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(log.into_parts().0))
            .spawn()
            .unwrap();
        let standin = Self {
            child,
            port,
            directory,
        };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(standin);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the stand-in does not listen");
    }

    fn client(&self, password: &str) -> HarborClient {
        let http = HttpClient::new(Arc::new(Direct)).at("127.0.0.1", self.port);
        HarborClient::new(http, "admin", &password.into())
    }

    /// Requests so far that could have changed something, as `METHOD path status`.
    fn changes(&self) -> Vec<String> {
        let log = fs_err::read_to_string(self.directory.path().join("log")).unwrap();
        let changes = log.lines().filter(|line| !line.starts_with("GET "));
        let words = changes.map(|line| line.split(' ').take(3).collect::<Vec<_>>().join(" "));
        words.collect()
    }

    /// What a person does at Harbor's pages.
    fn by_hand(&self, method: &str, path: &str, body: &str) {
        let answer = self.asked(method, path, "Content-Type: application/json\r\n", body);
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    }

    /// The answer to an administrator's request.
    fn asked(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let login = STANDARD.encode(format!("admin:{ADMIN_PASSWORD}"));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: harbor\r\nAuthorization: Basic {login}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

fn account() -> RobotAccount {
    RobotAccount {
        project: "ci".to_owned(),
        robot: "builder".to_owned(),
        username: "robot$ci+builder".to_owned(),
        password: PASSWORD.into(),
    }
}

/// What a run does: looks, and makes what is missing.
async fn apply(account: &RobotAccount, harbor: &HarborClient) -> Result<Vec<AccountProblem>, HarborError> {
    let missing = account.missing(harbor).await?;
    for missing in &missing {
        account.make(harbor, *missing).await?;
    }
    Ok(missing)
}

#[tokio::test]
async fn project_and_account_are_made_once() {
    let Some(standin) = Standin::start("robot$") else {
        return;
    };
    let (harbor, account) = (standin.client(ADMIN_PASSWORD), account());
    assert_eq!(
        account.missing(&harbor).await.unwrap(),
        [AccountProblem::Project, AccountProblem::Robot]
    );
    assert_eq!(standin.changes(), [""; 0], "a look changed something");
    apply(&account, &harbor).await.unwrap();
    assert!(
        harbor
            .accepts(&account.username, &account.password)
            .await
            .unwrap()
    );
    let made = standin.changes();
    assert_eq!(
        made,
        [
            "POST /api/v2.0/projects 201",
            "POST /api/v2.0/robots 201",
            "PATCH /api/v2.0/robots/2 200"
        ]
    );
    assert_eq!(apply(&account, &harbor).await.unwrap(), []);
    assert_eq!(standin.changes(), made, "a second run changed something");
}

#[tokio::test]
async fn what_another_run_began_is_finished() {
    let Some(standin) = Standin::start("robot$") else {
        return;
    };
    let (harbor, account) = (standin.client(ADMIN_PASSWORD), account());
    // Names that contain the project's are others, and many of them fill pages.
    for number in 0..120 {
        harbor.create_project(&format!("ci-{number}")).await.unwrap();
    }
    harbor.create_project("ci").await.unwrap();
    assert_eq!(account.missing(&harbor).await.unwrap(), [AccountProblem::Robot]);
    harbor.create_robot("ci", "builder").await.unwrap();
    let [AccountProblem::Password(_)] = account.missing(&harbor).await.unwrap()[..] else {
        panic!("the account has a secret that nobody knows");
    };
    // Somebody else was faster: both are there when they shall be made.
    account.make(&harbor, AccountProblem::Project).await.unwrap();
    account.make(&harbor, AccountProblem::Robot).await.unwrap();
    assert_eq!(account.missing(&harbor).await.unwrap(), []);

    let other = RobotAccount {
        password: "Another-secret-2".into(),
        ..account.clone()
    };
    let [AccountProblem::Password(_)] = apply(&other, &harbor).await.unwrap()[..] else {
        panic!("a changed password is a change");
    };
    assert!(!harbor.accepts(&other.username, &account.password).await.unwrap());
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let Some(standin) = Standin::start("robot$") else {
        return;
    };
    let account = account();
    let wrong = account.missing(&standin.client("wrong")).await.unwrap_err();
    assert!(
        matches!(wrong, HarborError::Login { .. }) && wrong.to_string().contains("password of `admin`"),
        "{wrong}"
    );
    let harbor = standin.client(ADMIN_PASSWORD);
    let weak = RobotAccount {
        password: "weak".into(),
        ..account.clone()
    };
    let error = weak.missing(&harbor).await.unwrap_err();
    assert!(
        error.to_string().contains("8 to 128 characters") && !error.to_string().contains("weak"),
        "{error}"
    );
    apply(&account, &harbor).await.unwrap();

    let http = HttpClient::new(Arc::new(Direct)).at("127.0.0.1", standin.port);
    let robot = HarborClient::new(http, &account.username, &account.password);
    let forbidden = robot.create_project("other").await.unwrap_err();
    assert!(matches!(forbidden, HarborError::Forbidden { .. }), "{forbidden}");

    let http = HttpClient::new(Arc::new(Direct)).at("127.0.0.1", 9);
    let nobody = HarborClient::new(http, "admin", &ADMIN_PASSWORD.into());
    let error = account.missing(&nobody).await.unwrap_err();
    assert!(
        matches!(error, HarborError::Unreachable { .. }) && error.to_string().contains("127.0.0.1:9"),
        "{error}"
    );
}

#[tokio::test]
async fn what_a_person_changed_in_harbor_is_told() {
    let Some(standin) = Standin::start("robot$") else {
        return;
    };
    let (harbor, account) = (standin.client(ADMIN_PASSWORD), account());
    apply(&account, &harbor).await.unwrap();
    let robot = |disable: bool, expires_at: i64, actions: &[&str]| {
        let access = actions
            .iter()
            .map(|action| json!({"resource": "repository", "action": action}));
        let permission = json!({"kind": "project", "namespace": "ci", "access": access.collect::<Vec<_>>()});
        let name = &account.username;
        json!({
            "name": name, "level": "project", "duration": -1, "disable": disable, "expires_at": expires_at,
            "permissions": [permission],
        })
        .to_string()
    };
    let back = robot(false, -1, &["pull", "push"]);
    for (change, reported) in [
        (robot(true, -1, &["pull", "push"]), "is disabled"),
        (robot(false, 1000, &["pull", "push"]), "has expired"),
        (robot(false, -1, &["pull"]), "may not both pull and push"),
    ] {
        standin.by_hand("PUT", "/api/v2.0/robots/2", &change);
        let error = account.missing(&harbor).await.unwrap_err();
        assert!(error.to_string().contains(reported), "{error}");
        standin.by_hand("PUT", "/api/v2.0/robots/2", &back);
        assert_eq!(account.missing(&harbor).await.unwrap(), []);
    }
}

#[tokio::test]
async fn another_word_before_the_names_is_told_with_the_name_to_write() {
    let Some(standin) = Standin::start("automat-") else {
        return;
    };
    let (harbor, account) = (standin.client(ADMIN_PASSWORD), account());
    for _ in 0..2 {
        let error = apply(&account, &harbor).await.unwrap_err();
        assert!(error.to_string().contains("`automat-ci+builder`"), "{error}");
    }
    let named = RobotAccount {
        username: "automat-ci+builder".to_owned(),
        ..account
    };
    apply(&named, &harbor).await.unwrap();
    assert_eq!(named.missing(&harbor).await.unwrap(), []);
}

#[tokio::test]
async fn a_failed_login_of_somebody_else_locks_the_administrator_for_a_moment_only() {
    let Some(standin) = Standin::start("robot$") else {
        return;
    };
    // Nobody waits after the wrong password: the right one is refused at first. A busy machine may take longer between the two than
    // that lasts, but not each time.
    let mut refused = false;
    for _ in 0..5 {
        assert!(standin.client("wrong").create_project("ci").await.is_err());
        let answer = standin.client(ADMIN_PASSWORD).create_project("other").await;
        refused |= matches!(answer, Err(HarborError::Login { .. }));
    }
    assert!(refused, "the administrator was never refused");
    let missing = account().missing(&standin.client(ADMIN_PASSWORD)).await;
    assert_eq!(missing.unwrap(), [AccountProblem::Project, AccountProblem::Robot]);
}

#[tokio::test]
async fn read_only_mode_is_told_as_such() {
    let Some(standin) = Standin::start("robot$") else {
        return;
    };
    standin.by_hand("PUT", "/api/v2.0/configurations", r#"{"read_only": true}"#);
    let error = apply(&account(), &standin.client(ADMIN_PASSWORD))
        .await
        .unwrap_err();
    assert!(matches!(error, HarborError::ReadOnly { .. }), "{error}");
}

/// The rules of Harbor that the program must keep to: here they are known to bind it (`tests/lab/src/harbor-standin/CONTRACT.md`).
#[test]
fn the_standin_is_as_strict_as_harbor() {
    let Some(standin) = Standin::start("robot$") else {
        return;
    };
    let typed = "Content-Type: application/json\r\n";
    let robot = |duration: i64, action: &str| {
        let access = [json!({"resource": "repository", "action": action})];
        let permission = json!({"kind": "project", "namespace": "nowhere", "access": access});
        json!({"name": "a", "level": "project", "duration": duration, "permissions": [permission]})
            .to_string()
    };
    for (method, path, headers, body, status) in [
        (
            "POST",
            "/api/v2.0/projects",
            "",
            r#"{"project_name": "ci"}"#,
            "422",
        ),
        ("GET", "/api/v2.0/projects?page_size=101", "", "", "422"),
        ("POST", "/api/v2.0/robots", typed, &robot(0, "pull"), "400"),
        ("POST", "/api/v2.0/robots", typed, &robot(-1, "fly"), "400"),
        ("POST", "/api/v2.0/robots", typed, &robot(-1, "pull"), "404"),
    ] {
        let answer = standin.asked(method, path, headers, body);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{method} {path}: {answer}"
        );
    }
    for path in [
        "/api/v2.0/projects?name=nothing",
        "/api/v2.0/robots?q=Level%3Dproject%2CProjectID%3D9",
    ] {
        let answer = standin.asked("GET", path, "", "");
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.trim_end().ends_with("[]"),
            "{answer}"
        );
    }
    let missing = standin
        .asked("GET", "/v2/nowhere/image/manifests/1", "", "")
        .to_lowercase();
    assert!(
        missing.starts_with("http/1.1 401") && missing.contains("www-authenticate: \r\n"),
        "{missing}"
    );
}

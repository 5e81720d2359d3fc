//! Harbor and agent images of one's own, from an inventory to a build: the project and its robot account are made, an image is built from
//! a folder and pushed with that account, and Jenkins runs a build in a pod of it.
//!
//! Harbor, Jenkins and its agents are the lab's stand-ins; the registry behind Harbor, Kubernetes and containerd are real.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use support::cases::Cases;
use support::eavesdropper::Eavesdropper;
use support::lab::skip::skipped;
use support::lab::{Lab, Ran};
use support::running::Running;
use support::volume;

mod support {
    pub(crate) mod cases;
    pub(crate) mod eavesdropper;
    #[expect(dead_code, reason = "other tests ask more of it")]
    pub(crate) mod lab;
    #[expect(dead_code, reason = "other tests ask more of it")]
    pub(crate) mod running;
    pub(crate) mod volume;
}

const HOSTS: usize = 2;
/// Longest time until a run gets to its image.
const BEGIN: Duration = Duration::from_secs(120);
/// Of the stand-in (tests/lab/registries.sh).
const ADMIN_PASSWORD: &str = "Lab-harbor-1";
const ROBOT: &str = "robot$ci+builder";
const ROBOT_PASSWORD: &str = "Robot-secret-1";
const NAMESPACES: [&str; 3] = ["kube-ops", "kube-ops-agents", "kube-ops-builders"];

#[test]
fn builds_run_in_images_of_ones_own() {
    let cache = std::env::var("LAB_ROOT").unwrap_or_else(|_| "/var/tmp/ci-bootstrap-lab".to_owned());
    if !Path::new(&cache).join("bin/kaniko").is_file() {
        skipped(
            "harbor",
            "no Kaniko, whose build takes minutes: run 'tests/lab/lab prepare kaniko' first",
        );
        return;
    }
    let Some(lab) = Lab::up("harbor", 1, HOSTS) else {
        return;
    };
    lab.lab(&["registries"]);
    let mut cases = Cases::of("harbor", &lab);
    cases.foundation("a cluster with a volume for Jenkins", cluster_with_a_volume);
    cases.foundation("project, account, image and build, with no secret seen", set_up);
    cases.case("a second apply changes nothing", second_apply);
    cases.case("pods of Jenkins may pull, and know the CA", pods_may_pull);
    cases.case(
        "a changed folder is built again, and a killed run's build is finished",
        changed_folder,
    );
    cases.case("an image that was deleted is built again", deleted_image);
    cases.case("a build that fails shows its log", failed_build);
    cases.case(
        "a builder that is not there is named, and exchanged",
        missing_builder,
    );
    cases.case("a changed password of the account", changed_password);
    cases.case("a wrong password of the administrator", wrong_admin);
    cases.end();
}

/// The address of a server of the lab.
fn server(lab: &Lab, port: u16) -> String {
    let plain = lab.inventory(HOSTS);
    let after = plain.split("imageRepository: ").nth(1).unwrap();
    let (address, _) = after.lines().next().unwrap().rsplit_once(':').unwrap();
    format!("{address}:{port}")
}

fn image(lab: &Lab) -> String {
    format!("{}/ci/agent:1", server(lab, 5003))
}

/// The inventory with Harbor, and with Jenkins whose agents run in an image built from the folder `agent`.
fn inventory(lab: &Lab) -> String {
    let plain = lab.inventory(HOSTS);
    let ca = plain
        .split("ca: { file: ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let (mirror, harbor, web) = (server(lab, 5000), server(lab, 5003), server(lab, 8000));
    let registries = format!(
        "registries:
  - {{ name: docker.io, mirrors: [\"https://{mirror}\"], ca: {{ file: {ca} }} }}
  - {{ name: ghcr.io, mirrors: [\"https://{mirror}\"], ca: {{ file: {ca} }} }}
  - name: \"{harbor}\"
    ca: {{ file: {ca} }}
    credentials: {{ username: \"{ROBOT}\", password: {{ file: robot-password }} }}
    image: \"{image}\"
    harbor: {{ project: ci, admin: {{ username: admin, password: {{ file: admin-password }} }} }}
",
        image = image(lab)
    );
    plain.replace("registries:\n", &registries)
        + &format!(
            "jenkins:
  storage: {{ class: {class} }}
  plugins: {{ updateSite: {{ metadata: \"http://{web}/jenkins/update-center.json\" }} }}
  resources: {{ requests: {{ cpu: 50m, memory: 64Mi }}, limits: {{ memory: 512Mi }} }}
  images: [{{ name: \"{image}\", folder: agent }}]
  agents: {{ templates: [{{ name: own, kind: jnlp, image: \"{image}\" }}] }}
",
            class = volume::CLASS,
            image = image(lab)
        )
}

/// The folder of the image, with a file of this content.
fn folder(lab: &Lab, greeting: &str, last: &str) {
    let folder = lab.path("agent");
    fs_err::create_dir_all(folder.join("files")).unwrap();
    let agent = env!("CARGO_MANIFEST_DIR").to_owned() + "/src/inventory/jenkins/agents.rs";
    let agent = fs_err::read_to_string(agent).unwrap();
    let from = agent
        .split("docker.io/jenkins/inbound-agent:")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let dockerfile =
        format!("FROM docker.io/jenkins/inbound-agent:{from}\nCOPY files/greeting /greeting\n{last}");
    fs_err::write(folder.join("Dockerfile"), dockerfile).unwrap();
    fs_err::write(folder.join("files/greeting"), greeting).unwrap();
}

/// The passwords that the inventory's references lead to.
fn passwords(lab: &Lab, robot: &str, admin: &str) {
    fs_err::write(lab.path("robot-password"), robot).unwrap();
    fs_err::write(lab.path("admin-password"), admin).unwrap();
}

fn apply(lab: &Lab) -> Ran {
    lab.apply(&inventory(lab), &[])
}

/// Calls of Harbor's API so far that change something.
fn calls(lab: &Lab) -> Vec<String> {
    let root = std::env::var("LAB_ROOT").unwrap_or_else(|_| "/var/tmp/ci-bootstrap-lab".to_owned());
    let log = PathBuf::from(root)
        .join("run")
        .join(lab.name())
        .join("harbor.log");
    let log = fs_err::read_to_string(log).unwrap();
    let calls = log
        .lines()
        .filter(|line| line.contains(" /api/") && !line.starts_with("GET "));
    calls.map(str::to_owned).collect()
}

/// What the Job says of the image that it has pushed.
fn pushed(lab: &Lab) -> String {
    let path = "{.items[*].status.containerStatuses[0].state.terminated.message}";
    lab.kubectl(&format!(
        "-n kube-ops-builders get pods -l app.kubernetes.io/part-of=ci-bootstrap -o 'jsonpath={path}'"
    ))
}

fn cluster_with_a_volume(lab: &Lab) {
    lab.apply(&lab.inventory(HOSTS), &[]).ended(0);
    volume::make(lab);
}

fn set_up(lab: &Lab) {
    folder(lab, "hello", "");
    passwords(lab, ROBOT_PASSWORD, ADMIN_PASSWORD);
    let plan = lab.run(&["plan", "--plain", "-vv"], &inventory(lab)).ended(0);
    for line in [
        "+project ci",
        "+robot account robot$ci+builder",
        &format!("build {}", image(lab)),
    ] {
        assert!(plan.stdout.contains(line), "{line} is not in {}", plan.stdout);
    }
    assert_eq!(calls(lab), [""; 0], "the plan changed something");

    let (log, flag) = (lab.path("apply.log"), lab.path("apply.log").display().to_string());
    let ear = Eavesdropper::on(lab.name());
    let applied = lab.apply(&inventory(lab), &["-vv", "--log-file", &flag]);
    let heard = ear.heard();
    let applied = applied.ended(0);
    assert!(
        heard.iter().any(|line| line.contains("crictl")),
        "the eavesdropper is deaf"
    );
    let maps = lab.kubectl("get configmaps -A -o yaml");
    let log = fs_err::read_to_string(log).unwrap();
    for secret in [ADMIN_PASSWORD, ROBOT_PASSWORD] {
        assert!(
            !heard.iter().any(|line| line.contains(secret)),
            "in a command line"
        );
        let said = [&plan.stdout, &applied.stdout, &log, &maps];
        assert!(
            said.iter().all(|text| !text.contains(secret)),
            "{secret} was said"
        );
    }
    let passed = |check: &str| {
        let passed = applied
            .events
            .iter()
            .filter(|event| event["event"] == "checked" && event["result"] == "passed");
        passed.filter(|event| event["check"] == check).count()
    };
    assert_eq!(passed("smoke build"), 1, "{}", applied.stdout);
    let registry = format!("registry {}", server(lab, 5003));
    assert_eq!(passed(&registry), HOSTS, "{}", applied.stdout);
    assert!(pushed(lab).starts_with("sha256:"), "{}", pushed(lab));
}

fn second_apply(lab: &Lab) {
    let before = calls(lab);
    let again = apply(lab).ended(0);
    assert_eq!(
        (again.changes(), again.steps().len()),
        (0, 0),
        "{:?}",
        again.steps()
    );
    assert_eq!(calls(lab), before);
}

fn pods_may_pull(lab: &Lab) {
    for namespace in NAMESPACES {
        let path = "{.data.\\.dockerconfigjson}";
        let logins = lab.kubectl(&format!(
            "-n {namespace} get secret registry-credentials -o 'jsonpath={path}' | base64 -d"
        ));
        assert!(
            logins.contains(ROBOT) && !logins.contains(ADMIN_PASSWORD),
            "{namespace}"
        );
        let authorities = lab.kubectl(&format!("-n {namespace} get configmap registry-ca -o yaml"));
        assert!(authorities.contains("BEGIN CERTIFICATE"), "{namespace}");
        let account = if namespace == "kube-ops" {
            "jenkins"
        } else {
            "jenkins-agent"
        };
        let secrets = lab.kubectl(&format!(
            "-n {namespace} get serviceaccount {account} -o 'jsonpath={{.imagePullSecrets[*].name}}'"
        ));
        assert_eq!(secrets, "registry-credentials", "{namespace}");
    }
}

fn changed_folder(lab: &Lab) {
    let before = pushed(lab);
    folder(lab, "hello again", "");
    let step = format!("image {}", image(lab));
    let mut killed = Running::apply(lab, "killed", &inventory(lab));
    killed.until_step("cluster", &step, BEGIN);
    killed.signal("KILL");
    killed.end();
    let finished = apply(lab).ended(0);
    assert!(finished.changes() <= 1, "{:?}", finished.steps());
    assert_ne!(pushed(lab), before);
    assert_eq!(apply(lab).ended(0).changes(), 0);
}

fn deleted_image(lab: &Lab) {
    let url = format!("https://{}/v2/ci/agent/manifests", server(lab, 5003));
    let login = format!("admin:{ADMIN_PASSWORD}");
    let digest = pushed(lab);
    let deleted = lab.lab(&[
        "run",
        "curl",
        "-sk",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-X",
        "DELETE",
        "-u",
        &login,
        &format!("{url}/{}", digest.trim()),
    ]);
    assert_eq!(deleted, "202");
    let again = apply(lab).ended(0);
    assert_eq!(again.changes(), 1, "{:?}", again.steps());
    assert_eq!(apply(lab).ended(0).changes(), 0);
}

fn failed_build(lab: &Lab) {
    folder(lab, "hello", "COPY files/nothing /nothing\n");
    let failed = apply(lab);
    assert_ne!(failed.code, 0);
    assert!(
        failed.stdout.contains("container kaniko") && failed.stdout.contains("files/nothing"),
        "{}",
        failed.stdout
    );
    folder(lab, "hello", "");
    assert_eq!(apply(lab).ended(0).changes(), 1);
}

fn missing_builder(lab: &Lab) {
    folder(lab, "hello from another builder", "");
    let builder = "  imageBuilder: ghcr.io/osscontainertools/kaniko:nope\n";
    let failed = lab.apply(&(inventory(lab) + builder), &[]);
    assert_ne!(failed.code, 0);
    assert!(
        failed.stdout.contains("was not built") && failed.stdout.contains("kaniko:nope"),
        "{}",
        failed.stdout
    );
    // The Job that waits for that image would never end.
    assert_eq!(apply(lab).ended(0).changes(), 1);
}

fn changed_password(lab: &Lab) {
    passwords(lab, "Robot-secret-2", ADMIN_PASSWORD);
    let changed = apply(lab).ended(0);
    assert!(
        changed.steps().iter().any(|step| step.contains("robot account")),
        "{:?}",
        changed.steps()
    );
    passwords(lab, ROBOT_PASSWORD, ADMIN_PASSWORD);
    apply(lab).ended(0);
}

fn wrong_admin(lab: &Lab) {
    passwords(lab, ROBOT_PASSWORD, "wrong");
    let refused = apply(lab);
    assert_ne!(refused.code, 0);
    assert!(
        refused.stdout.contains("does not accept the password of `admin`"),
        "{}",
        refused.stdout
    );
}

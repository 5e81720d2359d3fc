//! Jenkins in a cluster: set up, changed with and without a restart, lost and back, and what is said when it can't come up.
//!
//! The controller and the agents are the lab's stand-ins, behind the names of Jenkins' images; its volume is a directory of a node.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use support::cases::Cases;
use support::eavesdropper::Eavesdropper;
use support::lab::Lab;

mod support {
    pub(crate) mod cases;
    pub(crate) mod eavesdropper;
    #[expect(dead_code, reason = "other tests use more of it")]
    pub(crate) mod lab;
}

const HOSTS: usize = 2;
/// In every secret of this test, which must be seen nowhere.
const SECRET: &str = "hunter2";
/// A class without a provisioner, and a volume for the claim of Jenkins' home.
const VOLUME: &str = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: by-hand }
provisioner: kubernetes.io/no-provisioner
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: jenkins-home }
spec:
  capacity: { storage: 50Gi }
  accessModes: [ReadWriteOnce]
  storageClassName: by-hand
  persistentVolumeReclaimPolicy: Retain
  claimRef: { namespace: kube-ops, name: jenkins-home }
  hostPath: { path: /var/lib/jenkins-home }
  nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: kubernetes.io/hostname, operator: In, values: [w1] }] }] } }
";

#[test]
fn jenkins_converges() {
    let Some(lab) = Lab::up("jenkins", 1, HOSTS) else {
        return;
    };
    let mut cases = Cases::of("jenkins", &lab);
    cases.foundation("a cluster with a volume for it", cluster_with_a_volume);
    cases.foundation("set up, with no secret seen by others", set_up);
    cases.case("a second apply changes nothing", second_apply);
    cases.case("the administrator can log in, nobody else", login);
    cases.case("a changed configuration is loaded without a restart", configured);
    cases.case("a configuration that Jenkins refuses is not applied", refused);
    cases.case("a changed list of plugins restarts it", plugins);
    cases.case("a deleted pod comes back with its home", deleted_pod);
    cases.case("a plugin that is not there is named", wrong_plugin);
    cases.case("an image that is not there is named", wrong_image);
    cases.case("a claim that can't be bound is named", unbound_claim);
    cases.end();
}

/// The inventory with Jenkins, and more keys for it.
fn inventory(lab: &Lab, more: &str) -> String {
    let plain = lab.inventory(HOSTS);
    let value = |key: &str| {
        plain
            .split(key)
            .nth(1)
            .unwrap()
            .split(['"', '}', ' '])
            .find(|word| !word.is_empty())
            .unwrap()
            .to_owned()
    };
    let (registry, ca) = (value("imageRepository:").trim().to_owned(), value("ca: { file:"));
    let server = registry.replace(":5000", ":8000");
    let mirror = format!(
        "registries:\n  - {{ name: docker.io, mirrors: [\"https://{registry}\"], ca: {{ file: {ca} }} }}\n"
    );
    let storage = if more.contains("storage:") {
        ""
    } else {
        "  storage: { class: by-hand }\n"
    };
    let plugins = if more.contains("plugins:") {
        String::new()
    } else {
        update_site(&server, "")
    };
    plain.replace("registries:\n", &mirror)
        + &format!(
            "jenkins:
{storage}{plugins}{more}  resources: {{ requests: {{ cpu: 50m, memory: 64Mi }}, limits: {{ memory: 512Mi }} }}
  credentials:
    - {{ id: gitlab, kind: usernamePassword, username: ci, password: {{ command: [echo, {SECRET}-gitlab] }} }}
"
        )
}

fn update_site(server: &str, pins: &str) -> String {
    format!(
        "  plugins: {{ updateSite: {{ metadata: \"http://{server}/jenkins/update-center.json\" }}, pins: {{ {pins} }} }}\n"
    )
}

/// The address of the lab's web server.
fn server(lab: &Lab) -> String {
    let plain = lab.inventory(HOSTS);
    let after = plain.split("imageRepository: ").nth(1).unwrap();
    after.lines().next().unwrap().replace(":5000", ":8000")
}

fn pod(lab: &Lab) -> String {
    lab.kubectl("-n kube-ops get pod jenkins-0 -o 'jsonpath={.metadata.uid} {.status.containerStatuses[0].restartCount}'")
}

fn cluster_with_a_volume(lab: &Lab) {
    lab.apply(&lab.inventory(HOSTS), &[]).ended(0);
    lab.ssh("w1", "install -d -m 0777 /var/lib/jenkins-home");
    lab.ssh(
        "cp1",
        &format!("kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f - <<'END'\n{VOLUME}\nEND\n"),
    );
}

fn set_up(lab: &Lab) {
    let inventory = inventory(lab, "");
    let plan = lab.plan(&inventory, &[]).ended(10);
    assert!(
        lab.kubectl("get namespaces")
            .lines()
            .all(|line| !line.starts_with("kube-ops")),
        "a plan made a namespace"
    );
    let (log, flag) = (lab.path("apply.log"), lab.path("apply.log").display().to_string());
    let ear = Eavesdropper::on(lab.name());
    let apply = lab.apply(&inventory, &["-vv", "--log-file", &flag]);
    let heard = ear.heard();
    let apply = apply.ended(0);
    assert!(
        heard.iter().any(|line| line.contains("jenkins.sh")),
        "the eavesdropper is deaf: {heard:?}"
    );
    let password =
        lab.kubectl("-n kube-ops get secret jenkins-admin -o 'jsonpath={.data.password}' | base64 -d");
    assert!(password.len() >= 24, "a short password");
    for secret in [SECRET, &password] {
        assert!(
            !heard.iter().any(|line| line.contains(secret)),
            "in a command line"
        );
        assert!(
            !plan.stdout.contains(secret) && !apply.stdout.contains(secret),
            "in the events"
        );
        assert!(
            !fs_err::read_to_string(&log).unwrap().contains(secret),
            "in the debug log"
        );
        let maps = lab.kubectl("get configmaps -A -o yaml");
        assert!(
            maps.contains("jenkins.yaml") && !maps.contains(secret),
            "in a ConfigMap"
        );
    }
}

fn second_apply(lab: &Lab) {
    let before = pod(lab);
    let apply = lab.apply(&inventory(lab, ""), &[]).ended(0);
    assert_eq!((apply.changes(), apply.steps().len()), (0, 0));
    assert_eq!(pod(lab), before);
}

/// The status with which Jenkins answers a request, through the port of a node.
fn status(lab: &Lab, login: &str) -> String {
    let host = server(lab).replace(".1:8000", ".11:30080");
    lab.lab(&[
        "run",
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-u",
        login,
        &format!("http://{host}/api/json"),
    ])
}

fn login(lab: &Lab) {
    let password =
        lab.kubectl("-n kube-ops get secret jenkins-admin -o 'jsonpath={.data.password}' | base64 -d");
    assert_eq!(status(lab, &format!("admin:{password}")), "200");
    assert_eq!(status(lab, "admin:admin"), "401");
}

fn configured(lab: &Lab) {
    let before = pod(lab);
    let changed = inventory(
        lab,
        "  configuration: { jenkins: { systemMessage: changed by the test } }\n",
    );
    assert_eq!(lab.apply(&changed, &[]).ended(0).changes(), 1);
    assert_eq!(pod(lab), before, "it was restarted");
    let home = lab.ssh(
        "w1",
        "grep -rl 'changed by the test' /var/lib/jenkins-home/config.xml || true",
    );
    assert!(home.contains("config.xml"), "Jenkins did not load it");
    assert_eq!(lab.apply(&changed, &[]).ended(0).changes(), 0);
}

fn refused(lab: &Lab) {
    let wrong = inventory(lab, "  configuration: { jenkins: { bogus: 1 } }\n");
    let apply = lab.apply(&wrong, &[]);
    assert_ne!(apply.code, 0);
    assert!(
        apply.stdout.contains("would not load this configuration") && apply.stdout.contains("bogus"),
        "{}",
        apply.stdout
    );
    lab.apply(&inventory(lab, ""), &[]).ended(0);
}

fn plugins(lab: &Lab) {
    let before = pod(lab);
    // The lab's update site has the versions of the list alone, so that a change can only take something out.
    let fewer = inventory(lab, "").replace("updateSite:", "defaults: false, updateSite:").replace(
        "pins: {  }",
        "pins: { configuration-as-code: 2117.vc05a_0b_e6b_f4e, kubernetes: 4547.v52f3080db_8cd, workflow-aggregator: 608.v67378e9d3db_1 }",
    );
    lab.apply(&fewer, &[]).ended(0);
    assert_ne!(pod(lab), before, "it was not restarted");
    assert_eq!(
        lab.ssh("w1", "ls /var/lib/jenkins-home/plugins | wc -l").trim(),
        "3"
    );
    lab.apply(&inventory(lab, ""), &[]).ended(0);
}

fn deleted_pod(lab: &Lab) {
    let before = lab.ssh("w1", "sha256sum /var/lib/jenkins-home/secrets/* | sort");
    lab.kubectl("-n kube-ops delete pod jenkins-0");
    assert_eq!(lab.apply(&inventory(lab, ""), &[]).ended(0).changes(), 0);
    assert_eq!(
        lab.ssh("w1", "sha256sum /var/lib/jenkins-home/secrets/* | sort"),
        before
    );
}

/// Applies what can't work, and back; gives what was said.
fn failing(lab: &Lab, inventory_of: &str) -> String {
    let apply = lab.apply(inventory_of, &[]);
    assert_ne!(apply.code, 0);
    apply.stdout
}

fn wrong_plugin(lab: &Lab) {
    let said = failing(lab, &inventory(lab, &update_site(&server(lab), "gti: 5.10.1")));
    assert!(
        said.contains("init container plugins") && said.contains("gti/5.10.1/gti.hpi"),
        "{said}"
    );
    lab.apply(&inventory(lab, ""), &[]).ended(0);
}

fn wrong_image(lab: &Lab) {
    let said = failing(lab, &inventory(lab, "  image: docker.io/jenkins/jenkins:nope\n"));
    assert!(
        said.contains("jenkins:nope") && said.contains("no such image or tag"),
        "{said}"
    );
    lab.apply(&inventory(lab, ""), &[]).ended(0);
}

fn unbound_claim(lab: &Lab) {
    lab.kubectl("-n kube-ops delete statefulset jenkins");
    lab.kubectl("-n kube-ops delete pvc jenkins-home");
    let said = failing(lab, &inventory(lab, "  storage: { class: nothing-like-this }\n"));
    assert!(
        said.contains("nothing-like-this") && said.contains("jenkins-home"),
        "{said}"
    );
}

//! Jenkins in a cluster: set up, changed with and without a restart, lost and back, and what is said when it can't come up.
//!
//! The controller and the agents are the lab's stand-ins, behind the names of Jenkins' images; its volume is a directory of a node.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use support::cases::Cases;
use support::eavesdropper::Eavesdropper;
use support::jenkins::{Jenkins, password};
use support::lab::{Lab, Ran};
use support::reach;
use support::volume;

mod support {
    pub(crate) mod cases;
    pub(crate) mod eavesdropper;
    pub(crate) mod jenkins;
    #[expect(dead_code, reason = "other tests use more of it")]
    pub(crate) mod lab;
    pub(crate) mod reach;
    pub(crate) mod volume;
}

const HOSTS: usize = 2;
/// In every secret of this test, which must be seen nowhere.
const SECRET: &str = "hunter2";
/// The lab's update site has the versions of the program's list alone, so that a change can only take something out.
const FEWER: &str = "defaults: false, pins: { configuration-as-code: 2117.vc05a_0b_e6b_f4e, \
                     kubernetes: 4547.v52f3080db_8cd, workflow-aggregator: 608.v67378e9d3db_1 }";

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
    cases.case("builds reach only what they may", builds_reach);
    cases.case("a changed configuration is loaded without a restart", configured);
    cases.case("a configuration that Jenkins refuses is not applied", refused);
    cases.case("an Ingress leads to it", ingress);
    cases.case("a changed list of plugins restarts it", plugins);
    cases.case("a deleted pod comes back with its home", deleted_pod);
    cases.case("a plugin that is not there is named", wrong_plugin);
    cases.case(
        "an update site that does not answer is named",
        unreachable_update_site,
    );
    cases.case("an image that is not there is named", wrong_image);
    cases.case("all of it is fixed by the right inventory", fixed);
    cases.case("a pod that Jenkins does not make is told", no_pod);
    cases.case("a build passes on an agent that comes by WebSocket", websocket);
    cases.case("agents of a Jenkinsfile start as one writes them", brought_along);
    cases.case("verify passes on agents that stay", agents_that_stay);
    cases.case(
        "agents that end at once are told, with their words",
        agents_that_end,
    );
    cases.case("builds pass on agents of the kinds that bring a tool", kinds);
    cases.case(
        "a configuration with which Jenkins can't start is named",
        refused_at_a_first_start,
    );
    cases.case("a claim that can't be bound is named", unbound_claim);
    cases.end();
}

/// The inventory with Jenkins on that volume, a credential, and more keys of its section.
fn inventory(lab: &Lab, more: &str) -> String {
    let class = if more.contains("storage:") {
        String::new()
    } else {
        format!("  storage: {{ class: {} }}\n", volume::CLASS)
    };
    lab.lab(&["inventory", "--jenkins", &HOSTS.to_string()])
        + &format!(
            "{class}{more}  credentials:
    - {{ id: gitlab, kind: usernamePassword, username: ci, password: {{ command: [echo, {SECRET}-gitlab] }} }}
"
        )
}

/// That inventory, with more keys about plugins.
fn with_plugins(lab: &Lab, keys: &str) -> String {
    inventory(lab, "").replace("plugins: {", &format!("plugins: {{ {keys},"))
}

fn pod(lab: &Lab) -> String {
    lab.kubectl("-n kube-ops get pod jenkins-0 -o 'jsonpath={.metadata.uid} {.status.containerStatuses[0].restartCount}'")
}

fn cluster_with_a_volume(lab: &Lab) {
    lab.apply(&lab.inventory(HOSTS), &[]).ended(0);
    volume::make(lab);
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
    let password = password(lab, "cp1");
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

fn login(lab: &Lab) {
    assert_eq!(Jenkins::of(lab).status(), "200");
    assert_eq!(Jenkins::with(lab, &lab.address("cp1"), "admin").status(), "401");
    let printed = lab
        .program(&["jenkins", "password"], &inventory(lab, ""))
        .output();
    let printed = String::from_utf8(printed.unwrap().stdout).unwrap();
    assert_eq!(printed.trim_end(), password(lab, "cp1"));
}

/// The addresses that a policy closes answer a pod elsewhere: so it is the policy that closes them.
fn builds_reach(lab: &Lab) {
    let (cp1, w1, outside) = (lab.address("cp1"), lab.address("w1"), reach::outside(lab));
    let service = lab.kubectl("-n kube-ops get service jenkins -o jsonpath={.spec.clusterIP}");
    // A host has neither an NFS server nor rpcbind here: something else listens there.
    for port in [111, 2049] {
        lab.ssh(
            "w1",
            &format!("systemd-run -q --unit reach-{port} systemd-socket-activate -l {port} --inetd -a cat"),
        );
    }
    let closed = [
        (&cp1, 22),
        (&cp1, 2379),
        (&cp1, 6443),
        (&cp1, 10250),
        (&w1, 22),
        (&w1, 111),
        (&w1, 2049),
        (&w1, 10250),
    ];
    let closed: Vec<_> = closed
        .iter()
        .map(|(host, port)| format!("{host} {port}"))
        .collect();
    let mut open = vec![
        format!("{cp1} 30080"),
        format!("{w1} 30080"),
        format!("{outside} 5000"),
        format!("{outside} 8000"),
        format!("{service} 8080"),
        format!("{service} 50000"),
    ];
    open.sort();
    let all = [&closed[..], &open].concat();
    for namespace in ["default", "kube-ops-agents"] {
        reach::start(lab, namespace);
    }
    let (elsewhere, build) = (
        reach::reached(lab, "default", &all),
        reach::reached(lab, "kube-ops-agents", &all),
    );
    let name = "jenkins.kube-ops.svc.cluster.local";
    let resolved = lab.kubectl(&format!("-n kube-ops-agents exec reach -- probe dns {name}"));
    for namespace in ["default", "kube-ops-agents"] {
        reach::stop(lab, namespace);
    }
    lab.ssh("w1", "systemctl stop reach-111 reach-2049");
    // Nobody but agents reaches the agents' port.
    let mut expected: Vec<_> = all
        .into_iter()
        .filter(|address| !address.ends_with(" 50000"))
        .collect();
    expected.sort();
    assert_eq!(elsewhere, expected, "from a pod without a policy");
    assert_eq!(build, open, "from a build");
    assert_eq!(resolved.trim(), format!("{name} {service}"));
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
    assert_says(
        &failing(lab, &wrong),
        &["would not load this configuration", "bogus"],
    );
    lab.apply(&inventory(lab, ""), &[]).ended(0);
}

fn ingress(lab: &Lab) {
    let before = pod(lab);
    let inventory = inventory(
        lab,
        "  ingress: { host: jenkins.ci.example, tlsSecret: jenkins-tls, class: nginx }\n",
    );
    // The Ingress, and the address by which Jenkins calls itself.
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 2);
    let rule =
        "{.spec.ingressClassName} {.spec.rules[0].host} {.spec.rules[0].http.paths[0].backend.service.name}";
    assert_eq!(
        lab.kubectl(&format!("-n kube-ops get ingress jenkins -o 'jsonpath={rule}'")),
        "nginx jenkins.ci.example jenkins"
    );
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
    assert_eq!(pod(lab), before, "it was restarted");
}

fn plugins(lab: &Lab) {
    let before = pod(lab);
    lab.apply(&with_plugins(lab, FEWER), &[]).ended(0);
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

/// What is said of an inventory with which Jenkins can't come up.
fn failing(lab: &Lab, inventory: &str) -> String {
    let Ran { stdout, .. } = lab.apply(inventory, &[]).ended(4);
    stdout
}

#[track_caller]
fn assert_says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "no `{word}` in {said}");
    }
}

fn wrong_plugin(lab: &Lab) {
    let said = failing(lab, &with_plugins(lab, "pins: { gti: 5.10.1 }"));
    assert_says(&said, &["init container plugins", "gti/5.10.1/gti.hpi"]);
}

/// An address of documentations, to which nothing leads.
fn unreachable_update_site(lab: &Lab) {
    // It is asked only when the list has changed.
    let nowhere = with_plugins(lab, FEWER).replace("/jenkins/update-center.json", "/x");
    let (before, rest) = nowhere.split_once("metadata: \"http://").unwrap();
    let (_, after) = rest.split_once('/').unwrap();
    let said = failing(lab, &format!("{before}metadata: \"http://192.0.2.1/{after}"));
    assert_says(
        &said,
        &["the update site's http://192.0.2.1/x can't be had", "proxy"],
    );
}

fn wrong_image(lab: &Lab) {
    let said = failing(lab, &inventory(lab, "  image: docker.io/jenkins/jenkins:nope\n"));
    assert_says(&said, &["jenkins:nope", "no such image or tag"]);
}

/// After the failures before.
fn fixed(lab: &Lab) {
    lab.apply(&inventory(lab, ""), &[]).ended(0);
    second_apply(lab);
}

/// Jenkins looks at its queue for the first time long after `verify` has lost its patience.
fn no_pod(lab: &Lab) {
    let late = inventory(
        lab,
        "  javaOptions: -Dhudson.slaves.NodeProvisioner.initialDelay=600000\n",
    );
    let apply = lab.apply(&late, &[]).ended(5);
    assert_says(
        &apply.stdout,
        &["Jenkins makes no pod for it", "queue: There are no nodes"],
    );
}

fn websocket(lab: &Lab) {
    let apply = lab.apply(&inventory(lab, "  agents: { websocket: true }\n"), &[]);
    assert_says(&apply.ended(0).stdout, &["smoke build", "passed on w1"]);
}

/// Images whose user is a name, as upstream's agent's is, where the namespace forbids root.
fn brought_along(lab: &Lab) {
    lab.apply(&inventory(lab, ""), &[]).ended(0);
    let image = "docker.io/jenkins/inbound-agent:3385.vf1123fb_515da_-1-jdk21";
    let scripts = [
        (
            "containers",
            format!(
                "podTemplate(label: 'jenkins-slave', cloud: 'kubernetes', containers: [containerTemplate(name: 'jnlp', image: \"{image}\")]) {{\n  \
                 node('jenkins-slave') {{\n    sh 'echo \"user $(id -u)\"'\n  }}\n}}\n"
            ),
        ),
        (
            "yaml",
            "podTemplate(inheritFrom: 'jnlp', yaml: 'spec: {containers: [{name: jnlp, env: [{name: GREETING, value: hello}]}]}') {\n  \
             node(POD_LABEL) {\n    sh 'echo \"user $(id -u) $GREETING $JENKINS_JAVA_OPTS\"'\n  }\n}\n"
                .to_owned(),
        ),
    ];
    let jenkins = Jenkins::of(lab);
    for (name, script) in &scripts {
        jenkins.build(name, script);
    }
    assert_says(&jenkins.passed("containers"), &["user 1000"]);
    assert_says(&jenkins.passed("yaml"), &["user 1000 hello -XX:+UseSerialGC"]);
}

/// Twice: the second time, the agent is there from before.
fn agents_that_stay(lab: &Lab) {
    let stay = inventory(
        lab,
        "  agents: { templates: [{ name: jnlp, kind: jnlp, idle: 2m }] }\n",
    );
    let apply = lab.apply(&stay, &[]).ended(0);
    assert_says(&apply.stdout, &["passed on w1", "stays for later builds"]);
    let again = lab.run(&["verify", "--json"], &stay).ended(0);
    assert_says(&again.stdout, &["its pod was there from before"]);
    let jobs = Jenkins::of(lab).get("/api/json?tree=jobs[name]");
    assert!(!jobs.contains("ci-bootstrap-verify"), "{jobs}");
}

fn agents_that_end(lab: &Lab) {
    let folder = lab.path("ending.yaml.j2");
    fs_err::write(
        &folder,
        "{% extends \"agent-jnlp.yaml.j2\" %}\n{% block agent %}\n      command: [sh, -c, 'echo the agent has no key; exit 3']\n\
         \x20     securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }\n{% endblock %}\n",
    )
    .unwrap();
    let ending = inventory(
        lab,
        &format!(
            "  agents: {{ templates: [{{ name: jnlp, file: \"{}\" }}] }}\n",
            folder.display()
        ),
    );
    let apply = lab.apply(&ending, &[]).ended(5);
    assert_says(
        &apply.stdout,
        &[
            "end as soon as they have begun",
            "exit code 3",
            "the agent has no key",
        ],
    );
    lab.apply(&inventory(lab, ""), &[]).ended(0);
}

/// The tools are stand-ins, and the builds don't use them: what is tried is that such pods are let in and start.
/// Kaniko's is in `tests/harbor.rs`, and the real one.
fn kinds(lab: &Lab) {
    lab.ssh(
        "w1",
        "systemd-run --unit docker-standin socat UNIX-LISTEN:/var/run/docker.sock,fork PIPE",
    );
    let kinds = ["maven", "docker", "dind", "buildkit"];
    let on_w1 = "nodeSelector: { kubernetes.io/hostname: w1 }";
    let templates = [&kinds[..], &["kaniko"]].concat();
    let templates = templates
        .iter()
        .map(|kind| format!("{{ name: {kind}, kind: {kind}, {on_w1} }}"));
    let templates: Vec<_> = templates.collect();
    let inventory = inventory(
        lab,
        &format!("  agents: {{ templates: [{}] }}\n", templates.join(", ")),
    );
    lab.apply(&inventory, &[]).ended(0);
    let jenkins = Jenkins::of(lab);
    for kind in kinds {
        jenkins.build(kind, &format!("node('{kind}') {{\n  sh 'pwd; id -u'\n}}\n"));
    }
    for kind in kinds {
        jenkins.passed(kind);
    }
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
    admitted(lab);
}

/// Jenkins makes pods like its templates, and no others, whatever Pod Security would admit.
fn admitted(lab: &Lab) {
    let (privileged, builders) = ("kube-ops-privileged", "kube-ops-builders");
    let socket = r#""volumes": [{"name": "v", "hostPath": {"path": "/var/run/docker.sock"}}]"#;
    let root = r#""volumes": [{"name": "v", "hostPath": {"path": "/"}}]"#;
    let share = r#""volumes": [{"name": "v", "nfs": {"server": "10.0.0.1", "path": "/srv/nfs/ci"}}]"#;
    let claim = r#""volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "w", "emptyDir": {}}]"#;
    let engine =
        r#""initContainers": [{"name": "i", "image": "a", "securityContext": {"privileged": true}}]"#;
    let capable = r#""initContainers": [{"name": "i", "image": "a", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]"#;
    for (namespace, fields) in [
        (privileged, socket),
        (privileged, claim),
        (privileged, engine),
        (builders, claim),
    ] {
        let said = try_pod(lab, namespace, fields);
        assert!(
            said.contains("pod/tried created"),
            "{namespace}: {fields}: {said}"
        );
    }
    for (namespace, fields) in [
        (privileged, root),
        (privileged, share),
        (privileged, capable),
        (privileged, r#""hostNetwork": true"#),
        (builders, share),
    ] {
        let said = try_pod(lab, namespace, fields);
        assert!(
            said.contains("ValidatingAdmissionPolicy") && said.contains("Jenkins may"),
            "{namespace}: {fields}: {said}"
        );
    }
}

/// What the API server says to a pod with these fields that Jenkins would make.
fn try_pod(lab: &Lab, namespace: &str, fields: &str) -> String {
    let overrides = format!(r#"{{"spec": {{"containers": [{{"name": "tried", "image": "a"}}], {fields}}}}}"#);
    lab.kubectl(&format!(
        "-n {namespace} run tried --image=a --overrides='{overrides}' --dry-run=server --as=system:serviceaccount:kube-ops:jenkins 2>&1 || true"
    ))
}

/// There is no Jenkins that could have tried it out.
fn refused_at_a_first_start(lab: &Lab) {
    lab.kubectl("-n kube-ops delete statefulset jenkins");
    let wrong = inventory(lab, "  configuration: { jenkins: { bogus: 1 } }\n");
    let said = failing(lab, &wrong);
    assert_says(&said, &["Jenkins did not start", "bogus"]);
    fixed(lab);
}

fn unbound_claim(lab: &Lab) {
    lab.kubectl("-n kube-ops delete statefulset jenkins");
    lab.kubectl("-n kube-ops delete pvc jenkins-home");
    let said = failing(lab, &inventory(lab, "  storage: { class: nothing-like-this }\n"));
    assert_says(&said, &["nothing-like-this", "jenkins-home"]);
}

//! Plans of small inventories.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use super::*;
use crate::diagnostic::Source;
use crate::playbook::{self, Origin};
use crate::resource::{ActionInput, HostState};

/// One control plane, two workers, a prepared host.
const INVENTORY: &str = "apiVersion: ci-bootstrap/v1
cluster: { name: ci, kubernetes: 1.36.4 }
ssh: { user: root }
hosts:
  - { name: cp1, address: 10.0.0.11, roles: [control-plane] }
  - { name: w1, address: 10.0.0.12, roles: [worker], labels: { pool: ci } }
  - { name: spare, address: 10.0.0.13, roles: [] }
";

fn cluster() -> Cluster {
    cluster_of(INVENTORY)
}

fn cluster_of(text: &str) -> Cluster {
    let source = Source {
        name: "inventory.yaml".into(),
        text: text.into(),
    };
    let document = crate::inventory::parse(source, std::path::Path::new("."));
    crate::model::validate(&document).unwrap().cluster
}

fn plan_of(playbooks: Vec<Playbook>) -> Result<Plan, PlanError> {
    plan_for(&cluster(), playbooks)
}

fn plan_for(cluster: &Cluster, playbooks: Vec<Playbook>) -> Result<Plan, PlanError> {
    build(
        cluster,
        &Catalog {
            playbooks,
            templates: Templates::load(None).unwrap(),
            restore: None,
        },
    )
}

fn names(track: &Track) -> Vec<&str> {
    track.heads().map(|head| head.name.as_str()).collect()
}

#[test]
fn roles_decide_who_gets_which_steps() {
    let plan = plan_of(playbook::load(None).unwrap()).unwrap();
    let places: Vec<_> = plan.tracks.iter().map(|track| track.place.to_string()).collect();
    assert_eq!(places, ["cp1", "w1", "spare", "cluster"]);
    assert!(names(&plan.tracks[0]).contains(&"control plane"));
    assert!(names(&plan.tracks[1]).contains(&"membership"));
    let spare = names(&plan.tracks[2]);
    assert!(
        spare.contains(&"container runtime and Kubernetes") && !spare.contains(&"membership"),
        "{spare:?}"
    );
}

#[test]
fn the_nfs_server_exports_and_gets_nothing_of_kubernetes() {
    let text = INVENTORY.replace(
        "  - { name: spare,",
        "  - { name: nfs1, address: 10.0.0.31, roles: [nfs] }\n  - { name: spare,",
    );
    let plan = plan_for(
        &cluster_of(&(text + "storage: {}\n")),
        playbook::load(None).unwrap(),
    )
    .unwrap();
    let track = |name: &str| plan.tracks.iter().find(|track| track.place.to_string() == name);
    let server = names(track("nfs1").unwrap());
    assert!(server.contains(&"what is exported"), "{server:?}");
    assert!(
        !server.contains(&"containerd") && !server.contains(&"no swap"),
        "{server:?}"
    );
    assert!(names(track("w1").unwrap()).contains(&"NFS share"));
    assert!(!names(track("spare").unwrap()).contains(&"NFS share"));
    let cluster = names(track("cluster").unwrap());
    assert!(
        cluster.contains(&"NFS provisioner") && cluster.contains(&"StorageClass"),
        "{cluster:?}"
    );
}

/// The server may be a node: what it exports waits for nothing of the cluster, so that nobody waits for himself.
#[test]
fn a_node_that_exports_the_share_exports_it_before_the_cluster_needs_it() {
    let servers = [
        ("cp1", "roles: [control-plane]", "roles: [control-plane, nfs]"),
        ("w1", "roles: [worker]", "roles: [worker, nfs]"),
        (
            "cp1",
            "roles: [control-plane]",
            "roles: [control-plane, worker, nfs]",
        ),
    ];
    for (server, roles, with_nfs) in servers {
        let text = INVENTORY.replace(roles, with_nfs) + "storage: {}\njenkins: {}\n";
        let plan = plan_for(&cluster_of(&text), playbook::load(None).unwrap()).unwrap();
        let track = |name: &str| plan.tracks.iter().find(|track| track.place.to_string() == name);
        let heads: Vec<_> = track(server).unwrap().heads().collect();
        let position = |name: &str| heads.iter().position(|head| head.name == name);
        let exported = position("what is exported").unwrap();
        assert!(
            heads[..=exported].iter().all(|head| head.needs.is_empty()),
            "{server}"
        );
        let membership = position("control plane").or(position("membership")).unwrap();
        assert!(
            exported < membership && membership < position("NFS share").unwrap(),
            "{server}"
        );
        // Nobody else waits for a step that needs the cluster before it can use the share.
        assert_eq!(
            heads[position("NFS share").unwrap()].needs,
            [Milestone::Export],
            "{server}"
        );
    }
}

#[test]
fn the_probe_of_a_whole_track_is_valid_shell() {
    let plan = plan_of(playbook::load(None).unwrap()).unwrap();
    for track in plan.tracks {
        let script =
            crate::observe::script(track.host_steps(), &crate::resource::Separator::random().unwrap());
        assert!(crate::resource::sh::is_valid(&script), "{script}");
    }
}

#[test]
fn a_milestone_that_nobody_provides_is_refused() {
    let mut playbooks = playbook::load(None).unwrap();
    playbooks.retain(|playbook| playbook.scope != Scope::Cluster);
    let error = plan_of(playbooks).unwrap_err().to_string();
    assert_eq!(
        error,
        "cp1: step `arguments of the components` waits for the configuration that kubeadm keeps in the cluster, which no step provides"
    );
}

#[test]
fn steps_that_wait_for_each_other_are_refused() {
    let mut playbooks = playbook::load(None).unwrap();
    for step in playbooks
        .iter_mut()
        .flat_map(|playbook| &mut playbook.steps)
        .filter(|step| step.name == "control plane")
    {
        step.needs = vec!["network".to_owned()];
    }
    let error = plan_of(playbooks).unwrap_err().to_string();
    assert!(
        error.contains("cp1: control plane") && error.contains("cluster: "),
        "{error}"
    );
}

#[test]
fn a_wrong_playbook_is_told_with_its_line() {
    let step = StepText {
        name: "x".into(),
        when: None,
        each: None,
        guard: Guard::default(),
        needs: vec![],
        provides: vec![],
        limit: None,
        kind: "file".into(),
        fields: json!({"path": "/etc/x", "content": "{{ host.nmae }}"}),
        origin: Origin {
            file: "mine.yaml".into(),
            line: 7,
        },
    };
    let playbook = Playbook {
        values: serde_json::Map::default(),
        scope: Scope::Hosts("true".into()),
        steps: vec![step],
    };
    let error = plan_of(vec![playbook]).unwrap_err().to_string();
    assert!(
        error.starts_with("mine.yaml:7: step `x`: ") && error.contains("nmae"),
        "{error}"
    );
}

#[test]
fn hosts_of_an_ipv6_cluster_forward_ipv6() {
    let parameters = |inventory: &str| {
        let plan = plan_for(&cluster_of(inventory), playbook::load(None).unwrap()).unwrap();
        let scripts = plan.tracks[0]
            .host_steps()
            .filter(|step| step.head.name.starts_with("kernel parameters"))
            .map(|step| {
                step.resource
                    .action(&HostState::default(), &ActionInput::default())
                    .script
            });
        scripts
            .filter(|script| script.contains("net.ipv6.conf.all.forwarding"))
            .count()
    };
    let ipv6 = INVENTORY
        .replace(
            "kubernetes: 1.36.4 }",
            "kubernetes: 1.36.4, networks: { pods: \"fd00:1::/112\", services: \"fd00:2::/112\" } }",
        )
        .replace("10.0.0.", "fd00::");
    assert_eq!((parameters(INVENTORY), parameters(&ipv6)), (0, 2));
}

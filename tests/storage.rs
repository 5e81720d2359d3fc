//! Volumes on real hosts: an NFS server made of a machine with a kernel of its own, and a cluster that uses it.
//!
//! `cargo test --test storage`; `KEEP_LAB=1` leaves the lab for a look afterwards. The provisioner's image and the NFS client of the
//! container hosts are the lab's stand-ins; the NFS server is the kernel's.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed unwrap is a failed test"
)]

use std::collections::BTreeSet;

use support::cases::Cases;
use support::lab::Lab;
use support::nfs_server::{self, SERVER, on_server};
use support::rehearsal::rehearse;

mod support {
    pub(crate) mod cases;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod lab;
    pub(crate) mod nfs_server;
    pub(crate) mod rehearsal;
}

#[test]
fn volumes_outlive_pods_and_servers() {
    let Some(lab) = nfs_server::up("storage", 3) else {
        return;
    };
    let mut cases = Cases::of("storage", &lab);
    cases.foundation("a cluster with volumes", from_bare_hosts);
    cases.case("a second apply changes nothing", second_apply);
    cases.case("what is written on one node is read on another", across_nodes);
    cases.case("drift of the server and of the cluster is repaired", drift);
    cases.case("a claim that comes back finds its files", the_same_names);
    rehearse(
        &mut cases,
        "pods go on after the server's reboot",
        server_rebooted,
    );
    cases.case("a path that is not exported is explained", wrong_path);
    cases.case("a server that exists already is used as it is", existing_server);
    cases.case("a class that others made is used as it is", class_of_others);
    cases.case("csi-driver-nfs is set up from its manifests", csi_driver);
    cases.end();
}

fn inventory(lab: &Lab) -> String {
    lab.lab(&["inventory", "--storage", "3"])
}

fn from_bare_hosts(lab: &Lab) {
    lab.apply(&inventory(lab), &[]).ended(0);
    let packages = on_server(
        lab,
        "dpkg-query -W -f '${Package}\\n' | grep -cE 'kubelet|containerd' || true",
    );
    assert_eq!(packages, "0\n", "an NFS server needs nothing of Kubernetes");
    assert!(on_server(lab, "rpcinfo -p").contains("20048  mountd"));
}

fn second_apply(lab: &Lab) {
    assert_eq!(lab.apply(&inventory(lab), &[]).ended(0).changes(), 0);
}

fn across_nodes(lab: &Lab) {
    let verify = lab.run(&["verify", "--json"], &inventory(lab)).ended(0);
    let storage = verify
        .events
        .iter()
        .find(|event| event["event"] == "checked" && event["check"] == "storage");
    let storage = storage
        .unwrap_or_else(|| panic!("no check of storage: {}", verify.stdout))
        .to_string();
    assert!(storage.contains("written on w1, read on w2"), "{storage}");
    let left = lab.kubectl("get persistentvolumes,namespaces -o name");
    assert!(
        !left.contains("verify") && !left.contains("persistentvolume/"),
        "left behind: {left}"
    );
    assert_eq!(on_server(lab, "ls /srv/nfs/ci"), "");
}

/// Plans and applies: both name exactly these steps, and afterwards there is nothing to do.
fn repairs(lab: &Lab, drifted: &[&str]) {
    let drifted: BTreeSet<_> = drifted.iter().map(|step| (*step).to_owned()).collect();
    let inventory = inventory(lab);
    assert_eq!(
        lab.plan(&inventory, &[]).ended(10).steps(),
        drifted,
        "what plan found"
    );
    assert_eq!(
        lab.apply(&inventory, &[]).ended(0).steps(),
        drifted,
        "what apply did"
    );
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0, "what was left");
}

fn drift(lab: &Lab) {
    on_server(
        lab,
        "echo '# edited' >> /etc/exports.d/ci-bootstrap.exports; exportfs -ua; chmod 700 /srv/nfs/ci",
    );
    lab.kubectl("delete storageclass nfs-ci");
    lab.kubectl("-n nfs-provisioner scale deployment nfs-provisioner --replicas=0");
    repairs(
        lab,
        &[
            "nfs1: exported directory",
            "nfs1: exports",
            "nfs1: what is exported",
            "cluster: StorageClass",
            "cluster: NFS provisioner",
        ],
    );
}

const CLAIM: &str = "kind: PersistentVolumeClaim
apiVersion: v1
metadata: { name: files }
spec: { accessModes: [ReadWriteMany], resources: { requests: { storage: 1Mi } } }
";

/// A pod on w1 that writes the time into its claim each second, for ever.
fn writer(lab: &Lab) -> String {
    let registry = inventory(lab);
    let registry = registry
        .split("imageRepository: ")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    format!(
        "{CLAIM}---
kind: Pod
apiVersion: v1
metadata: {{ name: writer }}
spec:
  nodeName: w1
  terminationGracePeriodSeconds: 1
  containers:
    - name: writer
      image: {}/busybox:2
      command: [sh, -c, 'while :; do date >> /files/log; sleep 1; done']
      volumeMounts: [{{ name: files, mountPath: /files }}]
  volumes: [{{ name: files, persistentVolumeClaim: {{ claimName: files }} }}]
",
        registry.unwrap()
    )
}

fn create(lab: &Lab, objects: &str) {
    lab.apply_by_hand(objects);
    lab.kubectl("wait --for=condition=Ready pod/writer --timeout=90s");
}

fn lines(lab: &Lab) -> usize {
    on_server(lab, "wc -l < /srv/nfs/ci/default-files/log")
        .trim()
        .parse()
        .unwrap()
}

fn the_same_names(lab: &Lab) {
    create(lab, &writer(lab));
    let before = lines(lab);
    lab.kubectl("delete pod/writer pvc/files");
    lab.kubectl("delete persistentvolumes --all");
    lab.kubectl("delete namespace nfs-provisioner");
    lab.apply(&inventory(lab), &[]).ended(0);
    create(lab, &writer(lab));
    assert!(lines(lab) > before, "the new claim has another directory");
}

fn server_rebooted(lab: &Lab) {
    let before = lines(lab);
    lab.lab(&["vm", "reboot", SERVER]);
    lab.ssh(
        "w1",
        &format!("at=$(ls -d /var/lib/kubelet/pods/*/volumes/kubernetes.io~nfs/pvc-*); for i in $(seq 90); do n=$(wc -l < $at/log); [ $n -le {before} ] || exit 0; sleep 1; done; exit 1"),
    );
    assert_eq!(
        lab.kubectl("get pod writer -o jsonpath={.status.containerStatuses[0].restartCount}"),
        "0"
    );
    assert_eq!(lab.apply(&inventory(lab), &[]).ended(0).changes(), 0);
}

/// The inventory in which the server is no host of ours, with another path.
fn with_server(lab: &Lab, path: &str) -> String {
    let inventory = inventory(lab);
    let server = inventory
        .lines()
        .find(|line| line.contains("roles: [nfs]"))
        .unwrap();
    let address = server
        .split("address: ")
        .nth(1)
        .and_then(|rest| rest.split(',').next())
        .unwrap();
    inventory.replace(&format!("{server}\n"), "").replace(
        "storage: {",
        &format!("storage: {{ nfs: {{ server: {address}, path: {path} }},"),
    )
}

fn wrong_path(lab: &Lab) {
    let failed = lab.apply(&with_server(lab, "/srv/nfs/wrong"), &[]).ended(4);
    for words in ["/srv/nfs/wrong", "has no such export", "/srv/nfs/ci"] {
        assert!(failed.stdout.contains(words), "no `{words}` in {}", failed.stdout);
    }
}

fn existing_server(lab: &Lab) {
    on_server(
        lab,
        "install -d -m 0777 /srv/nfs/theirs
         echo '/srv/nfs/theirs *(rw,sync,no_subtree_check,no_root_squash)' >> /etc/exports; exportfs -ra",
    );
    let inventory = with_server(lab, "/srv/nfs/theirs");
    let apply = lab.apply(&inventory, &[]).ended(0);
    assert!(
        apply.stdout.contains("written on w1, read on w2"),
        "{}",
        apply.stdout
    );
    on_server(lab, "test -s /srv/nfs/theirs/.ci-bootstrap-check");
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
}

fn class_of_others(lab: &Lab) {
    let inventory = with_server(lab, "/srv/nfs/theirs").replace(
        "class: { mountOptions: [nfsvers=3, hard] }",
        "class: { provisioner: none, name: theirs }",
    );
    assert!(inventory.contains("name: theirs"), "{inventory}");
    let failed = lab.apply(&inventory, &[]).ended(4);
    assert!(failed.stdout.contains("theirs"), "{}", failed.stdout);
    create(
        lab,
        "apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: theirs }
provisioner: ci-bootstrap/nfs
parameters: { pathPattern: \"${.PVC.namespace}-${.PVC.name}\", onDelete: retain }
mountOptions: [nfsvers=3, hard]
",
    );
    let before = lab.kubectl("get storageclasses -o yaml");
    lab.apply(&inventory, &[]).ended(0);
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
    assert_eq!(lab.kubectl("get storageclasses -o yaml"), before);
    lab.run(&["verify"], &inventory).ended(0);
}

/// Manifests with the names of csi-driver-nfs' own. They are not the driver: nothing in them makes volumes.
const CSI_DRIVER: &str = "
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: { name: nfs.csi.k8s.io }
spec: { attachRequired: false, volumeLifecycleModes: [Persistent], fsGroupPolicy: File }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: csi-nfs-controller, namespace: kube-system }
spec:
  selector: { matchLabels: { app: csi-nfs-controller } }
  template:
    metadata: { labels: { app: csi-nfs-controller } }
    spec: { containers: [{ name: nfs, image: registry.k8s.io/busybox:2, command: [sleep, 99d] }] }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: csi-nfs-node, namespace: kube-system }
spec:
  selector: { matchLabels: { app: csi-nfs-node } }
  template:
    metadata: { labels: { app: csi-nfs-node } }
    spec: { containers: [{ name: nfs, image: registry.k8s.io/busybox:2, command: [sleep, 99d] }] }
";
/// The volume that the driver would make for the claim of `verify`.
const CSI_VOLUME: &str = "
apiVersion: v1
kind: PersistentVolume
metadata: { name: for-verify }
spec:
  capacity: { storage: 1Gi }
  accessModes: [ReadWriteMany]
  storageClassName: csi
  persistentVolumeReclaimPolicy: Retain
  mountOptions: [nfsvers=3, hard]
  claimRef: { namespace: ci-bootstrap-verify-storage, name: claim }
  nfs: { server: SERVER, path: /srv/nfs/ci/for-verify }
";

fn csi_driver(lab: &Lab) {
    use sha2::Digest as _;
    let inventory = inventory(lab);
    let server = inventory.split("name: nfs1, address: ").nth(1).unwrap();
    let volume = CSI_VOLUME.replace("SERVER", server.split(',').next().unwrap());
    lab.apply_by_hand(&volume);
    on_server(lab, "install -d -m 0777 /srv/nfs/ci/for-verify");
    let path = lab.path("csi-driver-nfs.yaml");
    fs_err::write(&path, CSI_DRIVER).unwrap();
    let sum = hex::encode(sha2::Sha256::digest(CSI_DRIVER));
    let class = format!(
        "class: {{ provisioner: nfs-csi, name: csi, default: false, manifests: [{{ path: {}, sha256: {sum} }}],",
        path.display()
    );
    let inventory = inventory.replace("class: {", &class);
    let apply = lab.apply(&inventory, &[]).ended(0);
    for words in ["csi-nfs-controller", "written on w1, read on w2"] {
        assert!(apply.stdout.contains(words), "no `{words}` in {}", apply.stdout);
    }
    let provisioner = lab.kubectl("get storageclass csi -o jsonpath={.provisioner}");
    assert_eq!(provisioner, "nfs.csi.k8s.io");
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
}

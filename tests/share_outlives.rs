//! Jenkins on an NFS share: every machine of the cluster is lost but the share, and the share's data but the cluster.
//!
//! `cargo test --test share_outlives`. The NFS server is a machine with a kernel of its own; the provisioner, the NFS client of the container
//! hosts and Jenkins are the lab's stand-ins.

use support::bundles::{assert_works, first_apply, make, newest, timed};
use support::cases::Cases;
use support::home;
use support::jenkins::Jenkins;
use support::lab::Lab;
use support::nfs_server::{self, on_server};

mod support {
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod bundles;
    pub(crate) mod cases;
    pub(crate) mod home;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod jenkins;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod lab;
    pub(crate) mod nfs_server;
}

const HOSTS: usize = 2;

#[test]
fn jenkins_outlives_its_cluster() {
    let Some(lab) = nfs_server::up("share", HOSTS) else {
        return;
    };
    let mut cases = Cases::of("share outlives", &lab);
    cases.foundation("Jenkins on a share, with a build", found);
    cases.case("all nodes are gone, and the share is there", nodes_gone);
    cases.case("the share's data are gone, and the cluster is there", data_gone);
    cases.end();
}

fn inventory(lab: &Lab) -> String {
    let hosts = HOSTS.to_string();
    home::inventory(&lab.lab(&["inventory", "--storage", &hosts]), None)
}

fn key(lab: &Lab) -> String {
    on_server(
        lab,
        "cat /srv/nfs/ci/*jenkins-home*/secrets/master.key | sha256sum",
    )
}

/// The administrator's, as the cluster keeps it.
fn password(lab: &Lab) -> String {
    lab.kubectl("-n kube-ops get secret jenkins-admin -o jsonpath={.data.password}")
}

fn found(lab: &Lab) {
    let inventory = inventory(lab);
    first_apply(lab, &inventory);
    home::build(&Jenkins::of(lab));
}

/// No bundle: the claim of the new cluster finds the directory of the old one's by its name.
fn nodes_gone(lab: &Lab) {
    let (inventory, before) = (inventory(lab), key(lab));
    let password = password(lab);
    for command in ["down", "up", "wait"] {
        for host in ["cp1", "w1"] {
            lab.host(command, host);
        }
    }
    timed("all nodes, with the share", || {
        lab.apply(&inventory, &[]).ended(0);
    });
    assert_eq!(key(lab), before);
    assert_ne!(self::password(lab), password, "the cluster is the old one");
    home::assert_back(&Jenkins::of(lab));
    assert_works(lab, &inventory);
}

/// The claim has to be made again, as its directory is gone; then the bundle's home takes the place of the empty one.
fn data_gone(lab: &Lab) {
    let (inventory, before) = (inventory(lab), key(lab));
    home::remember(&Jenkins::of(lab));
    make(lab, &inventory, &[]);
    on_server(lab, "rm -rf /srv/nfs/ci/*");
    lab.kubectl("-n kube-ops delete statefulset jenkins");
    lab.kubectl("-n kube-ops delete pod jenkins-0 --ignore-not-found --timeout=170s");
    lab.kubectl("-n kube-ops delete pvc jenkins-home");
    timed("the share's data, with a bundle", || {
        lab.apply(
            &inventory,
            &["--restore-home", &newest(lab), "--allow-unverified"],
        )
        .ended(0);
    });
    assert_eq!(key(lab), before);
    home::assert_back(&Jenkins::of(lab));
    assert_works(lab, &inventory);
}

//! Losses that leave a part of a CI system alive: certificates, etcd's data, the only control plane, a worker under its name and under
//! another. After each the same jobs, builds and credentials are there, and the job builds again.
//!
//! `cargo test --test losses`; `KEEP_LAB=1` leaves the lab for a look afterwards. Jenkins' home is on a share of a machine with a kernel of
//! its own; the provisioner, the NFS client of the container hosts and Jenkins are the lab's stand-ins.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use recover::interruptions;
use support::bundles::{
    address, assert_back, assert_works, files, fill, first_apply, folder, make, newest, objects, timed,
};
use support::cases::Cases;
use support::cuts::let_vanish;
use support::jenkins::Jenkins;
use support::lab::Lab;
use support::running::Running;
use support::{home, nfs_server};

mod recover {
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod interruptions;
}

mod support {
    pub(crate) mod bundles;
    pub(crate) mod cases;
    pub(crate) mod cuts;
    pub(crate) mod home;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod jenkins;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod lab;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod nfs_server;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod running;
}

const HOSTS: usize = 3;

#[test]
fn what_is_left_goes_on() {
    let Some(lab) = nfs_server::up("losses", HOSTS) else {
        return;
    };
    let mut cases = Cases::of("losses", &lab);
    cases.foundation("a cluster with something in it, and Jenkins with a build", found);
    cases.case("certificates have expired", certificates_expired);
    cases.case("connections vanish without a word", connections_vanish);
    cases.case("etcd's data are damaged", etcd_damaged);
    cases.case("the only control plane is lost", control_plane_lost);
    cases.case("a worker is replaced under its name", same_name);
    cases.case("a worker whose kubelet is silent leaves", silent_worker_leaves);
    cases.case("a worker is replaced under another name", another_name);
    cases.end();
}

/// The inventory of the first `hosts` hosts.
fn inventory(lab: &Lab, hosts: usize) -> String {
    home::inventory(&lab.lab(&["inventory", "--storage", &hosts.to_string()]), None)
}

fn found(lab: &Lab) {
    let inventory = inventory(lab, HOSTS);
    first_apply(lab, &inventory);
    fill(lab);
    assert_eq!(lab.unready(), [""; 0]);
    home::build(&Jenkins::at(lab, "cp1", &address(&inventory, "cp1")));
}

/// Jenkins has what it had, and all else works.
#[track_caller]
fn assert_builds(lab: &Lab, inventory: &str) {
    let jenkins = Jenkins::at(lab, "cp1", &address(inventory, "cp1"));
    home::assert_back(&jenkins);
    home::remember(&jenkins);
    assert_works(lab, inventory);
}

/// The machine is gone with its disk, and a bare one has its name and address.
fn control_plane_lost(lab: &Lab) {
    let (inventory, kept) = (inventory(lab, HOSTS), objects(lab, "cp1"));
    make(lab, &inventory, &[]);
    for command in ["down", "up", "wait"] {
        lab.host(command, "cp1");
    }
    let bundle = newest(lab);
    interruptions::of_a_restore(lab, &inventory, &bundle);
    lab.apply(&inventory, &["--restore", &bundle, "--allow-unverified"])
        .ended(0);
    assert_back(lab, "cp1", &kept, HOSTS);
    let again = lab
        .apply(&inventory, &["--restore", &bundle, "--allow-unverified"])
        .ended(0);
    assert_eq!(again.changes(), 0);
    lab.lab(&["smoke", "1"]);
    assert_builds(lab, &inventory);
}

/// Signs kubeadm's certificates again by the cluster's own authorities, for a day that is long over, and restarts what uses them.
const END: &str = r#"cd /etc/kubernetes
umask 077
work=$(mktemp -d); : >$work/index
sign() { # certificate, key, authority
  openssl x509 -x509toreq -copy_extensions copyall -in $1 -signkey $2 -out $work/csr 2>/dev/null
  printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nnew_certs_dir=%s\ndefault_md=sha256\npolicy=p\ncopy_extensions=copyall\nunique_subject=no\nrand_serial=yes\n[p]\nO=optional\nCN=supplied\n' $work/index $work >$work/conf
  openssl ca -batch -notext -config $work/conf -cert $3.crt -keyfile $3.key -startdate 20200101000000Z -enddate 20200102000000Z -in $work/csr -out $work/crt 2>$work/log || { cat $work/log; exit 1; }
}
for crt in apiserver apiserver-kubelet-client; do sign pki/$crt.crt pki/$crt.key pki/ca; cat $work/crt >pki/$crt.crt; done
for crt in apiserver-etcd-client etcd/server etcd/peer etcd/healthcheck-client; do sign pki/$crt.crt pki/$crt.key pki/etcd/ca; cat $work/crt >pki/$crt.crt; done
sign pki/front-proxy-client.crt pki/front-proxy-client.key pki/front-proxy-ca; cat $work/crt >pki/front-proxy-client.crt
for conf in admin super-admin controller-manager scheduler; do
  [ -e $conf.conf ] || continue
  sed -n 's/^ *client-certificate-data: //p' $conf.conf | base64 -d >$work/old
  sed -n 's/^ *client-key-data: //p' $conf.conf | base64 -d >$work/key
  sign $work/old $work/key pki/ca
  sed -i "s/client-certificate-data: .*/client-certificate-data: $(base64 -w0 <$work/crt)/" $conf.conf
done
rm -rf $work
# Those that the end of another has ended already are no longer there to be stopped.
for name in etcd kube-apiserver kube-controller-manager kube-scheduler; do crictl ps -q --name "^$name\$" | xargs -r crictl stop --timeout 5 >/dev/null || true; done
"#;

fn certificates_expired(lab: &Lab) {
    let inventory = inventory(lab, HOSTS);
    let kept = objects(lab, "cp1");
    lab.ssh("cp1", END);
    // Without a certificate for etcd the API server does not even listen.
    let answers =
        "kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout=5s get nodes 2>&1 || true";
    let began = Instant::now();
    while !lab.ssh("cp1", answers).contains("was refused") {
        let answer = lab.ssh("cp1", answers);
        assert!(began.elapsed() < Duration::from_secs(90), "{answer}");
        std::thread::sleep(Duration::from_secs(2));
    }
    let apply = lab.apply(&inventory, &[]);
    assert_ne!(apply.code, 0);
    for words in ["certificates of cp1 have expired", "ci-bootstrap renew"] {
        assert!(apply.stdout.contains(words), "no `{words}` in {}", apply.stdout);
    }
    timed("certificates that had expired", || {
        lab.run(&["renew"], &inventory).ended(0);
        lab.apply(&inventory, &[]).ended(0);
    });
    assert_back(lab, "cp1", &kept, HOSTS);
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
    // Clients in the cluster have met a dead API server for long, and ask it again after minutes only.
    let began = Instant::now();
    while let Err(why) = lab.attempt(&["smoke", "1"]) {
        assert!(began.elapsed() < Duration::from_secs(300), "{why}");
    }
    assert_builds(lab, &inventory);
}

/// Nobody tells either end that the connections are gone: both find out by themselves, and what comes next goes on.
fn connections_vanish(lab: &Lab) {
    let inventory = inventory(lab, HOSTS);
    let (to, before) = (folder(lab).display().to_string(), files(lab));
    // The backup is on the host, and has to wait for its turn there.
    lab.ssh(
        "cp1",
        "setsid flock /run/ci-bootstrap/etcd-tools.lock sleep 30 </dev/null >/dev/null 2>&1 &",
    );
    let backup = Running::start(lab, "backup", &["backup", "--to", &to], &inventory);
    std::thread::sleep(Duration::from_secs(3));
    let_vanish(lab, "cp1");
    let backup = backup.end().ended(4);
    assert!(
        backup.stderr.contains("lost the connection to cp1"),
        "{}",
        backup.stderr
    );
    assert_eq!(files(lab), before);
    lab.ssh("cp1", "flock -w 240 /run/ci-bootstrap/etcd-tools.lock true");
    make(lab, &inventory, &[]);

    for command in ["down", "up", "wait"] {
        lab.host(command, "w2");
    }
    let mut apply = Running::apply(lab, "apply", &inventory);
    apply.until_step("w2", "container runtime and Kubernetes", Duration::from_secs(120));
    let_vanish(lab, "cp1");
    assert_ne!(apply.end().code, 0);
    lab.ssh("cp1", "flock -w 240 /run/ci-bootstrap/lock true");
    lab.apply(&inventory, &[]).ended(0);
    assert_builds(lab, &inventory);
}

fn etcd_damaged(lab: &Lab) {
    let inventory = inventory(lab, HOSTS);
    let kept = objects(lab, "cp1");
    make(lab, &inventory, &[]);
    lab.ssh(
        "cp1",
        "dd if=/dev/urandom of=/var/lib/etcd/member/snap/db bs=4096 count=64 conv=notrunc 2>/dev/null; rm -f /var/lib/etcd/member/wal/*.wal
         crictl stop --timeout 0 $(crictl ps -q --name '^etcd$') >/dev/null",
    );
    let bundle = newest(lab);
    let refused = lab
        .apply(&inventory, &["--restore", &bundle, "--allow-unverified"])
        .ended(4);
    assert!(
        refused.stderr.contains("ci-bootstrap reset cp1"),
        "{}",
        refused.stderr
    );
    timed("damaged data of etcd", || {
        lab.run(&["reset", "cp1", "--confirm", "lab"], &inventory)
            .ended(0);
        assert_ne!(lab.ssh("cp1", "ls /var/lib/etcd.before-ci-bootstrap"), "");
        lab.apply(&inventory, &["--restore", &bundle, "--allow-unverified"])
            .ended(0);
    });
    assert_back(lab, "cp1", &kept, HOSTS);
    assert_builds(lab, &inventory);
    lab.lab(&["smoke", "1"]);
}

fn same_name(lab: &Lab) {
    for command in ["down", "up", "wait"] {
        lab.host(command, "w2");
    }
    let inventory = inventory(lab, HOSTS);
    let mut apply = None;
    timed("a worker under its name", || {
        apply = Some(lab.apply(&inventory, &[]).ended(0));
    });
    // Jenkins may have run there: then it is waited for until it runs on the other.
    let elsewhere: BTreeSet<_> = apply
        .unwrap()
        .steps()
        .into_iter()
        .filter(|step| !step.starts_with("w2: ") && step != "cluster: Jenkins ready")
        .collect();
    assert_eq!(elsewhere, BTreeSet::new(), "only the new machine is changed");
    assert_eq!(lab.unready(), [""; 0]);
    assert_builds(lab, &inventory);
}

/// Its pods run on until they are ended, and only then may run elsewhere: Jenkins among them.
fn silent_worker_leaves(lab: &Lab) {
    let inventory = inventory(lab, HOSTS);
    let node = lab.kubectl("-n kube-ops get pod jenkins-0 -o 'jsonpath={.spec.nodeName}'");
    lab.ssh(&node, "systemctl stop kubelet");
    lab.kubectl(&format!(
        "wait --for=condition=Ready=Unknown node/{node} --timeout=120s"
    ));
    lab.run(&["reset", &node, "--confirm", "lab"], &inventory)
        .ended(0);
    assert_eq!(lab.ssh(&node, "crictl ps -q"), "", "what still runs");
    assert!(!lab.kubectl("get nodes -o name").contains(&node));
    lab.apply(&inventory, &[]).ended(0);
    assert_eq!(lab.unready(), [""; 0]);
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
    assert_builds(lab, &inventory);
}

/// What a lost machine leaves in the cluster under its name is a person's to take out, who is told how.
fn another_name(lab: &Lab) {
    lab.host("down", "w2");
    lab.host("up", "w3");
    lab.host("wait", "w3");
    let four = inventory(lab, HOSTS + 1);
    let inventory: String = four
        .lines()
        .filter(|line| !line.contains("name: w2, "))
        .map(|line| format!("{line}\n"))
        .collect();
    // Until then the cluster gives it pods, and `verify` waits in vain for those of its own to go.
    lab.kubectl("wait --for=condition=Ready=Unknown node/w2 --timeout=120s");
    timed("a worker under another name", || {
        lab.apply(&inventory, &[]).ended(0);
    });
    assert_eq!(lab.kubectl("get node w3 -o name"), "node/w3\n");
    let reported = lab.apply(&inventory, &[]).ended(0);
    assert_eq!(reported.changes(), 0);
    assert!(
        reported.stdout.contains("`kubectl delete node w2`"),
        "{}",
        reported.stdout
    );
    lab.kubectl("delete node w2");
    assert_eq!(lab.unready(), [""; 0]);
    let silent = lab.apply(&inventory, &[]).ended(0);
    assert!(!silent.stdout.contains("w2"), "{}", silent.stdout);
    assert_builds(lab, &inventory);
    lab.lab(&["smoke", "1"]);
}

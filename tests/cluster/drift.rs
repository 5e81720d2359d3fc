//! Things that others change on hosts and in the cluster, and that go back to what the inventory says.

use std::collections::BTreeSet;

use crate::support::lab::Lab;

/// Plans and applies: both name exactly these steps, and afterwards there is nothing to do.
pub(crate) fn repairs(lab: &Lab, inventory: &str, drifted: &[&str]) {
    let drifted: BTreeSet<_> = drifted.iter().map(|step| (*step).to_owned()).collect();
    let plan = lab.plan(inventory, &[]).ended(10);
    assert_eq!(
        (plan.steps(), plan.changes()),
        (drifted.clone(), drifted.len()),
        "what plan found"
    );
    let apply = lab.apply(inventory, &[]).ended(0);
    assert_eq!(
        (apply.steps(), apply.changes()),
        (drifted.clone(), drifted.len()),
        "what apply did"
    );
    let again = lab.apply(inventory, &[]).ended(0);
    assert_eq!(
        (again.steps(), again.changes()),
        (BTreeSet::new(), 0),
        "what was left"
    );
}

/// Five kinds of drift on three hosts at once.
pub(crate) fn of_five_kinds(lab: &Lab) {
    lab.ssh("cp1", "sysctl -qw net.ipv4.ip_forward=0");
    lab.ssh(
        "w1",
        "systemctl stop kubelet; echo '/swapfile none swap sw 0 0' >> /etc/fstab",
    );
    lab.ssh(
        "w2",
        "echo debug: true >> /etc/crictl.yaml; apt-mark -qq unhold kubelet",
    );
    let drifted = [
        "cp1: kernel parameters",
        "w1: kubelet",
        "w1: no swap",
        "w2: crictl's configuration",
        "w2: container runtime and Kubernetes",
    ];
    repairs(lab, &lab.inventory(3), &drifted);
    assert_eq!(lab.ssh("cp1", "cat /proc/sys/net/ipv4/ip_forward"), "1\n");
    assert_eq!(
        lab.ssh(
            "w1",
            "systemctl is-active kubelet; grep -c ^/swapfile /etc/fstab || true"
        ),
        "active\n0\n"
    );
    assert_eq!(
        lab.ssh(
            "w2",
            "grep -c debug: /etc/crictl.yaml || true; apt-mark showhold | grep -x kubelet"
        ),
        "0\nkubelet\n"
    );
}

/// A registry's settings are read at every pull; containerd's own need a restart, which pods survive.
pub(crate) fn of_the_container_runtime(lab: &Lab) {
    let pods = "crictl ps -q --label io.kubernetes.pod.namespace=kube-system | sort";
    let (before, started) = (lab.ssh("w2", pods), started(lab, "w2"));
    assert!(!before.is_empty(), "no pods that could survive");
    lab.ssh("w1", "rm /etc/containerd/certs.d/*/hosts.toml");
    lab.ssh("w2", "echo '# edited by hand' >> /etc/containerd/config.toml");
    let inventory = lab.inventory(3);
    let registry = inventory
        .split("imageRepository: ")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .unwrap_or_default();
    let registry = format!("w1: registry {registry}");
    repairs(
        lab,
        &inventory,
        &[&registry, "w2: containerd's configuration", "w2: containerd"],
    );
    assert_ne!(
        started,
        self::started(lab, "w2"),
        "containerd goes on with the old configuration"
    );
    assert_eq!(before, lab.ssh("w2", pods), "containers of w2");
    lab.ssh("w1", "test -s /etc/containerd/certs.d/*/hosts.toml");
}

fn started(lab: &Lab, host: &str) -> String {
    lab.ssh(
        host,
        "systemctl show containerd -p ExecMainStartTimestampMonotonic",
    )
}

/// What a control plane can lack is made again, without a restart of anything of it; certificates in kubelet.conf lack nothing.
pub(crate) fn of_a_control_plane(lab: &Lab) {
    let inventory = lab.inventory(3);
    let running = "crictl ps -q --label tier=control-plane | sort; crictl ps -q --name etcd; cat /proc/sys/kernel/random/boot_id";
    let before = lab.ssh("cp1", running);
    lab.kubectl("-n kube-system delete configmap kubeadm-config");
    given_again(lab, &inventory, "upload the ConfigMap kubeadm-config again");
    lab.kubectl("-n kube-system get configmap kubeadm-config");

    lab.ssh("cp1", "mv /etc/kubernetes/admin.conf /root/admin.conf");
    given_again(lab, &inventory, "make /etc/kubernetes/admin.conf again");
    lab.kubectl("get nodes");

    let embed = "cd /etc/kubernetes; cp -p kubelet.conf /root/kubelet.conf; data=$(base64 -w 0 /var/lib/kubelet/pki/kubelet-client-current.pem); \
         sed -i \"s|client-certificate: .*|client-certificate-data: $data|; s|client-key: .*|client-key-data: $data|\" kubelet.conf; \
         ! grep kubelet-client-current kubelet.conf";
    lab.ssh("cp1", embed);
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
    lab.ssh("cp1", "mv /root/kubelet.conf /etc/kubernetes/kubelet.conf");
    assert_eq!(before, lab.ssh("cp1", running), "containers of the control plane");
}

/// One step fixes it, and nothing is left. What the cluster lacks can't be planned meanwhile.
fn given_again(lab: &Lab, inventory: &str, summary: &str) {
    let plan = lab.run(&["plan", "--plain"], inventory).ended(0).stdout;
    assert!(plan.contains(summary) && !plan.contains("reset"), "{plan}");
    let apply = lab.apply(inventory, &[]).ended(0);
    let step = BTreeSet::from(["cp1: control plane".to_owned()]);
    assert_eq!((apply.steps(), apply.changes()), (step, 1));
    assert_eq!(lab.apply(inventory, &[]).ended(0).changes(), 0);
}

/// Hardening goes off and on again on a cluster that runs, and etcd's container doesn't notice.
pub(crate) fn of_hardening(lab: &Lab) {
    let hardened = lab.inventory(3);
    let plain = hardened.replacen("cluster:\n", "cluster:\n  hardening: none\n", 1);
    assert_ne!(hardened, plain);
    let steps = [
        "cluster: settings of the cluster",
        "cp1: arguments of the components",
        "cp1: kubelet's settings",
        "cp1: kubelet",
        "w1: kubelet's settings",
        "w1: kubelet",
        "w2: kubelet's settings",
        "w2: kubelet",
    ];
    let etcd = lab.ssh("cp1", "crictl ps -q --name etcd");
    let own = "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system get configmap kubeadm-config -o yaml | grep -c audit-policy || true; \
               grep -c -e --profiling /etc/kubernetes/manifests/*.yaml || true; grep -h podPidsLimit /var/lib/kubelet/config.yaml || true";
    let before = lab.ssh("cp1", own);
    assert!(before.contains("podPidsLimit: 4096"), "{before}");
    repairs(lab, &plain, &steps);
    let without = lab.ssh("cp1", own);
    assert!(
        without.starts_with("0\n") && !without.contains(".yaml:1") && !without.contains("podPidsLimit"),
        "{without}"
    );
    repairs(lab, &hardened, &steps);
    assert_eq!(before, lab.ssh("cp1", own));
    assert_eq!(
        etcd,
        lab.ssh("cp1", "crictl ps -q --name etcd"),
        "etcd's container"
    );
}

/// A label goes on, is put back, and goes when the inventory drops it; a label of somebody else stays.
pub(crate) fn of_labels(lab: &Lab) {
    let inventory = lab.inventory(3);
    let labelled = inventory.replacen(
        "roles: [worker] }",
        "roles: [worker], labels: { ci.example/pool: builds } }",
        1,
    );
    assert_ne!(inventory, labelled);
    lab.kubectl("label node w1 others.example/kept=yes");
    repairs(lab, &labelled, &["w1: labels and taints"]);
    lab.kubectl("label node w1 ci.example/pool-");
    repairs(lab, &labelled, &["w1: labels and taints"]);
    assert!(
        labels(lab).contains(r#""ci.example/pool":"builds""#),
        "{}",
        labels(lab)
    );
    repairs(lab, &inventory, &["w1: labels and taints"]);
    assert!(!labels(lab).contains("ci.example/pool"), "{}", labels(lab));
    assert!(
        labels(lab).contains(r#""others.example/kept":"yes""#),
        "{}",
        labels(lab)
    );
}

fn labels(lab: &Lab) -> String {
    lab.kubectl("get node w1 -o jsonpath={.metadata.labels}")
}

/// Calico's objects, edited with kubectl.
pub(crate) fn of_calico(lab: &Lab) {
    lab.kubectl("-n kube-system set env daemonset/calico-node CLUSTER_TYPE=edited");
    lab.kubectl(r#"-n kube-system patch configmap calico-config -p '{"data":{"veth_mtu":"1234"}}'"#);
    repairs(lab, &lab.inventory(3), &["cluster: Calico"]);
    let env = lab.kubectl(
        "-n kube-system get daemonset calico-node -o jsonpath={.spec.template.spec.containers[0].env}",
    );
    assert!(env.contains("CLUSTER_TYPE") && !env.contains("edited"), "{env}");
    let settings = lab.kubectl("-n kube-system get configmap calico-config -o jsonpath={.data}");
    assert!(
        settings.contains("veth_mtu") && !settings.contains("1234"),
        "{settings}"
    );
    let status = "{.status.updatedNumberScheduled} {.status.numberReady}";
    let pods = lab.kubectl(&format!(
        "-n kube-system get daemonset calico-node -o 'jsonpath={status}'"
    ));
    assert_eq!(pods, "3 3", "apply ended before the new pods were ready");
}

/// All pods of CoreDNS on one node, as after the founding of a cluster, and other nodes are ready.
pub(crate) fn of_cluster_dns(lab: &Lab) {
    let nodes = || {
        let pods = "-n kube-system get pods -l k8s-app=kube-dns -o jsonpath={.items[*].spec.nodeName}";
        let nodes = lab.kubectl(pods);
        nodes
            .split_whitespace()
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        nodes(),
        ["w1", "w2"].map(str::to_owned).into(),
        "where the first apply has left them"
    );
    lab.kubectl("cordon w1 w2");
    lab.kubectl("-n kube-system delete pods -l k8s-app=kube-dns");
    lab.kubectl("-n kube-system rollout status deployment coredns --timeout 120s");
    assert_eq!(nodes(), ["cp1".to_owned()].into());
    lab.kubectl("uncordon w1 w2");
    repairs(lab, &lab.inventory(3), &["w1: cluster DNS on several nodes"]);
    assert_eq!(nodes(), ["w1", "w2"].map(str::to_owned).into());
}

/// A node is `Ready` while its calico-node is not. An apply waits for it, and changes nothing.
pub(crate) fn of_the_pod_network(lab: &Lab) {
    let fault = "/var/lib/calico/standin-fault";
    lab.ssh("w1", &format!("echo 'no data plane' > {fault}"));
    lab.kubectl("-n kube-system wait pod -l k8s-app=calico-node --field-selector spec.nodeName=w1 --for condition=Ready=false --timeout 120s");
    assert_eq!(lab.unready(), [""; 0], "the node itself should be ready");
    let verify = lab.run(&["verify", "--json"], &lab.inventory(3));
    assert_ne!(verify.code, 0, "{}", verify.stdout);
    assert!(
        verify.stdout.contains("no pod network on w1"),
        "{}",
        verify.stdout
    );
    lab.ssh("w1", &format!("systemd-run -q --on-active 15 rm {fault}"));
    let apply = lab.apply(&lab.inventory(3), &[]).ended(0);
    assert_eq!((apply.steps(), apply.changes()), (BTreeSet::new(), 0));
    let mut waited = apply.events.iter().filter(|event| event["event"] == "waiting");
    assert!(
        waited.any(|event| event["place"] == "w1" && event["step"] == "pod network ready"),
        "{}",
        apply.stdout
    );
}

/// With `--limit` the drift of other hosts stays.
pub(crate) fn within_a_limit(lab: &Lab) {
    let (drift, drifted) = ("rm /etc/crictl.yaml", "test -e /etc/crictl.yaml");
    lab.ssh("w1", drift);
    lab.ssh("w2", drift);
    let inventory = lab.inventory(3);
    let apply = lab.apply(&inventory, &["--limit", "w2"]).ended(0);
    assert_eq!(
        (apply.steps(), apply.changes()),
        (["w2: crictl's configuration".to_owned()].into(), 1)
    );
    lab.ssh("w2", drifted);
    lab.ssh("w1", &format!("! {drifted}"));
    repairs(lab, &inventory, &["w1: crictl's configuration"]);
}

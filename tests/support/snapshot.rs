//! All that a run could have changed on a host or in a cluster, as lines that can be compared.

use std::collections::BTreeSet;

use super::lab::Lab;

/// Lines about one place at one moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Snapshot(BTreeSet<String>);

/// Lines of a difference that a failure shows.
const SHOWN: usize = 60;

/// What the node's own programs write all the time is left out, and the mark that sudo leaves in home directories.
const HOST: &str = r#"
find /etc /usr /opt /srv /boot /root /home /var/tmp /var/spool /var/lib /run/ci-bootstrap \
    \( -path /var/lib/containerd -o -path /var/lib/etcd -o -path /var/lib/calico -o -path /var/lib/cni -o -path /var/lib/systemd \
       -o -path /var/lib/sudo -o -path /var/lib/nfs -o -path '/var/lib/kubelet/*' -o -name .sudo_as_admin_successful \) -prune \
    -o \( ! -path /home/admin ! -path /root -printf 'path %p %y %m %u:%g %s %T@ %l\n' \) 2>/dev/null || true
find /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env /var/lib/kubelet/pki -printf 'path %p %y %m %u:%g %s %T@ %l\n' 2>/dev/null || true
systemctl show '*.service' '*.socket' '*.timer' -p Id,ActiveState,UnitFileState,ExecMainStartTimestamp --timestamp=us |
    awk -v RS= '{ gsub("\n", " "); print "unit " $0 }' |
    grep ActiveState=active | grep -vE 'Id=(user@|user-runtime-dir@|apt-daily|dpkg-db-backup|systemd-tmpfiles-clean|e2scrub)'
dpkg-query -W -f 'package ${Package} ${Version} ${db:Status-Want}\n'
for key in net/ipv4/ip_forward net/ipv4/ip_local_reserved_ports net/bridge kernel/panic kernel/panic_on_oops kernel/keys vm/overcommit_memory \
    vm/panic_on_oom vm/max_map_count fs/inotify; do grep -rs '' /proc/sys/$key /dev/null | sed 's/^/sysctl /'; done
sed 's/^/swap /' /proc/swaps; echo "hostname $(hostname)"
"#;

/// Every object of every kind by its version. What runs changes its status by itself, and its version with it: of that, what
/// is asked of it is taken. Kinds that only tell what happens now are left out.
const CLUSTER: &str = r#"
kubectl() { command kubectl --cache-dir /dev/null --kubeconfig /etc/kubernetes/admin.conf "$@"; }
running=pods,daemonsets.apps,deployments.apps,replicasets.apps
kinds=$(kubectl api-resources --verbs=list -o name |
    grep -vE '^(events|leases|nodes|componentstatuses|endpoints|endpointslices|pods|daemonsets|deployments|replicasets)([.]|$)' | paste -sd,)
object=K:.kind,NS:.metadata.namespace,N:.metadata.name,U:.metadata.uid
kubectl get "$kinds" -A --no-headers -o "custom-columns=$object,V:.metadata.resourceVersion"
kubectl get "$running" -A --no-headers -o "custom-columns=$object,G:.metadata.generation,L:.metadata.labels,A:.metadata.annotations"
kubectl get nodes -o 'jsonpath={range .items[*]}Node {.metadata.name} {.metadata.uid} {.metadata.labels} {.spec}{"\n"}{end}'
"#;

impl Snapshot {
    pub(crate) fn of_host(lab: &Lab, host: &str) -> Self {
        let text = lab.ssh(host, HOST);
        Self(text.lines().map(|line| format!("{host}: {line}")).collect())
    }

    /// The hosts and, where there is one already, the cluster.
    pub(crate) fn of(lab: &Lab, hosts: &[&str], cluster: bool) -> Self {
        let mut lines: BTreeSet<_> = hosts.iter().flat_map(|host| Self::of_host(lab, host).0).collect();
        if cluster {
            lines.extend(lab.ssh("cp1", CLUSTER).lines().map(str::to_owned));
        }
        Self(lines)
    }

    /// Fails with the lines that came or went from `self` to `later`, unless there are none.
    #[track_caller]
    pub(crate) fn assert_same(&self, later: &Self, what: &str) {
        let gone = self.0.difference(&later.0).map(|line| format!("- {line}\n"));
        let new = later.0.difference(&self.0).map(|line| format!("+ {line}\n"));
        let (all, shown): (usize, String) = (
            self.0.symmetric_difference(&later.0).count(),
            gone.chain(new).take(SHOWN).collect(),
        );
        assert_eq!(all, 0, "{what} changed:\n{shown}");
    }

    /// How many lines there are: a snapshot of nothing would never differ.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

//! Cluster DNS: every node resolves a Service through the cluster's DNS address.
//!
//! The question goes out from the node itself, over UDP to the Service's address: through kube-proxy's rules of this node and
//! the pod network to `CoreDNS`, as the questions of pods go. That needs no image and leaves nothing behind, as a pod would, and
//! bash, which every supported system has, can send it.

use std::fmt::Write as _;
use std::time::Duration;

use futures::future::BoxFuture;

use super::VerifiedCluster;
use super::check::{Check, CheckProblem};
use super::dns_message::{answer, question};
use crate::cluster_api::{ObjectId, RolloutKind, RolloutTarget};
use crate::model::Cluster;

/// A pod of CoreDNS that has just moved is found within this time, in seconds.
const PATIENCE: u32 = 20;
const ASKING: Duration = Duration::from_secs(60);
/// Pods of a node that was replaced start again on the new one, which has to become ready first.
const STARTING: Duration = Duration::from_secs(120);
const LIMIT: Duration = Duration::from_secs(240);

pub(super) fn checks(cluster: &Cluster) -> Vec<Box<dyn Check>> {
    if cluster.first_control_plane().is_none() {
        return Vec::new();
    }
    let check = |host: &crate::model::Host| {
        Box::new(DnsCheck {
            host: host.name.to_string(),
        }) as Box<dyn Check>
    };
    cluster.nodes().map(check).collect()
}

/// The question from one node.
struct DnsCheck {
    host: String,
}

impl Check for DnsCheck {
    fn name(&self) -> String {
        "cluster DNS".to_owned()
    }

    fn place(&self) -> &str {
        &self.host
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    fn run<'a>(&'a self, site: &'a VerifiedCluster) -> BoxFuture<'a, Result<String, CheckProblem>> {
        Box::pin(async move {
            let answered = match self.ask(site).await? {
                Err(_) if has_started(site).await => self.ask(site).await?,
                answered => answered,
            };
            match answered {
                Ok(address) => self.ask_outside(site).await.map(|outside| address + &outside),
                Err(reason) => Err(self.explained(site, &reason).await),
            }
        })
    }
}

impl DnsCheck {
    /// Asks until there is an answer, which may be none or a wrong one.
    async fn ask(&self, site: &VerifiedCluster) -> Result<Result<String, String>, CheckProblem> {
        let networks = &site.cluster.networks;
        let (server, wanted) = (networks.dns, networks.api_server);
        let name = format!("kubernetes.default.svc.{}", networks.domain);
        let script = script(&server.to_string(), &question(&name, server.is_ipv6()));
        let output = site.exec(&self.host, script, ASKING).await?;
        let reason = match hex(&output.stdout).as_deref().map(answer) {
            Some(Ok(address)) if address == wanted => return Ok(Ok(format!("{name} is {address}"))),
            Some(Ok(address)) => format!("{name} is {address} there, and should be {wanted}"),
            Some(Err(reason)) => reason,
            None => format!("no answer within {PATIENCE} seconds"),
        };
        Ok(Err(format!(
            "{server} on UDP port 53, asked for {name}: {reason}"
        )))
    }

    /// Asks for the first outside name of the inventory that the host itself resolves: what pods ask outside goes the same way.
    async fn ask_outside(&self, site: &VerifiedCluster) -> Result<String, CheckProblem> {
        let server = site.cluster.networks.dns;
        for name in outside_names(&site.cluster) {
            // Names have letters that a shell takes as they are.
            let known = format!("timeout 5 getent ahosts {name} >/dev/null && echo known\n");
            let known = site.exec(&self.host, known, ASKING).await?;
            if known.stdout.trim_ascii() != b"known" {
                continue;
            }
            let script = script(&server.to_string(), &question(&name, server.is_ipv6()));
            let output = site.exec(&self.host, script, ASKING).await?;
            let reason = match hex(&output.stdout).as_deref().map(answer) {
                Some(Ok(_)) => return Ok(format!(", {name} is known, too")),
                Some(Err(reason)) => reason,
                None => format!("no answer within {PATIENCE} seconds"),
            };
            let problem = CheckProblem::failed(format!(
                "{server} on UDP port 53, asked for {name}, which {} itself knows: {reason}",
                self.host
            ));
            return Err(problem.with_help(
                "CoreDNS asks the DNS servers of its node's resolv.conf (`cluster.kubelet.resolvConf`): do its pods reach them? \
                 `kubectl -n kube-system logs -l k8s-app=kube-dns` tells more",
            ));
        }
        Ok(String::new())
    }

    /// The problem, with what the API server knows about the DNS server.
    async fn explained(&self, site: &VerifiedCluster, message: &str) -> CheckProblem {
        let problem = CheckProblem::failed(message);
        let coredns = coredns();
        let Ok(api) = site.api().await else {
            return problem;
        };
        let id = ObjectId::new("apps/v1", "Deployment", Some("kube-system"), "coredns");
        let has_pods = match api.read(&id).await {
            Ok(Some(live)) => live["status"]["availableReplicas"].as_u64().unwrap_or(0) > 0,
            _ => false,
        };
        match api.explain(&coredns).await {
            Ok(_) if has_pods => problem.with_help(
                "CoreDNS is ready, so the way to it is broken: a firewall between the nodes (UDP 4789 for VXLAN, see `firewall`), \
                 or kube-proxy or calico-node on this one (`kubectl -n kube-system get pods -o wide`)",
            ),
            Ok(explanation) => problem
                .with_output(&explanation.to_string())
                .with_help("`kubectl -n kube-system describe deployment coredns` tells more"),
            Err(_) => problem,
        }
    }
}

/// Names outside of the cluster that hosts need: of repositories and registries, without those of the hosts themselves.
fn outside_names(cluster: &Cluster) -> Vec<String> {
    let packages = &cluster.packages;
    let apt = packages.apt.values().map(|repository| &repository.url);
    let rpm = packages.rpm.values().map(|repository| &repository.url);
    let registries = cluster
        .registries
        .iter()
        .flat_map(|registry| std::iter::once(&registry.name).chain(&registry.mirrors));
    let mut names = Vec::new();
    for url in registries
        .chain(apt)
        .chain(rpm)
        .chain([&cluster.image_repository])
    {
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let name = rest.split(['/', ':']).next().unwrap_or_default();
        let is_name = name.parse::<std::net::IpAddr>().is_err()
            && name.contains('.')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        if is_name
            && !name.starts_with('-')
            && cluster.host(name).is_none()
            && !names.contains(&name.to_owned())
        {
            names.push(name.to_owned());
        }
    }
    names
}

fn coredns() -> RolloutTarget {
    RolloutTarget::new(RolloutKind::Deployment, "kube-system", "coredns")
}

/// Whether CoreDNS was not ready, and is now that it was waited for.
async fn has_started(site: &VerifiedCluster) -> bool {
    let Ok(api) = site.api().await else {
        return false;
    };
    matches!(api.unready(&coredns()).await, Ok(Some(_)))
        && api.wait(&coredns(), STARTING, |_| ()).await.is_ok()
}

/// A script that asks until something answers, and prints the answer in hexadecimal.
fn script(server: &str, question: &[u8]) -> String {
    let octal = question.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\{byte:03o}");
        text
    });
    // `<>` opens the socket once: the answer comes back to where the question left from. A datagram is one write, which
    // bash by itself would end at a byte that is a newline (the length of `kubernetes`): so dd writes.
    format!(
        "end=$(($(date +%s) + {PATIENCE}))\n\
         ask='exec 3<>/dev/udp/{server}/53 && printf \"$1\" | dd bs=4096 iflag=fullblock >&3 && exec dd bs=4096 count=1 <&3'\n\
         while :; do\n  \
           answer=$(timeout 2 bash -c \"$ask\" ask '{octal}' 2>/dev/null | od -An -v -tx1 | tr -d ' \\n')\n  \
           [ -z \"$answer\" ] || break\n  \
           [ \"$(date +%s)\" -lt \"$end\" ] || break\n  \
           sleep 0.5\n\
         done\n\
         echo \"$answer\"\n"
    )
}

/// Bytes from hexadecimal; `None` for an empty or broken text.
fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let bytes = hex::decode(text.trim_ascii()).ok();
    bytes.filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_names_are_those_of_servers() {
        let text = "apiVersion: ci-bootstrap/v1
cluster: { name: ci, kubernetes: 1.36.4, imageRepository: '10.0.0.9:5000' }
ssh: { user: root }
hosts: [{ name: cp1, address: 10.0.0.1, roles: [control-plane] }]
registries: [{ name: 'harbor.ci.example:8443', mirrors: ['https://mirror.ci.example/v2/hub', 'http://10.0.0.9'] }]
packages: { apt: { kubernetes: { url: 'http://10.0.0.9/k/', suite: /, key: { url: 'http://a/b', fingerprint: 0000000000000000000000000000000000000000 } } } }
";
        let (name, text) = ("i".to_owned(), text.to_owned());
        let document = crate::inventory::parse(
            crate::diagnostic::Source { name, text },
            std::path::Path::new("."),
        );
        let valid = crate::model::validate(&document);
        let names = valid
            .map(|valid| outside_names(&valid.cluster))
            .unwrap_or_default();
        assert_eq!(
            names,
            [
                "harbor.ci.example",
                "mirror.ci.example",
                "download.docker.com",
                "pkgs.k8s.io"
            ]
        );
    }

    #[test]
    fn hexadecimal_is_read() {
        assert_eq!(hex(b"6369ff\n"), Some(vec![0x63, 0x69, 0xff]));
        assert_eq!((hex(b"\n"), hex(b"zz")), (None, None));
    }
}

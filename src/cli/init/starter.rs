//! The inventory that a newcomer starts from.

use std::net::IpAddr;

use ipnet::IpNet;

/// Networks of pods and Services; the first pair in which no host lives is taken.
const NETWORKS: [(&str, &str); 4] = [
    ("10.244.0.0/16", "10.96.0.0/16"),
    ("172.30.0.0/16", "172.31.0.0/16"),
    ("fd10:244::/108", "fd10:96::/112"),
    ("fd20:244::/108", "fd20:96::/112"),
];

/// What an inventory is made of.
pub(super) struct StarterInventory<'a> {
    pub(super) addresses: &'a [IpAddr],
    pub(super) user: &'a str,
    pub(super) cluster_only: bool,
}

impl StarterInventory<'_> {
    /// The inventory, with comments on what is most often changed.
    pub(super) fn text(&self) -> String {
        let mut text = self.cluster() + &self.hosts();
        if !self.cluster_only {
            text.push_str(CI_SYSTEM);
        }
        text
    }

    fn cluster(&self) -> String {
        let (pods, services) = self.networks();
        // Any text is a string in YAML when it is written as JSON.
        let user = serde_json::Value::from(self.user);
        format!(
            "\
# The hosts of a CI system and what runs on them. docs/inventory.md describes every key.
apiVersion: ci-bootstrap/v1

cluster:
  name: ci
  kubernetes: 1.36.5
  # Nothing else in your network may use these networks; they can't be changed later.
  networks: {{ pods: \"{pods}\", services: \"{services}\" }}

ssh:
  user: {user}
  # Keys of a running ssh-agent are tried first. To name a key file:
  # identities: [~/.ssh/id_ed25519]
  # For a user other than root whose sudo asks for a password:
  # sudo: {{ password: {{ prompt: sudo password }} }}
"
        )
    }

    fn networks(&self) -> (&'static str, &'static str) {
        let is_v4 = self.addresses.first().is_none_or(IpAddr::is_ipv4);
        let is_taken = |network: &str| {
            let network = network.parse::<IpNet>();
            network.is_ok_and(|network| self.addresses.iter().any(|address| network.contains(address)))
        };
        let family = || NETWORKS.iter().filter(|(pods, _)| pods.contains(':') != is_v4);
        let free = family().find(|(pods, services)| !is_taken(pods) && !is_taken(services));
        // Where all are taken, the check says what is wrong with the first.
        *free.or_else(|| family().next()).unwrap_or(&NETWORKS[0])
    }

    fn hosts(&self) -> String {
        let hosts = self.addresses.iter().enumerate().map(|(index, address)| {
            let (name, roles) = self.roles(index);
            format!("  - {{ name: {name}, address: \"{address}\", roles: [{roles}] }}\n")
        });
        let (before, after) = if self.cluster_only { ("", "") } else { NFS_COMMENTS };
        let hosts: String = hosts.collect();
        format!("\n{HOSTS_COMMENT}{before}hosts:\n{hosts}{after}")
    }

    /// A control plane exports the share: nothing mounts it where it is exported, builds don't fill its disk, and workers can be
    /// replaced without a loss.
    fn roles(&self, index: usize) -> (String, String) {
        let (name, mut roles) = match (index, self.addresses.len()) {
            (0, 1) => ("cp1".to_owned(), vec!["control-plane", "worker"]),
            (0, _) => ("cp1".to_owned(), vec!["control-plane"]),
            _ => (format!("w{index}"), vec!["worker"]),
        };
        if index == 0 && !self.cluster_only {
            roles.push("nfs");
        }
        (name, roles.join(", "))
    }
}

const HOSTS_COMMENT: &str = "\
# The first control plane is initialised, all others join. `roles: []` prepares a host that does not join.
";

/// Before the hosts, and after them.
const NFS_COMMENTS: (&str, &str) = (
    "\
# The host with the role `nfs` exports the share on which all volumes lie. Where you can, give `/srv/nfs/ci` a disk of its own:
# etcd needs a fast disk that never fills up.
",
    "  \
  # A machine that does nothing else is the better server. Remove the role `nfs` above then.
  # - { name: nfs1, address: 10.0.0.31, roles: [nfs] }
",
);

/// Storage and Jenkins.
const CI_SYSTEM: &str = r#"
# Volumes are directories of the NFS share. For a server that exists already, remove the role `nfs` above and name the server.
storage:
  class: { name: nfs-ci }
  # nfs: { server: nas.ci.example, path: /volume1/ci }

# The registry to which builds push images, with the login for it. docs/registry.md describes private CAs and mirrors.
# registries:
#   - { name: harbor.ci.example, credentials: { username: "robot$ci", password: { env: HARBOR_PASSWORD } } }

# Every build runs on a pod of its own. When `apply` is done, it prints the address of Jenkins and how to get the password.
jenkins:
  # Every node answers on this port, over plain HTTP. Use an Ingress with TLS where others can listen.
  nodePort: 30080
  # ingress: { host: jenkins.ci.example, tlsSecret: jenkins-tls }
  # Where plugins come from, if updates.jenkins.io is slow or out of reach:
  # plugins: { updateSite: { downloads: "https://mirrors.tuna.tsinghua.edu.cn/jenkins/plugins" } }
  # What jobs log in with, by its id:
  # credentials: [{ id: gitlab, kind: usernamePassword, username: ci, password: { env: GITLAB_PASSWORD } }]
  # Pipelines whose Jenkinsfile lies in a repository:
  # jobs: [{ name: shop, repository: "https://gitlab.ci.example/shop/shop.git" }]
  agents:
    # The most pods at a time.
    cap: 10
    # A build asks for one of these by its name: `agent { label 'maven' }`. The first also takes builds that ask for none.
    templates:
      - { name: jnlp, kind: jnlp }
      # All builds share the cache, so that each artifact is downloaded once.
      - { name: maven, kind: maven, cache: 20Gi }
      # Builds images with Kaniko, without privileges.
      - { name: images, kind: kaniko }
"#;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::diagnostic::{Colour, Source, render};
    use crate::model::Validated;
    use crate::{inventory, model};

    const USER: &str = "o'hara: #1";

    fn starter(addresses: &[&str], cluster_only: bool) -> String {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let (addresses, user) = (&addresses, USER);
        StarterInventory {
            addresses,
            user,
            cluster_only,
        }
        .text()
    }

    fn valid(text: &str) -> Validated {
        let source = Source {
            name: "inventory.yaml".to_owned(),
            text: text.to_owned(),
        };
        let document = inventory::parse(source, std::path::Path::new("/nowhere"));
        model::validate(&document)
            .map_err(|problems| render(&problems, &document.source, Colour::Never))
            .unwrap()
    }

    #[test]
    fn it_is_valid_for_every_number_of_hosts() {
        for cluster_only in [false, true] {
            for addresses in [
                &["10.0.0.11"][..],
                &["10.0.0.11", "10.0.0.12", "10.0.0.13"],
                &["10.244.0.11", "10.96.3.1"],
                &["fd00::11", "fd00::12"],
                &["fd10:244::11"],
            ] {
                let Validated { cluster, warnings } = valid(&starter(addresses, cluster_only));
                assert_eq!(cluster.hosts.len(), addresses.len());
                assert_eq!(cluster.hosts[0].ssh.user.as_deref(), Some(USER));
                assert_eq!(warnings, []);
                assert_eq!(cluster.jenkins.is_none(), cluster_only);
                assert_eq!(cluster.storage.is_none(), cluster_only);
            }
        }
    }

    #[test]
    fn a_control_plane_exports_the_share_and_builds_have_agents() {
        let cluster = valid(&starter(&["10.0.0.11", "10.0.0.12", "10.0.0.13"], false)).cluster;
        let nfs: Vec<_> = cluster.hosts.iter().map(|host| host.roles.nfs).collect();
        assert_eq!(nfs, [true, false, false]);
        assert!(!cluster.hosts[0].roles.worker);
        let templates = cluster.jenkins.unwrap().agents.templates;
        let names: Vec<_> = templates.iter().map(|template| template.name.as_str()).collect();
        assert_eq!(names, ["jnlp", "maven", "images"]);
        let alone = valid(&starter(&["10.0.0.11"], false)).cluster;
        let roles = alone.hosts[0].roles;
        assert!(roles.control_plane && roles.worker && roles.nfs);
    }

    /// A comment that is a line of YAML.
    fn suggestion(line: &str) -> Option<String> {
        let (before, rest) = line.split_once("# ")?;
        let is_key = |key: &str| key.starts_with(char::is_lowercase) && key.chars().all(char::is_alphabetic);
        let is_yaml =
            rest.trim_start().starts_with("- {") || rest.split_once(':').is_some_and(|(key, _)| is_key(key));
        (before.trim().is_empty() && is_yaml).then(|| format!("{before}{rest}"))
    }

    /// The text with those comments that are `wanted` made YAML, and without an NFS server among the first hosts.
    fn uncommented(text: &str, wanted: fn(&str) -> bool) -> String {
        let lines = text.lines().map(|line| match suggestion(line) {
            Some(suggested) if wanted(line) => suggested,
            _ => line.to_owned(),
        });
        let text: String = lines.map(|line| line + "\n").collect();
        text.replace("control-plane, nfs", "control-plane")
    }

    #[test]
    fn what_its_comments_suggest_is_valid_too() {
        let key = tempfile::NamedTempFile::new().unwrap();
        let text = starter(&["10.0.0.11", "10.0.0.12"], false)
            .replace("~/.ssh/id_ed25519", key.path().to_str().unwrap());
        assert_eq!(text.lines().filter_map(suggestion).count(), 10, "{text}");
        let all = valid(&uncommented(&text, |line| !line.contains("nfs1")));
        assert_eq!(all.warnings, []);
        assert_eq!(all.cluster.registries.len(), 1);
        let jenkins = all.cluster.jenkins.unwrap();
        assert!(jenkins.ingress.is_some() && jenkins.jobs.len() == 1 && jenkins.credentials.len() == 1);
        let dedicated = valid(&uncommented(&text, |line| line.contains("nfs1"))).cluster;
        assert_eq!(dedicated.hosts.len(), 3);
        assert!(dedicated.hosts[2].roles.nfs);
    }
}

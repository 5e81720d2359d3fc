//! Servers outside of the cluster that hosts need: package repositories, container registries.

use crate::model::{AptRepository, Cluster, Host, PreflightCheck, Proxy, Registry, RpmRepository};

use super::answer::{Outcome, Reply, State};
use super::finding::Finding;
use super::round::Scene;

/// The kind of host that a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Packages of hosts with this package manager.
    Packages(&'static str),
    /// Images.
    Images,
}

/// A server that a host is asked to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// What it is called in the inventory. Servers of the same name stand in for each other.
    name: String,
    for_use: Use,
    url: String,
    /// What else may be there, where the first is not.
    alternative: Option<String>,
    /// The proxy that leads to it.
    proxy: Option<String>,
}

/// The servers that a host needs.
pub(super) fn servers(cluster: &Cluster, host: &Host) -> Vec<Server> {
    let mut servers = Vec::new();
    if host.is_node() || !host.roles.nfs {
        let (apt, rpm) = (&cluster.packages.apt, &cluster.packages.rpm);
        servers.extend(
            apt.iter()
                .map(|(name, repository)| of_apt(name, repository, &cluster.proxy)),
        );
        servers.extend(
            rpm.iter()
                .map(|(name, repository)| of_rpm(name, repository, &cluster.proxy)),
        );
    }
    if host.is_node() {
        servers.extend(registries(cluster));
    }
    servers
}

fn of_apt(name: &str, repository: &AptRepository, proxy: &Proxy) -> Server {
    let base = repository.url.trim_end_matches('/');
    let suite = repository.suite.trim_matches('/');
    let folder = match (repository.suite.ends_with('/'), suite) {
        (true, "") => base.to_owned(),
        (true, suite) => format!("{base}/{suite}"),
        (false, suite) => format!("{base}/dists/{suite}"),
    };
    Server {
        name: name.to_owned(),
        for_use: Use::Packages("apt"),
        url: format!("{folder}/InRelease"),
        alternative: Some(format!("{folder}/Release")),
        proxy: way(&folder, proxy),
    }
}

fn of_rpm(name: &str, repository: &RpmRepository, proxy: &Proxy) -> Server {
    let base = repository.url.trim_end_matches('/');
    Server {
        name: name.to_owned(),
        for_use: Use::Packages("rpm"),
        url: format!("{base}/repodata/repomd.xml"),
        alternative: None,
        proxy: way(base, proxy),
    }
}

/// The registries of the cluster's images and those of the inventory, with the mirrors that are asked before them.
fn registries(cluster: &Cluster) -> Vec<Server> {
    let of_images = [&cluster.image_repository, &cluster.calico.image_registry];
    let mut names: Vec<&str> = of_images
        .into_iter()
        .map(|name| name.split('/').next().unwrap_or(name))
        .chain(cluster.registries.iter().map(|registry| registry.name.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .flat_map(|name| registry(name, cluster))
        .collect()
}

fn registry(name: &str, cluster: &Cluster) -> Vec<Server> {
    let entry = cluster.registries.iter().find(|registry| registry.name == name);
    let is_plain = entry.is_some_and(|registry: &Registry| registry.plain);
    let mirrors = entry.into_iter().flat_map(|registry| &registry.mirrors);
    let own = match name {
        "docker.io" => "https://registry-1.docker.io".to_owned(),
        name if is_plain => format!("http://{name}"),
        name => format!("https://{name}"),
    };
    let mut urls: Vec<_> = mirrors.map(|url| origin(url)).chain([own]).collect();
    urls.dedup();
    urls.into_iter()
        .map(|base| Server {
            name: name.to_owned(),
            for_use: Use::Images,
            url: format!("{base}/v2/"),
            alternative: None,
            proxy: way(&base, &cluster.proxy),
        })
        .collect()
}

/// A URL without its path.
fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    format!("{scheme}://{}", rest.split('/').next().unwrap_or_default())
}

/// The proxy for a URL, unless it is an exception.
fn way(url: &str, proxy: &Proxy) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_matches(['[', ']']);
    let is_exception = |word: &String| {
        let suffix = word.trim_start_matches('*').trim_start_matches('.');
        let network = word.parse::<ipnet::IpNet>();
        let address = host.parse::<std::net::IpAddr>();
        word == "*"
            || host == suffix
            || host.ends_with(&format!(".{suffix}"))
            || matches!((network, address), (Ok(network), Ok(address)) if network.contains(&address))
    };
    if proxy.no_proxy.iter().any(is_exception) {
        return None;
    }
    let chosen = if scheme == "http" {
        &proxy.http
    } else {
        &proxy.https
    };
    chosen.clone()
}

impl Server {
    /// The line of network.bash that asks for it. URLs have no blanks and no quotes: the inventory's rules see to that.
    pub(super) fn question(&self, index: usize) -> String {
        let proxy = self.proxy.as_deref().unwrap_or("-");
        // The certificate of a registry is checked by containerd, with authorities of its own.
        let check = if self.for_use == Use::Images {
            "unchecked"
        } else {
            "checked"
        };
        let alternative = self.alternative.as_deref().unwrap_or_default();
        let kind = match self.for_use {
            Use::Packages(family) => family,
            Use::Images => "server",
        };
        format!("{kind} {index} {proxy} {check} {} {alternative}\n", self.url)
    }

    fn check(&self) -> PreflightCheck {
        match self.for_use {
            Use::Packages(_) => PreflightCheck::Repositories,
            Use::Images => PreflightCheck::Registries,
        }
    }

    fn title(&self) -> String {
        let through = self.proxy.as_ref().map(|proxy| format!(" through {proxy}"));
        let (url, through) = (&self.url, through.unwrap_or_default());
        match self.for_use {
            Use::Packages(_) => format!("repository {} ({url}{through})", self.name),
            Use::Images => format!("registry {} ({url}{through})", self.name),
        }
    }

    /// What is wrong with a reply, if anything is.
    fn fault(&self, reply: Reply) -> Option<String> {
        // A registry that wants a login says so with 401, and is there.
        let is_registry = self.for_use == Use::Images;
        match reply {
            Reply::Open | Reply::Status(200..=399) => None,
            Reply::Status(401) if is_registry => None,
            // A proxy that forbids the way says so with 403, too.
            Reply::Status(403) if is_registry && self.proxy.is_none() => None,
            Reply::Status(status) => Some(format!("answers {status}")),
            Reply::Untrusted => Some("has a certificate that the host doesn't trust".to_owned()),
            Reply::None(outcome) => Some(
                match outcome {
                    Outcome::Refused => "refuses the connection",
                    Outcome::Silent => "does not answer",
                    Outcome::Unresolved => "has a name that the host can't resolve",
                    Outcome::Rejected => "is rejected by a firewall",
                    Outcome::Unreachable => "can't be reached: there is no route",
                    _ => "gives no answer that could be read",
                }
                .to_owned(),
            ),
        }
    }
}

/// Repositories and registries that a host needs and doesn't reach. One of a registry's servers is enough. A node has what it needs.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (host, question, answer) in scene.answers() {
        if answer.state == State::Member {
            continue;
        }
        let mut faults: Vec<(&Server, String)> = Vec::new();
        let mut reached: Vec<(PreflightCheck, &str)> = Vec::new();
        for (index, server) in question.servers.iter().enumerate() {
            // A host of another family has nothing to say about it.
            let Some(reply) = answer.replies.get(&index) else {
                continue;
            };
            match server.fault(*reply) {
                Some(fault) => faults.push((server, fault)),
                None => reached.push((server.check(), &server.name)),
            }
        }
        faults.retain(|(server, _)| !reached.contains(&(server.check(), &server.name)));
        findings.extend(faults.into_iter().map(|(server, fault)| {
            let message = format!("{} {fault}", server.title());
            let help = "look at its address in the inventory, and at what is between it and the host: DNS, route, firewall, `proxy`";
            Finding::error(server.check(), host, message, help)
        }));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_has_exceptions() {
        let proxy = Proxy {
            http: Some("http://proxy:3128".into()),
            https: Some("http://proxy:3128".into()),
            no_proxy: ["10.0.0.0/8", ".ci.example", "mirror"].map(str::to_owned).into(),
        };
        for (url, is_through) in [
            ("http://10.1.2.3:8000/debian", false),
            ("https://a.ci.example/x", false),
            ("http://mirror/x", false),
            ("https://pkgs.k8s.io/x", true),
            ("http://notmirror/x", true),
        ] {
            assert_eq!(way(url, &proxy).is_some(), is_through, "{url}");
        }
    }

    #[test]
    fn a_registry_that_wants_a_login_is_there() {
        let server = |for_use| Server {
            name: "r".into(),
            for_use,
            url: "https://r/v2/".into(),
            alternative: None,
            proxy: None,
        };
        assert_eq!(server(Use::Images).fault(Reply::Status(401)), None);
        assert!(server(Use::Packages("apt")).fault(Reply::Status(401)).is_some());
        assert!(server(Use::Images).fault(Reply::None(Outcome::Silent)).is_some());
        assert!(server(Use::Images).fault(Reply::Status(503)).is_some());
    }
}

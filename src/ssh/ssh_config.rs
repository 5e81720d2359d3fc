//! What the user's `~/.ssh/config` says of a host, by asking OpenSSH itself.
//!
//! `ssh -G` knows `Match`, `Include` and all the rest; only tokens in file names are left to us.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::target::{Agent, SshConfig, SshTarget};
use crate::transport::TransportError;

const LIMIT: Duration = Duration::from_secs(10);

/// The target and its jump hosts, with what the configuration says and the inventory does not.
///
/// # Errors
/// When `ssh -G` can't be run, refuses the configuration, or asks for something that can't be done here; and when a jump host is
/// reached through itself.
pub(super) async fn resolve(target: &SshTarget) -> Result<SshTarget, TransportError> {
    resolve_hop(target, Vec::new()).await
}

/// One hop, on the way from the target through `way`.
async fn resolve_hop(target: &SshTarget, mut way: Vec<String>) -> Result<SshTarget, TransportError> {
    let hop = hop(target);
    let loops = way.contains(&hop);
    way.push(hop);
    if loops {
        return Err(target.unreachable(format!(
            "its jump hosts lead back to where they came from: {}; one of them has to be reached directly (`ProxyJump none`)",
            way.join(", through ")
        )));
    }
    let mut resolved = match &target.ssh_config {
        SshConfig::None => target.clone(),
        config => {
            let home = std::env::home_dir().unwrap_or_default().display().to_string();
            let effective = EffectiveConfig::parse(&ask(target, config).await?);
            effective
                .apply(target, &home)
                .map_err(|reason| target.unreachable(format!("`ssh -G`: {reason}")))?
        }
    };
    if let Some(jump) = &resolved.jump {
        resolved.jump = Some(Box::new(Box::pin(resolve_hop(jump, way)).await?));
    }
    Ok(resolved)
}

/// A hop as it was asked for: an alias leads to the same place each time.
fn hop(target: &SshTarget) -> String {
    let user = target
        .user
        .as_ref()
        .map(|user| format!("{user}@"))
        .unwrap_or_default();
    match target.port {
        Some(port) => format!("{user}{}:{port}", target.address),
        None => format!("{user}{}", target.address),
    }
}

async fn ask(target: &SshTarget, config: &SshConfig) -> Result<String, TransportError> {
    let mut command = Command::new("ssh");
    if let SshConfig::File(file) = config {
        command.arg("-F").arg(file);
    }
    command.arg("-G").stdin(Stdio::null()).kill_on_drop(true);
    if let Some(port) = target.port {
        command.arg("-p").arg(port.to_string());
    }
    if let Some(user) = &target.user {
        command.arg("-l").arg(user);
    }
    command.arg("--").arg(&target.address);
    let failed =
        |reason: String| target.unreachable(format!("can't ask `ssh -G` for its settings: {reason}"));
    let output = timeout(LIMIT, command.output())
        .await
        .map_err(|_| failed(format!("no answer within {LIMIT:?}")))?
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

/// The settings that matter here, as `ssh -G` prints them.
#[derive(Debug, Default, PartialEq, Eq)]
struct EffectiveConfig {
    hostname: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    identities: Vec<String>,
    identities_only: bool,
    certificates: Vec<String>,
    /// Where it is said: a socket, `SSH_AUTH_SOCK`, `$NAME` or `none`.
    identity_agent: Option<String>,
    known_hosts: Vec<String>,
    revoked_host_keys: Vec<String>,
    host_key_alias: Option<String>,
    proxy_jump: Option<String>,
    proxy_command: Option<String>,
}

impl EffectiveConfig {
    fn parse(text: &str) -> Self {
        let mut effective = Self::default();
        let given = |value: &str| Some(value.to_owned()).filter(|value| value != "none");
        for (key, value) in text.lines().filter_map(|line| line.trim().split_once(' ')) {
            match key {
                "hostname" => effective.hostname = given(value),
                "port" => effective.port = value.parse().ok(),
                "user" => effective.user = given(value),
                "identityfile" => effective.identities.extend(given(value)),
                "certificatefile" => effective.certificates.extend(given(value)),
                "identityagent" => effective.identity_agent = Some(value.to_owned()),
                "revokedhostkeys" => {
                    effective
                        .revoked_host_keys
                        .extend(value.split_whitespace().filter_map(given));
                }
                "hostkeyalias" => effective.host_key_alias = given(value),
                "identitiesonly" => effective.identities_only = value == "yes",
                "userknownhostsfile" | "globalknownhostsfile" => {
                    effective
                        .known_hosts
                        .extend(value.split_whitespace().filter_map(given));
                }
                "proxyjump" => effective.proxy_jump = given(value),
                "proxycommand" => effective.proxy_command = given(value),
                _ => {}
            }
        }
        effective
    }

    fn apply(self, target: &SshTarget, home: &str) -> Result<SshTarget, String> {
        if self.proxy_command.is_some() && target.jump.is_none() {
            return Err("ProxyCommand is not supported; use ProxyJump".to_owned());
        }
        let mut resolved = target.clone();
        resolved.ssh_config = SshConfig::None;
        resolved.address = self.hostname.unwrap_or(resolved.address);
        resolved.port = resolved.port.or(self.port);
        resolved.user = resolved.user.or(self.user);
        resolved.identities_only |= self.identities_only;
        let files = |names: &[String]| -> Vec<PathBuf> {
            names
                .iter()
                .map(|name| PathBuf::from(expand(name, &resolved, home)))
                .collect()
        };
        let (identities, certificates) = (files(&self.identities), files(&self.certificates));
        let (known_hosts, revoked) = (files(&self.known_hosts), files(&self.revoked_host_keys));
        let agent = self.identity_agent.map(|said| agent(&said, &resolved, home));
        if let (Some(agent), true) = (agent, resolved.agent != Agent::None) {
            resolved.agent = agent;
        }
        resolved.certificates.extend(certificates);
        resolved.revoked_host_keys.extend(revoked);
        resolved.host_key_alias = resolved.host_key_alias.or(self.host_key_alias);
        if resolved.identities.is_empty() {
            // `ssh -G` lists OpenSSH's default names, whether they exist or not.
            resolved.identities = identities.into_iter().filter(|file| file.exists()).collect();
        }
        // None at all where both are `none`: then no host is known.
        resolved.known_hosts.get_or_insert(known_hosts);
        if let (Some(hops), None) = (self.proxy_jump, &resolved.jump) {
            resolved.jump = jump(&hops, target)?;
        }
        Ok(resolved)
    }
}

/// The chain of hops in `[user@]host[:port],…`, the first of which is the nearest.
fn jump(hops: &str, target: &SshTarget) -> Result<Option<Box<SshTarget>>, String> {
    let mut chain: Option<Box<SshTarget>> = None;
    for hop in hops.split(',') {
        let hop = hop.trim_start_matches("ssh://");
        let (user, place) = hop
            .rsplit_once('@')
            .map_or((None, hop), |(user, place)| (Some(user), place));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                let port = port
                    .parse()
                    .map_err(|_| format!("ProxyJump {hop}: `{port}` is not a port"))?;
                (host, Some(port))
            }
            _ => (place, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut next = SshTarget::new(format!("{host} (jump host of {})", target.name), host);
        next.user = user.map(str::to_owned);
        next.port = port;
        next.agent.clone_from(&target.agent);
        next.shared = target.shared.clone();
        next.passphrase.clone_from(&target.passphrase);
        next.known_hosts.clone_from(&target.known_hosts);
        next.ssh_config = target.ssh_config.clone();
        next.jump = chain;
        chain = Some(Box::new(next));
    }
    Ok(chain)
}

/// The agent that `IdentityAgent` names.
fn agent(said: &str, target: &SshTarget, home: &str) -> Agent {
    match said {
        "none" => Agent::None,
        "SSH_AUTH_SOCK" => target.agent.clone(),
        said => match said.strip_prefix('$') {
            Some(name) => std::env::var_os(name).map_or(Agent::None, |path| Agent::Socket(path.into())),
            None => Agent::Socket(expand(said, target, home).into()),
        },
    }
}

/// Fills in `~` and the tokens of `ssh_config(5)` that file names may have.
fn expand(name: &str, target: &SshTarget, home: &str) -> String {
    let mut text = String::new();
    let rest = match name.strip_prefix("~/") {
        Some(rest) => {
            text.push_str(home);
            text.push('/');
            rest
        }
        None => name,
    };
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('%') => text.push('%'),
            Some('h') => text.push_str(&target.address),
            Some('r') => text.push_str(target.user()),
            Some('p') => text.push_str(&target.port().to_string()),
            Some('d') => text.push_str(home),
            Some('u') => text.push_str(&std::env::var("USER").unwrap_or_else(|_| "root".to_owned())),
            // Not ours to know: the file will not be found, and the message shows the name.
            other => {
                text.push('%');
                text.extend(other);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "user ann\nhostname 10.0.0.7\nport 2222\nidentitiesonly yes\nproxyjump bob@edge:2200,inner\n\
        identityfile ~/keys/%r@%h\nidentityfile /k/100%%\nuserknownhostsfile ~/.ssh/a /b\nglobalknownhostsfile /c\n";

    fn resolved(target: &SshTarget) -> SshTarget {
        EffectiveConfig::parse(PRINTED)
            .apply(target, "/home/me")
            .unwrap_or_else(|reason| SshTarget::new(reason, ""))
    }

    #[test]
    fn what_the_inventory_says_wins() {
        let mut target = SshTarget::new("cp1", "cp1");
        target.user = Some("root".to_owned());
        target.port = Some(22);
        target.identities = vec!["/mine".into()];
        let resolved = resolved(&target);
        assert_eq!(resolved.user(), "root");
        assert_eq!(resolved.port(), 22);
        assert_eq!(resolved.address, "10.0.0.7");
        assert_eq!(resolved.identities, [PathBuf::from("/mine")]);
        assert_eq!(resolved.ssh_config, SshConfig::None, "must not be asked again");
    }

    #[test]
    fn the_rest_comes_from_the_configuration() {
        let resolved = resolved(&SshTarget::new("cp1", "cp1"));
        assert_eq!(
            (resolved.user(), resolved.port(), resolved.identities_only),
            ("ann", 2222, true)
        );
        assert_eq!(
            resolved.known_hosts,
            Some(["/home/me/.ssh/a", "/b", "/c"].map(PathBuf::from).to_vec())
        );
    }

    #[test]
    fn hops_are_nested_with_the_nearest_innermost() {
        let mut target = SshTarget::new("cp1", "cp1");
        target.ssh_config = SshConfig::Default;
        let inner = *resolved(&target)
            .jump
            .unwrap_or_else(|| Box::new(SshTarget::new("", "")));
        assert_eq!((inner.address.as_str(), inner.port), ("inner", None));
        let edge = *inner.jump.unwrap_or_else(|| Box::new(SshTarget::new("", "")));
        assert_eq!(
            (edge.address.as_str(), edge.user(), edge.port()),
            ("edge", "bob", 2200)
        );
        assert!(edge.jump.is_none() && edge.ssh_config == SshConfig::Default);
    }

    #[test]
    fn what_says_whom_to_trust_is_obeyed() {
        let printed = "hostkeyalias cp-one\nrevokedhostkeys ~/revoked /etc/revoked\ncertificatefile ~/%r-cert.pub\n\
            userknownhostsfile none\nglobalknownhostsfile none\nuser ann\n";
        let resolved = EffectiveConfig::parse(printed).apply(&SshTarget::new("cp1", "10.0.0.7"), "/h");
        let resolved = resolved.unwrap_or_else(|reason| SshTarget::new(reason, ""));
        assert_eq!(resolved.recorded_as(), ("cp-one", 22));
        assert_eq!(
            resolved.revoked_host_keys,
            ["/h/revoked", "/etc/revoked"].map(PathBuf::from)
        );
        assert_eq!(resolved.certificates, [PathBuf::from("/h/ann-cert.pub")]);
        assert!(resolved.known_hosts().is_empty(), "no host is known");
    }

    #[test]
    fn an_agent_is_the_one_that_is_named() {
        let socket = |path: &str| Agent::Socket(path.into());
        let said = |given: Agent, printed: &str| {
            let mut target = SshTarget::new("cp1", "cp1");
            target.agent = given;
            let resolved = EffectiveConfig::parse(printed).apply(&target, "/h");
            resolved.map(|resolved| resolved.agent)
        };
        let cases = [
            ("", socket("/env")),
            ("identityagent none\n", Agent::None),
            ("identityagent SSH_AUTH_SOCK\n", socket("/env")),
            ("identityagent ~/agent\n", socket("/h/agent")),
            ("identityagent $CI_BOOTSTRAP_NO_SUCH_VARIABLE\n", Agent::None),
        ];
        for (printed, expected) in cases {
            assert_eq!(said(socket("/env"), printed), Ok(expected), "{printed}");
            assert_eq!(
                said(Agent::None, printed),
                Ok(Agent::None),
                "the inventory wants none"
            );
        }
    }

    #[tokio::test]
    async fn a_way_that_leads_back_is_refused() {
        let mut target = SshTarget::new("cp1", "cp1");
        for address in ["outer", "inner", "outer"] {
            let mut hop = SshTarget::new("jump", address);
            hop.jump = target.jump.take();
            target.jump = Some(Box::new(hop));
        }
        let refused = resolve(&target).await.err().map(|error| error.to_string());
        assert!(
            refused
                .is_some_and(|refused| refused.contains("cp1, through outer, through inner, through outer;"))
        );
    }

    #[test]
    fn tokens_are_expanded() {
        let mut target = SshTarget::new("cp1", "10.0.0.7");
        target.user = Some("ann".to_owned());
        assert_eq!(
            expand("~/keys/%r@%h", &target, "/home/me"),
            "/home/me/keys/ann@10.0.0.7"
        );
        assert_eq!(expand("%d/100%%-%z%", &target, "/h"), "/h/100%-%z%");
    }

    #[test]
    fn a_proxy_command_is_refused_with_a_reason() {
        let effective = EffectiveConfig::parse("proxycommand nc %h %p\n");
        let refused = effective.apply(&SshTarget::new("cp1", "cp1"), "/").err();
        assert!(refused.is_some_and(|reason| reason.contains("ProxyJump")));
    }
}

//! How to log in to a host: common section, host's own section and jump host made one.

use std::path::PathBuf;
use std::time::Duration;

use super::check::RuleContext;
use super::{code, duration, endpoint, form};
use crate::diagnostic::{Diagnostic, Span};
use crate::inventory::{self, Secret};
use crate::secret::SecretRef;
use crate::yaml::Spanned;

/// How to become root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sudo {
    /// The login user is root.
    None,
    /// `sudo` asks for no password.
    Passwordless,
    /// `sudo` asks for this password.
    Password(SecretRef),
}

/// How to log in to a host. It can't be serialized: it leads to secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAccess {
    /// Name or address to connect to.
    pub address: String,
    /// TCP port; none is 22, or what `ssh_config` says.
    pub port: Option<u16>,
    /// Login name; none is what `ssh_config` says.
    pub user: Option<String>,
    /// Private key files, in the order in which they are tried.
    pub identities: Vec<PathBuf>,
    /// Whether keys of a running ssh-agent are tried.
    pub agent: bool,
    /// Login password.
    pub password: Option<SecretRef>,
    /// Passphrase of the private keys.
    pub passphrase: Option<SecretRef>,
    /// Files with known host keys; none are OpenSSH's own, or what `ssh_config` says.
    pub known_hosts: Option<Vec<PathBuf>>,
    /// Accepted host keys, `SHA256:…`; if there are any, `known_hosts` is not asked.
    pub fingerprints: Vec<String>,
    /// Whether `~/.ssh/config` is obeyed for what is not set here.
    pub ssh_config: bool,
    /// The host through which the connection goes.
    pub jump: Option<Box<SshAccess>>,
    /// How to become root.
    pub sudo: Sudo,
    /// Longest time to connect and log in.
    pub connect_timeout: Duration,
}

impl SshAccess {
    /// The port, as far as the inventory says it.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(22)
    }
}

pub(super) fn check(
    host: &inventory::HostSpec,
    inventory: &inventory::Inventory,
    check: &mut RuleContext<'_>,
) -> Option<SshAccess> {
    let merged = merge(&inventory.ssh, &host.ssh);
    let address = match &host.ssh_address {
        Some(written) => check.parse(
            written,
            &code::BAD_ADDRESS,
            "name or address",
            endpoint::host_name_or_address,
        ),
        None => Some(host.address.value.clone()),
    };
    let jump = jump(host, inventory, &merged, &mut vec![&host.name.value], check);
    let mut access = access(&merged, host.name.span, check)?;
    access.address = address?;
    access.jump = jump?;
    Some(access)
}

/// The host's keys where they are written, else the common ones.
fn merge(common: &inventory::Ssh, own: &inventory::Ssh) -> inventory::Ssh {
    macro_rules! merged {
        ($($field:ident)*) => {
            inventory::Ssh { $($field: own.$field.clone().or_else(|| common.$field.clone()),)* }
        };
    }
    merged! {
        user port identities agent password passphrase known_hosts fingerprints ssh_config jump sudo connect_timeout
    }
}

/// Everything but the address and the way there.
fn access(written: &inventory::Ssh, host: Span, check: &mut RuleContext<'_>) -> Option<SshAccess> {
    let ssh_config = written.ssh_config.as_ref().is_some_and(|config| config.value);
    if written.user.is_none() && !ssh_config {
        missing_user(host, check);
    }
    let twenty_seconds: Spanned<String> = "20s".into();
    let timeout = written.connect_timeout.as_ref().unwrap_or(&twenty_seconds);
    let connect_timeout = check.parse(timeout, &code::BAD_DURATION, "duration", duration::parse);
    let fingerprints = written.fingerprints.as_deref().unwrap_or_default();
    let fingerprints = check.parse_all(fingerprints, &code::BAD_FINGERPRINT, "fingerprint", fingerprint);
    let password = secret(written.password.as_ref(), check);
    let passphrase = secret(written.passphrase.as_ref(), check);
    let sudo = sudo(written, check);
    let identities = identities(written.identities.as_deref().unwrap_or_default(), check);
    let files = &check.document.files;
    let known_hosts = written.known_hosts.as_ref();
    let known_hosts = known_hosts.map(|names| names.iter().map(|name| files.path(name)).collect());
    Some(SshAccess {
        address: String::new(),
        port: written.port.as_ref().map(|port| port.value),
        user: written.user.as_ref().map(|user| user.value.clone()),
        identities: identities?,
        agent: written.agent.as_ref().is_none_or(|agent| agent.value),
        password: password?,
        passphrase: passphrase?,
        known_hosts,
        fingerprints: fingerprints?,
        ssh_config,
        jump: None,
        sudo: sudo?,
        connect_timeout: connect_timeout?,
    })
}

fn missing_user(host: Span, check: &mut RuleContext<'_>) {
    if check
        .problems
        .iter()
        .any(|problem| *problem.code == code::MISSING_USER)
    {
        return; // It is most likely missing for all of them.
    }
    check.report(
        Diagnostic::error(&code::MISSING_USER, "there is no login name for this host")
            .at(host, "")
            .help("set `ssh.user`, or `ssh.sshConfig: true` to take it from ~/.ssh/config"),
    );
}

fn fingerprint(text: &str) -> Result<String, String> {
    let hash = text.strip_prefix("SHA256:").unwrap_or_default();
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    if hash.len() != 43 || !hash.bytes().all(base64) {
        return Err("`ssh-keygen -l -f KEY.pub` prints it: `SHA256:` and 43 characters".to_owned());
    }
    Ok(text.to_owned())
}

/// Outer `None`: it is wrong, and reported. Inner `None`: there is none.
#[expect(clippy::option_option, reason = "both kinds of absence occur")]
pub(super) fn secret(
    written: Option<&Spanned<Secret>>,
    check: &mut RuleContext<'_>,
) -> Option<Option<SecretRef>> {
    match written {
        None => Some(None),
        Some(written) => reference(written, check).map(Some),
    }
}

/// The source of a secret, unless it is the secret itself or no source.
pub(super) fn reference(written: &Spanned<Secret>, check: &mut RuleContext<'_>) -> Option<SecretRef> {
    let reference = match &written.value {
        Secret::Reference(reference) => reference,
        Secret::PlainText => {
            check.report(
                Diagnostic::error(&code::PLAIN_SECRET, "a secret stands in the inventory")
                    .at(written.span, "not shown here")
                    .help("name its source instead: `{ env: NAME }`, `{ file: PATH }`, `{ command: [pass, show, ci] }` or `{ prompt: TEXT }`; and change the secret if others could see it"),
            );
            return None;
        }
    };
    let (empty, what) = match reference {
        SecretRef::Env(name) => (name.is_empty(), "the name of an environment variable"),
        SecretRef::File(path) => (path.as_os_str().is_empty(), "the path of a file"),
        SecretRef::Command(words) => (
            words.first().is_none_or(String::is_empty),
            "a program and its arguments",
        ),
        SecretRef::Prompt(text) => (text.is_empty(), "the text of the question"),
    };
    if empty {
        let problem = Diagnostic::error(&code::EMPTY_SECRET, "this secret comes from nowhere");
        check.report(problem.at(written.span, format!("here belongs {what}")));
        return None;
    }
    Some(match reference {
        SecretRef::File(path) => SecretRef::File(check.document.files.path(&path.to_string_lossy())),
        other => other.clone(),
    })
}

fn sudo(written: &inventory::Ssh, check: &mut RuleContext<'_>) -> Option<Sudo> {
    let root = written.user.as_ref().is_some_and(|user| user.value == "root");
    match written.sudo.as_ref().map(|sudo| &sudo.value) {
        None if root => Some(Sudo::None),
        None | Some(inventory::SudoSpec::Passwordless) => Some(Sudo::Passwordless),
        Some(inventory::SudoSpec::None) => {
            if let Some(user) = written.user.as_ref().filter(|_| !root) {
                not_root(written, user, check);
            }
            Some(Sudo::None)
        }
        Some(inventory::SudoSpec::Password(password)) => reference(password, check).map(Sudo::Password),
    }
}

fn not_root(written: &inventory::Ssh, user: &Spanned<String>, check: &mut RuleContext<'_>) {
    let span = written.sudo.as_ref().map(|sudo| sudo.span).unwrap_or_default();
    let title = format!(
        "`{}` will hardly be allowed to change a host without sudo",
        user.value
    );
    check.report(
        Diagnostic::warning(&code::NOT_ROOT, title)
            .at(span, "no sudo")
            .at(user.span, "not root")
            .help("`sudo: passwordless`, or `sudo: { password: … }`"),
    );
}

fn identities(written: &[Spanned<String>], check: &mut RuleContext<'_>) -> Option<Vec<PathBuf>> {
    let mut all = true;
    for identity in written {
        all &= form::file(identity, check).is_some();
    }
    let files = &check.document.files;
    all.then(|| written.iter().map(|name| files.path(name)).collect())
}

/// Outer `None`: it is wrong, and reported. Inner `None`: the way is direct.
#[expect(clippy::option_option, reason = "both kinds of absence occur")]
fn jump<'a>(
    host: &inventory::HostSpec,
    inventory: &'a inventory::Inventory,
    merged: &inventory::Ssh,
    way: &mut Vec<&'a str>,
    check: &mut RuleContext<'_>,
) -> Option<Option<Box<SshAccess>>> {
    let Some(jump) = &merged.jump else {
        return Some(None);
    };
    let own = host.ssh.jump.is_some();
    let named = |other: &&inventory::HostSpec| {
        other.name.value == jump.host.value || other.address.value == jump.host.value
    };
    let known = inventory.hosts.iter().find(named);
    // The common jump host may be one of the hosts: it is reached directly.
    if !own && known.is_some_and(|known| known.name.value == host.name.value) {
        return Some(None);
    }
    let common = inventory::Ssh {
        port: None,
        fingerprints: None,
        ..merged.clone()
    };
    let mut target = for_jump(jump, &common);
    let mut address = jump.host.clone();
    let mut next = None;
    if let Some(known) = known {
        if way.contains(&&*known.name.value) {
            loops(jump, way, check);
            return None;
        }
        way.push(&known.name.value);
        let known_ssh = merge(&inventory.ssh, &known.ssh);
        next = self::jump(known, inventory, &known_ssh, way, check)?;
        target = for_jump(jump, &known_ssh);
        address
            .value
            .clone_from(&known.ssh_address.as_ref().unwrap_or(&known.address).value);
    }
    let address = check.parse(
        &address,
        &code::BAD_ADDRESS,
        "name or address",
        endpoint::host_name_or_address,
    );
    let mut access = access(&target, jump.host.span, check)?;
    access.address = address?;
    access.jump = next;
    Some(Some(Box::new(access)))
}

fn loops(jump: &inventory::JumpSpec, way: &[&str], check: &mut RuleContext<'_>) {
    let way: Vec<String> = way.iter().map(|name| format!("`{name}`")).collect();
    let title = format!("the way to {} leads back to `{}`", way[0], jump.host.value);
    check.report(
        Diagnostic::error(&code::JUMP_LOOP, title)
            .at(jump.host.span, "")
            .help(format!(
                "the way is {}: one of them must be reached without a jump host",
                way.join(" through ")
            )),
    );
}

/// The jump host's own keys where they are written, else `others`; no root access, and no further jump.
fn for_jump(jump: &inventory::JumpSpec, others: &inventory::Ssh) -> inventory::Ssh {
    inventory::Ssh {
        user: jump.user.clone().or_else(|| others.user.clone()),
        port: jump.port.or(others.port),
        identities: jump.identities.clone().or_else(|| others.identities.clone()),
        password: jump.password.clone().or_else(|| others.password.clone()),
        passphrase: jump.passphrase.clone().or_else(|| others.passphrase.clone()),
        fingerprints: jump.fingerprints.clone().or_else(|| others.fingerprints.clone()),
        sudo: None,
        jump: None,
        ..others.clone()
    }
}

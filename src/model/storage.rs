//! Storage: the NFS share, and the StorageClass whose volumes are directories of it.

use serde::Serialize;

use super::check::RuleContext;
use super::manifest::{self, Manifest};
use super::{Host, HostName, code, endpoint, form, name};
use crate::diagnostic::{Diagnostic, Span};
use crate::inventory::{self, Provisioner};
use crate::yaml::Spanned;

/// Storage of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// The NFS share; none where a class that exists already needs none.
    pub nfs: Option<Nfs>,
    /// The StorageClass.
    pub class: StorageClass,
}

/// The NFS share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Nfs {
    /// Name or address by which nodes reach the server.
    pub server: String,
    /// The exported directory.
    pub path: String,
    /// What nodes mount: `server:path`.
    pub source: String,
    /// The host of the inventory that is made the server; none for a server that exists already.
    pub export: Option<Export>,
}

/// How a host of the inventory exports the share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// The host.
    pub host: HostName,
    /// Mode of the directory, in octal.
    pub mode: String,
    /// Its owner, `user:group`.
    pub owner: String,
    /// Options of exports(5).
    pub options: Vec<String>,
    /// Who may mount it: the nodes' addresses, then what the inventory adds.
    pub clients: Vec<String>,
}

/// The StorageClass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageClass {
    /// Its name.
    pub name: String,
    /// Who makes the volumes.
    pub provisioner: Provisioner,
    /// Whether claims that name no class get it.
    pub default: bool,
    /// Options of nfs(5).
    pub mount_options: Vec<String>,
    /// Image of nfs-subdir-external-provisioner.
    pub image: String,
    /// Release manifests of csi-driver-nfs.
    pub manifests: Vec<Manifest>,
}

/// Checks the section, which may be missing: then there is no storage, and the inner `None` says so.
#[expect(
    clippy::option_option,
    reason = "none for a section that is wrong, as everywhere here"
)]
pub(super) fn check(
    inventory: &inventory::Inventory,
    hosts: &[(&inventory::HostSpec, Host)],
    check: &mut RuleContext<'_>,
) -> Option<Option<Storage>> {
    let Some(written) = &inventory.storage else {
        for (written, _) in hosts.iter().filter(|(_, host)| host.roles.nfs) {
            let title = format!(
                "host `{}` has the role `nfs`, and there is no storage",
                written.name.value
            );
            let problem =
                Diagnostic::warning(&code::UNUSED_NFS, title).at(written.roles.span, "exports nothing");
            check.report(problem.help("add the section `storage: {}`, or remove the role"));
        }
        return Some(None);
    };
    let nfs = nfs(written, hosts, check);
    let class = class(&written.class, check);
    Some(Some(Storage {
        nfs: nfs?,
        class: class?,
    }))
}

/// The share; the inner `None` where none is needed.
#[expect(
    clippy::option_option,
    reason = "none for a section that is wrong, as everywhere here"
)]
fn nfs(
    storage: &Spanned<inventory::StorageSpec>,
    hosts: &[(&inventory::HostSpec, Host)],
    check: &mut RuleContext<'_>,
) -> Option<Option<Nfs>> {
    let written = &storage.nfs;
    let path = check.parse(&written.path, &code::BAD_PATH, "share path", path);
    let servers: Vec<_> = hosts.iter().filter(|(_, host)| host.roles.nfs).collect();
    let optional = storage.class.provisioner.value == Provisioner::None;
    if servers.is_empty() && written.server.is_none() && optional {
        return Some(None);
    }
    let (server, host) = server(storage, &servers, check)?;
    let export = match host {
        Some(host) => Some(export(written.export.as_ref(), host, hosts, check)?),
        None => None,
    };
    let path = path?;
    let source = if server.contains(':') {
        format!("[{server}]:{path}")
    } else {
        format!("{server}:{path}")
    };
    Some(Some(Nfs {
        server,
        path,
        source,
        export,
    }))
}

/// The server's address, and its host where the inventory has it.
fn server<'a>(
    storage: &Spanned<inventory::StorageSpec>,
    servers: &[&'a (&inventory::HostSpec, Host)],
    check: &mut RuleContext<'_>,
) -> Option<(String, Option<&'a Host>)> {
    let written = &storage.nfs;
    let wrong = |title: &str, span: Span, label: &str| {
        Diagnostic::error(&code::NFS_SERVER, title.to_owned()).at(span, label)
    };
    match (&written.server, servers) {
        (None, [(_, host)]) => Some((host.address.to_string(), Some(host))),
        (None, []) => {
            let problem = wrong("storage without an NFS server", storage.span, "");
            check
                .report(problem.help(
                    "give a host the role `nfs`, or name a server that exists as `storage.nfs.server`",
                ));
            None
        }
        (None, [(first, _), (second, _), ..]) => {
            let problem = wrong("two NFS servers", second.roles.span, "a second one");
            check.report(
                problem
                    .at(first.roles.span, "the first")
                    .help("the share has one server"),
            );
            None
        }
        (Some(named), [(host, _), ..]) => {
            let problem = wrong(
                "two NFS servers",
                host.roles.span,
                "this host would become the server",
            );
            let problem = problem.at(named.span, "and this server exists already");
            check.report(problem.help("remove the role `nfs`, or `server`"));
            None
        }
        (Some(named), []) => {
            if let Some(export) = &written.export {
                let problem = wrong(
                    "settings for an export that others make",
                    export.span,
                    "never used",
                );
                check.report(problem.at(named.span, "this server is left as it is"));
            }
            let server = endpoint::host_name_or_address;
            check
                .parse(named, &code::BAD_ADDRESS, "name or address", server)
                .map(|server| (server, None))
        }
    }
}

fn export(
    written: Option<&Spanned<inventory::ExportSpec>>,
    host: &Host,
    hosts: &[(&inventory::HostSpec, Host)],
    check: &mut RuleContext<'_>,
) -> Option<Export> {
    let written = written.map_or_else(inventory::ExportSpec::default, |export| export.value.clone());
    let mode = check.parse(&written.mode, &code::BAD_MODE, "mode", mode);
    let owner = check.parse(&written.owner, &code::BAD_WORD, "owner", owner);
    let options = check.parse_all(&written.options, &code::BAD_OPTION, "option of an export", option);
    let further = check.parse_all(&written.clients, &code::BAD_ADDRESS, "NFS client", client);
    let nodes = hosts.iter().map(|(_, host)| host).filter(|host| host.is_node());
    let clients = nodes.map(|host| host.address.to_string()).chain(further?);
    Some(Export {
        host: host.name.clone(),
        mode: mode?,
        owner: owner?,
        options: options?,
        clients: clients.collect(),
    })
}

fn class(written: &inventory::StorageClassSpec, check: &mut RuleContext<'_>) -> Option<StorageClass> {
    let name = check.parse(
        &written.name,
        &code::BAD_NAME,
        "name for a StorageClass",
        name::domain,
    );
    let options = check.parse_all(&written.mount_options, &code::BAD_OPTION, "mount option", option);
    let image = check.parse(&written.image, &code::BAD_ADDRESS, "image", form::image);
    let manifests: Vec<_> = written
        .manifests
        .iter()
        .map(|given| csi_manifest(given, check))
        .collect();
    let csi = written.provisioner.value == Provisioner::NfsCsi;
    if csi == written.manifests.is_empty() {
        let problem = match written.manifests.first() {
            None => Diagnostic::error(&code::CSI_MANIFESTS, "csi-driver-nfs without its release manifests")
                .at(written.provisioner.span, "")
                .help("list them as `storage.class.manifests`: rbac-csi-nfs.yaml, csi-nfs-driverinfo.yaml, csi-nfs-controller.yaml, csi-nfs-node.yaml"),
            Some(first) => Diagnostic::error(&code::CSI_MANIFESTS, "manifests that nobody applies")
                .at(first.span, "")
                .help("they belong to `provisioner: nfs-csi`"),
        };
        check.report(problem);
        return None;
    }
    Some(StorageClass {
        name: name?,
        provisioner: written.provisioner.value,
        default: written.default.value,
        mount_options: options?,
        image: image?,
        manifests: manifests.into_iter().collect::<Option<_>>()?,
    })
}

fn csi_manifest(given: &Spanned<inventory::ManifestSpec>, check: &mut RuleContext<'_>) -> Option<Manifest> {
    let source = manifest::source(given, None, check);
    let sha256 = manifest::sha256(given, check);
    let incomplete = given.url.is_none() && given.path.is_none() || given.sha256.is_none();
    if incomplete {
        let problem = Diagnostic::error(&code::CSI_MANIFESTS, "a manifest that can't be checked");
        check.report(problem.at(given.span, "needs `url` or `path`, and `sha256`"));
    }
    let manifest = Manifest {
        source: source?,
        sha256: sha256?,
    };
    manifest::content_matches(given, &manifest.sha256, check).then_some(manifest)
}

/// First parts of paths that are no place for data: the system's own, or gone after a reboot.
const SYSTEM: &[&str] = &[
    "bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "tmp", "usr",
];

fn path(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix('/')
        .ok_or("it must be absolute, such as /srv/nfs/ci")?;
    let plain = |part: &str| {
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        !part.is_empty() && part != "." && part != ".." && part.chars().all(letter)
    };
    if !rest.split('/').all(plain) {
        return Err("only names of letters, digits, `-`, `_` and `.` between slashes".to_owned());
    }
    if SYSTEM.contains(&rest.split('/').next().unwrap_or_default()) {
        return Err("expected a data directory, not a system directory".to_owned());
    }
    Ok(text.to_owned())
}

fn mode(text: &str) -> Result<String, String> {
    let octal = text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    if !octal || !(3..=4).contains(&text.len()) {
        return Err("three or four octal digits, such as 0755, quoted".to_owned());
    }
    Ok(text.to_owned())
}

fn owner(text: &str) -> Result<String, String> {
    let number = |part: &str| part.parse::<u32>().is_ok();
    let name = |part: &str| {
        part.starts_with(|letter: char| letter.is_ascii_lowercase() || letter == '_')
            && part
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(letter))
    };
    match text.split_once(':') {
        Some((user, group)) if number(user) && number(group) || name(user) && name(group) => {
            Ok(text.to_owned())
        }
        _ => Err("`user:group`, both names or both numbers".to_owned()),
    }
}

/// An option of exports(5) or nfs(5). A comma would make two of it, a parenthesis end the list.
fn option(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-=.:/@%+".contains(letter);
    if text.is_empty() || !text.chars().all(plain) {
        return Err("expected one option without blanks and commas".to_owned());
    }
    Ok(text.to_owned())
}

/// A client of exports(5): an address, a network, a name with wildcards, a netgroup.
fn client(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-.:/*?@_".contains(letter);
    if text.is_empty() || text.starts_with('-') || !text.chars().all(plain) {
        return Err("an address, a network, a name or `*`".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_away_from_the_system() {
        for good in ["/srv/nfs/ci", "/data", "/var/lib/nfs-data_1"] {
            assert!(path(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/",
            "srv",
            "/srv/",
            "/srv//a",
            "/srv/../etc",
            "/etc/x",
            "/tmp",
            "/a b",
            "/a(rw)",
        ] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_option_or_client_is_one_word_of_the_exports_file() {
        assert!(option("sec=krb5:krb5i").is_ok() && option("anonuid=1000").is_ok());
        assert!(client("10.0.0.0/24").is_ok() && client("*").is_ok() && client("fd00::1").is_ok());
        for bad in ["rw,sync", "rw ", "", "rw)", "a#b"] {
            assert!(option(bad).is_err() && client(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn owners_are_names_or_numbers() {
        for good in ["root:root", "1000:1000", "_rpc:nogroup"] {
            assert!(owner(good).is_ok(), "{good}");
        }
        for bad in ["root", "root:0", "a:b:c", "Root:root", ":"] {
            assert!(owner(bad).is_err(), "{bad}");
        }
        assert!(mode("0755").is_ok() && mode("2775").is_ok() && mode("755").is_ok());
        assert!(mode("493").is_err() && mode("rwx").is_err() && mode("07").is_err());
    }
}

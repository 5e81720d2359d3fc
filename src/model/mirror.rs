//! Mirrors and logins of registries that are valid, and most likely not what is meant.

use super::check::RuleContext;
use super::code;
use super::site::host;
use crate::diagnostic::Diagnostic;
use crate::inventory::RegistrySpec;
use crate::yaml::Spanned;

pub(super) fn check(registries: &[RegistrySpec], check: &mut RuleContext<'_>) {
    for registry in registries {
        for mirror in &registry.mirrors {
            path(mirror, registries, check);
        }
        login(registry, registries, check);
    }
}

/// Harbor answers with its web page at every path that is not of its API, and containerd takes that for an image that is not there.
fn path(mirror: &Spanned<String>, registries: &[RegistrySpec], check: &mut RuleContext<'_>) {
    let entry = registries
        .iter()
        .find(|entry| entry.name.value == host(&mirror.value));
    let is_harbor = entry.is_some_and(is_harbor);
    let path = mirror.value.splitn(4, '/').nth(3).unwrap_or_default();
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let has_api = parts.next() == Some("v2");
    let has_project = has_api && parts.next().is_some();
    if (is_harbor && !has_project) || (!path.is_empty() && !path.split('/').any(|part| part == "v2")) {
        let title = format!("`{}` is not an address of a registry API", mirror.value);
        let address = mirror.value.split('/').take(3).collect::<Vec<_>>().join("/");
        let project = path.split('/').find(|part| !part.is_empty() && *part != "v2");
        let project = project.unwrap_or("PROJECT");
        let problem = Diagnostic::warning(&code::MIRROR_PATH, title).at(mirror.span, "");
        check.report(problem.help(format!("for a proxy project of Harbor: `{address}/v2/{project}`")));
    }
}

/// Whether it is a Harbor for all that is written about it.
fn is_harbor(registry: &RegistrySpec) -> bool {
    let robot = |login: &crate::inventory::LoginSpec| login.username.value.starts_with("robot$");
    registry.harbor.is_some() || registry.credentials.as_ref().is_some_and(robot)
}

/// A login that goes over the network for everybody to read, or to whoever answers.
fn login(registry: &RegistrySpec, registries: &[RegistrySpec], check: &mut RuleContext<'_>) {
    let Some(credentials) = &registry.credentials else {
        return;
    };
    let mirrors = registries.iter().flat_map(|entry| &entry.mirrors);
    let plain = mirrors
        .filter(|url| url.value.starts_with("http://"))
        .find(|url| host(&url.value) == registry.name.value);
    let why = match plain {
        Some(url) => Some((url.span, "without TLS")),
        None if registry.insecure.value => Some((registry.insecure.span, "its certificate is not checked")),
        None => None,
    };
    if let Some((span, why)) = why {
        let title = format!(
            "the login of `{}` can be read on the network",
            registry.name.value
        );
        let problem = Diagnostic::warning(&code::LOGIN_WITHOUT_TLS, title)
            .at(span, why)
            .at(credentials.username.span, "this login");
        check.report(problem.help("give the registry a certificate, and its CA as `ca: { file: … }`"));
    }
}

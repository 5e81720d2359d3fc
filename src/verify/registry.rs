//! Registries: every node pulls an image by its digest, with what containerd knows of the registry.

use std::time::Duration;

use futures::future::BoxFuture;

use super::VerifiedCluster;
use super::check::{Check, CheckProblem};
use super::pull_failure::PullFailure;
use super::pull_server::PullServer;
use crate::model::{Cluster, Registry};

/// Longest time for one pull; the images are small or on the node already.
const PULL: u32 = 120;
const LIMIT: Duration = Duration::from_secs(300);

pub(super) fn checks(cluster: &Cluster) -> Vec<Box<dyn Check>> {
    let of = |registry: &Registry, host: &crate::model::Host| {
        Box::new(PullCheck {
            host: host.name.to_string(),
            image: image(cluster, registry),
            registry: registry.clone(),
        }) as Box<dyn Check>
    };
    let nodes: Vec<_> = cluster.nodes().collect();
    let of_registry = |registry| nodes.iter().map(move |host| of(registry, host));
    cluster.registries.iter().flat_map(of_registry).collect()
}

/// An image that is known to be in the registry: the inventory's, or one that the cluster is made of.
fn image(cluster: &Cluster, registry: &Registry) -> Option<String> {
    if registry.image.is_some() {
        return registry.image.clone();
    }
    let prefix = format!("{}/", registry.name);
    let mut images = cluster.images.references().into_iter().map(|(_, image)| image);
    // The pause image is the smallest and on every node.
    images
        .by_ref()
        .find(|image| image.starts_with(&prefix) && image.contains("/pause:"))
}

/// One registry from one node.
struct PullCheck {
    host: String,
    registry: Registry,
    image: Option<String>,
}

impl Check for PullCheck {
    fn name(&self) -> String {
        format!("registry {}", self.registry.name)
    }

    fn place(&self) -> &str {
        &self.host
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    fn run<'a>(&'a self, site: &'a VerifiedCluster) -> BoxFuture<'a, Result<String, CheckProblem>> {
        Box::pin(async move {
            let Some(image) = &self.image else {
                return Err(CheckProblem::Skipped(
                    "no image in it is known; name one with `image`".to_owned(),
                ));
            };
            let output = site.exec(&self.host, script(image), LIMIT).await?;
            let stdout = String::from_utf8_lossy(&output.stdout);
            if output.success() {
                return Ok(format!("pulled {}", stdout.trim()));
            }
            let said = String::from_utf8_lossy(&output.stderr);
            let server = PullServer::from_output(&said, &self.registry);
            let mut failure = PullFailure::from_output(&said);
            if failure == PullFailure::Refused && server.takes_login(site, &self.host).await {
                failure = PullFailure::Denied;
            }
            Err(CheckProblem::failed(failure.message(&server.title(), image))
                // crictl says it twice, in its log's form first.
                .with_output(said.trim().lines().next_back().unwrap_or_default())
                .with_help(failure.help(server.name())))
        })
    }
}

/// Pulls an image as kubelet would, through containerd's CRI, and prints its reference by digest. A digest is looked up
/// first, and pulled then: that always asks the registry, also for an image that is there already.
fn script(image: &str) -> String {
    let repository = repository(image);
    format!(
        "set -eu\n\
         pull() {{ crictl --timeout {PULL}s pull \"$1\" >/dev/null; }}\n\
         pull '{image}'\n\
         digest=$(crictl --timeout 20s inspecti -o json '{image}' | grep -o '{repository}@sha256:[0-9a-f]\\{{64\\}}' | head -n 1)\n\
         [ -n \"$digest\" ] || {{ echo 'containerd has no digest of {image}' >&2; exit 1; }}\n\
         pull \"$digest\"\n\
         echo \"$digest\"\n"
    )
}

/// A reference without its tag or digest.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => image,
    }
}

#[cfg(test)]
mod tests {
    use super::repository;

    #[test]
    fn a_port_is_no_tag() {
        for (image, expected) in [
            ("a.example:5000/ci/base:1.0", "a.example:5000/ci/base"),
            ("a.example:5000/ci/base", "a.example:5000/ci/base"),
            ("a.example/base@sha256:00", "a.example/base"),
        ] {
            assert_eq!(repository(image), expected);
        }
    }
}

//! `ci-bootstrap plugins lock`: the inventory's plugins with all that they need, at exact versions with their sums.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use crate::cli::run::block_on;
use crate::cli::{CommandFailure, Exit, OrExit, inventory_file, screen};
use crate::cluster_api::Releases;
use crate::inventory;
use crate::jenkins::{LockedPlugin, UpdateSiteMetadata, resolve};
use crate::model::{Jenkins, UpdateSite, version_of_image};

/// Print the list of plugins with what they need, exact versions and SHA-256, from the update site's metadata
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap plugins lock inventory.yaml > plugins.lock.yaml
  ci-bootstrap plugins lock inventory.yaml --metadata ~/updates > plugins.lock.yaml
  ci-bootstrap plugins lock inventory.yaml --check

The inventory takes the file as `jenkins.plugins.lock`. Security warnings of the update site about these
versions are told on standard error. With --check nothing is printed: it exits with 5 where there are
warnings, or where the file in the inventory is another one.")]
pub(super) struct Args {
    /// The inventory
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    file: PathBuf,
    /// Folder with update-center.json and plugin-versions.json, instead of the update site of the inventory
    #[arg(long, value_name = "DIR")]
    metadata: Option<PathBuf>,
    /// Only tell warnings, and whether the inventory's file is up to date
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let mut document = inventory::read(&args.file).or_exit(Exit::Usage)?;
    // One that has become stale must not keep the next one from being made.
    let plugins = document
        .inventory
        .as_mut()
        .and_then(|inventory| inventory.jenkins.as_mut());
    let lock = plugins.and_then(|jenkins| jenkins.plugins.lock.take());
    let lock = lock.map(|name| document.files.path(&name.value));
    let cluster = inventory_file::validated(&document)?.cluster;
    let Some(jenkins) = &cluster.jenkins else {
        let file = args.file.display();
        return Err(anyhow!("{file} has no section `jenkins`")).or_exit(Exit::Usage);
    };
    let site = block_on(metadata(args, &jenkins.plugins.update_site))?;
    let version = version(jenkins)?;
    let listed: BTreeMap<_, _> = listed(jenkins).collect();
    let locked = resolve(&site, &listed, version)
        .map_err(|problems| anyhow!("the plugins don't fit each other\n{}", problems.join("\n")))
        .or_exit(Exit::StepFailed)?;
    let warned = tell_warnings(&site, &locked)?;
    let text = text(version, &locked);
    if !args.check {
        write!(screen::stdout(), "{text}")?;
        return Ok(Exit::Done);
    }
    let stale = lock.is_some_and(|path| is_stale(&path, &text));
    if stale {
        writeln!(
            screen::stderr(),
            "the file of jenkins.plugins.lock is not what `ci-bootstrap plugins lock` prints now"
        )?;
    }
    Ok(if warned || stale {
        Exit::VerificationFailed
    } else {
        Exit::Done
    })
}

fn version(jenkins: &Jenkins) -> Result<&str, CommandFailure> {
    let image = &jenkins.image;
    version_of_image(image)
        .ok_or_else(|| anyhow!("the tag of jenkins.image `{image}` does not tell the version of Jenkins, such as 2.568.2-jdk21"))
        .or_exit(Exit::Usage)
}

fn listed(jenkins: &Jenkins) -> impl Iterator<Item = (String, String)> {
    let plugins = jenkins.plugins.list.iter();
    plugins.map(|plugin| (plugin.name.clone(), plugin.version.clone()))
}

/// Both files of the update site, or of a folder.
async fn metadata(args: &Args, site: &UpdateSite) -> Result<UpdateSiteMetadata, CommandFailure> {
    let (center, versions) = if let Some(folder) = &args.metadata {
        let read = |name: &str| fs_err::read(folder.join(name)).or_exit(Exit::Usage);
        (read("update-center.json")?, read("plugin-versions.json")?)
    } else {
        let releases = Releases::with_user_cache();
        let fetch = async |url: &str| {
            let content = releases.fetch(url).await;
            content.with_context(|| {
                format!(
                    "cannot fetch {url}: name a folder by --metadata, or another jenkins.plugins.updateSite"
                )
            })
        };
        futures::try_join!(fetch(&site.metadata), fetch(&site.versions)).or_exit(Exit::Unreachable)?
    };
    UpdateSiteMetadata::parse(&center, &versions).or_exit(Exit::StepFailed)
}

/// Whether there were any.
fn tell_warnings(site: &UpdateSiteMetadata, locked: &[LockedPlugin]) -> Result<bool, CommandFailure> {
    let mut warned = false;
    for plugin in locked {
        for warning in site.warnings(&plugin.name, &plugin.version) {
            warned = true;
            let (id, message, url) = (&warning.id, &warning.message, &warning.url);
            writeln!(
                screen::stderr(),
                "warning: {} {}: {id}: {message} ({url})",
                plugin.name,
                plugin.version
            )?;
        }
    }
    Ok(warned)
}

/// The file, one line for each plugin, so that a change of one is a change of a line. Names and sums are of the inventory or have their
/// form; names of what others need are the site's.
fn text(jenkins: &str, locked: &[LockedPlugin]) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let lines = locked.iter().map(
        |LockedPlugin {
             name,
             version,
             sha256,
         }| {
            format!(
                "  {}: {{ version: {}, sha256: \"{sha256}\" }}\n",
                quoted(name),
                quoted(version)
            )
        },
    );
    format!(
        "# Written by `ci-bootstrap plugins lock`: what jenkins.plugins lists, and what that needs.\njenkins: {}\nplugins:\n{}",
        quoted(jenkins),
        lines.collect::<String>()
    )
}

/// Comments and the form don't count.
fn is_stale(path: &Path, text: &str) -> bool {
    let read = |text: &str| crate::yaml::manifests(text).ok();
    let there = fs_err::read_to_string(path).ok();
    there.and_then(|there| read(&there)) != read(text)
}

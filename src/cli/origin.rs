//! Where a bundle comes from: whether the cluster's own key has signed it, and whether a newer one lies beside it.

use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::anyhow;

use crate::bundle::{self, BundleContents, BundleFile, BundleHeader};
use crate::model::Cluster;

use super::{CommandFailure, Exit, OrExit, screen};

/// What is known of a bundle's origin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The key of the inventory has signed it.
    Verified,
    /// It can't be told; the text says why.
    Unverified(String),
}

/// Compares who has signed a bundle with whom the inventory names.
///
/// # Errors
/// When another key than that of the inventory has signed it; the text says so.
pub(super) fn compare(contents: &BundleContents, cluster: &Cluster) -> Result<Origin, String> {
    match (&contents.signer, &cluster.backup.signer) {
        (Some(signer), Some(expected)) if signer == expected => Ok(Origin::Verified),
        (Some(signer), Some(expected)) => Err(format!(
            "another key has signed the bundle than `backup.signer` of the inventory names\n\
             signed by:     {signer}\n\
             the inventory: {expected}\n\
             whoever can write where bundles are kept can put one there; use a bundle that the key of the inventory has signed"
        )),
        (Some(signer), None) => Ok(Origin::Unverified(format!(
            "the inventory has no `backup.signer`; {signer} has signed it"
        ))),
        (None, _) => Ok(Origin::Unverified(
            "it has no signature, as it was made by an early version of this program".to_owned(),
        )),
    }
}

/// Whether a cluster may be restored from a bundle: a person is asked, or has said so before, where its origin can't be told.
pub(super) fn check(
    contents: &BundleContents,
    cluster: &Cluster,
    path: &Path,
    allow_unverified: bool,
) -> Result<(), CommandFailure> {
    let name = path.display();
    let origin = compare(contents, cluster);
    let origin = origin
        .map_err(|why| anyhow!("{name}: {why}"))
        .or_exit(Exit::Usage)?;
    let Origin::Unverified(why) = origin else {
        return Ok(());
    };
    writeln!(
        screen::stderr(),
        "warning: the origin of {name} isn't verified: {why}"
    )?;
    if allow_unverified || (a_person_is_there() && super::agreed("Restore from it? [y/N] ")?) {
        return Ok(());
    }
    Err(anyhow!(
        "{name}: the origin of the bundle isn't verified\n\
         write `backup.signer` into the inventory, or say --allow-unverified if you know where the bundle comes from"
    ))
    .or_exit(Exit::Usage)
}

fn a_person_is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Tells of the newest bundle of the same cluster in the same folder, where it is newer than the one in use.
pub(super) fn tell_newer(
    about: &BundleHeader,
    path: &Path,
    identity: Option<&Path>,
) -> Result<(), CommandFailure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // A folder that can't be read has nothing to tell.
    let found = bundle::list(folder.unwrap_or(Path::new(".")), identity).unwrap_or_default();
    if let Some((other, made)) = newest(&found, about) {
        writeln!(
            screen::stderr(),
            "warning: {} was made at {}, and {} beside it at {made}: what was changed in between is lost",
            path.display(),
            about.made,
            other.display()
        )?;
    }
    Ok(())
}

/// The newest bundle of the same cluster that is newer than this. Times of one form are in the order of their texts.
fn newest<'a>(found: &'a [BundleFile], than: &BundleHeader) -> Option<(&'a Path, &'a str)> {
    let others = found.iter().filter_map(|listed| {
        let about = listed.about.as_ref().ok()?;
        let newer = about.cluster == than.cluster && about.made > than.made;
        newer.then_some((listed.path.as_path(), about.made.as_str()))
    });
    others.max_by_key(|(_, made)| *made)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::collections::BTreeMap;

    use super::*;
    use crate::bundle::BundleError;
    use crate::diagnostic::Source;
    use crate::{inventory, model};

    const OURS: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBROjRwWiAF7mtfQI5IPs9cykfQrqq1/PqxfStnf/HFm";

    fn cluster(signer: Option<&str>) -> Cluster {
        let signer = signer.map(|key| format!("backup: {{ signer: {key} }}\n"));
        let source = Source {
            name: "inventory".to_owned(),
            text: format!(
                "apiVersion: ci-bootstrap/v1\ncluster: {{ name: ci, kubernetes: 1.36.4 }}\nssh: {{ user: root }}\n\
                 hosts: [{{ name: cp1, address: 10.0.0.11, roles: [control-plane] }}]\n{}",
                signer.unwrap_or_default()
            ),
        };
        let document = inventory::parse(source, Path::new("/"));
        model::validate(&document).unwrap().cluster
    }

    fn about(cluster: &str, made: &str) -> BundleHeader {
        let about = serde_json::json!({
            "format": 2, "program": "", "made": made, "cluster": cluster, "kubernetes": "", "endpoint": "",
            "networks": ["", "", ""], "hosts": [], "takenOn": "",
        });
        serde_json::from_value(about).unwrap()
    }

    fn contents(signer: Option<&str>) -> BundleContents {
        BundleContents {
            about: about("ci", ""),
            sums: BTreeMap::new(),
            id: String::new(),
            signer: signer.map(str::to_owned),
        }
    }

    #[test]
    fn only_the_key_of_the_inventory_verifies_a_bundle() {
        let (known, unknown) = (cluster(Some(OURS)), cluster(None));
        let (ours, theirs, old) = (
            contents(Some(OURS)),
            contents(Some("ssh-ed25519 AAAA")),
            contents(None),
        );
        assert_eq!(compare(&ours, &known), Ok(Origin::Verified));
        assert!(compare(&theirs, &known).unwrap_err().contains(OURS));
        for (contents, cluster) in [
            (&ours, &unknown),
            (&theirs, &unknown),
            (&old, &known),
            (&old, &unknown),
        ] {
            let origin = compare(contents, cluster);
            assert!(matches!(origin, Ok(Origin::Unverified(_))), "{origin:?}");
        }
    }

    #[test]
    fn an_unverified_bundle_has_to_be_allowed_by_name_and_a_foreign_one_cannot_be() {
        // No person is there: a test has no terminal to be asked at.
        let (path, known) = (Path::new("b.tar.gz"), cluster(Some(OURS)));
        assert!(check(&contents(Some(OURS)), &known, path, false).is_ok());
        assert!(check(&contents(None), &known, path, true).is_ok());
        let foreign = contents(Some("ssh-ed25519 AAAA"));
        assert_eq!(
            check(&foreign, &known, path, true).err().unwrap().exit,
            Exit::Usage
        );
    }

    #[test]
    fn the_newest_of_the_same_cluster_is_told() {
        let listed = |name: &str, about: Result<BundleHeader, BundleError>| BundleFile {
            path: name.into(),
            size: 1,
            about,
        };
        let found = [
            listed("a", Ok(about("ci", "2026-11-20T00:00:00Z"))),
            listed("b", Ok(about("ci", "2026-11-29T00:00:00Z"))),
            listed("c", Ok(about("ci", "2026-11-28T00:00:00Z"))),
            listed("d", Ok(about("other", "2026-11-30T00:00:00Z"))),
            listed("e", Err(BundleError::Sealed)),
        ];
        let newer = newest(&found, &about("ci", "2026-11-20T00:00:00Z"));
        assert_eq!(newer, Some((Path::new("b"), "2026-11-29T00:00:00Z")));
        assert_eq!(newest(&found, &about("ci", "2026-11-29T00:00:00Z")), None);
    }
}

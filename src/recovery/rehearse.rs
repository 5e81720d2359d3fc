//! A rehearsal of etcd's restore, in a scratch folder beside the running cluster.

use std::time::Duration;

use crate::bundle::RestoreArchive;
use crate::resource::{ETCD_TOOLS, sh};
use crate::transport::{Script, Transport};

use super::{RecoveryError, run, upload};

const LIMIT: Duration = Duration::from_secs(600);
const FOLDER: &str = "/var/lib/ci-bootstrap/rehearsal";

/// Restores the bundle's etcd snapshot into a scratch folder of a host and removes it again. Nothing of the cluster is touched.
///
/// `image` is etcd's, and must be on the host.
///
/// # Errors
/// When the host can't be talked to, or etcdutl can't restore the snapshot.
pub async fn rehearse(
    host: &dyn Transport,
    name: &str,
    payload: &RestoreArchive,
    image: &str,
) -> Result<(), RecoveryError> {
    upload(host, name, &format!("{FOLDER}/bundle.tar.gz"), &*payload.archive).await?;
    let script = format!(
        "set -eu
{ETCD_TOOLS}
etcd_tools_alone
work={FOLDER}
away() {{ no_etcd_tools; rm -rf --one-file-system $work; }}
trap away EXIT
trap 'exit 143' TERM HUP INT
umask 077
cd $work
tar -xzf bundle.tar.gz etcd.db
etcd_tools {image}
etcdutl snapshot restore etcd.db --data-dir $work/etcd >log 2>&1 || {{ cat log; exit 1; }}
[ -e etcd/member/snap/db ]
",
        image = sh::quote(image)
    );
    let what = "restoring etcd's snapshot into a scratch folder";
    run(host, name, what, Script::new(script, LIMIT)).await.map(drop)
}

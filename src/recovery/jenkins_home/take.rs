//! A copy of the home, made while Jenkins runs.

use tokio::sync::mpsc::Sender;

use super::{JenkinsHome, LIMIT, in_pod};
use crate::recovery::{RecoveryError, failed};
use crate::transport::Script;

/// Left out are what builds can make again, plugins, which come from where the inventory says, and homes that were set aside.
/// Jenkins replaces its files whole, so that each is good in itself; tar's status 1 says that some changed or went on the way.
const SCRIPT: &str = "set --
for entry in * .[!.]*; do
  case $entry in
    workspace|caches|plugins|.plugins-new|war|lost+found|.ci-bootstrap*|.before-restore-*) ;;
    *) if [ -e \"$entry\" ]; then set -- \"$@\" \"./$entry\"; fi ;;
  esac
done
exec 4>&1
status=$( { { tar -cf - \"$@\" || echo $? >&3; } | gzip -1 >&4; } 3>&1 )
[ \"${status:-0}\" -le 1 ]";

impl JenkinsHome<'_> {
    /// Sends the home to `archive`, a gzipped tar archive in pieces. Returns what tar had to say about files that changed meanwhile.
    ///
    /// # Errors
    /// When the controller does not run, or a file of the home can't be read.
    pub async fn take(&self, archive: Sender<Vec<u8>>) -> Result<String, RecoveryError> {
        let exec = Script {
            script: self.script(&in_pod(SCRIPT, "")),
            timeout: LIMIT,
            live: Some(archive),
        };
        let output = self.host.exec(exec).await?;
        if output.success() {
            return Ok(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        Err(failed(self.name, "copying Jenkins' home", &output.stderr))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::process::Command;

    use super::SCRIPT;

    #[test]
    fn what_can_be_made_again_is_left_out() {
        let home = tempfile::tempdir().unwrap();
        for file in [
            "config.xml",
            "jobs/a/builds/1/build.xml",
            "secrets/master.key",
            ".owner",
            "workspace/a/big",
            "caches/git/big",
            "plugins/git.jpi",
            ".before-restore-1/config.xml",
        ] {
            let path = home.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "x").unwrap();
        }
        let archive = Command::new("sh")
            .args(["-euc", SCRIPT])
            .current_dir(home.path())
            .output()
            .unwrap();
        assert!(archive.status.success(), "{archive:?}");
        let file = home.path().join("archive.tar.gz");
        fs_err::write(&file, archive.stdout).unwrap();
        let list = Command::new("tar").arg("-tzf").arg(&file).output().unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        let mut files: Vec<_> = list.lines().filter(|line| !line.ends_with('/')).collect();
        files.sort_unstable();
        let kept = [
            "./.owner",
            "./config.xml",
            "./jobs/a/builds/1/build.xml",
            "./secrets/master.key",
        ];
        assert_eq!(files, kept);
    }
}

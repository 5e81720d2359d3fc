//! A home's way back into the volume.

use super::{JenkinsHome, in_pod};
use crate::recovery::RecoveryError;
use crate::resource::sh;

/// What the volume holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HomeState {
    /// The home of the bundle, or what became of it since.
    Same,
    /// A home in which nothing has been built.
    Fresh,
    /// A home with builds of its own.
    Other,
}

/// The home is unpacked beside the one in use, and gets the name by which the controller's next start finds it (see the template
/// `jenkins-home.sh.j2`) when it is whole.
const UNPACK: &str = "rm -rf .ci-bootstrap-home .ci-bootstrap-home.partial
mkdir .ci-bootstrap-home.partial
tar -xzf - -C .ci-bootstrap-home.partial
[ -s .ci-bootstrap-home.partial/secrets/master.key ]
mv .ci-bootstrap-home.partial .ci-bootstrap-home";

impl JenkinsHome<'_> {
    /// Looks at what is there; `id` is that of the bundle's home.
    ///
    /// # Errors
    /// When the controller does not run.
    pub async fn state(&self, id: &str) -> Result<HomeState, RecoveryError> {
        if self.id().await? == id {
            return Ok(HomeState::Same);
        }
        let script = "find jobs -name build.xml 2>/dev/null | head -n 1";
        let output = self
            .run("looking for builds in Jenkins' home", &in_pod(script, ""))
            .await?;
        Ok(if output.stdout.is_empty() {
            HomeState::Fresh
        } else {
            HomeState::Other
        })
    }

    /// Puts the home in `archive`, a file of the control plane that goes with this, in place of the one in the volume, which is set
    /// aside there. The controller is on its way up again when this returns.
    ///
    /// Killed anywhere, it may be begun again, and the volume has the one home or the other.
    ///
    /// # Errors
    /// When the controller does not run, or the volume has no room for both.
    pub async fn put(&self, archive: &str) -> Result<(), RecoveryError> {
        let file = sh::quote(archive);
        let script = format!(
            "trap 'rm -f {file}' EXIT\ntrap 'exit 143' TERM HUP INT\n{} <{file}\nk delete pod jenkins-0 --timeout=300s >/dev/null",
            in_pod(UNPACK, "-i")
        );
        self.run("putting Jenkins' home back", &script).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::path::Path;
    use std::process::Command;

    const SWAP: &str = include_str!("../../../templates/jenkins-home.sh.j2");

    fn write(home: &Path, file: &str, content: &str) {
        let path = home.join(file);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    fn swap(home: &Path) {
        let script = format!("home={}\n{SWAP}", home.display());
        let output = Command::new("sh").args(["-euc", &script]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    #[test]
    fn a_home_takes_the_place_of_another_which_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        for file in ["config.xml", "new-only.xml", ".owner", "plugins/git.jpi"] {
            write(home, file, "new");
        }
        swap(home);
        assert!(
            home.join("new-only.xml").exists(),
            "nothing to do, and something done"
        );
        for file in ["config.xml", "jobs/a/config.xml", ".owner"] {
            write(&home.join(".ci-bootstrap-home"), file, "old");
        }
        swap(home);
        for file in ["config.xml", "jobs/a/config.xml", ".owner"] {
            assert_eq!(fs_err::read_to_string(home.join(file)).unwrap(), "old", "{file}");
        }
        assert!(home.join("plugins/git.jpi").exists() && !home.join("new-only.xml").exists());
        let aside: Vec<_> = fs_err::read_dir(home)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().contains(".before-restore-"))
            .collect();
        assert_eq!(aside.len(), 1);
        assert!(aside[0].join("new-only.xml").exists() && aside[0].join(".owner").exists());
        assert!(!home.join(".ci-bootstrap-home").exists());
    }

    #[test]
    fn a_start_that_was_killed_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let (home, new) = (folder.path(), folder.path().join(".ci-bootstrap-home"));
        // All was set aside, and one file has its place already.
        write(home, "config.xml", "old");
        write(&new, "jobs/a/config.xml", "old");
        write(&new, ".set-aside", "");
        write(&new, ".aside", "there");
        swap(home);
        assert!(home.join("config.xml").exists() && home.join("jobs/a/config.xml").exists());
        assert!(!new.exists());
    }
}

//! The `authorized_keys` entry of a control plane for the backup host: one line of the login user.

use std::net::IpAddr;
use std::time::Duration;

use crate::recovery::{RecoveryError, run};
use crate::resource::sh;
use crate::transport::{Script, Transport};

const LIMIT: Duration = Duration::from_secs(60);
/// How our lines end, before the name of the host that they let in.
const MARK: &str = "ci-bootstrap-backup@";

/// What reads and replaces the file of authorised keys; `$mark` begins the last words of our lines, `$line` is the one that is to be there.
/// Lines of others stay in their order, and the file keeps its owner and mode.
const FUNCTIONS: &str = r#"user=${SUDO_USER:-$(id -un)}
home=$(getent passwd "$user" | cut -d: -f6)
[ -n "$home" ] || { echo "$user has no home"; exit 1; }
file=$(readlink -m "$home/.ssh/authorized_keys")
ours() { [ ! -e "$file" ] || awk -v mark="$mark" 'index($NF " ", mark) == 1' "$file"; }
others() { [ ! -e "$file" ] || awk -v mark="$mark" 'index($NF " ", mark) != 1' "$file"; }
write() {
  directory=$(dirname "$file") new=$file.ci-bootstrap
  if [ ! -d "$directory" ]; then mkdir -m 700 "$directory"; chown "$user:" "$directory"; fi
  ( umask 077; { others; [ -z "$line" ] || printf '%s\n' "$line"; } >"$new" )
  if [ -e "$file" ]; then chown --reference="$file" "$new"; chmod --reference="$file" "$new"
  else chown "$user:" "$new"; fi
  sync "$new"
  mv -f "$new" "$file"
  if command -v restorecon >/dev/null 2>&1; then restorecon "$directory" "$file" 2>/dev/null || true; fi
}
"#;

/// What a control plane says of itself when it admits a host.
#[derive(Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The login user.
    pub user: String,
    /// Its SSH server's public keys: algorithm and key.
    pub host_keys: Vec<String>,
    /// Whether anything was changed.
    pub changed: bool,
}

/// Lets whoever has `key` log in to a control plane from one address, as the user that we are there. Only commands: nothing is forwarded.
///
/// # Errors
/// When it can't be talked to, or its file of authorised keys can't be written.
pub async fn admit(
    control_plane: &dyn Transport,
    name: &str,
    keeper: &str,
    address: IpAddr,
    key: &str,
) -> Result<Admitted, RecoveryError> {
    let line = format!("restrict,from=\"{address}\" {key} {MARK}{keeper}");
    let script = format!(
        "set -eu
mark={mark} line={line}
{FUNCTIONS}sed 's/^/key /' /etc/ssh/ssh_host_*_key.pub
if [ \"$(ours)\" != \"$line\" ]; then write; echo changed; fi
echo \"user $user\"
",
        mark = quoted_mark(keeper),
        line = sh::quote(&line)
    );
    let exec = Script::new(script, LIMIT);
    let output = run(control_plane, name, "letting the host of the bundles in", exec).await?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let after = |word: &'static str| printed.lines().filter_map(move |line| line.strip_prefix(word));
    Ok(Admitted {
        user: after("user ").next().unwrap_or_default().to_owned(),
        host_keys: after("key ").map(without_comment).collect(),
        changed: after("changed").next().is_some(),
    })
}

/// Lets a host of bundles in no more. False when it was not let in before.
///
/// # Errors
/// When the control plane can't be talked to, or its file of authorised keys can't be written.
pub async fn expel(control_plane: &dyn Transport, name: &str, keeper: &str) -> Result<bool, RecoveryError> {
    let script = format!("set -eu\n{}", expel_script(&quoted_mark(keeper)));
    let exec = Script::new(script, LIMIT);
    let output = run(control_plane, name, "taking its key away", exec).await?;
    Ok(!output.stdout.is_empty())
}

/// Removes our lines for any host.
pub(in crate::recovery) fn expel_all_script() -> String {
    expel_script(MARK)
}

fn expel_script(mark: &str) -> String {
    format!("mark={mark} line=\n{FUNCTIONS}if [ -n \"$(ours)\" ]; then write; echo changed; fi\n")
}

/// A host's whole mark: the blank after it tells `w1` from `w10`.
fn quoted_mark(keeper: &str) -> String {
    sh::quote(&format!("{MARK}{keeper} "))
}

fn without_comment(key: &str) -> String {
    key.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;
    use crate::transport::memory::{MemoryHost, run_here};

    /// A host whose scripts run here, with a user's home in a folder.
    fn host(home: &Path) -> impl Transport {
        let home = home.display().to_string();
        MemoryHost::new("cp1", move |script: &str| {
            let environment = format!("unset SUDO_USER\ngetent() {{ echo 'u:x:0:0::{home}:/bin/sh'; }}\n");
            run_here(&format!("{environment}{script}"))
        })
    }

    #[tokio::test]
    async fn a_host_is_let_in_once_and_others_stay() {
        let home = tempfile::tempdir().unwrap();
        let (cp1, file) = (host(home.path()), home.path().join(".ssh/authorized_keys"));
        fs_err::create_dir(home.path().join(".ssh")).unwrap();
        // Without a line feed at its end.
        let before = "# mine\n\nssh-ed25519 AAAA me@home\nssh-ed25519 BBBB ci-bootstrap-backup@w10";
        fs_err::write(&file, before).unwrap();
        fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        let let_in = async |address: &str, key: &str| {
            let admitted = admit(&cp1, "cp1", "w1", address.parse().unwrap(), key).await;
            admitted.unwrap().changed
        };
        let read = || fs_err::read_to_string(&file).unwrap();
        assert!(let_in("10.0.0.21", "ssh-ed25519 CCCC").await);
        let line = "restrict,from=\"10.0.0.21\" ssh-ed25519 CCCC ci-bootstrap-backup@w1\n";
        assert_eq!(read(), format!("{before}\n{line}"));
        assert!(!let_in("10.0.0.21", "ssh-ed25519 CCCC").await);
        assert!(let_in("fd00::21", "ssh-ed25519 DDDD").await);
        let line = "restrict,from=\"fd00::21\" ssh-ed25519 DDDD ci-bootstrap-backup@w1\n";
        assert_eq!(read(), format!("{before}\n{line}"));
        assert!(expel(&cp1, "cp1", "w1").await.unwrap());
        assert!(!expel(&cp1, "cp1", "w1").await.unwrap());
        assert_eq!(read(), format!("{before}\n"));
        let mode = fs_err::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert!(sh::is_valid(&expel_all_script()));
    }

    #[tokio::test]
    async fn a_missing_file_is_made_for_the_user_alone() {
        let home = tempfile::tempdir().unwrap();
        let cp1 = host(home.path());
        let address = "10.0.0.21".parse().unwrap();
        let admitted = admit(&cp1, "cp1", "w1", address, "ssh-ed25519 CCCC")
            .await
            .unwrap();
        assert!(admitted.changed);
        let mode = |path: &str| {
            let metadata = fs_err::metadata(home.path().join(path)).unwrap();
            metadata.permissions().mode() & 0o777
        };
        assert_eq!((mode(".ssh"), mode(".ssh/authorized_keys")), (0o700, 0o600));
    }
}

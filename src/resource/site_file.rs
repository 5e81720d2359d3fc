//! Files of the site: edited on the host, where they are. What stands in them besides ours stays as it is, byte for byte, and does not
//! travel: so neither their size nor their encoding matters. JSON, which is merged by the program, is the exception.

use super::sh;

/// Commands that replace the file at `path` by what `printing` prints, which finds the old content in the file `"$old"`.
///
/// Links lead to their target and stay. Mode, owner, ACL and `SELinux` context are those of before. The file is on the disk before
/// it takes the other's place, and when a command fails nothing has changed.
pub(super) fn edit(path: &str, printing: &str) -> String {
    EDIT.replace("@PATH@", &sh::quote(path))
        .replace("@PRINTING@", printing)
}

/// A new file has the context of its final name; one that was there keeps its own, which the site may have chosen.
const EDIT: &str = r#"( file=$(readlink -f -- @PATH@) || { echo @PATH@ "is a link that leads nowhere; remove it"; exit 1; }
new=$file.ci-bootstrap old=$file
trap 'rm -f -- "$new"' EXIT
rm -f -- "$new"
if [ -e "$file" ]; then
  [ -f "$file" ] || { echo "$file is not a regular file; move it away"; exit 1; }
  cp -a -- "$file" "$new"
else
  old=/dev/null
  : >"$new"
  chmod 644 -- "$new"
fi
{
@PRINTING@
} >"$new"
sync -- "$new"
mv -f -T -- "$new" "$file"
trap - EXIT
if [ "$old" = /dev/null ] && command -v restorecon >/dev/null 2>&1; then restorecon -- "$file" 2>/dev/null || true; fi
)
"#;

/// Commands that keep a copy of what the site had, unless there is one: the first is the one worth keeping.
pub(super) fn keep_copy(path: &str) -> String {
    let (path, copy) = (sh::quote(path), sh::quote(&format!("{path}.before-ci-bootstrap")));
    format!("[ ! -f {path} ] || [ -e {copy} ] || cp -p -- {path} {copy}\n")
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use fs_err as fs;
    use proptest::prelude::*;

    use super::*;
    use crate::resource::{ActionInput, Comparison, HostState, Probe, Resource, Separator};

    /// Files as no text tool likes them: other encodings, line ends of other systems, bytes that mark something elsewhere.
    pub(in crate::resource) fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            "[ -~]{0,40}".prop_map(String::into_bytes),
            "[ -~]{0,20}\r".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..60),
            Just(b"10.0.0.9 donn\xe9es\x1ehost\0".to_vec()),
            Just(vec![b'x'; 30_000]),
        ];
        (prop::collection::vec(line, 0..12), any::<bool>()).prop_map(|(lines, ended)| {
            let mut bytes = lines.join(&b'\n');
            if ended && !bytes.is_empty() {
                bytes.push(b'\n');
            }
            bytes
        })
    }

    /// A folder with a file of the site, which is a link to another folder if so wanted.
    pub(in crate::resource) struct Site {
        folder: tempfile::TempDir,
        target: PathBuf,
    }

    impl Site {
        pub(in crate::resource) fn with(content: &[u8], linked: bool) -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("data")).unwrap();
            let target = folder.path().join(if linked { "data/it's" } else { "file" });
            fs::write(&target, content).unwrap();
            fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
            if linked {
                fs_err::os::unix::fs::symlink("data/it's", folder.path().join("file")).unwrap();
            }
            Self { folder, target }
        }

        pub(in crate::resource) fn path(&self) -> String {
            self.folder.path().join("file").display().to_string()
        }

        pub(in crate::resource) fn content(&self) -> Vec<u8> {
            fs::read(&self.target).unwrap()
        }

        /// That the file is still what it was beside its content, and that nothing lies beside it.
        pub(in crate::resource) fn is_whole(&self, linked: bool) -> bool {
            let mode = fs::metadata(&self.target).unwrap().permissions().mode();
            let entries = |path: &Path| fs::read_dir(path).unwrap().count();
            let link = fs::symlink_metadata(self.path()).unwrap().is_symlink();
            mode & 0o7777 == 0o640
                && link == linked
                && entries(self.folder.path()) == 2
                && entries(&self.folder.path().join("data")) == usize::from(linked)
        }
    }

    /// Runs a script as a batch would.
    pub(in crate::resource) fn run(script: &str) -> (bool, String) {
        let script = format!("umask 022\nexport LC_ALL=C\n( set -eu\n{script}\n) </dev/null 2>&1");
        // Not as an argument, which has a limit.
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), script).unwrap();
        let output = Command::new("sh").arg(file.path()).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), printed)
    }

    /// What a resource makes of this machine.
    pub(in crate::resource) fn look(resource: &dyn Resource) -> (HostState, Comparison) {
        let (mut probe, separator) = (Probe::default(), Separator::random().unwrap());
        resource.probe(&mut probe);
        let script = probe.render(&separator);
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let seen = HostState::parse(&String::from_utf8_lossy(&output.stdout), &separator).unwrap();
        let verdict = resource.compare(&seen).unwrap();
        (seen, verdict)
    }

    /// Looks, changes what differs, and holds that this was enough.
    pub(in crate::resource) fn converge(resource: &dyn Resource) {
        let (seen, verdict) = look(resource);
        if verdict != Comparison::InSync {
            let (done, printed) = run(&resource.action(&seen, &ActionInput::default()).script);
            assert!(done, "{printed}");
        }
        assert_eq!(look(resource).1, Comparison::InSync);
    }

    #[test]
    fn what_fails_leaves_everything_as_it_was() {
        let site = Site::with(b"theirs", true);
        let (done, _) = run(&edit(&site.path(), "echo half; false; echo never"));
        assert!(!done && site.content() == b"theirs" && site.is_whole(true));
    }

    #[test]
    fn only_a_regular_file_is_replaced_and_a_link_to_nowhere_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f").display().to_string();
        fs_err::os::unix::fs::symlink("/no/such/folder/f", &path).unwrap();
        let (done, printed) = run(&edit(&path, "echo ours"));
        assert!(!done && printed.contains("leads nowhere"), "{printed}");
        let here = folder.path().display().to_string();
        let (done, printed) = run(&edit(&here, "echo ours"));
        assert!(!done && printed.contains("not a regular file"), "{printed}");
    }

    #[test]
    fn a_missing_file_is_made_and_a_copy_is_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f").display().to_string();
        for text in ["one", "two"] {
            let (done, printed) = run(&format!(
                "{}{}",
                keep_copy(&path),
                edit(&path, &format!("echo {text}"))
            ));
            assert!(done, "{printed}");
        }
        assert!(run(&keep_copy(&path)).0);
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(
            fs::read_to_string(format!("{path}.before-ci-bootstrap")).unwrap(),
            "one\n"
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    }
}

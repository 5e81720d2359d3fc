//! Registries of containerd that are wanted no more: what was written for them goes, with the login in it.

use serde::Deserialize;

use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};

/// The folder in which containerd looks for registries.
const FOLDER: &str = "/etc/containerd/certs.d";
/// The first line of a file that is ours. A file without it is somebody else's and stays.
const MARK: &str = "# Written by ci-bootstrap.";
const KEY: &str = "old registries";

/// All registries that are wanted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OldRegistries {
    keep: Vec<String>,
}

/// Prints the names of the folders whose `hosts.toml` is ours.
fn look(folder: &str) -> String {
    format!(
        "for file in {folder}/*/hosts.toml; do [ -f \"$file\" ] && IFS= read -r line <\"$file\" && [ \"$line\" = '{MARK}' ] || continue\n\
         name=${{file%/hosts.toml}}; printf '%s\\n' \"${{name##*/}}\"; done"
    )
}

/// Removes the CA's certificate where our `hosts.toml` names it. That file goes last, as it says whose the other is: a run that is
/// killed in between is finished by the next.
fn removal(folder: &str, name: &str) -> String {
    let certificate = sh::quote(&format!("{folder}/{name}/ca.crt"));
    let folder = sh::quote(&format!("{folder}/{name}"));
    format!(
        "! grep -qF {certificate} {folder}/hosts.toml || rm -f {certificate}\n\
         rm -f {folder}/hosts.toml\nrmdir {folder} 2>/dev/null || true\n"
    )
}

impl OldRegistries {
    fn old<'a>(&'a self, seen: &'a HostState) -> impl Iterator<Item = &'a str> {
        let names = seen.section(KEY).lines();
        names.filter(|name| !self.keep.iter().any(|kept| kept == name) && is_name(name))
    }
}

/// Whether this program could have given the folder its name.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    !name.starts_with('.') && !name.is_empty() && name.bytes().all(plain)
}

impl Resource for OldRegistries {
    fn probe(&self, ask: &mut Probe) {
        ask.script(KEY, &look(FOLDER));
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let lines = self.old(seen).map(|name| format!("-{FOLDER}/{name}")).collect();
        let summary = "forget registries that are no longer in the inventory";
        Ok(Comparison::from_lines(summary, lines))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        Action::quick(
            self.old(seen)
                .map(|name| removal(FOLDER, name))
                .collect::<String>(),
        )
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Packages]
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::transport::memory::run_here;

    fn seen(names: &str) -> HostState {
        HostState::example(&format!("\x1e{KEY}\n{names}\x1eend\n"))
    }

    fn wanted(keep: &[&str]) -> OldRegistries {
        OldRegistries {
            keep: keep.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn what_is_wanted_stays_and_the_rest_is_shown_before_it_goes() {
        let all = seen("a.example\nb.example:5000\n");
        assert_eq!(
            wanted(&["a.example", "b.example:5000"]).compare(&all),
            Ok(Comparison::InSync)
        );
        let Ok(Comparison::Differs(change)) = wanted(&["a.example"]).compare(&all) else {
            unreachable!()
        };
        assert_eq!(change.detail, ["-/etc/containerd/certs.d/b.example:5000"]);
        let script = wanted(&["a.example"])
            .action(&all, &ActionInput::default())
            .script;
        assert!(
            script.contains("b.example:5000") && !script.contains("a.example/"),
            "{script}"
        );
    }

    #[test]
    fn a_name_that_is_none_of_ours_is_left_alone() {
        for name in ["..", ".hidden", "a b", "a;reboot", "$(reboot)"] {
            assert_eq!(
                wanted(&[]).compare(&seen(&format!("{name}\n"))),
                Ok(Comparison::InSync)
            );
        }
    }

    #[test]
    fn only_files_with_the_mark_are_found_and_only_their_folder_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        let authority = format!("ca = \"{root}/ours.example/ca.crt\"");
        for (name, text) in [
            (
                "ours.example",
                format!("# Written by ci-bootstrap.\n{authority}\n"),
            ),
            (
                "mixed.example",
                "# Written by ci-bootstrap.\nserver = \"a\"\n".to_owned(),
            ),
            ("theirs.example", "server = \"a\"\n".to_owned()),
        ] {
            fs_err::create_dir(folder.path().join(name)).unwrap();
            fs_err::write(folder.path().join(name).join("hosts.toml"), text).unwrap();
            fs_err::write(folder.path().join(name).join("ca.crt"), "x").unwrap();
        }
        fs_err::create_dir(folder.path().join("empty.example")).unwrap();
        let found = || String::from_utf8(run_here(&look(&root)).stdout).unwrap();
        assert_eq!(found(), "mixed.example\nours.example\n");
        for name in ["ours.example", "mixed.example"] {
            assert!(run_here(&removal(&root, name)).success());
        }
        assert_eq!(found(), "");
        assert!(folder.path().join("mixed.example/ca.crt").exists());
        assert!(!folder.path().join("ours.example").exists());
        assert!(folder.path().join("theirs.example/ca.crt").exists());
    }
}

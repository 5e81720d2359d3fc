//! `ci-bootstrap export`: the built-in playbooks and templates as files, to start own ones from.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::screen;
use super::{CommandFailure, Exit, OrExit};
use crate::{playbook, template};

/// Write the built-in playbooks and templates to a folder, to change them there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap export site
  ci-bootstrap plan --playbooks site/playbooks --templates site/templates inventory.yaml

After an update of ci-bootstrap, export into the same folder again: files that you have changed are
named and nothing is written. With --force they are replaced; commit yours first, and compare.")]
pub(super) struct Args {
    /// The folder; `playbooks` and `templates` are made in it.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Replace files that differ.
    #[arg(long)]
    force: bool,
}

/// A built-in file and where it goes.
struct BuiltInFile {
    path: PathBuf,
    text: &'static str,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let folders = [
        ("playbooks", playbook::BUILT_IN),
        ("templates", template::BUILT_IN),
    ];
    let files: Vec<BuiltInFile> = folders
        .into_iter()
        .flat_map(|(folder, files)| files.iter().map(move |(name, text)| (folder, name, *text)))
        .map(|(folder, name, text)| BuiltInFile {
            path: args.directory.join(folder).join(name),
            text,
        })
        .collect();
    let written = export(&files, args.force)?;
    let (directory, unchanged) = (args.directory.display(), files.len() - written);
    writeln!(
        screen::stdout(),
        "{directory}: {written} files written, {unchanged} were there already"
    )?;
    Ok(Exit::Done)
}

/// Writes what isn't there yet, and says how many files that were. Writes nothing if it may not replace what differs.
fn export(files: &[BuiltInFile], force: bool) -> Result<usize, CommandFailure> {
    let mut missing = Vec::new();
    let mut changed = Vec::new();
    for file in files {
        match differs(&file.path, file.text).or_exit(Exit::Usage)? {
            None => missing.push(file),
            Some(true) => changed.push(file),
            Some(false) => {}
        }
    }
    if !changed.is_empty() && !force {
        return Err(refusal(&changed)).or_exit(Exit::Usage);
    }
    missing.append(&mut changed);
    for file in &missing {
        write(file).or_exit(Exit::Usage)?;
    }
    Ok(missing.len())
}

/// Whether the file's text is another one; `None` where there is no file.
fn differs(path: &Path, text: &str) -> io::Result<Option<bool>> {
    match fs_err::read(path) {
        Ok(bytes) => Ok(Some(bytes != text.as_bytes())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn refusal(changed: &[&BuiltInFile]) -> anyhow::Error {
    let mut message = "these files differ from the built-in ones, so nothing was written:".to_owned();
    for file in changed {
        // Writing to a string can't fail.
        let _ = write!(message, "\n  {}", file.path.display());
    }
    anyhow!("{message}\nreplace them with --force, or name another folder")
}

fn write(file: &BuiltInFile) -> io::Result<()> {
    if let Some(folder) = file.path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    fs_err::write(&file.path, file.text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::{BuiltInFile, export};
    use crate::cli::Exit;

    #[test]
    fn what_somebody_changed_is_replaced_by_force_only() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name, text| BuiltInFile {
            path: directory.path().join("playbooks").join(name),
            text,
        };
        let files = [file("a.yaml", "a"), file("b.yaml", "b"), file("c.yaml", "c")];
        assert_eq!(export(&files[..2], false).unwrap(), 2);
        assert_eq!(
            export(&files[..2], false).unwrap(),
            0,
            "a second export has nothing to do"
        );

        fs_err::write(&files[0].path, "mine").unwrap();
        let refused = export(&files, false).unwrap_err();
        assert_eq!(refused.exit, Exit::Usage);
        assert!(
            refused.error.to_string().contains("playbooks/a.yaml"),
            "{}",
            refused.error
        );
        assert_eq!(fs_err::read_to_string(&files[0].path).unwrap(), "mine");
        assert!(!files[2].path.exists(), "all or nothing");

        assert_eq!(export(&files, true).unwrap(), 2);
        assert_eq!(fs_err::read_to_string(&files[0].path).unwrap(), "a");
    }
}

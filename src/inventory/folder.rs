//! A folder that the inventory names, with everything in it.

use std::fs::Metadata;
use std::path::Path;

/// Most files of a folder, and most bytes in them: what an image needs beside its Dockerfile is little.
const FILES: usize = 1000;
const BYTES: u64 = 8 << 20;

/// A file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildContextFile {
    /// Its path within the folder, with `/` between the parts.
    pub path: String,
    /// What it holds.
    pub content: Vec<u8>,
    /// Whether it can be executed.
    pub executable: bool,
}

/// All files below `folder`, in the order of their paths; or why they can't be read.
pub(super) fn read(folder: &Path) -> Result<Vec<BuildContextFile>, String> {
    let mut files = Vec::new();
    let mut left = BYTES;
    let metadata = fs_err::metadata(folder).map_err(|error| super::files::reason(&error))?;
    if !metadata.is_dir() {
        return Err("it is not a folder".to_owned());
    }
    collect(folder, "", &mut files, &mut left)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn collect(
    folder: &Path,
    prefix: &str,
    files: &mut Vec<BuildContextFile>,
    left: &mut u64,
) -> Result<(), String> {
    let unreadable =
        |path: &str, error: &std::io::Error| format!("`{path}`: {}", super::files::reason(error));
    for entry in fs_err::read_dir(folder).map_err(|error| unreadable(prefix, &error))? {
        let entry = entry.map_err(|error| unreadable(prefix, &error))?;
        let name = entry.file_name();
        let name = name
            .to_str()
            .ok_or_else(|| format!("the name of {} is not UTF-8 text", entry.path().display()))?;
        let path = format!("{prefix}{name}");
        // Not followed: a link could lead out of the folder, or in a circle.
        let metadata = fs_err::symlink_metadata(entry.path()).map_err(|error| unreadable(&path, &error))?;
        if metadata.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files, left)?;
            continue;
        }
        if !metadata.is_file() {
            return Err(format!("`{path}` is neither a file nor a folder"));
        }
        *left = left
            .checked_sub(metadata.len())
            .filter(|_| files.len() < FILES)
            .ok_or_else(|| format!("it holds more than {FILES} files or {} MiB", BYTES >> 20))?;
        let content = fs_err::read(entry.path()).map_err(|error| unreadable(&path, &error))?;
        files.push(BuildContextFile {
            executable: executable(&metadata),
            path,
            content,
        });
    }
    Ok(())
}

fn executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_folder_is_read_in_order_and_no_link_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs_err::create_dir(root.join("bin")).unwrap();
        fs_err::write(root.join("bin/run"), "#!/bin/sh").unwrap();
        fs_err::write(root.join("Dockerfile"), "FROM a").unwrap();
        let paths: Vec<_> = read(root).unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(paths, ["Dockerfile", "bin/run"]);
        std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap();
        assert_eq!(read(root).unwrap_err(), "`link` is neither a file nor a folder");
        assert_eq!(read(&root.join("none")).unwrap_err(), "there is no such file");
        assert_eq!(read(&root.join("Dockerfile")).unwrap_err(), "it is not a folder");
    }
}

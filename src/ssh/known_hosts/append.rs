//! Recording keys.

use std::io::{self, Write as _};
use std::path::Path;

use fs_err::PathExt as _;

/// Adds lines to a file of known hosts and says how many were new.
///
/// The file is replaced in one step by one that only its owner can read, so that a reader, or a run that is killed,
/// sees the old lines or all of them.
///
/// # Errors
/// When the file can't be read or its folder can't be written; the message names the path.
pub fn append(path: &Path, lines: &[String]) -> io::Result<usize> {
    // Files of settings are often links into a repository; what they lead to is replaced, not the link.
    let path = path.fs_err_canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    // It would be replaced by a file, as `/dev/null` would be.
    if path.exists() && !path.is_file() {
        let reason = format!("{} is not a file in which keys can be recorded", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let old = match fs_err::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let (text, added) = extended(old, lines);
    if added > 0 {
        let describe =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(describe)?;
        file.write_all(&text).map_err(describe)?;
        file.as_file().sync_all().map_err(describe)?;
        file.persist(&path).map_err(|error| describe(error.error))?;
    }
    Ok(added)
}

fn extended(mut text: Vec<u8>, lines: &[String]) -> (Vec<u8>, usize) {
    let mut added = 0;
    for line in lines {
        if text
            .split(|byte| *byte == b'\n')
            .any(|known| known.trim_ascii() == line.trim().as_bytes())
        {
            continue;
        }
        if text.last().is_some_and(|byte| *byte != b'\n') {
            text.push(b'\n');
        }
        text.extend_from_slice(line.trim().as_bytes());
        text.push(b'\n');
        added += 1;
    }
    (text, added)
}

//! Files of `RevokedHostKeys`: keys that no host may show, whatever else is on record.

use std::io;
use std::path::Path;

use russh::keys::PublicKey;
use russh::keys::ssh_key::public::KeyData;

use super::FilePosition;

/// How a binary key revocation list begins.
const KRL: &[u8] = b"SSHKRL\n\0";

/// The keys of a file. Unlike a file of known hosts, it has to be there and to be understood to its end: OpenSSH lets nobody in otherwise.
///
/// # Errors
/// When it can't be read, is a key revocation list, or has a line that is no key.
pub(super) fn load(file: &Path) -> io::Result<Vec<(KeyData, FilePosition)>> {
    let bytes = fs_err::read(file)?;
    parse(file, &bytes).map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))
}

fn parse(file: &Path, bytes: &[u8]) -> Result<Vec<(KeyData, FilePosition)>, String> {
    if bytes.starts_with(KRL) {
        return Err(format!(
            "{} is a key revocation list (KRL), which this program can't read; give RevokedHostKeys a text file with a public key in each line",
            file.display()
        ));
    }
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().map(str::trim).enumerate();
    let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    keys.map(|(index, line)| {
        let place = FilePosition {
            file: file.to_owned(),
            line: index + 1,
        };
        let words: Vec<_> = line.split_ascii_whitespace().take(2).collect();
        match PublicKey::from_openssh(&words.join(" ")) {
            Ok(key) => Ok((key.key_data().clone(), place)),
            Err(error) => Err(format!("{place} is not a public key: {error}")),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn parsed(text: &str) -> Result<Vec<usize>, String> {
        let keys = parse(Path::new("revoked"), text.as_bytes())?;
        Ok(keys.into_iter().map(|(_, place)| place.line).collect())
    }

    #[test]
    fn every_line_is_a_key_or_the_file_is_refused() {
        assert_eq!(parsed(""), Ok(vec![]));
        assert_eq!(
            parsed(&format!("# lost\n\n  {ED} a comment\r\n{ED}")),
            Ok(vec![3, 4])
        );
        let refused = |text: &str, reason: &str| {
            assert!(parsed(text).is_err_and(|said| said.contains(reason)), "{text:?}");
        };
        refused(&format!("{ED}\nnonsense\n"), "revoked:2 is not a public key");
        refused("ssh-ed25519 AAAA!!\n", "revoked:1 is not a public key");
        refused("SSHKRL\n\0\0\0\0\u{1}", "give RevokedHostKeys a text file");
    }
}

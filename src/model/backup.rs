//! What is known of the cluster's backups.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::check::RuleContext;
use super::code;
use crate::inventory;

/// How a public key of Ed25519 begins: its type and the length of what follows, both after their lengths (RFC 8709, section 4).
const ED25519: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x20";
/// Bytes of the key itself.
const KEY: usize = 32;

/// What is known of the cluster's backups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// The public key that bundles are signed with: algorithm and key, without a comment.
    pub signer: Option<String>,
}

pub(super) fn check(written: &inventory::BackupSpec, check: &mut RuleContext<'_>) -> Option<Backup> {
    let signer = match &written.signer {
        None => None,
        Some(signer) => Some(check.parse(signer, &code::BAD_SIGNER, "bundle public key", public_key)?),
    };
    Some(Backup { signer })
}

/// Algorithm and key; a comment after them says nothing.
fn public_key(text: &str) -> Result<String, String> {
    let mut words = text.split_whitespace();
    let (kind, key) = (words.next(), words.next().unwrap_or_default());
    let bytes = STANDARD.decode(key).unwrap_or_default();
    let is_key = bytes.strip_prefix(ED25519).is_some_and(|key| key.len() == KEY);
    if kind != Some("ssh-ed25519") || !is_key {
        return Err("`ci-bootstrap backup` prints it: `ssh-ed25519` and 68 characters".to_owned());
    }
    Ok(format!("ssh-ed25519 {key}"))
}

#[cfg(test)]
mod tests {
    use super::public_key;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBROjRwWiAF7mtfQI5IPs9cykfQrqq1/PqxfStnf/HFm";

    #[test]
    fn a_key_is_whole_and_of_the_one_kind() {
        assert_eq!(public_key(KEY).as_deref(), Ok(KEY));
        assert_eq!(public_key(&format!("{KEY} ci@cp1")).as_deref(), Ok(KEY));
        for wrong in [
            "",
            "ssh-ed25519",
            &KEY[..KEY.len() - 4],
            &KEY.replace("ssh-ed25519 ", "ssh-rsa "),
            &KEY.replace("AAAAC3", "AAAAB3"),
        ] {
            assert!(public_key(wrong).is_err(), "{wrong}");
        }
    }
}

//! Host keys of Git servers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::diagnostic::Diagnostic;
use crate::model::check::RuleContext;
use crate::model::{code, form};
use crate::yaml::Spanned;

/// The lines of these files that hold keys; a line that Jenkins could make nothing of is reported.
pub(super) fn check(files: &[Spanned<String>], check: &mut RuleContext<'_>) -> Option<Vec<String>> {
    let lines: Vec<_> = files.iter().map(|file| keys(file, check)).collect();
    Some(lines.into_iter().collect::<Option<Vec<_>>>()?.concat())
}

fn keys(file: &Spanned<String>, check: &mut RuleContext<'_>) -> Option<Vec<String>> {
    let content = form::file(file, check)?;
    let text = String::from_utf8_lossy(&content);
    let mut keys = Vec::new();
    for (number, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Err(reason) = is_key(line) {
            let title = format!("line {} of `{}` is not a host key", number + 1, file.value);
            let problem = Diagnostic::error(&code::BAD_HOST_KEY, title).at(file.span, reason);
            check.report(problem.help("`ssh-keyscan git.ci.example` prints such lines; compare them with what the server's administrator says"));
            return None;
        }
        keys.push(line.to_owned());
    }
    if keys.is_empty() {
        let problem = Diagnostic::error(&code::BAD_HOST_KEY, format!("`{}` has no host keys", file.value));
        check.report(problem.at(file.span, "no server would be accepted"));
        return None;
    }
    Some(keys)
}

/// Whether a line is `HOSTS TYPE KEY`, perhaps with a marker before it and a comment after it.
fn is_key(line: &str) -> Result<(), &'static str> {
    let mut words = line.split_whitespace().peekable();
    words.next_if(|word| ["@cert-authority", "@revoked"].contains(word));
    let (Some(_), Some(kind), Some(key)) = (words.next(), words.next(), words.next()) else {
        return Err("a line must be `HOSTS TYPE KEY`");
    };
    let bytes = STANDARD
        .decode(key)
        .map_err(|_| "the key is not in base64, or cut")?;
    match fields(&bytes).as_deref() {
        None => Err("the key is cut"),
        Some([named, _, ..]) if *named == kind.as_bytes() => Ok(()),
        Some(_) => Err("the key is not of the type that stands before it"),
    }
}

/// The parts of a public key, each after its length (RFC 4251): the name of its type, then numbers.
fn fields(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk()?;
        let (field, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        fields.push(field);
        bytes = rest;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::is_key;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn lines_of_known_hosts_are_taken_and_others_are_not() {
        for good in [
            format!("git.ci.example,10.0.0.9 ssh-ed25519 {KEY} a comment"),
            format!("[git.ci.example]:2222 ssh-ed25519 {KEY}"),
            format!("@cert-authority *.ci.example ssh-ed25519 {KEY}"),
        ] {
            assert_eq!(is_key(&good), Ok(()), "{good}");
        }
        for bad in [
            format!("ssh-ed25519 {KEY}"),
            format!("git.ci.example ssh-rsa {KEY}"),
            format!("git.ci.example ssh-ed25519 {}", &KEY[..KEY.len() - 3]),
            format!("git.ci.example ssh-ed25519 {}", &KEY[..KEY.len() - 4]),
            "git.ci.example SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDFGXHbCMLkh7TIq0M".to_owned(),
        ] {
            assert!(is_key(&bad).is_err(), "{bad}");
        }
    }
}

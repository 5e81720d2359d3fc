//! Why a script's shell did not start: what sudo and login shells say, explained.

use super::capture::{OutputCapture, find};
use super::script::PROMPT;
use super::target::SudoMethod;
use crate::transport::ScriptEnd;

pub(super) const PASSWORD_REFUSED: &str =
    "sudo refuses the password (it asked again); check the sudo password in the inventory";

/// What is known of it: words that sudo prints (in the C locale), and what they mean for the user.
const KNOWN: &[(&str, &str)] = &[
    (
        "incorrect password attempt",
        "sudo refuses the password; check the sudo password in the inventory",
    ),
    (
        "a password is required",
        "sudo asks for a password; give one in the inventory, or allow NOPASSWD",
    ),
    (
        "must have a tty",
        "sudo insists on a terminal; remove `requiretty` from sudoers for this user",
    ),
    (
        "is not in the sudoers file",
        "the user may not use sudo; add it to the sudoers",
    ),
    (
        "is not allowed to execute",
        "sudo does not allow this user to run a shell as root",
    ),
    ("may not run sudo", "the user may not use sudo on this host"),
    ("must be owned by uid 0", "sudo is not installed properly"),
    (
        "account is currently not available",
        "its login shell is nologin; use another user",
    ),
    (
        "sudo: not found",
        "sudo is not installed there; install it, or log in as root",
    ),
    (
        "sudo': No such file",
        "sudo is not installed there; install it, or log in as root",
    ),
];

/// Whether sudo asked for the password a second time.
pub(super) fn asked_again(noise: &[u8]) -> bool {
    find(noise, PROMPT).is_some_and(|at| find(&noise[at + PROMPT.len()..], PROMPT).is_some())
}

/// Why there was no shell, from what was printed instead.
pub(super) fn explain(
    sudo: &SudoMethod,
    ended: Option<ScriptEnd>,
    stdout: &OutputCapture,
    stderr: &OutputCapture,
) -> String {
    let printed = format!("{}\n{}", text(stderr.noise()), text(stdout.noise()));
    let printed = printed.replace(&*text(PROMPT), "");
    let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    let known = KNOWN
        .iter()
        .find(|(words, _)| printed.contains(words))
        .map(|(_, meaning)| *meaning);
    let meaning = known.unwrap_or(match sudo {
        SudoMethod::None => "the login shell did not start `sh`",
        SudoMethod::Passwordless | SudoMethod::Password(_) => "sudo did not start `sh`",
    });
    let ended = ended.map_or_else(|| "no exit status".to_owned(), |ended| ended.to_string());
    if printed.is_empty() {
        format!("{meaning} ({ended}, nothing printed)")
    } else {
        format!("{meaning} ({ended}; it printed: {printed})")
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(sudo: &SudoMethod, stderr: &str) -> String {
        let mut noise = OutputCapture::default();
        noise.push(stderr.as_bytes());
        explain(
            sudo,
            Some(ScriptEnd::Exited(1)),
            &OutputCapture::default(),
            &noise,
        )
    }

    #[test]
    fn known_refusals_say_what_to_do() {
        let prompt = text(PROMPT);
        let cases = [
            ("sudo: a password is required\n", "allow NOPASSWD"),
            (
                "sudo: sorry, you must have a tty to run sudo\n",
                "remove `requiretty`",
            ),
            ("ann is not in the sudoers file.\n", "add it to the sudoers"),
            ("sh: 1: exec: sudo: not found\n", "install it, or log in as root"),
            (
                "env: 'sudo': No such file or directory\n",
                "install it, or log in as root",
            ),
            (
                &format!("{prompt}\nsudo: 1 incorrect password attempt\n"),
                "check the sudo password",
            ),
        ];
        for (printed, remedy) in cases {
            let text = explained(&SudoMethod::Passwordless, printed);
            assert!(text.contains(remedy), "{printed:?} gives {text}");
        }
    }

    #[test]
    fn what_is_not_known_is_shown_on_one_line() {
        let text = explained(&SudoMethod::None, "strange\n  things\n");
        assert_eq!(
            text,
            "the login shell did not start `sh` (exit status 1; it printed: strange things)"
        );
        assert!(explained(&SudoMethod::None, "").ends_with("(exit status 1, nothing printed)"));
    }

    #[test]
    fn one_question_is_not_two() {
        assert!(!asked_again(PROMPT));
        assert!(asked_again(&[PROMPT, b"\nSorry, try again.\n", PROMPT].concat()));
    }
}

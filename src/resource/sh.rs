//! Text that goes into a shell script.

/// Quotes a word so that `sh` reads exactly it.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Quotes words and parts them by blanks.
pub fn words<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> String {
    items
        .into_iter()
        .map(|item| quote(item.as_ref()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A command that writes `text` to `path` as one step: never half a file, never a moment with a wider mode.
///
/// The text travels as a here-document, so it never shows in a process list. It must end in a newline.
pub fn write_file(path: &str, text: &str, mode: &str, owner: &str) -> String {
    let temporary = quote(&format!("{path}.ci-bootstrap"));
    let path = quote(path);
    let end = delimiter(text);
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    format!(
        "( umask 077; cat > {temporary} <<'{end}'\n{text}{newline}{end}\n)\n\
         chown {owner} {temporary}; chmod {mode} {temporary}\n\
         if command -v restorecon >/dev/null 2>&1; then restorecon {temporary} 2>/dev/null || true; fi\n\
         mv -f {temporary} {path}\n",
        owner = quote(owner),
        mode = quote(mode),
    )
}

/// As [`write_file`], with the file's directory made when it is missing.
pub fn write_file_and_directory(path: &str, text: &str, mode: &str, owner: &str) -> String {
    let directory = path.rsplit_once('/').map_or("/", |(directory, _)| directory);
    format!(
        "mkdir -p {}\n{}",
        quote(directory),
        write_file(path, text, mode, owner)
    )
}

/// A here-document delimiter that no line of the text equals.
fn delimiter(text: &str) -> String {
    let mut end = "CI_BOOTSTRAP_EOF".to_owned();
    while text.lines().any(|line| line == end) {
        end.push('_');
    }
    end
}

/// Whether `sh` can read a script to its end.
#[cfg(test)]
pub fn is_valid(script: &str) -> bool {
    let status = std::process::Command::new("sh")
        .args(["-n", "-c", script])
        .status();
    status.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(
            words(["apt-get", "/etc/hosts", "two words", "it's", ""]),
            r"apt-get /etc/hosts 'two words' 'it'\''s' ''"
        );
    }

    #[test]
    fn a_delimiter_never_ends_the_text_early() {
        let text = "a\nCI_BOOTSTRAP_EOF\nb\n";
        assert!(!text.lines().any(|line| line == delimiter(text)));
    }

    proptest! {
        #[test]
        fn quoting_is_what_a_shell_undoes(word in "[^\0]*") {
            prop_assert_eq!(shlex::split(&quote(&word)), Some(vec![word]));
        }
    }
}

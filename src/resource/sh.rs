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

/// A command that prints `text`, which travels as a here-document, so that it never shows in a process list.
pub fn print(text: &str) -> String {
    format!("cat {}", here_document(text))
}

/// What follows a command that reads `text`: the rest of its line, the text, and the line that ends it.
fn here_document(text: &str) -> String {
    let end = delimiter(text);
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    format!("<<'{end}'\n{text}{newline}{end}\n")
}

/// A command that writes `text` to `path` as one step: never half a file, never a moment with a wider mode, on the disk before it
/// takes its place. What was there before is replaced, be it a link. See [`print`] for how the text travels; it must end in a newline.
pub fn write_file(path: &str, text: &str, mode: &str, owner: &str) -> String {
    let temporary = quote(&format!("{path}.ci-bootstrap"));
    let (path, owner, mode) = (quote(path), quote(owner), quote(mode));
    let (away, content) = (quote(&format!("rm -f {temporary}")), here_document(text));
    format!(
        "( trap {away} EXIT; umask 077; cat >{temporary} {content}\
         chown {owner} {temporary}; chmod {mode} {temporary}\n\
         sync {temporary}\nmv -f -T {temporary} {path}\ntrap - EXIT\n\
         if command -v restorecon >/dev/null 2>&1; then restorecon {path} 2>/dev/null || true; fi\n)\n"
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

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap_or_else(|error| unreachable!("{error}"));
        let path = folder.path().join("it's").display().to_string();
        let run = |script: &str| {
            let script = format!("set -eu\n{script}");
            let output = std::process::Command::new("sh").args(["-c", &script]).output();
            output.is_ok_and(|output| output.status.success())
        };
        let me = "$(id -un)";
        let write = |text: &str| write_file(&path, text, "0600", "OWNER").replace("OWNER", me);
        assert!(run(&write("one\n")));
        assert!(!run(&write_file(&path, "two\n", "0600", "no-such-user")));
        let left: Vec<_> = std::fs::read_dir(folder.path()).into_iter().flatten().collect();
        assert_eq!(
            (left.len(), std::fs::read_to_string(&path).ok().as_deref()),
            (1, Some("one\n"))
        );
        // A directory in its place is not written into.
        let write =
            write_file(&folder.path().display().to_string(), "x\n", "0600", "OWNER").replace("OWNER", me);
        assert!(!run(&write));
        // What restorecon goes by is the final name.
        assert!(
            write
                .find("mv -f")
                .zip(write.find("restorecon "))
                .is_some_and(|(moved, named)| moved < named)
        );
    }

    proptest! {
        #[test]
        fn quoting_is_what_a_shell_undoes(word in "[^\0]*") {
            prop_assert_eq!(shlex::split(&quote(&word)), Some(vec![word]));
        }
    }
}

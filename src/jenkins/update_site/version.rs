//! The order of versions of plugins and of Jenkins.

use std::cmp::Ordering;

/// Which of two versions is newer, as Jenkins' own `VersionNumber` (Maven's `ComparableVersion`) has it for what plugins are released as:
/// part by part; numbers by their value and after words, but `alpha`, `beta`, `rc` and their like before the release itself.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (parts(one), parts(other));
    for index in 0..one.len().max(other.len()) {
        let none = Part::Number(0);
        let order = one
            .get(index)
            .unwrap_or(&none)
            .cmp(other.get(index).unwrap_or(&none));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// In this order; a part that is missing counts as 0, which is the release itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// Before the release: its rank.
    Early(u8),
    Word(String),
    Number(u64),
}

fn parts(version: &str) -> Vec<Part> {
    let words = version
        .split(['.', '-', '_', '+'])
        .flat_map(split)
        .filter(|word| !word.is_empty());
    words.map(part).collect()
}

/// `beta2` is `beta`, `2`. A hash of Git, which begins with `v`, stays whole.
fn split(word: &str) -> [&str; 2] {
    let letters = word
        .find(|letter: char| letter.is_ascii_digit())
        .unwrap_or(word.len());
    match part(&word[..letters]) {
        Part::Early(_) => [&word[..letters], &word[letters..]],
        _ => [word, ""],
    }
}

fn part(word: &str) -> Part {
    if let Ok(number) = word.parse() {
        return Part::Number(number);
    }
    match word.to_ascii_lowercase().as_str() {
        "alpha" => Part::Early(0),
        "beta" => Part::Early(1),
        "milestone" => Part::Early(2),
        "rc" | "cr" => Part::Early(3),
        "snapshot" => Part::Early(4),
        other => Part::Word(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_plugins_and_of_jenkins_are_in_order() {
        let rising = [
            "1.2-beta2",
            "1.2-rc-1",
            "1.2",
            "1.2.1",
            "1.10",
            "2.479.1",
            "2.479.3",
            "2.504",
            "371.v23851f835d6b_",
            "1281.v13bf9d8c6a_e8",
            "1511.v2e3cb_0008ef0",
        ];
        for pair in rising.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(
            compare("4.5.14-269.vfa_2321039a_83", "4.5.14-208.v438351942757"),
            Ordering::Greater
        );
        assert_eq!(compare("1.0", "1"), Ordering::Equal);
        assert_eq!(
            compare("99999999999999999999", "1"),
            Ordering::Less,
            "too long for a number is a word"
        );
    }
}

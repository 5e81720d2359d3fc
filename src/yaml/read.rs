//! Reads what a person wrote, and finds everything that is wrong with its form.

use std::cell::RefCell;

use serde::de::DeserializeOwned;

use super::decode::Decoder;
use super::failure::DecodeFailure;
use super::node::{self, YamlNode, YamlValue};
use crate::diagnostic::Diagnostic;

/// So many problems are shown at least before the rest of a file is given up: nobody reads more at once, and each of them
/// costs a round.
const ENOUGH: usize = 100;

/// What could be read.
#[derive(Debug)]
pub struct Decoded<T> {
    /// The value; none if its root can't be made sense of.
    pub value: Option<T>,
    /// Every problem of form, in the order of the file.
    pub problems: Vec<Diagnostic>,
    /// Whether `value` lacks a part that could not be read: what is missing then is not worth a word.
    pub incomplete: bool,
}

/// Reads one YAML document into a type.
///
/// A branch that does not fit is reported and cut off, and the rest is read again without it, until the rest fits: so
/// one run tells all problems.
pub fn read<T: DeserializeOwned>(text: &str) -> Decoded<T> {
    let mut root = match node::parse(text) {
        Ok(root) => root,
        Err(problem) => return unreadable(vec![problem]),
    };
    let mut problems = Vec::new();
    node::doubled_keys(&mut root, &mut problems);
    let mut incomplete = false;
    loop {
        let unknown = RefCell::default();
        let decoder = Decoder {
            node: &root,
            text,
            unknown: &unknown,
        };
        let result = T::deserialize(decoder);
        merge(&mut problems, unknown.into_inner());
        let failure = match result {
            Ok(value) => {
                problems.sort_by_key(Diagnostic::position);
                return Decoded {
                    value: Some(value),
                    problems,
                    incomplete,
                };
            }
            Err(failure) => failure.at(&root),
        };
        incomplete = true;
        let path = failure.path.clone();
        if !expected_after_cut(&root, &failure) {
            merge(&mut problems, vec![failure.into_diagnostic()]);
        }
        if problems.len() >= ENOUGH || !cut(&mut root, &path) {
            return unreadable(problems);
        }
    }
}

fn unreadable<T>(mut problems: Vec<Diagnostic>) -> Decoded<T> {
    problems.sort_by_key(Diagnostic::position);
    Decoded {
        value: None,
        problems,
        incomplete: true,
    }
}

/// Adds problems that are not known yet: each round meets the unknown keys again.
fn merge(problems: &mut Vec<Diagnostic>, found: Vec<Diagnostic>) {
    for problem in found {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

/// Whether a key is missing only because its value was cut off before.
fn expected_after_cut(root: &YamlNode, failure: &DecodeFailure) -> bool {
    failure.is_missing_key() && find(root, &failure.path).is_some_and(|node| node.cut)
}

fn find<'a>(root: &'a YamlNode, path: &[usize]) -> Option<&'a YamlNode> {
    path.iter().rev().try_fold(root, |node, index| match &node.value {
        YamlValue::Sequence(nodes) => nodes.get(*index),
        YamlValue::Mapping(entries) => entries.get(*index).map(|(_, value)| value),
        _ => None,
    })
}

/// Removes the node at a path (innermost position first) from its parent; false if it is the root.
fn cut(root: &mut YamlNode, path: &[usize]) -> bool {
    let Some((last, parents)) = path.split_first() else {
        return false;
    };
    let mut node = root;
    for index in parents.iter().rev() {
        let child = match &mut node.value {
            YamlValue::Sequence(nodes) => nodes.get_mut(*index),
            YamlValue::Mapping(entries) => entries.get_mut(*index).map(|(_, value)| value),
            _ => None,
        };
        match child {
            Some(child) => node = child,
            None => return false,
        }
    }
    node.cut = true;
    match &mut node.value {
        YamlValue::Sequence(nodes) if *last < nodes.len() => drop(nodes.remove(*last)),
        YamlValue::Mapping(entries) if *last < entries.len() => drop(entries.remove(*last)),
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::yaml::{Entries, Spanned};
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Garage {
        name: Spanned<String>,
        #[serde(default)]
        cars: Vec<Car>,
        #[serde(default)]
        signs: Entries<Spanned<u8>>,
    }

    #[derive(Debug, Deserialize)]
    struct Car {
        wheels: Spanned<u8>,
        #[serde(default)]
        fuel: Option<Fuel>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Fuel {
        Petrol,
        Electric(Battery),
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Battery {
        size: u32,
    }

    fn titles(text: &str) -> Vec<String> {
        read::<Garage>(text)
            .problems
            .into_iter()
            .map(|problem| format!("{:?} {}", problem.code, problem.title))
            .collect()
    }

    #[test]
    fn values_know_their_place() {
        let text = "# ä\nname: 1.30\ncars:\n- wheels: 4\n  fuel: {electric: {size: 5}}\nsigns: {a: 7}\n";
        let decoded = read::<Garage>(text);
        assert!(
            decoded.problems.is_empty() && !decoded.incomplete,
            "{:?}",
            decoded.problems
        );
        let garage = decoded.value.unwrap();
        assert_eq!(garage.name.value, "1.30");
        assert_eq!(&text[garage.name.span.start..garage.name.span.end], "1.30");
        assert_eq!(garage.cars[0].fuel, Some(Fuel::Electric(Battery { size: 5 })));
        assert_eq!(garage.cars[0].wheels.value, 4);
        assert_eq!(garage.signs.get("a").map(|sign| sign.value), Some(7));
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let text = "name: a\nname: b\ncolour: red\ncars:\n- wheels: many\n  fule: petrol\n- wheels: 4\n  fuel: petrl\n- {}\nsigns: {a: 300}\n";
        assert_eq!(
            titles(text),
            [
                "yaml::duplicate-key the key `name` stands here twice",
                "yaml::unknown-key unknown key `colour`",
                "yaml::wrong-type expected a whole number from 0 to 255, found string \"many\"",
                "yaml::unknown-key unknown key `fule`",
                "yaml::bad-value `petrl` is not a value for this key",
                "yaml::missing-key the key `wheels` is missing here",
                "yaml::bad-value expected a whole number from 0 to 255, found integer `300`",
            ]
        );
    }

    #[test]
    fn a_root_of_the_wrong_kind_and_broken_yaml_are_one_problem() {
        assert_eq!(
            titles("- a\n"),
            ["yaml::wrong-type expected a mapping, found a list"]
        );
        assert_eq!(titles("a: [1\nb: 2\n").len(), 1);
        assert_eq!(titles("a: 1\n---\nb: 2\n").len(), 1);
        assert_eq!(titles("").len(), 1);
    }
}

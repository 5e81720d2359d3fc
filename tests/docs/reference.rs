//! `docs/inventory.md`: the schema as a text for people.

use std::fmt::Write;

use serde_json::Value;

/// Definitions that are explained once, under a heading of their own, rather than at each key.
const SECRET: &str = "SecretRef";

pub(crate) fn markdown(schema: &Value) -> String {
    let mut pages = Pages {
        schema,
        text: include_str!("inventory-introduction.md").to_owned(),
        written: Vec::new(),
    };
    pages.mapping("", "The whole file", schema);
    pages.secrets();
    pages.text
}

/// The text so far, and which definitions it has explained.
struct Pages<'a> {
    schema: &'a Value,
    text: String,
    /// Name of a definition and the path under which it is explained.
    written: Vec<(&'a str, String)>,
}

impl<'a> Pages<'a> {
    fn definition(&self, name: &str) -> &'a Value {
        &self.schema["$defs"][name]
    }

    /// A section for a mapping with known keys, and after it those for the mappings below it.
    fn mapping(&mut self, path: &str, title: &str, schema: &'a Value) {
        write!(self.text, "\n## {title}\n\n{}\n\n", description(schema)).unwrap();
        let Some(keys) = schema["properties"].as_object() else {
            return;
        };
        let mut below = Vec::new();
        for (key, property) in keys {
            if let Some((name, suffix)) = mapping_below(property)
                && self.definition(name)["properties"].is_object()
                && !self.written.iter().any(|(known, _)| *known == name)
            {
                let path = join(path, key) + suffix;
                self.written.push((name, path.clone()));
                below.push((name, path));
            }
            let required = schema["required"]
                .as_array()
                .is_some_and(|names| names.contains(&key.as_str().into()));
            self.key(key, property, required);
        }
        for (name, path) in below {
            self.mapping(&path, &format!("`{path}`"), self.definition(name));
        }
    }

    fn key(&mut self, key: &str, property: &Value, required: bool) {
        let mut facts = vec![self.kind(property)];
        if required {
            facts.push("**required**".to_owned());
        }
        if let Some(default) = property
            .get("default")
            .filter(|default| **default != Value::Array(Vec::new()))
        {
            facts.push(format!("default `{}`", plain(default)));
        }
        let description = description(property);
        write!(self.text, "* **`{key}`** ({}): {description}", facts.join(", ")).unwrap();
        for example in property["examples"].as_array().into_iter().flatten() {
            write!(self.text, " Example: `{key}: {}`.", plain(example)).unwrap();
        }
        self.text.push('\n');
        if let Some(name) = reference(property).or_else(|| reference(&property["items"])) {
            self.choices(self.definition(name), name);
        }
    }

    /// The values of an enumeration, as a list below its key.
    fn choices(&mut self, definition: &Value, name: &str) {
        if name == SECRET {
            return;
        }
        for choice in definition["oneOf"].as_array().into_iter().flatten() {
            let written = match choice["const"].as_str() {
                Some(word) => word.to_owned(),
                None => match choice["properties"]
                    .as_object()
                    .and_then(|keys| keys.keys().next())
                {
                    Some(key) => format!("{{ {key}: … }}"),
                    None => continue,
                },
            };
            writeln!(self.text, "  * `{written}`: {}", description(choice)).unwrap();
        }
    }

    fn kind(&self, property: &Value) -> String {
        if let Some(name) = reference(property) {
            return self.kind_of_definition(name);
        }
        match property["type"].as_str() {
            Some("array") => format!("list of {}", plural(&self.kind(&property["items"]))),
            Some("object") => match property.get("additionalProperties") {
                Some(values) if values.is_object() => {
                    format!("mapping of names to {}", plural(&self.kind(values)))
                }
                _ => "mapping".to_owned(),
            },
            Some("integer") => "whole number".to_owned(),
            Some(other) => other.to_owned(),
            None => "anything".to_owned(),
        }
    }

    fn kind_of_definition(&self, name: &str) -> String {
        if name == SECRET {
            return "[secret](#secrets)".to_owned();
        }
        if self.definition(name)["oneOf"].is_array() {
            return "one of those below".to_owned();
        }
        let mut written = self.written.iter();
        let (_, path) = written.find(|(known, _)| *known == name).unwrap();
        format!("[mapping](#{})", anchor(path))
    }

    fn secrets(&mut self) {
        let definition = self.definition(SECRET);
        write!(
            self.text,
            "\n## Secrets\n\n{} It is one of:\n\n",
            description(definition)
        )
        .unwrap();
        let examples = [
            "{ env: CI_SUDO_PASSWORD }",
            "{ file: ~/.config/ci/sudo }",
            "{ command: [pass, show, ci/sudo] }",
            "{ prompt: sudo password }",
        ];
        for (choice, example) in definition["oneOf"].as_array().into_iter().flatten().zip(examples) {
            writeln!(self.text, "* `{example}`: {}", description(choice)).unwrap();
        }
        self.text.push_str("\nA secret is fetched once per run, when it is first needed, and masked in everything that is printed. ");
        self.text.push_str(
            "`command` works with sops, age, pass, Vault and every other tool that prints a secret.\n",
        );
    }
}

/// The definition that a property refers to.
fn reference(property: &Value) -> Option<&str> {
    property["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// The mapping that a property holds, directly, in a list or under names of the user's choice.
fn mapping_below(property: &Value) -> Option<(&str, &'static str)> {
    let items = || reference(&property["items"]).map(|name| (name, "[]"));
    let values = || reference(&property["additionalProperties"]).map(|name| (name, ".NAME"));
    reference(property)
        .map(|name| (name, ""))
        .or_else(items)
        .or_else(values)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The anchor that Markdown renderers give a heading.
pub(crate) fn anchor(heading: &str) -> String {
    heading
        .chars()
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'))
        .collect::<String>()
        .to_lowercase()
}

fn description(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

fn plural(kind: &str) -> String {
    match kind {
        "one of those below" => "those below".to_owned(),
        "anything" => "anything".to_owned(),
        kind if kind.starts_with('[') => kind.replacen(']', "s]", 1),
        kind => format!("{kind}s"),
    }
}

/// A value as one would write it in YAML.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{key}: {}", plain(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

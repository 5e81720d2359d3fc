//! What the documents show is right: an inventory that is whole as it stands, a fragment in the context of a small inventory.

#![expect(clippy::panic, reason = "a failed test panics")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ci_bootstrap::diagnostic::{Colour, Source, render};
use ci_bootstrap::model::Validated;
use ci_bootstrap::plan::{self, Catalog, Plan};
use ci_bootstrap::secret::Secrets;
use ci_bootstrap::template::Templates;
use ci_bootstrap::{inventory, model, playbook, yaml};
use serde_json::{Map, Value, json};

use super::{against_schema, root, schema};

/// The context of a fragment.
const SMALL: &str = "
apiVersion: ci-bootstrap/v1
cluster: { name: ci, kubernetes: 1.36.4 }
ssh: { user: admin }
hosts:
  - { name: cp1, address: 10.0.0.11, roles: [control-plane] }
  - { name: w1, address: 10.0.0.12, roles: [worker] }
";

/// What starts an inventory that is whole.
const WHOLE: &str = "ci-bootstrap/v1";

/// A fenced block of a document.
struct Block {
    /// Document and line, for messages.
    place: String,
    language: String,
    text: String,
}

impl Block {
    fn value(&self) -> Value {
        let read = yaml::read::<Value>(&self.text);
        assert!(read.problems.is_empty(), "{}: {:?}", self.place, read.problems);
        read.value.unwrap()
    }
}

/// The blocks of a document that name a language.
fn blocks(document: &str) -> Vec<Block> {
    let text = fs_err::read_to_string(root().join(document)).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(language) if !open => {
                open = true;
                blocks.push(Block {
                    place: format!("{document}:{}", number + 1),
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            Some(_) => open = false,
            None if open => blocks.last_mut().unwrap().text += &format!("{line}\n"),
            None => {}
        }
    }
    assert!(!open, "{document} ends in a block");
    blocks
}

/// README and everything in `docs`.
fn documents() -> Vec<String> {
    let files = fs_err::read_dir(root().join("docs")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut documents: Vec<_> = names
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    documents.sort();
    documents.insert(0, "README.md".to_owned());
    documents
}

/// A fragment as part of an inventory: its first key says of which mapping.
fn in_context(fragment: Value, place: &str) -> Value {
    let schema = schema();
    let of_jenkins = &schema["$defs"]["JenkinsSpec"]["properties"];
    assert!(of_jenkins.is_object(), "the schema has no Jenkins");
    let fragment = match fragment {
        Value::Array(templates) => json!({ "jenkins": { "agents": { "templates": templates } } }),
        Value::Object(keys) => match keys.keys().next() {
            Some(key) if schema["properties"].get(key).is_some() => Value::Object(keys),
            Some(key) if of_jenkins.get(key).is_some() => json!({ "jenkins": keys }),
            other => panic!("{place}: {other:?} is no key of an inventory or of `jenkins`"),
        },
        other => panic!("{place}: {other} is no part of an inventory"),
    };
    let mut whole = yaml::read::<Value>(SMALL).value.unwrap();
    for (key, value) in fragment.as_object().unwrap() {
        match (key.as_str(), value) {
            ("hosts", Value::Array(more)) => whole["hosts"].as_array_mut().unwrap().extend(more.clone()),
            _ => whole[key] = value.clone(),
        }
    }
    whole
}

/// The same with secrets that a test has, too.
fn with_secrets(value: Value) -> Value {
    match value {
        Value::Object(keys)
            if keys.len() == 1 && (keys.contains_key("env") || keys.contains_key("prompt")) =>
        {
            json!({ "command": ["echo", "Only-for-tests-1"] })
        }
        Value::Object(keys) => {
            let keys = keys.into_iter().map(|(key, value)| (key, with_secrets(value)));
            Value::Object(keys.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(with_secrets).collect()),
        other => other,
    }
}

/// Checks an inventory as `check` does. Files that it names are looked for in `folder`.
fn checked(text: &str, folder: &Path, place: &str) -> Validated {
    assert_eq!(against_schema(text), Vec::<String>::new(), "{place}");
    let source = Source {
        name: place.to_owned(),
        text: text.to_owned(),
    };
    let document = inventory::parse(source, folder);
    model::validate(&document)
        .unwrap_or_else(|problems| panic!("{}", render(&problems, &document.source, Colour::Never)))
}

/// Checks an inventory and makes its plan.
fn planned(text: &str, folder: &Path, place: &str) -> Plan {
    let value = yaml::read::<Value>(text).value.unwrap();
    let cluster = checked(&with_secrets(value).to_string(), folder, place).cluster;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let secrets = Secrets::new(Duration::from_secs(10));
    let known = runtime.block_on(secrets.all(cluster.secrets())).unwrap();
    let catalog = Catalog {
        playbooks: playbook::load(None).unwrap(),
        templates: Templates::load(None).unwrap().knowing(known),
        restore: None,
    };
    plan::build(&cluster, &catalog).unwrap_or_else(|error| panic!("{place}: {error}"))
}

/// The files that documents speak of.
fn files(template: Option<&Block>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for inner in ["images/maven-node", "agents"] {
        fs_err::create_dir_all(folder.path().join(inner)).unwrap();
    }
    for (source, name) in [
        ("tests/diagnostics/files/ca.crt", "harbor-ca.crt"),
        ("tests/manifests/git-known-hosts", "git-known-hosts"),
    ] {
        fs_err::copy(root().join(source), folder.path().join(name)).unwrap();
    }
    fs_err::write(folder.path().join("git-key"), "Only-for-tests-2\n").unwrap();
    let dockerfile = "FROM docker.io/library/maven:3\n";
    fs_err::write(folder.path().join("images/maven-node/Dockerfile"), dockerfile).unwrap();
    if let Some(template) = template {
        fs_err::write(folder.path().join("agents/node.yaml.j2"), &template.text).unwrap();
    }
    folder
}

#[test]
fn every_inventory_in_the_documents_is_right() {
    let (mut whole, mut fragments) = (0, 0);
    for document in documents() {
        let blocks = blocks(&document);
        let folder = files(blocks.iter().find(|block| block.language == "jinja"));
        for block in blocks.iter().filter(|block| block.language == "yaml") {
            let value = block.value();
            match value.get("apiVersion") {
                Some(version) if version == WHOLE => {
                    let warnings = checked(&block.text, folder.path(), &block.place).warnings;
                    assert_eq!(warnings, [], "{}", block.place);
                    planned(&block.text, folder.path(), &block.place);
                    whole += 1;
                }
                // An object of Kubernetes.
                Some(_) => assert!(value["kind"].is_string(), "{}", block.place),
                None => {
                    let text = in_context(value, &block.place).to_string();
                    checked(&text, folder.path(), &block.place);
                    planned(&text, folder.path(), &block.place);
                    fragments += 1;
                }
            }
        }
    }
    assert!(
        whole >= 2 && fragments >= 8,
        "{whole} whole inventories, {fragments} fragments"
    );
}

#[test]
fn the_example_makes_a_plan() {
    let text = fs_err::read_to_string(root().join("inventory.example.yaml")).unwrap();
    let plan = planned(&text, &root(), "inventory.example.yaml");
    assert!(
        plan.tracks
            .iter()
            .any(|track| track.place.to_string() == "cluster")
    );
}

/// What `init` writes for these arguments, and reads on standard input.
fn init(arguments: &[&str], input: &str) -> String {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ci-bootstrap"))
        .arg("init")
        .args(arguments)
        .current_dir(folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    fs_err::read_to_string(folder.path().join("inventory.yaml")).unwrap()
}

#[test]
fn what_init_writes_is_right() {
    for (arguments, input) in [
        (&["10.0.0.11"][..], ""),
        (&["-"], "10.0.0.11\n10.0.0.12\n10.0.0.13\n"),
        (&["fd00::11", "fd00::12"], ""),
        (&["--cluster-only", "10.0.0.11", "10.0.0.12"], ""),
    ] {
        let text = init(arguments, input);
        let warnings = checked(&text, &root(), "inventory.yaml").warnings;
        assert_eq!(warnings, [], "{arguments:?}");
        let plan = planned(&text, &root(), "inventory.yaml");
        let cluster = plan.tracks.last().unwrap();
        let has_jenkins = cluster.heads().any(|head| head.name == "Jenkins ready");
        assert_eq!(has_jenkins, arguments[0] != "--cluster-only", "{arguments:?}");
    }
}

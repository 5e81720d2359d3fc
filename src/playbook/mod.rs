//! Playbooks: which steps belong to which hosts, in order. Data, read and checked before any host is touched.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The built-in playbooks in the order of their work. A test compares this table with the folder.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("00-values.yaml", include_str!("../../playbooks/00-values.yaml")),
    (
        "05-accounts.yaml",
        include_str!("../../playbooks/05-accounts.yaml"),
    ),
    (
        "08-upgrade-path.yaml",
        include_str!("../../playbooks/08-upgrade-path.yaml"),
    ),
    ("10-host.yaml", include_str!("../../playbooks/10-host.yaml")),
    (
        "15-nfs-server.yaml",
        include_str!("../../playbooks/15-nfs-server.yaml"),
    ),
    (
        "20-packages.yaml",
        include_str!("../../playbooks/20-packages.yaml"),
    ),
    (
        "30-containerd.yaml",
        include_str!("../../playbooks/30-containerd.yaml"),
    ),
    ("35-docker.yaml", include_str!("../../playbooks/35-docker.yaml")),
    (
        "40-control-plane.yaml",
        include_str!("../../playbooks/40-control-plane.yaml"),
    ),
    ("45-upgrade.yaml", include_str!("../../playbooks/45-upgrade.yaml")),
    ("50-worker.yaml", include_str!("../../playbooks/50-worker.yaml")),
    (
        "55-nfs-share.yaml",
        include_str!("../../playbooks/55-nfs-share.yaml"),
    ),
    ("60-network.yaml", include_str!("../../playbooks/60-network.yaml")),
    ("70-nodes.yaml", include_str!("../../playbooks/70-nodes.yaml")),
    ("80-storage.yaml", include_str!("../../playbooks/80-storage.yaml")),
    (
        "81-namespaces.yaml",
        include_str!("../../playbooks/81-namespaces.yaml"),
    ),
    (
        "82-registry.yaml",
        include_str!("../../playbooks/82-registry.yaml"),
    ),
    ("85-jenkins.yaml", include_str!("../../playbooks/85-jenkins.yaml")),
    ("87-images.yaml", include_str!("../../playbooks/87-images.yaml")),
];

/// A playbook that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {reason}")]
pub struct PlaybookError {
    /// File, and line where known.
    pub origin: Origin,
    /// What is wrong.
    pub reason: String,
}

/// Where a step comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Playbook's file name.
    pub file: String,
    /// Line of the step, from 1.
    pub line: usize,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Where the steps of a playbook are done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// On each host for which the expression over `cluster` and `host` is true.
    Hosts(String),
    /// Once, through the API server.
    Cluster,
    /// Once, in the registries, through a host that reaches them.
    Registries,
    /// Nowhere: it only gives values.
    Values,
}

/// One playbook.
#[derive(Debug, Clone)]
pub struct Playbook {
    /// Values that it and those after it may use, in order; leaf texts are templates.
    pub values: Map<String, Value>,
    /// Where.
    pub scope: Scope,
    /// What, in order.
    pub steps: Vec<StepText>,
}

/// A step as written, its texts not yet rendered.
#[derive(Debug, Clone)]
pub struct StepText {
    /// What a person reads; a template.
    pub name: String,
    /// Expression that decides whether there is such a step.
    pub when: Option<String>,
    /// Expression for a list; one step for each `item` of it.
    pub each: Option<String>,
    /// Condition that only the host can answer.
    pub guard: Guard,
    /// Milestones it waits for, as words; a template that gives nothing is none.
    pub needs: Vec<String>,
    /// Milestones it makes, as words.
    pub provides: Vec<String>,
    /// How many hosts at a time may be at steps like this one.
    pub limit: Option<LimitText>,
    /// Name of the kind.
    pub kind: String,
    /// The kind's fields; leaf texts are templates.
    pub fields: Value,
    /// Where it is written.
    pub origin: Origin,
}

/// A limit as written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitText {
    /// The group of steps that it is about.
    pub group: String,
    /// How many hosts, as a number or as `25%`; may be a template.
    pub at: Value,
    /// Whether the first host that fails keeps those from beginning that have not begun.
    #[serde(default = "yes")]
    pub breaker: bool,
}

fn yes() -> bool {
    true
}

/// A condition about the host, answered by the same probe as everything else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guard {
    /// `debian` or `rhel`.
    #[serde(default)]
    pub family: Option<String>,
    /// A path that exists.
    #[serde(default)]
    pub exists: Option<String>,
    /// A unit that runs.
    #[serde(default)]
    pub active: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlaybookFile {
    #[serde(default)]
    values: Map<String, Value>,
    #[serde(default)]
    hosts: Option<String>,
    #[serde(default)]
    cluster: bool,
    #[serde(default)]
    registries: bool,
    #[serde(default)]
    steps: Vec<Map<String, Value>>,
}

/// The playbooks: built-in, or all `*.yaml` of a folder by name instead.
///
/// # Errors
/// When a file can't be read or is no playbook.
pub fn load(folder: Option<&Path>) -> Result<Vec<Playbook>, PlaybookError> {
    let texts: BTreeMap<String, String> = match folder {
        None => BUILT_IN
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        Some(folder) => read_folder(folder)?,
    };
    texts.iter().map(|(name, text)| parse(name, text)).collect()
}

fn read_folder(folder: &Path) -> Result<BTreeMap<String, String>, PlaybookError> {
    let wrap = |error: std::io::Error| PlaybookError {
        origin: Origin {
            file: folder.display().to_string(),
            line: 1,
        },
        reason: error.to_string(),
    };
    let mut texts = BTreeMap::new();
    for entry in fs_err::read_dir(folder).map_err(wrap)? {
        let path = entry.map_err(wrap)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            texts.insert(name, fs_err::read_to_string(&path).map_err(wrap)?);
        }
    }
    Ok(texts)
}

fn read(text: &str) -> Result<PlaybookFile, String> {
    let documents = crate::yaml::manifests(text).map_err(|error| error.to_string())?;
    let [document] = documents
        .try_into()
        .map_err(|_| "a playbook is one document".to_owned())?;
    serde_json::from_value(document).map_err(|error| error.to_string())
}

fn parse(name: &str, text: &str) -> Result<Playbook, PlaybookError> {
    let origin = |line| Origin {
        file: name.to_owned(),
        line,
    };
    let error = |reason: String| PlaybookError {
        origin: origin(1),
        reason,
    };
    let file: PlaybookFile = read(text).map_err(error)?;
    let scope = match (file.hosts, file.cluster, file.registries) {
        (Some(hosts), false, false) => Scope::Hosts(hosts),
        (None, true, false) => Scope::Cluster,
        (None, false, true) => Scope::Registries,
        (None, false, false) if file.steps.is_empty() => Scope::Values,
        _ => {
            return Err(error(
                "give one of `hosts: EXPRESSION`, `cluster: true` and `registries: true`".to_owned(),
            ));
        }
    };
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("  - "))
        .map(|(index, _)| index + 1);
    let mut lines = lines.collect::<Vec<_>>().into_iter();
    let steps = file
        .steps
        .into_iter()
        .map(|step| parse_step(step, &scope, origin(lines.next().unwrap_or(1))))
        .collect::<Result<_, _>>()?;
    Ok(Playbook {
        values: file.values,
        scope,
        steps,
    })
}

fn parse_step(
    mut step: Map<String, Value>,
    scope: &Scope,
    origin: Origin,
) -> Result<StepText, PlaybookError> {
    let error = |reason: String| PlaybookError {
        origin: origin.clone(),
        reason,
    };
    let mut take = |key: &str| step.remove(key).unwrap_or(Value::Null);
    let read = |key: &str, value: Value| -> Result<Option<String>, PlaybookError> {
        serde_json::from_value(value).map_err(|reason| error(format!("`{key}`: {reason}")))
    };
    let words = |key: &str, value: Value| -> Result<Vec<String>, PlaybookError> {
        let value = if value.is_null() {
            Value::Array(vec![])
        } else {
            value
        };
        serde_json::from_value(value).map_err(|reason| error(format!("`{key}`: {reason}")))
    };
    let name = read("name", take("name"))?.ok_or_else(|| error("a step without `name`".to_owned()))?;
    let when = read("when", take("when"))?;
    let each = read("each", take("each"))?;
    let needs = words("needs", take("needs"))?;
    let provides = words("provides", take("provides"))?;
    let limit: Option<LimitText> =
        serde_json::from_value(take("limit")).map_err(|reason| error(format!("`limit`: {reason}")))?;
    if limit.is_some() && !matches!(scope, Scope::Hosts(_)) {
        return Err(error(format!(
            "step `{name}`: `limit` counts hosts, and this playbook is not for hosts"
        )));
    }
    let guard = match take("where") {
        Value::Null => Guard::default(),
        value => serde_json::from_value(value).map_err(|reason| error(format!("`where`: {reason}")))?,
    };
    let mut rest = step.into_iter();
    let (Some((kind, fields)), None) = (rest.next(), rest.next()) else {
        return Err(error(format!("step `{name}` must have exactly one kind")));
    };
    Ok(StepText {
        name,
        when,
        each,
        guard,
        needs,
        provides,
        limit,
        kind,
        fields,
        origin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_through_the_api_server_waits_for_it() {
        let playbooks = load(None).unwrap_or_default();
        let steps = playbooks
            .iter()
            .filter(|playbook| playbook.scope == Scope::Cluster)
            .flat_map(|playbook| &playbook.steps);
        let names: Vec<_> = steps.clone().map(|step| step.name.as_str()).collect();
        let waiting = steps.filter(|step| step.needs.iter().any(|need| need == "api-server"));
        assert!(names.contains(&"Calico"));
        assert_eq!(waiting.map(|step| step.name.as_str()).collect::<Vec<_>>(), names);
    }

    #[test]
    fn a_step_knows_its_line_and_must_have_one_kind() {
        let text = "hosts: 'true'\nsteps:\n  - name: a\n    swap: {}\n\n  - name: b\n    needs: [network]\n    hostname: {name: x}\n";
        let steps = parse("x.yaml", text)
            .map(|playbook| playbook.steps)
            .unwrap_or_default();
        assert_eq!(
            steps.iter().map(|step| step.origin.line).collect::<Vec<_>>(),
            [3, 6]
        );
        let two = "hosts: 'true'\nsteps:\n  - name: a\n    swap: {}\n    hostname: {name: x}\n";
        assert!(
            parse("x.yaml", two)
                .is_err_and(|error| error.to_string() == "x.yaml:3: step `a` must have exactly one kind")
        );
    }

    #[test]
    fn a_limit_is_refused_where_there_are_no_hosts_to_count() {
        let step = "steps:\n  - name: a\n    limit: { group: workers, at: 2 }\n    swap: {}\n";
        let read = |scope: &str| parse("x.yaml", &format!("{scope}\n{step}"));
        assert!(read("hosts: 'true'").is_ok());
        for scope in ["cluster: true", "registries: true"] {
            let said = read(scope).map_err(|error| error.to_string());
            let expected = "x.yaml:3: step `a`: `limit` counts hosts, and this playbook is not for hosts";
            assert_eq!(said.err().as_deref(), Some(expected));
        }
        let misspelt = parse(
            "x.yaml",
            &format!("hosts: 'true'\n{}", step.replace("at:", "count:")),
        );
        assert!(misspelt.is_err_and(|error| error.to_string().starts_with("x.yaml:3: `limit`: ")));
    }
}

//! Templates and expressions: the only module that names minijinja.
//!
//! Takes values in, gives text out. A value that is not there is an error, with the template and the line.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde::Deserialize as _;
use serde_json::Value;

use crate::secret::{SecretRef, SecretValues};

mod filters;
mod values;

pub use values::Values;

/// The built-in templates: name and text. A test compares this table with the folder.
pub const BUILT_IN: &[(&str, &str)] = &[
    (
        "agent-buildkit.yaml.j2",
        include_str!("../../templates/agent-buildkit.yaml.j2"),
    ),
    (
        "agent-dind.yaml.j2",
        include_str!("../../templates/agent-dind.yaml.j2"),
    ),
    (
        "agent-docker.yaml.j2",
        include_str!("../../templates/agent-docker.yaml.j2"),
    ),
    (
        "agent-jnlp.yaml.j2",
        include_str!("../../templates/agent-jnlp.yaml.j2"),
    ),
    (
        "agent-kaniko.yaml.j2",
        include_str!("../../templates/agent-kaniko.yaml.j2"),
    ),
    (
        "agent-maven.yaml.j2",
        include_str!("../../templates/agent-maven.yaml.j2"),
    ),
    (
        "audit-policy.yaml.j2",
        include_str!("../../templates/audit-policy.yaml.j2"),
    ),
    (
        "backup.service.j2",
        include_str!("../../templates/backup.service.j2"),
    ),
    ("backup.timer.j2", include_str!("../../templates/backup.timer.j2")),
    (
        "build-settings.yaml.j2",
        include_str!("../../templates/build-settings.yaml.j2"),
    ),
    (
        "cloud-init.cfg.j2",
        include_str!("../../templates/cloud-init.cfg.j2"),
    ),
    (
        "containerd.toml.j2",
        include_str!("../../templates/containerd.toml.j2"),
    ),
    ("crictl.yaml.j2", include_str!("../../templates/crictl.yaml.j2")),
    (
        "docker-daemon.json.j2",
        include_str!("../../templates/docker-daemon.json.j2"),
    ),
    (
        "firewalld-forward.xml.j2",
        include_str!("../../templates/firewalld-forward.xml.j2"),
    ),
    (
        "firewalld-nodes.xml.j2",
        include_str!("../../templates/firewalld-nodes.xml.j2"),
    ),
    (
        "firewalld-pods.xml.j2",
        include_str!("../../templates/firewalld-pods.xml.j2"),
    ),
    (
        "firewalld-public.xml.j2",
        include_str!("../../templates/firewalld-public.xml.j2"),
    ),
    (
        "firewalld-service.xml.j2",
        include_str!("../../templates/firewalld-service.xml.j2"),
    ),
    ("hosts.j2", include_str!("../../templates/hosts.j2")),
    ("hosts.toml.j2", include_str!("../../templates/hosts.toml.j2")),
    (
        "image-build.yaml.j2",
        include_str!("../../templates/image-build.yaml.j2"),
    ),
    (
        "jenkins-access.yaml.j2",
        include_str!("../../templates/jenkins-access.yaml.j2"),
    ),
    (
        "jenkins-configuration.yaml.j2",
        include_str!("../../templates/jenkins-configuration.yaml.j2"),
    ),
    (
        "jenkins-controller.yaml.j2",
        include_str!("../../templates/jenkins-controller.yaml.j2"),
    ),
    (
        "jenkins-egress.yaml.j2",
        include_str!("../../templates/jenkins-egress.yaml.j2"),
    ),
    (
        "jenkins-home.sh.j2",
        include_str!("../../templates/jenkins-home.sh.j2"),
    ),
    (
        "jenkins-namespaces.yaml.j2",
        include_str!("../../templates/jenkins-namespaces.yaml.j2"),
    ),
    (
        "jenkins-plugins.sh.j2",
        include_str!("../../templates/jenkins-plugins.sh.j2"),
    ),
    (
        "jenkins-secrets.yaml.j2",
        include_str!("../../templates/jenkins-secrets.yaml.j2"),
    ),
    (
        "jenkins-services.yaml.j2",
        include_str!("../../templates/jenkins-services.yaml.j2"),
    ),
    (
        "jenkins-volumes.yaml.j2",
        include_str!("../../templates/jenkins-volumes.yaml.j2"),
    ),
    ("jenkins.yaml.j2", include_str!("../../templates/jenkins.yaml.j2")),
    (
        "kubeadm-init.yaml.j2",
        include_str!("../../templates/kubeadm-init.yaml.j2"),
    ),
    (
        "kubeadm-join.yaml.j2",
        include_str!("../../templates/kubeadm-join.yaml.j2"),
    ),
    (
        "networkd.network.j2",
        include_str!("../../templates/networkd.network.j2"),
    ),
    (
        "networkmanager.conf.j2",
        include_str!("../../templates/networkmanager.conf.j2"),
    ),
    (
        "nfs-provisioner.yaml.j2",
        include_str!("../../templates/nfs-provisioner.yaml.j2"),
    ),
    ("nfs.conf.j2", include_str!("../../templates/nfs.conf.j2")),
    ("nfs.exports.j2", include_str!("../../templates/nfs.exports.j2")),
    (
        "proxy-variables.yaml.j2",
        include_str!("../../templates/proxy-variables.yaml.j2"),
    ),
    ("proxy.conf.j2", include_str!("../../templates/proxy.conf.j2")),
    (
        "registry-ca.yaml.j2",
        include_str!("../../templates/registry-ca.yaml.j2"),
    ),
    (
        "registry-credentials.yaml.j2",
        include_str!("../../templates/registry-credentials.yaml.j2"),
    ),
    (
        "storage-class.yaml.j2",
        include_str!("../../templates/storage-class.yaml.j2"),
    ),
    ("sysctl.conf.j2", include_str!("../../templates/sysctl.conf.j2")),
];

/// A template or an expression that can't be rendered.
#[derive(Debug, thiserror::Error)]
#[error("{name}{}: {reason}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct TemplateError {
    /// Template, or the place in a playbook that the expression stands in.
    pub name: String,
    /// Line in it, where known.
    pub line: Option<usize>,
    /// What is wrong. Never a value of the context.
    pub reason: String,
}

impl TemplateError {
    fn new(name: &str, error: &minijinja::Error) -> Self {
        let mut reason = error
            .detail()
            .map_or_else(|| error.kind().to_string(), str::to_owned);
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            reason.push_str(": ");
            reason.push_str(&cause.to_string());
            source = cause.source();
        }
        Self {
            name: error.name().unwrap_or(name).to_owned(),
            line: error.line(),
            reason,
        }
    }
}

/// A set of templates.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// The built-in templates, with those of `folder` in their place where it has one of the same name.
    ///
    /// # Errors
    /// When a template can't be read or parsed.
    pub fn load(folder: Option<&Path>) -> Result<Self, TemplateError> {
        let mut texts: BTreeMap<String, String> = BUILT_IN
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        if let Some(folder) = folder {
            for name in texts.keys().cloned().collect::<Vec<_>>() {
                let path = folder.join(&name);
                if path.exists() {
                    let text = fs_err::read_to_string(&path).map_err(|error| TemplateError {
                        name: path.display().to_string(),
                        line: None,
                        reason: error.to_string(),
                    })?;
                    texts.insert(name, text);
                }
            }
        }
        Self::parse(texts)
    }

    fn parse(texts: BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // Expressions in playbooks give values and templates quote with `tojson` where it matters: one rule for all.
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build();
        environment.set_syntax(syntax.map_err(|error| TemplateError::new("syntax", &error))?);
        filters::add(&mut environment);
        for (name, text) in texts {
            environment
                .add_template_owned(name.clone(), text)
                .map_err(|error| TemplateError::new(&name, &error))?;
        }
        Ok(Self { environment })
    }

    /// The same templates, in which `reference | secret` is the text of a secret, and `user | basic_auth(password)`
    /// what HTTP and registries make of both.
    #[must_use]
    pub fn knowing(mut self, secrets: SecretValues) -> Self {
        let secrets = Arc::new(secrets);
        let known = Arc::clone(&secrets);
        self.environment
            .add_filter("secret", move |value: minijinja::Value| {
                let refused = |reason: String| minijinja::Error::new(ErrorKind::InvalidOperation, reason);
                let reference = SecretRef::deserialize(value)
                    .map_err(|_| refused("`secret` is for references to secrets only".to_owned()))?;
                let text = known.text(&reference).map(str::to_owned);
                text.ok_or_else(|| refused(format!("the secret from {reference} was not fetched")))
            });
        self.environment
            .add_filter("basic_auth", move |user: &str, password: &str| {
                secrets.basic_auth(user, password)
            });
        self
    }

    /// A template filled with values.
    ///
    /// # Errors
    /// When there is no such template or it names a value that is not there.
    pub fn render(&self, name: &str, values: &Values) -> Result<String, TemplateError> {
        let wrap = |error| TemplateError::new(name, &error);
        self.environment
            .get_template(name)
            .map_err(wrap)?
            .render(values.context())
            .map_err(wrap)
    }

    /// An expression's value.
    ///
    /// # Errors
    /// When it can't be parsed or names a value that is not there.
    pub fn evaluate(&self, place: &str, expression: &str, values: &Values) -> Result<Value, TemplateError> {
        let wrap = |error: minijinja::Error| TemplateError {
            name: place.to_owned(),
            line: None,
            ..TemplateError::new(place, &error)
        };
        let value = self
            .environment
            .compile_expression(expression)
            .map_err(wrap)?
            .eval(values.context())
            .map_err(wrap)?;
        let error = |reason: String| TemplateError {
            name: place.to_owned(),
            line: None,
            reason,
        };
        if value.is_undefined() {
            return Err(error(format!("undefined value: `{expression}`")));
        }
        serde_json::to_value(&value).map_err(|reason| error(reason.to_string()))
    }

    /// A text of a playbook: a single `{{ … }}` keeps its value's type, everything else becomes text.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn fill(&self, place: &str, text: &str, values: &Values) -> Result<Value, TemplateError> {
        let trimmed = text.trim();
        let single = trimmed
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("}}"));
        if let Some(expression) = single.filter(|inner| !inner.contains("{{")) {
            return self.evaluate(place, expression.trim(), values);
        }
        let rendered = self.environment.render_named_str(place, text, values.context());
        rendered.map(Value::String).map_err(|error| TemplateError {
            name: place.to_owned(),
            ..TemplateError::new(place, &error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn templates() -> Templates {
        Templates::load(None).unwrap_or_else(|error| unreachable!("{error}"))
    }

    #[test]
    fn a_lone_expression_keeps_its_type() {
        let values = Values::default()
            .with("n", &3)
            .with("list", &["a"])
            .with("s", &"x");
        let fill = |text: &str| templates().fill("here", text, &values).unwrap_or_default();
        assert_eq!(fill("{{ n }}"), json!(3));
        assert_eq!(fill("{{ list }}"), json!(["a"]));
        assert_eq!(fill("{{ s }}-{{ n }}"), json!("x-3"));
    }

    #[tokio::test]
    async fn secrets_come_by_their_references() {
        let secrets = crate::secret::Secrets::new(std::time::Duration::from_secs(5));
        let reference = SecretRef::Command(["echo", "hunter2"].map(str::to_owned).to_vec());
        let known = secrets.all([&reference]).await;
        let templates = templates().knowing(known.unwrap_or_else(|error| unreachable!("{error}")));
        let values = Values::default()
            .with("password", &reference)
            .with("other", &SecretRef::Env("OTHER".to_owned()));
        let fill = |text: &str| {
            let filled = templates.fill("here", text, &values);
            filled.map_or_else(|error| error.to_string(), |value| value.to_string())
        };
        let made = fill("{{ password | secret }} {{ 'robot' | basic_auth(password | secret) }}");
        assert_eq!(made, "\"hunter2 cm9ib3Q6aHVudGVyMg==\"");
        assert_eq!(secrets.redactor().redact(&made), "\"(secret) (secret)\"");
        assert!(fill("{{ other | secret }}").contains("from environment variable OTHER was not fetched"));
    }

    #[test]
    fn a_missing_value_is_an_error_that_shows_no_other_value() {
        let values = Values::default().with("password", &"hunter2");
        let error = templates()
            .fill("step `x`", "{{ pasword }} and {{ password }}", &values)
            .map(|_| ());
        let text = error.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains("pasword") && !text.contains("hunter2"), "{text}");
    }
}

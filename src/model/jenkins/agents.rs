//! Pods in which builds run.

use std::collections::BTreeMap;

use serde::Serialize;

use super::namespaces::{self, Namespaces, PodSecurity};
use super::volume::{Cache, Mount, PodVolume};
use super::{Resources, names, resources, volume};
use crate::diagnostic::Diagnostic;
use crate::inventory::{self, AgentKind};
use crate::model::check::RuleContext;
use crate::model::{code, duration, form, host, name};
use crate::yaml::Spanned;

/// Pods in which builds run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Agents {
    /// Namespaces of their pods.
    #[serde(flatten)]
    pub places: Namespaces,
    /// Those of them that are needed.
    pub namespaces: Vec<String>,
    /// Most pods at a time in each namespace.
    pub cap: u32,
    /// Image of the agent.
    pub image: String,
    /// Whether they connect through the controller's HTTP port.
    pub websocket: bool,
    /// Kinds of pods, at least one.
    pub templates: Vec<AgentTemplate>,
}

/// One kind of pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentTemplate {
    /// Its name.
    pub name: String,
    /// What it brings along; none with a template of the user's own.
    pub kind: Option<AgentKind>,
    /// The text of the user's own template.
    pub text: Option<String>,
    /// Labels by which builds ask for it.
    pub labels: Vec<String>,
    /// Image of the container that it brings along; none is the kind's usual one.
    pub image: Option<String>,
    /// `ServiceAccount` of the pod; none is the one that may do nothing.
    pub service_account: Option<String>,
    /// What that container asks for and may use.
    pub resources: Resources,
    /// Labels that its node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that don't keep it away.
    pub tolerations: Vec<Toleration>,
    /// What is mounted into its containers, as Kubernetes writes it.
    pub mounts: Vec<Mount>,
    /// What these mounts show, as Kubernetes writes it.
    pub volumes: Vec<PodVolume>,
    /// The volume that its pods share.
    pub cache: Option<Cache>,
    /// Most pods of it at a time.
    pub cap: Option<u32>,
    /// Longest time until the agent is connected, in seconds.
    pub connect_timeout: u64,
    /// How long a pod stays after its build, in minutes.
    pub idle: u64,
    /// Longest life of a pod, in seconds.
    pub deadline: Option<u64>,
    /// What its pods may do.
    pub level: PodSecurity,
    /// Namespace of its pods.
    pub namespace: String,
}

/// A taint that doesn't keep a pod away, as Kubernetes writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Toleration {
    /// Key of the taint.
    pub key: String,
    /// `Equal`, or `Exists` for any value.
    pub operator: &'static str,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Its effect; none is any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

pub(super) fn check(jenkins: &inventory::JenkinsSpec, check: &mut RuleContext<'_>) -> Option<Agents> {
    let written = &jenkins.agents;
    let places = namespaces::check(jenkins, check);
    let image = check.parse(&written.image, &code::BAD_IMAGE, "image", form::image);
    if written.cap.value == 0 || written.templates.is_empty() {
        let span = if written.cap.value == 0 {
            written.cap.span
        } else {
            written.templates.span
        };
        let problem = Diagnostic::error(
            &code::OUT_OF_RANGE,
            "no build could ever run: there would be no agents",
        );
        check.report(problem.at(span, "at least one"));
    }
    names::unique(
        "agent templates",
        written.templates.iter().map(|template| &template.name),
        check,
    );
    let templates: Vec<_> = written
        .templates
        .iter()
        .map(|one| template(one, places.as_ref(), check))
        .collect();
    let templates: Option<Vec<_>> = templates.into_iter().collect();
    let (places, templates) = (places?, templates?);
    let of_templates = templates.iter().map(|template| template.level);
    let of_images = (!jenkins.images.is_empty()).then_some(PodSecurity::Baseline);
    Some(Agents {
        namespaces: places.needed(of_templates.chain(of_images)),
        places,
        cap: written.cap.value,
        image: image?,
        websocket: written.websocket.value,
        templates,
    })
}

fn template(
    written: &inventory::AgentTemplateSpec,
    places: Option<&Namespaces>,
    check: &mut RuleContext<'_>,
) -> Option<AgentTemplate> {
    let name = check.parse(&written.name, &code::BAD_NAME, "agent name", name::label);
    let (kind, text) = source(written, check)?;
    let level = PodSecurity::of(kind, written.privileged.value);
    let labels = check.parse_all(&written.labels, &code::BAD_LABEL, "label", names::identifier);
    let image = check.parse_optional(written.image.as_ref(), &code::BAD_IMAGE, "image", form::image);
    let account = written.service_account.as_ref();
    let account = check.parse_optional(account, &code::BAD_NAME, "ServiceAccount", name::domain);
    let resources = resources::check(&written.resources, check);
    let node_selector = host::labels(&written.node_selector, |_| Ok(()), check);
    let tolerations: Vec<_> = written
        .tolerations
        .iter()
        .map(|one| toleration(one, check))
        .collect();
    let cache = check.parse_optional(
        written.cache.as_ref(),
        &code::BAD_QUANTITY,
        "size",
        form::quantity,
    );
    let connect_timeout = seconds(written.connect_timeout.as_ref(), check);
    let (idle, deadline) = (
        seconds(written.idle.as_ref(), check),
        seconds(written.deadline.as_ref(), check),
    );
    let name = name?;
    let cache = cache?.map(|size| Cache {
        claim: format!("agent-{name}-cache"),
        size,
    });
    let (mounts, volumes) = volume::check(
        &written.volumes,
        cache.as_ref(),
        level == PodSecurity::Privileged,
        check,
    )?;
    Some(AgentTemplate {
        labels: Some(labels?)
            .filter(|labels| !labels.is_empty())
            .unwrap_or_else(|| vec![name.clone()]),
        name,
        kind,
        text,
        image: image?,
        service_account: account?,
        resources: resources?,
        node_selector: node_selector?,
        tolerations: tolerations.into_iter().collect::<Option<_>>()?,
        mounts,
        volumes,
        cache,
        cap: written.cap.as_ref().map(|cap| cap.value),
        connect_timeout: connect_timeout?.unwrap_or(600),
        idle: idle?.unwrap_or(0).div_ceil(60),
        deadline: deadline?,
        level,
        namespace: places?.of(level).clone(),
    })
}

/// The kind, or the text of the user's own template.
fn source(
    written: &inventory::AgentTemplateSpec,
    check: &mut RuleContext<'_>,
) -> Option<(Option<AgentKind>, Option<String>)> {
    let title = || {
        format!(
            "the agents `{}` come from one kind, or from one file",
            written.name.value
        )
    };
    match (&written.kind, &written.file) {
        (Some(kind), None) => {
            if kind.value == AgentKind::Docker {
                check.report(
                    Diagnostic::warning(&code::DOCKER_SOCKET, "builds with the node's docker.sock are root on that node")
                        .at(kind.span, "")
                        .help("`buildkit` or `kaniko` build images without it; if you need it, set `nodeSelector` to nodes that have a Docker Engine"),
                );
            }
            Some((Some(kind.value), None))
        }
        (None, Some(file)) => {
            let content = form::file(file, check)?;
            Some((None, Some(String::from_utf8_lossy(&content).into_owned())))
        }
        (Some(kind), Some(file)) => {
            let problem = Diagnostic::error(&code::AGENT_SOURCE, title());
            check.report(problem.at(file.span, "this file").at(kind.span, "and this kind"));
            None
        }
        (None, None) => {
            let problem = Diagnostic::error(&code::AGENT_SOURCE, title());
            check.report(problem.at(written.name.span, "it has neither `kind` nor `file`"));
            None
        }
    }
}

fn toleration(written: &inventory::TolerationSpec, check: &mut RuleContext<'_>) -> Option<Toleration> {
    let owned = |text: &str| text.to_owned();
    let key = check.parse(&written.key, &code::BAD_TAINT, "taint key", |text| {
        name::qualified(text).map(|()| owned(text))
    });
    let value = check.parse_optional(written.value.as_ref(), &code::BAD_TAINT, "taint value", |text| {
        name::label_value(text).map(|()| owned(text))
    });
    let effect = check.parse_optional(
        written.effect.as_ref(),
        &code::BAD_TAINT,
        "effect of a taint",
        |text| {
            let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&text);
            known
                .then(|| owned(text))
                .ok_or_else(|| "`NoSchedule`, `PreferNoSchedule` or `NoExecute`".to_owned())
        },
    );
    Some(Toleration {
        key: key?,
        operator: if written.value.is_some() {
            "Equal"
        } else {
            "Exists"
        },
        value: value?,
        effect: effect?,
    })
}

/// Outer `None`: it is wrong, and reported. Inner `None`: it is not given.
#[expect(clippy::option_option, reason = "both kinds of absence occur")]
fn seconds(written: Option<&Spanned<String>>, check: &mut RuleContext<'_>) -> Option<Option<u64>> {
    let parse = |text: &str| duration::parse(text).map(|duration| duration.as_secs());
    check.parse_optional(written, &code::BAD_DURATION, "duration", parse)
}

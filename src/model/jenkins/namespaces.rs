//! Where pods of builds run, and what they may do there.

use serde::Serialize;

use crate::diagnostic::Diagnostic;
use crate::inventory::{self, AgentKind};
use crate::model::check::RuleContext;
use crate::model::{code, name};
use crate::yaml::Spanned;

/// A level of the Pod Security Standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PodSecurity {
    /// What an ordinary program needs.
    Restricted,
    /// Root in the container, but nothing that leads out of it.
    Baseline,
    /// Everything, also root on the node.
    Privileged,
}

impl PodSecurity {
    /// What a kind of agents needs; `privileged` is what a template of the user's own says of itself.
    pub(super) fn of(kind: Option<AgentKind>, privileged: bool) -> Self {
        match (kind, privileged) {
            (Some(AgentKind::Jnlp | AgentKind::Maven), _) | (None, false) => Self::Restricted,
            (Some(AgentKind::Kaniko), _) => Self::Baseline,
            // BuildKit runs without the profiles of seccomp and AppArmor, which only this level admits.
            (Some(AgentKind::Buildkit | AgentKind::Dind | AgentKind::Docker), _) | (None, true) => {
                Self::Privileged
            }
        }
    }
}

/// The namespaces of agents, one for each level of Pod Security.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Namespaces {
    /// Of agents that need no privileges.
    pub namespace: String,
    /// Of those that are root in their containers, and of pods that build images.
    pub builder_namespace: String,
    /// Of those whose users can become root on a node.
    pub privileged_namespace: String,
}

impl Namespaces {
    /// The namespace of this level.
    pub fn of(&self, level: PodSecurity) -> &String {
        match level {
            PodSecurity::Restricted => &self.namespace,
            PodSecurity::Baseline => &self.builder_namespace,
            PodSecurity::Privileged => &self.privileged_namespace,
        }
    }

    /// The first, and those of these levels.
    pub(super) fn needed(&self, levels: impl Iterator<Item = PodSecurity>) -> Vec<String> {
        let levels: Vec<_> = levels.collect();
        [
            PodSecurity::Restricted,
            PodSecurity::Baseline,
            PodSecurity::Privileged,
        ]
        .into_iter()
        .filter(|level| *level == PodSecurity::Restricted || levels.contains(level))
        .map(|level| self.of(level).clone())
        .collect()
    }
}

pub(super) fn check(jenkins: &inventory::JenkinsSpec, check: &mut RuleContext<'_>) -> Option<Namespaces> {
    let written = &jenkins.agents;
    let usual = |written: &Option<Spanned<String>>, suffix: &str| {
        let usual = || Spanned::from(format!("{}-{suffix}", jenkins.namespace.value));
        written.clone().unwrap_or_else(usual)
    };
    let agents = usual(&written.namespace, "agents");
    let builders = usual(&written.builder_namespace, "builders");
    let privileged = usual(&written.privileged_namespace, "privileged");
    apart([&jenkins.namespace, &agents, &builders, &privileged], check);
    let mut parse = |name: &Spanned<String>| check.parse(name, &code::BAD_NAME, "namespace", name::label);
    let (agents, builders, privileged) = (parse(&agents), parse(&builders), parse(&privileged));
    Some(Namespaces {
        namespace: agents?,
        builder_namespace: builders?,
        privileged_namespace: privileged?,
    })
}

/// Whoever may run pods in a namespace may read its Secrets and do what it admits: no two must meet.
fn apart(namespaces: [&Spanned<String>; 4], check: &mut RuleContext<'_>) {
    for (index, one) in namespaces.iter().enumerate() {
        if let Some(other) = namespaces[..index].iter().find(|other| other.value == one.value) {
            check.report(
                Diagnostic::error(
                    &code::SHARED_NAMESPACE,
                    format!("the namespace `{}` would be shared", one.value),
                )
                .at(one.span, "")
                .at(other.span, "")
                .help("builds could read the administrator's password or use privileges: give the controller, agents, builders and privileged agents a namespace each"),
            );
        }
    }
}

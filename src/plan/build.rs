//! From a valid cluster and the playbooks to tracks of steps.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cluster_resource::{ClusterKindError, DesiredResource};
use crate::model::{Cluster, Host};
use crate::playbook::{Guard, Playbook, Scope, StepText};
use crate::resource::Kind;
use crate::template::{TemplateError, Templates, Values};

use super::limit::{self, At, Limit, Limits};
use super::order;
use super::values::{fill, is_true, text};
use super::{ClusterStep, HostStep, Milestone, Place, Plan, Step, StepHead, Track};

/// Playbooks and templates: everything a plan is made of besides the cluster.
#[derive(Debug)]
pub struct Catalog {
    /// In the order of their work.
    pub playbooks: Vec<Playbook>,
    /// What their texts name.
    pub templates: Templates,
    /// Identity of the bundle that the cluster is restored from, where it is.
    pub restore: Option<String>,
}

/// Playbooks that don't make a plan. With the built-in ones this is a bug.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A text that can't be rendered.
    #[error("{origin}: step `{step}`: {reason}")]
    Template {
        /// Playbook and line.
        origin: String,
        /// The step.
        step: String,
        /// What is wrong.
        reason: TemplateError,
    },
    /// A resource that can't be made.
    #[error("{origin}: step `{step}`: {reason}")]
    Kind {
        /// Playbook and line.
        origin: String,
        /// The step.
        step: String,
        /// What is wrong.
        reason: String,
    },
    /// A word for a milestone that is none.
    #[error("{origin}: step `{step}`: there is no milestone `{word}` for it")]
    NoSuchMilestone {
        /// Playbook and line.
        origin: String,
        /// The step.
        step: String,
        /// The word.
        word: String,
    },
    /// A milestone that somebody waits for and nobody makes.
    #[error("{place}: step `{step}` waits for {milestone}, which no step provides")]
    NobodyProvides {
        /// Whose track.
        place: Place,
        /// The step.
        step: String,
        /// The milestone.
        milestone: Milestone,
    },
    /// A limit that can't be kept.
    #[error("{origin}: step `{step}`: {reason}")]
    Limit {
        /// Playbook and line.
        origin: String,
        /// The step.
        step: String,
        /// What is wrong.
        reason: String,
    },
    /// Steps that wait for each other.
    #[error("these steps wait for each other and would never start: {0}")]
    Cycle(String),
}

/// Makes the plan and checks that it can come to its end.
///
/// # Errors
/// When a playbook or template does not fit the cluster, or the milestones don't add up.
pub fn build(cluster: &Cluster, catalog: &Catalog) -> Result<Plan, PlanError> {
    let shared = Values::default()
        .with("cluster", cluster)
        .with("restore", &catalog.restore);
    let mut tracks = Vec::new();
    for host in &cluster.hosts {
        let values = shared.with("host", host);
        tracks.push(
            HostTrackBuilder {
                cluster,
                host,
                templates: &catalog.templates,
                values,
            }
            .build(&catalog.playbooks)?,
        );
    }
    let requests = |place| request_track(place, cluster, catalog, &shared);
    let registries = requests(Place::Registries)?;
    if !registries.steps.is_empty() {
        tracks.push(registries);
    }
    if cluster.first_control_plane().is_some() {
        tracks.push(requests(Place::Cluster)?);
    }
    let plan = Plan {
        cluster: cluster.name.clone(),
        limits: Limits::from_tracks(&tracks)?,
        tracks,
    };
    order::check(&plan)?;
    Ok(plan)
}

/// Builds one host's track.
struct HostTrackBuilder<'a> {
    cluster: &'a Cluster,
    host: &'a Host,
    templates: &'a Templates,
    values: Values,
}

impl HostTrackBuilder<'_> {
    fn build(mut self, playbooks: &[Playbook]) -> Result<Track, PlanError> {
        let mut track = Track {
            place: Place::Host(self.host.name.to_string()),
            steps: Vec::new(),
        };
        for playbook in playbooks {
            for (key, value) in &playbook.values {
                let filled = fill(self.templates, key, value, &self.values);
                let filled = filled
                    .map_err(|reason| template_error(&format!("value `{key}`"), "00-values.yaml", reason))?;
                self.values = self.values.with(key, &filled);
            }
            if let Scope::Hosts(condition) = &playbook.scope {
                let place = format!("hosts of {condition}");
                let chosen = self.templates.evaluate(&place, condition, &self.values);
                if is_true(&chosen.map_err(|reason| template_error("hosts", condition, reason))?) {
                    for step in &playbook.steps {
                        self.add(step, &mut track)?;
                    }
                }
            }
        }
        limit::hold_through(&mut track)?;
        Ok(track)
    }

    fn add(&self, text: &StepText, track: &mut Track) -> Result<(), PlanError> {
        for (head, fields, guard) in
            expand(text, self.templates, &self.values, Some(self.host.name.as_str()))?
        {
            if crate::cluster_resource::is_kind(&text.kind) {
                let resource = cluster_resource(text, fields, self.cluster, Some(self.host))?;
                track.steps.push(ClusterStep { head, resource }.into());
            } else {
                let resource =
                    Kind::resource(&text.kind, fields).map_err(|reason| kind_error(text, &reason))?;
                track.steps.push(Step::Host(HostStep {
                    head,
                    guard,
                    resource,
                }));
            }
        }
        Ok(())
    }
}

/// The track of the cluster or of the registries.
fn request_track(
    place: Place,
    cluster: &Cluster,
    catalog: &Catalog,
    values: &Values,
) -> Result<Track, PlanError> {
    let scope = match place {
        Place::Registries => Scope::Registries,
        _ => Scope::Cluster,
    };
    let mut track = Track {
        place,
        steps: Vec::new(),
    };
    let playbooks = catalog
        .playbooks
        .iter()
        .filter(|playbook| playbook.scope == scope);
    for step in playbooks.flat_map(|playbook| &playbook.steps) {
        for (head, fields, _) in expand(step, &catalog.templates, values, None)? {
            let resource = if scope == Scope::Registries {
                registry_resource(step, fields)?
            } else {
                cluster_resource(step, fields, cluster, None)?
            };
            track.steps.push(ClusterStep { head, resource }.into());
        }
    }
    provide_last(&mut track.steps);
    Ok(track)
}

/// A milestone that several steps make together holds after the last of them.
fn provide_last(steps: &mut [Step]) {
    let mut later = BTreeSet::new();
    for step in steps.iter_mut().rev() {
        step.head_mut()
            .provides
            .retain(|milestone| later.insert(milestone.clone()));
    }
}

/// The steps that a text stands for: none when its condition is false, one for each item of its list.
fn expand(
    step: &StepText,
    templates: &Templates,
    values: &Values,
    host: Option<&str>,
) -> Result<Vec<(StepHead, Value, Guard)>, PlanError> {
    let place = step.origin.to_string();
    let wrap = |reason| template_error(&step.name, &place, reason);
    if let Some(when) = &step.when
        && !is_true(&templates.evaluate(&place, when, values).map_err(wrap)?)
    {
        return Ok(Vec::new());
    }
    let items = match &step.each {
        None => vec![values.clone()],
        Some(each) => match templates.evaluate(&place, each, values).map_err(wrap)? {
            Value::Array(items) => items.into_iter().map(|item| values.with("item", &item)).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(key, value)| values.with("item", &json!({ "key": key, "value": value })))
                .collect(),
            other => {
                return Err(kind_error(
                    step,
                    &format!("`each` gives {other}, and a list is needed"),
                ));
            }
        },
    };
    let mut steps = Vec::new();
    for values in items {
        let head = StepHead {
            name: text(templates.fill(&place, &step.name, &values).map_err(wrap)?),
            needs: milestones(
                step,
                &words(&step.needs, templates, &place, &values).map_err(wrap)?,
                host,
            )?,
            provides: milestones(step, &step.provides, host)?,
            limit: limit(step, templates, &place, &values)?,
            origin: step.origin.clone(),
        };
        steps.push((
            head,
            fill(templates, &place, &step.fields, &values).map_err(wrap)?,
            step.guard.clone(),
        ));
    }
    Ok(steps)
}

/// Words as they are once rendered; an empty one is none, and a list stands for its items.
fn words(
    texts: &[String],
    templates: &Templates,
    place: &str,
    values: &Values,
) -> Result<Vec<String>, TemplateError> {
    let mut words = Vec::new();
    for word in texts {
        match templates.fill(place, word, values)? {
            Value::Array(items) => words.extend(items.into_iter().map(text)),
            word => words.push(text(word)),
        }
    }
    words.retain(|word| !word.is_empty());
    Ok(words)
}

fn limit(
    step: &StepText,
    templates: &Templates,
    place: &str,
    values: &Values,
) -> Result<Option<Limit>, PlanError> {
    let Some(text) = &step.limit else { return Ok(None) };
    let at = fill(templates, place, &text.at, values);
    let at = at.map_err(|reason| template_error(&step.name, place, reason))?;
    let at = At::parse(&at).map_err(|reason| kind_error(step, &reason))?;
    Ok(Some(Limit {
        group: text.group.clone(),
        at,
        breaker: text.breaker,
    }))
}

fn milestones(step: &StepText, words: &[String], host: Option<&str>) -> Result<Vec<Milestone>, PlanError> {
    let parse = |word: &String| {
        Milestone::parse(word, host).ok_or_else(|| PlanError::NoSuchMilestone {
            origin: step.origin.to_string(),
            step: step.name.clone(),
            word: word.clone(),
        })
    };
    words.iter().map(parse).collect()
}

fn cluster_resource(
    step: &StepText,
    fields: Value,
    cluster: &Cluster,
    host: Option<&Host>,
) -> Result<DesiredResource, PlanError> {
    crate::cluster_resource::resource(&step.kind, fields, cluster, host)
        .map(DesiredResource::Cluster)
        .map_err(|reason: ClusterKindError| kind_error(step, &reason))
}

fn registry_resource(step: &StepText, fields: Value) -> Result<DesiredResource, PlanError> {
    crate::cluster_resource::registry_resource(&step.kind, fields)
        .map(DesiredResource::Registry)
        .map_err(|reason: ClusterKindError| kind_error(step, &reason))
}

fn template_error(step: &str, origin: &str, reason: TemplateError) -> PlanError {
    PlanError::Template {
        origin: origin.to_owned(),
        step: step.to_owned(),
        reason,
    }
}

fn kind_error(step: &StepText, reason: &impl ToString) -> PlanError {
    PlanError::Kind {
        origin: step.origin.to_string(),
        step: step.name.clone(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests;

//! What containers ask for and may use.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::inventory;
use crate::model::check::RuleContext;
use crate::model::{code, form, name};
use crate::yaml::{Entries, Spanned};

/// What a container asks for and may use, as Kubernetes writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// Kept free for it on its node.
    pub requests: BTreeMap<String, String>,
    /// More than this it does not get.
    pub limits: BTreeMap<String, String>,
}

pub(super) fn check(written: &inventory::ResourcesSpec, check: &mut RuleContext<'_>) -> Option<Resources> {
    let requests = quantities(&written.requests, check);
    let limits = quantities(&written.limits, check);
    Some(Resources {
        requests: requests?,
        limits: limits?,
    })
}

fn quantities(
    written: &Entries<Spanned<String>>,
    check: &mut RuleContext<'_>,
) -> Option<BTreeMap<String, String>> {
    let entries: Vec<_> = written
        .iter()
        .map(|(resource, amount)| {
            let resource = check.parse(resource, &code::BAD_NAME, "resource", |text| {
                name::qualified(text).map(|()| text.to_owned())
            });
            let amount = check.parse(amount, &code::BAD_QUANTITY, "amount", form::quantity);
            Some((resource?, amount?))
        })
        .collect();
    entries.into_iter().collect()
}

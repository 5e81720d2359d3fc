//! What is in the cluster against what should be.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::call::ApiCall;
use super::client::Api;
use super::covers::{covers, leaves_behind};
use super::error::ApiError;
use super::object::{Object, ObjectId, normalised, without_bookkeeping};
use super::{MANAGER, diff};

/// Requests under way at once: each may open a connection through SSH of its own.
pub(super) const CONCURRENCY: usize = 4;

/// One object that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The object.
    pub id: ObjectId,
    /// How it differs.
    pub kind: DifferenceKind,
}

/// How an object differs from the wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DifferenceKind {
    /// It does not exist.
    Missing,
    /// It exists with other values.
    Changed {
        /// Changed fields by path with old (`-`) and new (`+`) values; nothing of a Secret's data.
        diff: String,
    },
}

impl Api {
    /// The objects that an [`Api::apply`] would create or change, in the order given. Changes nothing.
    ///
    /// An object is read first; only where its text leaves a doubt, the server is asked for a dry run, so that
    /// `0.25` against `250m` is no difference.
    pub async fn compare(&self, wanted: &[Object]) -> Result<Vec<Difference>, ApiError> {
        let ids = wanted
            .iter()
            .map(ObjectId::from_object)
            .collect::<Result<Vec<_>, _>>()?;
        let paths = self.paths(&ids).await?;
        let all = ids.into_iter().zip(paths).zip(wanted);
        // Made before they are streamed: a closure in a stream that a boxed future awaits does not compile.
        let requests: Vec<_> = all
            .map(|((id, path), wanted)| self.compare_one(id, path, wanted))
            .collect();
        let found: Vec<_> = stream::iter(requests).buffered(CONCURRENCY).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn compare_one(
        &self,
        id: ObjectId,
        path: Option<String>,
        wanted: &Object,
    ) -> Result<Option<Difference>, ApiError> {
        let kind = match path {
            // The definition of its kind is among the missing objects.
            None => Some(DifferenceKind::Missing),
            Some(path) => self
                .difference(&id, &path, &normalised(wanted))
                .await
                .map_err(|e| e.during(format_args!("compare {id}")))?,
        };
        Ok(kind.map(|kind| Difference { id, kind }))
    }

    async fn difference(
        &self,
        id: &ObjectId,
        path: &str,
        wanted: &Object,
    ) -> Result<Option<DifferenceKind>, ApiError> {
        let Some(live) = self.json_opt(ApiCall::get(path)).await? else {
            return Ok(Some(DifferenceKind::Missing));
        };
        if covers(wanted, &live) && !leaves_behind(wanted, &live) {
            return Ok(None);
        }
        let call = ApiCall::apply(
            format!("{path}?fieldManager={MANAGER}&force=true&fieldValidation=Strict&dryRun=All"),
            wanted,
        );
        let after = self.json(call).await?;
        let diff = diff::render(id, &without_bookkeeping(&live), &without_bookkeeping(&after));
        Ok((!diff.is_empty()).then_some(DifferenceKind::Changed { diff }))
    }
}

//! Whether a plan can come to its end: every milestone has its maker, and nobody waits in a circle.

use std::collections::BTreeSet;

use super::{Plan, PlanError, Track};

/// Lets all tracks run in thought: whoever is still waiting when nobody can go on would wait for ever.
pub(super) fn check(plan: &Plan) -> Result<(), PlanError> {
    let provided: BTreeSet<_> = plan
        .tracks
        .iter()
        .flat_map(Track::heads)
        .flat_map(|head| &head.provides)
        .collect();
    for track in &plan.tracks {
        for head in track.heads() {
            if let Some(milestone) = head.needs.iter().find(|milestone| !provided.contains(milestone)) {
                return Err(PlanError::NobodyProvides {
                    place: track.place.clone(),
                    step: head.name.clone(),
                    milestone: milestone.clone(),
                });
            }
        }
    }
    let mut known = BTreeSet::new();
    let mut tracks: Vec<_> = plan
        .tracks
        .iter()
        .map(|track| (&track.place, track.heads().peekable()))
        .collect();
    loop {
        let mut moved = false;
        for (_, heads) in &mut tracks {
            while let Some(head) =
                heads.next_if(|head| head.needs.iter().all(|milestone| known.contains(milestone)))
            {
                known.extend(&head.provides);
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let stuck = tracks
        .iter_mut()
        .filter_map(|(place, heads)| heads.peek().map(|head| format!("{place}: {}", head.name)));
    let stuck: Vec<_> = stuck.collect();
    if stuck.is_empty() {
        Ok(())
    } else {
        Err(PlanError::Cycle(stuck.join(", ")))
    }
}

//! Clocks: those of all hosts agree.

use crate::model::PreflightCheck;

use super::finding::Finding;
use super::round::Scene;

/// etcd warns of more, in seconds.
const NOTICED: f64 = 1.0;
/// Certificates seem not yet valid beyond it, in seconds.
const WRONG: f64 = 30.0;

/// How far each clock is from the fleet's median, as far as that can be said: the time that the answer took is taken off.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let offsets: Vec<_> = scene.offsets().collect();
    let mut middles: Vec<f64> = offsets
        .iter()
        .map(|(_, low, high)| f64::midpoint(*low, *high))
        .collect();
    middles.sort_by(f64::total_cmp);
    let Some(median) = middles.get(middles.len() / 2).copied() else {
        return Vec::new();
    };
    let judged = offsets.into_iter().filter_map(|(host, low, high)| {
        let off = (low - median).max(median - high);
        let message = format!("its clock is {off:.0} s or more from the median of all hosts");
        let help =
            "set it right (`chronyc makestep`), and see that a time service runs (`time` in the inventory)";
        if off > WRONG {
            Some(Finding::error(PreflightCheck::Clock, host, message, help))
        } else if off > NOTICED {
            Some(Finding::warning(PreflightCheck::Clock, host, message, help))
        } else {
            None
        }
    });
    judged.collect()
}

//! What Jenkins' log tells of pods that it may not make.

/// Whether the line says that the API server has not let Jenkins make a pod: a quota, a policy, or rights that it lacks.
pub fn is_refusal(line: &str) -> bool {
    line.contains(" is forbidden: ") || line.contains("exceeded quota")
}

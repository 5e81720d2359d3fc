//! What keeps nodes from being ready.

use super::event::warnings;
use super::explanation::Cause;
use super::related_objects::RelatedObjects;
use super::state::RolloutKind;
use crate::cluster_api::node::Node;

/// What is wrong with the nodes that matter: the target itself, those of its pods, and all of them while a pod has none.
pub(super) fn of_nodes(related: &RelatedObjects) -> Vec<Cause> {
    let needed = |node: &Node| match related.target.kind {
        RolloutKind::Node => node.name == related.target.name,
        _ => related
            .pods
            .iter()
            .any(|pod| match pod["spec"]["nodeName"].as_str() {
                Some(name) => name == node.name,
                None => true,
            }),
    };
    related
        .nodes
        .iter()
        .map(Node::from_node)
        .filter(needed)
        .flat_map(|node| of_node(related, &node))
        .collect()
}

fn of_node(related: &RelatedObjects, node: &Node) -> Vec<Cause> {
    let place = format!("node {}", node.name);
    let wrong = node.conditions.iter().filter(|c| match c.kind.as_str() {
        "Ready" => c.status != "True",
        // Everything else that a node reports is bad when it is true.
        _ => c.status == "True",
    });
    let mut found: Vec<_> = wrong
        .map(|c| {
            let mut cause = Cause::new(
                &place,
                format!("{} is {}: {} ({})", c.kind, c.status, c.message, c.reason),
            );
            cause.hint = node_hint(&c.kind, &c.message);
            cause
        })
        .collect();
    if let Some(first) = found.first_mut() {
        first.events = warnings(&related.events, "Node", &node.name, related.now);
    }
    found
}

fn node_hint(kind: &str, message: &str) -> Option<&'static str> {
    if kind == "DiskPressure" {
        Some("the node takes no new pods until there is more space where containers and images are kept")
    } else if kind == "MemoryPressure" {
        Some("the node takes no new pods until it has more free memory")
    } else if message.contains("cni")
        || message.contains("network plugin")
        || message.contains("NetworkPluginNotReady")
    {
        Some("the pod network is not up on this node: see the pods of its CNI plugin")
    } else if message.contains("stopped posting") {
        Some(
            "kubelet does not reach the API server: is the host up, and what does `journalctl -u kubelet` say?",
        )
    } else {
        None
    }
}

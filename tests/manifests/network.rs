//! What builds may reach.

use serde_json::Value;

use super::{INVENTORY, id, objects};

/// The egress rules of a namespace's agents.
fn egress(objects: &[Value], namespace: &str) -> Vec<Value> {
    let wanted = format!("NetworkPolicy {namespace}/jenkins-agents-egress");
    let policy = objects.iter().find(|object| id(object) == wanted).unwrap();
    assert_eq!(policy["spec"]["podSelector"], serde_json::json!({}));
    assert_eq!(policy["spec"]["policyTypes"], serde_json::json!(["Egress"]));
    policy["spec"]["egress"].as_array().unwrap().clone()
}

#[test]
fn builds_reach_a_list_of_peers() {
    let objects = objects(INVENTORY);
    for namespace in ["kube-ops-agents", "kube-ops-builders", "kube-ops-privileged"] {
        let rules = egress(&objects, namespace);
        for rule in &rules {
            let named = rule["to"]
                .as_array()
                .unwrap()
                .iter()
                .all(|peer| peer["ipBlock"].is_null());
            let ports = rule["ports"].as_array().is_some_and(|ports| !ports.is_empty());
            assert!(
                !rule["to"].as_array().unwrap().is_empty() && (named || ports),
                "{rule}"
            );
        }
        let outside = rules
            .iter()
            .find(|rule| rule["to"][0]["ipBlock"]["cidr"] == "0.0.0.0/0")
            .unwrap();
        let except = outside["to"][0]["ipBlock"]["except"].to_string();
        for address in ["169.254.0.0/16", "10.244.0.0/16", "10.0.0.11/32", "10.0.0.12/32"] {
            assert!(except.contains(address), "{namespace}: no {address} in {except}");
        }
        let ports = |address: &str| -> Vec<_> {
            let of = |rule: &&Value| {
                rule["to"]
                    .to_string()
                    .contains(&format!("\"cidr\":\"{address}\""))
            };
            let ports = rules
                .iter()
                .filter(of)
                .flat_map(|rule| rule["ports"].as_array().unwrap());
            ports.map(|port| port["port"].as_u64().unwrap()).collect()
        };
        // NodePorts; of the registries, the proxy and Jenkins, which may be on hosts; and the API server for `maven` alone.
        let mut expected = vec![30000, 30000, 80, 443, 3128, 3129, 5000];
        assert_eq!(ports("10.0.0.12/32"), expected, "{namespace}");
        expected.extend((namespace == "kube-ops-agents").then_some(6443));
        assert_eq!(ports("10.0.0.11/32"), expected, "{namespace}");
    }
}

#[test]
fn without_network_policies_there_is_none() {
    let inventory = INVENTORY.replace("jenkins:\n  images", "jenkins:\n  networkPolicy: false\n  images");
    let policies = |inventory: &str| {
        objects(inventory)
            .iter()
            .filter(|object| object["kind"] == "NetworkPolicy")
            .count()
    };
    assert_eq!((policies(INVENTORY), policies(&inventory)), (7, 0));
}

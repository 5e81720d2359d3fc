//! What builds may reach, for small inventories.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use std::path::Path;

use serde_json::{Value, json};

use crate::diagnostic::Source;
use crate::{inventory, model};

fn egress(more: &str) -> Value {
    let text = format!(
        "apiVersion: ci-bootstrap/v1
cluster: {{ name: ci, kubernetes: 1.36.4, endpoint: \"10.0.0.10:8443\" }}
ssh: {{ user: admin }}
hosts:
  - {{ name: cp1, address: 10.0.0.11, roles: [control-plane] }}
  - {{ name: w1, address: 10.0.0.12, sshAddress: 192.0.2.12, roles: [worker] }}
{more}"
    );
    of(text)
}

fn of(text: String) -> Value {
    let source = Source {
        name: "inventory.yaml".to_owned(),
        text,
    };
    let document = inventory::parse(source, Path::new("/nowhere"));
    let cluster = model::validate(&document).unwrap().cluster;
    serde_json::to_value(&cluster.egress).unwrap()
}

fn cidrs(blocks: &Value) -> Vec<&str> {
    let blocks = blocks.as_array().unwrap().iter();
    blocks.map(|block| block["cidr"].as_str().unwrap()).collect()
}

#[test]
fn outside_is_neither_a_host_nor_the_nfs_server_nor_the_cluster() {
    let egress = egress("storage: { nfs: { server: 10.0.0.50 } }\n");
    let except = json!([
        "169.254.0.0/16",
        "10.244.0.0/16",
        "10.96.0.0/16",
        "10.0.0.10/32",
        "10.0.0.11/32",
        "10.0.0.12/32",
        "10.0.0.50/32",
        "192.0.2.12/32"
    ]);
    assert_eq!(
        egress["outside"],
        json!([{"cidr": "0.0.0.0/0", "except": except}])
    );
    let hosts = ["10.0.0.10/32", "10.0.0.11/32", "10.0.0.12/32", "192.0.2.12/32"];
    assert_eq!(cidrs(&egress["hosts"]), hosts);
    assert_eq!(cidrs(&egress["apiServers"]), ["10.0.0.10/32", "10.0.0.11/32"]);
    assert_eq!(egress["apiPorts"][1]["port"], 8443);
    assert_eq!(cidrs(&egress["dns"]), ["10.96.0.10/32", "169.254.20.10/32"]);
}

#[test]
fn an_ipv6_cluster_has_ipv6_peers() {
    let egress = of("apiVersion: ci-bootstrap/v1
cluster: { name: ci, kubernetes: 1.36.4, networks: { pods: \"fd01::/112\", services: \"fd02::/112\" } }
ssh: { user: admin }
hosts: [{ name: cp1, address: \"fd00::11\", sshAddress: 192.0.2.11, roles: [control-plane] }]
storage: { nfs: { server: \"fd00::50\" } }
registries: [{ name: \"[fd00::11]:5000\" }]
"
    .to_owned());
    let except = json!([
        "fe80::/10",
        "fd01::/112",
        "fd02::/112",
        "fd00::11/128",
        "fd00::50/128"
    ]);
    assert_eq!(egress["outside"], json!([{"cidr": "::/0", "except": except}]));
    assert_eq!(cidrs(&egress["hosts"]), ["fd00::11/128"]);
    assert_eq!(egress["services"][0]["ports"][0]["port"], 5000);
}

#[test]
fn no_port_of_nfs_is_open_anywhere() {
    let open = |egress: &Value, port: u64| {
        let ranges = egress["outsidePorts"].as_array().unwrap().iter();
        let mut ranges = ranges.map(|range| (range["port"].as_u64(), range["endPort"].as_u64()));
        ranges.any(|(first, last)| first <= Some(port) && Some(port) <= last.or(first))
    };
    let usual = egress("storage: { nfs: { server: nas.example } }\n");
    for port in [1, 22, 53, 110, 112, 443, 2048, 2050, 20050, 65535] {
        assert!(open(&usual, port), "{port}");
    }
    for port in [111, 2049, 20048] {
        assert!(!open(&usual, port), "{port}");
    }
    let other = "storage: { nfs: { server: nas.example }, class: { mountOptions: [port=20490] } }\n";
    let other = egress(other);
    assert!(!open(&other, 20490) && open(&other, 20491));
}

#[test]
fn a_registry_on_a_host_is_reached_at_its_port_alone() {
    let egress = egress(
        "registries:
  - { name: \"10.0.0.12:5000\" }
  - { name: \"10.0.0.12:22\" }
  - { name: \"10.0.0.12:2049\" }
  - { name: w1, insecure: true }
  - { name: \"10.9.9.9:5000\" }
  - { name: docker.io, mirrors: [\"http://harbor.example:8080/v2/hub\"] }
proxy: { http: \"http://10.0.0.11:3128\" }
",
    );
    let found: Vec<_> = egress["services"].as_array().unwrap().iter().collect();
    let found: Vec<_> = found
        .iter()
        .map(|service| {
            let ports = service["ports"].as_array().unwrap().iter();
            let ports: Vec<_> = ports.map(|port| port["port"].as_u64().unwrap()).collect();
            (cidrs(&service["hosts"]).join(" "), ports)
        })
        .collect();
    let all = "10.0.0.10/32 10.0.0.11/32 10.0.0.12/32 192.0.2.12/32";
    assert_eq!(
        found,
        [
            (all.to_owned(), vec![443, 8080]),
            ("10.0.0.11/32".to_owned(), vec![3128]),
            ("10.0.0.12/32".to_owned(), vec![80, 443, 5000]),
        ]
    );
}

//! A manifest of the same layout as upstream's, cut to what matters here.

use serde_json::json;

use crate::cluster_api::object::Object;
use crate::model::{Calico, Dataplane, Encapsulation, Manifest, ManifestSource};

pub(super) fn calico() -> Calico {
    Calico {
        version: crate::model::Version {
            major: 3,
            minor: 32,
            patch: 1,
        },
        encapsulation: Encapsulation::VxlanCrossSubnet,
        mtu: 1400,
        block_size: 25,
        nat_outgoing: true,
        manifest: Manifest {
            source: ManifestSource::Path("calico.yaml".into()),
            sha256: String::new(),
        },
        image_registry: "harbor.example".into(),
        dataplane: Dataplane::Nftables,
        bgp: false,
    }
}

pub(super) fn manifest() -> Vec<Object> {
    let config = json!({"kind": "ConfigMap", "metadata": {"name": "calico-config"},
        "data": {"calico_backend": "bird", "veth_mtu": "0", "typha_service_name": "none",
            "cni_network_config": "{\"plugins\": [{\"type\": \"calico\", \"mtu\": __CNI_MTU__}, {\"type\": \"portmap\"}]}"}});
    let node = json!({"kind": "DaemonSet", "metadata": {"name": "calico-node"}, "spec": {"template": {"spec": {
        "initContainers": [{"name": "install-cni", "image": "upstream.example/calico/cni:v3.32.1"}],
        "containers": [{
            "name": "calico-node",
            "image": "upstream.example/calico/node:v3.32.1",
            "env": [{"name": "CALICO_IPV4POOL_IPIP", "value": "Always"}, {"name": "CALICO_IPV4POOL_VXLAN", "value": "Never"}],
            "livenessProbe": {"exec": {"command": ["/bin/calico-node", "-felix-live", "-bird-live"]}},
            "readinessProbe": {"exec": {"command": ["/bin/calico-node", "-felix-ready", "-bird-ready"]}},
        }],
    }}}});
    vec![config, node]
}

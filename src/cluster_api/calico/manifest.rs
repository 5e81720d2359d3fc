//! The release manifest with the inventory's settings; pure.

use ipnet::IpNet;
use serde_json::{Value, json};

use super::CalicoError;
use crate::cluster_api::object::Object;
use crate::model::{Calico, Dataplane, Encapsulation};

/// Puts the settings into the objects of `calico.yaml` or `calico-vxlan.yaml`; `pods` is the pod network.
///
/// Either manifest can be given whatever the encapsulation: what distinguishes them is set.
pub fn customise(mut objects: Vec<Object>, calico: &Calico, pods: IpNet) -> Result<Vec<Object>, CalicoError> {
    if !matches!(pods, IpNet::V4(_)) {
        return Err(CalicoError::NotIpv4(pods));
    }
    set_config(&mut objects, calico)?;
    let node = object(&mut objects, "DaemonSet", "calico-node")?;
    let container = node["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .and_then(|all| all.iter_mut().find(|c| c["name"] == "calico-node"))
        .ok_or_else(|| missing("container calico-node in DaemonSet calico-node"))?;
    check_release(container, calico)?;
    set_environment(container, calico, pods)?;
    set_probes(container, calico)?;
    for object in &mut objects {
        set_registry(object, &calico.image_registry);
    }
    Ok(objects)
}

fn missing(what: impl Into<String>) -> CalicoError {
    CalicoError::Layout { missing: what.into() }
}

fn object<'a>(objects: &'a mut [Object], kind: &str, name: &str) -> Result<&'a mut Object, CalicoError> {
    objects
        .iter_mut()
        .find(|o| o["kind"] == kind && o["metadata"]["name"] == name)
        .ok_or_else(|| missing(format!("{kind} {name}")))
}

fn set_config(objects: &mut [Object], calico: &Calico) -> Result<(), CalicoError> {
    let data = object(objects, "ConfigMap", "calico-config")?["data"].as_object_mut();
    let data = data.ok_or_else(|| missing("data in ConfigMap calico-config"))?;
    let backend = if calico.bgp { "bird" } else { "vxlan" };
    for (key, value) in [
        ("calico_backend", backend.to_owned()),
        ("veth_mtu", calico.mtu.to_string()),
    ] {
        let slot = data.get_mut(key);
        *slot.ok_or_else(|| missing(format!("{key} in ConfigMap calico-config")))? = value.into();
    }
    let network = data.get_mut("cni_network_config");
    let network = network.ok_or_else(|| missing("cni_network_config in ConfigMap calico-config"))?;
    *network = with_mtu_file(network.as_str().unwrap_or_default())?.into();
    Ok(())
}

/// The CNI configuration, with a plugin that waits for the file in which calico-node writes the MTU: without it, a pod that is made
/// a moment too early has 1500 over a smaller tunnel. The text is no JSON before its placeholders are filled in.
fn with_mtu_file(network: &str) -> Result<String, CalicoError> {
    const PLUGIN: &str = "\"type\": \"calico\",";
    const WAITS: &str = "\"require_mtu_file\": true,";
    if network.contains("\"require_mtu_file\"") {
        return Ok(network.to_owned());
    }
    let (before, after) = network
        .split_once(PLUGIN)
        .ok_or_else(|| missing("plugin calico in cni_network_config"))?;
    Ok(format!("{before}{PLUGIN} {WAITS}{after}"))
}

fn check_release(container: &Value, calico: &Calico) -> Result<(), CalicoError> {
    let image = container["image"].as_str().unwrap_or_default();
    let found = image.rsplit_once(":v").map_or(image, |(_, tag)| tag);
    let wanted = calico.version.to_string();
    if found == wanted {
        return Ok(());
    }
    Err(CalicoError::OtherRelease {
        found: found.to_owned(),
        wanted,
    })
}

/// Modes of the pool: (`ipipMode`, `vxlanMode`).
pub(super) fn modes(encapsulation: Encapsulation) -> (&'static str, &'static str) {
    match encapsulation {
        Encapsulation::Vxlan => ("Never", "Always"),
        Encapsulation::VxlanCrossSubnet => ("Never", "CrossSubnet"),
        Encapsulation::Ipip => ("Always", "Never"),
        Encapsulation::IpipCrossSubnet => ("CrossSubnet", "Never"),
        Encapsulation::None => ("Never", "Never"),
    }
}

fn set_environment(container: &mut Value, calico: &Calico, pods: IpNet) -> Result<(), CalicoError> {
    let environment = container["env"].as_array_mut();
    let environment = environment.ok_or_else(|| missing("environment of container calico-node"))?;
    let (ipip, vxlan) = modes(calico.encapsulation);
    let nftables = if calico.dataplane == Dataplane::Nftables {
        "Enabled"
    } else {
        "Disabled"
    };
    let settings = [
        ("CALICO_IPV4POOL_CIDR", pods.to_string()),
        ("CALICO_IPV4POOL_IPIP", ipip.to_owned()),
        ("CALICO_IPV4POOL_VXLAN", vxlan.to_owned()),
        ("CALICO_IPV4POOL_BLOCK_SIZE", calico.block_size.to_string()),
        ("CALICO_IPV4POOL_NAT_OUTGOING", calico.nat_outgoing.to_string()),
        ("FELIX_NFTABLESMODE", nftables.to_owned()),
        // The address that kubelet was given: with several interfaces the first one found may be another.
        ("IP_AUTODETECTION_METHOD", "kubernetes-internal-ip".to_owned()),
    ];
    for (name, value) in settings {
        let entry = json!({"name": name, "value": value});
        match environment.iter_mut().find(|e| e["name"] == name) {
            Some(old) => *old = entry,
            None => environment.push(entry),
        }
    }
    Ok(())
}

/// Without BGP there is no BIRD, and a probe of it would never succeed.
fn set_probes(container: &mut Value, calico: &Calico) -> Result<(), CalicoError> {
    for (probe, check) in [("livenessProbe", "-bird-live"), ("readinessProbe", "-bird-ready")] {
        let command = container[probe]["exec"]["command"].as_array_mut();
        let command = command.ok_or_else(|| missing(format!("{probe} of container calico-node")))?;
        command.retain(|argument| argument != check);
        if calico.bgp {
            command.push(check.into());
        }
    }
    Ok(())
}

fn set_registry(object: &mut Object, registry: &str) {
    // Not by index: that would put empty fields into objects which have no pods.
    for list in [
        "/spec/template/spec/initContainers",
        "/spec/template/spec/containers",
    ] {
        let containers = object.pointer_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            if let Some(image) = container["image"].as_str() {
                container["image"] = in_registry(image, registry).into();
            }
        }
    }
}

/// The image's path in another registry. The first part names a registry if it looks like a host.
fn in_registry(image: &str, registry: &str) -> String {
    let path = match image.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path,
        _ => image,
    };
    format!("{}/{path}", registry.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use super::*;
    use crate::cluster_api::calico::tests::{calico, manifest};

    fn pods() -> IpNet {
        "10.244.0.0/16".parse().unwrap()
    }

    fn node(objects: &[Object]) -> &Value {
        let node = objects.iter().find(|o| o["kind"] == "DaemonSet").unwrap();
        &node["spec"]["template"]["spec"]
    }

    fn variable(objects: &[Object], name: &str) -> Vec<String> {
        let all = node(objects)["containers"][0]["env"].as_array().unwrap();
        let named = all.iter().filter(|e| e["name"] == name);
        named.map(|e| e["value"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn vxlan_needs_no_bird() {
        let objects = customise(manifest(), &calico(), pods()).unwrap();
        let network = "{\"plugins\": [{\"type\": \"calico\", \"require_mtu_file\": true, \"mtu\": __CNI_MTU__}, {\"type\": \"portmap\"}]}";
        assert_eq!(
            objects[0]["data"],
            json!({"calico_backend": "vxlan", "veth_mtu": "1400", "typha_service_name": "none", "cni_network_config": network})
        );
        assert_eq!(variable(&objects, "CALICO_IPV4POOL_IPIP"), ["Never"]);
        assert_eq!(variable(&objects, "CALICO_IPV4POOL_VXLAN"), ["CrossSubnet"]);
        assert_eq!(variable(&objects, "CALICO_IPV4POOL_CIDR"), ["10.244.0.0/16"]);
        assert_eq!(variable(&objects, "CALICO_IPV4POOL_BLOCK_SIZE"), ["25"]);
        assert_eq!(variable(&objects, "CALICO_IPV4POOL_NAT_OUTGOING"), ["true"]);
        assert_eq!(variable(&objects, "FELIX_NFTABLESMODE"), ["Enabled"]);
        assert_eq!(
            variable(&objects, "IP_AUTODETECTION_METHOD"),
            ["kubernetes-internal-ip"]
        );
        let container = &node(&objects)["containers"][0];
        assert_eq!(
            container["livenessProbe"]["exec"]["command"],
            json!(["/bin/calico-node", "-felix-live"])
        );
        assert_eq!(
            container["readinessProbe"]["exec"]["command"],
            json!(["/bin/calico-node", "-felix-ready"])
        );
    }

    #[test]
    fn ipip_brings_bird_back() {
        let wanted = Calico {
            encapsulation: Encapsulation::IpipCrossSubnet,
            bgp: true,
            dataplane: Dataplane::Iptables,
            ..calico()
        };
        let without_bird = customise(manifest(), &calico(), pods()).unwrap();
        let wanted = Calico {
            image_registry: "registry.example:5000/mirror/".into(),
            ..wanted
        };
        let objects = customise(without_bird, &wanted, pods()).unwrap();
        assert_eq!(objects[0]["data"]["calico_backend"], "bird");
        assert_eq!(variable(&objects, "CALICO_IPV4POOL_IPIP"), ["CrossSubnet"]);
        assert_eq!(variable(&objects, "CALICO_IPV4POOL_VXLAN"), ["Never"]);
        assert_eq!(variable(&objects, "FELIX_NFTABLESMODE"), ["Disabled"]);
        let probe = &node(&objects)["containers"][0]["readinessProbe"]["exec"]["command"];
        assert_eq!(*probe, json!(["/bin/calico-node", "-felix-ready", "-bird-ready"]));
    }

    #[test]
    fn every_image_comes_from_the_registry() {
        let objects = customise(manifest(), &calico(), pods()).unwrap();
        assert_eq!(
            node(&objects)["initContainers"][0]["image"],
            "harbor.example/calico/cni:v3.32.1"
        );
        assert_eq!(
            node(&objects)["containers"][0]["image"],
            "harbor.example/calico/node:v3.32.1"
        );
        assert_eq!(
            in_registry("calico/node:v1", "a.example"),
            "a.example/calico/node:v1"
        );
        assert_eq!(
            in_registry("b.example:5000/calico/node:v1", "a.example/x"),
            "a.example/x/calico/node:v1"
        );
    }

    #[test]
    fn objects_without_pods_stay_as_they_are() {
        let account = json!({"kind": "ServiceAccount", "metadata": {"name": "calico-node"}});
        let mut objects = manifest();
        objects.push(account.clone());
        assert_eq!(
            customise(objects, &calico(), pods()).unwrap().pop(),
            Some(account)
        );
    }

    #[test]
    fn setting_twice_is_setting_once() {
        let once = customise(manifest(), &calico(), pods()).unwrap();
        assert_eq!(customise(once.clone(), &calico(), pods()).unwrap(), once);
    }

    #[test]
    fn what_is_no_calico_manifest_is_refused() {
        let text = |objects: Vec<Object>| customise(objects, &calico(), pods()).unwrap_err().to_string();
        assert!(text(vec![]).starts_with("the manifest has no ConfigMap calico-config"));
        let mut other = manifest();
        other[0]["data"]["cni_network_config"] = "{}".into();
        assert!(text(other).contains("no plugin calico in cni_network_config"));
        let mut other = manifest();
        other[1]["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] = Value::Null;
        assert!(text(other).contains("no livenessProbe of container calico-node"));
        let mut other = manifest();
        other[1]["spec"]["template"]["spec"]["containers"][0]["image"] =
            "upstream.example/calico/node:v3.31.2".into();
        assert!(text(other).contains("of Calico 3.31.2, and the inventory says 3.32.1"));
    }
}

//! The address pool that Calico made at its first start, and that the manifest no longer changes.

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::CalicoError;
use super::manifest::modes;
use crate::cluster_api::MANAGER;
use crate::cluster_api::call::ApiCall;
use crate::cluster_api::client::Api;
use crate::model::Calico;

const POOL: &str = "default-ipv4-ippool";

impl Api {
    /// What [`Api::apply_pool`] would change, a line each; nothing while there is no pool, since Calico will make it as
    /// the manifest says. Fails where the pool can't become what the inventory asks for.
    pub async fn compare_pool(&self, calico: &Calico, pods: IpNet) -> Result<Vec<String>, CalicoError> {
        let Some(live) = self.pool().await? else {
            return Ok(Vec::new());
        };
        let changes = changes(&live, calico, pods)?;
        Ok(changes
            .iter()
            .map(|(field, value)| line(&live, field, value))
            .collect())
    }

    /// Gives the live pool the inventory's encapsulation and NAT; returns what was different.
    pub async fn apply_pool(&self, calico: &Calico, pods: IpNet) -> Result<Vec<String>, CalicoError> {
        let Some(live) = self.pool().await? else {
            return Ok(Vec::new());
        };
        let changes = changes(&live, calico, pods)?;
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let call = ApiCall::merge(
            format!("{}?fieldManager={MANAGER}", path()),
            &json!({"spec": changes}),
        );
        let answer = self.text(call).await;
        answer.map_err(|e| e.during(format_args!("change IPPool {POOL}")))?;
        Ok(changes
            .iter()
            .map(|(field, value)| line(&live, field, value))
            .collect())
    }

    async fn pool(&self) -> Result<Option<Value>, CalicoError> {
        let pool = self.json_opt(ApiCall::get(path())).await;
        Ok(pool.map_err(|e| e.during(format_args!("read IPPool {POOL}")))?)
    }
}

fn path() -> String {
    format!("/apis/crd.projectcalico.org/v1/ippools/{POOL}")
}

fn line(live: &Value, field: &str, value: &Value) -> String {
    format!("IPPool {POOL}: {field}: {} becomes {value}", live["spec"][field])
}

/// The fields of the pool's spec that must change.
fn changes(live: &Value, calico: &Calico, pods: IpNet) -> Result<Map<String, Value>, CalicoError> {
    let spec = &live["spec"];
    fixed("cidr", &spec["cidr"], &json!(pods.to_string()))?;
    fixed("blockSize", &spec["blockSize"], &json!(calico.block_size))?;
    let (ipip, vxlan) = modes(calico.encapsulation);
    // What is absent has the value that Calico takes then.
    let wanted = [
        ("ipipMode", json!("Never"), json!(ipip)),
        ("vxlanMode", json!("Never"), json!(vxlan)),
        ("natOutgoing", json!(false), json!(calico.nat_outgoing)),
    ];
    let differs = |field: &str, default: &Value, wanted: &Value| {
        let live = if spec[field].is_null() {
            default
        } else {
            &spec[field]
        };
        live != wanted
    };
    let differing = wanted
        .into_iter()
        .filter(|(field, default, wanted)| differs(field, default, wanted));
    Ok(differing
        .map(|(field, _, wanted)| (field.to_owned(), wanted))
        .collect())
}

fn fixed(field: &'static str, live: &Value, wanted: &Value) -> Result<(), CalicoError> {
    if live == wanted {
        return Ok(());
    }
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Err(CalicoError::PoolIsFixed {
        pool: POOL.to_owned(),
        field,
        live: plain(live),
        wanted: plain(wanted),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use super::*;
    use crate::cluster_api::calico::tests::calico;

    fn pool(spec: &Value) -> Value {
        let mut live = json!({"spec": {"cidr": "10.244.0.0/16", "blockSize": 25, "vxlanMode": "CrossSubnet", "natOutgoing": true}});
        for (key, value) in spec.as_object().unwrap() {
            live["spec"][key] = value.clone();
        }
        live
    }

    fn seen(spec: &Value) -> Result<Value, String> {
        let changes = changes(&pool(spec), &calico(), "10.244.0.0/16".parse().unwrap());
        changes.map(Value::Object).map_err(|e| e.to_string())
    }

    #[test]
    fn only_what_differs_is_changed() {
        assert_eq!(seen(&json!({})), Ok(json!({})));
        let other = json!({"ipipMode": "Always", "vxlanMode": "Never", "natOutgoing": null});
        assert_eq!(
            seen(&other),
            Ok(json!({"ipipMode": "Never", "vxlanMode": "CrossSubnet", "natOutgoing": true}))
        );
    }

    #[test]
    fn what_pods_stand_on_is_refused_with_a_way_out() {
        let error = seen(&json!({"cidr": "192.168.0.0/16"})).unwrap_err();
        assert!(
            error.contains("has cidr 192.168.0.0/16, and the inventory says 10.244.0.0/16"),
            "{error}"
        );
        assert!(error.contains("Put 192.168.0.0/16 back"), "{error}");
        let error = seen(&json!({"blockSize": 26})).unwrap_err();
        assert!(
            error.contains("has blockSize 26, and the inventory says 25"),
            "{error}"
        );
    }
}

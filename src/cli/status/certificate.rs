//! Certificates of the control planes, as kubeadm knows them.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::fleet::Fleet;
use crate::model::Cluster;
use crate::transport::Script;

/// Certificates are reported from this many days before their end.
const SOON: i64 = 30;
const LIMIT: Duration = Duration::from_secs(60);

/// One certificate of one control plane.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Certificate {
    pub(super) host: String,
    pub(super) name: String,
    /// RFC 3339.
    expires: String,
    pub(super) days_left: i64,
}

impl Certificate {
    /// Whether it is time to renew it.
    pub(super) fn ends_soon(&self) -> bool {
        self.days_left < SOON
    }
}

/// What kubeadm says about the certificates of each control plane.
pub(super) async fn all(fleet: &Fleet, cluster: &Cluster) -> Vec<Certificate> {
    let of = |host: String| async move {
        let output = match fleet.host(&host).await {
            Ok(connection) => {
                connection
                    .exec(Script::new(
                        "kubeadm certs check-expiration -o json 2>/dev/null\n",
                        LIMIT,
                    ))
                    .await
            }
            Err(error) => Err(error),
        };
        // A host that does not answer is reported with the others' drift.
        let text = output.map(|output| output.stdout).unwrap_or_default();
        read(&host, &serde_json::from_slice(&text).unwrap_or_default())
    };
    let asked = cluster.control_planes().map(|host| of(host.name.to_string()));
    futures::future::join_all(asked)
        .await
        .into_iter()
        .flatten()
        .collect()
}

fn read(host: &str, answer: &Value) -> Vec<Certificate> {
    let all = ["certificates", "certificateAuthorities"]
        .into_iter()
        .filter_map(|key| answer[key].as_array())
        .flatten();
    let read = |certificate: &Value| {
        let expires = certificate["expirationDate"].as_str()?;
        let end: jiff::Timestamp = expires.parse().ok()?;
        let days_left = (end - jiff::Timestamp::now())
            .total(jiff::Unit::Hour)
            .map_or(0.0, |hours| hours / 24.0);
        #[expect(clippy::cast_possible_truncation, reason = "days fit by far")]
        let days_left = days_left.floor() as i64;
        let name = certificate["name"].as_str()?.to_owned();
        Some(Certificate {
            host: host.to_owned(),
            name,
            expires: expires.to_owned(),
            days_left,
        })
    };
    all.filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn certificates_are_read_as_kubeadm_tells_them() {
        let answer = json!({"certificates": [{"name": "apiserver", "expirationDate": "2020-01-01T00:00:00Z"}],
            "certificateAuthorities": [{"name": "ca", "expirationDate": "2990-01-01T00:00:00Z"}]});
        let found = read("cp1", &answer);
        assert_eq!(
            found
                .iter()
                .map(|c| (c.name.as_str(), c.ends_soon()))
                .collect::<Vec<_>>(),
            [("apiserver", true), ("ca", false)]
        );
        assert!(read("cp1", &Value::Null).is_empty());
    }
}

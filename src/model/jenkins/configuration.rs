//! What of the configuration as code can be checked without a Jenkins.

use serde_json::{Map, Value};

use crate::diagnostic::Diagnostic;
use crate::model::check::RuleContext;
use crate::model::code;
use crate::yaml::Spanned;

/// Keys below `jenkins` whose values are whole numbers.
const NUMBERS: [&str; 14] = [
    "activeDeadlineSeconds",
    "connectTimeout",
    "containerCap",
    "idleMinutes",
    "instanceCap",
    "maxRequestsPerHost",
    "numExecutors",
    "quietPeriod",
    "readTimeout",
    "retentionTimeout",
    "scmCheckoutRetryCount",
    "slaveAgentPort",
    "slaveConnectTimeout",
    "waitForPodSec",
];

/// Keys below `jenkins` whose values are true or false.
const TRUTHS: [&str; 12] = [
    "allowAnonymousRead",
    "allowsSignup",
    "directConnection",
    "disableRememberMe",
    "enableCaptcha",
    "excludeClientIPFromCrumb",
    "hostNetwork",
    "noUsageStatistics",
    "restrictedPssSecurityContext",
    "showRawYaml",
    "skipTlsVerify",
    "usageRestricted",
];

/// Reports values of a wrong type: Jenkins' own check lets them pass, and takes them for 0 or false.
pub(super) fn check(written: &Spanned<Map<String, Value>>, check: &mut RuleContext<'_>) {
    let Some(jenkins) = written.value.get("jenkins") else {
        return;
    };
    let mut found = Vec::new();
    wrong_types("jenkins", jenkins, &mut found);
    for problem in found {
        check.report(
            Diagnostic::error(&code::CONFIGURATION_TYPE, problem).at(written.span, "in this configuration"),
        );
    }
}

fn wrong_types(path: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = format!("{path}.{key}");
                found.extend(wrong_type(&path, key, value));
                wrong_types(&path, value, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                wrong_types(&format!("{path}[{index}]"), item, found);
            }
        }
        _ => {}
    }
}

/// What is wrong with the value of a key that is known; variables are filled in only in Jenkins.
fn wrong_type(path: &str, key: &str, value: &Value) -> Option<String> {
    let text = value.as_str();
    if value.is_null() || text.is_some_and(|text| text.contains("${")) {
        return None;
    }
    let number = || value.is_i64() || text.is_some_and(|text| text.trim().parse::<i64>().is_ok());
    let truth = || value.is_boolean() || text.is_some_and(|text| ["true", "false"].contains(&text));
    if NUMBERS.contains(&key) && !number() {
        return Some(format!("`{path}` is {value}, and must be a whole number"));
    }
    if TRUTHS.contains(&key) && !truth() {
        return Some(format!("`{path}` is {value}, and must be true or false"));
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        wrong_types("jenkins", value, &mut found);
        found
    }

    #[test]
    fn what_jenkins_would_take_for_0_or_false_is_named() {
        let wrong = json!({"numExecutors": "many", "quietPeriod": 1.5, "noUsageStatistics": "yes",
            "clouds": [{"kubernetes": {"readTimeout": "15s"}}]});
        assert_eq!(
            found(&wrong),
            [
                "`jenkins.numExecutors` is \"many\", and must be a whole number",
                "`jenkins.quietPeriod` is 1.5, and must be a whole number",
                "`jenkins.noUsageStatistics` is \"yes\", and must be true or false",
                "`jenkins.clouds[0].kubernetes.readTimeout` is \"15s\", and must be a whole number",
            ]
        );
    }

    #[test]
    fn texts_of_numbers_variables_and_nothing_pass() {
        let right = json!({"numExecutors": "2", "quietPeriod": "${QUIET:-5}", "slaveAgentPort": -1, "noUsageStatistics": true,
            "securityRealm": {"local": null, "ldap": {"configurations": [{"server": "x"}]}}, "scmCheckoutRetryCount": null});
        assert_eq!(found(&right), [""; 0]);
    }
}

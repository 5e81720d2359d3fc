#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use serde_json::{Value, json};

use super::*;

fn sum(byte: u8) -> String {
    BASE64.encode([byte; 32])
}

fn dependency(name: &str, version: &str, optional: bool) -> Value {
    json!({"name": name, "version": version, "optional": optional})
}

fn release(byte: u8, core: &str, dependencies: &[Value]) -> Value {
    json!({"sha256": sum(byte), "requiredCore": core, "dependencies": dependencies})
}

fn site() -> UpdateSiteMetadata {
    let versions = json!({"plugins": {
        "git": {"5.10": release(1, "2.479.3", &[dependency("scm-api", "700", false), dependency("matrix-auth", "3.2", true)])},
        "job": {"2.0": release(2, "2.479.3", &[dependency("scm-api", "710", false)])},
        "scm-api": {
            "700": release(3, "2.400", &[]),
            "710": release(4, "2.400", &[dependency("structs", "300", false)]),
            "720": release(5, "2.600", &[])},
        "structs": {"300": release(6, "2.400", &[])},
        "matrix-auth": {"3.1": release(7, "2.400", &[])},
        "bare": {"1": {"requiredCore": "2.1"}},
    }});
    let center = json!({
        "plugins": {"newest": {"version": "9", "sha256": sum(9), "requiredCore": "2.1", "dependencies": []}},
        "warnings": [
            {"id": "SECURITY-1", "type": "plugin", "name": "git", "message": "reads files", "url": "https://x/1",
             "versions": [{"lastVersion": "5.9", "pattern": "5[.][0-9]"}, {"lastVersion": "5.10", "pattern": "5[.]10(|[.-].*)"}]},
            {"id": "SECURITY-2", "type": "plugin", "name": "git", "versions": [{"pattern": "5[.]1"}]},
            {"id": "SECURITY-3", "type": "core", "name": "git", "versions": [{"pattern": ".*"}]},
            {"id": "SECURITY-4", "type": "plugin", "name": "job", "versions": [{"pattern": "(?!1)2.*"}]}]});
    let center = format!("updateCenter.post(\n{center}\n);");
    UpdateSiteMetadata::parse(center.as_bytes(), versions.to_string().as_bytes()).unwrap()
}

fn list(plugins: &[(&str, &str)]) -> BTreeMap<String, String> {
    plugins
        .iter()
        .map(|(name, version)| ((*name).to_owned(), (*version).to_owned()))
        .collect()
}

fn resolved(plugins: &[(&str, &str)], jenkins: &str) -> Result<Vec<String>, Vec<String>> {
    let locked = resolve(&site(), &list(plugins), jenkins)?;
    Ok(locked
        .into_iter()
        .map(|one| format!("{}:{}:{}", one.name, one.version, &one.sha256[..4]))
        .collect())
}

#[test]
fn dependencies_come_at_the_lowest_version_that_all_take() {
    assert_eq!(
        resolved(&[("git", "5.10")], "2.568.2").unwrap(),
        ["git:5.10:0101", "scm-api:700:0303"],
        "what is optional is left out"
    );
    assert_eq!(
        resolved(&[("git", "5.10"), ("job", "2.0"), ("newest", "9")], "2.568.2").unwrap(),
        [
            "git:5.10:0101",
            "job:2.0:0202",
            "newest:9:0909",
            "scm-api:710:0404",
            "structs:300:0606"
        ]
    );
}

#[test]
fn what_does_not_fit_is_named() {
    assert_eq!(
        resolved(
            &[
                ("git", "5.10"),
                ("scm-api", "720"),
                ("matrix-auth", "3.1"),
                ("bare", "1"),
                ("x", "1")
            ],
            "2.479.1"
        )
        .unwrap_err(),
        [
            "the update site knows no SHA-256 of bare 1",
            "git 5.10 needs Jenkins 2.479.3 or later, and this is 2.479.1",
            "git 5.10 needs matrix-auth 3.2 or later, and 3.1 is listed",
            "scm-api 720 needs Jenkins 2.600 or later, and this is 2.479.1",
            "the update site has no x 1",
        ]
    );
}

#[test]
fn warnings_are_those_of_the_version() {
    let site = site();
    let ids = |name: &str, version: &str| -> Vec<String> {
        site.warnings(name, version).map(|one| one.id.clone()).collect()
    };
    assert_eq!(ids("git", "5.10"), ["SECURITY-1"]);
    assert_eq!(ids("git", "5.10.1"), ["SECURITY-1"]);
    assert_eq!(ids("git", "5.11"), [""; 0]);
    assert_eq!(ids("job", "2.0"), ["SECURITY-4"], "a pattern that can't be read");
}

#[test]
fn other_files_are_no_metadata() {
    for (center, versions) in [
        ("{}", ""),
        ("<html>", r#"{"plugins": {}}"#),
        ("{}", r#"{"plugins": {"git": [1]}}"#),
    ] {
        assert!(
            UpdateSiteMetadata::parse(center.as_bytes(), versions.as_bytes()).is_err(),
            "{center} {versions}"
        );
    }
}

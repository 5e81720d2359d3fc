//! `plugins lock` against an update site on loopback: the file that it prints is one that the inventory takes.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

/// SHA-256 of nothing, in base64 and in hexadecimal digits.
const SUM: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const DIGITS: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Serves the two files of an update site; anything else is not there.
fn site(center: String, versions: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut request = String::new();
            reader.read_line(&mut request).unwrap();
            let mut line = request.clone();
            while !line.trim().is_empty() {
                line.clear();
                reader.read_line(&mut line).unwrap();
            }
            let (status, body) = match request.split(' ').nth(1) {
                Some("/update-center.json") => ("200 OK", center.as_str()),
                Some("/current/plugin-versions.json") => ("200 OK", versions.as_str()),
                _ => ("404 Not Found", ""),
            };
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .unwrap();
        }
    });
    address
}

/// A site with the plugins without which there is no Jenkins, and one that they need.
fn jenkins_site(warnings: &serde_json::Value) -> String {
    let release =
        |dependencies| json!({"1.5": {"sha256": SUM, "requiredCore": "2.500", "dependencies": dependencies}});
    let versions = json!({"plugins": {
        "configuration-as-code": release(json!([{"name": "snakeyaml-api", "version": "1.5", "optional": false}])),
        "kubernetes": release(json!([])), "workflow-aggregator": release(json!([])), "snakeyaml-api": release(json!([]))}});
    site(json!({"warnings": warnings}).to_string(), versions.to_string())
}

fn write_inventory(folder: &Path, site: &str, plugins: &str) {
    let text = format!(
        "apiVersion: ci-bootstrap/v1\ncluster: {{ name: ci, kubernetes: 1.36.4 }}\nssh: {{ user: root }}\n\
         hosts: [{{ name: cp1, address: 10.0.0.11, roles: [control-plane, worker] }}]\n\
         jenkins: {{ plugins: {{ updateSite: {{ metadata: \"{site}/update-center.json\" }}, defaults: false, {plugins} }} }}\n"
    );
    fs_err::write(folder.join("inventory.yaml"), text).unwrap();
}

fn ci_bootstrap(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ci-bootstrap"));
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder).output().unwrap()
}

const PINS: &str =
    "pins: { configuration-as-code: \"1.5\", kubernetes: \"1.5\", workflow-aggregator: \"1.5\" }";

#[test]
fn what_is_locked_is_what_the_inventory_takes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let site = jenkins_site(&json!([]));
    write_inventory(folder, &site, PINS);
    let locked = ci_bootstrap(folder, &["plugins", "lock"]);
    assert!(locked.status.success(), "{locked:?}");
    let text = String::from_utf8(locked.stdout).unwrap();
    assert!(
        text.contains(&format!(
            "\"snakeyaml-api\": {{ version: \"1.5\", sha256: \"{DIGITS}\" }}"
        )),
        "{text}"
    );

    fs_err::write(folder.join("plugins.lock.yaml"), &text).unwrap();
    write_inventory(folder, &site, &format!("{PINS}, lock: plugins.lock.yaml"));
    for arguments in [&["check"][..], &["plugins", "lock", "--check"]] {
        let output = ci_bootstrap(folder, arguments);
        assert!(output.status.success(), "{output:?}");
    }

    // Another version in the list: `check` refuses the file, and it can be made again all the same.
    let newer = PINS.replace("kubernetes: \"1.5\"", "kubernetes: \"1.6\"");
    write_inventory(folder, &site, &format!("{newer}, lock: plugins.lock.yaml"));
    let stale = ci_bootstrap(folder, &["check"]);
    let said = String::from_utf8_lossy(&stale.stderr).into_owned() + &String::from_utf8_lossy(&stale.stdout);
    assert_eq!(stale.status.code(), Some(2), "{stale:?}");
    assert!(said.contains("kubernetes is 1.5, and 1.6 is listed"), "{said}");
    let unknown = ci_bootstrap(folder, &["plugins", "lock"]);
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert!(
        said.contains("the update site has no kubernetes 1.6") && unknown.stdout.is_empty(),
        "{said}"
    );
}

#[test]
fn a_pinned_plugin_with_a_security_warning_fails_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let warning = json!([{"id": "SECURITY-7", "type": "plugin", "name": "kubernetes", "message": "reads files",
        "url": "https://www.jenkins.io/security/7", "versions": [{"lastVersion": "1.5", "pattern": "1[.][0-5]"}]}]);
    write_inventory(folder, &jenkins_site(&warning), PINS);
    let checked = ci_bootstrap(folder, &["plugins", "lock", "--check"]);
    let said = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(5), "{said}");
    assert!(
        said.contains("warning: kubernetes 1.5: SECURITY-7: reads files (https://www.jenkins.io/security/7)"),
        "{said}"
    );
    let locked = ci_bootstrap(folder, &["plugins", "lock"]);
    assert!(locked.status.success() && String::from_utf8_lossy(&locked.stderr).contains("SECURITY-7"));
}

#[test]
fn a_site_that_has_no_metadata_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = site("<html>".to_owned(), "{\"plugins\": {}}".to_owned());
    write_inventory(folder.path(), &nothing, PINS);
    let output = ci_bootstrap(folder.path(), &["plugins", "lock"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("update-center.json is not metadata"),
        "{said}"
    );
    fs_err::write(folder.path().join("update-center.json"), "{}").unwrap();
    let output = ci_bootstrap(folder.path(), &["plugins", "lock", "--metadata", "."]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(2) && said.contains("plugin-versions.json"),
        "{said}"
    );
}

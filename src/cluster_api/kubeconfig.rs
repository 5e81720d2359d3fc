//! The administrator's kubeconfig. A control plane hands it out, and a kubeconfig can name commands to run and files to
//! read on the machine that uses it, so only a server and the data of certificates are taken from it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Uri;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use crate::secret::Redactor;
use crate::yaml;

use super::error::ApiError;

/// kubeadm's is about 6 KiB. A bundle of authorities may make it larger.
const LONGEST: usize = 1 << 20;

/// The way to one cluster's API server as its administrator: an `https` server, its authority, a certificate and its key.
#[derive(Debug, Clone)]
pub struct Kubeconfig {
    server: Uri,
    authority: Vec<CertificateDer<'static>>,
    /// PEM, as decoded from the file.
    authority_pem: Vec<u8>,
    certificate_pem: Vec<u8>,
    /// PEM in base64, as the file has it.
    key: SecretString,
}

impl Kubeconfig {
    /// Reads a kubeconfig as `kubeadm` writes it.
    ///
    /// # Errors
    /// When it holds anything else. The error names the field and never quotes its value.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        parse(text).map_err(ApiError::Kubeconfig)
    }

    /// The same way in, by another server: `host:port`, an IPv6 address in brackets.
    ///
    /// # Errors
    /// When that is no host and port.
    pub fn at_endpoint(self, endpoint: &str) -> Result<Self, ApiError> {
        let server = server(&format!("https://{endpoint}")).map_err(ApiError::Kubeconfig)?;
        Ok(Self { server, ..self })
    }

    /// The CA certificates that it trusts. More than one while a CA is being replaced.
    pub(super) fn authority(&self) -> &[CertificateDer<'static>] {
        &self.authority
    }

    /// What kube connects with. It has no file to read, no command to run and no proxy to use.
    pub(super) fn config(&self) -> kube::Config {
        let mut config = kube::Config::new(self.server.clone());
        config.root_cert = Some(self.authority.iter().map(|der| der.to_vec()).collect());
        config.auth_info.client_certificate_data = Some(BASE64.encode(&self.certificate_pem));
        config.auth_info.client_key_data = Some(self.key.clone());
        config
    }

    /// The file for `kubectl`, with kubeadm's names for a cluster that is called `cluster`.
    ///
    /// # Errors
    /// Never in practice: a value of texts can always be written as YAML.
    pub fn to_yaml(&self, cluster: &str) -> Result<SecretString, yaml::YamlError> {
        const USER: &str = "kubernetes-admin";
        let context = format!("{USER}@{cluster}");
        let text = yaml::emit(&json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": cluster, "cluster": {
                "server": self.server.to_string().trim_end_matches('/'),
                "certificate-authority-data": BASE64.encode(&self.authority_pem),
            }}],
            "contexts": [{"name": context, "context": {"cluster": cluster, "user": USER}}],
            "current-context": context,
            "users": [{"name": USER, "user": {
                "client-certificate-data": BASE64.encode(&self.certificate_pem),
                "client-key-data": self.key.expose_secret(),
            }}],
        }))?;
        Ok(text.into())
    }
}

fn parse(text: &str) -> Result<Kubeconfig, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let root = document(text)?;
    let root = fields(
        &root,
        "",
        &[
            "apiVersion",
            "kind",
            "clusters",
            "contexts",
            "current-context",
            "preferences",
            "users",
        ],
    )?;
    if root.get("apiVersion") != Some(&json!("v1")) || root.get("kind") != Some(&json!("Config")) {
        return Err("it is not a `Config` of `apiVersion: v1`".to_owned());
    }
    if let Some(preferences) = root.get("preferences").filter(|value| !value.is_null()) {
        fields(preferences, "preferences", &[])?;
    }
    let (cluster_name, cluster) = entry(root, "clusters", "cluster")?;
    let (user_name, user) = entry(root, "users", "user")?;
    let (context_name, context) = entry(root, "contexts", "context")?;
    // `kubectl config set-context` leaves a namespace there, which is of no use here and does no harm.
    let context = fields(context, "context", &["cluster", "user", "namespace"])?;
    if text_of(root, "current-context")? != context_name
        || text_of(context, "cluster")? != cluster_name
        || text_of(context, "user")? != user_name
    {
        return Err("its current context is not made of its cluster and its user".to_owned());
    }
    let cluster = fields(cluster, "cluster", &["server", "certificate-authority-data"])?;
    let user = fields(user, "user", &["client-certificate-data", "client-key-data"])?;
    let authority_pem = decoded(cluster, "certificate-authority-data")?;
    let authority = certificates(&authority_pem, "certificate-authority-data")?;
    let certificate_pem = decoded(user, "client-certificate-data")?;
    certificates(&certificate_pem, "client-certificate-data")?;
    Ok(Kubeconfig {
        server: server(text_of(cluster, "server")?)?,
        authority,
        authority_pem,
        certificate_pem,
        key: key(user)?,
    })
}

/// The one document of the file. An error of the YAML library may quote the text, which may hold a key.
fn document(text: &str) -> Result<Value, String> {
    let documents = yaml::manifests(text).map_err(|error| match error.line() {
        Some(line) => format!("it is not valid YAML (line {line})"),
        None => "it is not valid YAML".to_owned(),
    })?;
    <[Value; 1]>::try_from(documents)
        .map(|[document]| document)
        .map_err(|documents| format!("it has {} YAML documents, expected 1", documents.len()))
}

/// A mapping with no other keys than these. What the host wrote is named, cut and without control characters.
fn fields<'a>(value: &'a Value, place: &str, allowed: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let Value::Object(map) = value else {
        return Err(format!("`{place}` is not a mapping"));
    };
    match map.keys().find(|key| !allowed.contains(&key.as_str())) {
        None => Ok(map),
        Some(key) => {
            let key: String = key.chars().filter(|c| !c.is_control()).take(40).collect();
            let place = if place.is_empty() {
                ""
            } else {
                &format!("{place}.")
            };
            Err(format!(
                "it has `{place}{key}`, which a kubeconfig from a host may not have"
            ))
        }
    }
}

/// The one entry of a list of named things: its name, and what it is.
fn entry<'a>(root: &'a Map<String, Value>, list: &str, kind: &str) -> Result<(&'a str, &'a Value), String> {
    let entries = root.get(list).and_then(Value::as_array);
    let [entry] = entries.map_or(&[][..], Vec::as_slice) else {
        return Err(format!("`{list}` does not have exactly one entry"));
    };
    let entry = fields(entry, list, &["name", kind])?;
    let thing = entry
        .get(kind)
        .ok_or_else(|| format!("`{list}` has no `{kind}`"))?;
    Ok((text_of(entry, "name")?, thing))
}

fn text_of<'a>(map: &'a Map<String, Value>, key: &str) -> Result<&'a str, String> {
    map.get(key)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("it has no {key}"))
}

fn decoded(map: &Map<String, Value>, key: &str) -> Result<Vec<u8>, String> {
    let text = text_of(map, key)?;
    BASE64
        .decode(text.trim())
        .map_err(|_| format!("its {key} is not base64"))
}

fn certificates(pem: &[u8], key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| format!("its {key} is not PEM"))?;
    if certificates.is_empty() {
        return Err(format!("its {key} holds no certificate"));
    }
    Ok(certificates)
}

/// The key, which is masked from now on.
fn key(user: &Map<String, Value>) -> Result<SecretString, String> {
    let pem = decoded(user, "client-key-data")?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| "its client-key-data holds no private key".to_owned())?;
    let key = SecretString::from(BASE64.encode(pem));
    Redactor::process().learn_base64(&key);
    Ok(key)
}

/// A URL of nothing but `https`, a host and a port.
fn server(text: &str) -> Result<Uri, String> {
    let wrong = || "its server is not `https://HOST:PORT`".to_owned();
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let is_plain = uri
        .authority()
        .is_some_and(|authority| authority.as_str().chars().all(plain));
    let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    if uri.scheme_str() == Some("https") && is_plain && is_bare {
        Ok(uri)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use super::*;
    use crate::cluster_api::standin::{CA, admin_conf};

    fn refused(text: &str) -> String {
        Kubeconfig::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn kubeadms_kubeconfig_is_read_and_written_with_nothing_else() {
        let original = admin_conf("https://10.0.0.1:6443");
        let read = Kubeconfig::parse(&original).unwrap();
        let written = read.to_yaml("ci").unwrap();
        let [document] = <[Value; 1]>::try_from(yaml::manifests(written.expose_secret()).unwrap()).unwrap();
        assert_eq!(
            document["clusters"][0]["cluster"]["server"],
            "https://10.0.0.1:6443"
        );
        assert_eq!(document["current-context"], "kubernetes-admin@ci");
        let again = Kubeconfig::parse(written.expose_secret()).unwrap();
        assert_eq!(again.authority_pem, CA.as_bytes());
        assert_eq!(again.certificate_pem, read.certificate_pem);
        assert_eq!(again.key.expose_secret(), read.key.expose_secret());
    }

    #[test]
    fn only_the_server_differs_at_another_endpoint() {
        let written = |kubeconfig: &Kubeconfig| {
            let text = kubeconfig.to_yaml("ci").unwrap();
            yaml::manifests(text.expose_secret()).unwrap().remove(0)
        };
        let read = || Kubeconfig::parse(&admin_conf("https://api.ci.example:6443")).unwrap();
        let mut expected = written(&read());
        expected["clusters"][0]["cluster"]["server"] = "https://[fd00::11]:6443".into();
        assert_eq!(written(&read().at_endpoint("[fd00::11]:6443").unwrap()), expected);
        let error = read().at_endpoint("10.0.0.1:6443/path").unwrap_err().to_string();
        assert!(error.contains("https://HOST:PORT"), "{error}");
    }

    #[test]
    fn every_field_that_could_act_is_refused_by_name() {
        let good = admin_conf("https://10.0.0.1:6443");
        for (place, field) in [
            ("user", "exec: {command: sh}"),
            ("user", "tokenFile: /etc/hostname"),
            ("user", "token: abc"),
            ("user", "client-key: /root/.ssh/id_ed25519"),
            ("user", "client-certificate: /etc/hostname"),
            ("user", "username: admin"),
            ("user", "password: abc"),
            ("user", "as: system:admin"),
            ("user", "auth-provider: {name: gcp}"),
            ("cluster", "proxy-url: 'http://10.9.9.9:3128'"),
            ("cluster", "insecure-skip-tls-verify: true"),
            ("cluster", "certificate-authority: /etc/hostname"),
            ("cluster", "tls-server-name: other"),
            ("context", "extensions: []"),
        ] {
            let text = good.replace(
                &format!("{place}:\n    "),
                &format!("{place}:\n    {field}\n    "),
            );
            assert_ne!(text, good, "{place}");
            let name = field.split(':').next().unwrap();
            assert!(
                refused(&text).contains(&format!("`{place}.{name}`")),
                "{}",
                refused(&text)
            );
        }
        assert!(refused(&format!("{good}extensions: []\n")).contains("`extensions`"));
        assert!(refused(&good.replace("preferences: {}", "preferences: {colors: true}")).contains("colors"));
    }

    #[test]
    fn only_a_bare_https_server_is_taken() {
        for server in [
            "http://10.0.0.1:6443",
            "10.0.0.1:6443",
            "https://user:word@10.0.0.1:6443",
            "https://10.0.0.1:6443/path",
            "https://10.0.0.1:6443?q",
            "unix:///run/x",
            "''",
        ] {
            let error = refused(&admin_conf(server));
            assert!(error.contains("https://HOST:PORT"), "{server}: {error}");
        }
        for server in [
            "https://[fd00::1]:6443",
            "https://api.example:6443/",
            "https://cp1",
        ] {
            Kubeconfig::parse(&admin_conf(server)).unwrap();
        }
    }

    #[test]
    fn a_second_entry_or_another_context_is_refused() {
        let good = admin_conf("https://10.0.0.1:6443");
        let second = good.replace("users:\n", "users:\n- name: other\n  user: {}\n");
        assert!(refused(&second).contains("`users` does not have exactly one entry"));
        let other = good.replace("current-context: ", "current-context: x");
        assert!(refused(&other).contains("current context"));
        assert!(refused(&format!("{good}---\n{good}")).contains("2 YAML documents"));
        assert!(refused("").contains("0 YAML documents"));
    }

    #[test]
    fn no_error_quotes_the_key() {
        let good = admin_conf("https://10.0.0.1:6443");
        let key = good.split("client-key-data: ").nth(1).unwrap().trim().to_owned();
        let broken = [
            good.replace("client-key-data: ", "client-key-data: ["),
            good.replace("    client-key-data: ", "   client-key-data: "),
            good.replace("client-key-data: ", "client-key-data:"),
            good.replace("client-key-data: ", "client-key-data: !"),
            good.replace(&key, &format!("{key}\n    client-key-data: {key}")),
            good.replace(&key, &format!("{key}*")),
            good.replace(&key, &BASE64.encode("no key")),
            good[..good.len() - 30].to_owned(),
        ];
        for text in broken {
            let error = refused(&text);
            for part in key.as_bytes().chunks(16).filter(|part| part.len() == 16) {
                let part = std::str::from_utf8(part).unwrap();
                assert!(!error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn a_namespace_in_the_context_is_left_out() {
        let good = admin_conf("https://10.0.0.1:6443");
        let text = good.replace("context:\n    ", "context:\n    namespace: kube-ops\n    ");
        assert_ne!(text, good);
        let written = Kubeconfig::parse(&text).unwrap().to_yaml("ci").unwrap();
        assert!(!written.expose_secret().contains("namespace"));
    }

    #[test]
    fn the_key_is_masked_however_it_is_quoted() {
        let good = admin_conf("https://10.0.0.1:6443");
        let known = good.split("client-key-data: ").nth(1).unwrap().trim();
        // Of this test alone: the redactor is the process's.
        let line = "bm9ib2R5IGtub3dzIGl0";
        let key = BASE64.encode(format!(
            "-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n"
        ));
        Kubeconfig::parse(&good.replace(known, &format!("'{key}'"))).unwrap();
        for secret in [key.as_str(), line] {
            assert_eq!(Redactor::process().redact(secret), "(secret)");
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let good = admin_conf("https://10.0.0.1:6443");
        let nothing = good.replace(&BASE64.encode(CA), &BASE64.encode("nothing"));
        assert!(refused(&nothing).contains("holds no certificate"), "{nothing}");
        assert!(
            refused(&good.replace("certificate-authority-data: ", "certificate-authority-data: %"))
                .contains("valid YAML")
        );
        assert!(refused(&" ".repeat(LONGEST + 1)).contains("longer than"));
    }
}

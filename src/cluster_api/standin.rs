//! An API server of a few lines on loopback, for tests: it answers as a function says and remembers what it was asked.

#![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::client::Api;
use crate::transport::direct::Direct;

/// What the stand-in does with a request.
pub(super) enum Reply {
    Json(u16, Value),
    Text(u16, &'static str),
    /// Closes the connection without a word.
    HangUp,
}

/// A refusal as the API server words it.
pub(super) fn refusal(code: u16, reason: &str, message: &str) -> Reply {
    let status =
        json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message});
    Reply::Json(code, status)
}

/// Requests as `GET /path?query`, in the order of their arrival.
pub(super) type RequestLog = Arc<Mutex<Vec<String>>>;

/// Starts a stand-in and connects to it. `answer` gets the request line's method and path; `/version` and discovery of
/// config maps are answered for it.
pub(super) async fn connect(
    answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
) -> (Api, RequestLog) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let log = RequestLog::default();
    let (answer, seen) = (Arc::new(answer), Arc::clone(&log));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&seen)));
        }
    });
    // A kubeconfig could not name it: it speaks no TLS.
    let config = kube::Config::new(server.parse().unwrap());
    let api = Api::with(Arc::new(Direct), &config).await.unwrap();
    log.lock().unwrap().clear();
    (api, log)
}

/// Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test`.
pub(crate) const CA: &str = "\
-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUGPU89algvCf23whP9cpC730jEkAwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjExMTE1MzhaGA8yMTI2MTAyODExMTUz
OFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLE4
GxOuP5iXhRSra6YSPUZ/9d1PqvlpnTK3XEn8D2WfFjYqmAokC3R4LpGh3z5c7+Nz
PX2L18TxVg8PfN8jSySjUzBRMB0GA1UdDgQWBBQU/0+GsN81GIU/ByTrsAcKgD2I
FzAfBgNVHSMEGDAWgBQU/0+GsN81GIU/ByTrsAcKgD2IFzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQC9d/5kGqcRNEkw3jO50BhvFeSsx3yCUAQL
rPGyfTxu3gIhAIqZYKayyqEjsSxxJD4WXJa2ydY7xcyiTyf9liallsyr
-----END CERTIFICATE-----";

/// A pair for tests alone, made likewise.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBwDCCAWWgAwIBAgIUVF6GNSRMS2ZyMFOBqAOoZDZdUhAwCgYIKoZIzj0EAwIw
NDEXMBUGA1UECgwOc3lzdGVtOm1hc3RlcnMxGTAXBgNVBAMMEGt1YmVybmV0ZXMt
YWRtaW4wIBcNMjYxMTMwMDE1NTQ0WhgPMjEyNjExMDYwMTU1NDRaMDQxFzAVBgNV
BAoMDnN5c3RlbTptYXN0ZXJzMRkwFwYDVQQDDBBrdWJlcm5ldGVzLWFkbWluMFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE248acSRN+jrf0dtT5uvfdo+LJ4YebDu1
OvQIOfr3D0ZbyYCmtRCS9WJKnso7nxfSg+iukIJbLbFu6yVQ6cjpXKNTMFEwHQYD
VR0OBBYEFNe+UTlIEccqmb+HXPTv4FFVj60NMB8GA1UdIwQYMBaAFNe+UTlIEccq
mb+HXPTv4FFVj60NMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIh
AKBnTjF5/IdyZvF0Dxz8IcjAl+toV3HTxqDJyk/fruR5AiEAxmu17Vf9egx6DuTC
FRBZH8AF+jp2UgQKpaA3pI8hPCY=
-----END CERTIFICATE-----";
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+adc6IsnDQXTttcC
RwlOdc5Gea+YbrO9W5/Do17GJs2hRANCAATbjxpxJE36Ot/R21Pm6992j4snhh5s
O7U69Ag5+vcPRlvJgKa1EJL1YkqeyjufF9KD6K6QglstsW7rJVDpyOlc
-----END PRIVATE KEY-----";

/// `/etc/kubernetes/admin.conf` as kubeadm writes it.
pub(crate) fn admin_conf(server: &str) -> String {
    admin_conf_with(server, CA)
}

pub(super) fn admin_conf_with(server: &str, ca: &str) -> String {
    let [ca, certificate, key] = [ca, CERTIFICATE, KEY].map(|pem| BASE64.encode(pem));
    format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {ca}\n    server: {server}\n  name: kubernetes\n\
         contexts:\n- context:\n    cluster: kubernetes\n    user: kubernetes-admin\n  name: kubernetes-admin@kubernetes\n\
         current-context: kubernetes-admin@kubernetes\nkind: Config\npreferences: {{}}\nusers:\n- name: kubernetes-admin\n  \
         user:\n    client-certificate-data: {certificate}\n    client-key-data: {key}\n"
    )
}

async fn serve(stream: TcpStream, answer: Arc<impl Fn(&str, usize) -> Reply>, log: RequestLog) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = request(&mut stream).await {
        let count = {
            let mut log = log.lock().unwrap();
            log.push(request.clone());
            log.iter().filter(|other| **other == request).count()
        };
        let (status, body) = match known(&request).unwrap_or_else(|| answer(&request, count)) {
            Reply::Json(status, body) => (status, body.to_string()),
            Reply::Text(status, body) => (status, body.to_owned()),
            Reply::HangUp => return,
        };
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
        let _ = stream.write_all((head + &body).as_bytes()).await;
    }
}

/// Reads one request; gives its method and path.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut first, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
        if first.is_empty() {
            first = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
        }
    }
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(first)
}

fn known(request: &str) -> Option<Reply> {
    let list = |items: Value| json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items});
    let config_maps = json!({"resource": "configmaps", "scope": "Namespaced", "singularResource": "configmap", "verbs": ["get"],
        "responseKind": {"group": "", "version": "", "kind": "ConfigMap"}});
    let body = match request {
        "GET /version" => json!({"gitVersion": "v1.36.4"}),
        "GET /apis" => list(json!([])),
        "GET /api" => {
            list(json!([{"metadata": {}, "versions": [{"version": "v1", "resources": [config_maps]}]}]))
        }
        _ => return None,
    };
    Some(Reply::Json(200, body))
}

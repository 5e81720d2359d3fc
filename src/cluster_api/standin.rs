//! An API server of a few lines on loopback, for tests: it answers as a function says and remembers what it was asked.

#![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::sync::{Arc, Mutex};

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
pub(super) type Log = Arc<Mutex<Vec<String>>>;

/// Starts a stand-in and connects to it. `answer` gets the request line's method and path; `/version` and discovery of
/// config maps are answered for it.
pub(super) async fn connect(answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> (Api, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let kubeconfig = kubeconfig(&format!("http://{}", listener.local_addr().unwrap()));
    let log = Log::default();
    let (answer, seen) = (Arc::new(answer), Arc::clone(&log));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&seen)));
        }
    });
    let api = Api::connect(Arc::new(Direct), &kubeconfig).await.unwrap();
    log.lock().unwrap().clear();
    (api, log)
}

pub(super) fn kubeconfig(server: &str) -> String {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
    });
    config.to_string()
}

async fn serve(stream: TcpStream, answer: Arc<impl Fn(&str, usize) -> Reply>, log: Log) {
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

//! Against a web server of a few lines on loopback.

#![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const MANIFEST: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n";

/// Answers each request line with what `answer` makes of it; counts them.
async fn server(answer: fn(&str, usize) -> String) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let line = String::from_utf8_lossy(&request[..length])
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            let text = answer(&line, counted.fetch_add(1, Ordering::SeqCst));
            let _ = stream.write_all(text.as_bytes()).await;
        }
    });
    (base, count)
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn status(status: &str, header: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n")
}

fn releases(cache: &Path, proxies: Matcher) -> Releases {
    Releases {
        cache: cache.to_owned(),
        fetcher: Fetcher::new(proxies, Duration::from_millis(1)),
    }
}

fn direct(cache: &Path) -> Releases {
    releases(cache, Matcher::builder().build())
}

fn manifest(url: String, sha256: &str) -> Manifest {
    Manifest {
        source: ManifestSource::Url(url),
        sha256: sha256.to_owned(),
    }
}

fn sum() -> String {
    sha256::hex(MANIFEST.as_bytes())
}

#[tokio::test]
async fn a_manifest_is_fetched_once() {
    let (base, count) = server(|line, _| match line {
        "GET /a.yaml HTTP/1.1" => status("302 Found", "Location: /b.yaml?x=1\r\n"),
        "GET /b.yaml?x=1 HTTP/1.1" => ok(MANIFEST),
        _ => status("404 Not Found", ""),
    })
    .await;
    let cache = tempfile::tempdir().unwrap();
    let wanted = manifest(format!("{base}/a.yaml"), &sum());
    for _ in 0..2 {
        let objects = direct(cache.path()).load(&wanted).await.unwrap();
        assert_eq!(objects[0]["metadata"]["name"], "a");
    }
    assert_eq!(
        count.load(Ordering::SeqCst),
        2,
        "one redirect, one file, and then the cache"
    );

    // A damaged copy is fetched again.
    fs_err::write(cache.path().join(sum()), "half").unwrap();
    assert_eq!(direct(cache.path()).load(&wanted).await.unwrap().len(), 1);
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

async fn refused(answer: fn(&str, usize) -> String, sha256: &str) -> (String, usize) {
    let (base, count) = server(answer).await;
    let cache = tempfile::tempdir().unwrap();
    let error = direct(cache.path())
        .load(&manifest(base, sha256))
        .await
        .unwrap_err();
    (error.to_string(), count.load(Ordering::SeqCst))
}

#[tokio::test]
async fn another_content_is_refused_with_both_sums() {
    let expected = "0".repeat(64);
    let (error, _) = refused(|_, _| ok(MANIFEST), &expected).await;
    assert!(
        error.contains(&format!("has SHA-256 {}, and {expected} was expected", sum())),
        "{error}"
    );
}

#[tokio::test]
async fn a_page_that_is_not_there_is_not_asked_for_again() {
    let (error, count) = refused(|_, _| status("404 Not Found", ""), &sum()).await;
    assert!(error.contains("answered 404 Not Found"), "{error}");
    assert!(error.contains("help: without a way there"), "{error}");
    assert_eq!(count, 1);
}

#[tokio::test]
async fn redirects_end() {
    let (error, count) = refused(|_, _| status("301 Moved", "Location: /again\r\n"), &sum()).await;
    assert!(error.contains("more than 5 redirects"), "{error}");
    assert_eq!(count, 6);
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_three_times() {
    let (base, count) = server(|_, n| {
        if n < 2 {
            status("503 Busy", "")
        } else {
            ok(MANIFEST)
        }
    })
    .await;
    let cache = tempfile::tempdir().unwrap();
    direct(cache.path()).load(&manifest(base, &sum())).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_unreachable_server_is_named() {
    let cache = tempfile::tempdir().unwrap();
    let wanted = manifest("http://127.0.0.1:1/x.yaml".into(), &sum());
    let error = direct(cache.path()).load(&wanted).await.unwrap_err().to_string();
    assert!(
        error.contains("127.0.0.1:1 cannot be reached") && error.contains("refused"),
        "{error}"
    );
}

#[tokio::test]
async fn the_proxy_is_asked_and_named() {
    let (proxy, _) = server(|_, _| status("407 Proxy Authentication Required", "")).await;
    let cache = tempfile::tempdir().unwrap();
    let proxies = Matcher::builder().all(proxy.clone()).no("direct.example").build();
    let wanted = manifest("https://upstream.example/x.yaml".into(), &sum());
    let error = releases(cache.path(), proxies)
        .load(&wanted)
        .await
        .unwrap_err()
        .to_string();
    let name = proxy.trim_start_matches("http://");
    assert!(error.contains(&format!("through the proxy {name}")), "{error}");
}

#[tokio::test]
async fn a_file_is_checked_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.yaml");
    fs_err::write(&path, "just: text\n").unwrap();
    let load = async |sha256: String| {
        let source = ManifestSource::Path(path.clone());
        direct(folder.path())
            .load(&Manifest { source, sha256 })
            .await
            .unwrap_err()
            .to_string()
    };
    assert!(load(sum()).await.contains("m.yaml has SHA-256"));
    let error = load(sha256::hex(b"just: text\n")).await;
    assert!(
        error.contains("m.yaml is not a manifest: not a Kubernetes object: no apiVersion"),
        "{error}"
    );
}

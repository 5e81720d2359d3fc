//! TCP connections through a host, and hosts behind hosts.

use std::time::Duration;

use ci_bootstrap::ssh::{self, SharedConnections};
use ci_bootstrap::transport::{Script, Transport, TransportError};
use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::server::{eventually, free_port, servers, timeouts};

#[tokio::test(flavor = "multi_thread")]
async fn bytes_go_there_and_back() {
    let Some(servers) = servers("bytes_go_there_and_back") else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = socket.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    let host = ssh::connect(&servers.root(), timeouts()).await.unwrap();
    for round in 0..2_u8 {
        let stream = host.connect("127.0.0.1", port).await.unwrap();
        let (mut read, mut write) = tokio::io::split(stream);
        let sent = vec![round; 3 << 20];
        let mut received = vec![0; sent.len()];
        let (written, reading) = tokio::join!(write.write_all(&sent), read.read_exact(&mut received));
        written.unwrap();
        reading.unwrap();
        assert!(received == sent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_behind_the_host() {
    let Some(servers) = servers("a_closed_port_behind_the_host") else {
        return;
    };
    let host = ssh::connect(&servers.root(), timeouts()).await.unwrap();
    let port = free_port();
    let error = host.connect("127.0.0.1", port).await.err().unwrap();
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error:?}");
    assert!(
        error.to_string().contains(&format!("127.0.0.1:{port}")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_jump_host() {
    let Some(servers) = servers("through_a_jump_host") else {
        return;
    };
    let mut target = servers.root();
    target.name = "w1".to_owned();
    // A name that only the jump host knows.
    target.address = "inner.test".to_owned();
    target.port = Some(servers.inner);
    target.jump = Some(Box::new(servers.root()));
    let host = ssh::connect(&target, timeouts()).await.unwrap();
    let output = host
        .exec(Script::new("echo \"$SSH_CONNECTION\"", Duration::from_secs(60)))
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.trim().ends_with(&servers.inner.to_string()), "{text}");

    target.jump = Some(Box::new(servers.user("eve")));
    let error = ssh::connect(&target, timeouts()).await.err().unwrap();
    assert!(
        error.to_string().starts_with("cannot log in to cp1 as eve"),
        "names the jump host: {error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_share_the_connection_to_their_jump_host() {
    let Some(servers) = servers("hosts_share_the_connection_to_their_jump_host") else {
        return;
    };
    let shared = SharedConnections::default();
    let mut jump = servers.root();
    // An account that nothing else logs in to, so that its logins can be counted.
    jump.user = Some("hop".to_owned());
    let mut target = servers.root();
    target.address = "inner.test".to_owned();
    target.port = Some(servers.inner);
    target.jump = Some(Box::new(jump));
    let target = target.sharing(&shared);
    let hosts = join_all((0..6).map(|_| ssh::connect(&target, timeouts()))).await;
    assert!(hosts.iter().all(Result::is_ok));
    let logins = || {
        servers
            .read("outer.log")
            .matches("Accepted publickey for hop")
            .count()
    };
    assert_eq!(logins(), 1);
    let log = servers.read("outer.log");
    let login = log.split("Accepted publickey for hop from ").nth(1).unwrap();
    let closed = format!("Connection closed by {}", login.split(" ssh2").next().unwrap());
    drop(hosts);
    let gone = move || servers.read("outer.log").contains(&closed);
    let watching = tokio::task::spawn_blocking(|| eventually("the connection goes with the last host", gone));
    watching.await.unwrap();
    ssh::connect(&target, timeouts()).await.unwrap();
    assert_eq!(logins(), 2);

    // One that can't be logged in to is found out once.
    let mut locked_out = target.jump.clone().unwrap();
    locked_out.identities = vec![servers.file("stranger")];
    locked_out.user = Some("nobody".to_owned());
    let mut target = target.clone();
    target.jump = Some(locked_out);
    for result in join_all((0..3).map(|_| ssh::connect(&target, timeouts()))).await {
        assert!(matches!(result, Err(TransportError::Login { .. })));
    }
    assert_eq!(
        servers
            .read("outer.log")
            .matches("Failed publickey for nobody")
            .count(),
        1
    );
}

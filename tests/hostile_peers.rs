//! What a peer sends before anybody has checked its key: no byte of it may steer the terminal.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

/// Sets a terminal's title and clears it.
const ESCAPES: &[u8] = b"\x1b]0;PWNED\x07\x1b[2J\xc2\x9b2J";

/// A packet of SSH before encryption.
fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 8 - (payload.len() + 5) % 8 + 8;
    let length = u32::try_from(payload.len() + padding + 1).unwrap();
    let mut packet = length.to_be_bytes().to_vec();
    packet.push(u8::try_from(padding).unwrap());
    packet.extend(payload);
    packet.extend(vec![0; padding]);
    packet
}

fn string(text: &[u8]) -> Vec<u8> {
    let mut string = u32::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    string.extend(text);
    string
}

/// Offers nothing but algorithms that are called like an escape sequence.
fn key_exchange() -> Vec<u8> {
    let mut payload = vec![20];
    payload.extend([0; 16]);
    for _ in 0..10 {
        payload.extend(string(ESCAPES));
    }
    payload.extend([0; 5]);
    [b"SSH-2.0-peer\r\n".to_vec(), packet(&payload)].concat()
}

/// Says goodbye with an escape sequence.
fn goodbye() -> Vec<u8> {
    let mut payload = vec![1, 0, 0, 0, 2];
    payload.extend(string(ESCAPES));
    payload.extend(string(b""));
    [b"SSH-2.0-peer\r\n".to_vec(), packet(&payload)].concat()
}

/// Calls its software like an escape sequence.
fn identification() -> Vec<u8> {
    [b"SSH-2.0-", ESCAPES, b"\r\n", &packet(&[1])].concat()
}

/// Speaks something else.
fn stranger() -> Vec<u8> {
    [ESCAPES, b"\r\nHTTP/1.1 400 ", ESCAPES, b"\r\n\r\n"].concat()
}

/// Answers every connection with these bytes.
fn listen(bytes: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream): Result<TcpStream, _> = stream else {
                return;
            };
            // The client may leave at any moment.
            let _ = stream.write_all(&bytes);
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    port
}

#[test]
fn a_peer_without_a_checked_key_cannot_steer_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    for (peer, bytes) in [
        ("key exchange", key_exchange()),
        ("goodbye", goodbye()),
        ("identification", identification()),
        ("stranger", stranger()),
    ] {
        let port = listen(bytes);
        let inventory = folder.path().join("inventory.yaml");
        let text = format!(
            "apiVersion: ci-bootstrap/v1\ncluster: {{name: ci, kubernetes: '1.36.4'}}\nssh: {{user: root, port: {port}, connectTimeout: 5s}}\n\
             hosts:\n  - {{name: cp1, address: 192.0.2.1, sshAddress: 127.0.0.1, roles: [control-plane]}}\n"
        );
        fs_err::write(&inventory, text).unwrap();
        for command in ["trust", "kubeconfig", "status", "plan"] {
            let output = Command::new(env!("CARGO_BIN_EXE_ci-bootstrap"))
                .args([command, inventory.to_str().unwrap()])
                .env("HOME", folder.path())
                .env("XDG_STATE_HOME", folder.path())
                .output()
                .unwrap();
            let shown = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&shown);
            assert!(
                text.contains("cp1"),
                "{command}, {peer}: it never got there: {text}"
            );
            let steers = |c: char| c.is_control() && c != '\n';
            assert!(!text.contains(steers), "{command}, {peer}: {text:?}");
        }
    }
}

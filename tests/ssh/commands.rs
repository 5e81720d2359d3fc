//! Running scripts and holding locks.

use std::time::{Duration, Instant};

use ci_bootstrap::ssh::{self, SshHost};
use ci_bootstrap::transport::{Script, ScriptEnd, ScriptOutput, Transport, TransportError};
use futures::future::join_all;
use tokio::sync::mpsc;

use crate::server::{Servers, eventually, servers, timeouts};

/// Far longer than anything here takes, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

async fn root(servers: &Servers) -> SshHost {
    ssh::connect(&servers.root(), timeouts()).await.unwrap()
}

async fn exec(host: &SshHost, script: &str) -> ScriptOutput {
    host.exec(Script::new(script, LIMIT)).await.unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn is_alive(pid: &str) -> bool {
    std::path::Path::new("/proc").join(pid.trim()).exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn output_and_status() {
    let Some(servers) = servers("output_and_status") else {
        return;
    };
    let host = root(servers).await;
    let output = exec(&host, "cat; echo \"out $LC_ALL\"; printf err >&2; (exit 3)").await;
    assert_eq!(output.ended, ScriptEnd::Exited(3));
    assert_eq!(text(&output.stdout), "out C\n");
    assert_eq!(text(&output.stderr), "err");
    assert!(exec(&host, "").await.success());
    assert!(exec(&host, "cat <<'END'\n$x\nEND").await.stdout == b"$x\n");
    assert_eq!(
        exec(&host, "if then").await.ended,
        ScriptEnd::Exited(2),
        "a broken script is the script's failure"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_of_megabytes_arrives() {
    let Some(servers) = servers("a_script_of_megabytes_arrives") else {
        return;
    };
    let host = root(servers).await;
    let body = "0123456789abcde\n".repeat(1 << 18);
    let output = exec(&host, &format!("wc -c <<'END'\n{body}END\n")).await;
    assert_eq!(text(&output.stdout).trim(), (4 << 20).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_script_leaves_behind_lives_on() {
    let Some(servers) = servers("what_a_script_leaves_behind_lives_on") else {
        return;
    };
    let host = root(servers).await;
    let start = Instant::now();
    // It keeps the outputs open, so that the channel stays open, too; the exit status is there nevertheless.
    let output = exec(&host, "sleep 30 & echo $!").await;
    assert!(output.success() && start.elapsed() < Duration::from_secs(25));
    let pid = text(&output.stdout).trim().to_owned();
    assert!(is_alive(&pid));
    exec(&host, &format!("kill {pid}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once() {
    let Some(servers) = servers("twenty_at_once") else {
        return;
    };
    let host = root(servers).await;
    let scripts: Vec<String> = (0..20)
        .map(|number| format!("sleep 0.1; echo {number}"))
        .collect();
    for (number, output) in join_all(scripts.iter().map(|script| exec(&host, script)))
        .await
        .iter()
        .enumerate()
    {
        assert_eq!(text(&output.stdout).trim(), number.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_on_both_outputs() {
    let Some(servers) = servers("a_hundred_megabytes_on_both_outputs") else {
        return;
    };
    let host = root(servers).await;
    let before = resident();
    let script = "echo first; head -c 100000000 /dev/zero & head -c 100000000 /dev/zero >&2; wait; echo last";
    let bulk = async { (exec(&host, script).await, Instant::now()) };
    // Another command on the same connection gets through meanwhile.
    let small = async { (exec(&host, "echo small").await, Instant::now()) };
    let ((output, bulk_end), (_, small_end)) = futures::join!(bulk, small);
    assert!(small_end < bulk_end, "the small command had to wait");
    assert!(output.stdout.starts_with(b"first\n") && output.stdout.ends_with(b"\0last\n"));
    assert!(output.stdout.len() < 9 << 20 && output.stderr.len() < 9 << 20);
    let cut = String::from_utf8_lossy(&output.stdout).contains("[... 91611403 bytes left out ...]");
    assert!(cut, "says how much is missing");
    assert!(
        resident() < before + (100 << 10),
        "memory went from {before} to {} KiB",
        resident()
    );
}

/// Resident memory in KiB.
fn resident() -> usize {
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn output_comes_live() {
    let Some(servers) = servers("output_comes_live") else {
        return;
    };
    let host = root(servers).await;
    let (live, mut lines) = mpsc::channel(1);
    let go_on = servers.file("go-on");
    let script = format!(
        "echo one; until [ -e {} ]; do sleep 0.1; done; echo two",
        go_on.display()
    );
    let mut exec = Script::new(script, LIMIT);
    exec.live = Some(live);
    // The script goes on only when its first line has been seen.
    let first = async {
        let first = lines.recv().await.unwrap();
        servers.write("go-on", "");
        first
    };
    let (output, first) = futures::join!(host.exec(exec), first);
    assert_eq!(text(&first), "one\n");
    assert_eq!(text(&output.unwrap().stdout), "one\ntwo\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_listener_holds_the_host_back_and_its_time_out_with_it() {
    let Some(servers) = servers("a_slow_listener_holds_the_host_back_and_its_time_out_with_it") else {
        return;
    };
    let host = root(servers).await;
    let all_sent = servers.file("all-sent");
    let (live, mut pieces) = mpsc::channel(1);
    // More than all buffers on the way have room for.
    let script = format!("head -c 80000000 /dev/zero; : >{}", all_sent.display());
    let mut exec = Script::new(script, Duration::from_secs(10));
    exec.live = Some(live);
    let slow = async {
        let mut received = pieces.recv().await.unwrap().len();
        tokio::time::sleep(Duration::from_secs(12)).await;
        let held_back = !all_sent.exists();
        while let Some(piece) = pieces.recv().await {
            received += piece.len();
        }
        (received, held_back)
    };
    let (output, (received, held_back)) = futures::join!(host.exec(exec), slow);
    assert!(output.unwrap().success());
    assert_eq!(received, 80_000_000);
    assert!(held_back, "all of it went into memory");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_ends_the_remote_command() {
    let Some(servers) = servers("a_time_out_ends_the_remote_command") else {
        return;
    };
    let host = root(servers).await;
    let pids = servers.file("timed-out");
    let script = format!("sleep 1000 & echo $! >{}; sleep 2000", pids.display());
    let start = Instant::now();
    let error = host
        .exec(Script::new(script, Duration::from_secs(5)))
        .await
        .unwrap_err();
    assert_eq!(
        error,
        TransportError::Timeout {
            host: "cp1".into(),
            limit: Duration::from_secs(5)
        }
    );
    assert!(start.elapsed() < Duration::from_secs(15));
    let pid = servers.read("timed-out");
    eventually("the command is gone", || !is_alive(&pid));
    assert_eq!(
        text(&exec(&host, "echo on").await.stdout),
        "on\n",
        "the connection goes on"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_given_up_ends_even_if_it_ignores_that() {
    let Some(servers) = servers("a_command_given_up_ends_even_if_it_ignores_that") else {
        return;
    };
    let host = root(servers).await;
    let pids = servers.file("stubborn");
    let script = format!(
        "trap '' TERM; echo $$ >{}; while :; do sleep 1; done",
        pids.display()
    );
    let running = host.exec(Script::new(script, LIMIT));
    let started = tokio::task::spawn_blocking(move || {
        eventually("the command runs", || {
            fs_err::read_to_string(&pids).is_ok_and(|text| text.ends_with('\n'))
        });
    });
    tokio::select! {
        ended = running => assert!(ended.is_err(), "it can't have ended"),
        started = started => started.unwrap(),
    }
    let pid = servers.read("stubborn");
    eventually("the command is gone", || !is_alive(&pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_given_up_leave_no_session_behind() {
    let Some(servers) = servers("commands_given_up_leave_no_session_behind") else {
        return;
    };
    let host = root(servers).await;
    for _ in 0..3 {
        let all = (0..8).map(|_| host.exec(Script::new("sleep 1000", Duration::from_millis(300))));
        for result in join_all(all).await {
            assert!(
                matches!(result, Err(TransportError::Timeout { .. })),
                "{result:?}"
            );
        }
    }
    assert!(exec(&host, "true").await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_is_reported_at_once() {
    let Some(servers) = servers("a_connection_cut_is_reported_at_once") else {
        return;
    };
    let host = root(servers).await;
    let pids = servers.file("cut");
    let script = format!("echo $PPID $$ >{}; sleep 1000", pids.display());
    let running = host.exec(Script::new(script, LIMIT));
    let cutting = tokio::task::spawn_blocking(move || {
        eventually("the command runs", || {
            fs_err::read_to_string(&pids).is_ok_and(|text| text.ends_with('\n'))
        });
        let text = fs_err::read_to_string(&pids).unwrap();
        let (session, command) = text.trim().split_once(' ').unwrap();
        crate::server::run("kill", &["-KILL", session]);
        (Instant::now(), command.to_owned())
    });
    let (result, cut) = futures::join!(running, cutting);
    let (since, command) = cut.unwrap();
    assert!(
        since.elapsed() < Duration::from_secs(10),
        "before the keepalives tell"
    );
    let error = result.unwrap_err();
    assert!(matches!(error, TransportError::Lost { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .starts_with("lost the connection to cp1: the server closed"),
        "{error}"
    );
    eventually("the command without a holder is gone", || !is_alive(&command));
    let later = host.exec(Script::new("true", LIMIT)).await.unwrap_err();
    assert!(matches!(later, TransportError::Lost { .. }), "{later:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_held_until_it_is_dropped() {
    let Some(servers) = servers("a_lock_is_held_until_it_is_dropped") else {
        return;
    };
    let host = root(servers).await;
    let lock = servers.file("lock").display().to_string();
    let script =
        format!("exec 9>{lock}; flock -n 9 || {{ echo busy; exit 1; }}; echo got it; exec sleep infinity");
    let held = host.hold(script.clone(), LIMIT).await.unwrap();
    assert_eq!(held.first_line, "got it\n");
    assert_eq!(
        host.hold(script.clone(), LIMIT).await.unwrap().first_line,
        "busy\n"
    );
    let free = format!("flock -n {lock} true");
    assert!(!exec(&host, &free).await.success(), "held while others run");
    assert!(!held.is_over());
    drop(held);
    for _ in 0..50 {
        if exec(&host, &free).await.success() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        exec(&host, &free).await.success(),
        "still locked a second after the drop"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_fails_says_why() {
    let Some(servers) = servers("a_lock_that_fails_says_why") else {
        return;
    };
    let host = root(servers).await;
    let ended = host
        .hold("echo no flock here >&2; exit 4".to_owned(), LIMIT)
        .await
        .unwrap_err();
    assert!(
        ended.to_string().contains("(exit status 4): no flock here"),
        "{ended}"
    );
    let silent = host
        .hold("sleep 1000".to_owned(), Duration::from_millis(300))
        .await
        .unwrap_err();
    assert!(matches!(silent, TransportError::Timeout { .. }), "{silent:?}");
}

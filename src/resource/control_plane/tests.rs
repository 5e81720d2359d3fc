//! What is made of a control plane in each state, and that the probe finds it, with programs in the place of kubectl.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use fs_err as fs;

use super::*;
use crate::resource::JoinCredentials;

fn control_plane() -> ControlPlane {
    ControlPlane {
        node: "cp1".into(),
        address: "10.0.0.1".into(),
        init: "kind: InitConfiguration\n".into(),
        join: "key: @CERTIFICATE_KEY@\n".into(),
        ignore: vec![],
    }
}

fn seen(section: &str) -> HostState {
    HostState::example(&format!("\x1econtrol-plane\n{section}\x1eend\n"))
}

fn credentials() -> ActionInput {
    ActionInput::Join(JoinCredentials {
        endpoint: "e:6443".into(),
        token: "abcdef.0123456789abcdef".to_owned().into(),
        ca_hash: "sha256:00".into(),
        certificate_key: None,
    })
}

fn script(section: &str, known: &ActionInput) -> String {
    let script = control_plane().action(&seen(section), known).script;
    assert!(sh::is_valid(&script), "{script}");
    script
}

/// What kubectl says to a question of each kind; `None` where nothing listens.
#[derive(Default)]
struct KubectlAnswers {
    objects: Option<&'static str>,
    node: Option<&'static str>,
    livez: Option<&'static str>,
}

/// The first line of the probe on a host with these files and these answers. An answer that begins with `Error` fails.
fn probed(files: &[(&str, &str)], answers: &KubectlAnswers) -> String {
    let host = tempfile::tempdir().unwrap();
    let root = host.path().display().to_string();
    fs::create_dir(host.path().join("bin")).unwrap();
    for (name, content) in files {
        let path = host.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    for (name, answer) in [
        ("objects", answers.objects),
        ("node", answers.node),
        ("livez", answers.livez),
    ] {
        let refused = "Error: connection refused";
        fs::write(host.path().join("bin").join(name), answer.unwrap_or(refused)).unwrap();
    }
    let kubectl = format!(
        "#!/bin/sh\ncase \"$*\" in *'--token none'*/livez) a=livez ;; *admin.conf*configmap/kubeadm-config*node/cp1) a=objects ;; \
         *kubelet.conf*/nodes/cp1) a=node ;; *) echo \"never asked so: $*\"; exit 9 ;; esac\n\
         cat {root}/bin/$a; ! grep -q ^Error {root}/bin/$a\n"
    );
    let program = host.path().join("bin/kubectl");
    fs::write(&program, kubectl).unwrap();
    fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let probe = control_plane().probe_script();
    let probe = ["/etc/kubernetes", "/var/lib/"]
        .iter()
        .fold(probe, |probe, path| probe.replace(path, &format!("{root}{path}")));
    let script = format!("PATH={root}/bin:$PATH\n{probe}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "", "{printed}");
    printed.lines().next().unwrap_or_default().to_owned()
}

const MANIFEST: (&str, &str) = ("etc/kubernetes/manifests/kube-apiserver.yaml", "");
const ADMIN: (&str, &str) = ("etc/kubernetes/admin.conf", "");
const FINAL: (&str, &str) = ("etc/kubernetes/kubelet.conf", "kubelet-client-current.pem");
const EMBEDDED: (&str, &str) = ("etc/kubernetes/kubelet.conf", "client-certificate-data: LS0t");
const BOOTSTRAP: (&str, &str) = ("etc/kubernetes/bootstrap-kubelet.conf", "");
const ETCD: (&str, &str) = ("var/lib/etcd/member/snap/db", "");
const UNFINISHED: (&str, &str) = ("var/lib/ci-bootstrap/init-unfinished", "");
const RUNS: Option<&str> = Some("Error: You must be logged in to the server (Unauthorized)");
const ALL: Option<&str> = Some("configmap/kubeadm-config\nnode/cp1\n");

#[test]
fn what_works_is_never_called_half() {
    let works = KubectlAnswers {
        objects: ALL,
        node: Some("{}"),
        livez: RUNS,
    };
    assert_eq!(probed(&[MANIFEST, FINAL, ADMIN], &works), "member");
    assert_eq!(probed(&[MANIFEST, FINAL, ETCD], &works), "incomplete");
    assert_eq!(probed(&[MANIFEST, EMBEDDED, ADMIN, ETCD], &works), "member");
    assert_eq!(probed(&[MANIFEST, EMBEDDED, ETCD], &works), "incomplete");
    assert_eq!(probed(&[MANIFEST, ADMIN, ETCD], &works), "headless");
    // And what is down for a moment, as after a reboot.
    let down = KubectlAnswers::default();
    for files in [
        &[MANIFEST, FINAL, ADMIN][..],
        &[MANIFEST, FINAL],
        &[MANIFEST, EMBEDDED, ETCD],
    ] {
        assert_eq!(probed(files, &down), "silent");
    }
}

#[test]
fn what_an_interrupted_run_has_left_is_half() {
    let down = KubectlAnswers::default();
    assert_eq!(probed(&[("etc/kubernetes/pki/ca.crt", "")], &down), "absent");
    assert_eq!(probed(&[], &down), "absent");
    for files in [
        &[("etc/kubernetes/pki/ca.key", "")][..],
        &[MANIFEST, ADMIN, BOOTSTRAP],
        &[MANIFEST, EMBEDDED, ADMIN],
        &[MANIFEST, EMBEDDED, ADMIN, ETCD, UNFINISHED],
    ] {
        assert_eq!(probed(files, &down), "half");
    }
    // A join whose etcd member is in already goes on from its start; an init goes on over what runs.
    let works = KubectlAnswers {
        objects: ALL,
        node: Some("{}"),
        livez: RUNS,
    };
    assert_eq!(probed(&[MANIFEST, ADMIN, BOOTSTRAP, ETCD], &works), "half");
    assert_eq!(
        probed(&[MANIFEST, EMBEDDED, ADMIN, ETCD, UNFINISHED], &works),
        "begun"
    );
    let without_addons = KubectlAnswers {
        objects: Some("Error from server (NotFound): daemonsets.apps \"kube-proxy\" not found"),
        ..works
    };
    assert_eq!(
        probed(&[MANIFEST, EMBEDDED, ADMIN, ETCD], &without_addons),
        "begun"
    );
    assert_eq!(
        probed(&[MANIFEST, FINAL, ADMIN, ETCD], &without_addons),
        "incomplete"
    );
}

#[test]
fn a_missing_configuration_is_no_silence() {
    for said in [
        "Error from server (NotFound): configmaps \"kubeadm-config\" not found",
        "Error from server (NotFound): configmaps \"kubelet-config\" not found",
        "Error from server (NotFound): nodes \"cp1\" not found",
    ] {
        let answers = KubectlAnswers {
            objects: Some(said),
            ..KubectlAnswers::default()
        };
        assert_eq!(
            probed(&[MANIFEST, FINAL, ADMIN], &answers),
            "incomplete",
            "{said}"
        );
    }
    let answers = KubectlAnswers {
        objects: Some("Error: x509: certificate signed by unknown authority"),
        ..KubectlAnswers::default()
    };
    assert_eq!(probed(&[MANIFEST, FINAL, ADMIN], &answers), "stranger");
}

#[test]
fn kubeadm_initialises_and_resets_only_where_that_was_decided() {
    let states = [
        "absent\n",
        "half\n",
        "begun\n",
        "member\n",
        "silent\nx\n",
        "headless\n",
        "nonsense\n",
        "",
    ];
    for state in states {
        let undecided = script(state, &ActionInput::Nothing);
        for acts in ["kubeadm init", "kubeadm join", "kubeadm reset"] {
            assert!(!undecided.contains(acts), "{state}: {undecided}");
        }
    }
    for state in [
        "member\n",
        "silent\nx\n",
        "headless\n",
        "nonsense\n",
        "",
        "stranger\nx\n",
    ] {
        for known in [ActionInput::Init, credentials()] {
            let script = script(state, &known);
            assert!(
                !script.contains("kubeadm init --") && !script.contains("kubeadm reset"),
                "{state}"
            );
        }
    }
    assert!(script("absent\n", &ActionInput::Init).contains("kubeadm init --skip-token-print"));
    assert!(script("half\n", &credentials()).contains("kubeadm reset"));
    let begun = script("begun\n", &credentials());
    assert!(
        begun.contains("ci-bootstrap reset cp1")
            && !begun.contains("kubeadm reset")
            && !begun.contains("kubeadm join")
    );
}

#[test]
fn a_plan_says_where_a_reset_may_come() {
    let Ok(Comparison::Differs(change)) = control_plane().compare(&seen("half\n")) else {
        unreachable!()
    };
    assert!(
        change.detail.iter().any(|line| line.contains("kubeadm reset")),
        "{change:?}"
    );
    let Ok(Comparison::Differs(change)) = control_plane().compare(&seen("begun\n")) else {
        unreachable!()
    };
    assert!(!format!("{change:?}").contains("reset"));
}

#[test]
fn what_is_missing_is_made_again_and_told() {
    let section = "incomplete\nadmin.conf is missing\n";
    let Ok(Comparison::Differs(change)) = control_plane().compare(&seen(section)) else {
        unreachable!()
    };
    assert_eq!(change.summary, "make /etc/kubernetes/admin.conf again");
    assert!(script(section, &ActionInput::Nothing).contains("kubeadm init phase kubeconfig admin --config"));
    let section = "incomplete\nconfigmaps \"kubeadm-config\" not found\nnodes \"cp1\" not found\n";
    let Ok(Comparison::Differs(change)) = control_plane().compare(&seen(section)) else {
        unreachable!()
    };
    let summary = "upload the ConfigMap kubeadm-config again, register cp1 again with the API server, which does not know it";
    assert_eq!(change.summary, summary);
    assert!(
        script(section, &ActionInput::Nothing).contains("kubeadm init phase upload-config kubeadm --config")
    );
    assert_eq!(
        control_plane().node_state(&seen(section)),
        Some(NodeState::Member)
    );
}

#[test]
fn a_word_that_is_not_known_is_an_error() {
    for section in ["", "nonsense\n", "unknown\n", "elsewhere\n"] {
        assert!(control_plane().compare(&seen(section)).is_err(), "{section}");
    }
    assert_eq!(control_plane().node_state(&seen("nonsense\n")), None);
}

#[test]
fn a_silent_api_server_is_waited_for_and_never_initialised_again() {
    let script = script("silent\nconnection refused\n", &ActionInput::Init);
    assert!(!script.contains("kubeadm init"), "{script}");
}

#[test]
fn an_api_server_whose_certificates_have_ended_is_not_waited_for() {
    let ended = seen("expired\n/etc/kubernetes/pki/apiserver.crt notAfter=Jan  2 00:00:00 2020 GMT\n");
    assert!(
        matches!(control_plane().compare(&ended), Ok(Comparison::Refused(text)) if text.contains("apiserver.crt notAfter=Jan  2") && text.contains("renew"))
    );
    assert!(sh::is_valid(&control_plane().probe_script()));
}

#[test]
fn a_join_ends_when_the_api_server_answers() {
    assert!(script("absent\n", &credentials()).ends_with(&control_plane().wait()));
}

#[test]
fn an_interrupted_init_goes_on_over_its_own_traces() {
    for state in ["half\n", "begun\n"] {
        let script = script(state, &ActionInput::Init);
        assert!(script.contains("FileAvailable--etc-kubernetes-manifests-etcd.yaml"));
        assert!(!script.contains("reset"));
    }
}

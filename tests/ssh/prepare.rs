//! The files that the servers run on: keys, accounts, sudoers, configuration.

use std::fmt::Write as _;
use std::path::Path;

use crate::hostile;
use crate::server::run;

/// Password of every account, and what `openssl passwd -6` makes of it.
pub(crate) const PASSWORD: &str = "correct horse";
const HASH: &str =
    "$6$cibootstrap$ZIpd8Pe.4DBfpxSTXpisj2egsOVbHXudC.0s8/aNNonh.BIV3qx3I2UDzyi5i79GvxW3FpQVCyMl38sUS3w.6.";
/// Passphrase of the encrypted key.
pub(crate) const PASSPHRASE: &str = "open sesame";

/// Accounts besides root and their shells.
const ACCOUNTS: [(&str, &str); 8] = [
    ("ann", "/bin/sh"),
    ("bob", "/bin/bash"),
    ("eve", "/bin/sh"),
    ("tty", "/bin/sh"),
    ("kim", "/bin/sh"),
    ("out", "/usr/sbin/nologin"),
    ("hop", "/bin/sh"),
    ("boot", "/bin/sh"),
];

/// What systemd's `/run/nologin` says, which sshd shows as a banner.
const BOOTING: &str = "\"System is booting up. Unprivileged users are not permitted to log in yet. \
    Please come back later. For technical details, see pam_nologin(8).\"\n";

const SUDOERS: &str = "Defaults timestamp_timeout=0\nDefaults:tty requiretty\nDefaults:bob use_pty\nroot ALL=(ALL) ALL\n\
    ann ALL=(ALL) ALL\nbob ALL=(ALL) NOPASSWD: ALL\ntty ALL=(ALL) NOPASSWD: ALL\n";

pub(crate) fn files(dir: &Path, outer: u16, inner: u16) {
    // The accounts must be able to enter.
    run("chmod", &["755", dir.to_str().unwrap()]);
    keys(dir, outer, inner);
    accounts(dir);
    config(
        dir,
        "outer",
        outer,
        "TrustedUserCAKeys DIR/user_ca.pub\nHostKey DIR/host_ed25519\nHostKey DIR/host_rsa\n",
    );
    config(
        dir,
        "inner",
        inner,
        "MaxAuthTries 2\nHostKey DIR/host_inner\nHostCertificate DIR/host_inner-cert.pub\n",
    );
    let hosts = fs_err::read_to_string("/etc/hosts").unwrap_or_default();
    write(dir, "hosts", &format!("{hosts}\n127.0.0.1 inner.test\n"));
}

fn keys(dir: &Path, outer: u16, inner: u16) {
    let host = keygen(dir, "host_ed25519", "ed25519", "");
    keygen(dir, "host_rsa", "rsa", "");
    let host_inner = keygen(dir, "host_inner", "ed25519", "");
    keygen(dir, "ca", "ed25519", "");
    let path = |name: &str| dir.join(name).display().to_string();
    run(
        "ssh-keygen",
        &[
            "-q",
            "-s",
            &path("ca"),
            "-I",
            "inner",
            "-h",
            "-n",
            "inner.test,127.0.0.1",
            &path("host_inner.pub"),
        ],
    );
    let known = format!("[127.0.0.1]:{outer} {host}\n[inner.test]:{inner} {host_inner}\n");
    write(dir, "known_hosts", &known);

    let mut allowed = String::new();
    for (name, kind, passphrase) in [
        ("id", "ed25519", ""),
        ("id_rsa", "rsa", ""),
        ("id_locked", "ed25519", PASSPHRASE),
    ] {
        let _ = writeln!(allowed, "{}", keygen(dir, name, kind, passphrase));
    }
    for kind in hostile::KINDS {
        let key = keygen(dir, &format!("hostile_{kind}"), "ed25519", "");
        let _ = writeln!(
            allowed,
            "command=\"sh {}/hostile.sh {kind}\" {key}",
            dir.display()
        );
    }
    write(dir, "hostile.sh", hostile::SCRIPT);
    write(dir, "authorized_keys", &allowed);
    write(dir, "booting", BOOTING);
    keygen(dir, "stranger", "ed25519", "");
    user_certificates(dir);
}

/// Keys that no account lists, for which an authority of users vouches.
fn user_certificates(dir: &Path) {
    keygen(dir, "user_ca", "ed25519", "");
    let always = "always:forever";
    for (name, kind, account, valid) in [
        ("certified", "ed25519", "root", always),
        ("certified_rsa", "rsa", "root", always),
        ("eves", "ed25519", "eve", always),
        ("ended", "ed25519", "root", "20200101:20200102"),
        ("apart", "ed25519", "root", always),
    ] {
        keygen(dir, name, kind, "");
        let path = |name: &str| dir.join(name).display().to_string();
        let (ca, public) = (path("user_ca"), path(&format!("{name}.pub")));
        run(
            "ssh-keygen",
            &["-q", "-s", &ca, "-I", name, "-n", account, "-V", valid, &public],
        );
    }
    fs_err::rename(dir.join("apart-cert.pub"), dir.join("elsewhere.pub")).unwrap();
}

fn accounts(dir: &Path) {
    let mut passwd = fs_err::read_to_string("/etc/passwd").unwrap();
    let mut shadow = fs_err::read_to_string("/etc/shadow").unwrap();
    for (index, (name, shell)) in ACCOUNTS.iter().enumerate() {
        let id = 64_001 + index;
        let home = dir.join("home").join(name);
        fs_err::create_dir_all(&home).unwrap();
        run("chown", &[&id.to_string(), home.to_str().unwrap()]);
        let _ = writeln!(passwd, "{name}:x:{id}:65534::{}:{shell}", home.display());
        let _ = writeln!(shadow, "{name}:{HASH}:19000:0:99999:7:::");
    }
    write(dir, "passwd", &passwd);
    write(dir, "shadow", &shadow);
    write(dir, "sudoers", SUDOERS);
    run("chmod", &["440", dir.join("sudoers").to_str().unwrap()]);
    // Logins that talk must not get into the output of scripts.
    write(dir, "home/bob/.bashrc", "echo noise of bashrc; echo noise >&2\n");
}

fn config(dir: &Path, name: &str, port: u16, keys: &str) {
    let text = format!(
        "ListenAddress 127.0.0.1:{port}\nPidFile none\nUsePAM yes\nStrictModes no\nPermitRootLogin yes\n\
         PrintMotd no\nLogLevel VERBOSE\nAuthorizedKeysFile DIR/authorized_keys\nPasswordAuthentication yes\n\
         KbdInteractiveAuthentication yes\nMaxStartups 100\n{keys}\
         Match User kim\nPasswordAuthentication no\nMatch User eve\nKbdInteractiveAuthentication no\n\
         Match User boot\nBanner DIR/booting\nAuthorizedKeysFile DIR/keys_after_boot\n"
    );
    write(
        dir,
        &format!("{name}.conf"),
        &text.replace("DIR", &dir.display().to_string()),
    );
}

fn write(dir: &Path, name: &str, text: &str) {
    fs_err::write(dir.join(name), text).unwrap();
}

/// Makes a key pair and gives the public half without its comment.
fn keygen(dir: &Path, name: &str, kind: &str, passphrase: &str) -> String {
    let path = dir.join(name);
    run(
        "ssh-keygen",
        &[
            "-q",
            "-t",
            kind,
            "-N",
            passphrase,
            "-C",
            name,
            "-f",
            path.to_str().unwrap(),
        ],
    );
    let public = fs_err::read_to_string(dir.join(format!("{name}.pub"))).unwrap();
    public.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

//! Signing keys, with the real gpg and curl.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use fs_err as fs;

use super::super::site_file::tests::run;
use super::*;

/// Two keys that sign nothing.
const ONE: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawzbKxYJKwYBBAHaRw8BAQdA/CoTqgxYvxJqNSkG65fbhBfMAWIIb8zi2RGb
HVkaPby0LWNpLWJvb3RzdHJhcCB0ZXN0IG9uZSA8b25lQGNpLWJvb3RzdHJhcC50
ZXN0PoiQBBMWCAA4FiEE50G+HzvhgR1edaMDfOkdVY5/Hs0FAmsM2ysCGwMFCwkI
BwIGFQoJCAsCBBYCAwECHgECF4AACgkQfOkdVY5/Hs2wmgD+PgbiaX2vD6bIsCG4
LBx7SC407U5RB0eVsEvSO+FsodgA/Rufi6kZKSYz3M8xVXi3YSMUWVHZ6p1pD73o
D1fL8HwL
=+3q6
-----END PGP PUBLIC KEY BLOCK-----
";
const ONES_FINGERPRINT: &str = "E741BE1F3BE1811D5E75A3037CE91D558E7F1ECD";
const TWO: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawzbKxYJKwYBBAHaRw8BAQdANIkoRkgn7QL4K2IZSAwdBoC7fvmHdMRRywuL
I36LmqW0LWNpLWJvb3RzdHJhcCB0ZXN0IHR3byA8dHdvQGNpLWJvb3RzdHJhcC50
ZXN0PoiQBBMWCAA4FiEECJgMv7G/Y7a0mzevSx7Cz9AbSGMFAmsM2ysCGwMFCwkI
BwIGFQoJCAsCBBYCAwECHgECF4AACgkQSx7Cz9AbSGM96gD9HClh5bJhGFVLC17r
myeN8p/bDVln8NRoNUmvBx1pd7MA/ilyQ4YQzRSbF45111WQk+BhukHyqC4cr46X
3iOkPZUM
=XpK3
-----END PGP PUBLIC KEY BLOCK-----
";

/// What becomes of a fetched file: whether it was taken, what was said, and what lies at the key's place.
fn fetched(file: &[u8], fingerprint: &str) -> (bool, String, Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (served, path) = (folder.path().join("served"), folder.path().join("key.asc"));
    fs::write(&served, file).unwrap();
    let url = format!("file://{}", served.display());
    let (taken, printed) = run(&fetch_key(&path.display().to_string(), &url, fingerprint, None));
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1 + usize::from(taken), "nothing else is left: {printed}");
    (taken, printed, fs::read_to_string(path).ok())
}

fn has_tools(test: &str) -> bool {
    let found = run("command -v gpg && command -v curl").0;
    if !found {
        crate::skip::skipped(test, "no gpg or no curl on this machine");
    }
    found
}

#[test]
fn a_file_with_another_key_beside_the_pinned_one_is_refused() {
    if !has_tools("a_file_with_another_key_beside_the_pinned_one_is_refused") {
        return;
    }
    for file in [
        format!("{ONE}{TWO}"),
        format!("{TWO}{ONE}"),
        TWO.to_owned(),
        "no key\n".to_owned(),
    ] {
        let (taken, printed, key) = fetched(file.as_bytes(), ONES_FINGERPRINT);
        assert!(
            !taken && printed.contains("must have E741") && key.is_none(),
            "{printed}"
        );
    }
}

#[test]
fn the_pinned_key_alone_is_installed_and_recognised() {
    if !has_tools("the_pinned_key_alone_is_installed_and_recognised") {
        return;
    }
    let noise = format!("noise around it\n{ONE}and after it\n");
    let (taken, printed, key) = fetched(noise.as_bytes(), &ONES_FINGERPRINT.to_lowercase());
    let key = key.unwrap_or_default();
    assert!(
        taken && key.contains("BEGIN PGP PUBLIC KEY BLOCK") && !key.contains("noise"),
        "{printed}"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.asc");
    fs::write(&path, key).unwrap();
    let (_, found) = run(&format!("{PRIMARY_KEYS}primary_keys {}", path.display()));
    assert_eq!(found, format!("{ONES_FINGERPRINT}\n"));
}

#[test]
fn what_lies_on_the_host_is_looked_at_again() {
    let repository: Repository = serde_json::from_value(serde_json::json!({
        "name": "x", "format": "apt", "url": "http://r/", "suite": "/",
        "key": { "url": { "url": "http://r/key", "fingerprint": ONES_FINGERPRINT } },
    }))
    .unwrap();
    let verdict = |keys: &str| {
        let list = repository.list(&HostState::default());
        let seen = HostState::example(&format!(
            "\x1econtent {}\n{list}\x1epaths\nregular file|644|root:root|1.0|{}\n\x1esigning key x\n{keys}\x1eend\n",
            repository.list_path(),
            repository.key_path()
        ));
        repository.compare(&seen).unwrap()
    };
    assert_eq!(verdict(&format!("{ONES_FINGERPRINT}\n")), Comparison::InSync);
    for keys in [
        "",
        "08980CBFB1BF63B6B49B37AF4B1EC2CFD01B4863\n",
        &format!("{ONES_FINGERPRINT}\n08980CBFB1BF63B6B49B37AF4B1EC2CFD01B4863\n"),
    ] {
        assert!(matches!(verdict(keys), Comparison::Differs(_)), "{keys}");
    }
    let action = repository.action(&HostState::default(), &ActionInput::default());
    assert!(sh::is_valid(&action.script));
}

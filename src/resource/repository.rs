//! A package repository whose signatures are checked.

use serde::Deserialize;

use super::file::sha256;
use super::text_diff::diff;
use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};

/// A repository for the package manager of the host's family.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Repository {
    /// Short name; our files are called `ci-bootstrap-NAME`.
    pub name: String,
    /// Which package manager reads it.
    pub format: PackageFormat,
    /// Base URL. `${ID}`, `${VERSION_ID}`, `${MAJOR}` and `${VERSION_CODENAME}` stand for the host's os-release.
    pub url: String,
    /// apt: the suite; one that ends in `/` makes a flat repository.
    #[serde(default)]
    pub suite: String,
    /// apt: components, none for a flat repository.
    #[serde(default)]
    pub components: Vec<String>,
    /// Who signs it.
    pub key: RepositoryKey,
    /// rpm: whether the metadata is signed besides the packages.
    #[serde(default)]
    pub signed_metadata: bool,
    /// rpm: packages that only we install from here, so that no upgrade moves them.
    #[serde(default)]
    pub held: Vec<String>,
    /// Proxy for this repository.
    #[serde(default)]
    pub proxy: Option<String>,
}

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PackageFormat {
    /// Debian-based.
    Apt,
    /// RHEL-based.
    Rpm,
}

/// The public key of a repository: its text, or where the host gets it and what it must be.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum RepositoryKey {
    /// Armored key.
    Text(String),
    /// A key that the host fetches.
    Url {
        /// Where it is.
        url: String,
        /// Fingerprint of the one primary key in it, in hex.
        fingerprint: String,
    },
}

impl RepositoryKey {
    fn sha256(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(sha256(text)),
            Self::Url { .. } => None,
        }
    }
}

impl Repository {
    fn expand(&self, seen: &HostState, text: &str) -> String {
        let os = seen.os();
        // Kin of RHEL read RHEL's packages, where a vendor has no directory for each of them.
        let id = if self.format == PackageFormat::Rpm && os.family == "rhel" {
            "rhel"
        } else {
            os.id.as_str()
        };
        let major = os.version.split('.').next().unwrap_or_default();
        text.replace("${ID}", id)
            .replace("${VERSION_ID}", &os.version)
            .replace("${MAJOR}", major)
            .replace("${VERSION_CODENAME}", &os.codename)
    }

    fn list_path(&self) -> String {
        match self.format {
            PackageFormat::Apt => format!("/etc/apt/sources.list.d/ci-bootstrap-{}.sources", self.name),
            PackageFormat::Rpm => format!("/etc/yum.repos.d/ci-bootstrap-{}.repo", self.name),
        }
    }

    fn key_path(&self) -> String {
        match self.format {
            PackageFormat::Apt => format!("/etc/apt/keyrings/ci-bootstrap-{}.asc", self.name),
            PackageFormat::Rpm => format!("/etc/pki/rpm-gpg/ci-bootstrap-{}.asc", self.name),
        }
    }

    fn list(&self, seen: &HostState) -> String {
        let url = self.expand(seen, &self.url);
        match self.format {
            PackageFormat::Apt => self.apt_list(&url, &self.expand(seen, &self.suite)),
            PackageFormat::Rpm => self.rpm_list(&url),
        }
    }

    fn apt_list(&self, url: &str, suite: &str) -> String {
        let components = match self.components.as_slice() {
            [] => String::new(),
            some => format!("Components: {}\n", some.join(" ")),
        };
        format!(
            "# Written by ci-bootstrap.\nTypes: deb\nURIs: {url}\nSuites: {suite}\n{components}Signed-By: {}\n",
            self.key_path()
        )
    }

    fn rpm_list(&self, url: &str) -> String {
        let name = &self.name;
        let proxy = self
            .proxy
            .as_ref()
            .map_or_else(String::new, |proxy| format!("proxy={proxy}\n"));
        let held = match self.held.as_slice() {
            [] => String::new(),
            some => format!("excludepkgs={}\n", some.join(",")),
        };
        format!(
            "# Written by ci-bootstrap.\n[ci-bootstrap-{name}]\nname={name} (ci-bootstrap)\nbaseurl={url}\nenabled=1\ngpgcheck=1\n\
             repo_gpgcheck={}\ngpgkey=file://{}\n{proxy}{held}",
            u8::from(self.signed_metadata),
            self.key_path()
        )
    }

    fn fingerprints(&self) -> String {
        format!("signing key {}", self.name)
    }

    /// What is wrong with the key on the host.
    fn key_differences(&self, seen: &HostState) -> Result<Vec<String>, Unreadable> {
        let Some(state) = seen.path(&self.key_path())? else {
            return Ok(vec![format!("+key {}", self.key_path())]);
        };
        let (found, wanted) = match &self.key {
            RepositoryKey::Text(text) => (state.sha256.unwrap_or_default(), sha256(text)),
            RepositoryKey::Url { fingerprint, .. } => {
                let section = seen.section(&self.fingerprints());
                let found: Vec<_> = section.split_whitespace().collect();
                (found.join(" "), fingerprint.to_uppercase())
            }
        };
        if found == wanted {
            return Ok(vec![]);
        }
        Ok(vec![
            format!("-key {} ({found})", self.key_path()),
            format!("+key {} ({wanted})", self.key_path()),
        ])
    }

    /// Commands that put the key in place.
    fn install_key(&self) -> String {
        let path = self.key_path();
        match &self.key {
            RepositoryKey::Text(text) => sh::write_file(&path, text, "0644", "root:root"),
            RepositoryKey::Url { url, fingerprint } => {
                fetch_key(&path, url, fingerprint, self.proxy.as_deref())
            }
        }
    }
}

/// A shell function that prints the fingerprints of the primary keys in a file: subkeys are their keys' own matter. It makes no folder
/// and no keyring, and what is no key at all has none.
const PRIMARY_KEYS: &str = r#"primary_keys() {
  gpg --batch --no-options --no-keyring --trust-model always --homedir / --show-keys --with-colons -- "$1" 2>/dev/null |
    sed -n '/^pub:/,/^fpr:/s/^fpr:*\([0-9A-F]*\):*$/\1/p'
}
"#;

/// A file takes its place only when exactly one primary key is in it and has the fingerprint that the inventory names. What is
/// installed is gpg's own export of that key, as others may find in the file what gpg has passed over.
const FETCH_KEY: &str = r#"( new=@PATH@.new
work=$(mktemp -d)
trap 'rm -rf -- "$work" "$new"' EXIT
command -v gpg >/dev/null || { echo "gpg is needed to check the signing key; install gnupg"; exit 1; }
curl -fsSL @PROXY@ --connect-timeout 10 --max-time 60 --max-filesize 1048576 --retry 2 -o "$work/key" @URL@ || {
  echo "cannot fetch the signing key" @URL@"; give it as a file in the inventory (key: { file: ... }) where hosts have no way there"; exit 1; }
found=$(echo $(primary_keys "$work/key"))
[ "$found" = @FINGERPRINT@ ] || {
  echo "the file from" @URL@ "has the primary keys '$found', and must have" @FINGERPRINT@ "alone"; exit 1; }
gpg -q --batch --no-options --no-autostart --homedir "$work" --import "$work/key"
gpg -q --batch --no-options --no-autostart --homedir "$work" --armor --export 0x@FINGERPRINT@ >"$new"
[ "$(primary_keys "$new")" = @FINGERPRINT@ ] || { echo "gpg can't use the signing key from" @URL@; exit 1; }
chmod 644 "$new"
sync "$new"
mv -f -T "$new" @PATH@
)
"#;

fn fetch_key(path: &str, url: &str, fingerprint: &str, proxy: Option<&str>) -> String {
    let proxy = proxy.map_or_else(String::new, |proxy| format!("--proxy {}", sh::quote(proxy)));
    let fetch = FETCH_KEY
        .replace("@PROXY@", &proxy)
        .replace("@PATH@", &sh::quote(path))
        .replace("@URL@", &sh::quote(url))
        .replace("@FINGERPRINT@", &sh::quote(&fingerprint.to_uppercase()));
    format!("{PRIMARY_KEYS}{fetch}")
}

impl Resource for Repository {
    fn probe(&self, ask: &mut Probe) {
        ask.content(&self.list_path());
        ask.path(&self.key_path(), self.key.sha256());
        if matches!(self.key, RepositoryKey::Url { .. }) {
            let path = sh::quote(&self.key_path());
            let script = format!("{PRIMARY_KEYS}[ ! -f {path} ] || primary_keys {path}");
            ask.script(&self.fingerprints(), &script);
        }
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let mut lines = diff(seen.content(&self.list_path()).unwrap_or(""), &self.list(seen));
        lines.extend(self.key_differences(seen)?);
        Ok(Comparison::from_lines(
            format!("add the package repository {}", self.name),
            lines,
        ))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        let list = sh::write_file(&self.list_path(), &self.list(seen), "0644", "root:root");
        let directory = match self.format {
            PackageFormat::Apt => "/etc/apt/keyrings",
            PackageFormat::Rpm => "/etc/pki/rpm-gpg",
        };
        Action::quick(format!("mkdir -p {directory}\n{}{list}", self.install_key()))
            .within(std::time::Duration::from_secs(240))
    }

    fn undo(&self) -> Option<String> {
        Some(format!(
            "rm -f {}\n",
            sh::words([self.list_path(), self.key_path()])
        ))
    }

    fn touches(&self) -> Vec<Topic> {
        vec![Topic::Repositories]
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Path(self.list_path())]
    }
}

#[cfg(test)]
mod tests;

//! A package repository whose signatures are checked.

use serde::Deserialize;

use super::text_diff::diff;
use super::{Action, Known, Probe, Resource, Seen, Topic, Unreadable, Verdict, sh};

/// A repository for the package manager of the host's family.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Repository {
    /// Short name; our files are called `ci-bootstrap-NAME`.
    pub name: String,
    /// Which package manager reads it.
    pub format: Format,
    /// Base URL. `${ID}`, `${VERSION_ID}`, `${MAJOR}` and `${VERSION_CODENAME}` stand for the host's os-release.
    pub url: String,
    /// apt: the suite; one that ends in `/` makes a flat repository.
    #[serde(default)]
    pub suite: String,
    /// apt: components, none for a flat repository.
    #[serde(default)]
    pub components: Vec<String>,
    /// Who signs it.
    pub key: Key,
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
pub(crate) enum Format {
    /// Debian and its kin.
    Apt,
    /// RHEL and its kin.
    Rpm,
}

/// The public key of a repository: its text, or where the host gets it and what it must be.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Key {
    /// Armored key.
    Text(String),
    /// A key that the host fetches.
    Url {
        /// Where it is.
        url: String,
        /// Fingerprint that it must have, in hex.
        fingerprint: String,
    },
}

impl Key {
    fn sha256(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(super::file::sha256(text)),
            Self::Url { .. } => None,
        }
    }
}

impl Repository {
    fn expand(&self, seen: &Seen, text: &str) -> String {
        let os = seen.os();
        // Kin of RHEL read RHEL's packages, where a vendor has no directory for each of them.
        let id = if self.format == Format::Rpm && os.family == "rhel" {
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
            Format::Apt => format!("/etc/apt/sources.list.d/ci-bootstrap-{}.sources", self.name),
            Format::Rpm => format!("/etc/yum.repos.d/ci-bootstrap-{}.repo", self.name),
        }
    }

    fn key_path(&self) -> String {
        match self.format {
            Format::Apt => format!("/etc/apt/keyrings/ci-bootstrap-{}.asc", self.name),
            Format::Rpm => format!("/etc/pki/rpm-gpg/ci-bootstrap-{}.asc", self.name),
        }
    }

    fn list(&self, seen: &Seen) -> String {
        let url = self.expand(seen, &self.url);
        match self.format {
            Format::Apt => self.apt_list(&url, &self.expand(seen, &self.suite)),
            Format::Rpm => self.rpm_list(&url),
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

    /// Commands that put the key in place.
    fn install_key(&self) -> String {
        let path = self.key_path();
        match &self.key {
            Key::Text(text) => sh::write_file(&path, text, "0644", "root:root"),
            Key::Url { url, fingerprint } => FETCH_KEY
                .replace(
                    "@PROXY@",
                    &self
                        .proxy
                        .as_ref()
                        .map_or_else(String::new, |proxy| format!("--proxy {}", sh::quote(proxy))),
                )
                .replace("@PATH@", &sh::quote(&path))
                .replace("@URL@", &sh::quote(url))
                .replace("@FINGERPRINT@", &sh::quote(&fingerprint.to_uppercase())),
        }
    }
}

/// The file takes its place only when one of its keys has the fingerprint that the inventory names.
const FETCH_KEY: &str = r#"curl -fsSL @PROXY@ --connect-timeout 10 --max-time 60 --retry 2 -o @PATH@.new @URL@ || {
  echo "cannot fetch the signing key" @URL@"; give it as a file in the inventory (key: { file: ... }) where hosts have no way there"; exit 1; }
found=$(gpg --batch --show-keys --with-colons @PATH@.new | sed -n 's/^fpr:*\([0-9A-F]*\):*$/\1/p')
case " $(echo $found) " in
  *" "@FINGERPRINT@" "*) ;;
  *) rm -f @PATH@.new; echo "the key from" @URL@ "has the fingerprints" $found "and not" @FINGERPRINT@; exit 1 ;;
esac
chmod 644 @PATH@.new
mv -f @PATH@.new @PATH@
"#;

impl Resource for Repository {
    fn probe(&self, ask: &mut Probe) {
        ask.content(&self.list_path());
        ask.path(&self.key_path(), self.key.sha256());
    }

    fn compare(&self, seen: &Seen) -> Result<Verdict, Unreadable> {
        let mut lines = diff(seen.content(&self.list_path()).unwrap_or(""), &self.list(seen));
        let key = seen.path(&self.key_path())?;
        let wanted = self.key.sha256();
        if key.is_none_or(|key| wanted.is_some() && key.sha256 != wanted) {
            lines.push(format!("+key {}", self.key_path()));
        }
        Ok(Verdict::from_lines(
            format!("add the package repository {}", self.name),
            lines,
        ))
    }

    fn action(&self, seen: &Seen, _known: &Known) -> Action {
        let list = sh::write_file(&self.list_path(), &self.list(seen), "0644", "root:root");
        let directory = match self.format {
            Format::Apt => "/etc/apt/keyrings",
            Format::Rpm => "/etc/pki/rpm-gpg",
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

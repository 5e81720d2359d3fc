//! Fetching secrets.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use tokio::process::Command;
use tokio::sync::{Mutex, oneshot};

use super::{Redactor, SecretRef, SecretValues};

/// Why a secret could not be had. Every text says which secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set, or is no text.
    #[error("cannot read the secret from environment variable {0}: {1}; set it, or name another source")]
    Env(String, std::env::VarError),
    /// The file can't be read.
    #[error("cannot read a secret: {0}")]
    File(#[source] io::Error),
    /// The command can't be started.
    #[error("cannot run `{0}` for a secret: {1}")]
    Start(String, #[source] io::Error),
    /// The command failed.
    #[error("`{command}`, run for a secret, ended with {status}: {stderr}")]
    Command {
        /// Its first word.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
    /// Nobody can be asked.
    #[error("cannot ask for the secret \"{0}\": {1}; without a terminal, name another source")]
    Prompt(String, #[source] io::Error),
    /// It took too long.
    #[error("no secret from {0} within {limit} seconds", limit = .1.as_secs())]
    Timeout(SecretRef, Duration),
    /// The secret is empty.
    #[error("the secret from {0} is empty")]
    Empty(SecretRef),
    /// It is no text.
    #[error("the secret from {0} is not UTF-8 text")]
    NotText(SecretRef),
}

/// Fetches secrets, each once, and tells the process's redactor of them.
#[derive(Debug)]
pub struct Secrets {
    limit: Duration,
    known: Mutex<HashMap<SecretRef, SecretString>>,
    redactor: Redactor,
}

impl Secrets {
    /// Secrets that must come within `limit` each; a user who is asked has that long to answer.
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            known: Mutex::default(),
            redactor: Redactor::process(),
        }
    }

    /// Masks all secrets fetched so far, and those to come.
    pub fn redactor(&self) -> Redactor {
        self.redactor.clone()
    }

    /// Fetches all of `references`, for templates.
    ///
    /// # Errors
    /// The first that can't be had.
    pub async fn all(
        &self,
        references: impl IntoIterator<Item = &SecretRef>,
    ) -> Result<SecretValues, SecretError> {
        let mut secrets = HashMap::new();
        for reference in references {
            secrets.insert(reference.clone(), self.get(reference).await?);
        }
        Ok(SecretValues::new(secrets, self.redactor()))
    }

    /// The secret. Callers wait for each other, so that a user gets one question at a time.
    pub async fn get(&self, reference: &SecretRef) -> Result<SecretString, SecretError> {
        let mut known = self.known.lock().await;
        if let Some(secret) = known.get(reference) {
            return Ok(secret.clone());
        }
        let fetched = tokio::time::timeout(self.limit, fetch(reference)).await;
        let text = fetched.map_err(|_| SecretError::Timeout(reference.clone(), self.limit))??;
        if text.is_empty() {
            return Err(SecretError::Empty(reference.clone()));
        }
        let secret = SecretString::from(text);
        self.redactor.learn(&secret);
        known.insert(reference.clone(), secret.clone());
        Ok(secret)
    }
}

async fn fetch(reference: &SecretRef) -> Result<String, SecretError> {
    let bytes = match reference {
        SecretRef::Env(name) => {
            return std::env::var(name).map_err(|error| SecretError::Env(name.clone(), error));
        }
        SecretRef::Prompt(text) => {
            return ask(text)
                .await
                .map_err(|error| SecretError::Prompt(text.clone(), error));
        }
        SecretRef::File(path) => read(path).await.map_err(SecretError::File)?,
        SecretRef::Command(words) => run(words).await?,
    };
    let mut text = String::from_utf8(bytes).map_err(|_| SecretError::NotText(reference.clone()))?;
    if text.ends_with('\n') {
        text.truncate(text.len() - 1);
    }
    Ok(text)
}

/// Reads in a thread, for the file may be a pipe of which nobody writes the other end.
async fn read(path: &Path) -> io::Result<Vec<u8>> {
    let path = path.to_owned();
    in_thread(move || fs_err::read(path)).await
}

async fn ask(text: &str) -> io::Result<String> {
    let prompt = format!("{text}: ");
    in_thread(move || rpassword::prompt_password(prompt)).await
}

/// A thread of its own, which the program need not wait for at its end, unlike tokio's blocking threads.
async fn in_thread<T: Send + 'static>(job: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new()
        .name("secret".to_owned())
        .spawn(move || {
            // The receiver is gone when the time is up.
            let _ = sender.send(job());
        })?;
    receiver.await.map_err(io::Error::other)?
}

async fn run(words: &[String]) -> Result<Vec<u8>, SecretError> {
    let program = words.first().cloned().unwrap_or_default();
    let child = Command::new(&program)
        .args(words.get(1..).unwrap_or_default())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = child
        .await
        .map_err(|error| SecretError::Start(program.clone(), error))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = stderr.trim().lines().rev().take(3).collect();
    Err(SecretError::Command {
        command: program,
        status: output.status,
        stderr: last.into_iter().rev().collect::<Vec<_>>().join(" / "),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use secrecy::ExposeSecret;

    fn command(script: &str) -> SecretRef {
        SecretRef::Command(["sh", "-c", script].map(str::to_owned).to_vec())
    }

    async fn get(reference: &SecretRef) -> Result<String, String> {
        let secrets = Secrets::new(Duration::from_secs(5));
        let secret = secrets.get(reference).await.map_err(|error| error.to_string())?;
        Ok(secret.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn a_secret_is_fetched_once_and_masked() {
        let directory = tempfile::tempdir().unwrap();
        let count = directory.path().join("count");
        let secrets = Secrets::new(Duration::from_secs(5));
        let reference = command(&format!("echo x >> {}; echo hunter2", count.display()));
        for _ in 0..2 {
            assert_eq!(secrets.get(&reference).await.unwrap().expose_secret(), "hunter2");
        }
        assert_eq!(fs_err::read_to_string(count).unwrap(), "x\n");
        assert_eq!(secrets.redactor().redact("it is hunter2"), "it is (secret)");
    }

    #[tokio::test]
    async fn one_newline_at_the_end_belongs_to_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        fs_err::write(&path, "two\nlines\n").unwrap();
        assert_eq!(
            get(&SecretRef::File(path.clone())).await,
            Ok("two\nlines".to_owned())
        );
        fs_err::write(&path, "\n").unwrap();
        assert!(
            get(&SecretRef::File(path))
                .await
                .unwrap_err()
                .contains("is empty")
        );
        let missing = get(&SecretRef::File("/nowhere/secret".into())).await.unwrap_err();
        assert!(missing.contains("/nowhere/secret"), "{missing}");
    }

    #[tokio::test]
    async fn what_goes_wrong_names_the_source() {
        let error = get(&command("echo locked >&2; exit 3")).await.unwrap_err();
        assert!(
            error.contains("`sh`") && error.contains("exit status: 3") && error.contains("locked"),
            "{error}"
        );
        let error = get(&SecretRef::Command(vec!["/nowhere/pass".to_owned()]))
            .await
            .unwrap_err();
        assert!(error.contains("cannot run `/nowhere/pass`"), "{error}");
        let error = get(&SecretRef::Env("CI_BOOTSTRAP_UNSET".to_owned()))
            .await
            .unwrap_err();
        assert!(error.contains("CI_BOOTSTRAP_UNSET"), "{error}");
        assert!(
            get(&command("printf '\\377'"))
                .await
                .unwrap_err()
                .contains("not UTF-8")
        );
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_given_up() {
        let secrets = Secrets::new(Duration::from_millis(100));
        let error = secrets.get(&command("sleep 60")).await.unwrap_err();
        assert!(matches!(error, SecretError::Timeout(..)), "{error}");
    }
}

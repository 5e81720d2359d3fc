//! The host that keeps the bundles and has the timer.

use std::io::Read;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::recovery::{RecoveryError, run, succeeded, upload};
use crate::resource::sh;
use crate::transport::{Script, ScriptEnd, ScriptOutput, Transport};

use super::{FOLDER, KEY, PROGRAM, PROVEN, SERVICE, ScheduleSettings, TIMER, unit};

const LIMIT: Duration = Duration::from_secs(120);
/// Longer than the service may take, which its template says.
const BUNDLE_LIMIT: Duration = Duration::from_secs(7 * 3600);
/// How the service's description begins, before the cluster's name.
const DESCRIPTION: &str = "Bundle of the cluster";
/// How the script says that systemd does not understand the calendar.
const BAD_CALENDAR: u32 = 64;

/// What the host says before anything is changed there.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// systemd does not understand the calendar, and says this.
    BadCalendar(String),
    /// The sum of the program there; empty if there is none.
    Program(String),
}

/// The host that keeps the bundles.
pub struct Keeper<'a> {
    host: &'a dyn Transport,
    name: &'a str,
}

impl std::fmt::Debug for Keeper<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("host", &self.name)
            .finish_non_exhaustive()
    }
}

impl<'a> Keeper<'a> {
    /// Asks nothing yet.
    pub fn new(host: &'a dyn Transport, name: &'a str) -> Self {
        Self { host, name }
    }

    /// Asks systemd what it thinks of a calendar, and for the program's sum. Changes nothing.
    ///
    /// # Errors
    /// When the host can't be talked to, has no systemd or OpenSSH, or makes bundles of another cluster than this.
    pub async fn look(&self, calendar: &str, cluster: &str) -> Result<Look, RecoveryError> {
        let script = format!(
            "set -eu
for tool in systemctl systemd-analyze ssh-keygen; do
  command -v $tool >/dev/null || {{ echo \"there is no $tool\"; exit 1; }}
done
other=$(sed -n 's/^Description={DESCRIPTION} //p' {SERVICE} 2>/dev/null || true)
[ -z \"$other\" ] || [ \"$other\" = {} ] || {{
  echo \"it makes bundles of the cluster $other; with the inventory of that one, --schedule off takes its timer away\"
  exit 1
}}
systemd-analyze calendar -- {} 2>&1 >/dev/null || exit {BAD_CALENDAR}
[ ! -e {PROGRAM} ] || sha256sum <{PROGRAM} | cut -d' ' -f1
",
            sh::quote(cluster),
            sh::quote(calendar)
        );
        let output = self.host.exec(Script::new(script, LIMIT)).await?;
        if output.ended == ScriptEnd::Exited(BAD_CALENDAR) {
            return Ok(Look::BadCalendar(text(&output)));
        }
        let output = succeeded(self.name, "looking for what a timer needs", output)?;
        Ok(Look::Program(text(&output)))
    }

    /// Puts the program in its place, if it can run there.
    ///
    /// # Errors
    /// When the host can't be talked to, or the program does not run there.
    pub async fn install(&self, program: impl Read + Send) -> Result<(), RecoveryError> {
        upload(self.host, self.name, &format!("{PROGRAM}.new"), program).await?;
        let script = format!(
            "set -eu
chmod 755 {PROGRAM}.new
if command -v restorecon >/dev/null 2>&1; then restorecon {PROGRAM}.new 2>/dev/null || true; fi
{PROGRAM}.new --version 2>&1 || {{
  rm -f {PROGRAM}.new
  echo 'this program does not run there: call a build for that system (the same processor, and a C library as old as its own or none)'
  exit 1
}}
rm -f {PROVEN}
mv -f {PROGRAM}.new {PROGRAM}
"
        );
        self.run("trying out the program", script).await.map(drop)
    }

    /// The public half of the host's key, which is made when there is none, and whether it was. The private half stays there.
    ///
    /// # Errors
    /// When the host can't be talked to or the key can't be made.
    pub async fn key(&self) -> Result<(String, bool), RecoveryError> {
        let script = format!(
            "set -eu
umask 077
mkdir -p {FOLDER}
chmod 700 {FOLDER}
if [ ! -s {KEY} ]; then
  rm -f {KEY}.new {KEY}.new.pub {PROVEN}
  ssh-keygen -q -t ed25519 -N '' -C '' -f {KEY}.new
  mv -f {KEY}.new {KEY}
  rm -f {KEY}.new.pub
  echo made
fi
ssh-keygen -y -f {KEY}
"
        );
        let output = self.run("making a key", script).await?;
        let (mut key, mut made) = (String::new(), false);
        for line in text(&output).lines() {
            match line {
                "made" => made = true,
                _ => key = line.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
            }
        }
        Ok((key, made))
    }

    /// Writes the settings that differ, and makes the folder of the bundles. Returns what was changed, and whether a bundle has been made
    /// with these settings, the last one too, and the timer runs.
    ///
    /// # Errors
    /// When the host can't be talked to or a file can't be written.
    pub async fn settle(
        &self,
        bundles: &str,
        settings: &[ScheduleSettings],
    ) -> Result<(Vec<String>, bool), RecoveryError> {
        let bundles = sh::quote(bundles);
        let files: String = settings.iter().map(ScheduleSettings::script).collect();
        let script = format!(
            "set -eu
umask 077
[ -d {bundles} ] || {{ mkdir -p {bundles}; echo {bundles}; }}
{files}if [ -e {PROVEN} ] && systemctl -q is-enabled {timer} 2>/dev/null && systemctl -q is-active {timer} && ! systemctl -q is-failed {service}; then
  echo proven
fi
",
            service = unit(SERVICE),
            timer = unit(TIMER)
        );
        let output = self.run("writing the settings", script).await?;
        let (proven, changed): (Vec<_>, _) = text(&output)
            .lines()
            .map(str::to_owned)
            .partition(|line| line == "proven");
        Ok((changed, !proven.is_empty()))
    }

    /// Makes a bundle as the timer will make the others, then lets the timer run. Returns what was said about the bundle.
    ///
    /// # Errors
    /// When the host can't be talked to, or the bundle could not be made: then a new timer does not run.
    pub async fn prove(&self) -> Result<String, RecoveryError> {
        let (service, timer) = (unit(SERVICE), unit(TIMER));
        let script = format!(
            "set -eu
umask 077
systemctl daemon-reload
began=$(date '+%Y-%m-%d %H:%M:%S')
said() {{ journalctl --sync || true; journalctl -q --no-pager -o cat --since \"$began\" \"$@\"; }}
systemctl start {service} 2>/dev/null || {{ said -n 20 -u {service}; exit 1; }}
systemctl -q enable {timer}
systemctl restart {timer}
: >{PROVEN}
said _SYSTEMD_UNIT={service}
"
        );
        let exec = Script::new(script, BUNDLE_LIMIT);
        let what = "making a bundle by the timer's service";
        let output = run(self.host, self.name, what, exec).await?;
        Ok(text(&output))
    }

    /// When the timer makes the next bundle, in systemd's words.
    ///
    /// # Errors
    /// When the host can't be talked to.
    pub async fn next(&self) -> Result<String, RecoveryError> {
        let script = format!(
            "systemctl show --value -p NextElapseUSecRealtime {}\n",
            unit(TIMER)
        );
        let output = self.run("asking for the next bundle", script).await?;
        Ok(text(&output))
    }

    /// Takes timer, program, settings and key away; bundles stay. False when there was nothing.
    ///
    /// # Errors
    /// When the host can't be talked to or something can't be removed.
    pub async fn remove(&self) -> Result<bool, RecoveryError> {
        let script = format!("set -eu\n{}", remove_script());
        let output = self.run("taking the timer away", script).await?;
        Ok(!output.stdout.is_empty())
    }

    async fn run(&self, what: &'static str, script: String) -> Result<ScriptOutput, RecoveryError> {
        run(self.host, self.name, what, Script::new(script, LIMIT)).await
    }
}

/// Removes all that a schedule has put on its host and says so, if there is anything. The settings go last: a run that was killed goes on.
pub(in crate::recovery) fn remove_script() -> String {
    let (service, timer) = (unit(SERVICE), unit(TIMER));
    format!(
        "if [ -e {SERVICE} ] || [ -e {TIMER} ] || [ -e {PROGRAM} ] || [ -e {FOLDER} ]; then
systemctl -q disable --now {timer} 2>/dev/null || true
systemctl stop {service} 2>/dev/null || true
rm -f {SERVICE} {TIMER} /var/lib/systemd/timers/stamp-{timer}
systemctl daemon-reload
systemctl reset-failed {service} 2>/dev/null || true
rm -f {PROGRAM} {PROGRAM}.new {PROGRAM}.new.partial
rm -rf --one-file-system {FOLDER}
rmdir /etc/ci-bootstrap 2>/dev/null || true
echo removed
fi
"
    )
}

/// The SHA-256 sum of what can be read.
///
/// # Errors
/// When it can't.
pub fn sum(mut data: impl Read) -> std::io::Result<String> {
    let mut digest = Sha256::new();
    let mut piece = Vec::new();
    loop {
        piece.clear();
        data.by_ref().take(1 << 20).read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Ok(hex::encode(digest.finalize()));
        }
        digest.update(&piece);
    }
}

fn text(output: &ScriptOutput) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_valid_shell() {
        assert!(sh::is_valid(&remove_script()));
    }

    #[test]
    fn a_sum_is_that_of_sha256sum() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sum(&b"abc"[..]).ok().as_deref(), Some(expected));
    }
}

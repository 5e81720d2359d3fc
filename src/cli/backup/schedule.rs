//! `ci-bootstrap backup --schedule`: a timer on the host that keeps the bundles.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, bail};

use crate::apply::Lock;
use crate::fleet::Fleet;
use crate::model::{Cluster, Host, Sudo};
use crate::recovery::schedule::{self, Keeper, Look, ScheduleSettings};
use crate::secret::Secrets;
use crate::ssh::known_hosts;
use crate::template::{Templates, Values};

use super::super::run::{SECRET_LIMIT, block_on};
use super::super::screen;
use super::super::{CommandFailure, Exit, OrExit, session};
use super::destination::Destination;
use super::make::MakeArgs;
use super::reduced::reduced;

/// What takes the timer away.
const OFF: &str = "off";
/// How many bundles are kept where nothing else is said.
const KEEP: usize = 14;
/// This program, also when its file has been replaced meanwhile.
const ITSELF: &str = "/proc/self/exe";

/// A schedule that can be installed, as far as can be said without a host.
struct Schedule<'a> {
    args: &'a MakeArgs,
    cluster: &'a Cluster,
    calendar: &'a str,
    keeper: &'a Host,
    folder: &'a str,
}

/// What the control planes said of themselves.
#[derive(Default)]
struct Doors<'a> {
    changes: usize,
    users: BTreeMap<&'a str, String>,
    known_hosts: String,
}

pub(super) fn run(
    args: &MakeArgs,
    calendar: &str,
    cluster: &Cluster,
    to: &Destination,
) -> Result<Exit, CommandFailure> {
    let schedule = Schedule::new(args, calendar, cluster, to).or_exit(Exit::Usage)?;
    block_on(async {
        let fleet = session::prepare_fleet(cluster, &Secrets::new(SECRET_LIMIT))
            .await
            .or_exit(Exit::Usage)?;
        let work = async {
            if calendar == OFF {
                schedule.take_away(&fleet).await
            } else {
                schedule.install(&fleet).await
            }
        };
        tokio::select! {
            done = work => done,
            Ok(()) = tokio::signal::ctrl_c() => Err(anyhow!("interrupted; the same command goes on")).or_exit(Exit::Interrupted),
        }
    })
}

impl<'a> Schedule<'a> {
    fn new(
        args: &'a MakeArgs,
        calendar: &'a str,
        cluster: &'a Cluster,
        to: &'a Destination,
    ) -> anyhow::Result<Self> {
        let Destination::Host { name, folder } = to else {
            bail!(
                "--schedule: a timer belongs to the host that keeps the bundles: --to HOST:/path\n\
                 for a folder of this machine let cron call `ci-bootstrap backup … --keep {KEEP}`"
            );
        };
        let keeper = cluster
            .host(name)
            .with_context(|| format!("the inventory has no host {name}"))?;
        let schedule = Self {
            args,
            cluster,
            calendar,
            keeper,
            folder,
        };
        if calendar != OFF {
            schedule.check()?;
        }
        Ok(schedule)
    }

    /// What can't work is refused before a host is touched.
    fn check(&self) -> anyhow::Result<()> {
        let Self { calendar, folder, .. } = self;
        if calendar.chars().any(char::is_control) {
            bail!("--schedule {calendar:?}: it must be one line");
        }
        // Everything else means something to systemd.
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._+@:-".contains(c);
        if !folder.chars().all(plain) {
            bail!(
                "--to {folder}: the folder of a timer can have letters, digits and any of /._+@:- in its name"
            );
        }
        let asks = |host: &&Host| matches!(host.ssh.sudo, Sudo::Password(_));
        if let Some(host) = self.cluster.control_planes().find(asks) {
            bail!(
                "--schedule: sudo on {} asks for a password, and nobody is there to type it when the timer runs\n\
                 allow its login user NOPASSWD in sudoers, or log in as root",
                host.name
            );
        }
        Ok(())
    }

    async fn install(&self, fleet: &Fleet) -> Result<Exit, CommandFailure> {
        let name = self.keeper.name.as_str();
        let host = fleet.host(name).await.or_exit(Exit::Unreachable)?;
        let keeper = Keeper::new(&*host, name);
        let look = keeper.look(self.calendar, &self.cluster.name).await;
        let program = match look.or_exit(Exit::StepFailed)? {
            Look::Program(sum) => sum,
            Look::BadCalendar(said) => {
                return Err(anyhow!(
                    "--schedule: {said}\nexamples are `daily`, `Mon..Fri 22:30` and `*-*-* 00/6:00`; `systemd-analyze calendar` explains one"
                ))
                .or_exit(Exit::Usage);
            }
        };
        if self.keeper.roles.control_plane {
            writeln!(
                screen::stderr(),
                "warning: {name} is a control plane; what is lost with it should not be its bundles"
            )?;
        }
        let (changes, proven) = {
            let held = session::lock(self.cluster, fleet).await?;
            self.settle(&keeper, &program, fleet, &held).await?
        };
        if !proven {
            // Not under the lock: it may take hours.
            tell(name, "a bundle is being made as the timer will make them")?;
            let said = keeper
                .prove()
                .await
                .map_err(|error| anyhow!("{error}\nwhen the cause is gone, the same command goes on"));
            let said = said.or_exit(Exit::StepFailed)?;
            said.lines().try_for_each(|line| tell(name, line))?;
        } else if changes == 0 {
            tell(name, "nothing to change")?;
        }
        let next = keeper.next().await.or_exit(Exit::StepFailed)?;
        tell(name, &format!("the next bundle is made on {next}"))?;
        Ok(Exit::Done)
    }

    /// Everything but the bundle: how much was changed, and whether a bundle has been made with what there is.
    async fn settle(
        &self,
        keeper: &Keeper<'_>,
        there: &str,
        fleet: &Fleet,
        lock: &Lock,
    ) -> Result<(usize, bool), CommandFailure> {
        let name = self.keeper.name.as_str();
        let mut changes = 0;
        let program = || fs_err::File::open(ITSELF);
        session::check_lock(lock)?;
        if schedule::sum(program()?)? != there {
            keeper.install(program()?).await.or_exit(Exit::StepFailed)?;
            tell(name, &format!("this program is there as {}", schedule::PROGRAM))?;
            changes += 1;
        }
        session::check_lock(lock)?;
        let (key, made) = keeper.key().await.or_exit(Exit::StepFailed)?;
        if made {
            tell(name, "a key was made, which stays there")?;
            changes += 1;
        }
        let doors = self.open_doors(&key, fleet, lock).await?;
        let settings = self.settings(&doors).or_exit(Exit::Usage)?;
        session::check_lock(lock)?;
        let (written, proven) = keeper
            .settle(self.folder, &settings)
            .await
            .or_exit(Exit::StepFailed)?;
        written
            .iter()
            .try_for_each(|path| tell(name, &format!("{path} is written")))?;
        Ok((changes + doors.changes + written.len(), proven))
    }

    /// Has the control planes let the keeper in, and asks them for their host keys.
    async fn open_doors(&self, key: &str, fleet: &Fleet, lock: &Lock) -> Result<Doors<'a>, CommandFailure> {
        let keeper = self.keeper;
        let mut doors = Doors::default();
        for host in self.cluster.control_planes() {
            let name = host.name.as_str();
            let connection = fleet.host(name).await.or_exit(Exit::Unreachable)?;
            session::check_lock(lock)?;
            let admitted = schedule::admit(&*connection, name, keeper.name.as_str(), keeper.address, key)
                .await
                .or_exit(Exit::StepFailed)?;
            if admitted.changed {
                tell(name, &format!("lets {} in as {}", keeper.name, admitted.user))?;
                doors.changes += 1;
            }
            let place = known_hosts::name(&host.address.to_string(), host.ssh.port());
            for key in &admitted.host_keys {
                doors.known_hosts += &format!("{place} {key}\n");
            }
            doors.users.insert(name, admitted.user);
        }
        Ok(doors)
    }

    fn settings(&self, doors: &Doors<'_>) -> anyhow::Result<Vec<ScheduleSettings>> {
        let inventory = reduced(self.cluster, &doors.users, !self.args.without_jenkins);
        let templates = Templates::load(None)?;
        let values = Values::default()
            .with("cluster", &self.cluster.name)
            .with("calendar", &self.calendar)
            .with("folder", &self.folder)
            .with("keep", &self.args.keep.map_or(KEEP, std::num::NonZero::get))
            .with("recipients", &self.args.recipient)
            .with("program", &schedule::PROGRAM)
            .with("inventory", &schedule::INVENTORY)
            .with("wholeInventory", &schedule::WHOLE_INVENTORY);
        let setting = |path, content, public| ScheduleSettings {
            path,
            content,
            public,
        };
        Ok(vec![
            setting(
                schedule::INVENTORY,
                serde_json::to_string_pretty(&inventory)?,
                false,
            ),
            setting(
                schedule::WHOLE_INVENTORY,
                fs_err::read_to_string(&self.args.file)?,
                false,
            ),
            setting(schedule::KNOWN_HOSTS, doors.known_hosts.clone(), false),
            setting(
                schedule::SERVICE,
                templates.render("backup.service.j2", &values)?,
                true,
            ),
            setting(
                schedule::TIMER,
                templates.render("backup.timer.j2", &values)?,
                true,
            ),
        ])
    }

    /// The host first: it can be done when no control plane is left.
    async fn take_away(&self, fleet: &Fleet) -> Result<Exit, CommandFailure> {
        let name = self.keeper.name.as_str();
        let host = fleet.host(name).await.or_exit(Exit::Unreachable)?;
        let removed = Keeper::new(&*host, name)
            .remove()
            .await
            .or_exit(Exit::StepFailed)?;
        if removed {
            tell(name, "the timer is gone; the bundles are still there")?;
        }
        let expelled = expel(self.cluster, fleet, name).await?;
        if !removed && !expelled {
            tell(name, "nothing to change")?;
        }
        Ok(Exit::Done)
    }
}

/// Has the control planes let a host in no more. False when none had.
async fn expel(cluster: &Cluster, fleet: &Fleet, keeper: &str) -> Result<bool, CommandFailure> {
    let mut expelled = false;
    for host in cluster.control_planes() {
        let name = host.name.as_str();
        let connection = fleet.host(name).await.or_exit(Exit::Unreachable)?;
        if schedule::expel(&*connection, name, keeper)
            .await
            .or_exit(Exit::StepFailed)?
        {
            tell(name, &format!("lets {keeper} in no more"))?;
            expelled = true;
        }
    }
    Ok(expelled)
}

fn tell(name: &str, line: &str) -> Result<(), CommandFailure> {
    Ok(writeln!(screen::stdout(), "{name}: {line}")?)
}

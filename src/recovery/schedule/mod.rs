//! Bundles by a timer of the host that keeps them.
//!
//! That host, the [`Keeper`], gets the program, its settings and a key that never leaves it; control planes [`admit`] whoever has that key
//! from that host's address.

mod keeper;
mod login;
mod setting;
mod timer_status;

pub(super) use keeper::remove_script;
pub use keeper::{Keeper, Look, sum};
pub(super) use login::expel_all_script;
pub use login::{Admitted, admit, expel};
pub use setting::ScheduleSettings;
pub use timer_status::{TimerStatus, read_timer_status};

/// The program, under a name of its own: the host may have one that somebody else keeps up to date.
pub const PROGRAM: &str = "/usr/local/sbin/ci-bootstrap-backup";
/// The folder of settings, root's alone.
const FOLDER: &str = "/etc/ci-bootstrap/backup";
/// The key that control planes let in.
pub const KEY: &str = "/etc/ci-bootstrap/backup/key";
/// Host keys of the control planes.
pub const KNOWN_HOSTS: &str = "/etc/ci-bootstrap/backup/known_hosts";
/// What a backup needs of the inventory.
pub const INVENTORY: &str = "/etc/ci-bootstrap/backup/inventory.json";
/// The inventory that goes into bundles.
pub const WHOLE_INVENTORY: &str = "/etc/ci-bootstrap/backup/inventory.yaml";
/// Exists when a bundle has been made with the settings there are.
const PROVEN: &str = "/etc/ci-bootstrap/backup/proven";
/// Makes one bundle.
pub const SERVICE: &str = "/etc/systemd/system/ci-bootstrap-backup.service";
/// Starts the service by the calendar.
pub const TIMER: &str = "/etc/systemd/system/ci-bootstrap-backup.timer";

/// The unit that a file is of.
fn unit(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

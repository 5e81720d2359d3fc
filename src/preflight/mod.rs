//! What would break a run, looked at before its first change: the ways between hosts, their clocks, disks, identities, and what they
//! must reach.
//!
//! Each host is asked by one script ([`question`]), all side by side. What they answer ([`answer`]) is data: it is read strictly and
//! within bounds. Each check is a pure function from the answers to [`Finding`]s. Nothing is changed on a host; only [`Depth::Measure`]
//! writes, one file without a name, to find out how fast the disk of etcd is.

mod addresses;
mod answer;
mod cause;
mod clock;
mod conflicts;
mod disks;
mod finding;
mod identity;
mod names;
mod probe;
mod question;
mod report;
mod round;
mod servers;
#[cfg(test)]
mod tests;
mod ways;

pub use finding::{Finding, Severity};
pub use report::Preflight;
pub use round::{Depth, examine};

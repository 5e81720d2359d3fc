//! Calico's release manifest with the inventory's settings put in, and the address pool of a running Calico.

mod error;
mod manifest;
mod pool;
#[cfg(test)]
mod tests;

pub use error::CalicoError;
pub use manifest::customise;

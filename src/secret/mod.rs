//! Secrets: where they come from, how they are fetched, and how they are kept out of everything that is shown.

mod forms;
mod known;
mod redact;
mod reference;
mod resolve;

pub use known::SecretValues;
pub use redact::Redactor;
pub use reference::SecretRef;
pub use resolve::{SecretError, Secrets};

//! What the program says to Harbor: projects and robot accounts, by its REST API through a host; and whether an image is there.
//!
//! Names nothing of Kubernetes: a [`HarborClient`] is made from a way to its HTTPS port and an administrator's login. Calls and answers are
//! those of version 2.0 of the API as Harbor has it since 2.2.

mod account;
mod calls;
mod client;
mod error;
mod image;

pub use account::{AccountProblem, RobotAccount};
pub use calls::Robot;
pub use client::HarborClient;
pub use error::HarborError;
pub use image::TaggedImage;

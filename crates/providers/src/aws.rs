//! What AWS asks of every request: credentials, and a signature made with them.
//!
//! An arrow means "uses".
//!
//! ```text
//! account ──▶ chain ──▶ profile, variables
//!               │
//!               ├──▶ container, instance ──▶ handed_out ──▶ credentials
//!               └──▶ sts ──▶ signature ───────────────────────▲
//! ```

mod account;
mod chain;
mod container;
mod credentials;
mod handed_out;
mod instance;
mod profile;
mod settings;
mod signature;
mod sts;

pub(crate) use credentials::Credentials;
pub use profile::profile_region;
pub use settings::{AwsEnvironment, AwsSettings};
pub(crate) use signature::{BodyHash, ENCODED, Parts, Scope, sign};

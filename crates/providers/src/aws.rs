//! What AWS asks of every request: credentials, and a signature made with them.
//!
//! An arrow means "uses".
//!
//! ```text
//! cache ──▶ chain ──▶ profile, variables
//!             │
//!             ├──▶ container, instance ──┐
//!             └──▶ sts ──▶ signature     ▼
//!                   └─────────────────▶ fetch ──▶ credentials
//! ```

mod cache;
mod chain;
mod container;
mod credentials;
mod fetch;
mod instance;
mod profile;
mod settings;
mod signature;
mod sts;

pub(crate) use cache::CredentialsCache;
pub(crate) use credentials::Credentials;
pub use credentials::{CredentialsError, CredentialsService, CredentialsSource};
pub use profile::profile_region;
pub use settings::{AwsEnvironment, AwsSettings};
pub(crate) use signature::{BodyHash, ENCODED, Parts, Scope, sign};

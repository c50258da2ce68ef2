//! Credentials that are fetched, used for a while and fetched again: what AWS' and Google's have in common.
//!
//! An arrow means "uses".
//!
//! ```text
//! cache ──▶ error ◀── service
//! ```

mod cache;
mod error;
mod service;

pub(crate) use cache::{Account, CredentialsCache, Expiring};
pub use error::{CredentialsError, CredentialsService, CredentialsSource};
pub(crate) use service::{Service, identifier};

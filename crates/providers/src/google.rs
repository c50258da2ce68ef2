//! What Google Cloud asks of every request: a token of an account.
//!
//! Where its credentials are looked for is fixed by Google's Application Default Credentials:
//! <https://cloud.google.com/docs/authentication/application-default-credentials>
//!
//! An arrow means "uses".
//!
//! ```text
//! account ──▶ chain ──▶ file ──▶ exchange ──▶ assertion
//!               └─────▶ metadata ───┴──▶ token        (all of them: settings)
//! ```

mod account;
mod assertion;
mod chain;
mod exchange;
mod file;
mod metadata;
mod settings;
mod token;

pub use settings::{GoogleEnvironment, GoogleSettings};
pub(crate) use token::AccessToken;

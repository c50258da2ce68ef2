//! Small changes of JSON in its bytes, without reading what it holds.
//!
//! An arrow means "uses".
//!
//! ```text
//! edit ──▶ members
//! ```

mod edit;
mod members;

pub(crate) use edit::{edit, insert_at};
pub(crate) use members::{elements, members};

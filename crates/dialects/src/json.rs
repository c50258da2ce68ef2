//! Reading JSON without a tree: a cursor that goes over the bytes once.
//!
//! It takes and refuses what `serde_json` does, which `tests` compares. A value that nobody asks for is passed over with its
//! syntax checked, and nothing is copied or allocated for it.
//!
//! Nothing but syntax fails here. Types are the readers' business: see [`FromAny`](crate::lenient::FromAny).

mod block;
mod cursor;
mod error;
mod nesting;
mod number;
mod pattern;
mod skip;
mod text;
mod unread;

pub(crate) use cursor::{Cursor, MAX_DEPTH, read};
pub(crate) use error::{NotJson, Result};
pub(crate) use number::Number;
pub(crate) use pattern::Pattern;
pub(crate) use text::Text;

#[cfg(test)]
mod tests;

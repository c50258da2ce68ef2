//! What is Vertex AI's own: where a model is and which API it has, and how its requests and errors differ from those of the
//! formats that they hold. Bytes in, bytes out: nothing here does I/O.
//!
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>,
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude>
//!
//! The files do not use each other.

mod error;
mod models;
mod request;

pub(crate) use error::adapt_error;
pub(crate) use models::{bare_name, dialect, path_segments};
pub(crate) use request::{adapt_body, adapt_headers};

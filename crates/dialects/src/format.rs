//! What each API format provides.

use serde_json::Value;

use crate::progress::Progress;
use crate::response_meta::ResponseMeta;
use crate::usage::Usage;

/// One API format. Each has a folder of its own, with an empty type that implements this.
pub(crate) trait ApiFormat: Sync {
    /// Its name for users.
    fn name(&self) -> &'static str;

    /// Reads the data of one event. What it says about the response goes into `meta`.
    fn read_event(&self, data: &[u8], meta: &mut ResponseMeta) -> Parsed<Progress>;

    /// Reads the body of a response that is not streamed.
    fn read_response(&self, body: &[u8]) -> Parsed<(Usage, ResponseMeta)>;

    /// The event that ends a stream.
    fn end_marker(&self) -> &'static str;

    /// An event without content, which keeps a connection alive.
    fn keep_alive(&self) -> &'static str;

    /// The body of an error of the gateway's own.
    fn error_object(&self, error: &GatewayError<'_>) -> Value;

    /// The event that carries the body of an error in a stream.
    fn error_event(&self, body: &Value) -> String;

    /// One model, as an item of the list of models.
    fn model(&self, name: &str) -> Value;

    /// The list of these models.
    fn model_list(&self, models: &[Value]) -> Value;
}

/// What was read; `None`: an error object of the provider's.
pub(crate) type Parsed<T> = Result<Option<T>, UnexpectedShape>;

/// Bytes that do not have the shape of the format.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnexpectedShape;

impl From<serde_json::Error> for UnexpectedShape {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

/// An error of the gateway's own.
pub(crate) struct GatewayError<'a> {
    /// The HTTP status that it has, or would have had before the stream's head was sent.
    pub(crate) status: u16,
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    /// `None` inside a stream: the head had it.
    pub(crate) request_id: Option<&'a str>,
}

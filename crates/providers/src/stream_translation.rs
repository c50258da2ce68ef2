//! What becomes of the events of a stream in the caller's API format.

use bytes::Bytes;
use dialects::Dialect;
use dialects::sse::Frame;
use translate::{Bridge, Translation};

use crate::error::{ProviderError, ProviderErrorKind};

/// What becomes of the events of a stream in the caller's API format.
pub(crate) struct StreamTranslation {
    bridge: Bridge,
    pub(crate) from: Dialect,
    pub(crate) to: Dialect,
}

impl StreamTranslation {
    pub(crate) fn new(translation: &Translation) -> Self {
        Self { bridge: translation.bridge(), from: translation.provider(), to: translation.caller() }
    }

    /// The caller's events for one of the provider's; often none, or several.
    /// What the model got wrong is no answer, as in a plain response.
    pub(crate) fn translate(&mut self, frame: &Frame, is_last: bool) -> Result<Bytes, ProviderError> {
        let Some(data) = frame.data() else { return Ok(Bytes::new()) };
        let name = std::str::from_utf8(frame.event()).ok().filter(|name| !name.is_empty());
        let bytes = self.bridge.push(name, &data);
        let bytes = if is_last { [bytes, self.bridge.finish()].concat().into() } else { bytes };
        self.checked(bytes)
    }

    pub(crate) fn finish(&mut self) -> Result<Bytes, ProviderError> {
        let bytes = self.bridge.finish();
        self.checked(bytes)
    }

    fn checked(&self, bytes: Bytes) -> Result<Bytes, ProviderError> {
        if self.bridge.is_malformed() {
            return Err(ProviderError::provider_failure(ProviderErrorKind::Invalid));
        }
        Ok(bytes)
    }
}

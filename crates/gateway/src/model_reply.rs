//! A model's reply in one piece, with the headers that say how the gateway got it.

use bytes::Bytes;
use dialects::Usage;
use http::{HeaderMap, HeaderName, HeaderValue};
use http1::{push_field, push_number_field};
use manager::ChainModel;

use crate::headers;

/// A model's reply. Its headers are written as they are: to put them into a map and to take them out of it again costs a
/// call more than to read its request.
#[derive(Debug)]
pub(crate) struct ModelReply {
    pub(crate) body: Bytes,
    pub(crate) answered_by: ChainModel,
    /// Requests to providers; at least 1.
    pub(crate) attempts: u32,
    /// As the provider reports it. A stream reports it at its end, when the head is sent.
    pub(crate) usage: Usage,
    /// `None` until whoever answers for all requests gives it. The provider's `x-request-id` makes way for it.
    pub(crate) request_id: Option<HeaderValue>,
}

impl ModelReply {
    /// Appends the headers to a head.
    pub(crate) fn push_headers(&self, head: &mut Vec<u8>) {
        if let Some(model) = self.answered_by.header_value() {
            push_field(head, headers::MODEL.as_str(), model.as_bytes());
        }
        push_number_field(head, headers::ATTEMPTS.as_str(), self.attempts.into());
        for (name, tokens) in self.tokens() {
            if let Some(tokens) = tokens {
                push_number_field(head, name.as_str(), tokens);
            }
        }
        if let Some(id) = &self.request_id {
            push_field(head, headers::REQUEST_ID.as_str(), id.as_bytes());
        }
    }

    /// The same in a map, for what needs one.
    pub(crate) fn insert_headers(&self, map: &mut HeaderMap) {
        if let Some(model) = self.answered_by.header_value() {
            map.insert(headers::MODEL, model.clone());
        }
        map.insert(headers::ATTEMPTS, self.attempts.into());
        for (name, tokens) in self.tokens() {
            if let Some(tokens) = tokens {
                map.insert(name, tokens.into());
            }
        }
        if let Some(id) = &self.request_id {
            map.insert(headers::REQUEST_ID, id.clone());
        }
    }

    const fn tokens(&self) -> [(HeaderName, Option<u64>); 2] {
        [(headers::INPUT_TOKENS, self.usage.input), (headers::OUTPUT_TOKENS, self.usage.output)]
    }
}

//! The head of a request as the gateway reads it, for the crate `fuzz`: not a part of the interface.

use dialects::Dialect;
use http::{HeaderMap, HeaderName, Uri};

use crate::{error, keys::Keys, loopback, present_headers::PresentHeaders, request_path, request_rules};

/// What the head of a request is taken for.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// The URI with the usual path, if it has another.
    pub usual_uri: Option<Uri>,
    /// What is wrong with it.
    pub violation: Option<&'static str>,
    /// The header that names another host than loopback.
    pub host_not_allowed: Option<HeaderName>,
    /// The API format of errors.
    pub dialect: Dialect,
    /// Whether it has one of the keys.
    pub has_key: bool,
}

/// Reads the head of a request.
#[must_use]
pub fn read_head(uri: &Uri, headers: &HeaderMap, keys: &Keys) -> Head {
    let present = PresentHeaders::of(headers);
    Head {
        usual_uri: request_path::usual(uri),
        violation: request_rules::violation(uri, headers, present),
        host_not_allowed: loopback::host_not_allowed(headers, present, true),
        dialect: error::dialect_of(uri.path(), headers),
        has_key: keys.identify(headers).is_ok_and(|key| key.is_some()),
    }
}

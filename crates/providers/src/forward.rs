//! Headers of callers that a provider gets because its configuration names them.

use std::{fmt, str::FromStr};

use http::header::HeaderName;

/// The name of a caller's header that a provider may be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedHeader(HeaderName);

/// Why a header is for no provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// No header can have this name.
    #[error("is not the name of a header, expected one such as \"http-referer\"")]
    InvalidName,
    /// It belongs to one connection.
    #[error("concerns the connection between two hosts, and is never forwarded")]
    HopByHop,
    /// The gateway writes it itself, for the body and the host that it sends to.
    #[error("is written anew for each provider, and is never forwarded")]
    OfTheRequest,
    /// It is a secret between the caller and the gateway.
    #[error("holds what only the gateway may see of its callers, and is never forwarded")]
    Secret,
    /// It is an instruction for the gateway.
    #[error("is for the gateway, and is never forwarded")]
    OfTheGateway,
    /// Two callers that choose the same one would get each other's answer from the account that they share.
    #[error(
        "would give callers each other's answers, since they share an account here, and is never forwarded"
    )]
    IdempotencyKey,
}

impl FromStr for ForwardedHeader {
    type Err = ForwardError;

    fn from_str(text: &str) -> Result<Self, ForwardError> {
        let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| ForwardError::InvalidName)?;
        match name.as_str() {
            "connection" | "keep-alive" | "proxy-connection" | "te" | "trailer" | "transfer-encoding"
            | "upgrade" | "expect" | "max-forwards" | "http2-settings" => Err(ForwardError::HopByHop),
            "x-amz-date" | "host" | "content-length" | "content-type" | "content-encoding"
            | "accept-encoding" => Err(ForwardError::OfTheRequest),
            "authorization"
            | "proxy-authorization"
            | "proxy-authenticate"
            | "x-api-key"
            | "x-goog-api-key"
            | "api-key"
            | "cookie"
            | "cookie2"
            | "set-cookie"
            | "x-amz-security-token" => Err(ForwardError::Secret),
            "idempotency-key" => Err(ForwardError::IdempotencyKey),
            text if text.starts_with("x-switchboard-") => Err(ForwardError::OfTheGateway),
            _ => Ok(Self(name)),
        }
    }
}

impl fmt::Display for ForwardedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl ForwardedHeader {
    /// Whether a header has this name.
    pub(crate) fn is(&self, name: &HeaderName) -> bool {
        self.0 == *name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_no_provider_is_refused() {
        use ForwardError::{HopByHop, IdempotencyKey, InvalidName, OfTheGateway, OfTheRequest, Secret};
        for (name, expected) in [
            ("HTTP-Referer", Ok("http-referer")),
            ("x-title", Ok("x-title")),
            ("x-claude-code-session-id", Ok("x-claude-code-session-id")),
            ("x-forwarded-for", Ok("x-forwarded-for")),
            ("", Err(InvalidName)),
            ("x title", Err(InvalidName)),
            ("x-title:", Err(InvalidName)),
            ("Connection", Err(HopByHop)),
            ("Transfer-Encoding", Err(HopByHop)),
            ("host", Err(OfTheRequest)),
            ("Content-Length", Err(OfTheRequest)),
            ("Authorization", Err(Secret)),
            ("X-Api-Key", Err(Secret)),
            ("cookie", Err(Secret)),
            ("idempotency-key", Err(IdempotencyKey)),
            ("X-Switchboard-Fault", Err(OfTheGateway)),
        ] {
            let parsed = name.parse::<ForwardedHeader>().map(|header| header.to_string());
            assert_eq!(parsed, expected.map(str::to_owned), "{name}");
        }
    }
}

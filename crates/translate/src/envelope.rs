//! The envelope in which opaque reasoning travels through a client of another API format (T5).
//!
//! It goes into the slot that the client's SDK echoes, and names kind, provider and model, so that it is restored for
//! just those. It is standard base64, since Google's SDK takes nothing else for a thought signature; its Python SDK
//! sends the URL-safe alphabet back, so both are read. Its first bytes are always the same in both, so one search
//! through a body tells whether there is any.

use std::sync::LazyLock;

use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, Engine as _};

use memchr::memmem::Finder;

use crate::form::{Opaque, OpaqueKind, Owner};

/// The first bytes in clear. Their number divides by three, so they are always the same base64.
const MAGIC: &[u8] = b"switchboard:v1:";

/// How every envelope begins.
pub(crate) const PREFIX: &str = "c3dpdGNoYm9hcmQ6djE6";

/// Between the fields. No model key or base64 text has it.
const SEPARATOR: char = '\n';

const KINDS: [(&str, OpaqueKind); 5] = [
    ("signature", OpaqueKind::Signature),
    ("redacted", OpaqueKind::Redacted),
    ("encrypted", OpaqueKind::Encrypted),
    ("thought-signature", OpaqueKind::ThoughtSignature),
    ("plain", OpaqueKind::PlainText),
];

/// Whether a body may have an envelope in it.
pub(crate) fn may_contain(body: &[u8]) -> bool {
    static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(PREFIX));
    FINDER.find(body).is_some()
}

/// Whether a value is an envelope.
pub(crate) fn is_envelope(value: &str) -> bool {
    value.starts_with(PREFIX)
}

/// Wraps what `owner` made.
pub(crate) fn seal(opaque: &Opaque, owner: &Owner) -> String {
    let kind = KINDS.iter().find(|(_, kind)| *kind == opaque.kind).map_or("", |(name, _)| name);
    let id = opaque.id.as_deref().unwrap_or_default();
    let fields = [kind, &owner.provider, &owner.model, id, &opaque.data];
    let mut clear = MAGIC.to_vec();
    clear.extend_from_slice(fields.join(&SEPARATOR.to_string()).as_bytes());
    STANDARD.encode(clear)
}

/// Unwraps; what is no envelope is taken for the value itself, of that kind and of an unknown owner.
pub(crate) fn open(value: &str, kind: OpaqueKind) -> Opaque {
    unseal(value).unwrap_or_else(|| Opaque { kind, data: value.to_owned(), id: None, owner: None })
}

/// Reads base64 with or without padding.
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn unseal(value: &str) -> Option<Opaque> {
    let standard = value.replace('-', "+").replace('_', "/");
    let clear = ANY_PADDING.decode(standard).ok()?;
    let text = std::str::from_utf8(clear.strip_prefix(MAGIC)?).ok()?;
    let mut fields = text.splitn(5, SEPARATOR);
    let kind = fields.next()?;
    let (_, kind) = KINDS.iter().find(|(name, _)| *name == kind)?;
    let owner = Owner { provider: fields.next()?.to_owned(), model: fields.next()?.to_owned() };
    let id = fields.next().filter(|id| !id.is_empty()).map(ToOwned::to_owned);
    Some(Opaque { kind: *kind, data: fields.next()?.to_owned(), id, owner: Some(owner) })
}

#[cfg(test)]
mod tests {
    use super::{PREFIX, is_envelope, may_contain, open, seal};
    use crate::form::{Opaque, OpaqueKind, Owner};

    #[test]
    fn what_was_sealed_is_opened_again() {
        let owner = Owner { provider: "anthropic".to_owned(), model: "claude-sonnet-5".to_owned() };
        for (kind, id) in [(OpaqueKind::Signature, None), (OpaqueKind::Encrypted, Some("rs_1".to_owned()))] {
            let opaque = Opaque { kind, data: "EqQB\nx==".to_owned(), id, owner: None };
            let sealed = seal(&opaque, &owner);
            assert!(sealed.starts_with(PREFIX) && is_envelope(&sealed) && may_contain(sealed.as_bytes()));
            assert_eq!(open(&sealed, OpaqueKind::Redacted), Opaque { owner: Some(owner.clone()), ..opaque });
        }
    }

    #[test]
    fn the_url_safe_alphabet_is_read_too() {
        let owner = Owner { provider: "p".to_owned(), model: "m".to_owned() };
        let data = "\u{7fff}\u{3ffff}~~~???>>>".repeat(3);
        let opaque = Opaque { kind: OpaqueKind::PlainText, data, id: None, owner: Some(owner.clone()) };
        let sealed = seal(&opaque, &owner);
        let echoed = sealed.replace('+', "-").replace('/', "_");
        assert!(echoed != sealed && echoed.starts_with(PREFIX));
        assert_eq!(open(&echoed, OpaqueKind::Redacted), opaque);
        assert_eq!(open(echoed.trim_end_matches('='), OpaqueKind::Redacted), opaque);
    }

    #[test]
    fn anything_else_is_of_an_unknown_owner() {
        for value in ["EqQB", "", "c3dpdGNoYm9hcmQ6djE6", "c3dpdGNoYm9hcmQ6djE6!!"] {
            let opaque = open(value, OpaqueKind::Signature);
            assert_eq!((opaque.data.as_str(), opaque.owner), (value, None));
        }
    }
}

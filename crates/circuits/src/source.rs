//! Whose call it is (B12): the caller, and a tag of its request, which is computed only where it matters.

use std::fmt;

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use breaker::{CallerName, Requester, Source};
use bytes::Bytes;

use crate::rng::Rng;

/// Whose call it is.
#[derive(Clone)]
pub struct CallSource {
    caller: Option<CallerName>,
    body: Option<Bytes>,
}

impl CallSource {
    /// A call with this request body, which is only hashed.
    #[must_use]
    pub const fn new(caller: Option<CallerName>, body: Bytes) -> Self {
        Self { caller, body: Some(body) }
    }

    /// A call whose request is not known: its failures are its caller's, whatever it asked for.
    #[must_use]
    pub const fn of_caller(caller: Option<CallerName>) -> Self {
        Self { caller, body: None }
    }

    /// The name of the caller's key; `None`: there are no keys.
    #[must_use]
    pub const fn caller(&self) -> Option<&CallerName> {
        self.caller.as_ref()
    }

    /// No longer keeps a body that is larger than this. From then on its failures are its caller's.
    pub fn release_body_over(&mut self, max_bytes: usize) {
        self.body.take_if(|body| body.len() > max_bytes);
    }
}

/// Without the body, which holds the prompt.
impl fmt::Debug for CallSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallSource").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// The secret under which requests are tagged. All instances of a store share one, so that they know a request again.
///
/// A tag is 8 bits of an HMAC: whoever reads the store can rule a guessed prompt out, but not confirm one.
pub struct TagKey(ArcSwap<Bytes>);

impl TagKey {
    /// This secret.
    #[must_use]
    pub fn new(secret: Bytes) -> Self {
        Self(ArcSwap::from_pointee(secret))
    }

    /// A random one. It is text, so that it is the same in every store.
    pub(crate) fn random(rng: &dyn Rng) -> Self {
        Self::new(format!("{:032x}{:032x}", rng.next_u128(), rng.next_u128()).into())
    }

    pub(crate) fn secret(&self) -> Bytes {
        Bytes::clone(&self.0.load())
    }

    pub(crate) fn replace(&self, secret: Bytes) {
        self.0.store(secret.into());
    }

    /// The tag of a call. For simulations, which tell chance collisions from the rest.
    #[doc(hidden)]
    #[must_use]
    pub fn tag_of(&self, source: &CallSource) -> Option<u8> {
        self.tag(source.caller.as_ref(), source.body.as_ref()?)
    }

    fn tag(&self, caller: Option<&CallerName>, body: &[u8]) -> Option<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0.load());
        let mut context = hmac::Context::with_key(&key);
        // No name contains a zero byte, so that name and body cannot be mistaken for each other.
        context.update(caller.map_or("", CallerName::as_str).as_bytes());
        context.update(&[0]);
        context.update(body);
        context.sign().as_ref().first().copied()
    }
}

impl fmt::Debug for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TagKey").finish_non_exhaustive()
    }
}

/// A call's source with the key for its tag; `source` is `None` for a call that names nobody.
pub(crate) struct TaggedSource<'a> {
    pub(crate) source: Option<&'a CallSource>,
    pub(crate) key: &'a TagKey,
}

impl Requester for TaggedSource<'_> {
    fn is_from(&self, caller: Option<&CallerName>) -> bool {
        self.source.is_some_and(|source| source.caller.as_ref() == caller)
    }

    fn source(&self) -> Option<Source> {
        let CallSource { caller, body } = self.source?;
        let tag = body.as_ref().and_then(|body| self.key.tag(caller.as_ref(), body));
        Some(Source { caller: caller.clone(), tag })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &TagKey, caller: &str, body: &'static str) -> Option<u8> {
        let source = CallSource::new(caller.parse().ok(), Bytes::from_static(body.as_bytes()));
        TaggedSource { source: Some(&source), key }.source().unwrap().tag
    }

    #[test]
    fn a_tag_depends_on_key_caller_and_body() {
        let key = TagKey::new(Bytes::from_static(b"one"));
        let other = TagKey::new(Bytes::from_static(b"other"));
        assert_eq!(tag(&key, "ci", "{}"), tag(&key, "ci", "{}"));
        assert_ne!(tag(&key, "ci", "{}"), tag(&key, "ci", "{ }"));
        assert_ne!(tag(&key, "ci", "{}"), tag(&key, "web", "{}"));
        assert_ne!(tag(&key, "ci", "{}"), tag(&other, "ci", "{}"));
        other.replace(key.secret());
        assert_eq!(tag(&key, "ci", "{}"), tag(&other, "ci", "{}"));
    }

    #[test]
    fn neither_body_nor_key_is_shown() {
        let mut source = CallSource::new("ci".parse().ok(), Bytes::from_static(b"a prompt"));
        assert!(!format!("{source:?} {:?}", TagKey::new("secret".into())).contains("prompt"));
        assert!(!format!("{:?}", TagKey::new("secret".into())).contains("secret"));
        source.release_body_over(8);
        assert!(source.body.is_some());
        source.release_body_over(7);
        assert!(source.body.is_none());
    }
}

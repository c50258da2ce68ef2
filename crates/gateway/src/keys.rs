//! The keys of callers and operators: who may call, and under which name.

use std::{collections::HashMap, fmt, sync::Arc};

use breaker::CallerName;
use http::{HeaderMap, header};
use manager::AllowedModels;

use crate::{headers, key_digest::KeyDigest};

/// One key. The key itself is not kept, only its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    name: CallerName,
    digest: KeyDigest,
    role: Role,
    allowed_models: Option<Arc<AllowedModels>>,
    may_set_cooldowns: bool,
}

/// The permissions of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May call and inspect.
    Caller,
    /// May also operate.
    Admin,
}

/// The keys that are accepted. Without any, everyone is admitted, and the listener must be on loopback.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Keys(Vec<Arc<Key>>);

/// Two keys that cannot be told apart. Whoever wrote the configuration has to change it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DuplicateKey {
    /// The same key under two names: nobody could say who calls.
    #[error("{0} and {1} are the same key: give each caller a key of its own, or remove one of them")]
    SameKey(CallerName, CallerName),
    /// Two keys under one name.
    #[error(
        "two keys are named {0}: rename one of them; those of [server] are named key-1, admin-1 and so on"
    )]
    SameName(CallerName),
}

/// Why a request is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthError {
    /// It has no key.
    MissingKey,
    /// It has only unknown keys.
    InvalidKey,
}

impl Key {
    /// A key that may ask for every model.
    #[must_use]
    pub const fn new(name: CallerName, digest: KeyDigest, role: Role) -> Self {
        Self { name, digest, role, allowed_models: None, may_set_cooldowns: matches!(role, Role::Admin) }
    }

    /// The same, for these models only; `None`: for all.
    #[must_use]
    pub fn with_allowed_models(self, allowed_models: Option<AllowedModels>) -> Self {
        Self { allowed_models: allowed_models.map(Arc::new), ..self }
    }

    /// The same; whether its reports of cooldowns and spent credit are taken as a provider's would be (Q6). Those of an
    /// admin key always are.
    #[must_use]
    pub const fn with_trusted_reports(mut self, trusted: bool) -> Self {
        self.may_set_cooldowns |= trusted;
        self
    }

    /// The name, which stands in log, history and metrics.
    #[must_use]
    pub const fn name(&self) -> &CallerName {
        &self.name
    }

    /// The key's digest.
    #[must_use]
    pub const fn digest(&self) -> &KeyDigest {
        &self.digest
    }

    /// What it may ask for; `None`: everything.
    #[must_use]
    pub const fn allowed_models(&self) -> Option<&Arc<AllowedModels>> {
        self.allowed_models.as_ref()
    }

    /// Whether its reports of cooldowns and spent credit are taken as a provider's would be.
    #[must_use]
    pub const fn may_set_cooldowns(&self) -> bool {
        self.may_set_cooldowns
    }

    fn copied(&self) -> Self {
        let name = self.name.as_str().parse().unwrap_or_else(|_| self.name.clone());
        let allowed_models = self.allowed_models.as_deref().cloned().map(Arc::new);
        Self { name, allowed_models, ..self.clone() }
    }

    /// Its permissions.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }
}

impl Keys {
    /// These keys.
    ///
    /// # Errors
    /// When two of them cannot be told apart.
    pub fn new(keys: Vec<Key>) -> Result<Self, DuplicateKey> {
        match Self::duplicates(&keys).into_iter().next() {
            Some((_, duplicate)) => Err(duplicate),
            None => Ok(Self(keys.into_iter().map(Arc::new).collect())),
        }
    }

    /// The keys that cannot be told apart from an earlier one, by their index.
    #[must_use]
    pub fn duplicates<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Vec<(usize, DuplicateKey)> {
        let (mut by_digest, mut by_name) = (HashMap::new(), HashMap::new());
        let mut duplicates = Vec::new();
        for (index, key) in keys.into_iter().enumerate() {
            let (first_of_digest, first) = *by_digest.entry(key.digest.as_bytes()).or_insert((index, key));
            let first_of_name = *by_name.entry(&key.name).or_insert(index);
            // Of two reasons, the one that comes first in the file.
            if first_of_digest < index && first_of_digest <= first_of_name {
                duplicates.push((index, DuplicateKey::SameKey(first.name.clone(), key.name.clone())));
            } else if first_of_name < index {
                duplicates.push((index, DuplicateKey::SameName(key.name.clone())));
            }
        }
        duplicates
    }

    /// Whether there are none, so that everyone is admitted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is a key that allows calls but not operating.
    pub(crate) fn has_api_keys(&self) -> bool {
        self.0.iter().any(|key| key.role == Role::Caller)
    }

    /// The keys, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().map(Arc::as_ref)
    }

    /// The same keys, which have nothing in common with these.
    pub(crate) fn copied(&self) -> Self {
        Self(self.0.iter().map(|key| Arc::new(key.copied())).collect())
    }

    /// Whether this key is still accepted, as it was.
    pub(crate) fn contains(&self, key: &Key) -> bool {
        self.0.iter().any(|known| **known == *key)
    }

    /// The key of a request; of several, the one that may do most. `None`: there are no keys.
    pub(crate) fn identify(&self, headers: &HeaderMap) -> Result<Option<Arc<Key>>, AuthError> {
        if self.is_empty() {
            return Ok(None);
        }
        let mut best: Result<Arc<Key>, AuthError> = Err(AuthError::MissingKey);
        for presented in presented_keys(headers) {
            best = match (best, self.find(presented)) {
                (Ok(best), Some(key)) if key.role > best.role => Ok(Arc::clone(key)),
                (Ok(best), _) => Ok(best),
                (Err(_), Some(key)) => Ok(Arc::clone(key)),
                (Err(_), None) => Err(AuthError::InvalidKey),
            };
        }
        best.map(Some)
    }

    /// Compares with every key, whichever it is, so that the time does not show which key a guess is close to.
    fn find(&self, presented: &[u8]) -> Option<&Arc<Key>> {
        let digest = KeyDigest::of(presented);
        self.0.iter().fold(None, |found, key| if key.digest == digest { Some(key) } else { found })
    }
}

/// The keys of a request, in any header in which an SDK sends one.
fn presented_keys(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(b"bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
    });
    let plain = [headers::API_KEY, headers::GOOGLE_API_KEY];
    bearer
        .into_iter()
        .chain(plain.into_iter().filter_map(|name| headers.get(name).map(|value| value.as_bytes())))
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| key.name.as_str())).finish()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn key(name: &str, text: &str, role: Role) -> Key {
        Key::new(name.parse().unwrap(), KeyDigest::of(text.as_bytes()), role)
    }

    fn keys() -> Keys {
        Keys::new(vec![
            key("ci", "caller-1", Role::Caller),
            key("web", "caller-2", Role::Caller),
            key("admin-1", "boss", Role::Admin),
        ])
        .unwrap()
    }

    fn identify(headers: &[(HeaderName, &'static str)]) -> Result<String, AuthError> {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        keys().identify(&headers).map(|key| key.unwrap().name().to_string())
    }

    #[test]
    fn a_key_is_accepted_in_any_header_of_an_sdk() {
        use crate::headers::{API_KEY, GOOGLE_API_KEY};
        use http::header::AUTHORIZATION;
        let table = [
            (vec![(AUTHORIZATION, "Bearer caller-1")], Ok("ci")),
            (vec![(AUTHORIZATION, "bearer  caller-2")], Ok("web")),
            (vec![(API_KEY, "caller-1")], Ok("ci")),
            (vec![(GOOGLE_API_KEY, "caller-1")], Ok("ci")),
            (vec![(API_KEY, "boss")], Ok("admin-1")),
            (vec![(AUTHORIZATION, "Bearer sk-other"), (API_KEY, "boss")], Ok("admin-1")),
            (vec![(AUTHORIZATION, "Bearer caller-1"), (API_KEY, "boss")], Ok("admin-1")),
            (vec![(AUTHORIZATION, "Bearer caller-1"), (API_KEY, "wrong")], Ok("ci")),
            (vec![], Err(AuthError::MissingKey)),
            (vec![(AUTHORIZATION, "Basic caller-1")], Err(AuthError::MissingKey)),
            (vec![(API_KEY, "caller-")], Err(AuthError::InvalidKey)),
            (vec![(API_KEY, "")], Err(AuthError::InvalidKey)),
        ];
        for (headers, expected) in table {
            assert_eq!(identify(&headers), expected.map(str::to_owned), "{headers:?}");
        }
    }

    #[test]
    fn without_keys_everyone_is_admitted() {
        assert_eq!(Keys::default().identify(&HeaderMap::new()), Ok(None));
        assert!(Keys::default().is_empty() && !Keys::default().has_api_keys());
        let admin_only = Keys::new(vec![key("admin-1", "boss", Role::Admin)]).unwrap();
        assert!(!admin_only.is_empty() && !admin_only.has_api_keys());
    }

    #[test]
    fn keys_that_cannot_be_told_apart_are_refused() {
        let same_key = Keys::new(vec![key("a", "x", Role::Caller), key("admin-1", "x", Role::Admin)]);
        let expected =
            "a and admin-1 are the same key: give each caller a key of its own, or remove one of them";
        assert_eq!(same_key.unwrap_err().to_string(), expected);
        let same_name = Keys::new(vec![key("a", "x", Role::Caller), key("a", "y", Role::Caller)]);
        assert!(matches!(same_name, Err(DuplicateKey::SameName(_))));
    }

    #[test]
    fn a_key_that_lost_permissions_is_another_key() {
        let (ci, admin) = (key("ci", "caller-1", Role::Caller), key("admin-1", "boss", Role::Admin));
        assert!(keys().contains(&ci) && keys().contains(&admin));
        assert!(!keys().contains(&key("ci", "caller-1", Role::Admin)));
        assert!(!keys().contains(&key("ci", "rotated", Role::Caller)));
        let none = AllowedModels::new(Vec::new());
        assert!(!keys().contains(&ci.with_allowed_models(Some(none))));
    }

    #[test]
    fn debug_shows_names_and_no_key() {
        assert_eq!(format!("{:?}", keys()), r#"["ci", "web", "admin-1"]"#);
    }
}

//! The keys of `[server]`, which decide who may call.

use std::fmt;

use http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::headers;

/// The keys that clients send. Without any, everyone is admitted, and the listener must be on loopback.
#[derive(Clone, Default)]
pub struct Keys {
    api: Vec<SecretString>,
    admin: Vec<SecretString>,
}

/// The permissions of a request's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// May call and inspect.
    Caller,
    /// May also operate.
    Admin,
}

/// Why a request is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthError {
    /// It has no key.
    MissingKey,
    /// It has only unknown keys.
    InvalidKey,
}

impl Keys {
    /// Keys that allow calls and inspection, and keys that also allow operating. Empty ones are ignored: they would
    /// admit anyone.
    #[must_use]
    pub fn new(api: Vec<SecretString>, admin: Vec<SecretString>) -> Self {
        let usable = |keys: Vec<SecretString>| {
            keys.into_iter().filter(|key| !key.expose_secret().is_empty()).collect()
        };
        Self { api: usable(api), admin: usable(admin) }
    }

    /// Whether there are none, so that everyone is admitted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.api.is_empty() && self.admin.is_empty()
    }

    /// Whether there is a key that allows calls but not operating.
    pub(crate) const fn has_api_keys(&self) -> bool {
        !self.api.is_empty()
    }

    /// The role of a request by its keys; the highest counts.
    pub(crate) fn role_of(&self, headers: &HeaderMap) -> Result<Role, AuthError> {
        if self.is_empty() {
            return Ok(Role::Admin);
        }
        let mut best = Err(AuthError::MissingKey);
        for key in presented_keys(headers) {
            best = match (best, self.role_of_key(key)) {
                (Ok(best), Some(role)) => Ok(role.max(best)),
                (Ok(best), None) => Ok(best),
                (Err(_), role) => role.ok_or(AuthError::InvalidKey),
            };
        }
        best
    }

    fn role_of_key(&self, key: &[u8]) -> Option<Role> {
        match (matches_any(&self.admin, key), matches_any(&self.api, key)) {
            (true, _) => Some(Role::Admin),
            (false, true) => Some(Role::Caller),
            (false, false) => None,
        }
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

/// Compares with every key in full, so that the time does not reveal how much of a guess is right.
fn matches_any(keys: &[SecretString], presented: &[u8]) -> bool {
    keys.iter().fold(0, |found, key| found | key.expose_secret().as_bytes().ct_eq(presented).unwrap_u8()) == 1
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({} api, {} admin)", self.api.len(), self.admin.len())
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn keys() -> Keys {
        Keys::new(vec!["caller-1".into(), "caller-2".into()], vec!["boss".into()])
    }

    fn request(headers: &[(HeaderName, &'static str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_key_is_accepted_in_any_header_of_an_sdk() {
        use crate::headers::{API_KEY, GOOGLE_API_KEY};
        use http::header::AUTHORIZATION;
        let table = [
            (vec![(AUTHORIZATION, "Bearer caller-1")], Ok(Role::Caller)),
            (vec![(AUTHORIZATION, "bearer  caller-2")], Ok(Role::Caller)),
            (vec![(API_KEY, "caller-1")], Ok(Role::Caller)),
            (vec![(GOOGLE_API_KEY, "caller-1")], Ok(Role::Caller)),
            (vec![(API_KEY, "boss")], Ok(Role::Admin)),
            (vec![(AUTHORIZATION, "Bearer sk-other"), (API_KEY, "boss")], Ok(Role::Admin)),
            (vec![(AUTHORIZATION, "Bearer caller-1"), (API_KEY, "boss")], Ok(Role::Admin)),
            (vec![], Err(AuthError::MissingKey)),
            (vec![(AUTHORIZATION, "Basic caller-1")], Err(AuthError::MissingKey)),
            (vec![(API_KEY, "caller-")], Err(AuthError::InvalidKey)),
            (vec![(API_KEY, "")], Err(AuthError::InvalidKey)),
        ];
        for (headers, expected) in table {
            assert_eq!(keys().role_of(&request(&headers)), expected, "{headers:?}");
        }
    }

    #[test]
    fn without_keys_everyone_is_admitted_and_an_empty_key_is_none() {
        assert_eq!(Keys::default().role_of(&HeaderMap::new()), Ok(Role::Admin));
        assert!(Keys::new(vec!["".into()], vec![]).is_empty());
        assert_eq!(
            Keys::new(vec!["".into(), "a".into()], vec![]).role_of(&HeaderMap::new()),
            Err(AuthError::MissingKey)
        );
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", keys()), "Keys(2 api, 1 admin)");
    }
}

//! The SHA-256 of a key: what is compared, so that a key of any length takes the same time and none is kept.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

/// What a digest begins with in a configuration.
const PREFIX: &str = "sha256:";

/// The SHA-256 of a key. Equal digests are equal keys.
#[derive(Clone, Copy)]
pub struct KeyDigest([u8; 32]);

/// A text that is not a [`KeyDigest`]. Whoever wrote the configuration has to change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected \"{PREFIX}\" and 64 hexadecimal digits, as printed by: printf %s KEY | sha256sum")]
pub struct KeyDigestError;

impl KeyDigest {
    /// The digest of a key.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, key).as_ref());
        Self(bytes)
    }

    /// To find the configuration's own keys by, never one that a request presents.
    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// In constant time: it does not show how much of a guess is right.
impl PartialEq for KeyDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyDigest {}

impl FromStr for KeyDigest {
    type Err = KeyDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.trim().strip_prefix(PREFIX).ok_or(KeyDigestError)?.as_bytes();
        let mut bytes = [0; 32];
        if hex.len() != 2 * bytes.len() {
            return Err(KeyDigestError);
        }
        let digit = |letter: u8| char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let [high, low] = [pair[0], pair[1]].map(digit);
            *byte = high.ok_or(KeyDigestError)? << 4 | low.ok_or(KeyDigestError)?;
        }
        Ok(Self(bytes))
    }
}

/// Not shown: a short key could be guessed from it.
impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_sha256sum_prints_it() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(format!("sha256:{abc}").parse(), Ok(KeyDigest::of(b"abc")));
        assert_eq!(format!("sha256:{}", abc.to_uppercase()).parse(), Ok(KeyDigest::of(b"abc")));
        assert_ne!(format!("sha256:{abc}").parse(), Ok(KeyDigest::of(b"abd")));
        for bad in
            [abc, "sha256:", &format!("sha256:{}", &abc[2..]), &format!("sha256:{}", abc.replace('b', "ü"))]
        {
            assert_eq!(bad.parse::<KeyDigest>(), Err(KeyDigestError), "{bad}");
        }
        assert_eq!(format!("{:?}", KeyDigest::of(b"abc")), "KeyDigest(***)");
    }
}

//! The id of a request, in headers, log and traces.

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderValue};
use uuid::{Builder, Uuid};

use crate::{headers, present_headers::PresentHeaders};

/// The limit of a client's request id, in bytes.
const MAX_BYTES: usize = 128;

/// The random bytes of an id.
const RANDOM_BYTES: usize = 10;

/// The ids whose random bytes a thread fetches at once: asking the kernel costs more than all else of an id.
const FETCHED_IDS: usize = 32;

/// The client's id if it is safe to log, else a new one that sorts by time.
pub(crate) fn request_id(headers: &HeaderMap, present: PresentHeaders) -> HeaderValue {
    let is_valid = |id: &&HeaderValue| {
        let id = id.as_bytes();
        (1..=MAX_BYTES).contains(&id.len())
            && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte))
    };
    if present.request_id
        && let Some(id) = headers.get(headers::REQUEST_ID).filter(is_valid)
    {
        return id.clone();
    }
    let mut buffer = Uuid::encode_buffer();
    HeaderValue::from_str(new_id().hyphenated().encode_lower(&mut buffer))
        .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// A UUID of version 7.
fn new_id() -> Uuid {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since_1970.as_millis()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &random_bytes()).into_uuid()
}

/// What a thread has fetched, of which `used` ids were made.
struct Randomness {
    ids: [[u8; RANDOM_BYTES]; FETCHED_IDS],
    used: usize,
}

thread_local! {
    static RANDOMNESS: RefCell<Randomness> =
        const { RefCell::new(Randomness { ids: [[0; RANDOM_BYTES]; FETCHED_IDS], used: FETCHED_IDS }) };
}

fn random_bytes() -> [u8; RANDOM_BYTES] {
    RANDOMNESS.with_borrow_mut(|randomness| {
        if randomness.used == FETCHED_IDS {
            // Fails on no kernel since 2014. Without, ids would repeat, which harms only whoever searches for them.
            _ = getrandom::fill(randomness.ids.as_flattened_mut());
            randomness.used = 0;
        }
        let bytes = randomness.ids[randomness.used];
        randomness.used += 1;
        bytes
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_clients_id_is_kept_if_it_is_safe_to_log() {
        let id_of = |text: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(headers::REQUEST_ID, HeaderValue::from_bytes(text).unwrap());
            request_id(&headers, PresentHeaders::of(&headers))
        };
        for good in ["a", "trace-1.2:3_4", &"x".repeat(128)] {
            assert_eq!(id_of(good.as_bytes()), *good);
        }
        for bad in ["", "two words", "tab\tbed", "ü", "\"quoted\"", &"x".repeat(129)] {
            let id = id_of(bad.as_bytes());
            let id: Uuid = id.to_str().unwrap().parse().unwrap();
            assert_eq!(id.get_version_num(), 7, "{bad:?}");
        }
    }

    #[test]
    fn ids_differ_and_have_the_time() {
        let ids: Vec<Uuid> = (0..3 * FETCHED_IDS).map(|_| new_id()).collect();
        let random: HashSet<_> = ids.iter().map(|id| id.as_bytes()[6..].to_vec()).collect();
        assert_eq!(random.len(), ids.len());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (seconds, _) = ids[0].get_timestamp().unwrap().to_unix();
        assert!(now - seconds < 60, "{seconds}");
    }
}

//! The limits of this process: what it may open, and what of it callers may take (Q6).

use rustix::process::{Resource, getrlimit, setrlimit};

/// A stream needs two sockets, and a gateway should handle a few thousand streams.
const RECOMMENDED_OPEN_FILES: u64 = 8_192;

/// The descriptors that are kept for Redis, the listener, name lookups, files and second connections to providers: this
/// share of all, within bounds.
const RESERVE_SHARE: u64 = 8;
const MIN_RESERVE: u64 = 32;
const MAX_RESERVE: u64 = 512;

/// The most connections of clients, however many descriptors there are: each takes memory before it has shown a key.
const MAX_CONNECTIONS: u64 = 16_384;

/// The fewest, however few descriptors there are.
const MIN_CONNECTIONS: u64 = 8;

/// Raises the limit to the hard limit, and returns it; `None`: there is none. Many shells set 1,024, which is 500 streams;
/// beyond it, neither clients nor providers can be connected.
pub fn raise_open_files() -> Option<u64> {
    let before = getrlimit(Resource::Nofile);
    let mut raised = before;
    raised.current = before.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "could not raise the open-file limit");
    }
    let limit = getrlimit(Resource::Nofile).current;
    match limit {
        Some(limit) if limit < RECOMMENDED_OPEN_FILES => tracing::warn!(
            "low open-file limit ({limit}); each stream needs two, raise ulimit -n / LimitNOFILE"
        ),
        limit => tracing::debug!(before = before.current, limit, "open-file limit"),
    }
    limit
}

/// The most connections of clients, with this many descriptors: half of what is not reserved, since each may need one for
/// its provider.
#[must_use]
pub fn max_connections(open_files: Option<u64>) -> usize {
    let open_files = open_files.unwrap_or(u64::MAX);
    let reserve = (open_files / RESERVE_SHARE).clamp(MIN_RESERVE, MAX_RESERVE);
    let connections = (open_files.saturating_sub(reserve) / 2).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS);
    usize::try_from(connections).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_providers_and_redis() {
        for (open_files, expected) in [
            (Some(16), 8),
            (Some(64), 16),
            (Some(256), 112),
            (Some(1_024), 448),
            (Some(8_192), 3_840),
            (Some(1_048_576), 16_384),
            (None, 16_384),
        ] {
            assert_eq!(max_connections(open_files), expected, "{open_files:?}");
        }
    }
}

//! How many files and sockets this process may have open.

use rustix::process::{Resource, getrlimit, setrlimit};

/// A stream takes two sockets, and a gateway should do for a few thousand.
const RECOMMENDED_OPEN_FILES: u64 = 8_192;

/// Raises the limit as far as the system lets it. Many shells give 1,024, which is 500 streams; beyond it, neither
/// connections could be accepted nor providers be called.
pub fn raise_open_files() {
    let before = getrlimit(Resource::Nofile);
    let mut raised = before;
    raised.current = before.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < RECOMMENDED_OPEN_FILES => tracing::warn!(
            limit,
            "few files may be open at once: a stream takes two, so raise the hard limit (ulimit -Hn, LimitNOFILE=)"
        ),
        limit => tracing::debug!(before = before.current, limit, "files that may be open at once"),
    }
}

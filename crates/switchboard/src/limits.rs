//! The limit of open files of this process.

use rustix::process::{Resource, getrlimit, setrlimit};

/// A stream needs two sockets, and a gateway should handle a few thousand streams.
const RECOMMENDED_OPEN_FILES: u64 = 8_192;

/// Raises the limit to the hard limit. Many shells set 1,024, which is 500 streams; beyond it, neither clients nor
/// providers can be connected.
pub fn raise_open_files() {
    let before = getrlimit(Resource::Nofile);
    let mut raised = before;
    raised.current = before.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "could not raise the open-file limit");
    }
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < RECOMMENDED_OPEN_FILES => tracing::warn!(
            "low open-file limit ({limit}); each stream needs two, raise ulimit -n / LimitNOFILE"
        ),
        limit => tracing::debug!(before = before.current, limit, "open-file limit"),
    }
}

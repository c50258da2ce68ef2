//! How many files and sockets a test may have open.
#![expect(clippy::expect_used, reason = "a test that may not open what it needs cannot go on")]

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as the system lets it.
///
/// # Panics
/// The system refuses what it has promised.
pub fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("a soft limit may be raised to the hard one");
}

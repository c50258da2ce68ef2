//! The limit on open files and sockets of a test.
#![expect(clippy::expect_used, reason = "a test cannot continue without the files it needs")]

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as the system allows.
///
/// # Panics
/// The system refuses its own hard limit.
pub fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the soft limit can be raised to the hard limit");
}

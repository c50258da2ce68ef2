//! AWS' names of errors.

/// Whether it is the name of an exception.
pub(super) fn is_exception(name: &str) -> bool {
    is_name(name) && name.ends_with("Exception")
}

/// A type is a short name; anything else in its place is dropped.
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

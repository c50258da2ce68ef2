//! What `switchboard demo` lets the gateway do with its simulated providers.

use std::fmt;

/// The simulated providers of a demonstration, which people may break. No other gateway has any.
pub trait DemoProviders: fmt::Debug + Send + Sync + 'static {
    /// Their names, in order.
    fn names(&self) -> Vec<String>;

    /// Those that respond with errors at the moment.
    fn broken(&self) -> Vec<String>;

    /// Lets a provider respond with errors until it is healed, or heals it. `false`: there is no provider of this name.
    fn set_broken(&self, name: &str, broken: bool) -> bool;
}

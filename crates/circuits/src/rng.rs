//! Randomness: ids of leases, and delays that not all instances must share.

use std::fmt;

/// An instance's source of randomness. A simulation has its own, so that it can be repeated.
pub trait Rng: fmt::Debug + Send + Sync + 'static {
    /// A number that no instance of the fleet has got before.
    fn next_u128(&self) -> u128;
}

/// Unpredictable randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn next_u128(&self) -> u128 {
        uuid::Uuid::new_v4().as_u128()
    }
}

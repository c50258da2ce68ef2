//! Chance, of which circuits need little: names of leases, and times that not all instances shall share.

use std::fmt;

/// Where an instance's chance comes from. A simulation brings its own, so that it can be run again.
pub trait Rng: fmt::Debug + Send + Sync + 'static {
    /// A number that no instance of the fleet has drawn before.
    fn next_u128(&self) -> u128;
}

/// What nobody can foresee.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn next_u128(&self) -> u128 {
        uuid::Uuid::new_v4().as_u128()
    }
}

//! One Redis, and each instance's way to it.
//!
//! What the store does is [`circuits::MemoryStore`]'s; here is what lies in between. A message takes its time or is lost;
//! a lost reply leaves the write done. Commands and their answers keep their order, as they do on one connection.

mod conditions;
mod connection;
mod server;

pub use conditions::{NetworkConditions, StoreFault};
pub use connection::InstanceConnection;
pub use server::{Server, WriteObserver, stored_value};

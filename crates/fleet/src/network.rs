//! One Redis, and each instance's connection to it.
//!
//! The store itself is a [`circuits::MemoryStore`]; this is the network in between. A message is delayed or lost; a lost
//! response leaves the write done. Commands and their responses keep their order, as on one connection.

mod conditions;
mod connection;
mod server;

pub use conditions::{NetworkConditions, StoreFault};
pub use connection::InstanceConnection;
pub use server::{Server, WriteObserver, stored_value};

//! A fleet in virtual time: real [`circuits`] over a simulated network, by one seed.
//!
//! What decides is the code that runs in production; simulated are the store's clock and the machines' ([`dice`]), the
//! network between an instance and the one Redis ([`network`]), the providers ([`provider`]) and the callers
//! ([`instance`]). [`chaos`] lets everything befall small fleets and looks at what must hold ([`checks`]); [`growth`]
//! measures what fleets of growing size cost.
//!
//! ```text
//!   callers ──▶ Circuits (real) ──▶ Line: delay, loss ──▶ Server: MemoryStore (real), costs ──▶ Checks
//!                    ▲                                                 │
//!                    └───────────────── pushes: delay, loss ◀──────────┘
//! ```
//!
//! Invariants:
//! - the same plan gives the same story, to the last step: all chance comes from the seed, everything runs on one thread,
//!   and time moves only when nobody has anything left to do, in whole milliseconds;
//! - nothing here decides about a circuit;
//! - no program of Switchboard's depends on this crate.

pub mod chaos;
pub mod checks;
pub mod costs;
pub mod fault_injection;
pub mod growth;
pub mod instance;
pub mod network;
pub mod provider;
pub mod rng;
pub mod trace;

pub use rng::in_virtual_time;

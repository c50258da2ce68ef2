//! A fleet in virtual time: real [`circuits`] over a simulated network, from one seed.
//!
//! The decisions are made by the code that runs in production. Simulated are the store's clock and the machines' clocks
//! ([`rng`]), the network between an instance and the one Redis ([`network`]), the providers ([`provider`]) and the callers
//! ([`instance`]). [`chaos`] injects random faults into small fleets and checks what must hold ([`checks`]). [`growth`]
//! measures what fleets of growing size cost. [`poison`] sends requests that fail everywhere beside good ones, and measures
//! who loses what; [`poison_tables`] are its tables. [`mixed_fleet`] has Open SWE instances ([`open_swe`]) beside gateways.
//!
//! ```text
//!   callers ──▶ Circuits (real) ──▶ InstanceConnection: ──▶ Server: MemoryStore (real), costs ──▶ Checks
//!                    ▲                 delay, loss                      │
//!                    └──────────────── pushes: delay, loss ◀────────────┘
//! ```
//!
//! Each file uses only files to its right; most use `rng`, and `trace` is used by `checks`, `instance` and above:
//!
//! ```text
//!   main ──▶ chaos ──▶ fault_injection ──▶ instance ──▶ checks ──▶ network ──▶ costs
//!      └───▶ growth ──────────────────────▶   └──────▶ provider
//!      └───▶ poison_tables ──▶ poison ─────────────────────────▶ network
//!      └───▶ mixed_fleet ──▶ network, open_swe
//!   network: connection ──▶ server ──▶ conditions
//! ```
//!
//! The server pushes to its connections by a trait, so that it does not know them.
//!
//! Invariants:
//! - the same configuration gives the same run, to the last step: all randomness comes from the seed, everything runs on
//!   one thread, and time advances only when all tasks wait, in whole milliseconds;
//! - nothing here decides about a circuit;
//! - no program of Switchboard depends on this crate.

pub mod chaos;
pub mod checks;
pub mod costs;
pub mod fault_injection;
pub mod growth;
pub mod instance;
pub mod mixed_fleet;
pub mod network;
pub mod open_swe;
pub mod poison;
pub mod poison_tables;
pub mod provider;
pub mod rng;
pub mod trace;

pub use rng::in_virtual_time;

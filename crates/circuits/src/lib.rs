//! Circuits shared by every instance.
//!
//! An instance holds a [mirror](crate::Report) of all circuits and admits calls from it without I/O. What a call's
//! end means is decided by the [`breaker`] crate, and written to the [`Store`] with one compare-and-set; who was
//! overtaken reads what stands there now and decides anew. The store tells of every change, whoever made it, and a
//! slow read of everything is the net under that.
//!
//! ```text
//!   admit ──▶ view ──▶ Permit ──▶ requests ──▶ plan (breaker) ──▶ compare-and-set ──▶ store
//!               ▲                                 ▲  changed meanwhile │                │
//!               └──────────── mirror ◀────────────┴────────────────────┘◀── word of ────┘
//!                                                                           changes
//! ```
//!
//! Invariants:
//! - a closed circuit's call waits for no I/O, and its steady success writes nothing (B6);
//! - one write in flight per circuit and instance; what comes meanwhile is folded into the next;
//! - no lock is held over I/O;
//! - a store that is away costs a call nothing but a probe's [`Pacing::patience`] (F3); what was learnt meanwhile is
//!   kept apart and brought together when it is back (F4).

mod circuit;
mod circuits;
mod clock;
mod counts;
mod memory;
mod mirror;
mod operate;
mod permit;
mod plan;
mod reader;
mod redis;
mod report;
mod rng;
mod settings;
mod shared;
mod store;
mod store_health;
mod watch;
mod watchers;
mod write_throttle;
mod writer;

#[cfg(test)]
mod model;

pub use circuits::Circuits;
pub use clock::{SystemClock, WallClock};
pub use counts::{CircuitCounts, ProbeCounts, StoreCounts, TransitionKind};
pub use memory::MemoryStore;
pub use operate::OperateError;
pub use permit::Permit;
pub use redis::{
    ClusterSurvey, RedisAddress, RedisAddressError, RedisDeployment, RedisNode, RedisStore, TimeShift,
};
pub use report::{Refusal, Report, Severity};
pub use rng::{Rng, SystemRng};
pub use settings::{Policies, Settings, Timing};
pub use store::{
    CLOCK_TOLERANCE, ChangeNotification, Changes, HistoryTail, Listing, Loaded, MAX_VALUE_BYTES, Store,
    StoreError, StoreInfo, Swap, Value, Write,
};
pub use store_health::StoreStatus;
pub use watch::{CircuitEvent, HistoryReader, Watch};
pub use writer::TRACE_TARGET;

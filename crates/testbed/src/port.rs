//! Ports for servers that are stopped and started again.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the ephemeral port range. A client that keeps connecting to a stopped server on an ephemeral port could get
/// that very port for its own end, and so reach itself.
const FIRST_PORT: u32 = 20_000;
const PORT_COUNT: u32 = 12_000;

static NEXT_OFFSET: AtomicU32 = AtomicU32::new(0);

/// A free port of 127.0.0.1. Another program may take it before the one it is meant for: the caller tries
/// another port if its program exits at start.
///
/// # Panics
/// None is free.
#[must_use]
pub fn free_port() -> u16 {
    // Test programs that run at the same time begin at different ports.
    let begin = std::process::id().wrapping_mul(97);
    (0..PORT_COUNT)
        .map(|_| begin.wrapping_add(NEXT_OFFSET.fetch_add(1, Ordering::Relaxed)) % PORT_COUNT + FIRST_PORT)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .unwrap_or_else(|| panic!("no port of 127.0.0.1 from {FIRST_PORT} on is free"))
}

//! Ports for servers that are stopped and started again.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the range that the system takes a client's own ports from. A client that tries again and again to reach a
/// dead server on a port of that range would one day be given the same port, and so reach itself.
const FIRST_PORT: u32 = 20_000;
const PORT_COUNT: u32 = 12_000;

static NEXT_OFFSET: AtomicU32 = AtomicU32::new(0);

/// A port of 127.0.0.1 that nobody listens on. Somebody may take it before the program that it is meant for: who
/// starts one tries another port where it ends at its start.
///
/// # Panics
/// None is free.
#[must_use]
pub fn free_port() -> u16 {
    // Test programs that run at the same time begin at different places.
    let begin = std::process::id().wrapping_mul(97);
    (0..PORT_COUNT)
        .map(|_| begin.wrapping_add(NEXT_OFFSET.fetch_add(1, Ordering::Relaxed)) % PORT_COUNT + FIRST_PORT)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .unwrap_or_else(|| panic!("no port of 127.0.0.1 from {FIRST_PORT} on is free"))
}

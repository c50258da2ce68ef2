//! The gateway as a client meets it: real HTTP on loopback, simulated providers behind it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod access;
mod accounting;
mod calls;
mod circuits_api;
mod compressed_requests;
mod dashboard;
mod disconnects;
mod events;
mod fleet;
mod formats;
mod front_door;
mod hostile_clients;
mod http1;
mod inspection;
mod kept_alive;
mod keys;
mod limits;
mod openai_calls;
mod permit_votes;
mod permits;
mod slow_requests;
mod stop;
mod streams;
mod support;
mod unread_bodies;

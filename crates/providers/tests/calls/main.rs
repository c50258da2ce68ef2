//! Calls over the wire: to the simulated provider, and, for bytes that it does not send, to a bare socket.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers may fail the test")]

mod aws;
mod aws_credentials;
mod bedrock;
mod connect_causes;
mod google;
mod google_credentials;
mod google_sdks;
mod http_server;
mod kept_connections;
mod longest_wait;
mod odd;
mod plain;
mod raw;
mod setup;
mod streams;
mod timeouts;
mod vertex;

//! `[server]`: the address and the shutdown. Its keys are read with those of `[keys]`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{document::Section, environment::names, keys::ServerKeys, problem::Location, value::Value};

/// The settings of `[server]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// How long a graceful shutdown waits for requests in flight.
    pub shutdown_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4100)),
            // Kubernetes kills a process 30 s after SIGTERM.
            shutdown_timeout: Duration::from_secs(25),
        }
    }
}

impl ServerConfig {
    /// Reads the table; the address in the environment wins over it, and `listen` of the command line over both. Returns
    /// where the address comes from, and the keys, too.
    pub(super) fn read(mut section: Section<'_>, listen: Option<SocketAddr>) -> (Self, Location, ServerKeys) {
        let (address, location) = read_listen(&mut section, listen);
        let keys = ServerKeys::read(&mut section);
        let mut shutdown_timeout = Self::default().shutdown_timeout;
        section.read_into("shutdown_timeout", &mut shutdown_timeout, Value::duration);
        section.report_unknown_keys();
        (Self { listen: address, shutdown_timeout }, location, keys)
    }
}

/// The address, and its location for problems.
fn read_listen(section: &mut Section<'_>, option: Option<SocketAddr>) -> (SocketAddr, Location) {
    let mut listen = ServerConfig::default().listen;
    section.read_into("listen", &mut listen, |value| match parse_listen(&value.text()?) {
        Some(address) => Some(address),
        None => value.report(LISTEN_EXPECTED),
    });
    let mut location = section.location("listen");
    if let Some(text) = section.context.environment.get(names::LISTEN) {
        location = Location::Variable(names::LISTEN.to_owned());
        match parse_listen(text) {
            Some(address) => listen = address,
            None => section.context.report(location.clone(), LISTEN_EXPECTED.to_owned()),
        }
    }
    match option {
        Some(address) => (address, Location::CommandLine("--listen")),
        None => (listen, location),
    }
}

const LISTEN_EXPECTED: &str =
    "is not an address, expected an IP address and a port such as \"127.0.0.1:4100\"";

/// An IP address and a port; `localhost` stands for 127.0.0.1.
#[must_use]
pub fn parse_listen(text: &str) -> Option<SocketAddr> {
    match text.trim().strip_prefix("localhost:") {
        Some(port) => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?))),
        None => text.trim().parse().ok(),
    }
}

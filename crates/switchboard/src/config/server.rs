//! `[server]`: the address, the keys and the shutdown.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};

use super::{document::Section, environment::names, problem::Location, value::Value};

/// The settings of `[server]`.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The keys of callers; empty: no key is required.
    pub api_keys: Vec<SecretString>,
    /// The keys of operators, for manual overrides.
    pub admin_keys: Vec<SecretString>,
    /// How long a graceful shutdown waits for requests in flight.
    pub shutdown_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4100)),
            api_keys: Vec::new(),
            admin_keys: Vec::new(),
            // Kubernetes kills a process 30 s after SIGTERM.
            shutdown_timeout: Duration::from_secs(25),
        }
    }
}

impl ServerConfig {
    /// Reads the table; the address in the environment wins over it, and `listen` of the command line over both. The
    /// keys in the environment are added to those of the table.
    pub(super) fn read(mut section: Section<'_>, listen: Option<SocketAddr>) -> Self {
        let (address, location) = read_listen(&mut section, listen);
        let api_keys = read_keys(&mut section, "api_keys", names::API_KEY);
        let admin_keys = read_keys(&mut section, "admin_keys", names::ADMIN_KEY);
        if !address.ip().is_loopback() && api_keys.as_ref().is_some_and(Vec::is_empty) {
            let advice = "set SWITCHBOARD_API_KEY or [server] api_keys, or listen on 127.0.0.1";
            let message =
                format!("listening on {address}, which is not loopback, requires api_keys; {advice}");
            section.context.report(location, message);
        }
        let mut shutdown_timeout = Self::default().shutdown_timeout;
        section.read_into("shutdown_timeout", &mut shutdown_timeout, Value::duration);
        section.report_unknown_keys();
        Self {
            listen: address,
            api_keys: api_keys.unwrap_or_default(),
            admin_keys: admin_keys.unwrap_or_default(),
            shutdown_timeout,
        }
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

/// The keys of the table and the environment; `None`: those of the table are invalid, and reported.
fn read_keys(section: &mut Section<'_>, key: &'static str, variable: &str) -> Option<Vec<SecretString>> {
    let mut keys = match section.value(key) {
        Some(value) => value.array()?.iter().map(Value::secret).collect::<Option<Vec<_>>>()?,
        None => Vec::new(),
    };
    if let Some(key) = section.context.environment.get(variable)
        && keys.iter().all(|known| known.expose_secret() != key)
    {
        keys.push(key.into());
    }
    Some(keys)
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

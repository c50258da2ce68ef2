//! One Redis server, and how to log in.

use std::fmt;

use ::redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion, RedisError,
    io::tcp::TcpSettings,
};

/// One Redis server, and how to log in. Shown as host and port.
#[derive(Clone)]
pub struct RedisNode(ConnectionInfo);

impl RedisNode {
    /// The server of a URL with one host.
    pub(super) fn parse(url: &str) -> Result<Self, RedisError> {
        url.into_connection_info().map(Self)
    }

    /// Another server with the same login and the same kind of connection.
    #[must_use]
    pub fn with_address(&self, host: &str, port: u16) -> Self {
        let mut address = self.0.addr().clone();
        match &mut address {
            ConnectionAddr::TcpTls { host: old_host, port: old_port, .. } => {
                host.clone_into(old_host);
                *old_port = port;
            }
            _ => address = ConnectionAddr::Tcp(host.to_owned(), port),
        }
        Self(self.0.clone().set_addr(address))
    }

    /// The same server with another database.
    pub(super) fn with_database(self, database: u32) -> Self {
        let settings = self.0.redis_settings().clone().set_db(i64::from(database));
        Self(self.0.set_redis_settings(settings))
    }

    /// The same server with another login.
    pub(super) fn with_login(self, user: Option<&str>, password: Option<&str>) -> Self {
        let mut settings = self.0.redis_settings().clone();
        if let Some(user) = user {
            settings = settings.set_username(user);
        }
        if let Some(password) = password {
            settings = settings.set_password(password);
        }
        Self(self.0.set_redis_settings(settings))
    }

    #[cfg(test)]
    pub(super) fn database(&self) -> i64 {
        self.0.redis_settings().db()
    }

    /// The host and port; a socket file has none.
    #[must_use]
    pub fn host_and_port(&self) -> Option<(&str, u16)> {
        match self.0.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some((host, *port))
            }
            _ => None,
        }
    }

    /// Whether the connection is to be encrypted.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        matches!(self.0.addr(), ConnectionAddr::TcpTls { .. })
    }

    /// A client with RESP3, whose pushes carry the changes, and without Nagle's delay.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn client(&self) -> Result<Client, RedisError> {
        self.client_with_protocol(ProtocolVersion::RESP3)
    }

    /// A client for any version of Redis.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn plain_client(&self) -> Result<Client, RedisError> {
        self.client_with_protocol(ProtocolVersion::RESP2)
    }

    fn client_with_protocol(&self, protocol: ProtocolVersion) -> Result<Client, RedisError> {
        let settings = self.0.redis_settings().clone().set_protocol(protocol);
        let info = self.0.clone().set_redis_settings(settings);
        Client::open(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
    }
}

impl fmt::Display for RedisNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.addr().fmt(f)
    }
}

impl fmt::Debug for RedisNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

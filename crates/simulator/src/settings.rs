//! How a simulator starts.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use crate::behaviour::Behaviour;

/// How a simulator starts.
#[derive(Clone)]
pub struct Settings {
    /// Where it listens; port 0 means any free one.
    pub listen: SocketAddr,
    /// The behaviour of models without a script. Its latency, gap and words also apply to models scripted by name.
    pub default_behaviour: Behaviour,
    /// What distinguishes this provider from another one: in the signatures of its thinking and in the ids of what it stores,
    /// which no simulator of another name accepts.
    pub name: String,
    /// Whether requests are kept for assertions. If not, only the counts are.
    pub record_requests: bool,
    /// Whether a connection may have another request. If not, each call needs a connection of its own.
    pub keep_alive: bool,
    /// The only key accepted; without one, any or none.
    pub api_key: Option<String>,
}

impl Default for Settings {
    /// A free port of 127.0.0.1, good responses without delay, requests recorded, any key.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            default_behaviour: Behaviour::ok(),
            name: "simulator".to_owned(),
            record_requests: true,
            keep_alive: true,
            api_key: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("default_behaviour", &self.default_behaviour)
            .field("name", &self.name)
            .field("record_requests", &self.record_requests)
            .field("keep_alive", &self.keep_alive)
            .field("api_key", &self.api_key.as_ref().map(|_| "hidden"))
            .finish()
    }
}

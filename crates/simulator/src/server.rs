//! The running simulator and the handle on it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::port::Port;
use crate::script::Script;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::traffic::TrafficSnapshot;

/// A running simulator. On drop it stops immediately, with all its connections.
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    port: Mutex<Port>,
}

impl Simulator {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(Settings::default()).await
    }

    /// Starts on this address.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start_on(listen: SocketAddr) -> io::Result<Self> {
        Self::start_with(Settings { listen, ..Settings::default() }).await
    }

    /// Starts with these settings.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start_with(settings: Settings) -> io::Result<Self> {
        let listen = settings.listen;
        let shared = Arc::new(Shared::new(settings));
        let port = Port::open(listen, Arc::clone(&shared)).await?;
        Ok(Self { address: port.address(), shared, port: Mutex::new(port) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://ADDRESS/v1`, what OpenAI's clients take as their base URL.
    #[must_use]
    pub fn openai_base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// `http://ADDRESS/v1beta`, what Gemini's clients take as their base URL with its version.
    #[must_use]
    pub fn gemini_base_url(&self) -> String {
        format!("http://{}/v1beta", self.address)
    }

    /// `http://ADDRESS`, what AWS's clients take as their endpoint.
    #[must_use]
    pub fn bedrock_base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `http://ADDRESS`, what clients of Vertex AI take as their base URL.
    #[must_use]
    pub fn vertex_base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `http://ADDRESS`, what Anthropic's clients take as their base URL.
    #[must_use]
    pub fn anthropic_base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the script of the next calls to this model.
    pub fn script(&self, model: impl Into<String>, script: impl Into<Script>) {
        self.shared.script(model.into(), script.into());
    }

    /// Sets the script of all requests whose body contains this text, whichever model they name: a request that no
    /// model can answer.
    pub fn script_requests(&self, text: impl Into<String>, script: impl Into<Script>) {
        self.shared.script_requests(text.into(), script.into());
    }

    /// Sets the script of all models that have none of their own.
    pub fn script_default(&self, script: impl Into<Script>) {
        self.shared.script_default(script.into());
    }

    /// Accepts only this key from now on; without one, any or none.
    pub fn require_key(&self, api_key: Option<String>) {
        self.shared.require_key(api_key);
    }

    /// The traffic so far.
    #[must_use]
    pub fn traffic(&self) -> TrafficSnapshot {
        self.shared.recorder.snapshot()
    }

    /// Waits until the traffic meets the condition, which is checked immediately and after each change.
    pub async fn wait_until(&self, condition: impl FnMut(&TrafficSnapshot) -> bool) {
        self.shared.recorder.wait_until(condition).await;
    }

    /// Closes the port: new connections are refused, calls in flight continue, and all other connections are closed when
    /// this returns. The port stays reserved.
    ///
    /// # Errors
    /// Another program took the port at the same moment.
    pub async fn refuse_connections(&self) -> io::Result<()> {
        self.port.lock().await.close().await?;
        // A connection has at most one call at a time.
        self.wait_until(|traffic| traffic.open_connections() <= traffic.in_flight()).await;
        Ok(())
    }

    /// Opens the same port again.
    ///
    /// # Errors
    /// The port cannot be listened on any more.
    pub async fn accept_connections(&self) -> io::Result<()> {
        self.port.lock().await.reopen()
    }

    /// Stops: closes the port, aborts calls that hang, and waits for the other calls in flight.
    pub async fn stop(self) {
        self.shared.shut_down();
        self.port.into_inner().finish().await;
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").field("address", &self.address).finish_non_exhaustive()
    }
}

//! A simulated LLM provider: a real HTTP/1.1 server on loopback with OpenAI's Chat Completions and Anthropic's Messages,
//! plain and streaming, that shows any fault on demand.
//!
//! Real providers fail rarely, at a price, and never when a test needs it. `switchboard demo`, the tests and the
//! benchmarks therefore call this one. A mock library would not do: what breaks gateways is streams that pause, stop or
//! end early, and connections that are refused or reset, so the server drives its sockets itself.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use simulator::{Fault, ProviderError, Script, Simulator};
//!
//! let simulator = Simulator::start().await?;
//! // The first two calls get a 429 with `retry-after: 1`, the third and all later ones succeed.
//! let busy = ProviderError::rate_limited().retry_after(std::time::Duration::from_secs(1));
//! simulator.script("gpt-5", Script::first(2, busy));
//! simulator.script("gpt-5-mini", Fault::Cut { after: 3 });
//! // ... a client calls simulator.openai_base_url() ...
//! simulator.wait_until(|traffic| traffic.calls("gpt-5") == 3).await;
//! # Ok(())
//! # }
//! ```
//!
//! # How a call gets its response
//!
//! 1. The model's [`Script`] gives the [`Behaviour`] of this call: set through the handle, or read from the model's
//!    own name ([`model_names`]) when the simulator runs as a separate process, or else the default for all other models.
//! 2. The behaviour and the request together give a response: a head, chunks, and an ending. This step is a pure function.
//! 3. The response is played with its delays; what happened is recorded in [`TrafficSnapshot`].
//!
//! # What it can show
//!
//! [`Fault`] lists the ways to fail, [`ProviderError`] the errors that providers return, [`Behaviour`] the variants of a
//! good response: slow, in pieces of one byte, with other line ends. [`Script`] assigns behaviours to calls, also in turn: a
//! model that flaps. Everything has a name, too ([`model_names`]): as a model's name, or parsed into a script. Connections are
//! refused by [`Simulator::refuse_connections`], for all models at once, since a port is either closed or not.
//!
//! # Invariants
//!
//! - The same request and behaviour give the same response, except for its number and its time.
//! - A good response is one that the official SDKs parse; an error is the one that the provider itself would return.
//! - The latency comes before the head, the gap before each chunk but the first; all delays use tokio's time, so they can be
//!   paused.
//! - The chunks before a fault reach the client before the fault does.
//! - A call is in flight from when its request was read until its last byte was handed to the connection. If the client
//!   disconnects earlier, the call counts as disconnected.
//! - Keys and prompts are recorded for assertions only, and appear in no `Debug` output.
//!
//! # Files
//!
//! A file uses only files to its right. A test of `switchboard` (`conventions`) checks that there are no circles.
//!
//! ```text
//!   server ─▶ port ─▶ connection ─▶ service ─▶ playback ─┬─▶ shared ─┬─▶ model_names ─▶ script ─┐
//!                                                        │           ├─▶ settings ──────────────┴─▶ behaviour ─┐
//!                                                        │           └─▶ traffic                               │
//!                                                        └─▶ response ─▶ dialect ─▶ dialect/openai     ────────┤
//!                                                                                   dialect/anthropic          │
//!                                                                                    ─▶ response_spec          ▼
//!                                                                                                  provider_error
//! ```

mod behaviour;
mod connection;
mod dialect;
pub mod model_names;
mod playback;
mod port;
mod provider_error;
mod response;
mod response_spec;
mod script;
mod server;
mod service;
mod settings;
mod shared;
mod traffic;

pub use behaviour::{Behaviour, Fault};
pub use provider_error::ProviderError;
pub use script::Script;
pub use server::Simulator;
pub use settings::Settings;
pub use traffic::{ReceivedRequest, TrafficSnapshot};

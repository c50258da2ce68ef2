//! A simulated LLM provider: a real HTTP/1.1 server on loopback that speaks OpenAI's chat completions and
//! Anthropic's messages, plain and streaming, and shows any fault on demand.
//!
//! Real providers fail rarely, expensively, and never when a test needs it. `switchboard demo`, the tests and the
//! benchmarks therefore call this one. A mock library would not do: what breaks gateways is streams that pause, stop or
//! end early, and connections that are refused or reset, so the server drives its sockets itself.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use simulator::{Fault, ProviderError, Script, Simulator};
//!
//! let simulator = Simulator::start().await?;
//! // The first two calls are told to come back in a second, the third and all later ones are answered.
//! let busy = ProviderError::rate_limited().retry_after(std::time::Duration::from_secs(1));
//! simulator.script("gpt-5", Script::first(2, busy));
//! simulator.script("gpt-5-mini", Fault::Cut { after: 3 });
//! // ... a client calls simulator.openai_base_url() ...
//! simulator.until(|seen| seen.calls("gpt-5") == 3).await;
//! # Ok(())
//! # }
//! ```
//!
//! # How a call is answered
//!
//! 1. The model's [`Script`] says which [`Behaviour`] this call meets: set through the handle, or read from the model's
//!    own name ([`model_names`]) when the simulator runs as a process of its own, or else the one for all other models.
//! 2. The behaviour and the request together give an answer: a head, chunks, and how it ends. This step is a pure function.
//! 3. The answer is played with its pauses; what happened is kept in [`Seen`].
//!
//! # What it can show
//!
//! [`Fault`] lists the ways to fail, [`ProviderError`] the errors that providers give, [`Behaviour`] what a good answer may
//! be like: slow, in pieces of one byte, with other line ends. [`Script`] says which call meets what, also by turns: a model
//! that flaps. Everything has a name, too ([`model_names`]): as a model's name, or read into a script. Connections are refused by
//! [`Simulator::refuse_connections`], for all models at once, since a port is closed or it is not.
//!
//! # What always holds
//!
//! - The same request and behaviour give the same answer, but for its number and its time.
//! - A good answer is one that the official SDKs parse; an error is the one that the provider itself would give.
//! - The latency comes before the head, the gap before each chunk but the first; all waits are tokio's time, so they can be
//!   paused.
//! - The chunks before a fault reach the client before the fault does.
//! - A call is in flight from when its request was read until its last byte was handed to the connection. If it did not
//!   get so far because the client went away, it is counted as abandoned.
//! - Keys and prompts are recorded for assertions only, and appear in no `Debug` output.

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

//! A simulated LLM provider: a real HTTP/1.1 server on loopback with OpenAI's Chat Completions and Responses, Anthropic's
//! Messages, Gemini's generateContent and Amazon Bedrock's Converse and InvokeModel, plain and streaming, that shows any fault on demand.
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
//! A good response is a text, with thinking before it and tool calls after it if the script says so, and with any token
//! counts. The simulator refuses what a real provider refuses: thinking that it did not sign itself, in the name of its
//! [`Settings::name`], ids of what it did not store, and tool calls without their results. Two simulators of different
//! names are two accounts.
//!
//! # What it answers
//!
//! ```text
//! POST /v1/chat/completions
//! POST /v1/responses                                         GET, DELETE /v1/responses/ID of what it stored
//! POST /v1/responses/input_tokens
//! POST /v1/messages                                          with anthropic-version
//! POST /v1/messages/count_tokens
//! POST /v1beta/models/MODEL:generateContent                  key in x-goog-api-key or ?key=
//! POST /v1beta/models/MODEL:streamGenerateContent?alt=sse    without alt=sse, a JSON array
//! POST /v1beta/models/MODEL:countTokens
//! POST /model/MODEL/converse, /converse-stream              Amazon Bedrock's; a key, or any signature of AWS's
//! POST /model/MODEL/invoke, /invoke-with-response-stream    Anthropic's Messages through Bedrock
//! POST /model/MODEL/count-tokens
//! POST /openai/v1/chat/completions                          Bedrock's, too, and Azure's; key in api-key
//! POST /openai/v1/responses                                 Azure's
//! POST /openai/deployments/MODEL/chat/completions?api-version=DATE
//! POST /v1/completions, /v1/embeddings, /v1/moderations, /v1/rerank
//! POST /v1/images/generations, /v1/images/edits, /v1/images/variations
//! POST /v1/audio/speech, /v1/audio/transcriptions, /v1/audio/translations
//! GET  /v1/models, /v1beta/models, /openai/v1/models, /openai/models
//! ```
//!
//! Gemini's calls have the prefix `/v1`, too: Google's Python client has it by default.
//!
//! A count of tokens is a call of the model like any other: it takes the model's next behaviour and shows its faults.
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
//!   server ─▶ port ─▶ connection ─▶ service ─┬─▶ playback ─┬─▶ shared ─┬─▶ model_names ─▶ script ─┬─▶ behaviour ─▶ (1)
//!                                            │             │           ├─▶ settings ──────────────┘
//!                                            │             │           ├─▶ stored_responses
//!                                            │             │           └─▶ traffic
//!                                            ├─▶ form      │                       ┌─▶ openai_call            ─▶ (2)
//!                                            ├─▶ route ────┴─▶ response ─┬─▶ dialect ─┬─▶ dialect/...        ─▶ (2)
//!                                            └─▶ history_check ──────────┘            └─▶ dialect/..._error  ─▶ (3)
//!
//!   (1) content, provider_error
//!   (2) event_list, event_stream, and response_spec ─▶ signature ─▶ content
//!   (3) error_spec ─▶ provider_error
//! ```
//!
//! Below `dialect` there is a file for the responses of each API, of which the Responses API's stream has one of its own
//! (`responses_stream` ─▶ `responses`), and one for the errors of each provider. `history_check` uses `dialect`, not
//! `response`, and so do `tool_check`, which uses `converse_check`, and `field_check`.

mod aws_errors;
mod behaviour;
mod connection;
mod content;
mod converse_check;
mod dialect;
mod error_spec;
mod event_list;
mod event_stream;
mod field_check;
mod form;
mod history_check;
pub mod model_names;
mod openai_call;
mod playback;
mod port;
mod provider_error;
mod response;
mod response_spec;
mod route;
mod script;
mod server;
mod service;
mod settings;
mod shared;
mod signature;
mod stored_responses;
mod tool_check;
mod traffic;

pub use behaviour::{Behaviour, Fault};
pub use content::{Finish, Usage};
pub use provider_error::ProviderError;
pub use script::Script;
pub use server::Simulator;
pub use settings::Settings;
pub use traffic::{ReceivedRequest, TrafficSnapshot};

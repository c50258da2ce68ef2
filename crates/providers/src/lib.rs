//! Calling a provider's API, and judging what came back.
//!
//! Breakers, retries and fallbacks are only as good as the answer to one question: was this call a failure, and
//! whose? An HTTP status does not tell it. A 429 may mean "in two seconds" or "when you have paid", a 404 a wrong path or
//! a model that is gone, and a 200 may hold an error, stop in the middle of a sentence or never say a word. This crate
//! makes one call and gives either an [`Answer`] that is what the provider promises, or a [`Fault`] with its [`Blame`].
//! It decides nothing further: what a fault leads to is its caller's business.
//!
//! What holds here:
//!
//! - One call is one request: nothing is retried, redirected or decoded. (hyper sends a request again only if a pooled
//!   connection turned out closed before a byte of it was written.)
//! - Bodies and events are passed on as the bytes that came.
//! - A stream ends with `None` only if it was whole (C3). After a fault its connection is closed, and so it is when a
//!   call or a stream is dropped: the provider stops working for nobody.
//! - Every wait has a limit of [`Timeouts`], every body and event a largest size.
//! - The caller's own key never reaches a provider, and a provider's key, prompts, answers and messages never reach a
//!   log, an error or `Debug` output (C5).
//! - [`Blame`] is decided in one place, `judge.rs`.

mod classify;
mod client;
mod config;
mod deadline;
mod error;
mod headers;
mod provider;
mod response;
mod retry_after;
mod stream;

pub use config::{ProviderConfig, ProviderKind, Timeouts};
pub use error::{FailureClass, ProviderError, ProviderErrorKind, TimeoutKind};
pub use provider::{Provider, ProviderConfigError, ProviderRequest};
pub use response::{CompleteResponse, ProviderResponse};
pub use stream::{EventStream, StreamEvent};

//! Calling a provider's API, and classifying the result.
//!
//! Breakers, retries and fallbacks depend on one question: did this request fail, and who is responsible? The HTTP
//! status does not answer it. A 429 may mean "in two seconds" or "when you have paid", a 404 a wrong path or a missing
//! model, and a 200 may hold an error, end in the middle of a sentence or never produce a token. This crate makes one
//! request and returns either a [`ProviderResponse`] that is what the provider's API promises, or a [`ProviderError`]
//! with its [`FailureClass`]. It decides nothing else: what follows from an error is the caller's decision.
//!
//! # Files
//!
//! An arrow means "uses".
//!
//! ```text
//! provider ──▶ stream ──▶ classify ──▶ retry_after
//!    │           │           │
//!    │           ├──▶ deadline ──┤
//!    │           ├──▶ body ──────┤
//!    │           │     │         ▼
//!    │           │     │       error ──▶ response
//!    │           ▼     ▼         │
//!    │         headers │         │
//!    │           ▲     └──▶ decode ──▶ content_coding
//!    ├──▶ sender ┴────────▶ client ──▶ cause
//!    └──▶ config, request, urls ──▶ kind, forward, vendors
//! ```
//!
//! `sender` also uses `auth`, which uses `aws` and `google` (signatures and tokens, each with a drawing) over `credentials` (kept
//! fresh; fetched by `http_service`, over `client`), and `bedrock` and `vertex` (what these have of their own, with a drawing each) over `json`. `stream` reads its frames from
//! `stream_input`, has its limits of time in `stream_timeouts`, and what becomes of an event in another format in
//! `stream_translation`; `headers` is made of tables of names (`header_table`). `clock` tells `bedrock` and `google` whether this
//! machine's clock is wrong.
//! `vendors` is a table of the companies and servers that are known by name, and `azure` has what is Azure's own.
//!
//! `client` is an HTTP/1.1 client of its own, with a drawing of its files in `client.rs`: requests and responses as bytes,
//! connections without a task, a pool, a resolver, proxies, TLS, and a cause for each connection that cannot be made.
//!
//! # Errors
//!
//! This crate is the second step of the scheme for failures. `dialects` says what the provider's words mean
//! ([`dialects::error::ErrorCategory`]). [`ProviderError`] says what happened ([`ProviderErrorKind`]) and who is
//! responsible ([`FailureClass`]); the class is decided in one place, `classify.rs`. The crate `manager` decides what
//! follows for the call and for the circuit.
//!
//! # Invariants
//!
//! - One call is one request: nothing is retried or redirected. (A kept connection that fails before a byte of the
//!   response has come was closed by the provider: the request is sent once more, on a new one.)
//! - What this machine lacks is never a provider's failure ([`FailureClass::LocalResource`], C8). Lookups run on threads of
//!   their own, one per name.
//! - Bodies and events are passed on as the bytes that were received, decompressed if nobody had asked for compression.
//! - A stream ends with `None` only if it is complete (C3). After an error its connection is closed. Dropping a call or a
//!   stream closes it, too, so that the provider stops generating.
//! - Every wait has a limit of [`Timeouts`], every body and event a largest size.
//! - The caller's own key never reaches a provider. A provider's key, prompts, responses and messages never reach a log,
//!   an error or `Debug` output (C5).

mod auth;
mod aws;
mod azure;
mod bedrock;
mod body;
mod cause;
mod classify;
mod client;
mod clock;
mod config;
mod content_coding;
mod credentials;
mod deadline;
mod decode;
mod error;
mod forward;
#[doc(hidden)]
pub mod fuzzing;
mod google;
mod header_table;
mod headers;
mod http_service;
mod json;
mod kind;
mod provider;
mod redact;
mod request;
mod response;
mod retry_after;
mod sender;
mod stream;
mod stream_input;
mod stream_timeouts;
mod stream_translation;
mod translated;
mod urls;
mod vendors;
mod vertex;

pub use aws::{AwsEnvironment, AwsSettings, profile_region};
pub use cause::{ConnectCause, LocalResource};
pub use client::{ConnectorError, ProxyError, TlsConfigError};
pub use config::{ProviderConfig, Timeouts};
pub use content_coding::{ContentCoding, Decoder};
pub use credentials::{CredentialsError, CredentialsService, CredentialsSource};
pub use error::{
    ConnectDetail, ErrorDetail, ErrorEvent, FailureClass, ProviderError, ProviderErrorKind, TimeoutKind,
};
pub use forward::{ForwardError, ForwardedHeader};
pub use google::{GoogleEnvironment, GoogleSettings};
pub use headers::UPSTREAM_REQUEST_ID;
pub use http_service::{HttpService, HttpServiceError, HttpServiceResponse};
pub use kind::ProviderKind;
pub use provider::{Access, Provider, ProviderConfigError, ProviderResponse};
pub use request::ProviderRequest;
pub use response::CompleteResponse;
pub use stream::{EventStream, StreamEvent};
pub use vendors::{Activation, BaseUrlVariable, KeyCheck, StreamUsage, Vendor, VendorEndpoint};

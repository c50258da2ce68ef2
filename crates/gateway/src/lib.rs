//! The HTTP interface of Switchboard, which the SDKs of clients call.
//!
//! Every request passes authentication (its host, its key, its id) and goes to a handler. A call is read once and given
//! to the [`ModelManager`](manager::ModelManager), and the response is passed through as it arrives. The gateway's own
//! errors have the shape that the SDK of the path raises like a provider's; `x-switchboard-error` tells them apart.
//!
//! The path of a good call is short: `connection` → `service` → `calls` → the manager, and back as a `response_body` that
//! the connection polls itself. It has no timer, no table of paths, no layer and no lock that another connection uses.
//!
//! Arrows point down: a file uses only files on the lines below its own, and the one behind its arrow. So what handlers
//! share stands apart from the table of paths, and there are no circles.
//!
//! ```text
//! server                                                             the listener
//!    ▼
//! connections ─▶ connection_pool                                     each in a task of its own
//!    ▼
//! connection ─▶ service                                              a connection, and what answers its requests
//!    ▼
//! request_body ─▶ client_socket ─▶ output ─▶ response_head            what it reads and writes
//! request_head  connection_state
//! router                                                             the table of paths
//!    ▼
//! gemini  stored_responses                                           handlers of paths that name more
//!    ▼
//! calls  models  health  scrape  inspect  events  operate  permits   the handlers
//! front_door  demo
//!    ▼
//! path_params ─► auth    body ─► decompress ─► joined_body           what goes in and out
//! response ─► response_body
//!    ▼
//! state                                                              what all handlers share
//!    ▼
//! feed    metrics    permit_registry                                 the parts of the state
//!    ▼
//! overview    error    active_keys ─► keys ─► key_digest
//!    ▼
//! fleet ─▶ store_report  demo_providers
//!    ▼
//! shutdown ─▶ fair_share    loopback  request_rules ─▶ present_headers    these use no other file
//! request_id ─▶ present_headers, headers
//! client_backoff  headers  duration  lazy_timer  openapi
//! dashboard  request_path  refused_requests  resources ─▶ workers
//! ```
//!
//! | file | subject |
//! | --- | --- |
//! | `server` | the listener, from bind to shutdown |
//! | `connections`, `connection_pool` | the open connections; who has to leave for a new one, or rests |
//! | `connection`, `service` | one connection and its requests; what answers a request |
//! | `connection_state` | what a connection is doing |
//! | `client_socket`, `output` | what was read and what is to be sent; timeouts |
//! | `request_head`, `response_head` | HTTP/1.1 as bytes, with the crate `http1` |
//! | `request_body` | the body of a request, and what a client still sends of one that is answered |
//! | `request_rules` | requests that can be read in two ways |
//! | `present_headers` | which of the headers that the gateway reads a request has |
//! | `request_path` | the usual path of a request, however its base URL was written |
//! | `lazy_timer` | timers that most requests do not need |
//! | `workers` | the threads that serve connections |
//! | `resources`, `fair_share` | what the process has, and callers share; half of the calls in flight for one of them |
//! | `router` | the table of paths |
//! | `state` | what all handlers share |
//! | `auth`, `request_id` | authentication of every request; the id that it comes with or gets |
//! | `keys`, `key_digest` | the keys with their names and permissions, and how they are compared |
//! | `active_keys`, `refused_requests` | the keys in force, which can be replaced; requests with a wrong key, to an unknown path, … |
//! | `loopback` | the hosts that a listener without keys accepts |
//! | `calls`, `models`, `health`, `scrape` | handlers: calls, models, health checks, metrics |
//! | `gemini`, `stored_responses` | handlers: Gemini's paths, and responses that a provider has stored |
//! | `front_door` | handlers: `/` and `/api/hello` |
//! | `inspect`, `events`, `operate`, `permits` | handlers: the circuits API |
//! | `openapi`, `dashboard` | handlers: the description of the API, and the page |
//! | `overview`, `store_report` | all that `/circuits` shows at a moment; the store of the circuits |
//! | `fleet` | traffic, routes and instances, and the heartbeats by which instances know of each other |
//! | `demo`, `demo_providers` | handlers: what a demonstration lets people break; nothing of it elsewhere |
//! | `feed`, `permit_registry` | the events of circuits for all subscribers, and the issued permits |
//! | `metrics` | what Prometheus reads |
//! | `path_params`, `body`, `duration`, `headers` | the parts of requests |
//! | `decompress`, `joined_body` | a compressed body; a body in one piece, out of the memory budget |
//! | `response`, `response_body`, `error` | the parts of responses |
//! | `client_backoff` | how long a client would wait by itself, which `retry-after` never shortens |
//! | `shutdown` | graceful shutdown |
//!
//! Invariants:
//!
//! - A listener without keys is on loopback and accepts loopback names only, so that no web page can reach it.
//! - A key that was taken out of the configuration admits no further request, on whatever connection (Q5).
//! - A successful call costs one pass over its body and no serialization; a stream is passed through event by event.
//! - What a good call writes belongs to its request, its connection or its core, never to all cores (`docs/guarantees/cost.md`).
//! - A client that disconnects cancels its attempt: nothing outlives the task of the connection.
//! - A request that two readers could read in two ways is refused, and is the last of its connection; so is one whose body was
//!   not read to its end (RFC 9112).
//! - Connections are limited and have timeouts, and those without a key leave first, so that descriptors are left for
//!   providers and Redis (Q6).
//! - No subscriber and no holder of a permit makes the process grow: frames and permits have limits. No caller holds more
//!   than half of the permits, and what one reports is a vote (Q6).
//! - No prompt, response or key is in an error or in the log (C5).

mod active_keys;
mod auth;
mod body;
mod calls;
mod client_backoff;
mod client_socket;
mod connection;
mod connection_pool;
mod connection_state;
mod connections;
mod dashboard;
mod decompress;
mod demo;
mod demo_providers;
pub mod duration;
mod error;
mod events;
mod fair_share;
mod feed;
mod fleet;
mod front_door;
#[doc(hidden)]
pub mod fuzzing;
mod gemini;
mod headers;
mod health;
mod inspect;
mod joined_body;
mod key_digest;
mod keys;
mod lazy_timer;
mod loopback;
mod metrics;
mod model_reply;
mod models;
mod openapi;
mod operate;
mod output;
mod overview;
mod path_params;
mod permit_registry;
mod permits;
mod present_headers;
mod refused_requests;
mod request_body;
mod request_head;
mod request_id;
mod request_path;
mod request_rules;
mod resources;
mod response;
mod response_body;
mod response_head;
mod router;
mod scrape;
mod server;
mod service;
mod shutdown;
mod state;
mod store_report;
mod stored_responses;
mod workers;

pub use active_keys::{ActiveKeys, MissingApiKeys};
pub use demo_providers::DemoProviders;
pub use key_digest::{KeyDigest, KeyDigestError};
pub use keys::{DuplicateKey, Key, Keys, Role};
pub use resources::Resources;
pub use server::{BindError, Gateway, Settings};
pub use shutdown::ShutdownMode;
pub use workers::Workers;

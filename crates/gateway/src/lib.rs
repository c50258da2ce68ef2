//! The HTTP face of Switchboard: what a client's SDK talks to (DESIGN 1.4).
//!
//! A request comes through the gate (is this a name we answer to, is there a key, which id does it have) and goes
//! to one of a few handlers. A call is read once, handed to the [`ModelManager`](manager::ModelManager), and its
//! reply is passed on as it comes. Errors of the gateway's own are written so that the SDK of the path raises them
//! as it would raise a provider's, with `x-switchboard-error` to tell them apart.
//!
//! | file | subject |
//! | --- | --- |
//! | `server` | the listener and the connections |
//! | `stop` | the orderly end |
//! | `gate` | what every request passes first |
//! | `keys`, `loopback` | who may call, and under which names a listener without keys answers |
//! | `calls`, `models`, `health`, `metrics` | the handlers |
//! | `inspect`, `events`, `operate`, `permits` | the circuits' API |
//! | `feed`, `lent` | what becomes of the circuits, for all who listen; permits that are out |
//! | `openapi` | the description of all this |
//! | `key`, `body`, `duration` | what requests are made of |
//! | `dashboard` | the page |
//! | `reply`, `error` | what goes back |
//!
//! What holds here:
//!
//! - A listener without keys is on loopback and answers to loopback names only: no web page can reach it.
//! - A good call costs one pass over its body and no re-serialising; a stream is handed on event by event.
//! - A client that leaves stops its provider's call: nothing outlives the connection's task.
//! - Nobody who listens or holds a permit makes the process grow: frames and permits have limits.
//! - No prompt, answer or key is in an error or in the log (C5).

mod app;
mod auth;
mod body;
mod calls;
mod dashboard;
pub mod duration;
mod error;
mod events;
mod feed;
mod headers;
mod health;
mod inspect;
mod keys;
mod loopback;
mod metrics;
mod models;
mod openapi;
mod operate;
mod path_params;
mod permit_registry;
mod permits;
mod response;
mod server;
mod shutdown;

pub use keys::Keys;
pub use server::{BindError, Gateway, Settings};
pub use shutdown::ShutdownMode;
